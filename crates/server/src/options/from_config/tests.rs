use serde_json::json;

use super::*;

fn options(value: Value) -> Result<ServerOptions, ServerError> {
    ServerOptions::from_config(&Config::from_value("app-config.yaml", value))
}

#[test]
fn an_empty_configuration_gives_the_defaults() {
    let options = options(json!({})).unwrap();
    assert_eq!(options.listen.to_string(), "127.0.0.1:7007");
    assert!(options.cors.is_none() && !options.readonly);
    assert_eq!(options.startup_request_pause, Duration::from_secs(5));
}

#[test]
fn listen_has_many_forms() {
    let rows = [
        (json!("7008"), "127.0.0.1:7008"),
        (json!(7008), "127.0.0.1:7008"),
        (json!("0.0.0.0:7008"), "0.0.0.0:7008"),
        (json!({"port": 7008}), "127.0.0.1:7008"),
        (json!({"port": "7008", "host": "::"}), "[::]:7008"),
        (json!({"host": "0.0.0.0"}), "0.0.0.0:7007"),
    ];
    for (listen, expected) in rows {
        let options = options(json!({"backend": {"listen": listen}})).unwrap();
        assert_eq!(options.listen.to_string(), expected);
    }
    for wrong in [json!("x"), json!(true), json!({"port": 70000})] {
        assert!(options(json!({"backend": {"listen": wrong}})).is_err(), "{wrong}");
    }
}

#[test]
fn tls_is_refused_rather_than_left_out() {
    for https in [json!(true), json!({"certificate": {"cert": "c", "key": "k"}})] {
        let error = options(json!({"backend": {"https": https}})).unwrap_err();
        assert!(error.to_string().contains("reverse proxy"), "{error}");
    }
    assert!(options(json!({"backend": {"https": false}})).is_ok());
}

#[test]
fn all_settings_are_read() {
    let options = options(json!({
        "backend": {
            "health": { "headers": { "x-a": "b" } },
            "csp": { "connect-src": ["'self'", "https:"], "upgrade-insecure-requests": false },
            "referrer": { "policy": ["same-origin", "origin"] },
            "lifecycle": { "startupRequestPauseTimeout": { "seconds": 7 }, "serverShutdownDelay": "20s" },
            "server": { "headersTimeout": 1500, "requestTimeout": "PT2S" },
            "cors": {
                "origin": ["http://localhost:3000", "https://*.example.com"],
                "methods": ["GET", "POST"],
                "allowedHeaders": "authorization",
                "exposedHeaders": ["link", "etag"],
                "credentials": true,
                "maxAge": 60,
                "optionsSuccessStatus": 200,
            },
        },
        "catalog": { "readonly": true, "defaultLocationConflictStrategy": "refresh" },
    }))
    .unwrap();
    assert_eq!(options.health_headers["x-a"], "b");
    let csp = options.security_headers["content-security-policy"].to_str().unwrap();
    assert!(csp.ends_with(";connect-src 'self' https:") && !csp.contains("upgrade"), "{csp}");
    assert_eq!(options.security_headers["referrer-policy"], "same-origin,origin");
    assert_eq!(options.startup_request_pause, Duration::from_secs(7));
    assert_eq!(options.shutdown_delay, Duration::from_secs(20));
    assert_eq!(options.headers_timeout, Some(Duration::from_millis(1500)));
    assert_eq!(options.request_timeout, Some(Duration::from_secs(2)));
    assert!(options.readonly);
    assert_eq!(options.location_conflict, LocationConflict::Refresh);
    let cors = options.cors.unwrap();
    assert_eq!(cors.origins.unwrap().len(), 2);
    assert_eq!((cors.methods, cors.preflight_status.as_u16()), (HeaderValue::from_static("GET,POST"), 200));
    assert_eq!(cors.exposed_headers.unwrap(), "link,etag");
    assert_eq!(cors.max_age.unwrap(), "60");
}

#[test]
fn limits_of_nothing_are_no_limits() {
    let zero = json!({"headersTimeout": 0, "requestTimeout": {"seconds": 0}});
    let none = options(json!({"backend": {"server": zero}})).unwrap();
    assert_eq!((none.headers_timeout, none.request_timeout), (None, None));
    let default = options(json!({})).unwrap();
    assert_eq!(default.headers_timeout, Some(Duration::from_secs(30)));
    assert_eq!(default.request_timeout, Some(Duration::from_mins(1)));
}

#[test]
fn sections_that_are_no_objects_are_refused() {
    let rows = [
        (json!("x"), "backend"),
        (json!({"server": 7}), "backend.server"),
        (json!({"cors": "https://example.com"}), "backend.cors"),
        (json!({"csp": "default-src"}), "backend.csp"),
    ];
    for (backend, key) in rows {
        let message = options(json!({ "backend": backend })).unwrap_err().to_string();
        assert!(message.contains(&format!("'{key}'")), "{message}");
    }
}

#[test]
fn nonsense_is_named_by_its_key() {
    let rows = [
        (json!({"backend": {"csp": {"img-src": true}}}), "backend.csp"),
        (json!({"backend": {"health": {"headers": {"x y": "z"}}}}), "backend.health.headers"),
        (json!({"backend": {"cors": {"origin": 7}}}), "backend.cors.origin"),
        (json!({"backend": {"cors": {"optionsSuccessStatus": 7}}}), "backend.cors.optionsSuccessStatus"),
        (json!({"backend": {"server": {"headersTimeout": -1}}}), "backend.server.headersTimeout"),
        (
            json!({"catalog": {"defaultLocationConflictStrategy": "x"}}),
            "catalog.defaultLocationConflictStrategy",
        ),
    ];
    for (value, key) in rows {
        let message = options(value).unwrap_err().to_string();
        assert!(message.contains(&format!("'{key}'")), "{message}");
    }
}

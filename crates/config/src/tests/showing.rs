//! Secrets, printing and checking.

use serde_json::json;

use super::{env, load_with};
use crate::{Config, Finding, Sources};

fn with_secrets() -> Config {
    Config::from_value(
        "c",
        json!({
            "backend": {
                "auth": { "keys": [{"secret": "key-secret"}] },
                "database": { "connection": "postgresql://me:pg-pass@db.example.com/x", "client": "pg" },
                "https": { "certificate": {"cert": "public", "key": "tls-key"} },
            },
            "integrations": {
                "github": [{ "host": "github.com", "token": " gh-token ", "apps": [{"privateKey": "pem", "clientId": "id"}] }],
            },
            "proxy": { "endpoints": { "/x": {
                "target": "https://example.com", "credentials": "require", "headers": {"Authorization": "Bearer abc"},
            } } },
            "custom": { "apiKey": "k-123", "secretName": "vault/x", "tokenUrl": "https://example.com/t", "password": "1",
                        "dsn": "Server=x;Password=dsn-pass;Db=y", "tokens": ["t-one"] },
        }),
    )
}

#[test]
fn secrets_are_masked_when_printed() {
    assert_eq!(
        with_secrets().redacted_value(),
        json!({
            "backend": {
                "auth": { "keys": [{"secret": "***"}] },
                "database": { "connection": "postgresql://me:***@db.example.com/x", "client": "pg" },
                "https": { "certificate": {"cert": "public", "key": "***"} },
            },
            "integrations": {
                "github": [{ "host": "github.com", "token": "***", "apps": [{"privateKey": "***", "clientId": "id"}] }],
            },
            "proxy": { "endpoints": { "/x": {
                "target": "https://example.com", "credentials": "require", "headers": {"Authorization": "***"},
            } } },
            "custom": { "apiKey": "***", "secretName": "vault/x", "tokenUrl": "https://example.com/t", "password": "***",
                        "dsn": "Server=x;Password=***;Db=y", "tokens": ["***"] },
        })
    );
    let github = with_secrets().get_configs("integrations.github").unwrap().remove(0);
    assert_eq!(github.redacted_value()["token"], json!("***"));
    let shown: Vec<_> = github.effective().into_iter().map(|value| (value.key, value.value)).collect();
    assert_eq!(shown[1], ("integrations.github[0].token".to_owned(), json!("***")));
}

#[test]
fn secrets_are_cut_out_of_texts() {
    let config = with_secrets();
    let table = [
        ("GET with gh-token failed", "GET with *** failed"),
        ("gh-tokengh-token", "******"),
        ("key-secret tls-key pem k-123 t-one pg-pass dsn-pass", "*** *** *** *** *** *** ***"),
        ("header Bearer abc", "header ***"),
        ("1 require pg vault/x", "1 require pg vault/x"),
    ];
    for (text, expected) in table {
        assert_eq!(config.redact(text), expected);
    }
    assert_eq!(config.get_config("custom").unwrap().redact("gh-token"), "***");
}

#[test]
fn secrets_that_are_no_texts_are_secret_too() {
    let config = Config::from_value(
        "c",
        json!({
            "integrations": { "github": [{ "host": "github.com", "token": 1_234_567 }] },
            "backend": { "cors": { "credentials": true }, "database": { "connection": {"password": 42} } },
            "custom": { "pin": 7_654_321, "password": 7_654_321.5, "retries": 7_654_322 },
        }),
    );
    assert_eq!(
        config.redacted_value(),
        json!({
            "integrations": { "github": [{ "host": "github.com", "token": "***" }] },
            "backend": { "cors": { "credentials": true }, "database": { "connection": {"password": "***"} } },
            "custom": { "pin": 7_654_321, "password": "***", "retries": 7_654_322 },
        })
    );
    assert_eq!(config.redact("1234567 7654321.5"), "*** ***");
    assert_eq!(config.redact("42 entities"), "42 entities");
}

#[test]
fn secrets_are_cut_out_of_escaped_texts() {
    let pem = "-----BEGIN KEY-----\nab\\c\"d\te\u{1b}f\n-----END KEY-----\n";
    let config = Config::from_value("c", json!({ "integrations": { "googleGcs": { "privateKey": pem } } }));
    let plain = format!("key {} end", pem.trim_end());
    let json_line = |message: &str| json!({ "message": message }).to_string();
    let debug = |text: &str| format!("{text:?}");
    for text in [
        plain.clone(),
        debug(&plain),
        json_line(&plain),
        json_line(&debug(&plain)),
        json_line(&json_line(&plain)),
    ] {
        let shown = config.redact(&text);
        assert!(shown.contains("key *** end") && !shown.contains("KEY"), "{shown}");
    }
}

#[test]
fn the_secrets_of_two_configurations_leave_no_halves() {
    let of = |token: &str| Config::from_value("c", json!({ "token": token }));
    let both = of("abc").secrets().and(of("abcdef").secrets());
    assert_eq!(both.redact("abc abcdef abcd"), "*** *** ***d");
    assert_eq!(format!("{both:?}"), "2 secrets");
}

#[test]
fn secrets_have_many_names() {
    let names = [
        ("pass", true),
        ("dbPass", true),
        ("DB_PASS", true),
        ("passwd", true),
        ("pwd", true),
        ("bypass", false),
        ("passing", false),
        ("apiKey", true),
        ("api_key", true),
        ("private-token", true),
        ("clientSecretFile", false),
    ];
    for (name, is_secret) in names {
        let value = Config::from_value("c", json!({ name: "value" })).redacted_value();
        assert_eq!(value[name] == "***", is_secret, "{name}");
    }
    let proxy = json!({ "proxy": { "/x": { "auth": "me:pw" }, "endpoints": { "/y": { "auth": "me:pw" } } } });
    let shown = Config::from_value("c", proxy).redacted_value();
    assert_eq!(shown["proxy"], json!({ "/x": {"auth": "***"}, "endpoints": { "/y": {"auth": "***"} } }));
}

#[test]
fn secret_parts_of_texts_are_masked() {
    let table = [
        ("https://ghp_x@example.com/a", "https://***@example.com/a"),
        ("https://ghp_x:x-oauth-basic@example.com/a", "https://***:***@example.com/a"),
        ("https://me:p%40w@example.com/me", "https://me:***@example.com/me"),
        ("https://e.com/a?private_token=t1&ref=main", "https://e.com/a?private_token=***&ref=main"),
        ("https://e.com/a?token=t1#access_token=t2", "https://e.com/a?token=***#access_token=***"),
        ("https://e.com/a?apikey=k1&code=c1&keyboard=us", "https://e.com/a?apikey=***&code=***&keyboard=us"),
        ("https://e.com/a?sv=1&sig=abc", "https://e.com/a?sv=1&sig=***"),
        ("https://e.com/a?X-Amz-Signature=abc", "https://e.com/a?X-Amz-Signature=***"),
        ("https://a:b1@e.com https://c:d1@e.com", "https://a:***@e.com https://c:***@e.com"),
        ("//a:b1@e.com/c", "//a:***@e.com/c"),
        ("a//b:c@d", "a//b:c@d"),
        ("ssh://git@example.com/a", "ssh://git@example.com/a"),
        ("postgresql://me@db/x", "postgresql://me@db/x"),
        ("Server=x;Password=a&b c;Db=y", "Server=x;Password=***;Db=y"),
        ("host=x password=p1 user=me", "host=x password=*** user=me"),
        ("https://example.com/a?b=c@d", "https://example.com/a?b=c@d"),
    ];
    for (text, expected) in table {
        let config = Config::from_value("c", json!({ "target": text }));
        assert_eq!(config.redacted_value()["target"], expected, "{text}");
    }
}

#[test]
fn names_before_a_host_are_not_cut_out_of_texts_but_tokens_are() {
    let token = "ghp_0123456789abcdefghij";
    let targets = [format!("https://{token}@example.com/a"), "https://acme@dev.azure.com/acme/x".to_owned()];
    let config = Config::from_value("c", json!({ "targets": targets }));
    assert_eq!(config.redact(&format!("acme reads with {token}")), "acme reads with ***");
}

#[test]
fn secrets_do_not_show_themselves() {
    let secret = with_secrets().get_opt_secret("custom.apiKey").unwrap().unwrap();
    assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    assert_eq!(secret.expose(), "k-123");
    assert!(!format!("{:?}", with_secrets()).contains("k-123"));
    let sources = Sources { env: env(&[("TOKEN", "visible")]), ..Sources::default() };
    assert!(!format!("{sources:?}").contains("visible"));
}

#[test]
fn unknown_and_old_keys_are_found() {
    let text = "\
app: {anything: 1}
catalog:
  rule: []
  rules: [{allow: [API, {kind: Template, spec.type: x}]}]
  processingInterval: {minute: 1}
  stitchingStrategy: {mode: deferred, pollingInterval: {seconds: 1}, stitchTimeout: 1m}
  processors: {githubApi: {}, azureApi: {}}
  providers: {mine: {any: 1}}
backend:
  reading: {allow: [{hosts: x}]}
  listen: ':7007'
  csp: {default-src: [x]}
integrations:
  github: [{host: github.com, tokn: x}]
  azure: [{host: dev.azure.com, token: x}]
proxy:
  '/old': {target: x}
  endpoints: {'/new': {target: x, chngeOrigin: true}}
  somethingElse: 1
events: {http: {topics: [a]}}
permissions: {enabled: true}
callboard: {own: 1, reading: {maxBodyBites: 1}}
";
    let config = load_with(text, &[], &[]).unwrap();
    let findings = config.check();
    let line = |finding: &Finding| {
        let line = finding.origin.line.unwrap();
        format!("{line} {}: {}\n", finding.severity, finding.message)
    };
    let found: Vec<_> = findings.iter().map(line).collect();
    let expected = "\
3 warning: unknown key 'catalog.rule', did you mean 'rules'?
5 warning: unknown key 'catalog.processingInterval.minute', did you mean 'minutes'?
6 warning: 'catalog.stitchingStrategy.mode' has no effect: removed in catalog backend 4.0
6 warning: 'catalog.stitchingStrategy.pollingInterval' has no effect: stitching begins when there is something to stitch
6 warning: 'catalog.stitchingStrategy.stitchTimeout' has no effect: stitching begins when there is something to stitch
7 error: Using deprecated configuration for catalog.processors.azureApi, move to using integrations.azure instead
10 warning: unknown key 'backend.reading.allow[0].hosts', did you mean 'host'?
14 warning: unknown key 'integrations.github[0].tokn', did you mean 'token'?
15 error: 'integrations.azure[].token' has been removed, use 'credentials' instead
16 warning: 'proxy' has no effect: there is no proxy yet
17 warning: 'proxy./old' is deprecated: move the route below 'proxy.endpoints'
18 warning: unknown key 'proxy.endpoints./new.chngeOrigin', did you mean 'changeOrigin'?
19 warning: unknown key 'proxy.somethingElse'
20 warning: 'events' has no effect: events are not received yet
21 warning: unknown key 'permissions', did you mean 'permission'?
22 warning: unknown key 'callboard.own'
22 warning: unknown key 'callboard.reading.maxBodyBites', did you mean 'maxBodyBytes'?
";
    assert_eq!(found.concat(), expected);
}

#[test]
fn keys_without_effect_are_told_unless_they_switch_off_what_is_not_there() {
    let keys = [
        "backend.auth.externalAccess",
        "backend.hsts",
        "backend.rateLimit",
        "backend.server.keepAliveTimeout",
        "backend.server.maxHeadersCount",
        "backend.server.maxRequestsPerSocket",
        "backend.server.timeout",
        "backend.trustProxy",
        "catalog.providers.github",
        "catalog.scmEvents",
        "events",
        "permission.enabled",
        "proxy",
    ];
    let found = |key: &str, value: serde_json::Value| {
        let value = key.rsplit('.').fold(value, |value, part| json!({ part: value }));
        Config::from_value("c", value).check().into_iter().map(|it| it.message).collect::<Vec<_>>()
    };
    for key in keys {
        let messages = found(key, json!(true));
        assert!(messages[0].starts_with(&format!("'{key}' has no effect: ")), "{messages:?}");
        assert!(found(key, json!(false)).is_empty(), "{key}");
    }
    let locations = json!({ "catalog": { "locations": [{ "presence": "optional" }] } });
    let message = Config::from_value("c", locations).check().remove(0).message;
    assert!(message.starts_with("'catalog.locations[0].presence' has no effect: "), "{message}");
    assert!(found("backend.auth.dangerouslyDisableDefaultAuthPolicy", json!(true)).is_empty());
    assert!(found("catalog.providers.mine.url", json!("https://example.com")).is_empty());
}

#[test]
fn findings_show_where_they_are() {
    let config = Config::from_value("app-config.yaml", json!({ "catalog": {"rulez": 1} }));
    let finding = config.check().remove(0);
    assert_eq!(
        finding.to_string(),
        "app-config.yaml: warning: unknown key 'catalog.rulez', did you mean 'rules'?"
    );
    assert!(config.check_with(&["catalog.rulez"]).is_empty());
}

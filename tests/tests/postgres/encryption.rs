//! What `ssl` of a connection means to a server that insists on encryption.

use std::fs;

use callboard_store::suite::cluster::Encrypted;
use callboard_tests::{AppConfig, Home, store};
use serde_json::{Value, json};

/// What becomes of a connection.
const IN: &[&str] = &["schema 0 -> 1"];
const PLAIN: &[&str] = &["does not let the user in", "no encryption", "pg_hba.conf"];
const UNKNOWN: &[&str] = &["cannot be encrypted as wanted", "UnknownIssuer", "'ca' is the authority"];
const OTHER_NAME: &[&str] = &["cannot be encrypted as wanted", "not valid for name", "'ssl'"];
const UNCERTIFIED: &[&str] = &["does not let the user in", "certificate"];

fn connections(server: &Encrypted) -> Vec<(Value, &'static [&'static str])> {
    let pem = |name: &str| fs::read_to_string(server.file(name)).unwrap();
    let (ca, stranger) = (pem("authority.pem"), pem("stranger.pem"));
    let own = json!({ "ca": ca, "cert": pem("client.pem"), "key": pem("client.key") });
    let with = |host: &str, ssl: Value| json!({ "host": host, "port": server.port(), "user": "callboard", "database": "plain", "ssl": ssl });
    let of = |ssl: Value| with(server.host(), ssl);
    let certified = |ssl: Value| {
        let mut connection = of(ssl);
        connection["database"] = json!("certified");
        connection
    };
    let url =
        |query: &str| json!(format!("postgres://callboard@{}:{}/x?{query}", server.host(), server.port()));
    let authority = format!("sslrootcert={}", server.file("authority.pem").display());
    vec![
        (of(json!(null)), IN),
        (of(json!(false)), PLAIN),
        (of(json!(true)), UNKNOWN),
        (of(json!({})), UNKNOWN),
        (of(json!({ "rejectUnauthorized": false })), IN),
        (of(json!({ "ca": ca })), IN),
        (of(json!({ "ca": { "$file": server.file("authority.pem") } })), IN),
        (of(json!({ "ca": [stranger, ca] })), IN),
        (of(json!({ "ca": stranger })), UNKNOWN),
        (of(json!({ "ca": stranger, "rejectUnauthorized": false })), IN),
        (with("localhost", json!({ "ca": ca })), OTHER_NAME),
        (with("localhost", json!({ "ca": ca, "rejectUnauthorized": false })), IN),
        (certified(own.clone()), IN),
        (certified(json!({ "ca": ca })), UNCERTIFIED),
        (url("sslmode=disable"), PLAIN),
        (url("sslmode=require"), UNKNOWN),
        (url("sslmode=no-verify"), IN),
        (url(&authority), IN),
        (url(&format!("sslmode=verify-full&{authority}")), IN),
    ]
}

#[test]
fn a_connection_is_encrypted_and_checked_as_its_configuration_says() {
    let Some(server) = Encrypted::new(store::is_postgres_required()) else { return };
    let home = Home::new();
    for (number, (connection, expected)) in connections(&server).into_iter().enumerate() {
        // The database counts that the connection names.
        let database = json!({ "client": "pg", "pluginDivisionMode": "schema", "connection": connection });
        let config = AppConfig::new(&database);
        // Another schema each time, so that it is always made.
        home.configure(&config.set("callboard.database.schema", json!(format!("of_{number}"))));
        let finished = home.run(&["migrate"]);
        assert_eq!(finished.code, Some(i32::from(expected != IN)), "{connection}: {finished:?}");
        for text in expected {
            assert!(finished.output().contains(text), "{text}, {connection}: {finished:?}");
        }
    }
}

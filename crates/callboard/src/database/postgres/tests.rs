use std::path::Path;

use serde_json::json;

use super::super::Database;
use super::*;

fn read(backend: &Value) -> Result<Postgres, Error> {
    let config = Config::from_value("test", json!({"backend": {"database": backend}}));
    match Database::from_config(&config, Path::new("/"))? {
        Database::Postgres(postgres) => Ok(*postgres),
        other => panic!("{other:?}"),
    }
}

/// Host, user, password and database.
fn reached(database: &Value) -> [Option<String>; 4] {
    let postgres = read(database).unwrap();
    let password = postgres.password.map(|password| password.expose().to_owned());
    [postgres.host, postgres.user, password, postgres.database]
}

fn texts(texts: [&str; 4]) -> [Option<String>; 4] {
    texts.map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()))
}

#[test]
fn the_database_is_the_one_that_backstage_has_for_its_catalog() {
    let object = json!({"host": "h", "user": "u", "password": "p", "database": "shared"});
    let with = |more: Value| {
        let mut database = json!({"client": "pg", "connection": object});
        database.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        database
    };
    let table = [
        (with(json!({})), ["h", "u", "p", "backstage_plugin_catalog"]),
        (with(json!({"prefix": "acme_"})), ["h", "u", "p", "acme_catalog"]),
        (with(json!({"pluginDivisionMode": "schema"})), ["h", "u", "p", "shared"]),
        (
            with(json!({"plugin": {"catalog": {"connection": {"database": "own", "host": "other"}}}})),
            ["other", "u", "p", "own"],
        ),
        (
            with(json!({"plugin": {"catalog": {"connection": "postgres://other/own"}}})),
            ["other", "u", "p", "own"],
        ),
        (
            json!({"client": "better-sqlite3", "connection": ":memory:",
                   "plugin": {"catalog": {"client": "pg", "connection": {"host": "h"}}}}),
            ["h", "", "", "backstage_plugin_catalog"],
        ),
        (
            json!({"client": "pg", "connection": "postgresql://u:p@h/shared"}),
            ["h", "u", "p", "backstage_plugin_catalog"],
        ),
        (
            json!({"client": "pg", "connection": {"connectionString": "postgresql://u:p@h/shared"}}),
            ["h", "u", "p", "shared"],
        ),
        (json!({"client": "pg"}), ["", "", "", "backstage_plugin_catalog"]),
        (json!({"client": "pg", "pluginDivisionMode": "schema"}), ["", "", "", ""]),
    ];
    for (database, expected) in table {
        assert_eq!(reached(&database), texts(expected), "{database}");
    }
}

#[test]
fn tables_are_in_a_schema_of_their_own() {
    let schema = |value: Value| {
        let config = Config::from_value("test", value);
        schema(&config).map_err(|error| error.to_string())
    };
    assert_eq!(schema(json!({})).unwrap(), "callboard");
    assert_eq!(schema(json!({"callboard": {"database": {"schema": "a b"}}})).unwrap(), "a b");
    assert_eq!(
        schema(json!({"backend": {"database": {"schemaPrefix": "acme_"}}})).unwrap(),
        "acme_callboard"
    );
    let long = "x".repeat(NAME_BYTES_MAX);
    assert!(schema(json!({"callboard": {"database": {"schema": long}}})).is_ok());
    let message = schema(json!({"backend": {"database": {"schemaPrefix": long}}})).unwrap_err();
    assert!(message.contains("'backend.database.schemaPrefix'"), "{message}");
}

#[test]
fn what_may_be_created_is_said_in_general_and_for_the_plugin() {
    for (more, expected) in [
        (json!({}), (true, true)),
        (json!({"ensureExists": false}), (false, false)),
        (json!({"ensureExists": false, "ensureSchemaExists": true}), (false, true)),
        (json!({"ensureExists": false, "plugin": {"catalog": {"ensureExists": true}}}), (true, true)),
    ] {
        let mut database = json!({"client": "pg"});
        database.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let postgres = read(&database).unwrap();
        assert_eq!((postgres.creates_database, postgres.creates_schema), expected, "{more}");
    }
}

#[test]
fn the_pool_and_the_role_are_taken_over() {
    let database = json!({
        "client": "pg", "role": "app",
        "knexConfig": {"pool": {"min": 1, "max": 30, "acquireTimeoutMillis": 5000}},
        "plugin": {"catalog": {"knexConfig": {"pool": {"max": "7"}}}},
    });
    let postgres = read(&database).unwrap();
    assert_eq!(postgres.role.as_deref(), Some("app"));
    let options = postgres.options(Opening::Migrated, Duration::ZERO);
    assert_eq!((options.writers, options.readers), (4, 3));
    assert_eq!(options.connect_timeout, Duration::from_secs(5));
    let few = read(&json!({"client": "pg", "knexConfig": {"pool": {"max": 1}}}))
        .unwrap()
        .options(Opening::Migrated, Duration::ZERO);
    assert_eq!((few.writers, few.readers), (2, 2));
}

#[test]
fn a_pooler_is_told_to_the_store() {
    let of = |callboard: Value| {
        let value = json!({"backend": {"database": {"client": "pg"}}, "callboard": callboard});
        match Database::from_config(&Config::from_value("test", value), Path::new("/"))? {
            Database::Postgres(postgres) => Ok(postgres.options(Opening::Migrated, Duration::ZERO).pooler),
            other => panic!("{other:?}"),
        }
    };
    let pooler = |value: Value| of(json!({"database": {"pooler": value}}));
    assert!(!of(json!({})).unwrap());
    assert!(!pooler(json!(false)).unwrap());
    assert!(pooler(json!(true)).unwrap());
    let message = pooler(json!("maybe")).map_err(|error: Error| error.to_string()).unwrap_err();
    assert!(message.contains("'callboard.database.pooler'"), "{message}");
}

#[test]
fn encryption_is_as_strict_as_in_backstage() {
    let mode = |ssl: Value| {
        let postgres = read(&json!({"client": "pg", "connection": {"ssl": ssl}})).unwrap();
        // Not one of the environment.
        let options = PgConnectOptions::new_without_pgpass().ssl_mode(PgSslMode::Prefer);
        format!("{:?}", postgres.encryption.apply(options).get_ssl_mode())
    };
    let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----";
    for (ssl, expected) in [
        (json!(null), "Prefer"),
        (json!(false), "Disable"),
        (json!("false"), "Disable"),
        (json!(true), "VerifyFull"),
        (json!("no-verify"), "Require"),
        (json!({}), "VerifyFull"),
        (json!({"rejectUnauthorized": false}), "Require"),
        (json!({"ca": pem}), "VerifyFull"),
        (json!({"ca": [pem, pem], "cert": pem, "key": pem}), "VerifyFull"),
    ] {
        assert_eq!(mode(ssl.clone()), expected, "{ssl}");
    }
}

#[test]
fn what_cannot_be_used_is_refused_by_key_and_without_its_value() {
    let connection = |connection: Value| json!({"client": "pg", "connection": connection});
    let table = [
        (connection(json!("hidden-pw")), "backend.database.connection"),
        (connection(json!({"host": {}})), "backend.database.connection.host"),
        (connection(json!({"port": "x"})), "backend.database.connection.port"),
        (connection(json!({"port": 70_000})), "backend.database.connection.port"),
        (connection(json!({"type": "rds"})), "backend.database.connection.type"),
        (connection(json!({"ssl": 5})), "backend.database.connection.ssl"),
        (connection(json!({"ssl": {"ca": "hidden-pw"}})), "backend.database.connection.ssl.ca"),
        (
            connection(json!({"host": "a", "ssl": {"servername": "b"}})),
            "backend.database.connection.ssl.servername",
        ),
        (
            json!({"client": "pg", "plugin": {"catalog": {"connection": {"port": 0}}}}),
            "backend.database.plugin.catalog.connection.port",
        ),
        (json!({"client": "pg", "pluginDivisionMode": "x"}), "backend.database.pluginDivisionMode"),
        (json!({"client": "pg", "ensureExists": "maybe"}), "backend.database.ensureExists"),
        (json!({"client": "pg", "knexConfig": {"pool": {"max": 0}}}), "backend.database.knexConfig.pool.max"),
        (
            json!({"client": "pg", "knexConfig": {"pool": {"acquireTimeoutMillis": 0}}}),
            "backend.database.knexConfig.pool.acquireTimeoutMillis",
        ),
    ];
    for (database, key) in table {
        let message = read(&database).unwrap_err().to_string();
        assert!(message.contains(&format!("'{key}'")), "{message}");
        assert!(!message.contains("hidden-pw"), "{message}");
    }
}

#[test]
fn a_password_is_not_shown() {
    let postgres = read(&json!({"client": "pg", "connection": "postgres://u:hidden-pw@h/d"})).unwrap();
    let options = postgres.options(Opening::Migrated, Duration::ZERO);
    let shown = format!("{postgres:?} {options:?} {}", postgres.place(&options.connection));
    assert!(!shown.contains("hidden-pw"), "{shown}");
    assert!(
        shown.contains("database 'backstage_plugin_catalog' at h:5432, schema 'callboard', user 'u'"),
        "{shown}"
    );
}

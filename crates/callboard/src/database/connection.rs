//! `connection` of a PostgreSQL database: an object, or a text in which all of it stands.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use url::Url;

/// What is wrong with a connection. Never what is in it: passwords are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

const NOT_A_URL: Malformed =
    Malformed("has to be a URL such as 'postgres://user:password@host:5432/database'");

/// The members of a connection, however it is written.
pub(super) fn members(connection: Option<&Value>) -> Result<Map<String, Value>, Malformed> {
    match connection {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::String(text)) => parse(text),
        Some(Value::Object(members)) => {
            let mut members = members.clone();
            // What stands in the text counts.
            match members.remove("connectionString") {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => members.extend(parse(&text)?),
                Some(_) => return Err(NOT_A_URL),
            }
            Ok(members)
        }
        Some(_) => Err(Malformed("has to be a URL, or an object with 'host', 'user', 'password' and so on")),
    }
}

/// The members that a connection string has: a URL, or the directory of a socket and the name of the database.
fn parse(text: &str) -> Result<Map<String, Value>, Malformed> {
    let mut members = Map::new();
    let mut set = |name: &str, value: &str| {
        if !value.is_empty() {
            members.insert(name.to_owned(), Value::from(value));
        }
    };
    if text.starts_with('/') {
        let (host, database) = text.split_once(' ').unwrap_or((text, ""));
        set("host", host);
        set("database", database);
        return Ok(members);
    }
    let url = Url::parse(text).map_err(|_| NOT_A_URL)?;
    match url.scheme() {
        "postgres" | "postgresql" => {
            set("host", &decoded(url.host_str().unwrap_or_default())?);
            set("database", &decoded(url.path().trim_start_matches('/'))?);
        }
        "socket" => set("host", &decoded(url.path())?),
        _ => return Err(NOT_A_URL),
    }
    set("port", &url.port().map(|port| port.to_string()).unwrap_or_default());
    set("user", &decoded(url.username())?);
    set("password", &decoded(url.password().unwrap_or_default())?);
    for (name, value) in url.query_pairs() {
        set(if name == "db" || name == "dbname" { "database" } else { &name }, &value);
    }
    encryption(&mut members);
    Ok(members)
}

fn decoded(text: &str) -> Result<String, Malformed> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| NOT_A_URL)
}

/// Puts what a URL says about encryption into the form that objects have. Other than with PostgreSQL's own programs,
/// and as Backstage's driver has it, `sslmode=require` means that the certificate is checked.
fn encryption(members: &mut Map<String, Value>) {
    let mut take = |name: &str| match members.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let (mode, ssl, compatible) = (take("sslmode"), take("ssl"), take("uselibpqcompat"));
    let files = [("ca", take("sslrootcert")), ("cert", take("sslcert")), ("key", take("sslkey"))];
    let is_lax = compatible.is_some_and(|value| value == "true");
    let checks = |flag: bool| json!({ "rejectUnauthorized": flag });
    let mut encryption = match (mode.as_deref(), ssl.as_deref()) {
        (Some("disable"), _) => json!(false),
        (Some("no-verify"), _) => checks(false),
        (Some("prefer" | "require"), _) if is_lax && files.iter().all(|(_, file)| file.is_none()) => {
            checks(false)
        }
        (Some(_), _) => checks(true),
        (None, Some(ssl)) => json!(ssl),
        (None, None) if files.iter().any(|(_, file)| file.is_some()) => checks(true),
        (None, None) => return,
    };
    if let Some(object) = encryption.as_object_mut() {
        let files = files.into_iter().filter_map(|(name, file)| Some((format!("{name}File"), json!(file?))));
        object.extend(files);
    }
    members.insert("ssl".to_owned(), encryption);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(connection: &Value) -> Value {
        members(Some(connection)).map_or_else(|error| json!(error.0), Value::Object)
    }

    #[test]
    fn a_url_has_the_same_members_as_an_object() {
        let table = [
            (
                "postgres://u:p%40ss@db.example.com:5433/catalog",
                json!({"host": "db.example.com", "database": "catalog", "port": "5433", "user": "u", "password": "p@ss"}),
            ),
            (
                "postgresql://%2Frun%2Fpg/catalog?application_name=x",
                json!({"host": "/run/pg", "database": "catalog", "application_name": "x"}),
            ),
            ("/run/pg catalog", json!({"host": "/run/pg", "database": "catalog"})),
            ("socket:/run/pg?db=catalog", json!({"host": "/run/pg", "database": "catalog"})),
            ("postgres://h/d?sslmode=disable", json!({"host": "h", "database": "d", "ssl": false})),
            ("postgres://h?ssl=true", json!({"host": "h", "ssl": "true"})),
            ("postgres://h?sslmode=require", json!({"host": "h", "ssl": {"rejectUnauthorized": true}})),
            (
                "postgres://h?sslmode=require&uselibpqcompat=true",
                json!({"host": "h", "ssl": {"rejectUnauthorized": false}}),
            ),
            (
                "postgres://h?sslmode=verify-full&sslrootcert=/ca.pem",
                json!({"host": "h", "ssl": {"rejectUnauthorized": true, "caFile": "/ca.pem"}}),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(of(&json!(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_text_within_an_object_counts_more_than_what_stands_beside_it() {
        let connection = json!({"host": "a", "user": "u", "connectionString": "postgres://b/d"});
        assert_eq!(of(&connection), json!({"host": "b", "user": "u", "database": "d"}));
    }

    #[test]
    fn what_is_no_connection_is_refused_without_showing_it() {
        for connection in
            [json!("hidden-pw"), json!("mysql://u:hidden-pw@h"), json!({"connectionString": 5}), json!(5)]
        {
            let message = of(&connection);
            assert!(message.as_str().is_some_and(|text| text.starts_with("has to be")), "{message}");
            assert!(!message.to_string().contains("hidden-pw"), "{message}");
        }
        assert_eq!(members(None).unwrap(), Map::new());
    }
}

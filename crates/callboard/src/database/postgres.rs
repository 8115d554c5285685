//! A PostgreSQL database, as Backstage's keys describe it.
//!
//! The server, the database and the user are those that a Backstage with the same configuration would use for its catalog.
//! The tables are in a schema of their own, as those of Backstage may be in the same database and are not to be touched.

use std::time::Duration;

use callboard_config::{Config, Secret};
use callboard_store::postgres::{PgConnectOptions, PgSslMode, PostgresOptions, PostgresStore};
use callboard_store::{Migrated, Refusal, Schema, StoreError};
use serde_json::{Map, Value};

use super::connection::members;
use super::{MIGRATE, Opening, Section, Sections};
use crate::Error;

const PREFIX: &str = "backstage_plugin_";
const PLUGIN: &str = "catalog";
const SCHEMA: &str = "callboard";
const SCHEMA_KEY: &str = "callboard.database.schema";
const POOLER_KEY: &str = "callboard.database.pooler";
/// Longer names are cut by the server.
const NAME_BYTES_MAX: usize = 63;

/// How many connections the loop and the API may have together. Backstage has ten for each of its plugins.
const CONNECTIONS: u32 = 16;
/// Either of the two needs some.
const CONNECTIONS_MIN: u32 = 4;
const CONNECTIONS_MAX: u32 = 1_000;
/// Shorter than in Backstage: a database that does not answer is to be told soon.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);

/// How to reach a database, and what to do there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Postgres {
    host: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    password: Option<Secret>,
    database: Option<String>,
    encryption: Encryption,
    schema: String,
    role: Option<String>,
    creates_database: bool,
    creates_schema: bool,
    connections_max: u32,
    acquire_timeout: Duration,
    has_pooler: bool,
    /// The key of the connection, for messages.
    key: String,
}

/// `ssl`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Encryption {
    /// If the server can.
    Preferred,
    Off,
    On {
        is_certificate_checked: bool,
        authorities: Option<Pem>,
        certificate: Option<Pem>,
        private_key: Option<Pem>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pem {
    Text(Secret),
    File(String),
}

impl Postgres {
    pub(super) fn from_config(config: &Config, sections: &Sections<'_>) -> Result<Self, Error> {
        let is_divided_by_schema = match config.get_opt_str("backend.database.pluginDivisionMode")?.as_deref()
        {
            None | Some("database") => false,
            Some("schema") => true,
            Some(other) => {
                return Err(Error::Setting(format!(
                    "'backend.database.pluginDivisionMode' is '{other}', which is not supported; use 'database' or 'schema'"
                )));
            }
        };
        let connection = Connection::of(sections, is_divided_by_schema)?;
        let prefix = config.get_opt_str("backend.database.prefix")?;
        let named = connection.text("database")?;
        let database = if is_divided_by_schema {
            named
        } else {
            named.or_else(|| Some(format!("{}{PLUGIN}", prefix.as_deref().unwrap_or(PREFIX))))
        };
        let creates_database = sections.flag("ensureExists")?.unwrap_or(true);
        let (connections_max, acquire_timeout) = pool(sections)?;
        Ok(Self {
            host: connection.text("host")?,
            port: connection.port()?,
            user: connection.text("user")?,
            password: connection.text("password")?.map(Secret::new),
            database,
            encryption: connection.encryption()?,
            schema: schema(config)?,
            role: sections.text("role")?,
            creates_database,
            creates_schema: creates_database || sections.flag("ensureSchemaExists")?.unwrap_or(false),
            connections_max,
            acquire_timeout,
            has_pooler: config.get_opt_bool(POOLER_KEY)?.unwrap_or(false),
            key: connection.key(),
        })
    }

    /// Opens the store, and waits for a server that does not answer yet for as long as `patience` says.
    pub(super) async fn open(&self, opening: Opening, patience: Duration) -> Result<PostgresStore, Error> {
        let options = self.options(opening, patience);
        let place = self.place(&options.connection);
        tracing::info!("the catalog is kept in PostgreSQL: {place}");
        PostgresStore::open(options).await.map_err(|error| self.told(opening, &place, error))
    }

    pub(super) async fn schema(&self) -> Result<Schema, Error> {
        let options = self.options(Opening::AsItIs, Duration::ZERO);
        let place = self.place(&options.connection);
        PostgresStore::schema(options).await.map_err(|error| self.told(Opening::AsItIs, &place, error))
    }

    pub(super) async fn migrate(&self, patience: Duration) -> Result<Migrated, Error> {
        let options = self.options(Opening::Migrated, patience);
        let place = self.place(&options.connection);
        PostgresStore::migrate(options).await.map_err(|error| self.told(Opening::Migrated, &place, error))
    }

    fn told(&self, opening: Opening, place: &str, error: StoreError) -> Error {
        match error {
            StoreError::Refused { refusal, source } => {
                Error::Setting(format!("{refusal} ({place}): {source}; {}", self.advice(refusal, opening)))
            }
            error => super::told(error),
        }
    }

    fn options(&self, opening: Opening, patience: Duration) -> PostgresOptions {
        let mut options = PostgresOptions::new(self.connection());
        options.schema = Some(self.schema.clone());
        options.role.clone_from(&self.role);
        options.migrates = opening == Opening::Migrated;
        options.creates_database = options.migrates && self.creates_database;
        options.creates_schema = options.migrates && self.creates_schema;
        options.readers = self.connections_max / 2;
        options.writers = self.connections_max - options.readers;
        options.connect_timeout = self.acquire_timeout;
        options.pooler = self.has_pooler;
        options.patience = patience;
        options
    }

    fn connection(&self) -> PgConnectOptions {
        // What is not set here may come from the variables that all clients of PostgreSQL read, as in Backstage.
        let mut options = PgConnectOptions::new_without_pgpass();
        if let Some(host) = &self.host {
            options = if host.starts_with('/') { options.socket(host) } else { options.host(host) };
        }
        if let Some(port) = self.port {
            options = options.port(port);
        }
        if let Some(user) = &self.user {
            options = options.username(user);
        }
        if let Some(password) = &self.password {
            options = options.password(password.expose());
        }
        if let Some(database) = &self.database {
            options = options.database(database);
        }
        self.encryption.apply(options)
    }

    /// What is opened, for people.
    fn place(&self, connection: &PgConnectOptions) -> String {
        let host = match connection.get_socket() {
            Some(directory) => directory.display().to_string(),
            None => format!("{}:{}", connection.get_host(), connection.get_port()),
        };
        let user = connection.get_username();
        let database = connection.get_database().unwrap_or(user);
        format!("database '{database}' at {host}, schema '{}', user '{user}'", self.schema)
    }

    /// What to do about a refusal.
    fn advice(&self, refusal: Refusal, opening: Opening) -> String {
        let key = &self.key;
        let is_migrated = opening == Opening::Migrated;
        match refusal {
            Refusal::Database if self.creates_database && !is_migrated => MIGRATE.to_owned(),
            Refusal::Schema if self.creates_schema && !is_migrated => MIGRATE.to_owned(),
            Refusal::Login if self.role.is_some() => format!(
                "see '{key}': its user and password, and what the server allows (pg_hba.conf); and \
                 'backend.database.role': the user has to be a member of it (GRANT ... TO ...)"
            ),
            Refusal::Login => {
                format!("see '{key}': its user and password, and what the server allows (pg_hba.conf)")
            }
            Refusal::Settings => {
                format!("say so in '{POOLER_KEY}', or connect to the server itself in '{key}'")
            }
            Refusal::Encryption => format!(
                "see 'ssl' of '{key}': 'ca' is the authority of the server's certificate, 'rejectUnauthorized: false' lets \
                 any certificate pass, and 'ssl: false' is for a server without encryption"
            ),
            Refusal::Database if self.creates_database => format!(
                "create it (CREATE DATABASE ... OWNER ...), or name another one in \
                 'backend.database.plugin.{PLUGIN}.connection.database'"
            ),
            Refusal::Database => format!(
                "create it, have it created by 'backend.database.ensureExists: true', or name another one in \
                 'backend.database.plugin.{PLUGIN}.connection.database'"
            ),
            Refusal::Schema if self.creates_schema => format!(
                "create it (CREATE SCHEMA ... AUTHORIZATION ...), or name another one in '{SCHEMA_KEY}'"
            ),
            Refusal::Schema => format!(
                "create it, have it created by 'backend.database.ensureSchemaExists: true', or name another one in \
                 '{SCHEMA_KEY}'"
            ),
            Refusal::Tables => format!(
                "make the user its owner (ALTER SCHEMA ... OWNER TO ...), or name another one in '{SCHEMA_KEY}'"
            ),
        }
    }
}

fn schema(config: &Config) -> Result<String, Error> {
    if let Some(schema) = config.get_opt_str(SCHEMA_KEY)? {
        if schema.len() > NAME_BYTES_MAX {
            return Err(Error::Setting(format!(
                "'{SCHEMA_KEY}' has to be a name of {NAME_BYTES_MAX} bytes at most"
            )));
        }
        return Ok(schema);
    }
    // Several Backstages in one database have a prefix each.
    let key = "backend.database.schemaPrefix";
    let schema = format!("{}{SCHEMA}", config.get_opt_str(key)?.unwrap_or_default());
    if schema.len() > NAME_BYTES_MAX {
        return Err(Error::Setting(format!(
            "'{key}' has to be {} bytes at most, as '{SCHEMA}' follows it",
            NAME_BYTES_MAX - SCHEMA.len()
        )));
    }
    Ok(schema)
}

/// `knexConfig.pool`: how many connections there may be, and how long to wait for one.
fn pool(sections: &Sections<'_>) -> Result<(u32, Duration), Error> {
    let read = |member: &str| -> Result<Option<(String, u64)>, Error> {
        for Section { config, path } in [sections.own, sections.shared] {
            let key = format!("{path}.knexConfig.pool.{member}");
            if let Some(value) = config.get_opt_u64(&key)? {
                return Ok(Some((key, value)));
            }
        }
        Ok(None)
    };
    let connections_max = match read("max")? {
        None => CONNECTIONS,
        Some((key, value)) => {
            let Ok(value @ 1..=CONNECTIONS_MAX) = u32::try_from(value) else {
                let wanted = format!("wanted 1 to {CONNECTIONS_MAX}");
                return Err(Error::Setting(format!("Invalid value in config for key '{key}', {wanted}")));
            };
            value.max(CONNECTIONS_MIN)
        }
    };
    let acquire_timeout = match read("acquireTimeoutMillis")? {
        None => ACQUIRE_TIMEOUT,
        Some((key, 0)) => {
            return Err(Error::Setting(format!(
                "Invalid value in config for key '{key}', wanted more than 0"
            )));
        }
        Some((_, millis)) => Duration::from_millis(millis),
    };
    Ok((connections_max, acquire_timeout))
}

/// The members of `connection` of both sections together.
struct Connection {
    members: Map<String, Value>,
    /// The names of those that are the plugin's own.
    own: Vec<String>,
    keys: [String; 2],
}

impl Connection {
    fn of(sections: &Sections<'_>, is_divided_by_schema: bool) -> Result<Self, Error> {
        let Sections { shared, own, is_client_overridden } = sections;
        let read = |section: &Section<'_>| {
            let key = section.key("connection");
            let connection = section.value("connection")?;
            let is_object = matches!(connection, Some(Value::Object(_)));
            let members = members(connection.as_ref());
            let members = members.map_err(|malformed| Error::Setting(format!("'{key}' {}", malformed.0)))?;
            Ok::<_, Error>((key, members, is_object))
        };
        let (own_key, own, _) = read(own)?;
        let (shared_key, mut members, is_object) =
            if *is_client_overridden { (own_key.clone(), Map::new(), true) } else { read(shared)? };
        let is_in_text =
            is_object && shared.value("connection.connectionString").is_ok_and(|text| text.is_some());
        // Each plugin has a database of its own, other than in a text within an object, which counts as it is.
        if !is_divided_by_schema && !is_in_text {
            members.remove("database");
        }
        let names = own.keys().cloned().collect();
        members.extend(own);
        Ok(Self { members, own: names, keys: [own_key, shared_key] })
    }

    /// The key of the section that says most.
    fn key(&self) -> String {
        let [own, shared] = &self.keys;
        let is_own = ["password", "user", "host"].iter().any(|name| self.own.iter().any(|own| own == name));
        if is_own { own.clone() } else { shared.clone() }
    }

    fn key_of(&self, name: &str) -> String {
        let [own, shared] = &self.keys;
        format!("{}.{name}", if self.own.iter().any(|own| own == name) { own } else { shared })
    }

    fn wrong(&self, name: &str, wanted: &str) -> Error {
        Error::Setting(format!("'{}' has to be {wanted}", self.key_of(name)))
    }

    fn text(&self, name: &str) -> Result<Option<String>, Error> {
        match self.members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            // A password of digits, which nobody quotes.
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(self.wrong(name, "a text")),
        }
    }

    fn port(&self) -> Result<Option<u16>, Error> {
        let Some(port) = self.text("port")? else { return Ok(None) };
        let port = port.trim().parse().ok().filter(|port| *port != 0);
        port.map(Some).ok_or_else(|| self.wrong("port", "a port number"))
    }

    fn encryption(&self) -> Result<Encryption, Error> {
        self.refuse_types()?;
        let on = |is_certificate_checked| Encryption::On {
            is_certificate_checked,
            authorities: None,
            certificate: None,
            private_key: None,
        };
        match self.members.get("ssl") {
            None | Some(Value::Null) => Ok(Encryption::Preferred),
            Some(Value::Bool(is_on)) => Ok(if *is_on { on(true) } else { Encryption::Off }),
            Some(Value::String(text)) => match text.as_str() {
                "true" | "1" => Ok(on(true)),
                "false" | "0" | "" => Ok(Encryption::Off),
                "no-verify" => Ok(on(false)),
                _ => Err(self.wrong("ssl", "true, false or an object")),
            },
            Some(Value::Object(ssl)) => self.encryption_of(ssl),
            Some(_) => Err(self.wrong("ssl", "true, false or an object")),
        }
    }

    fn encryption_of(&self, ssl: &Map<String, Value>) -> Result<Encryption, Error> {
        let is_certificate_checked = match ssl.get("rejectUnauthorized") {
            None | Some(Value::Null) => true,
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) if text == "true" || text == "false" => text == "true",
            Some(_) => return Err(self.wrong("ssl.rejectUnauthorized", "true or false")),
        };
        let host = self.text("host")?;
        if let Some(name) = ssl.get("servername").and_then(Value::as_str)
            && is_certificate_checked
            && host.as_deref().is_some_and(|host| host != name)
        {
            let wanted = "the 'host' of the connection, which is what the certificate is checked for";
            return Err(self.wrong("ssl.servername", wanted));
        }
        let pem = |name: &str| -> Result<Option<Pem>, Error> {
            if let Some(file) = ssl.get(&format!("{name}File")).and_then(Value::as_str) {
                return Ok(Some(Pem::File(file.to_owned())));
            }
            let text = match ssl.get(name) {
                None | Some(Value::Null) => return Ok(None),
                Some(Value::String(text)) => text.clone(),
                Some(Value::Array(texts)) => {
                    texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
                }
                Some(_) => String::new(),
            };
            let is_pem = text.contains("-----BEGIN");
            is_pem.then(|| Some(Pem::Text(Secret::new(text)))).ok_or_else(|| {
                self.wrong(&format!("ssl.{name}"), "in PEM format ('$file' reads it from a file)")
            })
        };
        let (authorities, certificate, private_key) = (pem("ca")?, pem("cert")?, pem("key")?);
        if certificate.is_some() != private_key.is_some() {
            return Err(self.wrong("ssl", "without 'cert' and 'key', or with both of them"));
        }
        Ok(Encryption::On { is_certificate_checked, authorities, certificate, private_key })
    }

    /// Ways to get at credentials that need the services of a cloud.
    fn refuse_types(&self) -> Result<(), Error> {
        match self.text("type")?.as_deref() {
            None | Some("default") => Ok(()),
            Some(_) => {
                Err(self
                    .wrong("type", "'default'; connections with the identities of a cloud are not supported"))
            }
        }
    }
}

impl Encryption {
    fn apply(&self, options: PgConnectOptions) -> PgConnectOptions {
        let (authorities, certificate, private_key, is_certificate_checked) = match self {
            Self::Preferred => return options,
            Self::Off => return options.ssl_mode(PgSslMode::Disable),
            Self::On { is_certificate_checked, authorities, certificate, private_key } => {
                (authorities, certificate, private_key, *is_certificate_checked)
            }
        };
        let mode = if is_certificate_checked { PgSslMode::VerifyFull } else { PgSslMode::Require };
        let mut options = options.ssl_mode(mode);
        options = match authorities {
            None => options,
            Some(Pem::Text(text)) => options.ssl_root_cert_from_pem(text.expose().as_bytes().to_vec()),
            Some(Pem::File(file)) => options.ssl_root_cert(file),
        };
        options = match certificate {
            None => options,
            Some(Pem::Text(text)) => options.ssl_client_cert_from_pem(text.expose()),
            Some(Pem::File(file)) => options.ssl_client_cert(file),
        };
        match private_key {
            None => options,
            Some(Pem::Text(text)) => options.ssl_client_key_from_pem(text.expose()),
            Some(Pem::File(file)) => options.ssl_client_key(file),
        }
    }
}

#[cfg(test)]
mod tests;

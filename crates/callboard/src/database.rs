//! `backend.database`, as Backstage writes it.

mod connection;
mod postgres;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use callboard_config::Config;
use callboard_store::sqlite::{SqliteOptions, SqliteStore};
use callboard_store::{Migrated, Schema, Store, StoreError};
use serde_json::Value;

use crate::Error;
use postgres::Postgres;

/// The file in which Backstage keeps this plugin's tables in a `directory`.
const FILE_IN_DIRECTORY: &str = "catalog.sqlite";
const DEFAULT_FILE: &str = "callboard.db";

/// What brings a database to the form that this program knows, for messages.
const MIGRATE: &str =
    "'callboard migrate' brings it up, or the daemon itself without 'backend.database.skipMigrations'";

/// What may be done to a database that is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// It is created and migrated.
    Migrated,
    /// It has to be there, in the form that this program knows.
    AsItIs,
}

impl Opening {
    /// What `skipMigrations` says about the opening by a daemon.
    pub(crate) fn from_config(config: &Config) -> Result<Self, Error> {
        let is_skipped = Sections::of(config)?.0.flag("skipMigrations")?.unwrap_or(false);
        Ok(if is_skipped { Self::AsItIs } else { Self::Migrated })
    }
}

/// Where the catalog is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Database {
    Memory,
    File(PathBuf),
    Postgres(Box<Postgres>),
}

/// What keeps a catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    Sqlite,
    Postgres,
}

impl Client {
    /// The client of a section; SQLite without one.
    fn of(section: &Section<'_>) -> Result<Self, Error> {
        let Some(client) = section.value("client")? else { return Ok(Self::Sqlite) };
        match client.as_str().unwrap_or_default() {
            "better-sqlite3" | "sqlite" | "sqlite3" => Ok(Self::Sqlite),
            "pg" => Ok(Self::Postgres),
            _ => Err(Error::Setting(format!(
                "'{}' is {client}, which is not supported; use 'pg', 'sqlite' or 'better-sqlite3'",
                section.key("client")
            ))),
        }
    }
}

/// One of the two sections, or what is in it.
#[derive(Debug, Clone, Copy)]
struct Section<'a> {
    config: &'a Config,
    path: &'a str,
}

impl Section<'_> {
    fn key(&self, member: &str) -> String {
        format!("{}.{member}", self.path)
    }

    fn value(&self, member: &str) -> Result<Option<Value>, Error> {
        Ok(self.config.get_opt_value(&self.key(member))?)
    }
}

/// `backend.database`, and what `backend.database.plugin.catalog` overrides of it.
#[derive(Debug, Clone, Copy)]
struct Sections<'a> {
    shared: Section<'a>,
    own: Section<'a>,
    /// Whether the two are about different databases, so that the one says nothing about how to reach the other.
    is_client_overridden: bool,
}

impl<'a> Sections<'a> {
    fn of(config: &'a Config) -> Result<(Self, Client), Error> {
        let shared = Section { config, path: "backend.database" };
        let own = Section { config, path: "backend.database.plugin.catalog" };
        let overridden = if own.value("client")?.is_some() { Some(Client::of(&own)?) } else { None };
        let client = overridden.map_or_else(|| Client::of(&shared), Ok)?;
        // What the shared client is does not matter to a plugin with another one.
        let is_client_overridden = overridden.is_some() && Client::of(&shared).ok() != overridden;
        Ok((Self { shared, own, is_client_overridden }, client))
    }

    /// The section that says something about `member`: the plugin's own one, if it does.
    fn section(&self, member: &str) -> Result<Section<'a>, Error> {
        Ok(if self.own.value(member)?.is_some() { self.own } else { self.shared })
    }

    fn connection(&self) -> Result<(String, Option<Value>), Error> {
        let section = if self.is_client_overridden { self.own } else { self.section("connection")? };
        Ok((section.key("connection"), section.value("connection")?))
    }

    fn text(&self, member: &str) -> Result<Option<String>, Error> {
        let section = self.section(member)?;
        Ok(section.config.get_opt_str(&section.key(member))?)
    }

    fn flag(&self, member: &str) -> Result<Option<bool>, Error> {
        let section = self.section(member)?;
        Ok(section.config.get_opt_bool(&section.key(member))?)
    }
}

impl Database {
    /// Reads `backend.database`, overridden by `backend.database.plugin.catalog`.
    pub(crate) fn from_config(config: &Config, directory: &Path) -> Result<Self, Error> {
        let (sections, client) = Sections::of(config)?;
        if client == Client::Postgres {
            return Ok(Self::Postgres(Box::new(Postgres::from_config(config, &sections)?)));
        }
        let (key, connection) = sections.connection()?;
        Self::from_connection(connection.as_ref(), directory).ok_or_else(|| {
            Error::Setting(format!(
                "'{key}' has to be ':memory:', a file name, or an object with 'directory' or 'filename'"
            ))
        })
    }

    fn from_connection(connection: Option<&Value>, directory: &Path) -> Option<Self> {
        let file = |name: &str| match name {
            ":memory:" => Self::Memory,
            name => Self::File(tidy(&directory.join(name))),
        };
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        match connection {
            None => Some(Self::File(directory.join(DEFAULT_FILE))),
            Some(Value::Object(parts)) => match (parts.get("directory"), parts.get("filename")) {
                (Some(folder), _) => {
                    Some(Self::File(tidy(&directory.join(text(folder)?).join(FILE_IN_DIRECTORY))))
                }
                (None, Some(name)) => Some(file(&text(name)?)),
                (None, None) => None,
            },
            Some(name) => Some(file(&text(name)?)),
        }
    }

    /// Opens it, and waits for a server that does not answer yet for as long as `patience` says.
    pub(crate) async fn open(&self, opening: Opening, patience: Duration) -> Result<Arc<dyn Store>, Error> {
        if opening == Opening::Migrated {
            tracing::info!("Performing database migration");
        }
        let is_migrated = opening == Opening::Migrated;
        let options = match self {
            Self::Postgres(postgres) => return Ok(Arc::new(postgres.open(opening, patience).await?)),
            // Nobody else could migrate it.
            Self::Memory => SqliteOptions::memory(),
            Self::File(path) => {
                if is_migrated {
                    create_folder(path)?;
                } else {
                    expect_file(path)?;
                }
                let mut options = SqliteOptions::file(path);
                options.migrates = is_migrated;
                options
            }
        };
        Ok(Arc::new(SqliteStore::open(options).await.map_err(told)?))
    }

    /// Opens a database that is there already. Where one process at a time may write, another one may work on it unless
    /// something is to be written.
    pub(crate) async fn open_existing(&self, is_written: bool) -> Result<Arc<dyn Store>, Error> {
        match self {
            Self::Memory => Err(in_memory()),
            Self::File(path) if !is_written => {
                expect_file(path)?;
                let opened = SqliteStore::open_read_only(SqliteOptions::file(path)).await;
                Ok(Arc::new(opened.map_err(told)?))
            }
            Self::File(_) | Self::Postgres(_) => self.open(Opening::AsItIs, Duration::ZERO).await,
        }
    }

    /// Which form it has. Changes nothing.
    pub(crate) async fn schema(&self) -> Result<Schema, Error> {
        match self {
            Self::Memory => Err(in_memory()),
            Self::File(path) => {
                expect_file(path)?;
                SqliteStore::schema(SqliteOptions::file(path)).await.map_err(told)
            }
            Self::Postgres(postgres) => postgres.schema().await,
        }
    }

    /// Creates and migrates it, and waits for a server that does not answer yet for as long as `patience` says.
    pub(crate) async fn migrate(&self, patience: Duration) -> Result<Migrated, Error> {
        match self {
            Self::Memory => Err(in_memory()),
            Self::File(path) => {
                create_folder(path)?;
                SqliteStore::migrate(SqliteOptions::file(path)).await.map_err(told)
            }
            Self::Postgres(postgres) => postgres.migrate(patience).await,
        }
    }
}

fn create_folder(path: &Path) -> Result<(), Error> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|source| Error::Io {
        what: format!("cannot create the directory {} of the database", folder.display()),
        source,
    })
}

fn expect_file(path: &Path) -> Result<(), Error> {
    if path.exists() {
        return Ok(());
    }
    Err(Error::Setting(format!("there is no database {}; {MIGRATE}", path.display())))
}

fn in_memory() -> Error {
    Error::Setting("the database is in memory: there is nothing to look at".to_owned())
}

/// An error of the store, with what to do about it.
fn told(error: StoreError) -> Error {
    match error {
        StoreError::Outdated(schema) => {
            Error::Setting(format!("the database is not migrated: {schema}; {MIGRATE}"))
        }
        error => error.into(),
    }
}

/// Without the `.` that joining leaves in the middle.
fn tidy(path: &Path) -> PathBuf {
    path.components().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(database: &Value) -> Result<Database, Error> {
        let config = Config::from_value("test", json!({"backend": {"database": database}}));
        Database::from_config(&config, Path::new("/base"))
    }

    #[test]
    fn whether_a_daemon_migrates_is_said_for_all_plugins_or_for_this_one() {
        let of = |database: Value| {
            Opening::from_config(&Config::from_value("test", json!({"backend": {"database": database}})))
        };
        let plugin = |skips: bool| json!({"catalog": {"skipMigrations": skips}});
        for (database, expected) in [
            (json!({}), Opening::Migrated),
            (json!({"skipMigrations": true}), Opening::AsItIs),
            (json!({"plugin": plugin(true)}), Opening::AsItIs),
            (json!({"skipMigrations": true, "plugin": plugin(false)}), Opening::Migrated),
        ] {
            assert_eq!(of(database.clone()).unwrap(), expected, "{database}");
        }
        let message = of(json!({"skipMigrations": "maybe"})).unwrap_err().to_string();
        assert!(message.contains("'backend.database.skipMigrations'"), "{message}");
    }

    #[test]
    fn all_forms_of_a_connection_are_understood() {
        for (database, expected) in [
            (json!({"client": "better-sqlite3", "connection": ":memory:"}), Database::Memory),
            (json!({"client": "sqlite", "connection": "a.db"}), Database::File("/base/a.db".into())),
            (json!({"connection": "/x/a.db"}), Database::File("/x/a.db".into())),
            (
                json!({"connection": {"directory": "../d"}}),
                Database::File("/base/../d/catalog.sqlite".into()),
            ),
            (json!({"connection": {"filename": "f.db"}}), Database::File("/base/f.db".into())),
            (json!({}), Database::File("/base/callboard.db".into())),
            (
                json!({"client": "pg", "plugin": {"catalog": {"client": "sqlite", "connection": ":memory:"}}}),
                Database::Memory,
            ),
            (
                json!({"client": "pg", "connection": {"host": "x"}, "plugin": {"catalog": {"client": "sqlite"}}}),
                Database::File("/base/callboard.db".into()),
            ),
        ] {
            assert_eq!(of(&database).unwrap(), expected, "{database}");
        }
    }

    #[test]
    fn other_databases_are_refused_by_name() {
        for database in
            [json!({"client": "mysql2"}), json!({"client": 5}), json!({"connection": {"host": "x"}})]
        {
            assert!(matches!(of(&database), Err(Error::Setting(_))), "{database}");
        }
    }

    #[test]
    fn what_is_written_wrong_is_refused_rather_than_passed_over() {
        for (database, key) in [
            (json!("x"), "backend.database"),
            (json!({"plugin": "x"}), "backend.database.plugin"),
            (json!({"plugin": {"catalog": true}}), "backend.database.plugin.catalog"),
            (json!({"connection": {"directory": 5, "filename": "a.db"}}), "backend.database.connection"),
            (json!({"connection": 5}), "backend.database.connection"),
            (json!({"plugin": {"catalog": {"client": "mysql2"}}}), "backend.database.plugin.catalog.client"),
        ] {
            let message = of(&database).unwrap_err().to_string();
            assert!(message.contains(&format!("'{key}'")), "{message}");
        }
    }
}

//! `backend.database`, as Backstage writes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use callboard_config::Config;
use callboard_store::Store;
use callboard_store::sqlite::{SqliteOptions, SqliteStore};
use serde_json::Value;

use crate::Error;

/// The file in which Backstage keeps this plugin's tables in a `directory`.
const FILE_IN_DIRECTORY: &str = "catalog.sqlite";
const DEFAULT_FILE: &str = "callboard.db";

/// Where the catalog is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Database {
    Memory,
    File(PathBuf),
}

impl Database {
    /// Reads `backend.database`, overridden by `backend.database.plugin.catalog`.
    pub(crate) fn from_config(config: &Config, directory: &Path) -> Result<Self, Error> {
        let (key, client) = read(config, "client")?;
        match client.as_ref().map(|client| client.as_str().unwrap_or_default()) {
            None | Some("better-sqlite3" | "sqlite" | "sqlite3") => {}
            Some("pg") => {
                return Err(Error::Setting(format!(
                    "'{key}' is 'pg', which is not supported by this version; use 'sqlite'"
                )));
            }
            Some(_) => {
                let client = client.unwrap_or_default();
                return Err(Error::Setting(format!(
                    "'{key}' is {client}, which is not supported; use 'sqlite' or 'better-sqlite3'"
                )));
            }
        }
        let (key, connection) = read(config, "connection")?;
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

    pub(crate) async fn open(&self) -> Result<Arc<dyn Store>, Error> {
        let options = match self {
            Self::Memory => SqliteOptions::memory(),
            Self::File(path) => {
                if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                    std::fs::create_dir_all(folder).map_err(|source| Error::Io {
                        what: format!("cannot create the directory {} of the database", folder.display()),
                        source,
                    })?;
                }
                SqliteOptions::file(path)
            }
        };
        tracing::info!("Performing database migration");
        Ok(Arc::new(SqliteStore::open(options).await?))
    }

    /// Opens a database that is there already. Unless something is to be written, another process may work on it.
    pub(crate) async fn open_existing(&self, is_written: bool) -> Result<Arc<dyn Store>, Error> {
        match self {
            Self::Memory => {
                Err(Error::Setting("the database is in memory: there is nothing to look at".to_owned()))
            }
            Self::File(path) if !path.exists() => {
                Err(Error::Setting(format!("there is no database {}", path.display())))
            }
            Self::File(_) if is_written => self.open().await,
            Self::File(path) => Ok(Arc::new(SqliteStore::open_read_only(SqliteOptions::file(path)).await?)),
        }
    }
}

/// A member of the section for this plugin, or else of the general one; with its key.
fn read(config: &Config, member: &str) -> Result<(String, Option<Value>), Error> {
    let own = format!("backend.database.plugin.catalog.{member}");
    if let Some(value) = config.get_opt_value(&own)? {
        return Ok((own, Some(value)));
    }
    let shared = format!("backend.database.{member}");
    let value = config.get_opt_value(&shared)?;
    Ok((shared, value))
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
        ] {
            assert_eq!(of(&database).unwrap(), expected, "{database}");
        }
    }

    #[test]
    fn other_databases_are_refused_by_name() {
        for database in
            [json!({"client": "pg"}), json!({"client": "mysql2"}), json!({"connection": {"host": "x"}})]
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
            (json!({"plugin": {"catalog": {"client": "pg"}}}), "backend.database.plugin.catalog.client"),
        ] {
            let message = of(&database).unwrap_err().to_string();
            assert!(message.contains(&format!("'{key}'")), "{message}");
        }
    }
}

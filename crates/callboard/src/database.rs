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
        let read = |key: &str| {
            config
                .get_value(&format!("backend.database.plugin.catalog.{key}"))
                .or_else(|| config.get_value(&format!("backend.database.{key}")))
        };
        let client = read("client");
        match client.as_ref().map(|client| client.as_str().unwrap_or_default()) {
            None | Some("better-sqlite3" | "sqlite" | "sqlite3") => {}
            Some("pg") => {
                let message = "backend.database.client 'pg' is not supported by this version; use 'sqlite'";
                return Err(Error::Setting(message.to_owned()));
            }
            Some(_) => {
                let client = client.unwrap_or_default();
                return Err(Error::Setting(format!(
                    "backend.database.client {client} is not supported; use 'sqlite' or 'better-sqlite3'"
                )));
            }
        }
        Self::from_connection(read("connection").as_ref(), directory)
    }

    fn from_connection(connection: Option<&Value>, directory: &Path) -> Result<Self, Error> {
        let file = |name: &str| match name {
            ":memory:" => Self::Memory,
            name => Self::File(tidy(&directory.join(name))),
        };
        match connection {
            None => Ok(Self::File(directory.join(DEFAULT_FILE))),
            Some(Value::String(name)) if !name.is_empty() => Ok(file(name)),
            Some(Value::Object(parts)) => {
                let part = |key: &str| parts.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
                if let Some(folder) = part("directory") {
                    Ok(Self::File(tidy(&directory.join(folder).join(FILE_IN_DIRECTORY))))
                } else if let Some(name) = part("filename") {
                    Ok(file(name))
                } else {
                    Err(bad_connection())
                }
            }
            Some(_) => Err(bad_connection()),
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
}

/// Without the `.` that joining leaves in the middle.
fn tidy(path: &Path) -> PathBuf {
    path.components().collect()
}

fn bad_connection() -> Error {
    Error::Setting(
        "backend.database.connection has to be ':memory:', a file name, or an object with 'directory' or 'filename'"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(database: &Value) -> Result<Database, Error> {
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
            assert_eq!(read(&database).unwrap(), expected, "{database}");
        }
    }

    #[test]
    fn other_databases_are_refused_by_name() {
        for database in
            [json!({"client": "pg"}), json!({"client": "mysql2"}), json!({"connection": {"host": "x"}})]
        {
            assert!(matches!(read(&database), Err(Error::Setting(_))), "{database}");
        }
    }
}

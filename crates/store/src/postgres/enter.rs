//! The way into a database: whether the server lets this program in, and has what it needs.
//!
//! What somebody has to put right is told apart from what passes by itself. Only at the start: later on a password may be
//! on its way to being replaced, and a server to taking over from another one.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::error::NO_DATABASE;
use super::open::{PostgresOptions, quoted};
use super::row::RowExt as _;
use crate::{Refusal, StoreError};

/// How long the server may take to let somebody in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The database that every server has, to create others from.
const MAINTENANCE: &str = "postgres";

const HAS_SCHEMA: &str = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)";

/// The password is wrong; and the user does not exist, or may not come from here in this way.
const LOGIN: [&str; 2] = ["28P01", "28000"];
const NO_PERMISSION: &str = "42501";
/// Of the settings, the role is the only one that may have a wrong value.
const NO_ROLE: &str = "22023";
/// What PgBouncer says about settings that it would have to keep apart, under a code that it has for much else.
const NO_SETTINGS: &str = "unsupported startup parameter";
/// Another process created the database: found when it is looked at, or when its name is written.
const CREATED_MEANWHILE: [&str; 2] = ["42P04", "23505"];

impl PostgresOptions {
    /// Sees that there are a database and a schema to work in, and creates what may be created. As long as the connection
    /// is open, nobody can take the database away.
    pub(super) async fn enter(&self) -> Result<PgConnection, StoreError> {
        let mut connection = match self.connect_once(self).await {
            Err(error) if self.creates_database && has_code(&error, &[NO_DATABASE]) => {
                self.create_database(error).await?;
                self.connect_once(self).await
            }
            result => result,
        }
        .map_err(at_the_door)?;
        if let Some(schema) = &self.schema {
            let begin = format!("BEGIN; {}", self.alone().1.unwrap_or_default());
            let mut tx = connection.begin_with(AssertSqlSafe(begin)).await.map_err(at_the_door)?;
            self.find_schema(&mut tx, schema).await?;
            tx.commit().await?;
        }
        Ok(connection)
    }

    async fn connect_once(&self, options: &Self) -> Result<PgConnection, sqlx::Error> {
        let (connection, _) = options.alone();
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connection.connect()).await;
        connected.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
    }

    /// Creates the database; `missing` is what the server said about it.
    async fn create_database(&self, missing: sqlx::Error) -> Result<(), StoreError> {
        // Without a name it is that of the user, and who does not name it does not mean to have one made.
        let Some(database) = self.connection.get_database() else { return Err(at_the_door(missing)) };
        let mut elsewhere = self.clone();
        elsewhere.connection = elsewhere.connection.database(MAINTENANCE);
        // Whatever keeps it from being created, it is missing.
        let refused = |error: sqlx::Error| {
            let codes = [LOGIN[0], LOGIN[1], NO_DATABASE, NO_PERMISSION];
            if has_code(&error, &codes) { refused(Refusal::Database, error) } else { at_the_door(error) }
        };
        let mut connection = self.connect_once(&elsewhere).await.map_err(refused)?;
        let create = AssertSqlSafe(format!("CREATE DATABASE {}", quoted(database)));
        match sqlx::raw_sql(create).execute(&mut connection).await {
            Err(error) if !has_code(&error, &CREATED_MEANWHILE) => return Err(refused(error)),
            Err(_) => {}
            Ok(_) => tracing::info!(database, "created the database"),
        }
        Ok(connection.close().await?)
    }

    /// Looks before it creates, as creating needs a permission even where there is nothing to create.
    async fn find_schema(&self, connection: &mut PgConnection, schema: &str) -> Result<(), StoreError> {
        let row = sqlx::query(HAS_SCHEMA).persistent(false).bind(schema).fetch_one(&mut *connection).await?;
        if row.flag(0)? {
            return Ok(());
        }
        if !self.creates_schema {
            let missing = std::io::Error::other(format!("schema {} does not exist", quoted(schema)));
            return Err(refused(Refusal::Schema, missing));
        }
        let create = AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(schema)));
        match sqlx::raw_sql(create).execute(connection).await {
            Err(error) if has_code(&error, &[NO_PERMISSION]) => Err(refused(Refusal::Schema, error)),
            Err(error) if !has_code(&error, &CREATED_MEANWHILE) => Err(error.into()),
            Err(_) => Ok(()),
            Ok(_) => {
                tracing::info!(schema, "created the schema");
                Ok(())
            }
        }
    }
}

/// What an error means to whoever opens a database.
pub(super) fn in_the_schema(error: StoreError) -> StoreError {
    match error {
        StoreError::Internal(error)
            if error.downcast_ref().is_some_and(|error| has_code(error, &[NO_PERMISSION])) =>
        {
            StoreError::Refused { refusal: Refusal::Tables, source: error }
        }
        error => error,
    }
}

fn at_the_door(error: sqlx::Error) -> StoreError {
    match &error {
        _ if has_code(&error, &LOGIN) => refused(Refusal::Login, error),
        _ if has_code(&error, &[NO_DATABASE]) => refused(Refusal::Database, error),
        _ if has_code(&error, &[NO_PERMISSION, NO_ROLE]) => refused(Refusal::Login, error),
        sqlx::Error::Database(said) if said.message().starts_with(NO_SETTINGS) => {
            refused(Refusal::Settings, error)
        }
        sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => refused(Refusal::Encryption, error),
        // What rustls says about a certificate.
        sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => {
            refused(Refusal::Encryption, error)
        }
        _ => error.into(),
    }
}

fn refused(refusal: Refusal, source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Refused { refusal, source: Box::new(source) }
}

fn has_code(error: &sqlx::Error, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| codes.contains(&code.as_ref()))
}

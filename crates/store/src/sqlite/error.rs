//! What SQLite's result codes mean to a caller.

use sqlx::migrate::MigrateError;

use crate::StoreError;

/// Primary result codes that another try may not see: BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN
/// and PROTOCOL.
const TRANSIENT: [i64; 9] = [5, 6, 7, 8, 9, 10, 13, 14, 15];
/// Primary result codes of a file that is damaged or no database: CORRUPT and NOTADB.
const DAMAGED: [i64; 2] = [11, 26];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(Box::new(error)),
            sqlx::Error::Database(database) => {
                // The primary code is in the low byte of the extended one.
                let code =
                    database.code().and_then(|code| code.parse::<i64>().ok()).unwrap_or_default() & 0xff;
                if TRANSIENT.contains(&code) {
                    Self::Unavailable(Box::new(error))
                } else if DAMAGED.contains(&code) {
                    Self::Inconsistent(error.to_string())
                } else {
                    Self::Internal(Box::new(error))
                }
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                Self::Inconsistent(error.to_string())
            }
            _ => Self::Internal(Box::new(error)),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(version) => Self::Schema(format!(
                "migration {version} was applied by a newer version of this program; run that version, or restore a \
                 backup from before the upgrade"
            )),
            MigrateError::VersionMismatch(version) => Self::Schema(format!(
                "migration {version} was applied in another form than this program knows; run the version that \
                 created the database, or restore a backup"
            )),
            MigrateError::Dirty(version) => {
                Self::Schema(format!("migration {version} was applied in part; restore a backup"))
            }
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            other => Self::Internal(Box::new(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_says_what_to_do() {
        let error = StoreError::from(MigrateError::VersionMissing(7));
        assert!(
            matches!(&error, StoreError::Schema(advice) if advice.contains("run that version")),
            "{error}"
        );
        assert!(!error.is_retryable());
    }

    #[test]
    fn a_closed_pool_may_come_back() {
        assert!(StoreError::from(sqlx::Error::PoolClosed).is_retryable());
        assert!(!StoreError::from(sqlx::Error::RowNotFound).is_retryable());
    }
}

//! What errors of SQL databases mean to a caller.

use crate::{StoreError, postgres, sqlite};

/// What an error that a database reports says about another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It may work.
    Transient,
    /// The database is damaged.
    Damaged,
    /// A defect of this program.
    Defect,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(Box::new(error)),
            sqlx::Error::Database(database) => {
                let database = database.as_ref();
                let meaning = postgres::error::meaning(database).or_else(|| sqlite::error::meaning(database));
                match meaning.unwrap_or(Meaning::Defect) {
                    Meaning::Transient => Self::Unavailable(Box::new(error)),
                    Meaning::Damaged => Self::Inconsistent(error.to_string()),
                    Meaning::Defect => Self::Internal(Box::new(error)),
                }
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                Self::Inconsistent(error.to_string())
            }
            _ => Self::Internal(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pool_may_come_back() {
        assert!(StoreError::from(sqlx::Error::PoolClosed).is_retryable());
        assert!(!StoreError::from(sqlx::Error::RowNotFound).is_retryable());
    }
}

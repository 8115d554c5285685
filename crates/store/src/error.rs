//! Why a store could not do something, by what the caller can do about it.

use crate::Schema;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It is there already, or somebody else's.
    #[error("{0}")]
    Conflict(String),
    /// Another process has the store open.
    #[error("{0}")]
    InUse(String),
    /// The database does not answer or is busy; the same call may work later.
    #[error("the database is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database server answers, and somebody has to put something right before it serves this program.
    #[error("{refusal}")]
    Refused {
        /// What has to be put right.
        refusal: Refusal,
        /// What the server said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The schema is newer than this program can work with, or was not made by it.
    #[error("the database schema does not fit: {0}")]
    Schema(String),
    /// The schema is older than this program, and was not to be migrated.
    #[error("the database is not migrated: {0}")]
    Outdated(Schema),
    /// The database holds something that this program did not write.
    #[error("inconsistent row: {0}")]
    Inconsistent(String),
    /// Anything else; a defect.
    #[error("database error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An error and all that led to it, on one line. Logs get this text rather than the error itself, of which the JSON
/// format would show the outermost alone.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Why a database server does not serve this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not know the user, or another password; or the user may not come from here, or not in this way, or not
    /// work in the role.
    #[error("the database server does not let the user in")]
    Login,
    /// The connection cannot be encrypted in the way that was asked for.
    #[error("the connection to the database server cannot be encrypted as wanted")]
    Encryption,
    /// Nobody can make settings for a connection: that is a pooler, which this program has not been told of.
    #[error("the connection takes no settings, as behind a pooler")]
    Settings,
    /// There is no such database, and it was not to be created or could not be.
    #[error("there is no such database")]
    Database,
    /// The same with the schema.
    #[error("there is no such schema in the database")]
    Schema,
    /// The user may not work in the schema.
    #[error("the user may not create tables in the schema")]
    Tables,
}

impl StoreError {
    /// Whether the same call may work later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::NotFound(_)
            | Self::Conflict(_)
            | Self::InUse(_)
            | Self::Refused { .. }
            | Self::Schema(_)
            | Self::Outdated(_)
            | Self::Inconsistent(_)
            | Self::Internal(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_of_an_error_has_all_its_causes() {
        let error = StoreError::Internal(Box::new(std::io::Error::other("disk full")));
        assert_eq!(error_chain(&error), "database error: disk full");
    }
}

//! Why a store could not do something, by what the caller can do about it.

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
    /// The schema is newer or older than this program can work with.
    #[error("the database schema does not fit: {0}")]
    Schema(String),
    /// The database holds something that this program did not write.
    #[error("inconsistent row: {0}")]
    Inconsistent(String),
    /// Anything else; a defect.
    #[error("database error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// Whether the same call may work later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::NotFound(_)
            | Self::Conflict(_)
            | Self::InUse(_)
            | Self::Schema(_)
            | Self::Inconsistent(_)
            | Self::Internal(_) => false,
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_of_an_error_has_all_its_causes() {
        let error = StoreError::Internal(Box::new(std::io::Error::other("disk full")));
        assert_eq!(error_chain(&error), "database error: disk full");
    }
}

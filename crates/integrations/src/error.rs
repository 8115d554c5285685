//! What can be wrong with the configuration of integrations and readers; always found at start.

use callboard_config::ConfigError;

/// Why the integrations could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntegrationsError {
    /// A value is missing or of the wrong type.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An integration whose values are well formed but make no sense; the text says which.
    #[error("{message}")]
    Entry {
        /// Such as `integrations.github[0]`, or of a value in it.
        key: String,
        /// What is wrong with it.
        message: String,
    },
    /// Values that are well formed but make no sense; the text says which.
    #[error("{0}")]
    Invalid(String),
    /// No HTTP client could be made, for example because the machine has no root certificates.
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
}

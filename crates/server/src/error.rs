//! Why the server cannot start or go on.

use std::io;

use callboard_config::ConfigError;

use crate::options::ListenAddress;

/// An error of the server as a whole; errors of requests go to their clients.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A value of the configuration cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A value of the configuration makes no sense.
    #[error("invalid configuration at '{key}': {reason}")]
    Invalid {
        /// The key, such as `backend.cors.origin`.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// The listen address has none of the known forms; the wording is that of Backstage.
    #[error("Unable to parse listen address {0}, expected <port> or <host>:<port>")]
    ListenAddress(String),
    /// `backend.https` is set. Serving plain HTTP instead would hand out what was meant to be protected.
    #[error(
        "backend.https is not supported yet: remove it and let a reverse proxy end TLS in front of Callboard"
    )]
    Https,
    /// The address cannot be bound.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: ListenAddress,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// No connection could be accepted for minutes; only a new process is likely to help.
    #[error("cannot accept connections any more")]
    Accept(#[source] io::Error),
}

impl ServerError {
    /// The key of the configuration that it is about, if it is about one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Invalid { key, .. } => Some(key),
            Self::ListenAddress(_) => Some("backend.listen"),
            Self::Https => Some("backend.https"),
            Self::Config(_) | Self::Bind { .. } | Self::Accept(_) => None,
        }
    }
}

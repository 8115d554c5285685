//! What can be wrong with a configuration. Messages are those of Backstage, since people search for them.

use std::path::PathBuf;

use crate::node::Origin;

/// Why a configuration could not be loaded, or a value in it not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The key itself cannot exist: a mistake in the program, or a name from outside that was used as a key.
    #[error("Invalid config key '{key}'")]
    InvalidKey {
        /// As asked for.
        key: String,
    },
    /// A required value is absent.
    #[error("Missing required config value at '{key}' in '{context}'")]
    Missing {
        /// The full key.
        key: String,
        /// Name of the highest file that could have had it.
        context: String,
    },
    /// A value has another type than it must have.
    #[error("Invalid type in config for key '{key}' in '{context}', got {got}, wanted {wanted}")]
    Type {
        /// The full key.
        key: String,
        /// Name of the file that the value is from.
        context: String,
        /// The type there is.
        got: &'static str,
        /// The type there should be.
        wanted: &'static str,
        /// Where the value stands.
        origin: Option<Box<Origin>>,
    },
    /// A text that does not read as what is wanted.
    #[error("Unable to convert config value for key '{key}' in '{context}' to {wanted}")]
    Convert {
        /// The full key.
        key: String,
        /// Name of the highest file.
        context: String,
        /// With its article, such as `a number`.
        wanted: &'static str,
        /// Where the value stands.
        origin: Option<Box<Origin>>,
    },
    /// A duration of no known form.
    #[error("Invalid duration '{value}' in config at '{key}', Error: {reason}")]
    Duration {
        /// As written.
        value: String,
        /// The full key.
        key: String,
        /// What is wrong with it.
        reason: String,
        /// Where the value stands.
        origin: Option<Box<Origin>>,
    },
    /// A duration object with wrong members.
    #[error("Failed to read duration from config at '{key}', Error: {reason}")]
    DurationObject {
        /// The full key.
        key: String,
        /// What is wrong with it.
        reason: String,
        /// Where the value stands.
        origin: Option<Box<Origin>>,
    },
    /// A file that must exist does not.
    #[error("Config file \"{}\" does not exist", path.display())]
    FileMissing {
        /// Absolute, unless the working directory is not.
        path: PathBuf,
    },
    /// A `--config` argument is a URL.
    #[error("Config argument \"{argument}\" looks like a URL but remote configuration is not enabled")]
    Remote {
        /// As given.
        argument: String,
    },
    /// A file could not be read, parsed, or resolved.
    #[error("Failed to read config file at \"{}\", {reason}", path.display())]
    File {
        /// The file named by an argument or by default; the reason names included ones.
        path: PathBuf,
        /// With the line where there is one.
        reason: String,
    },
    /// An `APP_CONFIG_*` variable cannot be used.
    #[error("{reason}")]
    Env {
        /// Names the key.
        reason: String,
    },
}

impl ConfigError {
    /// Where the value in question stands, if there is one and the place is known.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        match self {
            Self::Type { origin, .. }
            | Self::Convert { origin, .. }
            | Self::Duration { origin, .. }
            | Self::DurationObject { origin, .. } => origin.as_deref(),
            Self::InvalidKey { .. }
            | Self::Missing { .. }
            | Self::FileMissing { .. }
            | Self::Remote { .. }
            | Self::File { .. }
            | Self::Env { .. } => None,
        }
    }
}

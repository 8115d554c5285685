//! Why the program ends without having done what was asked.

use std::fmt;

/// An error to be shown to the person who started the program.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] callboard_config::ConfigError),
    /// A setting has a value that cannot be used.
    #[error("{0}")]
    Setting(String),
    /// The integrations cannot be used.
    #[error(transparent)]
    Integrations(#[from] callboard_integrations::IntegrationsError),
    /// The store cannot be used.
    #[error("cannot use the database")]
    Store(#[from] callboard_store::StoreError),
    /// The loop cannot start, or broke down.
    #[error("the ingestion loop cannot work")]
    Engine(#[from] callboard_engine::EngineError),
    /// The server cannot start, or broke down.
    #[error("cannot serve")]
    Server(#[from] callboard_server::ServerError),
    /// The system refused something.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Any of the others that had a secret of the configuration in it: the whole chain of causes without it.
    #[error("{0}")]
    Redacted(String),
}

impl Error {
    /// Without what `redact` takes out of a text.
    pub(crate) fn redacted(self, redact: impl FnOnce(&str) -> String) -> Self {
        let text = format!("{self:?}");
        let redacted = redact(&text);
        if redacted == text { self } else { Self::Redacted(redacted) }
    }
}

/// What `main` shows when it returns this error: the whole chain of causes.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            write!(f, "\n  caused by: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use callboard_config::Config;

    use super::*;

    #[test]
    fn each_cause_is_shown_once() {
        let missing = Config::empty().get_str("a").unwrap_err();
        let message = missing.to_string();
        let config = Error::from(missing.clone());
        let integrations = Error::from(callboard_integrations::IntegrationsError::from(missing.clone()));
        for error in [config, integrations] {
            assert_eq!(format!("{error:?}"), message);
        }
        let server = Error::from(callboard_server::ServerError::from(missing));
        assert_eq!(format!("{server:?}"), format!("cannot serve\n  caused by: {message}"));
    }

    #[test]
    fn secrets_are_cut_out_of_all_causes_and_an_error_without_any_stays() {
        let redact = |text: &str| text.replace("hidden", "***");
        let error = |source: &'static str| Error::Io {
            what: "it is hidden".to_owned(),
            source: std::io::Error::other(source),
        };
        let redacted = error("hidden-pw").redacted(redact);
        assert_eq!(format!("{redacted:?}"), "it is ***\n  caused by: ***-pw");
        assert!(std::error::Error::source(&redacted).is_none());
        let stays = Error::Setting("plain".to_owned()).redacted(redact);
        assert!(matches!(&stays, Error::Setting(text) if text == "plain"), "{stays:?}");
    }
}

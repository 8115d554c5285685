//! Puts readers and integrations together as the configuration says.

use std::sync::Arc;

use callboard_config::Config;
use callboard_sdk::{ScmLocationAnalyzer, ScmResolver, UrlReader};

use crate::fetch::{FetchSettings, Fetcher};
use crate::readers::fetch::FetchReader;
use crate::readers::github::GitHubReader;
use crate::readers::mux::{Mux, Predicate};
use crate::scm::config::read_github;
use crate::{AllowList, IntegrationsError, ScmIntegrations};

/// Everything that reads from outside, ready to use.
#[derive(Debug, Clone)]
pub struct Integrations {
    /// Knows the URL forms of the forges.
    pub scm: Arc<dyn ScmResolver>,
    /// Reads what the integrations and `backend.reading.allow` admit.
    pub reader: Arc<dyn UrlReader>,
    /// Know what repositories have; the first that supports a URL is asked.
    pub analyzers: Vec<Arc<dyn ScmLocationAnalyzer>>,
    fetcher: Fetcher,
}

impl Integrations {
    /// Reads `integrations`, `backend.reading.allow` and `callboard.reading`.
    pub fn from_config(config: &Config) -> Result<Self, IntegrationsError> {
        let scm = ScmIntegrations::from_config(config)?;
        let allow = Arc::new(AllowList::from_config(config)?);
        let fetcher = Fetcher::new(FetchSettings::from_config(config)?)?;
        let mut readers: Vec<(Predicate, Arc<dyn UrlReader>)> = Vec::new();
        let mut analyzers: Vec<Arc<dyn ScmLocationAnalyzer>> = Vec::new();
        for github in read_github(config)? {
            if github.has_apps {
                tracing::warn!(
                    host = github.host,
                    "GitHub Apps are not supported, reading with the token if any"
                );
            }
            let host = Predicate::Host(github.host.clone());
            let reader = Arc::new(GitHubReader::new(fetcher.clone(), github, Arc::clone(&allow))?);
            analyzers.push(Arc::clone(&reader) as _);
            readers.push((host, reader));
        }
        // Last, as a host with an integration must be read with its credentials.
        let reader = FetchReader::new(fetcher.clone(), Arc::clone(&allow));
        readers.push((Predicate::Allowed(allow), Arc::new(reader)));
        Ok(Self { scm: Arc::new(scm), reader: Arc::new(Mux::new(readers)), analyzers, fetcher })
    }

    /// The fetch layer, for providers that talk to APIs of their own. It shares its limits with the readers.
    pub fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }
}

#[cfg(test)]
mod tests;

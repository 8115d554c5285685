//! The source-control integrations: which hosts are known as which forge, and what their URLs mean.

mod azure;
pub(crate) mod config;
pub(crate) mod git_url;
mod resolve;
#[cfg(test)]
mod tests;

use std::fmt::Write;

use callboard_config::Config;
use callboard_sdk::{ScmFile, ScmResolver};
use url::{Url, quirks};

use crate::IntegrationsError;
use config::{Entry, Kind};
use git_url::GitUrl;

/// The configured integrations and those that are there without configuration: github.com, gitlab.com,
/// bitbucket.org, dev.azure.com and the hosts of object stores.
#[derive(Debug, Clone)]
pub struct ScmIntegrations {
    /// By kind, in the order in which hosts are looked up; within a kind, the first entry of a host wins.
    entries: Vec<Entry>,
}

impl ScmIntegrations {
    /// Reads and checks all of `integrations`.
    pub fn from_config(config: &Config) -> Result<Self, IntegrationsError> {
        Ok(Self { entries: config::read(config)? })
    }

    fn by_url(&self, url: &Url) -> Option<Kind> {
        let host = quirks::host(url);
        self.entries.iter().find(|entry| entry.host == host).map(|entry| entry.kind)
    }

    fn by_text(&self, url: &str) -> Option<Kind> {
        self.by_url(&Url::parse(url).ok()?)
    }
}

impl ScmResolver for ScmIntegrations {
    fn resolve_url(&self, target: &str, base: &str) -> Result<String, String> {
        resolve::resolve_url(self.by_text(base), target, base)
    }

    fn resolve_edit_url(&self, url: &str) -> Option<String> {
        Some(resolve::resolve_edit_url(self.by_text(url)?, url))
    }

    fn integration_kind(&self, url: &str) -> Option<&'static str> {
        self.by_text(url).map(Kind::key)
    }

    fn file(&self, url: &str) -> Option<ScmFile> {
        let url = Url::parse(url).ok()?;
        let kind = self.by_url(&url);
        if kind == Some(Kind::Azure) {
            return azure::file(&url);
        }
        let parsed = GitUrl::parse(&url)?;
        // On an unknown host, two segments alone say nothing about a repository.
        if kind.is_none() && parsed.kind.is_empty() {
            return None;
        }
        Some(ScmFile {
            host: quirks::host(&url).to_owned(),
            full_name: parsed.full_name(),
            owner: parsed.owner,
            name: parsed.name,
            path: parsed.path,
        })
    }

    fn fingerprint(&self) -> String {
        let mut text = String::new();
        for entry in &self.entries {
            // Writing to a String cannot fail.
            write!(text, "{}={}", entry.kind.key(), entry.host).ok();
            for url in &entry.urls {
                write!(text, ",{url}").ok();
            }
            text.push(';');
        }
        text
    }
}

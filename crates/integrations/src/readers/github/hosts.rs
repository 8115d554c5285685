//! Where requests for a GitHub instance may go.

use std::sync::Arc;

use url::{Origin, Url, quirks};

use crate::AllowList;
use crate::fetch::HopPolicy;
use crate::redact::shown;
use crate::scm::config::GitHubConfig;

/// The hosts of public GitHub that serve contents.
const PUBLIC_CONTENT_HOSTS: &str = ".githubusercontent.com";

/// Admits the API, the raw files, the instance's own subdomains (archives come from `codeload.`), and what
/// `backend.reading.allow` admits.
#[derive(Debug)]
pub(super) struct GitHubHosts {
    bases: Vec<Origin>,
    host: String,
    allow: Arc<AllowList>,
}

impl GitHubHosts {
    pub(super) fn new(config: &GitHubConfig, allow: Arc<AllowList>) -> Self {
        let bases = config.api_base_url.iter().chain(&config.raw_base_url);
        let bases = bases.filter_map(|url| Url::parse(url).ok()).map(|url| url.origin()).collect();
        Self { bases, host: config.host.clone(), allow }
    }

    fn is_own(&self, url: &Url) -> bool {
        let host = quirks::host(url);
        let is_subdomain = host.strip_suffix(self.host.as_str()).is_some_and(|sub| sub.ends_with('.'));
        let is_public_content = self.host == "github.com" && host.ends_with(PUBLIC_CONTENT_HOSTS);
        url.scheme() == "https" && (host == self.host || is_subdomain || is_public_content)
    }
}

impl HopPolicy for GitHubHosts {
    fn check(&self, url: &Url) -> Result<(), String> {
        if self.bases.contains(&url.origin()) || self.is_own(url) || self.allow.is_allowed(url) {
            return Ok(());
        }
        Err(format!(
            "{} does not belong to the GitHub integration of {} and is not allowed by the \
             backend.reading.allow configuration",
            shown(url.as_str()),
            self.host
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_the_instance_are_admitted() {
        let public = GitHubHosts::new(&GitHubConfig::default(), Arc::default());
        let table = [
            ("https://api.github.com/repos/o/r", true),
            ("https://raw.githubusercontent.com/o/r/main/a", true),
            ("https://codeload.github.com/o/r/legacy.tar.gz/main", true),
            ("https://objects.githubusercontent.com/x", true),
            ("http://codeload.github.com/o/r", false),
            ("http://api.github.com/", false),
            ("https://evilgithub.com/", false),
            ("https://github.com.example.com/", false),
            ("https://169.254.169.254/latest/meta-data", false),
        ];
        for (url, expected) in table {
            assert_eq!(public.check(&Url::parse(url).unwrap()).is_ok(), expected, "{url}");
        }
    }
}

//! `integrations.github`.

use callboard_config::{Config, Secret};

use super::{Entry, Kind, has_secret};
use crate::IntegrationsError;

pub(super) const HOST: &str = "github.com";
const API_BASE_URL: &str = "https://api.github.com";
const RAW_BASE_URL: &str = "https://raw.githubusercontent.com";

/// A GitHub instance.
#[derive(Debug, Clone)]
pub(crate) struct GitHubConfig {
    pub(crate) host: String,
    /// Without a slash at its end.
    pub(crate) api_base_url: Option<String>,
    /// Without a slash at its end.
    pub(crate) raw_base_url: Option<String>,
    /// Whether GitHub Apps are configured, whose credentials are not used: files that only they may see are
    /// unknown, not absent.
    pub(crate) has_apps: bool,
    token: Option<Secret>,
}

impl Default for GitHubConfig {
    fn default() -> Self {
        Self {
            host: HOST.to_owned(),
            api_base_url: Some(API_BASE_URL.to_owned()),
            raw_base_url: Some(RAW_BASE_URL.to_owned()),
            has_apps: false,
            token: None,
        }
    }
}

impl GitHubConfig {
    pub(super) fn read(config: &Config) -> Result<Self, IntegrationsError> {
        let host = Kind::GitHub.valid_host(config.get_opt_str("host")?.unwrap_or_else(|| HOST.to_owned()))?;
        let is_public = host == HOST;
        let apps = config.get_opt_configs("apps")?.unwrap_or_default();
        apps.iter().try_for_each(check_app)?;
        let url = |key, default| Kind::GitHub.base_url(config, key, is_public.then_some(default));
        Ok(Self {
            api_base_url: url("apiBaseUrl", API_BASE_URL)?,
            raw_base_url: url("rawBaseUrl", RAW_BASE_URL)?,
            has_apps: !apps.is_empty(),
            token: config.get_opt_secret("token")?,
            host,
        })
    }

    pub(super) fn entry(self) -> Entry {
        Entry::new(Kind::GitHub, self.host).with_urls(self.api_base_url.into_iter().chain(self.raw_base_url))
    }

    /// The token, if it is not blank.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.expose().trim()).filter(|token| !token.is_empty())
    }
}

fn check_app(app: &Config) -> Result<(), IntegrationsError> {
    app.get_str("clientId")?;
    for key in ["clientSecret", "privateKey"] {
        if !has_secret(app, key)? {
            return Err(Kind::GitHub.invalid(format_args!("an app has no '{key}'")));
        }
    }
    app.get_opt_u64("appId")?.map(|_| ()).ok_or_else(|| Kind::GitHub.invalid("an app has no 'appId'"))
}

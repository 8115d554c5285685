//! Reads and checks `integrations` in the configuration.
//!
//! Entries of all kinds are checked at start, as Backstage does, so that a mistake does not wait for the
//! first file that is read from there.

mod azure;
mod github;
mod others;

use callboard_config::Config;
use url::{Url, quirks};

use crate::IntegrationsError;
pub(crate) use github::GitHubConfig;

/// The kinds of integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    AwsS3,
    AwsCodeCommit,
    AzureBlobStorage,
    Azure,
    BitbucketCloud,
    BitbucketServer,
    Gerrit,
    GitHub,
    GitLab,
    Gitea,
    GoogleGcs,
    Harness,
}

impl Kind {
    /// In the order in which hosts are looked up.
    const ALL: [Self; 12] = [
        Self::AwsS3,
        Self::AwsCodeCommit,
        Self::AzureBlobStorage,
        Self::Azure,
        Self::BitbucketCloud,
        Self::BitbucketServer,
        Self::Gerrit,
        Self::GitHub,
        Self::GitLab,
        Self::Gitea,
        Self::GoogleGcs,
        Self::Harness,
    ];

    /// Its key below `integrations`, which is also its name.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::AwsS3 => "awsS3",
            Self::AwsCodeCommit => "awsCodeCommit",
            Self::AzureBlobStorage => "azureBlobStorage",
            Self::Azure => "azure",
            Self::BitbucketCloud => "bitbucketCloud",
            Self::BitbucketServer => "bitbucketServer",
            Self::Gerrit => "gerrit",
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::Gitea => "gitea",
            Self::GoogleGcs => "googleGcs",
            Self::Harness => "harness",
        }
    }

    /// In messages.
    fn title(self) -> &'static str {
        match self {
            Self::AwsS3 => "awsS3",
            Self::AwsCodeCommit => "awsCodeCommit",
            Self::AzureBlobStorage => "Azure Blob Storage",
            Self::Azure => "Azure",
            Self::BitbucketCloud => "Bitbucket Cloud",
            Self::BitbucketServer => "Bitbucket Server",
            Self::Gerrit => "Gerrit",
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::Gitea => "Gitea",
            Self::GoogleGcs => "googleGcs",
            Self::Harness => "Harness",
        }
    }

    /// The host that is there without configuration.
    fn default_host(self) -> Option<&'static str> {
        match self {
            Self::AwsS3 => Some("amazonaws.com"),
            Self::AzureBlobStorage => Some("blob.core.windows.net"),
            Self::Azure => Some("dev.azure.com"),
            Self::BitbucketCloud => Some("bitbucket.org"),
            Self::GitHub => Some("github.com"),
            Self::GitLab => Some("gitlab.com"),
            Self::GoogleGcs => Some("storage.cloud.google.com"),
            Self::AwsCodeCommit | Self::BitbucketServer | Self::Gerrit | Self::Gitea | Self::Harness => None,
        }
    }

    fn invalid(self, reason: impl std::fmt::Display) -> IntegrationsError {
        IntegrationsError::Invalid(format!("Invalid {} integration config, {reason}", self.title()))
    }

    /// The host, checked.
    fn valid_host(self, host: String) -> Result<String, IntegrationsError> {
        let is_valid = Url::parse("http://example.com")
            .is_ok_and(|mut url| quirks::set_host(&mut url, &host).is_ok() && quirks::host(&url) == host);
        if is_valid { Ok(host) } else { Err(self.invalid(format_args!("'{host}' is not a valid host"))) }
    }

    /// The URL at this key, checked, without slashes at its end; `default` if there is none.
    fn base_url(
        self,
        config: &Config,
        key: &str,
        default: Option<&str>,
    ) -> Result<Option<String>, IntegrationsError> {
        let Some(url) = config.get_opt_str(key)?.or_else(|| default.map(str::to_owned)) else {
            return Ok(None);
        };
        let url = url.trim_end_matches('/').to_owned();
        if Url::parse(&url).is_err() {
            return Err(self.invalid(format_args!("'{url}' is not a valid {key}")));
        }
        Ok(Some(url))
    }

    fn read(self, config: &Config) -> Result<Entry, IntegrationsError> {
        match self {
            Self::AwsS3 => others::aws_s3(config),
            Self::AwsCodeCommit => others::aws_code_commit(config),
            Self::AzureBlobStorage => others::azure_blob_storage(config),
            Self::Azure => azure::read(config),
            Self::BitbucketCloud => others::bitbucket_cloud(config),
            Self::BitbucketServer => others::bitbucket_server(config),
            Self::Gerrit => others::gerrit(config),
            Self::GitHub => GitHubConfig::read(config).map(GitHubConfig::entry),
            Self::GitLab => others::gitlab(config),
            Self::Gitea => others::gitea(config),
            Self::GoogleGcs => others::google_gcs(config),
            Self::Harness => others::harness(config),
        }
    }

    /// The entries as they are configured.
    fn configs(self, config: &Config) -> Result<Vec<Config>, IntegrationsError> {
        let key = format!("integrations.{}", self.key());
        if self == Self::GoogleGcs {
            return Ok(config.get_opt_config(&key)?.into_iter().collect());
        }
        Ok(config.get_opt_configs(&key)?.unwrap_or_default())
    }
}

/// An integration, without its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    /// With the port, if it has one.
    pub(crate) host: String,
    /// All URLs that belong to it.
    pub(crate) urls: Vec<String>,
}

impl Entry {
    fn new(kind: Kind, host: impl Into<String>) -> Self {
        Self { kind, host: host.into(), urls: Vec::new() }
    }

    fn with_urls(mut self, urls: impl IntoIterator<Item = String>) -> Self {
        self.urls.extend(urls);
        self
    }
}

/// All integrations, by kind.
pub(crate) fn read(config: &Config) -> Result<Vec<Entry>, IntegrationsError> {
    let mut all = Vec::new();
    for kind in Kind::ALL {
        let configs = kind.configs(config)?;
        let read = |config| kind.read(config).map_err(|error| located(error, config, ""));
        let mut entries = configs.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if let Some(host) = kind.default_host().filter(|host| entries.iter().all(|entry| entry.host != *host))
        {
            entries.push(Entry::new(kind, host));
        }
        all.append(&mut entries);
    }
    Ok(all)
}

/// The GitHub integrations with what it takes to read from them.
pub(crate) fn read_github(config: &Config) -> Result<Vec<GitHubConfig>, IntegrationsError> {
    let configs = Kind::GitHub.configs(config)?;
    let read = |config| GitHubConfig::read(config).map_err(|error| located(error, config, ""));
    let mut entries = configs.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if entries.iter().all(|entry| entry.host != github::HOST) {
        entries.push(GitHubConfig::default());
    }
    Ok(entries)
}

/// With the key of the integration, or of a member of it; one that is there stays.
fn located(error: IntegrationsError, config: &Config, key: &str) -> IntegrationsError {
    match error {
        IntegrationsError::Invalid(message) => {
            IntegrationsError::Entry { key: config.full_key(key), message }
        }
        other => other,
    }
}

/// Whether the secret is there; one that is there is checked to be a text.
fn has_secret(config: &Config, key: &str) -> Result<bool, IntegrationsError> {
    Ok(config.get_opt_secret(key)?.is_some())
}

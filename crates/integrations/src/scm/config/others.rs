//! The integrations of which nothing but host and URLs matters so far; their credentials are only checked.

use callboard_config::Config;
use url::{Url, quirks};

use super::{Entry, Kind, has_secret};
use crate::IntegrationsError;

const GITLAB_HOST: &str = "gitlab.com";
const GITLAB_API_BASE_URL: &str = "https://gitlab.com/api/v4";

pub(super) fn gitlab(config: &Config) -> Result<Entry, IntegrationsError> {
    let kind = Kind::GitLab;
    let host = kind.valid_host(config.get_str("host")?)?;
    let default = (host == GITLAB_HOST).then_some(GITLAB_API_BASE_URL);
    let api = kind
        .base_url(config, "apiBaseUrl", default)?
        .ok_or_else(|| kind.invalid("'undefined' is not a valid apiBaseUrl"))?;
    let base = kind.base_url(config, "baseUrl", Some(&format!("https://{host}")))?;
    check_secrets(config, &["token", "commitSigningKey"])?;
    Ok(Entry::new(kind, host).with_urls([api].into_iter().chain(base)))
}

pub(super) fn bitbucket_cloud(config: &Config) -> Result<Entry, IntegrationsError> {
    let kind = Kind::BitbucketCloud;
    let has_username = config.get_opt_str("username")?.is_some();
    let has_password = has_secret(config, "token")? | has_secret(config, "appPassword")?;
    if has_username && !has_password {
        return Err(kind.invalid("'username' needs 'token' or 'appPassword'"));
    }
    if has_secret(config, "clientId")? != has_secret(config, "clientSecret")? {
        return Err(kind.invalid("'clientId' and 'clientSecret' go together"));
    }
    Ok(Entry::new(kind, "bitbucket.org"))
}

pub(super) fn bitbucket_server(config: &Config) -> Result<Entry, IntegrationsError> {
    let kind = Kind::BitbucketServer;
    let host = kind.valid_host(config.get_str("host")?)?;
    let api = kind.base_url(config, "apiBaseUrl", Some(&format!("https://{host}/rest/api/1.0")))?;
    check_secrets(config, &["token", "username", "password", "commitSigningKey"])?;
    Ok(Entry::new(kind, host).with_urls(api))
}

pub(super) fn gerrit(config: &Config) -> Result<Entry, IntegrationsError> {
    let kind = Kind::Gerrit;
    let host = kind.valid_host(config.get_str("host")?)?;
    config.get_str("gitilesBaseUrl")?;
    let gitiles = kind.base_url(config, "gitilesBaseUrl", None)?;
    let base = kind.base_url(config, "baseUrl", Some(&format!("https://{host}")))?;
    let clone = kind.base_url(config, "cloneUrl", base.as_deref())?;
    check_secrets(config, &["username", "password", "commitSigningKey"])?;
    Ok(Entry::new(kind, host).with_urls([gitiles, base, clone].into_iter().flatten()))
}

pub(super) fn gitea(config: &Config) -> Result<Entry, IntegrationsError> {
    let kind = Kind::Gitea;
    let host = kind.valid_host(config.get_str("host")?)?;
    let base = kind.base_url(config, "baseUrl", Some(&format!("https://{host}")))?;
    check_secrets(config, &["username", "password", "commitSigningKey"])?;
    Ok(Entry::new(kind, host).with_urls(base))
}

pub(super) fn harness(config: &Config) -> Result<Entry, IntegrationsError> {
    let host = Kind::Harness.valid_host(config.get_str("host")?)?;
    check_secrets(config, &["apiKey", "token"])?;
    Ok(Entry::new(Kind::Harness, host))
}

pub(super) fn aws_s3(config: &Config) -> Result<Entry, IntegrationsError> {
    check_secrets(config, &["accessKeyId", "secretAccessKey"])?;
    let Some(endpoint) = endpoint(Kind::AwsS3, config)? else {
        return Ok(Entry::new(Kind::AwsS3, "amazonaws.com"));
    };
    Ok(Entry::new(Kind::AwsS3, quirks::host(&endpoint)).with_urls([endpoint.clone().into()]))
}

pub(super) fn aws_code_commit(config: &Config) -> Result<Entry, IntegrationsError> {
    let region = config.get_str("region")?;
    check_secrets(config, &["accessKeyId", "secretAccessKey"])?;
    let host = config.get_opt_str("host")?.unwrap_or_else(|| format!("{region}.console.aws.amazon.com"));
    Ok(Entry::new(Kind::AwsCodeCommit, host))
}

pub(super) fn azure_blob_storage(config: &Config) -> Result<Entry, IntegrationsError> {
    let kind = Kind::AzureBlobStorage;
    config.get_str("accountName")?;
    let (key, sas) = (has_secret(config, "accountKey")?, has_secret(config, "sasToken")?);
    check_secrets(config, &["connectionString"])?;
    if key && sas {
        return Err(kind.invalid("'accountKey' and 'sasToken' exclude each other"));
    }
    if config.has("aadCredential") && (key || sas) {
        return Err(kind.invalid("'aadCredential' excludes 'accountKey' and 'sasToken'"));
    }
    let endpoint = endpoint(kind, config)?;
    let host =
        endpoint.as_ref().map_or("blob.core.windows.net", |endpoint| quirks::host(endpoint)).to_owned();
    Ok(Entry::new(kind, host).with_urls(endpoint.map(Into::into)))
}

pub(super) fn google_gcs(config: &Config) -> Result<Entry, IntegrationsError> {
    let has_email = config.get_opt_str("clientEmail")?.is_some();
    let has_key = has_secret(config, "privateKey")?;
    match (has_email, has_key) {
        (true, false) => Err(Kind::GoogleGcs.invalid("'clientEmail' needs 'privateKey'")),
        (false, true) => Err(Kind::GoogleGcs.invalid("'privateKey' needs 'clientEmail'")),
        _ => Ok(Entry::new(Kind::GoogleGcs, "storage.cloud.google.com")),
    }
}

/// The URL of an object store, which has no path.
fn endpoint(kind: Kind, config: &Config) -> Result<Option<Url>, IntegrationsError> {
    let Some(text) = kind.base_url(config, "endpoint", None)? else {
        return Ok(None);
    };
    let Ok(endpoint) = Url::parse(&text) else {
        return Ok(None);
    };
    if endpoint.path() != "/" {
        return Err(kind.invalid(format_args!("endpoints cannot contain path, got {}", endpoint.path())));
    }
    Ok(Some(endpoint))
}

fn check_secrets(config: &Config, keys: &[&str]) -> Result<(), IntegrationsError> {
    keys.iter().try_for_each(|key| has_secret(config, key).map(|_| ()))
}

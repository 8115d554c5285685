//! What is looked at before the daemon starts: settings that would silently do nothing.

use callboard_config::{Config, Severity};
use callboard_sdk::CatalogProcessor;
use serde_json::Value;
use std::sync::Arc;

use crate::Error;
use crate::wiring::locations;

/// Lets a start go on although processors for some locations are missing.
const SKIP_VARIABLE: &str = "BACKSTAGE_CATALOG_SKIP_MISSING_PROCESSORS_CHECK";

/// Sections that moved, and where to.
const MOVED: [(&str, &str); 4] =
    [("github", "github"), ("gitlabApi", "gitlab"), ("bitbucketApi", "bitbucket"), ("azureApi", "azure")];

/// Location types that need a processor which does not come along, and the name of that processor.
const NEEDED: [(&str, &str); 9] = [
    ("aws-cloud-accounts", "AwsOrganizationCloudAccountProcessor"),
    ("s3-discovery", "AwsS3DiscoveryProcessor"),
    ("azure-discovery", "AzureDevOpsDiscoveryProcessor"),
    ("bitbucket-discovery", "BitbucketDiscoveryProcessor"),
    ("github-discovery", "GithubDiscoveryProcessor"),
    ("github-org", "GithubOrgReaderProcessor"),
    ("gitlab-discovery", "GitLabDiscoveryProcessor"),
    ("ldap-org", "LdapOrgReaderProcessor"),
    ("microsoft-graph-org", "MicrosoftGraphOrgReaderProcessor"),
];

/// Warns of settings that do nothing.
pub(crate) fn log_findings(config: &Config) {
    for finding in config.check() {
        match finding.severity {
            Severity::Warning => tracing::warn!(at = %finding.origin, "{}", finding.message),
            Severity::Error => tracing::error!(at = %finding.origin, "{}", finding.message),
        }
    }
}

/// Refuses settings that cannot work.
pub(crate) fn before_start(
    config: &Config,
    processors: &[Arc<dyn CatalogProcessor>],
    variable: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    for (old, new) in MOVED {
        if config.has(&format!("catalog.processors.{old}")) {
            return Err(Error::Setting(format!(
                "Using deprecated configuration for catalog.processors.{old}, move to using integrations.{new} instead"
            )));
        }
    }
    if variable(SKIP_VARIABLE) {
        return Ok(());
    }
    for (index, location) in locations(config)?.iter().enumerate() {
        let kind = location.get("type").and_then(Value::as_str).unwrap_or_default();
        let needed = NEEDED.iter().find(|(needing, _)| *needing == kind);
        if let Some((_, processor)) =
            needed.filter(|(_, name)| !processors.iter().any(|it| it.name() == *name))
        {
            return Err(Error::Setting(format!(
                "'catalog.locations[{index}]' is of type '{kind}', which needs the {processor}, and that is not \
                 installed; add it, remove the location, or set {SKIP_VARIABLE}=1"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug)]
    struct LdapReader;

    impl CatalogProcessor for LdapReader {
        fn name(&self) -> &'static str {
            "LdapOrgReaderProcessor"
        }
    }

    fn check(catalog: &Value, is_skipped: bool) -> Result<(), String> {
        let config = Config::from_value("test", json!({ "catalog": catalog }));
        let processors: Vec<Arc<dyn CatalogProcessor>> = vec![Arc::new(LdapReader)];
        before_start(&config, &processors, |_| is_skipped).map_err(|error| error.to_string())
    }

    #[test]
    fn moved_sections_are_refused() {
        let message = check(&json!({"processors": {"gitlabApi": []}}), false).unwrap_err();
        let expected = "Using deprecated configuration for catalog.processors.gitlabApi, move to using integrations.gitlab instead";
        assert_eq!(message, expected);
    }

    #[test]
    fn locations_without_their_processor_are_refused_unless_that_is_wanted() {
        let locations = |kind: &str| json!({"locations": [{"type": kind, "target": "x"}]});
        let message = check(&locations("github-org"), false).unwrap_err();
        assert!(message.contains("GithubOrgReaderProcessor") && message.contains(SKIP_VARIABLE), "{message}");
        assert_eq!(check(&locations("github-org"), true), Ok(()));
        assert_eq!(check(&locations("ldap-org"), false), Ok(()));
        assert_eq!(check(&locations("url"), false), Ok(()));
    }
}

//! What the daemon would refuse to start with, as findings with a place.
//!
//! The values are read by the same code that reads them at start. Each part tells its first fault; nothing is opened,
//! bound or asked.

use std::path::Path;

use callboard_config::{Config, Finding, Origin, Severity};
use callboard_integrations::{Integrations, IntegrationsError};
use callboard_providers::ConfigLocationProvider;
use callboard_server::{ServerError, ServerOptions};

use crate::builder::Added;
use crate::database::{Database, Opening};
use crate::wiring::{Wired, locations};
use crate::{CatalogBuilder, Error, checks, settings};

/// The provider that is always there.
const CONFIG_LOCATIONS: &str = "ConfigLocationProvider";

pub(super) fn findings(builder: &mut CatalogBuilder) -> Vec<Finding> {
    let CatalogBuilder { config, integrations, sources, added, .. } = builder;
    let is_set = |name: &str| sources.env.contains_key(name);
    let mut faults = Vec::from_iter(checks::before_start(config, &added.processors, is_set).err());
    faults.append(&mut faults_of_values(config, &sources.cwd, integrations, added));
    let places = Places::of(config);
    let mut findings: Vec<Finding> = Vec::new();
    for finding in faults.iter().map(|fault| places.finding(config, fault)) {
        if findings.iter().all(|known| known.message != finding.message) {
            findings.push(finding);
        }
    }
    findings
}

/// `without` stands in for integrations that cannot be made.
fn faults_of_values(
    config: &Config,
    directory: &Path,
    without: &Integrations,
    added: &mut Added,
) -> Vec<Error> {
    let integrations = Integrations::from_config(config);
    let wired = Wired::new(config, directory, integrations.as_ref().unwrap_or(without), added).err();
    let config_locations = locations(config).and_then(|locations| {
        ConfigLocationProvider::new(&locations, directory).map_err(|error| Error::Setting(error.to_string()))
    });
    let names = added.providers.iter().map(|provider| provider.name()).chain([CONFIG_LOCATIONS]);
    let disabled = names.map(|name| settings::is_provider_disabled(config, name)).find_map(Result::err);
    [
        integrations.err().map(Error::from),
        ServerOptions::from_config(config).err().map(Error::from),
        Database::from_config(config, directory).and_then(|_| Opening::from_config(config)).err(),
        settings::engine_settings(config).and_then(|_| settings::doctor_settings(config)).err(),
        config_locations.err(),
        disabled,
        wired,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Where each value stands, by its key.
struct Places {
    root: Option<Origin>,
    leaves: Vec<(String, Origin)>,
}

impl Places {
    fn of(config: &Config) -> Self {
        let leaves = config.effective().into_iter().map(|value| (value.key, value.origin)).collect();
        Self { root: config.origin(""), leaves }
    }

    fn finding(&self, config: &Config, error: &Error) -> Finding {
        let (key, message, origin) = match error {
            Error::Config(error)
            | Error::Integrations(IntegrationsError::Config(error))
            | Error::Server(ServerError::Config(error)) => (None, error.to_string(), error.origin()),
            Error::Integrations(IntegrationsError::Entry { key, message }) => {
                (Some(key.as_str()), message.clone(), None)
            }
            Error::Server(error) => (error.key(), error.to_string(), None),
            error => (None, error.to_string(), None),
        };
        let place = key.map_or_else(|| self.named_in(&message), |key| self.of_key(key));
        let (key, named) =
            place.map_or((String::new(), None), |(key, origin)| (key.to_owned(), Some(origin)));
        let origin = origin.or(named).or(self.root.as_ref()).cloned();
        Finding {
            severity: Severity::Error,
            key,
            origin: origin.unwrap_or(Origin { file: "app-config.yaml".to_owned(), line: None, column: None }),
            // Some texts show what was written.
            message: config.redact(&message),
        }
    }

    /// The first key that a message names. All of them name the one that they are about.
    fn named_in<'a>(&self, message: &'a str) -> Option<(&'a str, &Origin)> {
        let is_around = |symbol: char| symbol.is_whitespace() || "'\",;:".contains(symbol);
        let mut words = message.split(is_around).filter(|word| word.contains('.'));
        words.find_map(|word| self.of_key(word))
    }

    /// The place of a key, or of the first value below it; that of the nearest key above for one that is missing.
    fn of_key<'a>(&self, key: &'a str) -> Option<(&'a str, &Origin)> {
        let is_at = |leaf: &str, above: &str| {
            let below = leaf.strip_prefix(above);
            below.is_some_and(|below| below.is_empty() || below.starts_with(['.', '[']))
        };
        let above =
            std::iter::successors(Some(key), |key| key.rfind(['.', '[']).and_then(|end| key.get(..end)));
        above
            .filter(|above| !above.is_empty())
            .find_map(|above| self.leaves.iter().find(|(leaf, _)| is_at(leaf, above)))
            .map(|(_, origin)| (key, origin))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn faults(value: Value) -> Vec<Finding> {
        let config = Config::from_value("app-config.yaml", value);
        let integrations = Integrations::from_config(&Config::empty()).unwrap();
        let faults = faults_of_values(&config, Path::new("/"), &integrations, &mut Added::default());
        let places = Places::of(&config);
        faults.iter().map(|fault| places.finding(&config, fault)).collect()
    }

    #[test]
    fn what_the_daemon_refuses_is_found_with_its_key() {
        let location = json!({"type": "url", "target": "https://example.com/a.yaml"});
        let table = [
            (json!({"backend": {"https": true}}), "backend.https"),
            (json!({"backend": {"listen": "x"}}), "backend.listen"),
            (json!({"backend": {"database": {"client": "mysql2"}}}), "backend.database.client"),
            (
                json!({"backend": {"database": {"client": "pg", "connection": {"port": "x"}}}}),
                "backend.database.connection.port",
            ),
            (json!({"backend": {"server": {"requestTimeout": "soon"}}}), "backend.server.requestTimeout"),
            (json!({"backend": {"reading": {"allow": {"host": "x"}}}}), "backend.reading.allow"),
            (json!({"backend": {"actions": {"pluginSources": "x"}}}), "backend.actions.pluginSources"),
            (
                json!({"backend": {"actions": {"filter": {"exclude": [{"id": "@(a)"}]}}}}),
                "backend.actions.filter.exclude[0].id",
            ),
            (json!({"catalog": {"readonly": "maybe"}}), "catalog.readonly"),
            (json!({"catalog": {"orphanStrategy": "burn"}}), "catalog.orphanStrategy"),
            (json!({"catalog": {"rules": [{"allow": "API"}]}}), "catalog.rules[0].allow"),
            (json!({"catalog": {"locations": [location, {"type": "url"}]}}), "catalog.locations[1].target"),
            (json!({"catalog": {"processingInterval": "1x"}}), "catalog.processingInterval"),
            (
                json!({"catalog": {"providerOptions": {"ConfigLocationProvider": {"disabled": "x"}}}}),
                "catalog.providerOptions.ConfigLocationProvider.disabled",
            ),
            (json!({"callboard": {"engine": {"queue": 0}}}), "callboard.engine.queue"),
            (json!({"callboard": {"limits": {"errors": "x"}}}), "callboard.limits.errors"),
            (json!({"callboard": {"processors": {"openapi": "x"}}}), "callboard.processors.openapi"),
            (json!({"integrations": {"github": [{"host": "a b"}]}}), "integrations.github[0]"),
            (
                json!({"integrations": {"azure": [{"host": "a", "token": "t"}]}}),
                "integrations.azure[0].token",
            ),
            (json!({"integrations": {"gitlab": [{"host": 5}]}}), "integrations.gitlab[0].host"),
        ];
        for (value, key) in table {
            let keys: Vec<_> = faults(value.clone()).into_iter().map(|fault| fault.key).collect();
            assert!(keys.iter().any(|found| found == key), "{keys:?} for {value}");
        }
        assert_eq!(faults(json!({})), []);
    }

    #[test]
    fn each_part_tells_a_fault_and_none_hides_another() {
        let value = json!({
            "backend": {"https": true, "database": {"client": "mysql2"}},
            "catalog": {"orphanStrategy": "burn", "locations": "x"},
            "integrations": {"github": [{"host": "a b"}]},
        });
        let keys: Vec<_> = faults(value).into_iter().map(|fault| fault.key).collect();
        for key in [
            "backend.https",
            "backend.database.client",
            "catalog.orphanStrategy",
            "catalog.locations",
            "integrations.github[0]",
        ] {
            assert!(keys.iter().any(|found| found == key), "{keys:?}");
        }
    }

    #[test]
    fn faults_have_a_place_and_show_no_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let text = "integrations:\n  github:\n    - host: a\n      apiBaseUrl: '//u:hidden-pw@x'\n      token: hidden-pw\n\
                    catalog:\n  locations:\n    - type: url\n";
        std::fs::write(dir.path().join("app-config.yaml"), text).unwrap();
        let sources = callboard_config::Sources { root: dir.path().to_owned(), ..Default::default() };
        let config = Config::load(&sources).unwrap();
        let integrations = Integrations::from_config(&Config::empty()).unwrap();
        let faults = faults_of_values(&config, Path::new("/"), &integrations, &mut Added::default());
        let places = Places::of(&config);
        let lines: Vec<_> = faults
            .iter()
            .map(|fault| places.finding(&config, fault))
            .map(|it| (it.origin.line, it))
            .collect();
        assert!(
            lines.iter().any(|(line, it)| *line == Some(3) && it.key == "integrations.github[0]"),
            "{lines:?}"
        );
        assert!(lines.iter().any(|(line, it)| *line == Some(8) && it.key.ends_with("target")), "{lines:?}");
        assert!(!format!("{lines:?}").contains("hidden-pw"), "{lines:?}");
    }
}

//! `backend.actions`: which of the actions there are for others.
//!
//! In Backstage it is the caller who reads this section, lists the actions of `pluginSources` and keeps back what
//! `filter` does not let through. Here the filter also holds for whoever asks directly, and for invoking: what somebody
//! wanted to be left out should not happen. The sources are a caller's business alone.

use callboard_config::Config;
use globset::{GlobBuilder, GlobMatcher};

use crate::actions::action::Attributes;
use crate::error::ServerError;

const SOURCES: &str = "backend.actions.pluginSources";
const INCLUDE: &str = "backend.actions.filter.include";
const EXCLUDE: &str = "backend.actions.filter.exclude";

/// Lets all actions through by default.
#[derive(Debug, Clone, Default)]
pub(crate) struct ActionFilter {
    include: Vec<Rule>,
    exclude: Vec<Rule>,
}

/// Matches an action if all that it says is true of it.
#[derive(Debug, Clone)]
struct Rule {
    id: Option<IdPattern>,
    destructive: Option<bool>,
    idempotent: Option<bool>,
    read_only: Option<bool>,
}

#[derive(Debug, Clone)]
struct IdPattern {
    glob: GlobMatcher,
    is_negated: bool,
}

impl ActionFilter {
    pub(crate) fn from_config(config: &Config) -> Result<Self, ServerError> {
        config.get_opt_strs(SOURCES)?;
        Ok(Self { include: rules(config, INCLUDE)?, exclude: rules(config, EXCLUDE)? })
    }

    /// Exclusion comes first; and without a rule of what to include, that is everything.
    pub(super) fn allows(&self, id: &str, attributes: Attributes) -> bool {
        let is_in = |rules: &[Rule]| rules.iter().any(|rule| rule.is_match(id, attributes));
        !is_in(&self.exclude) && (self.include.is_empty() || is_in(&self.include))
    }
}

impl Rule {
    fn is_match(&self, id: &str, attributes: Attributes) -> bool {
        let Attributes { destructive, idempotent, read_only } = attributes;
        let is_as_wanted = |wanted: Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        self.id.as_ref().is_none_or(|pattern| pattern.is_match(id))
            && is_as_wanted(self.destructive, destructive)
            && is_as_wanted(self.idempotent, idempotent)
            && is_as_wanted(self.read_only, read_only)
    }
}

impl IdPattern {
    /// Reads a pattern of minimatch, whose extended patterns are refused: one that silently matched nothing could let
    /// through what was to be excluded.
    fn parse(pattern: &str) -> Result<Self, String> {
        let glob = pattern.trim_start_matches('!');
        let is_extended =
            glob.as_bytes().windows(2).any(|pair| matches!(pair, [b'?' | b'*' | b'+' | b'@' | b'!', b'(']));
        if is_extended {
            return Err(format!("'{pattern}' is an extended glob pattern, which is not supported"));
        }
        let is_negated = (pattern.len() - glob.len()) % 2 == 1;
        match GlobBuilder::new(glob).literal_separator(true).build() {
            Ok(glob) => Ok(Self { glob: glob.compile_matcher(), is_negated }),
            Err(error) => Err(format!("'{pattern}' is no glob pattern: {}", error.kind())),
        }
    }

    fn is_match(&self, id: &str) -> bool {
        self.glob.is_match(id) != self.is_negated
    }
}

fn rules(config: &Config, key: &str) -> Result<Vec<Rule>, ServerError> {
    config.get_opt_configs(key)?.unwrap_or_default().iter().map(rule).collect()
}

fn rule(config: &Config) -> Result<Rule, ServerError> {
    config.get_opt_config("attributes")?;
    Ok(Rule {
        id: config.get_opt_str("id")?.map(|pattern| id_pattern(config, &pattern)).transpose()?,
        destructive: config.get_opt_bool("attributes.destructive")?,
        idempotent: config.get_opt_bool("attributes.idempotent")?,
        read_only: config.get_opt_bool("attributes.readOnly")?,
    })
}

fn id_pattern(config: &Config, pattern: &str) -> Result<IdPattern, ServerError> {
    IdPattern::parse(pattern).map_err(|reason| {
        let place = config.origin("id").map(|origin| format!(" ({origin})")).unwrap_or_default();
        ServerError::Invalid { key: config.full_key("id"), reason: format!("{reason}{place}") }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::actions::action::allowed;

    const ALL: [&str; 7] = [
        "catalog:get-catalog-model-description",
        "catalog:get-catalog-entity",
        "catalog:query-catalog-entities",
        "catalog:validate-entity",
        "catalog:register-entity",
        "catalog:unregister-entity",
        "catalog:refresh-catalog-entity",
    ];
    const READ_ONLY: [&str; 4] = [ALL[0], ALL[1], ALL[2], ALL[3]];

    fn filter(actions: &Value) -> Result<ActionFilter, ServerError> {
        ActionFilter::from_config(&Config::from_value(
            "app-config.yaml",
            json!({"backend": {"actions": actions}}),
        ))
    }

    fn allowed_by(rules: &Value) -> Vec<String> {
        let filter = filter(&json!({ "filter": rules })).unwrap();
        allowed(&filter).map(|action| action.id.clone()).collect()
    }

    #[test]
    fn rules_include_and_exclude() {
        let read_only = json!({"attributes": {"readOnly": true}});
        let rows: [(Value, &[&str]); 17] = [
            (json!(null), &ALL),
            (json!({}), &ALL),
            (json!({"include": [], "exclude": []}), &ALL),
            (json!({"include": [{"id": "catalog:*"}]}), &ALL),
            (json!({"include": [{"id": "scaffolder:*"}]}), &[]),
            (
                json!({"include": [{"id": "catalog:get-*"}, {"id": "*:register-*"}]}),
                &[ALL[0], ALL[1], ALL[4]],
            ),
            (json!({"include": [read_only]}), &READ_ONLY),
            (json!({"include": [{"id": "catalog:get-*", "attributes": {"readOnly": false}}]}), &[]),
            (
                json!({"include": [{"attributes": {"idempotent": true, "readOnly": false}}]}),
                &[ALL[5], ALL[6]],
            ),
            (json!({"include": [{}]}), &ALL),
            (json!({"exclude": [{"attributes": {}}]}), &[]),
            (json!({"exclude": [{"attributes": {"readOnly": false}}]}), &READ_ONLY),
            (json!({"exclude": [{"id": "*:*register-*"}, {"attributes": {"readOnly": "yes"}}]}), &[ALL[6]]),
            // Exclusion wins.
            (
                json!({
                    "include": [{"id": ALL[4]}, {"id": ALL[5]}],
                    "exclude": [{"attributes": {"destructive": true}}],
                }),
                &[ALL[4]],
            ),
            (json!({"include": [{"id": "catalog:{get,query}-catalog-entit?*"}]}), &[ALL[1], ALL[2]]),
            (json!({"include": [{"id": "!catalog:[gqv]*"}]}), &[ALL[4], ALL[5], ALL[6]]),
            (json!({"include": [{"id": "!!catalog:validate-entity"}, {"id": "CATALOG:*"}]}), &[ALL[3]]),
        ];
        for (rules, expected) in rows {
            assert_eq!(allowed_by(&rules), expected, "{rules}");
        }
    }

    #[test]
    fn sources_are_for_callers() {
        for sources in [json!(["scaffolder"]), json!([])] {
            let filter = filter(&json!({ "pluginSources": sources })).unwrap();
            assert_eq!(allowed(&filter).count(), ALL.len());
        }
    }

    #[test]
    fn mistakes_are_told_with_key_and_file() {
        let rows = [
            (json!({"pluginSources": "catalog"}), "backend.actions.pluginSources"),
            (json!({"filter": {"include": ["catalog.*"]}}), "backend.actions.filter.include[0]"),
            (json!({"filter": {"exclude": {"id": "a"}}}), "backend.actions.filter.exclude"),
            (json!({"filter": {"include": [{}, {"id": 7}]}}), "backend.actions.filter.include[1].id"),
            (json!({"filter": {"include": [{"id": "a["}]}}), "backend.actions.filter.include[0].id"),
            (
                json!({"filter": {"exclude": [{"id": "catalog:+(un)register-*"}]}}),
                "backend.actions.filter.exclude[0].id",
            ),
            (
                json!({"filter": {"exclude": [{"attributes": true}]}}),
                "backend.actions.filter.exclude[0].attributes",
            ),
            (
                json!({"filter": {"exclude": [{"attributes": {"destructive": "perhaps"}}]}}),
                "backend.actions.filter.exclude[0].attributes.destructive",
            ),
        ];
        for (actions, key) in rows {
            let message = filter(&actions).unwrap_err().to_string();
            assert!(message.contains(&format!("'{key}'")), "{message}");
            assert!(message.contains("app-config.yaml"), "{message}");
        }
    }
}

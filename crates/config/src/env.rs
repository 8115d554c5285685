//! `APP_CONFIG_*` variables, the highest layer.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, map::Entry};

use crate::error::ConfigError;
use crate::key::is_part;
use crate::node::{Node, Place};

const PREFIX: &str = "APP_CONFIG_";

/// The layer's name in messages.
const CONTEXT: &str = "env";

/// The tree that the variables describe: `APP_CONFIG_a_b=…` is the key `a.b`, its value JSON if it parses as such and text
/// otherwise. None if there are no such variables.
pub(crate) fn layer(env: &BTreeMap<String, String>) -> Result<Option<Arc<Node>>, ConfigError> {
    let mut taken = Map::new();
    let mut root: Option<Arc<Node>> = None;
    for (variable, text) in env {
        let Some(key) = variable.strip_prefix(PREFIX).filter(|_| !text.is_empty()) else {
            continue;
        };
        let value = value(key, text)?;
        let parts: Vec<_> = key.split('_').collect();
        if !parts.iter().all(|part| is_part(part)) {
            return Err(error(format!("Invalid env config key '{key}'")));
        }
        insert(&mut taken, key, &parts, &value)?;
        let place = Place { context: CONTEXT.into(), file: variable.as_str().into(), position: None };
        let nested = parts
            .iter()
            .rev()
            .fold(value, |value, part| Value::Object(Map::from_iter([((*part).to_owned(), value)])));
        let node = Node::from_value(nested, &place);
        root = Some(root.map_or_else(|| Arc::clone(&node), |root| Node::merge(&root, &node)));
    }
    Ok(root)
}

fn value(key: &str, text: &str) -> Result<Value, ConfigError> {
    match serde_json::from_str(text) {
        Ok(Value::Null) => Err(error(format!(
            "Failed to parse JSON-serialized config value for key '{key}', Error: value may not be null"
        ))),
        Ok(value) => Ok(value),
        Err(_) => Ok(Value::String(text.to_owned())),
    }
}

/// Refuses variables that contradict each other: which of them won would depend on their order.
fn insert(
    root: &mut Map<String, Value>,
    key: &str,
    parts: &[&str],
    value: &Value,
) -> Result<(), ConfigError> {
    let Some((last, parents)) = parts.split_last() else {
        return Ok(());
    };
    let mut object = root;
    for (index, part) in parents.iter().enumerate() {
        let below = object.entry((*part).to_owned()).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(map) = below else {
            let existing = parts.iter().take(index + 1).copied().collect::<Vec<_>>().join("_");
            return Err(error(format!(
                "Could not nest config for key '{key}' under existing value '{existing}'"
            )));
        };
        object = map;
    }
    match object.entry((*last).to_owned()) {
        Entry::Vacant(vacant) => {
            vacant.insert(value.clone());
            Ok(())
        }
        Entry::Occupied(_) => Err(error(format!("Refusing to override existing config at key '{key}'"))),
    }
}

fn error(reason: String) -> ConfigError {
    ConfigError::Env { reason }
}

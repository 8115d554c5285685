//! When two answers are the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Where the wording of a JavaScript library begins, which is nobody's interface.
const LIBRARY_WORDING: [&str; 4] = ["YAMLParseError: ", "FetchError: ", "SyntaxError: ", "request to "];

/// Compares the answers to a dry run. The `Err` says where they part.
pub fn same_answer(ours: &Value, golden: &Value) -> Result<(), String> {
    if ours["status"] != golden["status"] {
        let why = [&ours["error"]["message"], &golden["error"]["message"]].map(Value::to_string).concat();
        return Err(format!("status {} instead of {}: {why}", ours["status"], golden["status"]));
    }
    match golden.get("error") {
        Some(error) => same_error(&ours["error"], error),
        None => same_entities(&ours["entities"], &golden["entities"]),
    }
}

/// Compares two lists of entities, whatever their order. The `Err` says where they part.
pub fn same_entities(ours: &Value, golden: &Value) -> Result<(), String> {
    let (ours, golden) = (by_ref(ours), by_ref(golden));
    let missing: Vec<_> = golden.keys().filter(|key| !ours.contains_key(*key)).collect();
    let surplus: Vec<_> = ours.keys().filter(|key| !golden.contains_key(*key)).collect();
    if !missing.is_empty() || !surplus.is_empty() {
        return Err(format!("missing {missing:?}, surplus {surplus:?}"));
    }
    for (entity_ref, entity) in &golden {
        if let Some(difference) = difference(&ours[entity_ref], entity, "") {
            return Err(format!("{entity_ref}: {difference}"));
        }
    }
    Ok(())
}

fn same_error(ours: &Value, golden: &Value) -> Result<(), String> {
    let message = |error: &Value| error["message"].as_str().unwrap_or_default().to_owned();
    let (our_text, golden_text) = (message(ours), message(golden));
    let cut = LIBRARY_WORDING.iter().filter_map(|wording| golden_text.find(wording)).min();
    let is_same = match cut {
        Some(length) => our_text.starts_with(&golden_text[..length]),
        None => our_text == golden_text,
    };
    if ours["name"] == golden["name"] && is_same {
        return Ok(());
    }
    Err(format!("\n  ours:   {} {our_text:?}\n  golden: {} {golden_text:?}", ours["name"], golden["name"]))
}

fn by_ref(entities: &Value) -> BTreeMap<String, Value> {
    let entities = entities.as_array().cloned().unwrap_or_default();
    let with_ref = |entity: Value| {
        let metadata = &entity["metadata"];
        let name =
            format!("{}:{}/{}", entity["kind"], metadata["namespace"], metadata["name"]).replace('"', "");
        (name.to_lowercase(), entity)
    };
    entities.into_iter().map(with_ref).collect()
}

/// The first place where two values differ.
fn difference(ours: &Value, golden: &Value, at: &str) -> Option<String> {
    match (ours, golden) {
        (Value::Object(ours), Value::Object(golden)) => difference_of_members(ours, golden, at),
        (Value::Array(ours), Value::Array(golden)) if ours.len() == golden.len() => {
            let pairs = ours.iter().zip(golden).enumerate();
            pairs.into_iter().find_map(|(index, (a, b))| difference(a, b, &format!("{at}/{index}")))
        }
        // `1` and `1.0` are one number in JavaScript.
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        _ => (ours != golden).then(|| format!("{at}: ours {ours}, golden {golden}")),
    }
}

fn difference_of_members(ours: &Map<String, Value>, golden: &Map<String, Value>, at: &str) -> Option<String> {
    if let Some(key) = ours.keys().find(|key| !golden.contains_key(*key)) {
        return Some(format!("{at}/{key} is surplus: {}", ours[key]));
    }
    golden.iter().find_map(|(key, golden)| match ours.get(key) {
        Some(ours) => difference(ours, golden, &format!("{at}/{key}")),
        None => Some(format!("{at}/{key} is missing: {golden}")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entities_are_compared_as_sets_and_whole() {
        let entity =
            |name: &str, title: &str| json!({"kind": "A", "metadata": {"name": name, "title": title}});
        let (a, b) = (entity("a", "x"), entity("b", "y"));
        assert_eq!(same_entities(&json!([a, b]), &json!([b, a])), Ok(()));
        let missing = same_entities(&json!([a]), &json!([b])).unwrap_err();
        assert_eq!(missing, "missing [\"a:null/b\"], surplus [\"a:null/a\"]");
        let other = same_entities(&json!([entity("a", "z")]), &json!([a])).unwrap_err();
        assert_eq!(other, "a:null/a: /metadata/title: ours \"z\", golden \"x\"");
    }

    #[test]
    fn errors_are_compared_up_to_the_wording_of_libraries() {
        let error =
            |message: &str| json!({"status": 400, "error": {"name": "InputError", "message": message}});
        let golden = error("Error: YAML error at url:x, YAMLParseError: Tabs");
        assert_eq!(same_answer(&error("Error: YAML error at url:x, a tab"), &golden), Ok(()));
        assert!(same_answer(&error("Error: YAML error at url:y, a tab"), &golden).is_err());
        assert!(same_answer(&error("a longer"), &error("a")).is_err());
    }
}

//! The same answers, found by looking at every entity: no dictionary, no postings, no virtual keys.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

/// A row, with the keys of items as rows of their own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
    pub(crate) original: Option<String>,
}

#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "a ref is a keyword")]
pub(crate) struct Entity {
    pub(crate) entity_ref: String,
    pub(crate) uid: String,
    pub(crate) rows: Vec<Row>,
}

const SPECIAL: &[&str] = &[
    "attachments",
    "relations",
    "status",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.etag",
];

/// The rows of an entity.
pub(crate) fn flatten(entity: &Value) -> Vec<Row> {
    let mut found: Vec<(String, Value)> = Vec::new();
    visit("", entity, &mut found);
    for name in ["name", "namespace", "uid"] {
        let value = &entity["metadata"][name];
        if !value.is_null() && value != "" {
            found.push((format!("metadata.{name}"), value.clone()));
        } else if name == "namespace" {
            found.push((format!("metadata.{name}"), Value::from("default")));
        }
    }
    for relation in entity["relations"].as_array().into_iter().flatten() {
        let kind = relation["type"].as_str().unwrap();
        found.push((format!("relations.{kind}"), relation["targetRef"].clone()));
    }
    let mut rows: Vec<Row> = Vec::new();
    for (key, value) in found {
        let key = key.to_lowercase();
        if key.encode_utf16().count() > 200 {
            continue;
        }
        let original = text(&value).filter(|text| text.to_lowercase().encode_utf16().count() <= 200);
        let value = original.as_ref().map(|text| text.to_lowercase());
        if !rows.iter().any(|row| row.key == key && row.value == value) {
            rows.push(Row { key, value, original });
        }
    }
    rows
}

fn visit(path: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    if SPECIAL.contains(&path) {
        return;
    }
    match value {
        Value::Array(items) => {
            for item in items {
                visit(path, item, found);
                let Value::String(text) = item else { continue };
                let key = format!("{path}.{text}");
                let is_there = found
                    .iter()
                    .any(|(other, value)| other.to_lowercase() == key.to_lowercase() && *value == true);
                if !is_there {
                    found.push((key, Value::Bool(true)));
                }
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                visit(&path, value, found);
            }
        }
        scalar => found.push((path.to_owned(), scalar.clone())),
    }
}

pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

impl Entity {
    pub(crate) fn values(&self, key: &str) -> Vec<&str> {
        self.rows.iter().filter(|row| row.key == key).filter_map(|row| row.value.as_deref()).collect()
    }

    /// Whether it fulfils a predicate, given as JSON.
    pub(crate) fn fulfils(&self, query: &Value) -> bool {
        let members = query.as_object().unwrap();
        members.iter().all(|(name, value)| match name.as_str() {
            "$all" => value.as_array().unwrap().iter().all(|inner| self.fulfils(inner)),
            "$any" => value.as_array().unwrap().iter().any(|inner| self.fulfils(inner)),
            "$not" => !self.fulfils(value),
            field => self.passes(&field.to_lowercase(), value),
        })
    }

    fn passes(&self, key: &str, test: &Value) -> bool {
        let has = |value: &Value| self.values(key).contains(&&*text(value).unwrap().to_lowercase());
        if let Some(exists) = test.get("$exists") {
            return self.rows.iter().any(|row| row.key == key) == exists.as_bool().unwrap();
        }
        if let Some(choice) = test.get("$in") {
            return choice.as_array().unwrap().iter().any(has);
        }
        if let Some(prefix) = test.get("$hasPrefix") {
            let prefix = prefix.as_str().unwrap().to_lowercase();
            return self.values(key).iter().any(|value| value.starts_with(&prefix));
        }
        match test.get("$contains") {
            Some(relation @ Value::Object(_)) => {
                let part = |name: &str| {
                    let mut members = relation.as_object().unwrap().iter();
                    members.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
                };
                let key = format!("relations.{}", part("type").unwrap().as_str().unwrap().to_lowercase());
                match part("targetRef") {
                    Some(target) => self.passes(&key, target),
                    None => self.rows.iter().any(|row| row.key == key),
                }
            }
            Some(value) => has(value),
            None => has(test),
        }
    }

    pub(crate) fn contains_text(&self, term: &str, fields: &[String]) -> bool {
        let term = term.trim().to_lowercase();
        term.is_empty()
            || fields
                .iter()
                .any(|field| self.values(&field.to_lowercase()).iter().any(|value| value.contains(&term)))
    }

    /// The value that it is ordered by.
    pub(crate) fn place(&self, key: &str, descending: bool) -> Option<&str> {
        let values = self.values(key).into_iter();
        if descending { values.max() } else { values.min() }
    }
}

/// Orders as by-query does; whoever has no value is left out.
pub(crate) fn by_value<'a>(entities: &[&'a Entity], key: Option<&str>, descending: bool) -> Vec<&'a Entity> {
    let mut rows: Vec<(&str, &str, &Entity)> = entities
        .iter()
        .filter_map(|entity| {
            let value = match key {
                Some(key) => entity.place(key, descending)?,
                None => "",
            };
            Some((value, entity.uid.as_str(), *entity))
        })
        .collect();
    rows.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    if descending {
        rows.reverse();
    }
    rows.into_iter().map(|(_, _, entity)| entity).collect()
}

/// Orders as `GET /entities` does in parts: by several keys, where whoever has no value comes last, then by uid.
pub(crate) fn by_values<'a>(entities: &[&'a Entity], order: &[(String, bool)]) -> Vec<&'a Entity> {
    let mut entities = entities.to_vec();
    if order.is_empty() {
        entities.sort_by(|a, b| a.entity_ref.cmp(&b.entity_ref));
        return entities;
    }
    entities.sort_by(|a, b| {
        for (key, descending) in order {
            let both = (a.place(key, *descending), b.place(key, *descending));
            let ordering = match both {
                (Some(a), Some(b)) if *descending => b.cmp(a),
                (Some(a), Some(b)) => a.cmp(b),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            };
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        a.uid.cmp(&b.uid)
    });
    entities
}

pub(crate) fn facet(entities: &[&Entity], key: &str) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for entity in entities {
        for row in entity.rows.iter().filter(|row| row.key == key) {
            if let Some(original) = &row.original {
                *counts.entry(original.clone()).or_default() += 1;
            }
        }
    }
    counts.into_iter().collect()
}

//! What people, proxies and attackers do to texts and JSON on the way.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index as Place, select};
use serde_json::{Map, Value, json};

/// Words that some parser looks for.
const WORDS: &[&str] = &[
    "$all",
    "$any",
    "$not",
    "$in",
    "$exists",
    "$contains",
    "$hasPrefix",
    "type",
    "targetRef",
    "relations",
    "kind",
    "key",
    "values",
    "not",
    "anyOf",
    "allOf",
    "orderFields",
    "isPrevious",
    "orderFieldValues",
    "query",
    "filter",
    "fullTextFilter",
    "firstSortFieldValues",
    "totalItems",
    "field",
    "order",
    "term",
    "fields",
    "limit",
    "offset",
    "asc",
    "desc",
    "metadata",
    "metadata.tags",
    "metadata.tags.java",
    "spec",
    "true",
];

const SIGNS: &[&str] = &[
    ",",
    "=",
    ".",
    ":",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\\",
    "$",
    " ",
    "\n",
    "\u{feff}",
    "\0",
    "%",
    "_",
    "-",
    "+",
    "/",
    "0",
    "1",
    "-1",
    "1e999",
    "9007199254740993",
    "1.5",
    "null",
    "\u{3a3}",
    "\u{130}",
    "\u{1f600}",
    "\u{2028}",
    "a",
    "Z",
];

/// A text of what parsers look for.
pub(crate) fn soup() -> impl Strategy<Value = String> {
    vec(prop_oneof![3 => select(SIGNS), 2 => select(WORDS)], 0..40).prop_map(|parts| parts.concat())
}

pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        select(WORDS).prop_map(Value::from),
        ".{0,4}".prop_map(Value::from),
        (0..300_usize).prop_map(|len| Value::from("x".repeat(len))),
    ];
    leaf.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((prop_oneof![4 => select(WORDS).prop_map(str::to_owned), 1 => ".{0,4}"], inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

#[derive(Debug, Clone)]
pub(crate) enum TextEdit {
    Remove(Place, usize),
    Insert(Place, String),
    Repeat(Place, usize),
    Cut(Place),
}

pub(crate) fn text_edits() -> impl Strategy<Value = Vec<TextEdit>> {
    let edit = prop_oneof![
        (any::<Place>(), 1..6_usize).prop_map(|(at, len)| TextEdit::Remove(at, len)),
        (any::<Place>(), soup().prop_map(|text| text.chars().take(8).collect()))
            .prop_map(|(at, text)| TextEdit::Insert(at, text)),
        (any::<Place>(), 2..200_usize).prop_map(|(at, times)| TextEdit::Repeat(at, times)),
        any::<Place>().prop_map(TextEdit::Cut),
    ];
    vec(edit, 1..4)
}

pub(crate) fn edit_text(text: &str, edits: &[TextEdit]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for edit in edits {
        let at = |place: &Place| place.index(chars.len() + 1);
        match edit {
            TextEdit::Remove(place, len) => {
                let at = at(place);
                chars.drain(at..(at + len).min(chars.len()));
            }
            TextEdit::Insert(place, text) => {
                let at = at(place);
                chars.splice(at..at, text.chars());
            }
            TextEdit::Repeat(place, times) => {
                let at = at(place);
                let part: Vec<char> = chars.iter().skip(at).take(10).copied().collect();
                chars.splice(at..at, part.repeat(*times));
            }
            TextEdit::Cut(place) => chars.truncate(at(place)),
        }
    }
    chars.into_iter().collect()
}

#[derive(Debug, Clone)]
pub(crate) enum JsonEdit {
    Replace(Place, Value),
    Remove(Place),
    Rename(Place, String),
    Wrap(Place, usize, bool),
}

pub(crate) fn json_edits() -> impl Strategy<Value = Vec<JsonEdit>> {
    let name = prop_oneof![3 => select(WORDS).prop_map(str::to_owned), 1 => ".{0,4}"];
    let edit = prop_oneof![
        3 => (any::<Place>(), any_json()).prop_map(|(at, value)| JsonEdit::Replace(at, value)),
        1 => any::<Place>().prop_map(JsonEdit::Remove),
        1 => (any::<Place>(), name).prop_map(|(at, name)| JsonEdit::Rename(at, name)),
        1 => (any::<Place>(), 1..130_usize, any::<bool>()).prop_map(|(at, times, list)| JsonEdit::Wrap(at, times, list)),
    ];
    vec(edit, 1..3)
}

pub(crate) fn edit_json(value: &Value, edits: &[JsonEdit]) -> Value {
    let mut value = value.clone();
    for edit in edits {
        let (JsonEdit::Replace(place, _)
        | JsonEdit::Remove(place)
        | JsonEdit::Rename(place, _)
        | JsonEdit::Wrap(place, ..)) = edit;
        let mut at = place.index(count(&value));
        apply(&mut value, &mut at, edit);
    }
    value
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Applies an edit to the value that is `at` steps from here. Whether it was here.
fn apply(value: &mut Value, at: &mut usize, edit: &JsonEdit) -> bool {
    if *at == 0 {
        match edit {
            JsonEdit::Replace(_, other) => *value = other.clone(),
            JsonEdit::Wrap(_, times, list) => {
                for _ in 0..*times {
                    let inner = value.take();
                    *value = if *list { json!([inner]) } else { json!({ "$not": inner }) };
                }
            }
            JsonEdit::Remove(_) | JsonEdit::Rename(..) => *value = Value::Null,
        }
        return true;
    }
    match value {
        Value::Array(items) => {
            for place in 0..items.len() {
                *at -= 1;
                if *at == 0 && matches!(edit, JsonEdit::Remove(_)) {
                    items.remove(place);
                    return true;
                }
                if items.get_mut(place).is_some_and(|item| apply(item, at, edit)) {
                    return true;
                }
            }
            false
        }
        Value::Object(members) => {
            let names: Vec<String> = members.keys().cloned().collect();
            names.iter().any(|name| {
                *at -= 1;
                match edit {
                    JsonEdit::Remove(_) if *at == 0 => members.remove(name).is_some(),
                    JsonEdit::Rename(_, other) if *at == 0 => {
                        let value = members.remove(name).unwrap_or_default();
                        members.insert(other.clone(), value);
                        true
                    }
                    _ => members.get_mut(name).is_some_and(|member| apply(member, at, edit)),
                }
            })
        }
        _ => false,
    }
}

//! Writes compact JSON into a growing string.
//!
//! The result is that of `serde_json`, byte for byte. Unlike there, nothing here can fail, and what was written so far
//! can be looked at in between.

use serde_json::{Map, Value};

use crate::text::js_cmp;

/// Appends a value.
pub(crate) fn push_value(json: &mut String, value: &Value) {
    match value {
        Value::Null => json.push_str("null"),
        Value::Bool(true) => json.push_str("true"),
        Value::Bool(false) => json.push_str("false"),
        Value::Number(number) => json.push_str(&number.to_string()),
        Value::String(text) => push_str(json, text),
        Value::Array(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                push_value(json, item);
            }
            json.push(']');
        }
        Value::Object(map) => push_object(json, map, |json, _, value| push_value(json, value)),
    }
}

/// The JSON of a value with the keys of all objects sorted by UTF-16 code units, without blanks.
///
/// Values that differ in the order of keys alone have the same text, so it can tell whether content changed.
pub fn stable_json(value: &Value) -> String {
    let mut json = String::new();
    push_stable(&mut json, value);
    json
}

fn push_stable(json: &mut String, value: &Value) {
    match value {
        Value::Array(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                push_stable(json, item);
            }
            json.push(']');
        }
        Value::Object(map) => {
            let mut members: Vec<(&String, &Value)> = map.iter().collect();
            members.sort_by(|(a, _), (b, _)| js_cmp(a, b));
            push_members(json, members, |json, _, value| push_stable(json, value));
        }
        scalar => push_value(json, scalar),
    }
}

/// Appends an object, of which the caller writes the values.
pub(crate) fn push_object(
    json: &mut String,
    map: &Map<String, Value>,
    push_member: impl FnMut(&mut String, &str, &Value),
) {
    push_members(json, map, push_member);
}

fn push_members<'a>(
    json: &mut String,
    members: impl IntoIterator<Item = (&'a String, &'a Value)>,
    mut push_member: impl FnMut(&mut String, &str, &Value),
) {
    json.push('{');
    for (index, (key, value)) in members.into_iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        push_str(json, key);
        json.push(':');
        push_member(json, key, value);
    }
    json.push('}');
}

/// Appends a text as a JSON string.
pub(crate) fn push_str(json: &mut String, text: &str) {
    json.push('"');
    let mut rest = text;
    // Texts can be whole API definitions, so what needs no escape is copied in runs.
    while let Some(at) = rest.bytes().position(|b| b < b' ' || b == b'"' || b == b'\\') {
        let (plain, from_escape) = rest.split_at(at);
        json.push_str(plain);
        let mut chars = from_escape.chars();
        chars.next().into_iter().for_each(|c| push_escaped(json, c));
        rest = chars.as_str();
    }
    json.push_str(rest);
    json.push('"');
}

fn push_escaped(json: &mut String, c: char) {
    match c {
        '"' => json.push_str("\\\""),
        '\\' => json.push_str("\\\\"),
        '\n' => json.push_str("\\n"),
        '\r' => json.push_str("\\r"),
        '\t' => json.push_str("\\t"),
        '\u{8}' => json.push_str("\\b"),
        '\u{c}' => json.push_str("\\f"),
        // Only control characters are left, which have two hex digits.
        other => {
            let code = u32::from(other);
            json.push_str("\\u00");
            json.extend([code >> 4, code & 0xf].into_iter().filter_map(|digit| char::from_digit(digit, 16)));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn writes_what_serde_json_writes() {
        let all_low: String = (0..0x90_u8).map(char::from).collect();
        for value in [
            json!(null),
            json!([true, false, 0, -1, 1.5, 1e300, u64::MAX, i64::MIN, 1e-7, -0.0]),
            json!({}),
            json!([]),
            json!({"": {"a\"b\\": [[], {}, ""]}, "ü😀\u{2028}": all_low}),
        ] {
            let mut json = String::new();
            push_value(&mut json, &value);
            assert_eq!(json, serde_json::to_string(&value).unwrap());
        }
    }

    #[test]
    fn stable_texts_ignore_the_order_of_keys_only() {
        let one = json!({"b": [{"y": 1, "x": "\n"}], "a": null, "\u{ff5e}": 1, "\u{1f600}": 2});
        assert_eq!(
            stable_json(&one),
            "{\"a\":null,\"b\":[{\"x\":\"\\n\",\"y\":1}],\"\u{1f600}\":2,\"\u{ff5e}\":1}"
        );
        assert_ne!(stable_json(&json!([1, 2])), stable_json(&json!([2, 1])));
    }
}

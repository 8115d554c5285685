//! Mapping keys that are no strings, as JavaScript makes object keys of them.
//!
//! Collections as keys are no curiosity: `{{ name }}` of a template that was never rendered is a mapping inside of a
//! mapping's key, and the text made of it shows up in entities and error messages.

use saphyr_parser::ScalarStyle;
use serde_json::Value;

use crate::number::js_number_text;

/// Widest flow collection, in UTF-16 units, that the JavaScript library writes on one line.
const FLOW_LINE_MAX: usize = 80;

/// A null is the empty key, a scalar its text, a collection its text in flow style.
pub(crate) fn key_of(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => js_number_text(float),
            _ => number.to_string(),
        },
        Value::String(text) => text,
        collection => flow_text(&collection, 0),
    }
}

/// The source text of a scalar inside of a collection that is a key. Such scalars are only ever written out again, so
/// that `{ 1.0 }` and `{ 'x' }` keep their spelling.
pub(crate) fn source_text(text: &str, style: ScalarStyle) -> String {
    match style {
        ScalarStyle::Plain => text.to_owned(),
        ScalarStyle::SingleQuoted => format!("'{}'", text.replace('\'', "''")),
        ScalarStyle::DoubleQuoted | ScalarStyle::Literal | ScalarStyle::Folded => {
            Value::String(text.to_owned()).to_string()
        }
    }
}

// Recursion is bounded by the depth limit that the value has been built under.
fn flow_text(value: &Value, indent: usize) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| flow_text(item, indent + 2)).collect();
            flow_lines('[', &items, ']', indent)
        }
        Value::Object(map) => {
            let entries: Vec<_> =
                map.iter().map(|(key, value)| flow_entry(key, &flow_text(value, indent + 2))).collect();
            flow_lines('{', &entries, '}', indent)
        }
        Value::Null => "null".to_owned(),
        scalar => key_of(scalar.clone()),
    }
}

fn flow_entry(key: &str, value: &str) -> String {
    let mark = if key.starts_with(['{', '[']) { "? " } else { "" };
    if value.is_empty() { format!("{mark}{key}") } else { format!("{mark}{key}: {value}") }
}

fn flow_lines(open: char, items: &[String], close: char, indent: usize) -> String {
    if items.is_empty() {
        return format!("{open}{close}");
    }
    // The library counts each separating comma twice; its line breaks are part of the key, so this does too.
    let width: usize = items.iter().map(|item| item.encode_utf16().count() + ", ".len()).sum();
    if width + items.len() < FLOW_LINE_MAX && !items.iter().any(|item| item.contains('\n')) {
        return format!("{open} {} {close}", items.join(", "));
    }
    let outer = " ".repeat(indent);
    let inner = format!(",\n{outer}  ");
    format!("{open}\n{outer}  {}\n{outer}{close}", items.join(&inner))
}

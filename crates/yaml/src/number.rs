//! Numbers as JavaScript has them and as its `JSON.stringify` and `String` write them.

use serde_json::{Number, Value};

/// The JSON value that JavaScript's `JSON.stringify` writes for a number: integral values without fraction (`1.0` is
/// `1`), large integers as their shortest digits padded with zeros (12345678901234567890 is 12345678901234567000),
/// infinities and NaN as null.
#[must_use]
pub fn js_number(number: f64) -> Value {
    // Display writes the shortest digits that read back as the same number, never an exponent.
    let text = number.to_string();
    if let Ok(integer) = text.parse::<i64>() {
        return Value::Number(integer.into());
    }
    if let Ok(integer) = text.parse::<u64>() {
        return Value::Number(integer.into());
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// The text of JavaScript's `String(number)`, which is what a number becomes as an object key.
pub(crate) fn js_number_text(number: f64) -> String {
    let magnitude = number.abs();
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else if magnitude == 0.0 {
        "0".to_owned()
    } else if magnitude >= 1e21 {
        format!("{number:e}").replacen('e', "e+", 1)
    } else if magnitude < 1e-6 {
        format!("{number:e}")
    } else {
        number.to_string()
    }
}

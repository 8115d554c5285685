//! Durations as people write them in configuration.

use std::time::Duration;

use serde_json::{Map, Value};

/// Seconds of one of each member of a duration object. A month has 30 days and a year 365, as in Backstage.
const UNITS: [(&str, f64); 8] = [
    ("years", 365.0 * 86_400.0),
    ("months", 30.0 * 86_400.0),
    ("weeks", 7.0 * 86_400.0),
    ("days", 86_400.0),
    ("hours", 3_600.0),
    ("minutes", 60.0),
    ("seconds", 1.0),
    ("milliseconds", 0.001),
];

const NO_TEXT_FORM: &str =
    "Not a valid duration string, try a number followed by a unit such as '1d' or '2 seconds'";
const NO_ISO_FORM: &str =
    "Invalid ISO format, expected a value similar to 'P2DT6H' (2 days 6 hours) or 'PT1M' (1 minute)";
const NEGATIVE: &str = "Negative durations are not allowed";
const TOO_LONG: &str = "The duration is too long";

/// Reads a duration: ISO 8601 (`PT30M`), a number with one unit (`30m`, `1.5 hours`), or an object of `years`,
/// `months`, `weeks`, `days`, `hours`, `minutes`, `seconds` and `milliseconds`.
///
/// # Errors
/// What is wrong with it, without the key. Plain numbers, several units in a text, and negative durations are refused.
pub fn parse_duration(value: &Value) -> Result<Duration, String> {
    match value {
        Value::String(text) => text_duration(text),
        Value::Object(map) => object_duration(map),
        Value::Number(_) => {
            Err("The value cannot be a plain number; try adding a unit like 'ms' or 'seconds'".to_owned())
        }
        Value::Null | Value::Bool(_) | Value::Array(_) => {
            Err("Expected a duration text or object".to_owned())
        }
    }
}

fn text_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if let Some(iso) = text.strip_prefix('P') {
        return iso_duration(iso);
    }
    if text.starts_with('-') {
        return Err(NEGATIVE.to_owned());
    }
    let unit_start =
        text.find(|symbol: char| !symbol.is_ascii_digit() && symbol != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_start);
    let number = number_of(number).ok_or(NO_TEXT_FORM)?;
    let unit = unit.trim_start().to_ascii_lowercase();
    let seconds = match unit.as_str() {
        "" => {
            return Err(
                "The value cannot be a plain number; try adding a unit like 'ms' or 'seconds'".to_owned()
            );
        }
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 7.0 * 86_400.0,
        "y" | "yr" | "yrs" | "year" | "years" => 365.0 * 86_400.0,
        _ => return Err(NO_TEXT_FORM.to_owned()),
    };
    from_seconds(number * seconds)
}

/// Digits, with a fraction if digits follow the point.
fn number_of(text: &str) -> Option<f64> {
    let whole_or_fraction = match text.split_once('.') {
        Some((_, fraction)) => !fraction.is_empty() && !fraction.contains('.'),
        None => !text.is_empty(),
    };
    whole_or_fraction.then(|| text.parse().ok()).flatten()
}

/// What follows the `P`: units in descending order, those of time behind a `T`.
fn iso_duration(text: &str) -> Result<Duration, String> {
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    let date_units =
        [('Y', 365.0 * 86_400.0), ('M', 30.0 * 86_400.0), ('W', 7.0 * 86_400.0), ('D', 86_400.0)];
    let time_units = [('H', 3_600.0), ('M', 60.0), ('S', 1.0)];
    if date.is_empty() && time.is_empty() {
        return Err("Invalid ISO format, no values given".to_owned());
    }
    from_seconds(iso_part(date, &date_units)? + iso_part(time, &time_units)?)
}

fn iso_part(text: &str, units: &[(char, f64)]) -> Result<f64, String> {
    let mut seconds = 0.0;
    let mut units = units.iter();
    let mut rest = text;
    while !rest.is_empty() {
        if rest.starts_with('-') {
            return Err(NEGATIVE.to_owned());
        }
        let end = rest.find(|symbol: char| symbol.is_ascii_alphabetic()).ok_or(NO_ISO_FORM)?;
        let (number, tail) = rest.split_at(end);
        let mut tail = tail.chars();
        let letter = tail.next();
        let (_, unit) = units.find(|(unit, _)| Some(*unit) == letter).ok_or(NO_ISO_FORM)?;
        // Seconds alone may have a decimal comma, as in Backstage.
        let number = if letter == Some('S') { number.replacen(',', ".", 1) } else { number.to_owned() };
        if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(NO_ISO_FORM.to_owned());
        }
        seconds += number_of(&number).ok_or(NO_ISO_FORM)? * unit;
        rest = tail.as_str();
    }
    Ok(seconds)
}

fn object_duration(map: &Map<String, Value>) -> Result<Duration, String> {
    let known = UNITS.map(|(name, _)| format!("'{name}'")).join(", ");
    let mut seconds = 0.0;
    let mut count = 0;
    for (name, value) in map.iter().filter(|(_, value)| !value.is_null()) {
        let Some((_, unit)) = UNITS.iter().find(|(unit, _)| unit == name) else {
            return Err(format!("Unknown property '{name}'; expected one or more of {known}"));
        };
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        };
        let number = number.ok_or_else(|| format!("The value of '{name}' is not a number"))?;
        if number < 0.0 {
            return Err(NEGATIVE.to_owned());
        }
        seconds += number * unit;
        count += 1;
    }
    if count == 0 {
        return Err(format!("Needs one or more of {known}"));
    }
    from_seconds(seconds)
}

/// Rounds to microseconds, where the sum of binary fractions is the decimal one that was meant.
fn from_seconds(seconds: f64) -> Result<Duration, String> {
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| TOO_LONG.to_owned())?;
    let micros =
        u64::try_from(duration.as_nanos().saturating_add(500) / 1_000).map_err(|_| TOO_LONG.to_owned())?;
    Ok(Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_forms_are_read() {
        let day = 86_400_000;
        let table = [
            (json!("30m"), 1_800_000),
            (json!("30 minutes"), 1_800_000),
            (json!("30 mins"), 1_800_000),
            (json!("5  m"), 300_000),
            (json!(" 5m "), 300_000),
            (json!("1 M"), 60_000),
            (json!("10S"), 10_000),
            (json!("1.5h"), 5_400_000),
            (json!(".5h"), 1_800_000),
            (json!("2 hrs"), 7_200_000),
            (json!("3 d"), 3 * day),
            (json!("2w"), 14 * day),
            (json!("1 year"), 365 * day),
            (json!("5ms"), 5),
            (json!("PT30M"), 1_800_000),
            (json!("PT1.5H"), 5_400_000),
            (json!(" PT30M "), 1_800_000),
            (json!("PT1,5S"), 1_500),
            (json!("P1W2D"), 9 * day),
            (json!("P1.5D"), 36 * 3_600_000),
            (json!("P1DT"), day),
            (json!("P1Y2M3DT4H5M6.5S"), (365 + 60 + 3) * day + 14_706_500),
            (json!("PT0S"), 0),
            (json!({ "minutes": 5 }), 300_000),
            (json!({ "minutes": "5", "seconds": 1.5 }), 301_500),
            (json!({ "years": 1, "months": 2, "weeks": 1, "days": 1, "milliseconds": 7 }), 433 * day + 7),
        ];
        for (value, millis) in table {
            assert_eq!(parse_duration(&value), Ok(Duration::from_millis(millis)), "{value}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        let table = [
            (json!("1h 30m"), NO_TEXT_FORM),
            (json!("30"), "The value cannot be a plain number; try adding a unit like 'ms' or 'seconds'"),
            (json!(30), "The value cannot be a plain number; try adding a unit like 'ms' or 'seconds'"),
            (json!("-5m"), NEGATIVE),
            (json!("pt30m"), NO_TEXT_FORM),
            (json!("-PT30M"), NEGATIVE),
            (json!("P-1D"), NEGATIVE),
            (json!("P"), "Invalid ISO format, no values given"),
            (json!("PT"), "Invalid ISO format, no values given"),
            (json!("PT1M1H"), NO_ISO_FORM),
            (json!("P1S"), NO_ISO_FORM),
            (json!("P1"), NO_ISO_FORM),
            (json!("PT1H30"), NO_ISO_FORM),
            (json!("PT1,5H"), NO_ISO_FORM),
            (json!("PT1,5,5S"), NO_ISO_FORM),
            (json!("1 month"), NO_TEXT_FORM),
            (json!("1.h"), NO_TEXT_FORM),
            (json!("1e3s"), NO_TEXT_FORM),
            (json!("1,5h"), NO_TEXT_FORM),
            (json!("0 * * * *"), NO_TEXT_FORM),
            (json!("soon"), NO_TEXT_FORM),
            (json!({ "minutes": -5 }), NEGATIVE),
            (json!({ "minutes": "x" }), "The value of 'minutes' is not a number"),
            (json!(format!("{}y", "9".repeat(30))), TOO_LONG),
            (json!(true), "Expected a duration text or object"),
        ];
        for (value, expected) in table {
            assert_eq!(parse_duration(&value), Err(expected.to_owned()), "{value}");
        }
        assert!(parse_duration(&json!({})).unwrap_err().starts_with("Needs one or more of 'years', "));
        assert!(
            parse_duration(&json!({ "minute": 1 })).unwrap_err().starts_with("Unknown property 'minute'; ")
        );
    }
}

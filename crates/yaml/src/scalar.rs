//! The core schema: what a scalar's text means.

use std::borrow::Cow;

use saphyr_parser::{ScalarStyle, Tag};
use serde_json::{Value, json};

use crate::base64::decode_lenient;
use crate::number::{js_number, js_number_text};

/// The prefix that `!!` stands for.
const CORE_TAG_PREFIX: &str = "tag:yaml.org,2002:";

/// Longest run of digits that is an exact integer in JavaScript whatever the digits are.
const EXACT_DIGITS_MAX: usize = 15;

/// Which spelling of booleans and integers a document uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1_1,
    V1_2,
}

/// A resolved scalar, kept apart from JSON since a key of `.inf` is `"Infinity"` where a value of it is null.
#[derive(Debug)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Cow<'a, str>),
    Binary(Vec<u8>),
}

impl<'a> Scalar<'a> {
    pub(crate) fn resolve(
        text: Cow<'a, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        version: Version,
    ) -> Self {
        let resolved = match tag {
            None if style == ScalarStyle::Plain => plain(&text, version),
            None => None,
            Some(tag) => match core_tag(tag).as_deref() {
                Some("null") => null(&text),
                Some("bool") => boolean(&text, version),
                Some("int") => integer(&text, version),
                Some("float") => float(&text),
                Some("binary") => Some(Scalar::Binary(decode_lenient(&text))),
                _ => None,
            },
        };
        resolved.unwrap_or(Self::Text(text))
    }

    pub(crate) fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(flag),
            Self::Integer(number) => Value::Number(number.into()),
            Self::Float(number) => js_number(number),
            Self::Text(text) => Value::String(text.into_owned()),
            // What JSON.stringify makes of a Buffer.
            Self::Binary(bytes) => json!({ "type": "Buffer", "data": bytes }),
        }
    }

    pub(crate) fn into_key(self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(flag) => flag.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => js_number_text(number),
            Self::Text(text) => text.into_owned(),
            Self::Binary(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

/// The name of a tag of the core schema and its companions, such as `int` of `!!int`.
pub(crate) fn core_tag(tag: &Tag) -> Option<Cow<'_, str>> {
    if tag.handle == CORE_TAG_PREFIX {
        return Some(Cow::Borrowed(&tag.suffix));
    }
    let full = format!("{}{}", tag.handle, tag.suffix);
    full.strip_prefix(CORE_TAG_PREFIX).map(|name| Cow::Owned(name.to_owned()))
}

fn plain(text: &str, version: Version) -> Option<Scalar<'static>> {
    let Some(first) = text.as_bytes().first() else {
        return Some(Scalar::Null);
    };
    match first {
        b'0'..=b'9' | b'+' | b'-' | b'.' => integer(text, version).or_else(|| float(text)),
        b'~' | b'n' | b'N' => null(text).or_else(|| boolean(text, version)),
        b't' | b'T' | b'f' | b'F' => boolean(text, version),
        b'y' | b'Y' | b'o' | b'O' if version == Version::V1_1 => boolean(text, version),
        _ => None,
    }
}

fn null(text: &str) -> Option<Scalar<'static>> {
    matches!(text, "" | "~" | "null" | "Null" | "NULL").then_some(Scalar::Null)
}

fn boolean(text: &str, version: Version) -> Option<Scalar<'static>> {
    match text {
        "true" | "True" | "TRUE" => Some(Scalar::Bool(true)),
        "false" | "False" | "FALSE" => Some(Scalar::Bool(false)),
        _ if version == Version::V1_2 => None,
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(Scalar::Bool(true)),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(Scalar::Bool(false)),
        _ => None,
    }
}

fn integer(text: &str, version: Version) -> Option<Scalar<'static>> {
    match version {
        Version::V1_1 => integer_1_1(text),
        Version::V1_2 => {
            if let Some(digits) = text.strip_prefix("0x") {
                return radix(digits, 16, 1.0);
            }
            if let Some(digits) = text.strip_prefix("0o") {
                return radix(digits, 8, 1.0);
            }
            decimal(text)
        }
    }
}

/// YAML 1.1: a leading zero is octal, `0b` binary, underscores group digits.
fn integer_1_1(text: &str) -> Option<Scalar<'static>> {
    let (sign, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if !magnitude.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let digits = magnitude.replace('_', "");
    let prefixed = [("0x", 16), ("0b", 2), ("0", 8)];
    prefixed
        .into_iter()
        .filter_map(|(prefix, base)| digits.strip_prefix(prefix).map(|rest| (rest, base)))
        .find_map(|(rest, base)| radix(rest, base, sign))
        .or_else(|| decimal(&digits).map(|scalar| if sign < 0.0 { negated(scalar) } else { scalar }))
}

fn negated(scalar: Scalar<'static>) -> Scalar<'static> {
    match scalar {
        Scalar::Integer(number) => Scalar::Integer(-number),
        Scalar::Float(number) => Scalar::Float(-number),
        other => other,
    }
}

fn radix(digits: &str, base: u32, sign: f64) -> Option<Scalar<'static>> {
    if digits.is_empty() {
        return None;
    }
    let mut number = 0.0;
    for digit in digits.chars() {
        number = number * f64::from(base) + f64::from(digit.to_digit(base)?);
    }
    Some(Scalar::Float(sign * number))
}

fn decimal(text: &str) -> Option<Scalar<'static>> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if digits.len() <= EXACT_DIGITS_MAX {
        return text.parse().ok().map(Scalar::Integer);
    }
    text.parse().ok().map(Scalar::Float)
}

fn float(text: &str) -> Option<Scalar<'static>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    match unsigned {
        ".inf" | ".Inf" | ".INF" => {
            let infinity = if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY };
            return Some(Scalar::Float(infinity));
        }
        ".nan" | ".NaN" | ".NAN" if unsigned.len() == text.len() => return Some(Scalar::Float(f64::NAN)),
        _ => {}
    }
    is_float(unsigned).then(|| text.parse().ok().map(Scalar::Float)).flatten()
}

/// `.5`, `1.`, `1.5`, each with or without an exponent, and `1e3`; not the plain integers.
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && all_digits(fraction),
        Some((whole, fraction)) => all_digits(whole) && all_digits(fraction),
        None => exponent.is_some() && !mantissa.is_empty() && all_digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    mantissa_fits && exponent_fits
}

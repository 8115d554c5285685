//! Typed reads, with the conversions and messages of Backstage.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::config::Config;
use crate::duration::parse_duration;
use crate::error::ConfigError;
use crate::node::{Content, Node};
use crate::secret::Secret;

impl Config {
    /// # Errors
    /// Absent, or no text, or an empty one.
    pub fn get_str(&self, key: &str) -> Result<String, ConfigError> {
        self.required(key, self.get_opt_str(key)?)
    }

    /// # Errors
    /// No text, or an empty one.
    pub fn get_opt_str(&self, key: &str) -> Result<Option<String>, ConfigError> {
        let Some(node) = self.find(key)? else {
            return Ok(None);
        };
        match &node.content {
            Content::Scalar(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            _ => Err(self.type_error(key, node, "string")),
        }
    }

    /// A text that must not be seen.
    ///
    /// # Errors
    /// As [`Config::get_str`].
    pub fn get_secret(&self, key: &str) -> Result<Secret, ConfigError> {
        self.get_str(key).map(Secret::new)
    }

    /// A text that must not be seen.
    ///
    /// # Errors
    /// As [`Config::get_opt_str`].
    pub fn get_opt_secret(&self, key: &str) -> Result<Option<Secret>, ConfigError> {
        Ok(self.get_opt_str(key)?.map(Secret::new))
    }

    /// # Errors
    /// Absent, or neither a number nor a text that reads as one.
    pub fn get_f64(&self, key: &str) -> Result<f64, ConfigError> {
        self.required(key, self.get_opt_f64(key)?)
    }

    /// A number, or a text that JavaScript would read as one; the empty text is 0.
    ///
    /// # Errors
    /// Neither.
    pub fn get_opt_f64(&self, key: &str) -> Result<Option<f64>, ConfigError> {
        let Some(node) = self.find(key)? else {
            return Ok(None);
        };
        let number = match &node.content {
            Content::Scalar(Value::Number(number)) => number.as_f64(),
            Content::Scalar(Value::String(text)) => js_number_of(text),
            _ => return Err(self.type_error(key, node, "number")),
        };
        number.map(Some).ok_or_else(|| self.convert_error(key, node, "a number"))
    }

    /// # Errors
    /// Absent, or no whole number from zero on.
    pub fn get_u64(&self, key: &str) -> Result<u64, ConfigError> {
        self.required(key, self.get_opt_u64(key)?)
    }

    /// # Errors
    /// No whole number from zero on, as a number or as text.
    pub fn get_opt_u64(&self, key: &str) -> Result<Option<u64>, ConfigError> {
        let Some(number) = self.get_opt_f64(key)? else {
            return Ok(None);
        };
        let whole = callboard_yaml::js_number(number).as_u64();
        match (whole, self.find(key)?) {
            (None, Some(node)) => Err(self.convert_error(key, node, "a whole number from zero on")),
            (whole, _) => Ok(whole),
        }
    }

    /// # Errors
    /// Absent, or nothing that reads as a boolean.
    pub fn get_bool(&self, key: &str) -> Result<bool, ConfigError> {
        self.required(key, self.get_opt_bool(key)?)
    }

    /// A boolean, or `y yes true 1 on` or `n no false 0 off` in any case.
    ///
    /// # Errors
    /// Anything else.
    pub fn get_opt_bool(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        let Some(node) = self.find(key)? else {
            return Ok(None);
        };
        let text = match &node.content {
            Content::Scalar(Value::Bool(flag)) => return Ok(Some(*flag)),
            Content::Scalar(Value::Number(number)) => number.to_string(),
            Content::Scalar(Value::String(text)) => text.trim().to_ascii_lowercase(),
            _ => return Err(self.type_error(key, node, "boolean")),
        };
        match text.as_str() {
            "y" | "yes" | "true" | "1" | "on" => Ok(Some(true)),
            "n" | "no" | "false" | "0" | "off" => Ok(Some(false)),
            _ => Err(self.convert_error(key, node, "a boolean")),
        }
    }

    /// # Errors
    /// Absent, or no list of texts.
    pub fn get_strs(&self, key: &str) -> Result<Vec<String>, ConfigError> {
        self.required(key, self.get_opt_strs(key)?)
    }

    /// # Errors
    /// No list, or one with something else than texts that are not empty; a single text is no list.
    pub fn get_opt_strs(&self, key: &str) -> Result<Option<Vec<String>>, ConfigError> {
        const WANTED: &str = "string-array";
        let Some(node) = self.find(key)? else {
            return Ok(None);
        };
        let Content::Array(items) = &node.content else {
            return Err(self.type_error(key, node, WANTED));
        };
        let text = |(index, item): (usize, &Arc<Node>)| match &item.content {
            Content::Scalar(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            _ => Err(self.type_error(&format!("{key}[{index}]"), item, WANTED)),
        };
        items.iter().enumerate().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// # Errors
    /// Absent, or no object.
    pub fn get_config(&self, key: &str) -> Result<Self, ConfigError> {
        self.required(key, self.get_opt_config(key)?)
    }

    /// # Errors
    /// No object.
    pub fn get_opt_config(&self, key: &str) -> Result<Option<Self>, ConfigError> {
        let Some(node) = self.find(key)? else {
            return Ok(None);
        };
        if !matches!(node.content, Content::Object(_)) {
            return Err(self.type_error(key, node, "object"));
        }
        Ok(Some(self.part(node, self.full_key(key), &node.place.context)))
    }

    /// # Errors
    /// Absent, or no list of objects.
    pub fn get_configs(&self, key: &str) -> Result<Vec<Self>, ConfigError> {
        self.required(key, self.get_opt_configs(key)?)
    }

    /// # Errors
    /// No list, or one with something else than objects.
    pub fn get_opt_configs(&self, key: &str) -> Result<Option<Vec<Self>>, ConfigError> {
        const WANTED: &str = "object-array";
        let Some(node) = self.find(key)? else {
            return Ok(None);
        };
        let Content::Array(items) = &node.content else {
            return Err(self.type_error(key, node, WANTED));
        };
        let part = |(index, item): (usize, &Arc<Node>)| {
            let key = format!("{key}[{index}]");
            match &item.content {
                Content::Object(_) => Ok(self.part(item, self.full_key(&key), &self.context)),
                _ => Err(self.type_error(&key, item, WANTED)),
            }
        };
        items.iter().enumerate().map(part).collect::<Result<_, _>>().map(Some)
    }

    /// # Errors
    /// Absent, or no duration.
    pub fn get_duration(&self, key: &str) -> Result<Duration, ConfigError> {
        self.required(key, self.get_opt_duration(key)?)
    }

    /// A duration in one of the forms of [`parse_duration`].
    ///
    /// # Errors
    /// No duration.
    pub fn get_opt_duration(&self, key: &str) -> Result<Option<Duration>, ConfigError> {
        let Some(node) = self.find(key)? else {
            return Ok(None);
        };
        let origin = || Some(Box::new(node.origin()));
        let value = node.to_value();
        let full_key = self.full_key(key);
        match &value {
            Value::String(text) if text.is_empty() => Err(self.type_error(key, node, "string")),
            Value::String(text) => parse_duration(&value).map(Some).map_err(|reason| ConfigError::Duration {
                value: text.clone(),
                key: full_key,
                reason,
                origin: origin(),
            }),
            Value::Object(_) => parse_duration(&value)
                .map(Some)
                .map_err(|reason| ConfigError::DurationObject { key: full_key, reason, origin: origin() }),
            _ => Err(self.type_error(key, node, "object")),
        }
    }
}

/// What JavaScript's `Number` makes of a text, infinities left out.
fn js_number_of(text: &str) -> Option<f64> {
    let text = text.trim();
    if text.is_empty() {
        return Some(0.0);
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = text.to_ascii_lowercase().strip_prefix(prefix) {
            return u32::from_str_radix(digits, radix).ok().map(f64::from);
        }
    }
    // Rust also reads `inf` and `nan`, which are no numbers here.
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    is_decimal.then(|| text.parse().ok()).flatten().filter(|number: &f64| number.is_finite())
}

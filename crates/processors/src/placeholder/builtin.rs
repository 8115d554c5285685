//! The built-in placeholders.

use callboard_sdk::{PlaceholderParams, PlaceholderResolver, ProcessorError, async_trait};
use callboard_yaml::{Limits, js_number};
use serde_json::Value;

use super::local_files::LocalFiles;
use super::source::read_source;

/// `$text`: the content of a file as a string.
#[derive(Debug, Clone, Default)]
pub struct TextResolver {
    local: LocalFiles,
}

/// `$json`: the value that a JSON file holds.
#[derive(Debug, Clone, Default)]
pub struct JsonResolver {
    local: LocalFiles,
}

/// `$yaml`: the value that a YAML file with one document holds.
#[derive(Debug, Clone, Default)]
pub struct YamlResolver {
    local: LocalFiles,
}

impl TextResolver {
    /// Reads `local` files beside URLs.
    pub fn new(local: LocalFiles) -> Self {
        Self { local }
    }
}

impl JsonResolver {
    /// Reads `local` files beside URLs.
    pub fn new(local: LocalFiles) -> Self {
        Self { local }
    }
}

impl YamlResolver {
    /// Reads `local` files beside URLs.
    pub fn new(local: LocalFiles) -> Self {
        Self { local }
    }
}

#[async_trait]
impl PlaceholderResolver for TextResolver {
    async fn resolve(&self, mut params: PlaceholderParams<'_, '_>) -> Result<Value, ProcessorError> {
        let (_, text) = read_source(&mut params, &self.local).await?;
        Ok(Value::String(text))
    }
}

#[async_trait]
impl PlaceholderResolver for JsonResolver {
    async fn resolve(&self, mut params: PlaceholderParams<'_, '_>) -> Result<Value, ProcessorError> {
        let (_, text) = read_source(&mut params, &self.local).await?;
        let parsed = params.cx.parsing(text.len(), || serde_json::from_str(&text)).await;
        let mut value = parsed.map_err(|error| {
            failure(
                &params,
                &format!("failed to parse JSON data at {}, SyntaxError: {error}", shown(&params)),
            )
        })?;
        use_js_numbers(&mut value);
        Ok(value)
    }
}

#[async_trait]
impl PlaceholderResolver for YamlResolver {
    async fn resolve(&self, mut params: PlaceholderParams<'_, '_>) -> Result<Value, ProcessorError> {
        let (_, text) = read_source(&mut params, &self.local).await?;
        let at = shown(&params);
        let parse = || {
            let mut documents = callboard_yaml::documents(&text, Limits::default());
            (documents.next(), documents.count())
        };
        match params.cx.parsing(text.len(), parse).await {
            (Some(document), 0) => document.value.map_err(|error| {
                failure(&params, &format!("found an error in the data at {at}, YAMLParseError: {error}"))
            }),
            (first, further) => {
                let found = further + usize::from(first.is_some());
                let text = format!("expected to find exactly one document of data at {at}, found {found}");
                Err(failure(&params, &text))
            }
        }
    }
}

fn shown<'a>(params: &PlaceholderParams<'a, '_>) -> &'a str {
    params.value.as_str().unwrap_or_default()
}

fn failure(params: &PlaceholderParams<'_, '_>, text: &str) -> ProcessorError {
    ProcessorError::general(format!("Placeholder ${} {text}", params.key))
}

/// Writes numbers as JavaScript does after it has read them, so that `1.0` is `1` here as well.
fn use_js_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64() {
                *value = js_number(float);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(use_js_numbers),
        Value::Object(object) => object.values_mut().for_each(use_js_numbers),
        _ => {}
    }
}

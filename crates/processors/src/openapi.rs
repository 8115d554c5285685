//! `$openapi` and `$asyncapi`: an API description with the files that it refers to, as one YAML text.
//!
//! Not part of a default installation; Backstage has them as a module. Add an [`OpenApiResolver`] under both keys
//! to have them.

mod bundle;
mod documents;
#[cfg(test)]
mod tests;

use callboard_sdk::{PlaceholderParams, PlaceholderResolver, ProcessorError, async_trait, results};
use serde_json::Value;

use self::documents::Documents;
use crate::placeholder::{LocalFiles, Sources, read_source};

/// Why a description could not be put together. Displays as a JavaScript error does.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BundleError {
    #[error("YAMLParseError: {0}")]
    Syntax(String),
    #[error("Error: '{reference}' could not be resolved, {reason}")]
    Reference { reference: String, reason: String },
    #[error("Error: '{reference}' points at nothing")]
    Missing { reference: String },
    #[error("Error: '{reference}' refers to itself")]
    Circular { reference: String },
    #[error("Error: more than {limit} {what}")]
    TooLarge { what: &'static str, limit: usize },
    #[error("Error: {0}")]
    Write(String),
}

/// Reads a description, and puts what its `$ref`s to other files stand for into it.
///
/// References are followed relative to the file that they stand in, by the rules of placeholders. What is used
/// twice is put in once and referred to from then on, so circles are fine. References within the description stay
/// as they are, such as those from the operations of an AsyncAPI 3 document to its channels, messages and servers.
#[derive(Debug, Clone, Default)]
pub struct OpenApiResolver {
    local: LocalFiles,
}

impl OpenApiResolver {
    /// Reads `local` files beside URLs.
    pub fn new(local: LocalFiles) -> Self {
        Self { local }
    }
}

#[async_trait]
impl PlaceholderResolver for OpenApiResolver {
    async fn resolve(&self, mut params: PlaceholderParams<'_, '_>) -> Result<Value, ProcessorError> {
        let (source, text) = read_source(&mut params, &self.local).await?;
        let sources = Sources::new(&params, &self.local);
        let bundled = async {
            let documents = Documents::load(&text, source, &sources).await?;
            // Within its limits this takes seconds, and a task cannot yield in the midst of it.
            let work = move || bundle::bundle(&documents).map(|text| (text, documents));
            let finished = tokio::task::spawn_blocking(work).await;
            finished.unwrap_or_else(|error| Err(BundleError::Write(error.to_string())))
        };
        let (text, documents) = bundled.await.map_err(|error| {
            let (key, value) = (params.key, params.value.as_str().unwrap_or_default());
            ProcessorError::general(format!(
                "Placeholder ${key} unable to bundle the file at {value}, {error}"
            ))
        })?;
        for source in documents.further_sources() {
            params.cx.emit(results::refresh(source.to_string()))?;
        }
        Ok(Value::String(text))
    }
}

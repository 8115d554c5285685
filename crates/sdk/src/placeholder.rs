//! Placeholders: `{$name: value}` anywhere in an entity stands for what a resolver makes of it.

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;

use crate::{ProcessorContext, ProcessorError, ReadError, ReadUrlOptions, ScmResolver, UrlReader};

/// What a resolver gets.
#[derive(Debug)]
pub struct PlaceholderParams<'a, 'c> {
    /// The name without the dollar sign.
    pub key: &'a str,
    /// What stands behind it.
    pub value: &'a Value,
    /// Target of the location that the entity was read from.
    pub base_url: &'a str,
    /// Reads what is behind URLs.
    pub reader: &'a dyn UrlReader,
    /// Resolves relative URLs.
    pub scm: &'a dyn ScmResolver,
    /// Emits refresh keys.
    pub cx: &'a mut ProcessorContext<'c>,
}

impl PlaceholderParams<'_, '_> {
    /// Reads the content behind `url`.
    pub async fn read(&self, url: &str) -> Result<Bytes, ReadError> {
        let options =
            ReadUrlOptions { cancellation: self.cx.cancellation().clone(), ..ReadUrlOptions::default() };
        Ok(self.reader.read_url(url, &options).await?.data)
    }
}

/// Gives the value that a placeholder stands for.
#[async_trait]
pub trait PlaceholderResolver: Send + Sync + std::fmt::Debug + 'static {
    /// The value; an `Err` fails the entity.
    async fn resolve(&self, params: PlaceholderParams<'_, '_>) -> Result<Value, ProcessorError>;
}

#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

#[cfg(test)]
mod tests;

use std::sync::Arc;

use callboard_sdk::{
    CatalogProcessor, Entity, Handled, LocationSpec, Presence, ProcessorContext, ProcessorError, ReadError,
    ReadUrlOptions, UrlReader, async_trait, results,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The location type that this processor reads.
const TYPE: &str = "system-x";
/// To be changed together with [`CacheItem`], or with what is made of an answer.
const CACHE_KEY: &str = "v1";

/// Reads entities from a System-X.
///
/// The target of a `system-x` location is the address of an API that answers with an entity, or a list of entities,
/// as JSON. If it sends an ETag, the next read asks only for a newer answer.
#[derive(Debug)]
pub struct SystemXReader {
    reader: Arc<dyn UrlReader>,
}

/// The last good answer, and the ETag by which System-X recognises it.
#[derive(Debug, Serialize, Deserialize)]
struct CacheItem {
    etag: String,
    entities: Vec<Entity>,
}

impl SystemXReader {
    /// A processor that reads through `reader`, within its limits and its list of allowed hosts.
    pub fn new(reader: Arc<dyn UrlReader>) -> Self {
        Self { reader }
    }
}

#[async_trait]
impl CatalogProcessor for SystemXReader {
    fn name(&self) -> &'static str {
        "system-x-processor"
    }

    fn is_pure(&self, entity: &Entity) -> bool {
        entity.kind() != "Location"
    }

    fn fingerprint(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    async fn read_location(
        &self,
        location: &LocationSpec,
        _presence: Presence,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Handled, ProcessorError> {
        if location.kind != TYPE {
            return Ok(Handled::No);
        }

        let cached = cx.cache().get::<CacheItem>(CACHE_KEY);
        let options = ReadUrlOptions {
            etag: cached.as_ref().map(|item| item.etag.clone()),
            cancellation: cx.cancellation().clone(),
            ..ReadUrlOptions::default()
        };
        let entities = match (self.reader.read_url(&location.target, &options).await, cached) {
            (Ok(response), _) => entities(&response.data).map(|entities| (entities, response.etag)),
            (Err(ReadError::NotModified), Some(item)) => Ok((item.entities, Some(item.etag))),
            (Err(error), _) => Err(ProcessorError::from(error)),
        };

        match entities {
            Ok((entities, etag)) => {
                for entity in &entities {
                    cx.emit(results::entity(location, entity.clone()))?;
                }
                if let Some(etag) = etag {
                    cx.cache().set(CACHE_KEY, &CacheItem { etag, entities })?;
                }
            }
            // Not to know is not the same as to know that there is nothing: the error keeps what was read before.
            Err(error) => {
                let message = format!("Unable to read {TYPE}, {}: {error}", error.name);
                cx.emit(results::general_error(location, message))?;
            }
        }
        Ok(Handled::Yes)
    }
}

/// All entities of an answer, or none.
fn entities(data: &[u8]) -> Result<Vec<Entity>, ProcessorError> {
    match serde_json::from_slice(data)? {
        Value::Array(items) => items.into_iter().map(|item| Ok(Entity::from_value(item)?)).collect(),
        single => Ok(vec![Entity::from_value(single)?]),
    }
}

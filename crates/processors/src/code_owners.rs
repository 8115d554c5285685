//! Finds the owner of an entity that names none in the CODEOWNERS file of its repository.
//!
//! Not part of a default installation; Backstage has it as a module.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use callboard_sdk::{
    CatalogProcessor, Entity, ProcessorContext, ProcessorError, ReadError, ReadUrlOptions, ScmResolver,
    UrlReader, async_trait,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const KINDS: [&str; 6] = ["API", "Component", "Domain", "Resource", "System", "Template"];
/// To be changed with [`CacheItem`].
const CACHE_KEY: &str = "v1";

/// `CodeOwnersProcessor`: sets `spec.owner` of entities that were read from a repository and have none.
///
/// The owner is the first one of the last line for the pattern `*`. `@org/team` becomes `team`, `@user` becomes
/// `User:user`, and an address becomes `User:` and its local part. Without a file or a line there is no owner; a
/// file that cannot be read is an error, so that an owner is not lost to an outage.
#[derive(Debug)]
pub struct CodeOwnersProcessor {
    reader: Arc<dyn UrlReader>,
    scm: Arc<dyn ScmResolver>,
}

/// What the last good run found.
#[derive(Debug, Serialize, Deserialize)]
struct CacheItem {
    url: String,
    etag: String,
    owner: Option<String>,
}

impl CodeOwnersProcessor {
    /// A processor that reads through `reader` and knows the forges of `scm`.
    pub fn new(reader: Arc<dyn UrlReader>, scm: Arc<dyn ScmResolver>) -> Self {
        Self { reader, scm }
    }

    async fn owner(
        &self,
        target: &str,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Option<String>, ProcessorError> {
        let cached = cx.cache().get::<CacheItem>(CACHE_KEY);
        for path in paths(self.scm.integration_kind(target)) {
            let url = self
                .scm
                .resolve_url(&format!("/{path}"), target)
                .map_err(|text| ProcessorError::new("TypeError", text))?;
            let known = cached.as_ref().filter(|item| item.url == url);
            let options = ReadUrlOptions {
                etag: known.map(|item| item.etag.clone()),
                cancellation: cx.cancellation().clone(),
                ..ReadUrlOptions::default()
            };
            let read = self.reader.read_url(&url, &options).await;
            cx.progress().step();
            match (read, known) {
                (Ok(response), _) => {
                    let owner = main_owner(&String::from_utf8_lossy(&response.data));
                    if let Some(etag) = response.etag {
                        cx.cache().set(CACHE_KEY, &CacheItem { url, etag, owner: owner.clone() })?;
                    }
                    return Ok(owner);
                }
                (Err(ReadError::NotModified), Some(known)) => return Ok(known.owner.clone()),
                (Err(ReadError::NotFound(_)), _) => {}
                (Err(error), _) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl CatalogProcessor for CodeOwnersProcessor {
    fn name(&self) -> &'static str {
        "CodeOwnersProcessor"
    }

    fn is_pure(&self, entity: &Entity) -> bool {
        !wants_owner(entity)
    }

    fn fingerprint(&self) -> String {
        format!("1 {}", self.scm.fingerprint())
    }

    async fn pre_process_entity(
        &self,
        mut entity: Entity,
        cx: &mut ProcessorContext<'_>,
    ) -> Result<Entity, ProcessorError> {
        let location = cx.location();
        if location.kind != "url" || !wants_owner(&entity) {
            return Ok(entity);
        }
        if let Some(owner) = self.owner(&location.target, cx).await? {
            let spec = entity.as_map_mut().entry("spec").or_insert_with(|| json!({}));
            if let Value::Object(spec) = spec {
                spec.insert("owner".to_owned(), Value::String(owner));
            }
        }
        Ok(entity)
    }
}

fn wants_owner(entity: &Entity) -> bool {
    let owner = entity.spec().and_then(|spec| spec.get("owner"));
    KINDS.contains(&entity.kind()) && owner.is_none_or(|owner| owner.is_null() || *owner == json!(""))
}

/// Where the forges look for the file, in their order.
fn paths(integration: Option<&str>) -> &'static [&'static str] {
    match integration {
        Some("github") => &["CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS"],
        Some("gitlab") => &["CODEOWNERS", ".gitlab/CODEOWNERS", "docs/CODEOWNERS"],
        Some("bitbucket" | "bitbucketCloud" | "bitbucketServer") => &["CODEOWNERS", ".bitbucket/CODEOWNERS"],
        _ => &[],
    }
}

fn main_owner(text: &str) -> Option<String> {
    text.lines()
        .rev()
        .find_map(|line| {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            (words.next()? == "*").then(|| words.next().map(normalize))
        })
        .flatten()
}

fn normalize(owner: &str) -> String {
    match (owner.strip_prefix('@'), owner.split_once('@')) {
        (Some(name), _) => match name.split_once('/') {
            Some((_, team)) => team.split('/').next().unwrap_or(team).to_owned(),
            None => format!("User:{name}"),
        },
        (None, Some((local, domain))) if domain.contains('.') => format!("User:{local}"),
        (None, _) => owner.to_owned(),
    }
}

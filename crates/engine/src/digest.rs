//! The digest by which two runs of an entity are compared.
//!
//! The first half covers the entity itself, and the children that come from no target; the second the children that
//! were read from targets. So a run whose readers all say "unchanged" can be compared although it does not know them.

use std::collections::BTreeSet;

use callboard_model::{Body, Digest};
use callboard_sdk::ProcessorError;
use callboard_store::NewEntity;

use crate::run::Good;

const HALF: usize = 8;
const GOOD: u8 = 0;
const FAILED: u8 = 1;

/// Of a run that went well. `before` is the digest of the last run, if that is known.
pub(crate) fn of_good(good: &Good, body: &Body, before: Option<Digest>) -> Digest {
    let mut parts: Vec<&[u8]> =
        vec![body.json.as_bytes(), body.status.as_deref().unwrap_or_default().as_bytes()];
    for relation in &good.relations {
        parts.extend([relation.source.as_bytes(), relation.kind.as_bytes(), relation.target.as_bytes()]);
    }
    parts.push(b"keys");
    parts.extend(good.refresh_keys.iter().map(String::as_bytes));
    parts.push(b"warnings");
    parts.extend(good.duplicates.iter().map(|(_, warning)| warning.message.as_bytes()));
    let (unread, read): (Vec<_>, Vec<_>) = good.children.iter().partition(|child| child.group == 0);
    let unread = of_children(unread, &[]);
    parts.push(unread.as_ref());
    let own = first_half(Digest::of_parts(parts));
    let children = match before {
        Some(before) if good.is_all_kept => second_half(before),
        _ => first_half(of_children(read, &good.kept_groups)),
    };
    join(GOOD, own, children)
}

/// Of a run that failed.
pub(crate) fn of_failed(errors: &[ProcessorError]) -> Digest {
    let parts = errors.iter().flat_map(|error| [error.name.as_bytes(), error.message.as_bytes()]);
    join(FAILED, first_half(Digest::of_parts(parts)), [0; HALF])
}

/// Whether the digest is that of a run that failed.
pub(crate) fn is_failed(digest: Digest) -> bool {
    digest.as_bytes().first() == Some(&FAILED)
}

/// Kept groups count as children: a group that stands beside one that is read afresh is not one that is gone.
fn of_children(mut children: Vec<&NewEntity>, kept_groups: &[i64]) -> Digest {
    children.sort_unstable_by_key(|child| &child.entity_ref);
    let kept_groups: BTreeSet<_> = kept_groups.iter().collect();
    let mut text = Vec::with_capacity(children.len() * 64);
    for child in children {
        let key = child.location_key.as_deref().unwrap_or_default();
        let (document, line) = child.position.unwrap_or_default();
        text.extend_from_slice(child.digest.as_ref());
        text.extend_from_slice(&child.group.to_be_bytes());
        text.extend_from_slice(&document.to_be_bytes());
        text.extend_from_slice(&line.to_be_bytes());
        text.extend_from_slice(child.entity_ref.as_bytes());
        text.extend_from_slice(key.as_bytes());
        text.push(u8::from(child.location_key.is_some()));
    }
    for group in kept_groups {
        text.extend_from_slice(&group.to_be_bytes());
    }
    Digest::of(text)
}

fn first_half(digest: Digest) -> [u8; HALF] {
    digest.as_bytes().first_chunk().copied().unwrap_or_default()
}

fn second_half(digest: Digest) -> [u8; HALF] {
    digest.as_bytes().last_chunk().copied().unwrap_or_default()
}

/// The first byte tells good from failed.
fn join(state: u8, own: [u8; HALF], children: [u8; HALF]) -> Digest {
    let mut bytes = [0; 2 * HALF];
    for (to, from) in bytes.iter_mut().zip(own.into_iter().chain(children)) {
        *to = from;
    }
    bytes[0] = state;
    Digest::from_bytes(bytes)
}

#[cfg(test)]
mod tests;

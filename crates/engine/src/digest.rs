//! The digest by which two runs of an entity are compared.
//!
//! The first half covers the entity itself, the second its children; so that a run whose reader says "unchanged" can
//! be compared although it does not know the children.

use callboard_model::{Body, Digest};
use callboard_sdk::ProcessorError;
use callboard_store::NewEntity;

use crate::run::Good;

const HALF: usize = 8;
const GOOD: u8 = 0;
const FAILED: u8 = 1;

/// Of a run that went well. `before` is the digest of the last run, if that is known.
pub(crate) fn of_good(good: &Good, body: &Body, before: Option<Digest>) -> Digest {
    let mut parts: Vec<&[u8]> = vec![
        body.json.as_bytes(),
        body.status.as_deref().unwrap_or_default().as_bytes(),
    ];
    for relation in &good.relations {
        parts.extend([
            relation.source.as_bytes(),
            relation.kind.as_bytes(),
            relation.target.as_bytes(),
        ]);
    }
    parts.push(b"keys");
    parts.extend(good.refresh_keys.iter().map(String::as_bytes));
    let own = first_half(Digest::of_parts(parts));
    let children = match (good.kept_groups.is_empty(), good.children.is_empty(), before) {
        (false, true, Some(before)) => second_half(before),
        _ => first_half(of_children(&good.children)),
    };
    join(GOOD, own, children)
}

/// Of a run that failed.
pub(crate) fn of_failed(errors: &[ProcessorError]) -> Digest {
    let parts = errors
        .iter()
        .flat_map(|error| [error.name.as_bytes(), error.message.as_bytes()]);
    join(FAILED, first_half(Digest::of_parts(parts)), [0; HALF])
}

/// Whether the digest is that of a run that failed.
pub(crate) fn is_failed(digest: Digest) -> bool {
    digest.as_bytes().first() == Some(&FAILED)
}

fn of_children(children: &[NewEntity]) -> Digest {
    let mut rows: Vec<_> = children.iter().map(|child| (&child.entity_ref, child)).collect();
    rows.sort_unstable_by_key(|(entity_ref, _)| *entity_ref);
    let mut text = Vec::with_capacity(rows.len() * 64);
    for (entity_ref, child) in rows {
        let key = child.location_key.as_deref().unwrap_or_default();
        let (document, line) = child.position.unwrap_or_default();
        text.extend_from_slice(child.digest.as_ref());
        text.extend_from_slice(&child.group.to_be_bytes());
        text.extend_from_slice(&document.to_be_bytes());
        text.extend_from_slice(&line.to_be_bytes());
        text.extend_from_slice(entity_ref.as_bytes());
        text.extend_from_slice(key.as_bytes());
        text.push(u8::from(child.location_key.is_some()));
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

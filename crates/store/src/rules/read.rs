//! Reading final entities: their text is put together out of slices, and an answer holds no more text than it may.

use std::collections::HashMap;

use callboard_model::{BodyRef, Digest, assemble, etag};
use uuid::Uuid;

use crate::packed::unpack;
use crate::{Ancestor, EntityId, EntityPage, FinalEntity, FoundEntities, StoreError};

/// How many ancestors are followed. Real entities have a handful; the limit is for cycles of generated ones.
pub(crate) const ANCESTORS_MAX: i64 = 1000;

/// How many levels of ancestors a refresh reaches.
pub(crate) const REFRESH_DEPTH_MAX: i64 = 32;

/// A page of larger entities has fewer of them, but at least one.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// The columns that make a final entity.
#[derive(Debug)]
pub(crate) struct FinalColumns<'r> {
    pub(crate) id: i64,
    pub(crate) entity_ref: &'r str,
    pub(crate) uid: Uuid,
    pub(crate) metadata_end: u32,
    pub(crate) annotations_end: u32,
    pub(crate) own_etag: bool,
    /// Packed.
    pub(crate) body: &'r [u8],
    pub(crate) body_digest: Digest,
    /// Packed.
    pub(crate) relations: &'r [u8],
    pub(crate) status: Option<&'r str>,
    pub(crate) is_orphan: bool,
}

impl FinalColumns<'_> {
    pub(crate) fn assemble(&self) -> Result<FinalEntity, StoreError> {
        let json = unpack(self.body)?;
        let body = BodyRef {
            json: &json,
            metadata_end: self.metadata_end,
            annotations_end: self.annotations_end,
            own_etag: self.own_etag,
            status: None,
        };
        let relations = unpack(self.relations)?;
        // Between a commit and the next stitch the body is newer than the etag in the row. One that is computed from
        // what is served always tells contents apart, and is the same one once it is stitched.
        let etag = etag(&self.body_digest, &relations, self.status, self.is_orphan);
        let uid = self.uid.hyphenated().to_string();
        Ok(FinalEntity {
            id: EntityId(self.id),
            entity_ref: self.entity_ref.to_owned(),
            uid: self.uid,
            json: assemble(body, &uid, &etag, &relations, self.status, self.is_orphan),
        })
    }
}

/// How many refs from the front on are worth reading, of so many. `sizes` are places and packed sizes of those that
/// there are; texts are larger than packed ones.
pub(crate) fn worth_reading(
    sizes: impl IntoIterator<Item = Result<(i64, i64), StoreError>>,
    bytes_max: usize,
    refs: usize,
) -> Result<usize, StoreError> {
    let mut packed = 0_usize;
    for size in sizes {
        let (place, size) = size?;
        packed = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(packed);
        let place = usize::try_from(place).unwrap_or_default();
        if packed > bytes_max && place > 0 {
            return Ok(place);
        }
    }
    Ok(refs)
}

/// The entities that were found of the refs, up to so many bytes.
pub(crate) fn found(
    refs: &[&str],
    entities: impl ExactSizeIterator<Item = Result<FinalEntity, StoreError>>,
    bytes_max: usize,
) -> Result<FoundEntities, StoreError> {
    let mut found = FoundEntities { entities: Vec::with_capacity(entities.len()), looked_at: refs.len() };
    let mut bytes = 0;
    for entity in entities {
        let entity = entity?;
        bytes += entity.json.len();
        if bytes > bytes_max && !found.entities.is_empty() {
            let place = refs.iter().position(|entity_ref| *entity_ref == entity.entity_ref);
            found.looked_at = place.unwrap_or(found.looked_at);
            break;
        }
        found.entities.push(entity);
    }
    Ok(found)
}

/// How many entities of these packed sizes a page may have.
pub(crate) fn fitting(sizes: impl IntoIterator<Item = Result<i64, StoreError>>) -> Result<usize, StoreError> {
    let (mut packed, mut fitting) = (0_usize, 0);
    for size in sizes {
        packed = usize::try_from(size?).unwrap_or(usize::MAX).saturating_add(packed);
        if fitting > 0 && packed > PAGE_BYTES_MAX {
            break;
        }
        fitting += 1;
    }
    Ok(fitting)
}

/// A page of at most `limit` entities, of which there are `available`.
pub(crate) fn page(
    entities: impl ExactSizeIterator<Item = Result<FinalEntity, StoreError>>,
    limit: usize,
    available: usize,
) -> Result<EntityPage, StoreError> {
    let mut page: Vec<FinalEntity> = Vec::with_capacity(entities.len());
    let mut bytes = 0;
    for entity in entities {
        let entity = entity?;
        bytes += entity.json.len();
        page.push(entity);
        if bytes > PAGE_BYTES_MAX {
            break;
        }
    }
    let is_last = page.len() < limit && page.len() == available;
    let next_after = page.last().filter(|_| !is_last).map(|last| last.entity_ref.clone());
    Ok(EntityPage { entities: page, next_after })
}

/// Depth first, each once.
pub(crate) fn depth_first(entity_ref: &str, mut found: HashMap<String, Ancestor>) -> Vec<Ancestor> {
    let mut ancestors = Vec::with_capacity(found.len());
    let mut stack = vec![entity_ref.to_owned()];
    while let Some(next) = stack.pop() {
        if let Some(ancestor) = found.remove(&next) {
            stack.extend(ancestor.parent_refs.iter().rev().cloned());
            ancestors.push(ancestor);
        }
    }
    ancestors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(name: &str, bytes: usize) -> FinalEntity {
        FinalEntity {
            id: EntityId(1),
            entity_ref: name.to_owned(),
            uid: Uuid::nil(),
            json: " ".repeat(bytes),
        }
    }

    fn names(entities: &[FinalEntity]) -> Vec<&str> {
        entities.iter().map(|entity| entity.entity_ref.as_str()).collect()
    }

    #[test]
    fn at_least_one_ref_is_looked_at() {
        let looked_at = |sizes: &[(i64, i64)]| worth_reading(sizes.iter().copied().map(Ok), 10, 9).unwrap();
        assert_eq!(looked_at(&[]), 9);
        assert_eq!(looked_at(&[(0, 11)]), 9);
        assert_eq!(looked_at(&[(0, 11), (3, 1)]), 3);
        assert_eq!(looked_at(&[(1, 10), (2, 0), (5, 1)]), 5);
        assert_eq!(looked_at(&[(1, -1), (2, i64::MAX)]), 1);
    }

    #[test]
    fn what_does_not_fit_was_not_looked_at() {
        let refs = ["a", "b", "c", "d"];
        for (bytes_max, expected, looked_at) in [(9, &["a", "c"][..], 4), (8, &["a"], 2), (0, &["a"], 2)] {
            let entities = [Ok(entity("a", 4)), Ok(entity("c", 5))];
            let found = found(&refs, entities.into_iter(), bytes_max).unwrap();
            assert_eq!((names(&found.entities), found.looked_at), (expected.to_vec(), looked_at));
        }
    }

    #[test]
    fn a_page_ends_with_its_bytes_or_with_the_catalog() {
        let big = PAGE_BYTES_MAX + 1;
        let page = |sizes: &[usize], limit, available| {
            let entities: Vec<_> = sizes.iter().map(|size| Ok(entity(&size.to_string(), *size))).collect();
            let page = page(entities.into_iter(), limit, available).unwrap();
            (page.entities.len(), page.next_after)
        };
        assert_eq!(page(&[1, 2], 3, 2), (2, None));
        assert_eq!(page(&[1, 2], 2, 2), (2, Some("2".to_owned())));
        assert_eq!(page(&[1, 2], 3, 3), (2, Some("2".to_owned())));
        assert_eq!(page(&[big, 2], 3, 2), (1, Some(big.to_string())));
        let fitting = |sizes: &[i64]| fitting(sizes.iter().copied().map(Ok)).unwrap();
        let big = i64::try_from(big).unwrap();
        assert_eq!([fitting(&[]), fitting(&[1, 1]), fitting(&[big, 1]), fitting(&[1, big])], [0, 2, 1, 1]);
    }

    #[test]
    fn ancestors_come_depth_first_and_once() {
        let ancestor = |name: &str, parents: &[&str]| {
            let parent_refs = parents.iter().map(|parent| (*parent).to_owned()).collect();
            (name.to_owned(), Ancestor { entity: entity(name, 0), parent_refs })
        };
        let found = [
            ancestor("a", &["b", "c"]),
            ancestor("b", &["d"]),
            ancestor("c", &["d", "a"]),
            ancestor("d", &["gone"]),
        ];
        let order = depth_first("a", HashMap::from(found));
        let order: Vec<_> = order.iter().map(|ancestor| ancestor.entity.entity_ref.as_str()).collect();
        assert_eq!(order, ["a", "b", "d", "c"]);
        assert_eq!(depth_first("a", HashMap::new()).len(), 0);
    }
}

//! Single entities, by what names them.

use crate::index::{Hit, Index};
use crate::key_view::KeyView;
use crate::predicate::Predicate;
use crate::text::lowercase;

impl Index {
    /// For each ref the entity that has it, spelled exactly so, if it fulfils the filters.
    pub fn by_refs<T: AsRef<str>>(&self, refs: &[T], filters: &[&Predicate]) -> Vec<Option<Hit>> {
        let set = self.matching(filters);
        let hit = |entity_ref: &T| {
            let slot = self.find(entity_ref.as_ref()).filter(|slot| set.contains(*slot))?;
            self.hit(slot)
        };
        refs.iter().map(hit).collect()
    }

    /// The entity of a canonical ref, if it fulfils the filters.
    pub fn by_ref(&self, entity_ref: &str, filters: &[&Predicate]) -> Option<Hit> {
        let slot = self.find(entity_ref)?;
        self.matching(filters).contains(slot).then(|| self.hit(slot)).flatten()
    }

    /// The entity with this `metadata.uid`, in any casing, if it fulfils the filters.
    pub fn by_uid(&self, uid: &str, filters: &[&Predicate]) -> Option<Hit> {
        let slot = KeyView::of(self, "metadata.uid").one_of([lowercase(uid)]).min()?;
        self.matching(filters).contains(slot).then(|| self.hit(slot)).flatten()
    }
}

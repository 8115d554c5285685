//! Which entities fulfil a predicate.

use std::borrow::Cow;

use roaring::RoaringBitmap;

use crate::index::Index;
use crate::key_view::{KeyView, Set};
use crate::predicate::{Predicate, Primitive, RelationTest, Test};
use crate::text::lowercase;

impl Index {
    /// The entities that fulfil all of these.
    pub(crate) fn matching(&self, filters: &[&Predicate]) -> Set<'_> {
        self.all(filters.iter().copied().map(|filter| self.evaluate(filter)))
    }

    /// Recursion is bounded by the depth that predicates are read with.
    pub(crate) fn evaluate(&self, predicate: &Predicate) -> Set<'_> {
        match predicate {
            Predicate::All(children) => self.all(children.iter().map(|child| self.evaluate(child))),
            Predicate::Any(children) => any(children.iter().map(|child| self.evaluate(child))),
            Predicate::Not(child) => Cow::Owned(&self.live - &*self.evaluate(child)),
            Predicate::Fields(fields) => {
                self.all(fields.iter().map(|(field, test)| self.test(&lowercase(field), test)))
            }
            // Refused before it comes here.
            Predicate::Value(_) => Cow::Owned(RoaringBitmap::new()),
        }
    }

    fn test(&self, field: &str, test: &Test) -> Set<'_> {
        let key = || KeyView::of(self, field);
        match test {
            Test::Equals(value) => key().one_of([value.lower()]),
            Test::In(values) => key().one_of(values.iter().map(Primitive::lower)),
            Test::HasPrefix(prefix) => key().with_prefix(&lowercase(prefix)),
            Test::Exists(true) => key().present(),
            Test::Exists(false) => Cow::Owned(&self.live - &*key().present()),
            Test::Contains(inner) => match &**inner {
                Predicate::Value(value) => key().one_of([value.lower()]),
                inner => RelationTest::of(inner)
                    .map_or_else(|_| Cow::Owned(RoaringBitmap::new()), |relation| self.related(&relation)),
            },
        }
    }

    fn related(&self, relation: &RelationTest<'_>) -> Set<'_> {
        let key = KeyView::of(self, &format!("relations.{}", lowercase(relation.kind)));
        match &relation.targets {
            None => key.present(),
            Some(targets) => key.one_of(targets.iter().map(|target| lowercase(target))),
        }
    }

    /// Of nothing, all entities.
    fn all<'a>(&'a self, sets: impl Iterator<Item = Set<'a>>) -> Set<'a> {
        let mut result: Option<Set<'a>> = None;
        for set in sets {
            let both = match result {
                None => set,
                Some(before) => intersection(before, set),
            };
            if both.is_empty() {
                return both;
            }
            result = Some(both);
        }
        result.unwrap_or(Cow::Borrowed(&self.live))
    }
}

fn any<'a>(mut sets: impl Iterator<Item = Set<'a>>) -> Set<'a> {
    let Some(first) = sets.next() else { return Cow::Owned(RoaringBitmap::new()) };
    let Some(second) = sets.next() else { return first };
    let mut union = first.into_owned();
    union |= &*second;
    for set in sets {
        union |= &*set;
    }
    Cow::Owned(union)
}

/// What is in both, in the memory of one that is not shared, if there is one.
pub(crate) fn intersection<'a>(a: Set<'a>, b: Set<'a>) -> Set<'a> {
    match (a, b) {
        (Cow::Owned(mut a), b) => {
            a &= &*b;
            Cow::Owned(a)
        }
        (a, Cow::Owned(mut b)) => {
            b &= &*a;
            Cow::Owned(b)
        }
        (a, b) => Cow::Owned(&*a & &*b),
    }
}

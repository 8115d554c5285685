//! What a processor remembers from one run of an entity to the next.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The memory of one processor about one entity (or, in `read_location`, about one target).
///
/// Reads give what the previous good run wrote; writes of this run are seen by the next one. The first write
/// replaces everything: what is not written again is forgotten. Without a write everything is kept. A run that
/// fails writes nothing, and after several failures in a row the memory is dropped.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessorCache {
    previous: Map<String, Value>,
    next: Option<Map<String, Value>>,
}

/// Where the memories about targets stand among what a processor has stored.
const TARGETS: &str = "@targets";

impl ProcessorCache {
    fn from_stored(stored: Option<&Value>) -> Self {
        let mut previous = stored.and_then(Value::as_object).cloned().unwrap_or_default();
        previous.remove(TARGETS);
        Self { previous, next: None }
    }

    /// What the previous run stored under `key`; `None` also if it has another shape by now.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.previous.get(key).and_then(|value| T::deserialize(value).ok())
    }

    /// Stores `value` for the next run.
    pub fn set<T: Serialize>(&mut self, key: &str, value: &T) -> Result<(), serde_json::Error> {
        let value = serde_json::to_value(value)?;
        self.next.get_or_insert_default().insert(key.to_owned(), value);
        Ok(())
    }

    fn into_object(self) -> Map<String, Value> {
        self.next.unwrap_or(self.previous)
    }

    /// Adds what another memory about the same was told.
    fn join(&mut self, other: Self) {
        if let Some(next) = other.next {
            self.next.get_or_insert_default().extend(next);
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Handle {
    own: ProcessorCache,
    targets: BTreeMap<String, ProcessorCache>,
}

/// Where it stands which targets gave entities. Not a processor's name, as those do not begin like this.
const EMITTED: &str = "@emitted";

/// Where it stands which origin these entities say they have.
const ORIGIN: &str = "@origin";

/// The memories of all processors about one entity, during one run; and from which of its targets entities came.
#[derive(Debug, Clone, Default)]
pub struct CacheState {
    stored: Map<String, Value>,
    origin: Option<String>,
    handles: BTreeMap<String, Handle>,
    emitted_before: BTreeSet<String>,
    emitted: BTreeSet<String>,
}

impl CacheState {
    /// Starts from what the last good run left; anything but an object counts as empty.
    pub fn from_stored(stored: Value) -> Self {
        let mut stored = if let Value::Object(stored) = stored { stored } else { Map::new() };
        let emitted = stored.remove(EMITTED);
        let origin = match stored.remove(ORIGIN) {
            Some(Value::String(origin)) => Some(origin),
            _ => None,
        };
        let emitted_before =
            emitted.and_then(|targets| serde_json::from_value(targets).ok()).unwrap_or_default();
        Self { stored, origin, emitted_before, ..Self::default() }
    }

    /// For a run of an entity with this origin. Entities that were read for another one name that one, so that what is
    /// remembered of reading them does not count.
    #[must_use]
    pub fn for_origin(self, origin: &str) -> Self {
        let is_another = self.origin.as_deref().is_some_and(|before| before != origin);
        let state = if is_another { self.without_memories() } else { self };
        Self { origin: Some(origin.to_owned()), ..state }
    }

    /// Without the processors' memories. What their last good run gave stays true.
    #[must_use]
    pub fn without_memories(self) -> Self {
        Self { emitted_before: self.emitted_before, ..Self::default() }
    }

    /// What is left to store when the memories are dropped without a good run.
    pub fn into_facts(self) -> Map<String, Value> {
        with_emitted(Map::new(), self.emitted_before)
    }

    /// Whether entities came from the target in the last good run.
    pub(crate) fn has_emitted_before(&self, target: &str) -> bool {
        self.emitted_before.contains(target)
    }

    /// Entities came from the target in this run.
    pub(crate) fn note_emitted(&mut self, target: &str) {
        if !self.emitted.contains(target) {
            self.emitted.insert(target.to_owned());
        }
    }

    /// The memory of `processor`, or its separate memory about one `target`.
    pub fn handle(&mut self, processor: &str, target: Option<&str>) -> &mut ProcessorCache {
        let stored = self.stored.get(processor);
        let handle = self
            .handles
            .entry(processor.to_owned())
            .or_insert_with(|| Handle { own: ProcessorCache::from_stored(stored), targets: BTreeMap::new() });
        match target {
            None => &mut handle.own,
            Some(target) => handle
                .targets
                .entry(target.to_owned())
                .or_insert_with(|| ProcessorCache::from_stored(stored_target(stored, target))),
        }
    }

    /// The memories about one target, for a call that reads it while others read other targets.
    #[must_use]
    pub fn branch(&self, target: &str) -> Self {
        let about_target = |(processor, stored): (&String, &Value)| {
            let memory = stored_target(Some(stored), target)?.clone();
            Some((processor.clone(), json!({ TARGETS: { target: memory } })))
        };
        Self {
            stored: self.stored.iter().filter_map(about_target).collect(),
            emitted_before: self.emitted_before.get(target).cloned().into_iter().collect(),
            ..Self::default()
        }
    }

    /// Takes over what became of a branch.
    pub fn join(&mut self, branch: Self) {
        self.emitted.extend(branch.emitted);
        for (processor, handle) in branch.handles {
            for (target, cache) in handle.targets {
                self.handle(&processor, Some(&target)).join(cache);
            }
        }
    }

    /// What to store after a good run. Of processors that asked for nothing in this run, the memory of those for
    /// which `is_kept` says so stays. A memory about a target stays if the target was asked about in this run and
    /// `is_target_kept` says so: what is remembered of a target holds for the run that read it last, and a run that
    /// did not read it gave up what came from it.
    pub fn collect(
        self,
        is_kept: impl Fn(&str) -> bool,
        is_target_kept: impl Fn(&str) -> bool,
    ) -> Map<String, Value> {
        let mut collected = Map::new();
        for (processor, stored) in self.stored.iter().filter(|(processor, _)| is_kept(processor)) {
            put(&mut collected, processor, ProcessorCache::from_stored(Some(stored)).into_object());
        }
        for (processor, handle) in self.handles {
            let mut object = handle.own.into_object();
            let mut targets = Map::new();
            for (target, cache) in handle.targets.into_iter().filter(|(target, _)| is_target_kept(target)) {
                put(&mut targets, &target, cache.into_object());
            }
            put(&mut object, TARGETS, targets);
            collected.remove(&processor);
            put(&mut collected, &processor, object);
        }
        if let Some(origin) = self.origin.filter(|_| !self.emitted.is_empty()) {
            collected.insert(ORIGIN.to_owned(), origin.into());
        }
        with_emitted(collected, self.emitted)
    }
}

fn with_emitted(mut collected: Map<String, Value>, targets: BTreeSet<String>) -> Map<String, Value> {
    if !targets.is_empty() {
        collected.insert(EMITTED.to_owned(), targets.into_iter().collect());
    }
    collected
}

fn stored_target<'v>(stored: Option<&'v Value>, target: &str) -> Option<&'v Value> {
    stored?.get(TARGETS)?.get(target)
}

/// Nothing to remember takes no room.
fn put(into: &mut Map<String, Value>, key: &str, object: Map<String, Value>) {
    if !object.is_empty() {
        into.insert(key.to_owned(), Value::Object(object));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn collect(state: CacheState) -> Value {
        Value::Object(state.collect(|_| false, |_| true))
    }

    #[test]
    fn a_requested_cache_without_writes_is_kept() {
        let mut state = CacheState::from_stored(json!({"p": {"k": 1}}));
        assert_eq!(state.handle("p", None).get::<u32>("k"), Some(1));
        assert_eq!(collect(state), json!({"p": {"k": 1}}));
    }

    #[test]
    fn the_first_write_replaces_all_and_is_not_readable_in_the_same_run() {
        let mut state = CacheState::from_stored(json!({"p": {"old": 1}}));
        let cache = state.handle("p", None);
        cache.set("new", &2).unwrap();
        assert_eq!(cache.get::<u32>("old"), Some(1));
        assert_eq!(cache.get::<u32>("new"), None);
        assert_eq!(collect(state), json!({"p": {"new": 2}}));
    }

    #[test]
    fn without_any_handle_nothing_is_collected_but_what_the_host_keeps() {
        let state = CacheState::from_stored(json!({"p": {"k": 1}, "gone": {"k": 1}}));
        assert_eq!(collect(state.clone()), json!({}));
        assert_eq!(Value::Object(state.collect(|name| name == "p", |_| true)), json!({"p": {"k": 1}}));
    }

    #[test]
    fn targets_are_kept_and_replaced_independently() {
        let stored = json!({"p": {"k": 0, "@targets": {"a": {"k": 1, "l": 1}, "b": {"k": 2}}}});
        let mut state = CacheState::from_stored(stored);
        state.handle("p", Some("b")).set("k", &3).unwrap();
        assert_eq!(state.handle("p", Some("a")).get::<u32>("k"), Some(1));
        assert_eq!(
            collect(state),
            json!({"p": {"k": 0, "@targets": {"a": {"k": 1, "l": 1}, "b": {"k": 3}}}})
        );
    }

    #[test]
    fn what_was_known_of_a_target_that_is_not_read_any_more_is_forgotten() {
        let stored =
            json!({"p": {"@targets": {"a": {"k": 1}, "b": {"k": 2}}}, "q": {"@targets": {"a": {"k": 3}}}});
        let mut state = CacheState::from_stored(stored);
        state.handle("p", Some("a"));
        let collected = state.clone().collect(|_| true, |_| true);
        assert_eq!(Value::Object(collected), json!({"p": {"@targets": {"a": {"k": 1}}}}));
        assert_eq!(Value::Object(state.collect(|_| true, |_| false)), json!({}));
    }

    #[test]
    fn a_branch_knows_its_target_and_what_becomes_of_it_is_kept() {
        let stored = json!({
            "p": {"k": 0, "@targets": {"a": {"k": 1, "l": 1}, "b": {"k": 2}}}, "q": {"k": 3}, "@emitted": ["a", "b"]
        });
        let mut state = CacheState::from_stored(stored);
        let (mut a, mut b, mut c) = (state.branch("a"), state.branch("b"), state.branch("c"));
        assert!(a.has_emitted_before("a") && !a.has_emitted_before("b") && !c.has_emitted_before("c"));
        assert_eq!(a.handle("p", Some("a")).get::<u32>("l"), Some(1));
        assert_eq!(a.handle("p", Some("b")).get::<u32>("k"), None);
        assert_eq!(b.handle("p", Some("b")).get::<u32>("k"), Some(2));
        a.handle("p", Some("a")).set("k", &4).unwrap();
        c.handle("q", Some("c")).set("k", &5).unwrap();
        c.note_emitted("c");
        for branch in [a, b, c] {
            state.join(branch);
        }
        assert_eq!(
            collect(state),
            json!({
                "p": {"k": 0, "@targets": {"a": {"k": 4}, "b": {"k": 2}}},
                "q": {"k": 3, "@targets": {"c": {"k": 5}}},
                "@emitted": ["c"],
            })
        );
    }

    #[test]
    fn two_branches_of_one_target_remember_what_both_were_told() {
        let mut state = CacheState::from_stored(json!({}));
        let (mut first, mut second) = (state.branch("a"), state.branch("a"));
        first.handle("p", Some("a")).set("k", &1).unwrap();
        second.handle("p", Some("a")).set("l", &2).unwrap();
        state.join(first);
        state.join(second);
        assert_eq!(collect(state), json!({"p": {"@targets": {"a": {"k": 1, "l": 2}}}}));
    }

    #[test]
    fn where_entities_came_from_is_known_without_any_memory() {
        let stored = json!({"p": {"k": 1}, "@emitted": ["a", "b"]});
        let state = CacheState::from_stored(stored).without_memories();
        assert_eq!(state.clone().handle("p", None).get::<u32>("k"), None);
        assert!(state.has_emitted_before("a") && !state.has_emitted_before("c"));
        assert_eq!(Value::Object(state.clone().into_facts()), json!({"@emitted": ["a", "b"]}));
        let mut state = state;
        state.note_emitted("b");
        assert_eq!(collect(state), json!({"@emitted": ["b"]}));
    }

    #[test]
    fn processors_do_not_see_each_other() {
        let mut state = CacheState::from_stored(json!({"p": {"k": 1}}));
        assert_eq!(state.handle("q", None).get::<u32>("k"), None);
    }

    #[test]
    fn stored_values_of_a_wrong_shape_count_as_empty() {
        for stored in [json!(null), json!([]), json!(3), json!("x"), json!({"p": null}), json!({"p": [1]})] {
            let mut state = CacheState::from_stored(stored);
            assert_eq!(state.handle("p", None).get::<u32>("k"), None);
            assert_eq!(collect(state), json!({}));
        }
    }
}

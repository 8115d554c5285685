//! Takes what the processors emit during one run, checks it, and brings it into the form in which it is stored.
//!
//! Children are serialised at once: an entity as a tree takes several times the memory of its JSON, and a file may
//! hold many thousands.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use callboard_model::annotations::{MANAGED_BY_LOCATION, MANAGED_BY_ORIGIN_LOCATION};
use callboard_model::{
    Digest, Emitted, EmittingParent, Entity, LocationRef, accept_emitted, location_entity,
};
use callboard_sdk::{Address, DocumentPosition, Emit, EmitSink, LocationKey, LocationSpec, ProcessorError};
use callboard_store::{NewEntity, RelationKey};

use crate::RulesEnforcer;
use crate::settings::RunLimits;

/// Refresh keys that one entity may emit: twice as many as it may bring in entities by default, each of which may stand
/// in a file of its own.
const REFRESH_KEYS_MAX: usize = 100_000;

/// Something was emitted beyond a limit.
pub(crate) const RULE_EMITTED: &str = "limit/emitted";

/// The entity in hand, as its children see it.
#[derive(Debug, Clone)]
pub(crate) struct Parent {
    pub(crate) entity_ref: String,
    pub(crate) location: String,
    pub(crate) origin: LocationSpec,
    pub(crate) origin_ref: String,
}

/// What was emitted so far.
#[derive(Debug)]
pub(crate) struct Collector {
    parent: Arc<Parent>,
    rules: Arc<dyn RulesEnforcer>,
    limits: RunLimits,
    may_branch: bool,
    group: i64,
    child_indexes: HashMap<Arc<str>, usize>,
    bytes: usize,
    pub(crate) children: Vec<NewEntity>,
    /// Where each child was read, by its index.
    locations: Vec<Arc<str>>,
    /// Refs that were emitted more than once, each with what to say about it.
    pub(crate) duplicates: Vec<(Arc<str>, ProcessorError)>,
    pub(crate) relations: BTreeSet<RelationKey>,
    pub(crate) refresh_keys: BTreeSet<String>,
    pub(crate) errors: Vec<ProcessorError>,
    pub(crate) errors_dropped: usize,
    /// Groups of the targets that were read.
    pub(crate) read_groups: BTreeSet<i64>,
    pub(crate) kept_groups: BTreeSet<i64>,
    /// Groups of which more was emitted than children, which is all that can be kept, and refresh keys, which readers
    /// emit anew each time.
    pub(crate) unkeepable_groups: BTreeSet<i64>,
    /// The first child that the rules do not allow, or the limit that was reached; fails the run at its end, even if
    /// the processor does not mind.
    pub(crate) refused: Option<ProcessorError>,
    is_full: bool,
}

impl Collector {
    pub(crate) fn new(parent: Arc<Parent>, rules: Arc<dyn RulesEnforcer>, limits: RunLimits) -> Self {
        Self {
            parent,
            rules,
            limits,
            may_branch: true,
            group: 0,
            child_indexes: HashMap::new(),
            bytes: 0,
            children: Vec::new(),
            locations: Vec::new(),
            duplicates: Vec::new(),
            relations: BTreeSet::new(),
            refresh_keys: BTreeSet::new(),
            errors: Vec::new(),
            errors_dropped: 0,
            read_groups: BTreeSet::new(),
            kept_groups: BTreeSet::new(),
            unkeepable_groups: BTreeSet::new(),
            refused: None,
            is_full: false,
        }
    }

    /// Everything has to come from the task that the run is on.
    #[must_use]
    pub(crate) fn without_branches(self) -> Self {
        Self { may_branch: false, ..self }
    }

    /// Takes what comes next while this one takes what comes before that.
    pub(crate) fn begin_branch(&self) -> Option<Self> {
        self.may_branch.then(|| Self {
            group: self.group,
            ..Self::new(Arc::clone(&self.parent), Arc::clone(&self.rules), self.limits)
        })
    }

    /// Takes over what a branch took.
    pub(crate) fn end_branch(&mut self, branch: Self) -> Result<(), ProcessorError> {
        for error in branch.errors {
            self.push_error(error);
        }
        self.errors_dropped += branch.errors_dropped;
        self.relations.extend(branch.relations);
        self.refresh_keys.extend(branch.refresh_keys);
        self.read_groups.extend(branch.read_groups);
        self.kept_groups.extend(branch.kept_groups);
        self.unkeepable_groups.extend(branch.unkeepable_groups);
        self.bytes += branch.bytes;
        self.children.reserve(branch.children.len());
        for (child, location) in branch.children.into_iter().zip(branch.locations) {
            self.add_child(child, location);
        }
        let room = self.limits.errors_max.saturating_sub(self.duplicates.len());
        self.duplicates.extend(branch.duplicates.into_iter().take(room));
        self.is_full |= branch.is_full;
        if self.refused.is_none() || branch.is_full {
            self.refused = branch.refused.or(self.refused.take());
        }
        self.check_size()
    }

    /// What comes next is read from this target; `None` after the last one.
    pub(crate) fn enter_target(&mut self, target: Option<&str>) {
        self.group = target.map_or(0, target_group);
        self.read_groups.extend(target.map(target_group));
    }

    pub(crate) fn push_error(&mut self, error: ProcessorError) {
        if self.errors.len() < self.limits.errors_max {
            self.errors.push(error);
        } else {
            self.errors_dropped += 1;
        }
    }

    fn emit_entity(
        &mut self,
        entity: Entity,
        location: &LocationSpec,
        key: LocationKey,
        position: Option<DocumentPosition>,
    ) -> Result<(), ProcessorError> {
        let location = location.location_ref()?;
        let parent =
            EmittingParent { entity_ref: &self.parent.entity_ref, origin_location: &self.parent.origin_ref };
        match accept_emitted(entity, &location, parent) {
            Ok(Emitted::Accepted(entity)) => {
                let location = self.shared_location(location.to_string());
                let key = match key {
                    LocationKey::Location => Some(Arc::clone(&location)),
                    LocationKey::None => None,
                    LocationKey::Key(key) => Some(Arc::from(key)),
                };
                self.push_child(&entity, location, key, position)
            }
            Ok(Emitted::SameAsParent) => {
                tracing::warn!(
                    "Ignored emitted entity {} whose ref was identical to the one being processed. This commonly \
                     indicates mistakenly emitting the input entity instead of returning it.",
                    self.parent.entity_ref
                );
                Ok(())
            }
            Err(error) => {
                let mut error = ProcessorError::from(error);
                error.address.location = Some(location.to_string());
                error.address.document = position.map(|position| position.document);
                error.address.line = position.map(|position| position.line);
                self.push_error(error);
                Ok(())
            }
        }
    }

    fn emit_location(&mut self, location: &LocationSpec) -> Result<(), ProcessorError> {
        location.location_ref()?;
        let entity = location_entity(location, &self.parent.location, &self.parent.origin_ref);
        let own_location = self.shared_location(self.parent.location.clone());
        self.push_child(&entity, Arc::clone(&own_location), Some(own_location), None)
    }

    /// Entities come file by file.
    fn shared_location(&self, location: String) -> Arc<str> {
        self.locations.last().filter(|last| ***last == *location).cloned().unwrap_or_else(|| location.into())
    }

    fn push_child(
        &mut self,
        entity: &Entity,
        location: Arc<str>,
        location_key: Option<Arc<str>>,
        position: Option<DocumentPosition>,
    ) -> Result<(), ProcessorError> {
        let entity_ref: Arc<str> = entity.entity_ref().to_canonical().into();
        if self.refused.is_none() && !self.rules.is_allowed(entity, &self.parent.origin) {
            self.refused = Some(self.refusal(&entity_ref, &location, position));
        }
        let json = serde_json::to_string(entity)?;
        self.bytes += json.len();
        let child = NewEntity {
            entity_ref,
            digest: Digest::of(json.as_bytes()),
            json: json.into(),
            location_key,
            position: position.map(|position| (position.document, position.line)),
            group: self.group,
        };
        self.add_child(child, location);
        self.check_size()
    }

    fn add_child(&mut self, child: NewEntity, location: Arc<str>) {
        match self.child_indexes.get(&child.entity_ref).and_then(|index| self.children.get_mut(*index)) {
            None => {
                self.child_indexes.insert(Arc::clone(&child.entity_ref), self.children.len());
                self.children.push(child);
                self.locations.push(location);
            }
            Some(earlier) => {
                // Kept children come without what there is to say about them; and of two targets that describe the
                // same entity, neither can be read without the other.
                self.unkeepable_groups.extend([earlier.group, child.group]);
                if self.duplicates.len() < self.limits.errors_max {
                    let warning = duplicate(earlier, &child, &location);
                    self.duplicates.push((Arc::clone(&child.entity_ref), warning));
                }
                if may_replace(earlier, &child) {
                    *earlier = child;
                }
            }
        }
    }

    /// Once it is full, a collector takes nothing more.
    fn check_size(&mut self) -> Result<(), ProcessorError> {
        let RunLimits { emitted_entities_max, emitted_bytes_max, emitted_relations_max, .. } = self.limits;
        let over = if self.children.len() > emitted_entities_max {
            format!("more than {emitted_entities_max} entities (callboard.limits.emittedEntities)")
        } else if self.bytes > emitted_bytes_max {
            format!("more than {emitted_bytes_max} bytes (callboard.limits.emittedBytes)")
        } else if self.relations.len() > emitted_relations_max {
            format!("more than {emitted_relations_max} relations (callboard.limits.emittedRelations)")
        } else if self.refresh_keys.len() > REFRESH_KEYS_MAX {
            format!("more than {REFRESH_KEYS_MAX} refresh keys")
        } else {
            return Ok(());
        };
        let message = format!("{} emitted {over}", self.parent.entity_ref);
        let error = ProcessorError::general(message).with_rule(RULE_EMITTED);
        self.is_full = true;
        self.refused = Some(error.clone());
        Err(error)
    }

    fn refusal(
        &self,
        entity_ref: &str,
        location: &str,
        position: Option<DocumentPosition>,
    ) -> ProcessorError {
        let message = format!(
            "Entity {entity_ref} at {}, originated at {}, is not of an allowed kind for that location",
            self.parent.location, self.parent.origin_ref
        );
        let address = Address {
            location: Some(location.to_owned()),
            document: position.map(|position| position.document),
            line: position.map(|position| position.line),
            pointer: Some("/kind".to_owned()),
            ..Address::default()
        };
        ProcessorError::new("NotAllowedError", message).at(address).with_rule("catalog-rules")
    }
}

impl EmitSink for Collector {
    fn branch(&self) -> Option<Box<dyn EmitSink>> {
        self.begin_branch().map(|branch| Box::new(branch) as Box<dyn EmitSink>)
    }

    fn join(&mut self, branch: Box<dyn EmitSink>) -> Result<(), ProcessorError> {
        let branch: Box<dyn Any> = branch;
        let branch = branch.downcast::<Self>();
        self.end_branch(*branch.map_err(|_| ProcessorError::general("not a branch of this sink"))?)
    }

    fn emit(&mut self, item: Emit) -> Result<(), ProcessorError> {
        if let Some(full) = self.refused.as_ref().filter(|_| self.is_full) {
            return Err(full.clone());
        }
        match item {
            Emit::Entity { entity, location, location_key, position } => {
                return self.emit_entity(entity, &location, location_key, position);
            }
            Emit::Location(location) => return self.emit_location(&location),
            Emit::Relation(relation) => {
                self.unkeepable_groups.insert(self.group);
                let relation = RelationKey {
                    source: relation.source.to_canonical().into(),
                    kind: relation.kind.into(),
                    target: relation.target.to_canonical().into(),
                };
                self.bytes += relation.source.len() + relation.kind.len() + relation.target.len();
                self.relations.insert(relation);
                return self.check_size();
            }
            Emit::Error { mut error, location } => {
                error
                    .address
                    .location
                    .get_or_insert_with(|| format!("{}:{}", location.kind, location.target));
                self.push_error(error);
            }
            Emit::Refresh { key } => {
                self.bytes += key.len();
                self.refresh_keys.insert(key);
                return self.check_size();
            }
            Emit::Unchanged if self.group == 0 => {
                let message = "only what is read from a target can be unchanged";
                return Err(ProcessorError::general(message).with_rule("processor/unchanged"));
            }
            Emit::Unchanged => {
                self.kept_groups.insert(self.group);
            }
            other => {
                return Err(ProcessorError::general(format!("this version cannot take {other:?}")));
            }
        }
        Ok(())
    }
}

/// Whether a later child of the same ref takes the place of an earlier one: the rule for two writers of one entity.
fn may_replace(earlier: &NewEntity, later: &NewEntity) -> bool {
    earlier.location_key.is_none() || earlier.location_key == later.location_key
}

fn duplicate(earlier: &NewEntity, later: &NewEntity, location: &str) -> ProcessorError {
    let place = |child: &NewEntity| {
        let key = child.location_key.as_deref().unwrap_or("no location");
        child.position.map_or_else(|| key.to_owned(), |(_, line)| format!("{key}, line {line}"))
    };
    let winner = if may_replace(earlier, later) { "the last one" } else { "the first one" };
    let message = format!(
        "{} is described more than once, at {} and at {}; {winner} counts",
        later.entity_ref,
        place(earlier),
        place(later)
    );
    let address = Address {
        location: Some(location.to_owned()),
        document: later.position.map(|(document, _)| document),
        line: later.position.map(|(_, line)| line),
        ..Address::default()
    };
    ProcessorError::new("ConflictError", message).at(address).with_rule("conflict/duplicate")
}

/// A number for a target, to tell the children of one target from those of another.
pub(crate) fn target_group(target: &str) -> i64 {
    let digest = Digest::of(target);
    let bytes = digest.as_ref().first_chunk().copied().unwrap_or_default();
    i64::from_be_bytes(bytes)
}

/// The locations of an entity, from its annotations.
pub(crate) fn parent_of(entity: &Entity, entity_ref: &str) -> Result<(Parent, LocationSpec), ProcessorError> {
    let annotation = |key: &str| {
        let text = entity.annotation(key).filter(|text| !text.is_empty()).ok_or_else(|| {
            ProcessorError::input(format!("Entity '{entity_ref}' does not have the annotation {key}"))
                .with_rule("location-annotation")
        })?;
        Ok::<_, ProcessorError>(LocationRef::parse(text)?)
    };
    let location = annotation(MANAGED_BY_LOCATION)?;
    let origin = annotation(MANAGED_BY_ORIGIN_LOCATION)?;
    let parent = Parent {
        entity_ref: entity_ref.to_owned(),
        location: location.to_string(),
        origin_ref: origin.to_string(),
        origin: LocationSpec::new(origin.type_, origin.target),
    };
    Ok((parent, LocationSpec::new(location.type_, location.target)))
}

#[cfg(test)]
mod tests;

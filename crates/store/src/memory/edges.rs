//! Who hands over what, and what follows from it: orphans, roots.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::tables::Tables;
use crate::rules::intake::{self, heirs};
use crate::rules::names::{provider_name, provider_text};
use crate::rules::schedule::Run;
use crate::rules::stitch_work::Urgency;
use crate::{Lane, Timestamp};

/// Who hands over an entity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A parent, by canonical ref.
    Entity(Arc<str>),
    /// A provider, by name.
    Provider(String),
}

/// A source wants to hand over an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// It may not, because of another source's location key.
    pub is_refused: bool,
    /// Of which of the source's targets the entity came.
    pub group: i64,
    /// Index of the document, and the line on which it starts.
    pub position: Option<(u32, u32)>,
}

impl Source {
    /// What `text` stands for.
    pub(super) fn of(text: &Arc<str>) -> Self {
        match provider_name(text) {
            Some(name) => Self::Provider(name.to_owned()),
            None => Self::Entity(Arc::clone(text)),
        }
    }

    /// The ref of a parent, or the name of a provider behind a prefix that no ref has.
    pub(super) fn text(&self) -> Arc<str> {
        match self {
            Self::Entity(entity_ref) => Arc::clone(entity_ref),
            Self::Provider(name) => provider_text(name),
        }
    }
}

impl Tables {
    pub(super) fn edge_put(&mut self, edge: &intake::Edge) {
        let intake::Edge { is_refused, group, position, .. } = *edge;
        let source = Source::of(&self.text(edge.source));
        let sources = self.edges.entry(self.text(edge.target)).or_default();
        sources.insert(source, Edge { is_refused, group, position });
    }

    pub(super) fn edge_delete(&mut self, source: &Source, target: &str) {
        if let Some(sources) = self.edges.get_mut(target) {
            sources.remove(source);
            if sources.is_empty() {
                self.edges.remove(target);
            }
        }
    }

    /// Edges that start at a source.
    pub(super) fn edges_from(&mut self, source: &Source) -> Vec<intake::Edge> {
        let edges = self.edges.iter();
        let found: Vec<_> =
            edges.filter_map(|(target, by)| Some((Arc::clone(target), *by.get(source)?))).collect();
        found.into_iter().map(|(target, edge)| self.numbered(source, &target, edge)).collect()
    }

    /// Edges that end at a target.
    fn edges_to(&mut self, target: &Arc<str>) -> Vec<intake::Edge> {
        let found = self.edges.get(target).cloned().unwrap_or_default();
        found.into_iter().map(|(source, edge)| self.numbered(&source, target, edge)).collect()
    }

    fn numbered(&mut self, source: &Source, target: &Arc<str>, edge: Edge) -> intake::Edge {
        let (source, target) = (self.number(&source.text()), self.number(target));
        let Edge { is_refused, group, position } = edge;
        intake::Edge { source, target, is_refused, group, position }
    }

    /// Those who hand over an entity, and may.
    pub(super) fn sources_of<'s>(&'s self, target: &str) -> impl Iterator<Item = &'s Source> + use<'s> {
        let edges = self.edges.get(target).into_iter().flatten();
        edges.filter(|(_, edge)| !edge.is_refused).map(|(source, _)| source)
    }

    /// Whether nobody hands over the entity.
    pub(super) fn is_orphan(&self, entity_ref: &str) -> bool {
        self.sources_of(entity_ref).next().is_none()
    }

    /// The entities to which a provider leads.
    pub(super) fn rooted(&self) -> BTreeSet<Arc<str>> {
        let is_root = |target: &str| self.sources_of(target).any(|it| matches!(it, Source::Provider(_)));
        self.reached_from(self.edges.keys().filter(|target| is_root(target)).cloned().collect())
    }

    /// These, and all that they bring in.
    pub(super) fn reached_from(&self, start: BTreeSet<Arc<str>>) -> BTreeSet<Arc<str>> {
        let mut children: BTreeMap<&str, Vec<&Arc<str>>> = BTreeMap::new();
        for (target, sources) in &self.edges {
            for (source, edge) in sources {
                if let (Source::Entity(parent), false) = (source, edge.is_refused) {
                    children.entry(parent).or_default().push(target);
                }
            }
        }
        let mut ahead: Vec<Arc<str>> = start.iter().cloned().collect();
        let mut reached = start;
        while let Some(next) = ahead.pop() {
            for child in children.get(next.as_ref()).into_iter().flatten() {
                if reached.insert(Arc::clone(child)) {
                    ahead.push(Arc::clone(child));
                }
            }
        }
        reached
    }

    /// The targets have one source less. Whoever is an orphan now says so.
    pub(super) fn sources_lost(&mut self, targets: &BTreeSet<Arc<str>>, now: Timestamp) {
        let (mut edges, mut orphans) = (Vec::new(), Vec::new());
        for target in targets {
            if self.rows.contains_key(target) && self.is_orphan(target) {
                self.queue(target, Urgency::Own);
                orphans.push(self.number(target));
            }
            edges.extend(self.edges_to(target));
        }
        for source in heirs(&edges, &orphans) {
            self.mark_due(&self.text(source), Lane::Event, Run::InFull, now);
        }
    }

    /// Parents that were refused because of an entity try again.
    pub(super) fn wake_refused(&mut self, target: &str, now: Timestamp) {
        let waiting = self.edges.get(target).cloned().unwrap_or_default();
        for (source, edge) in waiting {
            if let (Source::Entity(parent), true) = (source, edge.is_refused) {
                self.mark_due(&parent, Lane::Event, Run::InFull, now);
            }
        }
    }
}

//! What should be in the catalog: a plain function of the world.
//!
//! Where two sources come with different location keys, who has the entity is a matter of who came first. There the
//! function takes the store's word, and the check is that it is one of those who want it.

#![expect(clippy::indexing_slicing, reason = "what a JSON value does not have is null")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use callboard_model::LocationSpec;
use callboard_store::memory::{Source, Tables};
use serde_json::Value;

use crate::documents::Document;
use crate::world::{Outside, World};

/// A source that wants to hand over an entity.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) source: Source,
    pub(crate) key: Option<String>,
    pub(crate) document: Document,
}

/// What should be there.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// All that sources want to hand over, by ref.
    pub(crate) wanted: BTreeMap<String, Vec<Wanted>>,
    /// What the entities say.
    pub(crate) documents: BTreeMap<String, Document>,
    /// Parents that describe something twice.
    pub(crate) with_duplicates: BTreeSet<String>,
    /// Parents, with all files that they are read from.
    pub(crate) files_of: BTreeMap<String, BTreeSet<String>>,
    /// Relations by source: type and target.
    pub(crate) relations: BTreeMap<String, BTreeSet<(String, String)>>,
}

/// What should be there, given who has what several want.
pub(crate) fn expected(world: &World, tables: &Tables) -> Result<Expected, String> {
    let outside = world.outside();
    let mut expected = Expected::default();
    let mut ahead: VecDeque<String> = VecDeque::new();
    for (entity_ref, wanted) in roots(&outside, tables) {
        expected.wanted.entry(entity_ref.clone()).or_default().push(wanted);
        ahead.push_back(entity_ref);
    }
    while let Some(entity_ref) = ahead.pop_front() {
        if expected.documents.contains_key(&entity_ref) {
            continue;
        }
        let wanted = expected.wanted.get(&entity_ref).map(Vec::as_slice).unwrap_or_default();
        // A later source may be the one that has it: then it comes by here again.
        let Some(document) = holder(&entity_ref, wanted, tables) else { continue };
        for (child, wanted) in expected.children(&entity_ref, &document, &outside) {
            expected.wanted.entry(child.clone()).or_default().push(wanted);
            ahead.push_back(child);
        }
        for (source, kind, target) in document.relations() {
            expected.relations.entry(source).or_default().insert((kind.to_owned(), target));
        }
        expected.documents.insert(entity_ref, document);
    }
    for (entity_ref, wanted) in &expected.wanted {
        if !expected.documents.contains_key(entity_ref) {
            let stored = tables.rows.get(entity_ref.as_str());
            let stored = stored.map(|row| (&row.unprocessed, &row.location_key));
            let edges = tables.edges.get(entity_ref.as_str());
            return Err(format!(
                "P1: {entity_ref} is wanted by {wanted:#?}, and the store has {stored:?} from {edges:#?}"
            ));
        }
    }
    Ok(expected)
}

/// The document of the one who has the entity.
fn holder(entity_ref: &str, wanted: &[Wanted], tables: &Tables) -> Option<Document> {
    let row = tables.rows.get(entity_ref)?;
    let stored: Value = serde_json::from_str(&row.unprocessed).ok()?;
    let is_it = |wanted: &&Wanted| {
        wanted.key.as_deref() == row.location_key.as_deref() && says(&stored, &wanted.document)
    };
    wanted.iter().find(is_it).map(|wanted| wanted.document.clone())
}

/// Whether an entity says what a document does. The Location entities of registered locations have no version.
fn says(entity: &Value, document: &Document) -> bool {
    let expected = document.to_value();
    let is_registered = entity["metadata"]["description"].is_null();
    is_registered && entity["spec"]["target"].as_str() == document.targets().first().map(String::as_str)
        || entity["metadata"]["description"] == expected["metadata"]["description"]
            && entity["spec"] == expected["spec"]
}

/// What comes from providers and from users.
fn roots(outside: &Outside, tables: &Tables) -> Vec<(String, Wanted)> {
    let mut roots = Vec::new();
    for (provider, bucket) in &outside.buckets {
        for (entity_ref, (document, key)) in bucket {
            let source = Source::Provider((*provider).to_owned());
            roots.push((entity_ref.clone(), Wanted { source, key: key.clone(), document: document.clone() }));
        }
    }
    for location in tables.locations.values() {
        let LocationSpec { kind, target, .. } = &location.spec;
        let name = location.entity_ref.rsplit('/').next().unwrap_or_default().to_owned();
        let wanted = Wanted {
            source: Source::Provider(callboard_engine::LOCATION_STORE.to_owned()),
            key: Some(format!("{kind}:{target}")),
            document: Document::Location { name, version: 0, targets: vec![target.clone()] },
        };
        roots.push((location.entity_ref.clone(), wanted));
    }
    roots
}

impl Expected {
    /// Entities that sources hand over with the same key and in different words: those of the last one count, so they
    /// may change whenever one of the sources is read again. Words differ if the origins do.
    pub(crate) fn restless(&self, tables: &Tables) -> BTreeSet<String> {
        let mut origins: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        loop {
            let before: usize = origins.values().map(BTreeSet::len).sum();
            for (entity_ref, wanted) in &self.wanted {
                let key = tables.rows.get(entity_ref.as_str()).and_then(|row| row.location_key.as_deref());
                for wanted in wanted.iter().filter(|it| it.key.as_deref() == key) {
                    let inherited = match &wanted.source {
                        Source::Entity(parent) => origins.get(parent.as_ref()).cloned().unwrap_or_default(),
                        Source::Provider(name) => BTreeSet::from([format!("{name} {:?}", wanted.document)]),
                    };
                    origins.entry(entity_ref).or_default().extend(inherited);
                }
            }
            if origins.values().map(BTreeSet::len).sum::<usize>() == before {
                let several = origins.into_iter().filter(|(_, origins)| origins.len() > 1);
                return several.map(|(entity_ref, _)| entity_ref.to_owned()).collect();
            }
        }
    }

    /// Whether some sources hand over an entity with the same key, and it is not the same entity: then it depends on
    /// who was last, and so does all that is connected with it.
    pub(crate) fn depends_on_order(&self) -> bool {
        let has_rival = |one: &Wanted, all: &[Wanted]| {
            all.iter().any(|other| other.key == one.key && other.document != one.document)
        };
        self.wanted.values().any(|all| all.iter().any(|one| has_rival(one, all)))
    }

    /// What a document hands over. Of two that it describes with one ref, the first keeps others away.
    fn children(&mut self, parent: &str, document: &Document, outside: &Outside) -> Vec<(String, Wanted)> {
        let mut children: Vec<(String, Wanted)> = Vec::new();
        let mut targets: Vec<&String> = Vec::new();
        for target in document.targets() {
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        for (url, file) in targets.into_iter().flat_map(|target| outside.matching(target)) {
            self.files_of.entry(parent.to_owned()).or_default().insert(url.clone());
            // What describes its own parent is passed over.
            for document in file.documents.iter().filter(|it| it.entity_ref() != parent) {
                let wanted = Wanted {
                    source: Source::Entity(Arc::from(parent)),
                    key: Some(format!("url:{url}")),
                    document: document.clone(),
                };
                let entity_ref = document.entity_ref();
                match children.iter_mut().find(|(it, _)| *it == entity_ref) {
                    None => children.push((entity_ref, wanted)),
                    Some((_, earlier)) => {
                        self.with_duplicates.insert(parent.to_owned());
                        if earlier.key == wanted.key {
                            *earlier = wanted;
                        }
                    }
                }
            }
        }
        children
    }
}

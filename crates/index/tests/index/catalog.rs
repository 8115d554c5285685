//! Random catalogs and queries, made of few words so that they meet.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::naive;

const NAMES: &[&str] = &["a", "b", "c.d", "b.c", "x", "X", "true", "java", "Java", "Go", "B.c"];
const WORDS: &[&str] = &[
    "java",
    "Java",
    "JAVA",
    "go",
    "c",
    "true",
    "TRUE",
    "",
    "b.c",
    "\u{e4}",
    "\u{c4}",
    "zzz",
    "group:default/a",
];
const KINDS: &[&str] = &["ownedBy", "partOf", "dependsOn"];

/// Keys that queries ask for; some exist in part of the entities, some follow from items, some never.
pub(crate) const KEYS: &[&str] = &[
    "kind",
    "metadata.name",
    "metadata.tags",
    "metadata.tags.java",
    "metadata.tags.JAVA",
    "metadata.tags.b.c",
    "metadata.uid",
    "metadata.namespace",
    "spec.a",
    "spec.b",
    "spec.b.c",
    "spec.a.b.c",
    "spec.c.d",
    "spec.a.java",
    "spec.a.true",
    "spec.x",
    "spec.X",
    "spec.java",
    "relations.ownedBy",
    "relations.partof",
    "spec",
    "nope",
];

pub(crate) fn word() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => select(WORDS).prop_map(Value::from),
        1 => Just(Value::from("y".repeat(201))),
        1 => (0..3).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
    ]
}

fn node() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![6 => word(), 1 => Just(Value::Null)];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((select(NAMES), inner), 0..4).prop_map(object),
        ]
    })
}

fn object(members: Vec<(&str, Value)>) -> Value {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>().into()
}

/// The content of an entity, but for what names it.
pub(crate) fn content() -> impl Strategy<Value = Value> {
    let tags = vec(select(WORDS), 0..4);
    let relations = vec((select(KINDS), select(WORDS)), 0..4);
    let spec = vec((select(NAMES), node()), 0..4).prop_map(object);
    (select(&["Component", "component", "API"][..]), tags, relations, spec, any::<bool>()).prop_map(
        |(kind, tags, relations, spec, in_other)| {
            let relations: Vec<Value> = relations
                .into_iter()
                .map(|(kind, target)| json!({"type": kind, "targetRef": target}))
                .collect();
            let mut entity = json!({
                "kind": kind, "metadata": {"tags": tags}, "spec": spec, "relations": relations,
            });
            if in_other {
                entity["metadata"]["namespace"] = json!("Other");
            }
            entity
        },
    )
}

/// An entity with a name and a uid.
pub(crate) fn named(content: &Value, name: &str, uid: &str) -> Value {
    let mut entity = content.clone();
    entity["metadata"]["name"] = json!(name);
    entity["metadata"]["uid"] = json!(uid);
    entity
}

/// What happens to one of a few entities: new content, or none.
pub(crate) fn events(count: usize) -> impl Strategy<Value = Vec<(u8, u8, Option<Value>)>> {
    vec((0..40_u8, 0..2_u8, prop_oneof![5 => content().prop_map(Some), 1 => Just(None)]), 0..count)
}

fn test() -> impl Strategy<Value = Value> {
    let relation = prop_oneof![
        Just(json!({"type": "OwnedBy"})),
        word_text().prop_map(|word| json!({"Type": "ownedBy", "targetRef": word})),
        vec(word_text(), 1..3).prop_map(|words| json!({"type": "partOf", "TARGETREF": {"$in": words}})),
    ];
    prop_oneof![
        word(),
        any::<bool>().prop_map(|exists| json!({ "$exists": exists })),
        vec(word(), 0..3).prop_map(|words| json!({ "$in": words })),
        select(&["", "j", "JA", "tr", "b.", "%", "\u{c4}"][..])
            .prop_map(|prefix| json!({ "$hasPrefix": prefix })),
        word().prop_map(|word| json!({ "$contains": word })),
        relation.prop_map(|relation| json!({"relation": relation})),
    ]
}

fn word_text() -> impl Strategy<Value = String> {
    select(WORDS).prop_map(str::to_owned)
}

pub(crate) fn query() -> impl Strategy<Value = Value> {
    let fields = vec((select(KEYS), test()), 0..3).prop_map(|tests| {
        let mut fields = Map::new();
        for (key, test) in tests {
            match test.get("relation") {
                Some(relation) => fields.insert("relations".to_owned(), json!({ "$contains": relation })),
                None => fields.insert(key.to_owned(), test),
            };
        }
        Value::Object(fields)
    });
    fields.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|children| json!({ "$all": children })),
            vec(inner.clone(), 0..4).prop_map(|children| json!({ "$any": children })),
            inner.prop_map(|child| json!({ "$not": child })),
        ]
    })
}

/// A catalog twice: as an index, and as a list to scan.
#[derive(Default)]
pub(crate) struct Both {
    pub(crate) index: callboard_index::Index,
    pub(crate) entities: Vec<naive::Entity>,
}

impl Both {
    pub(crate) fn of(events: &[(u8, u8, Option<Value>)]) -> Self {
        let mut both = Self::default();
        for event in events {
            both.happen(event);
        }
        both
    }

    pub(crate) fn happen(&mut self, (number, life, content): &(u8, u8, Option<Value>)) {
        let entity_ref = format!("component:default/e{number}");
        let Some(content) = content else {
            let was_there = self.index.remove(&entity_ref);
            let len = self.entities.len();
            self.entities.retain(|entity| entity.entity_ref != entity_ref);
            assert_eq!(was_there, self.entities.len() < len);
            return;
        };
        // Uids are in another order than refs, and change when an entity is made anew.
        let uid = match number % 3 {
            0 => format!("uid-{}-{life}", u32::from(*number) * 7 % 40),
            _ => format!("0190{:04x}-0000-7000-8000-0000000000{life:02x}", u32::from(*number) * 7919 % 65536),
        };
        let entity = named(content, &format!("e{number}"), &uid);
        let prepared =
            callboard_index::Prepared::new(i64::from(*number), &entity_ref, &uid, &entity.to_string());
        self.index.put(&prepared.unwrap());
        self.entities.retain(|entity| entity.entity_ref != entity_ref);
        self.entities.push(naive::Entity { entity_ref, uid, rows: naive::flatten(&entity) });
    }

    pub(crate) fn matching(&self, query: &Value) -> Vec<&naive::Entity> {
        self.entities.iter().filter(|entity| entity.fulfils(query)).collect()
    }
}

/// A catalog that is large enough for sets to be small or far away in it: names and uids in unrelated orders, a value
/// that only the last names have, and lists of values, some of which are keys of others as well.
pub(crate) fn large(count: u64) -> Both {
    let mut both = Both::default();
    for number in 0..count {
        let scattered = number * 7919 % count;
        let uid = format!("0190{:04x}-0000-7000-8000-{number:012x}", number * 104_729 % 65_536);
        let entity_ref = format!("component:default/n{scattered:05}");
        let mut spec = json!({
            "late": if scattered + 40 > count { "yes" } else { "no" },
            "share": number % 50,
            "list": [format!("l{:04}", number * 31 % count), format!("l{:04}", number * 17 % count)],
            "own": {},
        });
        if number % 3 == 0 {
            spec["own"]["true"] = json!(format!("v{scattered:05}"));
        }
        if number % 5 == 0 {
            spec["own"] = json!([format!("o{:02}", number % 70), "true", {"true": format!("t{number:05}")}]);
        }
        let content = json!({"kind": "Component", "spec": spec});
        let entity = named(&content, &format!("n{scattered:05}"), &uid);
        let id = i64::try_from(number).unwrap();
        both.index.put(&callboard_index::Prepared::new(id, &entity_ref, &uid, &entity.to_string()).unwrap());
        both.entities.push(naive::Entity { entity_ref, uid, rows: naive::flatten(&entity) });
    }
    both
}

//! Random histories. Whatever happened, what is derived must be what its sources say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{AnyRow, Tables};
use crate::rules::codec::{unpack_keys, unpack_relations};
use crate::rules::errors::conflict_key;
use crate::suite::world::{World, error, keyed, processed, relation};
use crate::{NewEntity, OutcomeKind, Processed};

/// An entity to hand over: which one, with which content, under which key.
type Given = (usize, u8, usize);

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Full(usize, Vec<Given>),
    Delta(usize, Vec<Given>, Vec<usize>),
    Run { content: u8, children: Vec<Given>, kept: bool, relations: Vec<(usize, usize)>, keys: Vec<u8> },
    Fail(u8),
    Refresh(usize),
    Delete(usize),
    DeleteOrphans,
    Release(usize),
    Stitch,
    Tidy,
}

const REFS: [&str; 6] = [
    "location:default/a",
    "location:default/b",
    "component:default/c",
    "component:default/d",
    "group:default/e",
    "api:default/f",
];
const KEYS: [&str; 3] = ["", "k", "j"];
const TYPES: [&str; 2] = ["likes", "knows"];

fn given() -> impl Strategy<Value = Given> {
    (0..REFS.len(), 0..2_u8, prop_oneof![3 => Just(0_usize), 2 => Just(1), 1 => Just(2)])
}

fn op() -> impl Strategy<Value = Op> {
    let children = vec(given(), 0..4);
    let run =
        (0..3_u8, children, any::<bool>(), vec((0..REFS.len(), 0..REFS.len()), 0..4), vec(0..3_u8, 0..3));
    let run = run.prop_map(|(content, children, kept, relations, keys)| Op::Run {
        content,
        children,
        kept,
        relations,
        keys,
    });
    prop_oneof![
        2 => (0..2_usize, vec(given(), 0..4)).prop_map(|(provider, entities)| Op::Full(provider, entities)),
        2 => (0..2_usize, vec(given(), 0..3), vec(0..REFS.len(), 0..2))
            .prop_map(|(provider, added, removed)| Op::Delta(provider, added, removed)),
        8 => run,
        1 => (0..2_u8).prop_map(Op::Fail),
        2 => (0..REFS.len()).prop_map(Op::Refresh),
        1 => (0..REFS.len()).prop_map(Op::Delete),
        1 => Just(Op::DeleteOrphans),
        1 => (0..2_usize).prop_map(Op::Release),
        2 => Just(Op::Stitch),
        1 => Just(Op::Tidy),
    ]
}

fn entities(given: &[Given]) -> Vec<NewEntity> {
    given
        .iter()
        .map(|(index, content, key)| NewEntity {
            group: i64::from(*content),
            ..keyed(REFS[*index], &content.to_string(), KEYS[*key])
        })
        .collect()
}

async fn apply(world: &mut World<'_>, op: &Op) {
    world.pass(Duration::from_secs(1));
    match op {
        Op::Full(provider, given) => drop(world.full(&provider.to_string(), entities(given)).await),
        Op::Delta(provider, given, removed) => {
            let removed: Vec<&str> = removed.iter().map(|index| REFS[*index]).collect();
            world.delta(&provider.to_string(), entities(given), &removed).await;
        }
        Op::Run { content, children, kept, relations, keys } => {
            let Some(claim) = world.claim(1).await.pop() else { return };
            let by_ref: BTreeMap<usize, Given> = children.iter().map(|given| (given.0, *given)).collect();
            let processed = Processed {
                children: entities(&by_ref.into_values().collect::<Vec<_>>()),
                kept_groups: if *kept { vec![0] } else { Vec::new() },
                relations: relations
                    .iter()
                    .map(|(from, to)| relation(REFS[*from], TYPES[usize::from(*content) % 2], REFS[*to]))
                    .collect(),
                refresh_keys: keys.iter().map(u8::to_string).collect(),
                ..processed(&claim.entity_ref, &content.to_string())
            };
            world.end(&claim, OutcomeKind::Processed(Box::new(processed))).await;
        }
        Op::Fail(message) => {
            let Some(claim) = world.claim(1).await.pop() else { return };
            world.end(&claim, OutcomeKind::Failed(vec![error(&message.to_string())])).await;
        }
        Op::Refresh(index) => drop(world.store.entity_refresh(REFS[*index], world.now).await),
        Op::Delete(index) => {
            if let Some(found) = world.store.entity_by_ref(REFS[*index]).await.unwrap() {
                world.store.entity_delete(found.uid, world.now).await.unwrap();
            }
        }
        Op::DeleteOrphans => drop(world.delete_orphans().await),
        Op::Release(provider) => {
            world.store.providers_release(&[provider.to_string()], world.now).await.unwrap();
        }
        Op::Stitch => drop(world.stitch().await),
        Op::Tidy => world.store.tidy(3, world.now).await.unwrap(),
    }
}

async fn rows<T: Ord + AnyRow>(store: &impl Tables, sql: &str) -> BTreeSet<T> {
    store.rows(sql.to_owned()).await.into_iter().collect()
}

/// Rules, each with two queries that give the same rows.
const SAME: [(&str, &str, &str); 6] = [
    (
        "orphans are those without an accepted edge",
        "SELECT id FROM orphans",
        "SELECT id FROM schedule s WHERE NOT EXISTS (SELECT 1 FROM edges e WHERE e.target = s.id AND NOT e.refused)",
    ),
    ("every entity is scheduled", "SELECT id FROM schedule", "SELECT id FROM refresh_state"),
    (
        "bodies and results go together",
        "SELECT id, digest FROM bodies",
        "SELECT id, body_digest FROM results",
    ),
    (
        "edges join what is there",
        "SELECT source, target FROM edges",
        "SELECT source, target FROM edges e JOIN refs f ON f.id = e.source JOIN schedule t ON t.id = e.target \
         WHERE f.entity_ref LIKE '::provider:%' OR f.id IN (SELECT id FROM schedule)",
    ),
    (
        "final entities carry the uid",
        "SELECT id, uid FROM final_entities",
        "SELECT f.id, r.uid FROM final_entities f JOIN refresh_state r ON r.id = f.id",
    ),
    (
        "whatever ran well is final or queued",
        "SELECT id FROM results",
        "SELECT id FROM results WHERE id IN (SELECT id FROM final_entities) OR id IN (SELECT id FROM stitch_queue)",
    ),
];

async fn check_rows(store: &impl Tables) {
    for (rule, left, right) in SAME {
        for (one, other) in [(left, right), (right, left)] {
            let more = format!("SELECT count(*) FROM ({one} EXCEPT {other}) more");
            assert_eq!(store.count(&more).await, 0, "{rule}: {one}");
        }
    }
    let refused = rows::<(i64, i64)>(store, "SELECT source, target FROM edges WHERE refused").await;
    let refused = refused.into_iter().map(|(source, target)| (source, conflict_key(target))).collect();
    let told = rows::<(i64, Vec<u8>)>(store, "SELECT owner, key FROM errors WHERE category = 1").await;
    assert_eq!(told, refused, "whoever is refused has an error, and nobody else");
}

pub(super) async fn check_packed(world: &World<'_>, store: &impl Tables) {
    let (mut peers, mut keys, mut count) = (BTreeSet::new(), BTreeSet::new(), 0);
    let results = "SELECT id, relations, refresh_keys FROM results".to_owned();
    for (id, relations, refresh_keys) in store.rows::<(i64, Vec<u8>, Vec<u8>)>(results).await {
        for (source, kind, target) in unpack_relations(id, &relations).unwrap() {
            count += 1;
            if source != id {
                peers.insert((source, kind, target, id));
            }
        }
        keys.extend(unpack_keys(&refresh_keys).unwrap().into_iter().map(|key| (key, id)));
    }
    assert_eq!(rows(store, "SELECT source, type, target, originator FROM peer_relations").await, peers);
    assert_eq!(rows(store, "SELECT key, id FROM refresh_keys").await, keys);
    assert_eq!(store.counts(world.now).await.unwrap().relations, count);
}

/// Each final entity has the relations of all results that start at it, and no others.
async fn check_relations(world: &World<'_>, store: &impl Tables) {
    let texts = store.rows::<(i64, String)>("SELECT id, entity_ref FROM refs".to_owned()).await;
    let texts: BTreeMap<i64, String> = texts.into_iter().collect();
    let mut expected: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let results = "SELECT id, relations FROM results".to_owned();
    for (id, relations) in store.rows::<(i64, Vec<u8>)>(results).await {
        expected.entry(&texts[&id]).or_default();
        for (source, kind, target) in unpack_relations(id, &relations).unwrap() {
            let text = format!("{} {}", texts[&kind].trim_start_matches("::type:"), texts[&target]);
            expected.entry(&texts[&source]).or_default().insert(text);
        }
    }
    for entity_ref in world.refs().await {
        let relations: Vec<String> = expected[&*entity_ref].iter().cloned().collect();
        assert_eq!(world.relations_of(&entity_ref).await, relations, "{entity_ref}");
    }
}

/// Stitching everything again changes nothing, and so does deleting orphans once all are gone.
async fn check_view(world: &World<'_>, store: &impl Tables) {
    world.stitch().await;
    store.execute("INSERT INTO stitch_queue (id, rank) SELECT id, 0 FROM refresh_state").await;
    assert_eq!(world.stitch().await.changed, 0, "something changed and was not queued");
    world.delete_orphans().await;
    let rooted = "WITH RECURSIVE rooted (id) AS ( \
                    SELECT e.target FROM edges e JOIN refs f ON f.id = e.source \
                    WHERE NOT e.refused AND f.entity_ref LIKE '::provider:%' UNION \
                    SELECT e.target FROM rooted JOIN edges e ON e.source = rooted.id WHERE NOT e.refused) \
                  SELECT id FROM rooted";
    let all = rows::<(i64,)>(store, "SELECT id FROM schedule").await;
    assert_eq!(all, rows(store, rooted).await);
}

pub(crate) fn config() -> ProptestConfig {
    ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() }
}

pub(crate) fn history() -> impl Strategy<Value = Vec<Op>> {
    vec(op(), 1..40)
}

/// Looks at the rows after each step of a history, and at the view at its end.
pub(crate) fn check<S: Tables>(history: &[Op]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let Some(store) = S::open_empty().await else { return };
        let mut world = World::new(&store);
        for op in history {
            apply(&mut world, op).await;
            check_rows(&store).await;
            check_packed(&world, &store).await;
            assert_eq!(world.violations(None).await, []);
        }
        world.stitch().await;
        check_relations(&world, &store).await;
        check_view(&world, &store).await;
        // Orphans were deleted.
        world.stitch().await;
        check_relations(&world, &store).await;
        assert_eq!(world.violations(None).await, []);
        check_rows(&store).await;
        check_packed(&world, &store).await;
    });
}

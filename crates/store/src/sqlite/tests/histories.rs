//! Random histories. Whatever happened, what is derived must be what its sources say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use sqlx::Row as _;

use crate::sqlite::codec::{unpack_keys, unpack_relations};
use crate::sqlite::{SqliteOptions, SqliteStore};
use crate::suite::world::{World, error, keyed, processed, relation};
use crate::{NewEntity, OutcomeKind, Processed};

/// An entity to hand over: which one, with which content, under which key.
type Given = (usize, u8, usize);

#[derive(Debug, Clone)]
enum Op {
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
                    .map(|(from, to)| relation(REFS[*from], "likes", REFS[*to]))
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

/// The rows of a query, as texts.
async fn rows(store: &SqliteStore, sql: &'static str) -> BTreeSet<String> {
    let rows = sqlx::query(sql).fetch_all(&store.connections.writer).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect()
}

async fn check_rows(store: &SqliteStore) {
    let same = [
        (
            "orphans are those without an accepted edge",
            "SELECT CAST(id AS TEXT) FROM orphans",
            "SELECT CAST(id AS TEXT) FROM schedule s \
             WHERE NOT EXISTS (SELECT 1 FROM edges e WHERE e.target = s.id AND e.refused = 0)",
        ),
        (
            "every entity is scheduled",
            "SELECT CAST(id AS TEXT) FROM schedule",
            "SELECT CAST(id AS TEXT) FROM refresh_state",
        ),
        (
            "bodies and results go together",
            "SELECT id || hex(digest) FROM bodies",
            "SELECT id || hex(body_digest) FROM results",
        ),
        (
            "edges join what is there",
            "SELECT source || ' ' || target FROM edges",
            "SELECT source || ' ' || target FROM edges e JOIN refs f ON f.id = e.source \
             JOIN schedule t ON t.id = e.target \
             WHERE f.entity_ref LIKE '::provider:%' OR f.id IN (SELECT id FROM schedule)",
        ),
        (
            "whoever is refused has an error, and nobody else",
            "SELECT source || ' ' || printf('%016X', target) FROM edges WHERE refused = 1",
            "SELECT owner || ' ' || hex(key) FROM errors WHERE category = 1",
        ),
        (
            "final entities carry the uid",
            "SELECT id || hex(uid) FROM final_entities",
            "SELECT f.id || hex(r.uid) FROM final_entities f JOIN refresh_state r ON r.id = f.id",
        ),
        (
            "whatever ran well is final or queued",
            "SELECT CAST(id AS TEXT) FROM results",
            "SELECT CAST(id AS TEXT) FROM results \
             WHERE id IN (SELECT id FROM final_entities) OR id IN (SELECT id FROM stitch_queue)",
        ),
    ];
    for (rule, left, right) in same {
        assert_eq!(rows(store, left).await, rows(store, right).await, "{rule}");
    }
}

pub(super) async fn check_packed(store: &SqliteStore) {
    let (mut peers, mut keys, mut count) = (BTreeSet::new(), BTreeSet::new(), 0);
    let results = sqlx::query("SELECT id, relations, refresh_keys FROM results");
    for row in results.fetch_all(&store.connections.writer).await.unwrap() {
        let id: i64 = row.get(0);
        for (source, kind, target) in unpack_relations(id, row.get(1)).unwrap() {
            count += 1;
            if source != id {
                peers.insert(format!("{source} {kind} {target} {id}"));
            }
        }
        keys.extend(unpack_keys(row.get(2)).unwrap().into_iter().map(|key| format!("{key} {id}")));
    }
    let sql = "SELECT source || ' ' || type || ' ' || target || ' ' || originator FROM peer_relations";
    assert_eq!(rows(store, sql).await, peers);
    assert_eq!(rows(store, "SELECT key || ' ' || id FROM refresh_keys").await, keys);
    let sql = "SELECT CAST(value AS TEXT) FROM meta WHERE key = 'relations'";
    assert_eq!(rows(store, sql).await, BTreeSet::from([count.to_string()]));
}

/// Stitching everything again changes nothing, and so does deleting orphans once all are gone.
async fn check_view(world: &World<'_>, store: &SqliteStore) {
    world.stitch().await;
    let requeue = "INSERT INTO stitch_queue (id, rank) SELECT id, id FROM refresh_state";
    sqlx::query(requeue).execute(&store.connections.writer).await.unwrap();
    assert_eq!(world.stitch().await.changed, 0, "something changed and was not queued");
    world.delete_orphans().await;
    let sql = "WITH RECURSIVE rooted (id) AS ( \
                 SELECT e.target FROM edges e JOIN refs f ON f.id = e.source \
                 WHERE e.refused = 0 AND f.entity_ref LIKE '::provider:%' UNION \
                 SELECT e.target FROM rooted JOIN edges e ON e.source = rooted.id WHERE e.refused = 0) \
               SELECT CAST(id AS TEXT) FROM rooted";
    assert_eq!(rows(store, "SELECT CAST(id AS TEXT) FROM schedule").await, rows(store, sql).await);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_derived_is_what_its_sources_say(history in vec(op(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = SqliteStore::open(SqliteOptions::memory()).await.unwrap();
            let mut world = World::new(&store);
            for op in &history {
                apply(&mut world, op).await;
                check_rows(&store).await;
                check_packed(&store).await;
            }
            check_view(&world, &store).await;
            check_rows(&store).await;
            check_packed(&store).await;
        });
    }
}

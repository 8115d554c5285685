//! What is kept in a file: restarts, locks, sizes.

use std::collections::HashMap;
use std::time::Duration;

use callboard_model::LocationSpec;
use callboard_store::sqlite::{SqliteOptions, SqliteStore};
use callboard_store::suite::load::{component, outcome, processed_component};
use callboard_store::suite::world::{World, entity, processed};
use callboard_store::{LocationConflict, Outcome, OutcomeKind, Processed, Store as _, StoreError};

/// Database pages, indexes and all, per entity of some 1.3 KB of JSON with seven relations.
const BYTES_PER_ENTITY_MAX: u64 = 4096;

const A: &str = "component:default/a";

async fn open(directory: &tempfile::TempDir) -> SqliteStore {
    SqliteStore::open(SqliteOptions::file(directory.path().join("catalog.db"))).await.unwrap()
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    let world = World::new(&store);
    world.full("p", [entity(A, "x"), entity("component:default/b", "x")]).await;
    world.relate(A, []).await;
    world.stitch().await;
    let position = store.position().await.unwrap();
    let found = store.entity_by_ref(A).await.unwrap();
    store.close().await;
    drop(store);

    let store = open(&directory).await;
    let world = World::new(&store);
    assert_eq!(store.entity_by_ref(A).await.unwrap(), found);
    assert_eq!(store.position().await.unwrap(), position);
    assert_eq!(world.due().await, ["component:default/b"]);
    assert_eq!(world.full("p", [entity(A, "x"), entity("component:default/c", "x")]).await.added, 1);
}

#[tokio::test]
async fn leases_end_with_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    let world = World::new(&store);
    world.full("p", [entity(A, "x")]).await;
    let lost = world.claim_one(A).await;
    drop(store);

    let store = open(&directory).await;
    let world = World::new(&store);
    let claim = world.claim(1).await.remove(0);
    assert_eq!((claim.uid, claim.unprocessed), (lost.uid, lost.unprocessed));
}

#[tokio::test]
async fn numbers_are_not_reused_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    let world = World::new(&store);
    world.full("p", (0..200).map(|n| entity(&format!("component:default/{n}"), "x"))).await;
    let highest = world.claim(200).await.into_iter().map(|claim| claim.id).max();
    world.full("p", []).await;
    store.tidy(0, world.now).await.unwrap();
    drop(store);

    let store = open(&directory).await;
    let world = World::new(&store);
    world.full("p", [entity(A, "x")]).await;
    assert!(Some(world.claim_one(A).await.id) > highest);
}

#[tokio::test]
async fn a_database_can_be_looked_at_whether_it_is_in_use_or_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.db");
    let store = open(&directory).await;
    let world = World::new(&store);
    world.full("p", [entity(A, "x")]).await;
    world.relate(A, []).await;
    world.stitch().await;
    for is_in_use in [true, false] {
        if !is_in_use {
            store.close().await;
        }
        let looking = SqliteStore::open_read_only(SqliteOptions::file(&path)).await.unwrap();
        let seen = World::new(&looking);
        assert_eq!(seen.violations(None).await, []);
        assert_eq!(seen.refs().await, [A]);
        assert!(looking.entity_refresh(A, world.now).await.is_err());
        looking.close().await;
    }
}

#[tokio::test]
async fn a_database_that_is_to_be_looked_at_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.db");
    let missing = SqliteStore::open_read_only(SqliteOptions::file(&path)).await;
    assert!(missing.is_err() && !path.exists());
    std::fs::write(&path, "").unwrap();
    let empty = SqliteStore::open_read_only(SqliteOptions::file(&path)).await;
    assert!(empty.is_err());
}

#[tokio::test]
async fn a_second_process_is_turned_away() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("catalog.db");
    let store = open(&directory).await;
    let refused = SqliteStore::open(SqliteOptions::file(&path)).await;
    assert!(
        matches!(&refused, Err(StoreError::InUse(text)) if text.contains("catalog.db.lock")),
        "{refused:?}"
    );
    store.close().await;
    SqliteStore::open(SqliteOptions::file(&path)).await.unwrap();
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    let store = SqliteStore::open(SqliteOptions::memory()).await.unwrap();
    store.close().await;
    assert!(store.position().await.unwrap_err().is_retryable());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("catalog.db"),
        "not a database, but long enough to look at".repeat(50),
    )
    .unwrap();
    let refused = SqliteStore::open(SqliteOptions::file(directory.path().join("catalog.db"))).await;
    assert!(matches!(refused, Err(StoreError::Inconsistent(_))), "{refused:?}");
}

#[tokio::test]
async fn reads_go_on_while_somebody_writes() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    let world = World::new(&store);
    world.full("p", (0..500).map(|n| entity(&format!("component:default/{n}"), "x"))).await;
    let write = world.process_all();
    let read = async {
        for _ in 0..50 {
            store.counts(world.now).await.unwrap();
            store.entities_page(None, 10).await.unwrap();
        }
    };
    tokio::join!(write, read);
    world.stitch().await;
    assert_eq!(world.refs().await.len(), 500);
}

#[tokio::test]
async fn what_users_ask_for_waits_for_the_disk_and_nothing_else_does() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    let world = World::new(&store);
    for target in ["a", "b"] {
        let spec = LocationSpec::new("url", target);
        let handed = entity(&format!("location:default/{target}"), "x");
        store.location_create("d", &spec, handed, LocationConflict::Reject, world.now).await.unwrap();
        world.full("p", [entity(A, target)]).await;
    }
    assert_eq!(world.due().await.len(), 3);
}

#[tokio::test]
async fn entities_are_small() {
    const COUNT: usize = 2000;
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    let world = World::new(&store);
    let root = "location:default/root";
    world.full("p", [entity(root, "x")]).await;
    let claim = world.claim_one(root).await;
    let children = Processed { children: (0..COUNT).map(component).collect(), ..processed(root, "x") };
    let later = world.now + Duration::from_mins(2);
    let parent = outcome(&claim, children, later);
    let handed = world.commit_all(&[parent], COUNT).await.handed;
    let numbers: HashMap<String, usize> =
        (0..COUNT).map(|n| (callboard_store::suite::load::component_ref(n), n)).collect();
    let batch: Vec<Outcome> = handed
        .iter()
        .map(|claim| outcome(claim, processed_component(numbers[claim.entity_ref.as_ref()]), later))
        .collect();
    world.commit_all(&batch, 0).await;
    assert!(matches!(batch[0].kind, OutcomeKind::Processed(_)));
    assert_eq!(world.stitch().await.changed, COUNT + 1);
    store.close().await;
    let size = std::fs::metadata(directory.path().join("catalog.db")).unwrap().len();
    let bytes_per_entity = size / COUNT as u64;
    assert!(bytes_per_entity < BYTES_PER_ENTITY_MAX, "{bytes_per_entity}");
}

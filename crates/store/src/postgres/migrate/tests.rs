use super::super::PostgresStore;
use super::super::tests::cluster;
use super::*;
use crate::suite::newer;
use crate::suite::world::{World, entity};
use crate::{Lane, ProviderMutation, Store as _};

const SCHEMA: &str = "of callboard";

const INIT: Migration = MIGRATIONS[0];
const WIDER: Migration = Migration { name: "0002_wider", sql: "ALTER TABLE schedule ADD COLUMN more bigint" };
/// Fails after it did something.
const BROKEN: Migration =
    Migration { name: "0003_x", sql: "CREATE TABLE more (); INSERT INTO nowhere VALUES (1)" };
const MENDED: Migration = Migration { name: "0003_x", sql: "CREATE TABLE more ()" };
/// Only tells who knows it from who does not.
const LEFT: Migration = Migration { name: "0004_left", sql: "-- Nobody looks at `more` any more.\n" };

const OF_TODAY: &[Migration] = &[INIT];
const LATER: &[Migration] = &[INIT, WIDER, MENDED, LEFT];

/// A database without tables.
async fn options() -> Option<PostgresOptions> {
    let mut options = PostgresOptions::new(cluster()?.database().await);
    options.schema = Some(SCHEMA.to_owned());
    Some(options)
}

fn with(options: &PostgresOptions, migrations: &'static [Migration]) -> PostgresOptions {
    PostgresOptions { migrations, ..options.clone() }
}

async fn version(options: &PostgresOptions) -> i64 {
    PostgresStore::schema(with(options, LATER)).await.unwrap().version
}

fn advice(refused: Result<PostgresStore, StoreError>) -> String {
    match refused {
        Err(StoreError::Schema(advice)) => advice,
        other => panic!("{other:?}"),
    }
}

async fn execute(options: &PostgresOptions, sql: &'static str) {
    let mut connection = options.alone().0.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn what_was_done_is_told_and_nothing_is_done_twice() {
    let Some(options) = options().await else { return };
    let _stays = options.connection.connect().await.unwrap();
    let migrated = PostgresStore::migrate(with(&options, OF_TODAY)).await.unwrap();
    assert_eq!((migrated.from, migrated.applied, migrated.schema.version), (0, vec!["0001_init"], 1));
    let migrated = PostgresStore::migrate(with(&options, LATER)).await.unwrap();
    assert_eq!((migrated.from, migrated.applied), (1, vec!["0002_wider", "0003_x", "0004_left"]));
    let migrated = PostgresStore::migrate(with(&options, LATER)).await.unwrap();
    assert_eq!((migrated.from, migrated.applied, migrated.schema.version), (4, Vec::new(), 4));
}

#[tokio::test]
async fn of_those_who_open_at_once_one_makes_the_tables() {
    let Some(options) = options().await else { return };
    let opened = futures::future::join_all((0..4).map(|_| PostgresStore::open(options.clone()))).await;
    for store in opened {
        assert!(store.unwrap().earliest_due().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn what_another_process_made_meanwhile_is_seen_in_the_same_transaction() {
    let Some(options) = options().await else { return };
    let _stays = options.enter().await.unwrap();
    let mut connection = options.alone().0.connect().await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    // The first time it has yet to read what it asks about.
    for _ in 0..2 {
        assert_eq!(options.look(&mut tx).await.unwrap().version, 0);
    }
    PostgresStore::migrate(options.clone()).await.unwrap();
    assert_eq!(options.look(&mut tx).await.unwrap().version, 1);
}

#[tokio::test]
async fn of_those_who_migrate_at_once_each_migration_is_applied_by_one() {
    let Some(options) = options().await else { return };
    let _stays = options.connection.connect().await.unwrap();
    let migrating = (0..4).map(|_| PostgresStore::migrate(with(&options, LATER)));
    let migrated = futures::future::join_all(migrating).await;
    let mut applied: Vec<_> = migrated.into_iter().flat_map(|migrated| migrated.unwrap().applied).collect();
    applied.sort_unstable();
    assert_eq!(applied, ["0001_init", "0002_wider", "0003_x", "0004_left"]);
    assert_eq!(version(&options).await, 4);
}

#[tokio::test]
async fn a_migration_that_is_interrupted_leaves_the_schema_from_before_it() {
    let Some(options) = options().await else { return };
    let _stays = options.connection.connect().await.unwrap();
    assert!(PostgresStore::migrate(with(&options, &[INIT, WIDER, BROKEN])).await.is_err());
    assert_eq!(version(&options).await, 2);
    assert_eq!(PostgresStore::migrate(with(&options, LATER)).await.unwrap().applied, ["0003_x", "0004_left"]);
}

#[tokio::test]
async fn a_process_goes_on_while_another_one_migrates() {
    let Some(options) = options().await else { return };
    let store = PostgresStore::open(with(&options, OF_TODAY)).await.unwrap();
    let world = World::new(&store);
    world.full("p", [entity("component:default/a", "x")]).await;
    // It has prepared what it asks.
    world.process_all().await;
    world.stitch().await;
    PostgresStore::migrate(with(&options, LATER)).await.unwrap();
    world.full("p", ["a", "b"].map(|name| entity(&format!("component:default/{name}"), "y"))).await;
    world.process_all().await;
    world.stitch().await;
    assert_eq!(world.refs().await, ["component:default/a", "component:default/b"]);
}

#[tokio::test]
async fn a_database_that_is_older_is_refused_by_who_does_not_migrate() {
    let Some(options) = options().await else { return };
    let _stays = options.connection.connect().await.unwrap();
    let looking = PostgresOptions { migrates: false, ..with(&options, LATER) };
    for version_there in [0, 1] {
        let refused = PostgresStore::open(looking.clone()).await;
        let is_told =
            matches!(&refused, Err(StoreError::Outdated(schema)) if schema.version == version_there);
        assert!(is_told, "{refused:?}");
        assert_eq!(version(&options).await, version_there);
        PostgresStore::migrate(with(&options, OF_TODAY)).await.unwrap();
    }
    PostgresStore::migrate(with(&options, LATER)).await.unwrap();
    assert!(PostgresStore::open(looking).await.is_ok());
}

#[tokio::test]
async fn a_newer_database_is_used_if_it_allows_that() {
    let Some(options) = options().await else { return };
    let first = PostgresStore::open(options.clone()).await.unwrap();
    newer::postgres(&options.connection, SCHEMA, 99, 1).await;
    let store = PostgresStore::open(options.clone()).await.unwrap();
    let world = World::new(&store);
    world.full("p", [entity("component:default/a", "x")]).await;
    assert_eq!(world.due().await, ["component:default/a"]);
    newer::postgres(&options.connection, SCHEMA, 100, 2).await;
    let advice = advice(PostgresStore::open(options).await);
    assert!(advice.contains("version 100") && advice.contains("knows 1"), "{advice}");
    first.close().await;
}

#[tokio::test]
async fn a_process_that_a_newer_program_shuts_out_finds_out_and_writes_nothing_more() {
    let Some(options) = options().await else { return };
    let store = PostgresStore::open(options.clone()).await.unwrap();
    let world = World::new(&store);
    world.full("p", [entity("component:default/a", "x")]).await;
    newer::postgres(&options.connection, SCHEMA, 99, 2).await;
    let mut shut_out = store.shut_out();
    assert!(futures::poll!(&mut shut_out).is_pending());
    tokio::time::pause();
    tokio::time::advance(LOOK_EVERY).await;
    tokio::time::resume();
    let reason = shut_out.await.to_string();
    assert!(reason.contains("version 99") && reason.contains("knows 1"), "{reason}");
    let written = store.provider_mutate("p", ProviderMutation::Full(Vec::new()), Lane::New, world.now).await;
    assert!(matches!(written, Err(StoreError::Schema(_))), "{written:?}");
    assert_eq!(store.providers().await.unwrap(), ["p"]);
}

#[tokio::test]
async fn tables_of_another_program_are_left_alone() {
    let Some(cluster) = cluster() else { return };
    let options = PostgresOptions::new(cluster.database().await);
    let _stays = options.connection.connect().await.unwrap();
    execute(&options, "CREATE TABLE refresh_state ()").await;
    assert!(advice(PostgresStore::open(options.clone()).await).contains("of its own"));
    execute(&options, "SELECT FROM refresh_state").await;
}

#[tokio::test]
async fn a_migration_in_another_form_is_told() {
    let Some(options) = options().await else { return };
    let store = PostgresStore::open(options.clone()).await.unwrap();
    execute(&options, "UPDATE _callboard_migrations SET checksum = gen_random_uuid()").await;
    assert!(advice(PostgresStore::open(options).await).contains("migration 1"));
    store.close().await;
}

#[tokio::test]
async fn who_owns_the_schema_needs_no_permission_to_create_one() {
    let Some(cluster) = cluster() else { return };
    let mut options = PostgresOptions::new(cluster.database().await);
    let _stays = options.connection.connect().await.unwrap();
    // Roles are those of the whole server, which other processes may use at the same time.
    let role = format!("owner_{}", options.connection.get_database().unwrap());
    let prepare = format!("CREATE ROLE {role}; CREATE SCHEMA mine AUTHORIZATION {role}");
    let mut connection = options.connection.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut connection).await.unwrap();
    (options.role, options.schema) = (Some(role), Some("mine".to_owned()));
    assert!(PostgresStore::open(options).await.is_ok());
}

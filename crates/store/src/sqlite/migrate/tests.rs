use std::path::{Path, PathBuf};

use sqlx::ConnectOptions as _;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};

use super::*;
use crate::Store as _;
use crate::sqlite::{SqliteOptions, SqliteStore};
use crate::suite::newer;
use crate::suite::world::{World, entity};

const INIT: Migration = MIGRATIONS[0];
const WIDER: Migration =
    Migration { name: "0002_wider", sql: "ALTER TABLE schedule ADD COLUMN more INTEGER" };
/// Fails after it did something.
const BROKEN: Migration =
    Migration { name: "0003_x", sql: "CREATE TABLE more (a); INSERT INTO nowhere VALUES (1)" };
const MENDED: Migration = Migration { name: "0003_x", sql: "CREATE TABLE more (a)" };
/// Only tells who knows it from who does not.
const LEFT: Migration = Migration { name: "0004_left", sql: "-- Nobody looks at `more` any more.\n" };

const OF_TODAY: &[Migration] = &[INIT];
const LATER: &[Migration] = &[INIT, WIDER, MENDED, LEFT];

struct File {
    path: PathBuf,
    // Removed with the test.
    _directory: tempfile::TempDir,
}

impl File {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { path: directory.path().join("catalog.db"), _directory: directory }
    }

    fn options(&self, migrations: &'static [Migration]) -> SqliteOptions {
        SqliteOptions { migrations, ..SqliteOptions::file(&self.path) }
    }

    async fn migrate(&self, migrations: &'static [Migration]) -> Result<Migrated, StoreError> {
        SqliteStore::migrate(self.options(migrations)).await
    }

    async fn version(&self, migrations: &'static [Migration]) -> i64 {
        SqliteStore::schema(self.options(migrations)).await.unwrap().version
    }
}

async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.journal_mode(SqliteJournalMode::Wal).connect().await.unwrap()
}

fn advice(refused: Result<SqliteStore, StoreError>) -> String {
    match refused {
        Err(StoreError::Schema(advice)) => advice,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_done_is_told_and_nothing_is_done_twice() {
    let file = File::new();
    let migrated = file.migrate(OF_TODAY).await.unwrap();
    assert_eq!((migrated.from, migrated.applied, migrated.schema.version), (0, vec!["0001_init"], 1));
    let migrated = file.migrate(LATER).await.unwrap();
    assert_eq!((migrated.from, migrated.applied), (1, vec!["0002_wider", "0003_x", "0004_left"]));
    let migrated = file.migrate(LATER).await.unwrap();
    assert_eq!((migrated.from, migrated.applied, migrated.schema.version), (4, Vec::new(), 4));
}

#[tokio::test]
async fn of_those_who_migrate_at_once_each_migration_is_applied_by_one() {
    let file = File::new();
    connect(&file.path).await.close().await.unwrap();
    // Without the lock file, which is not seen everywhere.
    let migrating = (0..4).map(|_| async {
        let mut connection = connect(&file.path).await;
        migrate(&mut connection, LATER).await.unwrap().applied
    });
    let mut applied = futures::future::join_all(migrating).await.concat();
    applied.sort_unstable();
    assert_eq!(applied, ["0001_init", "0002_wider", "0003_x", "0004_left"]);
    assert_eq!(file.version(LATER).await, 4);
}

#[tokio::test]
async fn a_migration_that_is_interrupted_leaves_the_schema_from_before_it() {
    let file = File::new();
    assert!(file.migrate(&[INIT, WIDER, BROKEN]).await.is_err());
    assert_eq!(file.version(LATER).await, 2);
    assert_eq!(file.migrate(LATER).await.unwrap().applied, ["0003_x", "0004_left"]);
}

#[tokio::test]
async fn a_database_of_the_first_days_is_taken_over() {
    let file = File::new();
    let sql = SqlStr::from_static(INIT.sql);
    let init = Remembered::new(1, "init".into(), MigrationType::Simple, sql, false);
    Migrator::with_migrations(vec![init]).run(&mut connect(&file.path).await).await.unwrap();
    let store = SqliteStore::open(file.options(OF_TODAY)).await.unwrap();
    World::new(&store).full("p", [entity("component:default/a", "x")]).await;
    store.close().await;
    drop(store);
    assert_eq!(file.migrate(LATER).await.unwrap().from, 1);
}

#[tokio::test]
async fn a_database_that_is_older_is_refused_by_who_does_not_migrate() {
    let file = File::new();
    file.migrate(OF_TODAY).await.unwrap();
    let options = || SqliteOptions { migrates: false, ..file.options(LATER) };
    for refused in [SqliteStore::open(options()).await, SqliteStore::open_read_only(options()).await] {
        assert!(matches!(&refused, Err(StoreError::Outdated(schema)) if schema.version == 1), "{refused:?}");
    }
    assert_eq!(file.version(LATER).await, 1);
    file.migrate(LATER).await.unwrap();
    assert!(SqliteStore::open(options()).await.is_ok());
}

#[tokio::test]
async fn a_database_in_use_that_needs_nothing_is_up_to_date_and_one_that_needs_something_is_in_use() {
    let file = File::new();
    let store = SqliteStore::open(file.options(OF_TODAY)).await.unwrap();
    assert_eq!(file.migrate(OF_TODAY).await.unwrap().applied, Vec::<&str>::new());
    assert!(matches!(file.migrate(LATER).await, Err(StoreError::InUse(_))));
    store.close().await;
}

#[tokio::test]
async fn a_newer_database_is_used_if_it_allows_that() {
    let file = File::new();
    file.migrate(OF_TODAY).await.unwrap();
    newer::sqlite(&file.path, 99, 1).await;
    let store = SqliteStore::open(file.options(OF_TODAY)).await.unwrap();
    let world = World::new(&store);
    world.full("p", [entity("component:default/a", "x")]).await;
    assert_eq!(world.due().await, ["component:default/a"]);
    store.close().await;
    assert!(SqliteStore::open_read_only(file.options(OF_TODAY)).await.is_ok());
    newer::sqlite(&file.path, 100, 2).await;
    for refused in [
        SqliteStore::open(file.options(OF_TODAY)).await,
        SqliteStore::open_read_only(file.options(OF_TODAY)).await,
    ] {
        let advice = advice(refused);
        assert!(advice.contains("version 100") && advice.contains("knows 1"), "{advice}");
    }
}

#[tokio::test]
async fn what_another_program_or_another_form_of_a_migration_made_is_left_alone() {
    let file = File::new();
    sqlx::raw_sql("CREATE TABLE knex_migrations (a)").execute(&mut connect(&file.path).await).await.unwrap();
    assert!(advice(SqliteStore::open(file.options(OF_TODAY)).await).contains("of its own"));
    let file = File::new();
    file.migrate(&[MENDED]).await.unwrap();
    assert!(advice(SqliteStore::open(file.options(OF_TODAY)).await).contains("migration 1"));
}

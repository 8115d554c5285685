//! Connections that are not what they were, or not ours alone.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, PgConnection, Row as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::{PostgresOptions, PostgresStore};
use super::cluster;
use crate::suite::world::{World, entity};
use crate::{Hint, Lane, ProviderMutation, Refusal, Store as _, StoreError};

const A: &str = "component:default/a";

#[tokio::test]
async fn a_connection_to_a_server_that_was_replaced_is_not_used_again() {
    let Some(cluster) = cluster() else { return };
    let mut options = PostgresOptions::new(cluster.database().await);
    options.writers = 1;
    let store = PostgresStore::open(options).await.unwrap();
    let mut connection = store.connections.writers.connections.acquire().await.unwrap();
    connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY").await.unwrap();
    drop(connection);
    let world = World::new(&store);
    let mutate = || {
        let mutation = ProviderMutation::Full(vec![entity(A, "x")]);
        store.provider_mutate("p", mutation, Lane::New, world.now)
    };
    assert!(mutate().await.unwrap_err().is_retryable());
    assert_eq!(mutate().await.unwrap().added, 1);
}

async fn shown(connection: &mut PgConnection, sql: String) -> String {
    connection.fetch_one(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap().get(0)
}

#[tokio::test]
async fn behind_a_pooler_nothing_outlives_a_transaction() {
    let Some(cluster) = cluster() else { return };
    let database = cluster.database().await;
    let mut options = PostgresOptions::new(database.clone());
    (options.writers, options.readers, options.pooler) = (1, 1, true);
    options.schema = Some("of \"callboard\"".to_owned());
    let store = PostgresStore::open(options).await.unwrap();
    let world = World::new(&store);
    world.full("p", [entity(A, "x")]).await;
    world.process_all().await;
    world.stitch().await;
    assert_eq!(world.refs().await, [A]);
    let mut untouched = database.connect().await.unwrap();
    for pool in [&store.connections.writers, &store.connections.readers] {
        let mut connection = pool.connections.acquire().await.unwrap();
        let prepared =
            shown(&mut connection, "SELECT count(*)::text FROM pg_prepared_statements".to_owned()).await;
        assert_eq!(prepared, "0");
        for setting in ["statement_timeout", "lock_timeout", "search_path", "enable_seqscan"] {
            let show = format!("SHOW {setting}");
            assert_eq!(shown(&mut connection, show.clone()).await, shown(&mut untouched, show).await);
        }
    }
}

#[tokio::test]
async fn a_pooler_that_was_not_told_of_is_found_out() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let pooler = async {
        let (mut client, _) = listener.accept().await.unwrap();
        let _startup = client.read(&mut [0; 1024]).await.unwrap();
        let fields = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
        let length = u32::try_from(fields.len() + 4).unwrap();
        client.write_all(&[b"E", &length.to_be_bytes()[..], fields].concat()).await.unwrap();
        client
    };
    let connection = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port);
    let options = PostgresOptions::new(connection.username("x").ssl_mode(PgSslMode::Disable));
    let (refused, _client) = futures::join!(PostgresStore::open(options), pooler);
    assert!(matches!(&refused, Err(StoreError::Refused { refusal: Refusal::Settings, .. })), "{refused:?}");
}

#[tokio::test]
async fn whoever_could_not_listen_for_a_while_looks_for_changes() {
    let Some(cluster) = cluster() else { return };
    let store = PostgresStore::open(PostgresOptions::new(cluster.database().await)).await.unwrap();
    // It listens from here on.
    store.hinted(Hint::Changed).await;
    let connections = &store.connections.writers.connections;
    let end = "SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_activity \
               WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    let mut connection = connections.acquire().await.unwrap();
    assert_eq!(shown(&mut connection, end.to_owned()).await, "1");
    store.hinted(Hint::Changed).await;
}

#[tokio::test]
async fn a_database_that_is_not_there_is_created() {
    let Some(cluster) = cluster() else { return };
    let database = cluster.database().await;
    let name = format!("{} of \"callboard\"", database.get_database().unwrap());
    let mut options = PostgresOptions::new(database.database(&name));
    options.patience = Duration::ZERO;
    assert!(PostgresStore::open(options.clone()).await.is_err());
    options.creates_database = true;
    let stores = futures::future::join_all((0..2).map(|_| PostgresStore::open(options.clone()))).await;
    for store in stores {
        assert_eq!(World::new(&store.unwrap()).refs().await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_a_member_makes_belongs_to_the_role() {
    let Some(cluster) = cluster() else { return };
    for pooler in [false, true] {
        let database = cluster.database().await;
        let mut connection = database.connect().await.unwrap();
        // Roles are those of the whole server, which other processes may use at the same time.
        let name = database.get_database().unwrap();
        let (owner, member) = (format!("owner_of_{name}"), format!("member_of_{name}"));
        let create = format!(
            "CREATE ROLE {owner}; CREATE ROLE {member} LOGIN NOINHERIT IN ROLE {owner}; \
             GRANT CREATE ON DATABASE {name} TO {owner}"
        );
        connection.execute(sqlx::raw_sql(AssertSqlSafe(create))).await.unwrap();
        let mut options = PostgresOptions::new(database.clone().username(&member));
        (options.schema, options.pooler) = (Some("callboard".to_owned()), pooler);
        assert!(PostgresStore::open(options.clone()).await.is_err());
        options.role = Some(owner.clone());
        let store = PostgresStore::open(options.clone()).await.unwrap();
        let world = World::new(&store);
        world.full("p", [entity(A, "x")]).await;
        assert_eq!(world.due().await, [A]);
        let owners = "SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ',') FROM pg_class \
                      WHERE relnamespace = 'callboard'::regnamespace";
        assert_eq!(shown(&mut connection, owners.to_owned()).await, owner);
        options.role = Some("nobody_at_all".to_owned());
        let refused = PostgresStore::open(options).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Refused { refusal: Refusal::Login, .. }), "{refused:?}");
    }
}

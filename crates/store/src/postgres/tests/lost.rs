//! Connections that the network loses without a word.

use std::time::Duration;

use futures::future;
use sqlx::postgres::PgConnectOptions;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::super::hints::HintSet;
use super::super::session::{Args, Session};
use super::super::{PostgresOptions, PostgresStore};
use super::cluster;
use crate::rules::statement::Statement;
use crate::suite::world::{World, entity};
use crate::{Hint, Lane, ProviderMutation, Store as _, StoreError};

const A: &str = "component:default/a";
const SELECT: Statement = Statement { name: "SELECT", sql: "SELECT 1" };

/// A way to the server that can lose the connections which go through it, and has others go through afterwards.
struct Network {
    port: u16,
    losses: watch::Sender<()>,
    _forwarding: JoinSet<()>,
}

impl Network {
    /// There is none to somebody else's server.
    async fn to_cluster() -> Option<Self> {
        let socket = cluster()?.socket()?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (losses, lost) = watch::channel(());
        let mut forwarding = JoinSet::new();
        forwarding.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (socket, mut lost) = (socket.clone(), lost.clone());
                lost.mark_unchanged();
                connections.spawn(async move {
                    let mut server = UnixStream::connect(socket).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        // Neither side is told.
                        _ = lost.changed() => future::pending().await,
                    }
                });
            }
        });
        Some(Self { port, losses, _forwarding: forwarding })
    }

    fn lose_connections(&self) {
        self.losses.send_replace(());
    }

    /// An empty database behind it, whose statements have little time; and the way to it that nothing is lost on.
    async fn options(&self) -> (PostgresOptions, PgConnectOptions) {
        let direct = cluster().unwrap().database().await;
        let through = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(direct.get_username())
            .database(direct.get_database().unwrap());
        let mut options = PostgresOptions::new(through);
        // One connection, so that what follows depends on what becomes of it.
        (options.writers, options.readers) = (1, 1);
        (options.writer_timeout, options.reader_timeout) = (Duration::from_secs(3), Duration::from_secs(3));
        (options.answer_delay, options.connect_timeout) = (Duration::from_secs(1), Duration::from_secs(6));
        (options, direct)
    }
}

async fn mutate(store: &PostgresStore) -> Result<usize, StoreError> {
    let mutation = ProviderMutation::Full(vec![entity(A, "x")]);
    store.provider_mutate("p", mutation, Lane::New, World::new(store).now).await.map(|report| report.added)
}

#[tokio::test]
async fn idle_connections_that_were_lost_are_replaced() {
    let Some(network) = Network::to_cluster().await else { return };
    let store = PostgresStore::open(network.options().await.0).await.unwrap();
    assert_eq!(store.providers().await.unwrap(), Vec::<String>::new());
    network.lose_connections();
    assert_eq!(mutate(&store).await.unwrap(), 1);
    assert_eq!(store.providers().await.unwrap(), ["p"]);
}

#[tokio::test]
async fn what_waits_on_a_lost_connection_is_told_that_the_server_does_not_answer() {
    let Some(network) = Network::to_cluster().await else { return };
    let store = PostgresStore::open(network.options().await.0).await.unwrap();
    let run = async |mut session: Session| session.run(SELECT, Args::new()).await.map(drop);
    for writes in [false, true] {
        for ends in [false, true] {
            let connections = &store.connections;
            let begun = if writes { connections.begin().await } else { connections.snapshot().await };
            let session = begun.unwrap();
            network.lose_connections();
            let waited = if ends { session.commit().await } else { run(session).await };
            assert!(matches!(waited, Err(StoreError::Unavailable(_))), "{waited:?}");
        }
    }
    assert_eq!(mutate(&store).await.unwrap(), 1);
    assert_eq!(store.providers().await.unwrap(), ["p"]);
}

#[tokio::test]
async fn hints_are_told_and_heard_after_the_connections_for_them_were_lost() {
    let Some(network) = Network::to_cluster().await else { return };
    let (options, direct) = network.options().await;
    let store = PostgresStore::open(options).await.unwrap();
    // It listens from here on.
    store.hinted(Hint::Changed).await;
    let other = PostgresStore::open(PostgresOptions::new(direct)).await.unwrap();
    other.hinted(Hint::Due).await;
    let mut due = HintSet::default();
    due.add(Hint::Due);
    for _ in 0..2 {
        store.tell_others(due);
        other.hinted(Hint::Due).await;
        network.lose_connections();
    }
    // Until nothing was heard for a while.
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(2)).await;
    tokio::time::resume();
    store.hinted(Hint::Changed).await;
}

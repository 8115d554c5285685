use super::*;

fn is_required() -> bool {
    std::env::var_os("CALLBOARD_REQUIRE_POSTGRES").is_some_and(|value| value == "1")
}

fn cluster() -> Option<&'static Cluster> {
    let url = std::env::var("CALLBOARD_TEST_POSTGRES").ok();
    Cluster::shared(url.as_deref(), is_required())
}

#[tokio::test]
async fn each_database_is_empty() {
    let Some(cluster) = cluster() else { return };
    for _ in 0..2 {
        let mut connection = PgConnection::connect_with(&cluster.database().await).await.unwrap();
        let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&mut connection).await.unwrap();
        assert_eq!(one, 1);
        sqlx::query("CREATE TABLE refs ()").execute(&mut connection).await.unwrap();
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_server_once_its_pipe_is_closed() {
    let Some(programs) = programs() else {
        assert!(!is_required());
        return;
    };
    let Cluster { options, keeper, .. } = Cluster::start(&programs, &[FORGETFUL]).unwrap();
    let directory = options.get_socket().unwrap().clone();
    assert!(directory.join("data/postmaster.pid").is_file());
    // Waiting closes the pipe first.
    assert!(keeper.unwrap().shell.wait().unwrap().success());
    assert!(!directory.exists());
    assert!(options.connect().await.is_err());
}

#[tokio::test]
async fn transactions_that_wait_for_each_other_are_found_out() {
    let Some(cluster) = Cluster::durable(is_required()) else { return };
    let options = cluster.database().await;
    let watch = cluster.watch(&options);
    let mut connections = [options.connect().await.unwrap(), options.connect().await.unwrap()];
    for (connection, number) in connections.iter_mut().zip(["1", "2"]) {
        execute(connection, format!("BEGIN; SELECT pg_advisory_xact_lock({number})")).await.unwrap();
    }
    let [first, second] = &mut connections;
    let waits = |number| format!("SELECT pg_advisory_xact_lock({number})");
    let (one, other) = futures::join!(execute(first, waits("2")), execute(second, waits("1")));
    assert!(one.is_err() || other.is_err());
    assert_eq!(watch.deadlocks().len(), 1);
    assert_eq!(cluster.watch(&cluster.database().await).deadlocks().len(), 0);
    // Nobody else is to take these for a failure.
    fs::write(watch.log.as_ref().unwrap(), "").unwrap();
}

#[tokio::test]
async fn a_prepared_database_is_a_copy() {
    let Some(cluster) = Cluster::durable(is_required()) else { return };
    let prepare = async |options: PgConnectOptions| {
        let mut connection = options.connect().await.unwrap();
        execute(&mut connection, "CREATE TABLE prepared ()".to_owned()).await.unwrap();
        connection.close().await.unwrap();
    };
    for _ in 0..2 {
        let mut connection = cluster.prepared_database(prepare).await.connect().await.unwrap();
        execute(&mut connection, "DROP TABLE prepared".to_owned()).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_committed_outlives_a_crash() {
    let Some(mut cluster) = Cluster::durable(is_required()) else { return };
    let options = cluster.database().await;
    let mut connection = options.connect().await.unwrap();
    execute(&mut connection, "CREATE TABLE kept ()".to_owned()).await.unwrap();
    cluster.crash();
    assert!(execute(&mut connection, "SELECT".to_owned()).await.is_err());
    let mut connection = options.connect().await.unwrap();
    execute(&mut connection, "SELECT FROM kept".to_owned()).await.unwrap();
}

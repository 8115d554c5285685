//! Where the daemons under test keep their catalogs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use callboard_store::suite::cluster::Cluster;
use callboard_store::suite::{leases, newer};
use serde_json::{Value, json};

/// The schema that daemons have their tables in.
const SCHEMA: &str = "callboard";

/// Names the store: `sqlite`, which is the default, or `postgres`.
const STORE: &str = "CALLBOARD_TEST_STORE";

/// Whether the daemons keep their catalogs in PostgreSQL.
pub fn is_postgres() -> bool {
    static IS_POSTGRES: OnceLock<bool> = OnceLock::new();
    *IS_POSTGRES.get_or_init(|| match std::env::var(STORE).as_deref() {
        Err(_) | Ok("" | "sqlite") => false,
        Ok("postgres") => true,
        Ok(other) => panic!("{STORE} is '{other}', which is neither 'sqlite' nor 'postgres'"),
    })
}

/// The PostgreSQL server of this process. Without one, says so and answers nothing, unless one is required.
pub fn postgres() -> Option<&'static Cluster> {
    cluster(is_postgres_required())
}

/// A PostgreSQL server that the caller may crash, in the same way.
pub fn own_postgres() -> Option<Cluster> {
    Cluster::durable(is_postgres_required())
}

/// Whether a missing PostgreSQL server is a failure.
pub fn is_postgres_required() -> bool {
    std::env::var_os("CALLBOARD_REQUIRE_POSTGRES").is_some_and(|value| value == "1")
}

/// The URL of a database of its own, which the first daemon creates.
pub fn new_postgres_url(cluster: &Cluster) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    cluster.url(&format!("daemon_{}_{number}", std::process::id()))
}

/// `backend.database` with that URL.
pub fn at_url(url: &str) -> Value {
    json!({ "client": "pg", "connection": { "connectionString": url } })
}

/// The leases of entities and jobs that daemons hold in the PostgreSQL database at this URL, or did not give back.
pub fn held_leases(url: &str) -> BTreeSet<String> {
    block_on(leases::held(&url.parse().unwrap(), SCHEMA))
}

/// Makes what `backend.database` says a database of this version, for programs that know `compatible_from` or later.
pub fn make_newer(database: &Value, version: i64, compatible_from: i64) {
    let connection = &database["connection"];
    if let Some(path) = connection.as_str() {
        block_on(newer::sqlite(Path::new(path), version, compatible_from));
    } else {
        let url = connection["connectionString"].as_str().unwrap();
        block_on(newer::postgres(&url.parse().unwrap(), SCHEMA, version, compatible_from));
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// `backend.database` of a daemon in this folder.
pub(crate) fn new_database(folder: &Path) -> Value {
    if is_postgres() {
        // Whoever asks for this store wants nothing to be left out.
        let cluster = cluster(true).expect("a server is required");
        at_url(&new_postgres_url(cluster))
    } else {
        json!({ "client": "sqlite", "connection": folder.join("callboard.sqlite") })
    }
}

fn cluster(is_required: bool) -> Option<&'static Cluster> {
    let url = std::env::var("CALLBOARD_TEST_POSTGRES").ok();
    Cluster::shared(url.as_deref(), is_required)
}

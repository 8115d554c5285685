//! A PostgreSQL server for the tests of one process, thrown away with it.
//!
//! The server listens on a socket in a directory of its own and nowhere else, so any number of them are in nobody's way
//! (one with encryption, which there is on the network only, has a port as well).
//! Between it and the tests stands a shell, whose input is a pipe that only the tests hold: where that ends, the shell
//! stops the server and removes the directory. So nothing is left, however the tests end.
//!
//! Nothing here looks at the environment. Whoever asks for a server passes on what stands in these variables:
//!
//! | variable | meaning |
//! |---|---|
//! | `CALLBOARD_TEST_POSTGRES` | URL of a server to be used instead; whoever started it removes the databases |
//! | `CALLBOARD_REQUIRE_POSTGRES=1` | a missing server is a failure; otherwise the tests that need one say so and do nothing |

use std::fs::{self, DirBuilder};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tokio::sync::OnceCell;

pub use encrypted::Encrypted;

mod encrypted;

/// Where Debian and its kin put the programs of the server, in a directory for each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The oldest version that the store works with.
const VERSION_MIN: u32 = 15;

/// Paths of sockets end at 107 bytes, so the directory has a short one.
const PARENT: &str = "/tmp";

/// The server does not run as root, so root lends itself this user.
const UNPRIVILEGED: &str = "nobody";

/// The user of the database.
const USER: &str = "callboard";
const PORT: u16 = 5432;

/// Whoever waits for others is to be found out at once.
const SETTINGS: [&str; 6] = [
    "listen_addresses=",
    "max_connections=200",
    "deadlock_timeout=100ms",
    "log_lock_waits=on",
    // The database, so that its test can be found.
    "log_line_prefix=%d:",
    "jit=off",
];

/// What the server says of transactions that waited for each other.
const DEADLOCK: &str = "deadlock detected";

/// Nothing has to outlive the machine.
const FORGETFUL: &str = "fsync=off";

/// What the shell does with the programs ($1), the directory ($2), the server's options ($3) and the user ($4): each line
/// that it reads is one more crash. The tests may be gone before it has told them anything. Deadlocks are told where
/// failures of tests are, as the log goes with the directory.
const KEEPER: &str = r#"
    trap '' PIPE
    run() {
        "$1/pg_ctl" -D "$2/data" -l "$2/log" -o "$3" -w start >>"$2/log" 2>&1 && echo ready || echo failed
    }
    "$1/initdb" -D "$2/data" -U "$4" -A trust -E UTF8 --locale=C --no-sync >>"$2/log" 2>&1 &&
        run "$@" || echo failed
    while read -r _; do
        "$1/pg_ctl" -D "$2/data" -m immediate stop >>"$2/log" 2>&1
        run "$@"
    done
    "$1/pg_ctl" -D "$2/data" -m immediate stop >>"$2/log" 2>&1
    grep 'deadlock detected' "$2/log" >&2
    rm -rf "$2"
"#;

/// Those to which somebody was connected, and nobody is.
const UNUSED_DATABASES: &str = "SELECT s.datname::text FROM pg_stat_database s \
     WHERE s.datname LIKE $1 AND s.sessions > 0 \
       AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datid = s.datid)";

/// A server in which tests create databases.
#[derive(Debug)]
pub struct Cluster {
    options: PgConnectOptions,
    /// The name of the database that others are copies of.
    template: OnceCell<String>,
    /// None for a server of somebody else's.
    keeper: Option<Keeper>,
}

/// The shell, with the pipes to and from it.
#[derive(Debug)]
struct Keeper {
    shell: Child,
    answers: BufReader<ChildStdout>,
}

impl Keeper {
    /// Waits until the server runs.
    fn ready(&mut self, directory: &Path) -> io::Result<()> {
        let mut said = String::new();
        self.answers.read_line(&mut said)?;
        if said.trim_end() == "ready" {
            return Ok(());
        }
        let log = fs::read_to_string(directory.join("log"))?;
        self.shell.wait()?;
        Err(io::Error::other(log))
    }
}

impl Cluster {
    /// The server of this process: the one at `url`, or one that is started now and serves all tests. Without either,
    /// says so and answers nothing, unless one is required.
    ///
    /// # Panics
    ///
    /// If a server is required and there is none, or if it does not start.
    pub fn shared(url: Option<&str>, is_required: bool) -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| match url {
            Some(url) => {
                Some(Self { options: url.parse().unwrap(), template: OnceCell::new(), keeper: None })
            }
            None => programs().map(|programs| Self::start(&programs, &[FORGETFUL]).unwrap()),
        });
        if shared.is_none() {
            passed_over(is_required);
        }
        shared.as_ref()
    }

    /// A server for the caller alone, which remembers across a [`crash`](Self::crash) what it should. Nothing if there are no
    /// programs, in the same way.
    ///
    /// # Panics
    ///
    /// If a server is required and there is none, or if it does not start.
    pub fn durable(is_required: bool) -> Option<Self> {
        let programs = programs();
        if programs.is_none() {
            passed_over(is_required);
        }
        programs.map(|programs| Self::start(&programs, &[]).unwrap())
    }

    fn start(programs: &Path, more_settings: &[&str]) -> io::Result<Self> {
        Self::start_in(&Place::new()?, programs, PORT, more_settings)
    }

    fn start_in(place: &Place, programs: &Path, port: u16, more_settings: &[&str]) -> io::Result<Self> {
        let directory = place.directory.as_path();
        let mut options = format!("-k {} -p {port}", directory.display());
        for setting in SETTINGS.iter().chain(more_settings) {
            options.push_str(" -c ");
            options.push_str(setting);
        }
        let mut shell = place.shell(KEEPER);
        shell.args([programs, directory]).args([&options, USER]);
        // A group of its own, so that it hears of the end of the tests by its pipe only.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn()?;
        let answers = shell.stdout.take().map(BufReader::new);
        let answers = answers.ok_or_else(|| io::Error::other("the shell has no output"))?;
        let mut keeper = Keeper { shell, answers };
        keeper.ready(directory)?;
        let options = PgConnectOptions::new_without_pgpass()
            .socket(directory)
            .port(port)
            .ssl_mode(PgSslMode::Disable)
            .username(USER)
            .database("postgres");
        Ok(Self { options, template: OnceCell::new(), keeper: Some(keeper) })
    }

    /// The server dies as with the power of its machine, save for what the disk's cache would lose, and comes back.
    ///
    /// # Panics
    ///
    /// If it does not come back, or if it is somebody else's.
    pub fn crash(&mut self) {
        let keeper = self.keeper.as_mut().unwrap();
        keeper.shell.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        keeper.ready(self.options.get_socket().unwrap()).unwrap();
    }

    /// Looks after a database. Of somebody else's server nothing can be seen.
    pub fn watch(&self, database: &PgConnectOptions) -> Watch {
        Watch { log: self.log(), database: database.get_database().unwrap_or_default().to_owned() }
    }

    /// What the server said of transactions that waited for each other, in all databases. Of somebody else's server nothing
    /// can be seen.
    ///
    /// # Panics
    ///
    /// If the log cannot be read.
    pub fn deadlocks(&self) -> Vec<String> {
        deadlocks(self.log().as_deref(), "")
    }

    fn log(&self) -> Option<PathBuf> {
        self.keeper.as_ref().and(self.options.get_socket()).map(|directory| directory.join("log"))
    }

    /// The URL of a database of this name, which nobody has to have created yet.
    pub fn url(&self, database: &str) -> String {
        self.options.clone().database(database).to_url_lossy().to_string()
    }

    /// Where the programs of the server are; none for somebody else's server.
    pub fn programs(&self) -> Option<PathBuf> {
        self.keeper.as_ref().and_then(|_| programs())
    }

    /// The number of the server's first process, of which all others are children; none for somebody else's server.
    pub fn server_pid(&self) -> Option<u32> {
        let file = self.socket()?.parent()?.join("data/postmaster.pid");
        fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
    }

    /// The socket that the server listens on; none for somebody else's server.
    pub fn socket(&self) -> Option<PathBuf> {
        self.keeper.as_ref()?;
        let name = format!(".s.PGSQL.{}", self.options.get_port());
        self.options.get_socket().map(|directory| directory.join(name))
    }

    /// Creates an empty database; answers how to connect to it. It lasts as long as somebody is connected to it, or nobody
    /// was yet.
    ///
    /// # Panics
    ///
    /// If the server does not let us.
    pub async fn database(&self) -> PgConnectOptions {
        self.create("template0").await
    }

    /// The same, but it holds what `prepare` puts into an empty one. That is called once for this server.
    ///
    /// # Panics
    ///
    /// If the server does not let us. Nobody may be connected any more once `prepare` is done.
    pub async fn prepared_database(&self, prepare: impl AsyncFnOnce(PgConnectOptions)) -> PgConnectOptions {
        let template = self.template.get_or_init(|| async {
            let name = format!("template_{}", std::process::id());
            let mut connection = self.options.connect().await.unwrap();
            execute(&mut connection, format!("CREATE DATABASE {name}")).await.unwrap();
            connection.close().await.unwrap();
            prepare(self.options.clone().database(&name)).await;
            name
        });
        self.create(template.await).await
    }

    async fn create(&self, template: &str) -> PgConnectOptions {
        static CREATED: AtomicU32 = AtomicU32::new(0);
        let number = CREATED.fetch_add(1, Ordering::Relaxed);
        // Another process may work on the same server.
        let name = format!("test_{}_{number}", std::process::id());
        let mut connection = self.options.connect().await.unwrap();
        // Hundreds of tests would fill the disk.
        for unused in sqlx::query_scalar::<_, String>(UNUSED_DATABASES)
            .bind(format!("test_{}_%", std::process::id()))
            .fetch_all(&mut connection)
            .await
            .unwrap()
        {
            // Somebody else may be dropping it, too.
            drop(execute(&mut connection, format!("DROP DATABASE IF EXISTS {unused}")).await);
        }
        execute(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {template}")).await.unwrap();
        connection.close().await.unwrap();
        self.options.clone().database(&name)
    }
}

/// Fails the test that drops it if two transactions of its database waited for each other.
#[derive(Debug)]
pub struct Watch {
    log: Option<PathBuf>,
    database: String,
}

impl Watch {
    fn deadlocks(&self) -> Vec<String> {
        deadlocks(self.log.as_deref(), &format!("{}:", self.database))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.deadlocks(), Vec::<String>::new());
        }
    }
}

/// Lines of the log that begin so.
fn deadlocks(log: Option<&Path>, start: &str) -> Vec<String> {
    let log = log.map(|log| fs::read(log).unwrap()).unwrap_or_default();
    let lines = String::from_utf8_lossy(&log).into_owned();
    lines
        .lines()
        .filter(|line| line.starts_with(start) && line.contains(DEADLOCK))
        .map(str::to_owned)
        .collect()
}

async fn execute(connection: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

fn passed_over(is_required: bool) {
    let message = format!("there is no PostgreSQL {VERSION_MIN} or later in {VERSIONS}");
    assert!(!is_required, "{message}");
    eprintln!("skipped: {message}");
}

/// The programs of the newest version that is there. Where only the client is, there is no `initdb`.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.filter_map(|entry| {
        let entry = entry.ok()?;
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let programs = entry.path().join("bin");
        (version >= VERSION_MIN && programs.join("initdb").is_file()).then_some((version, programs))
    });
    versions.max().map(|(_, programs)| programs)
}

/// Where a server lives, and as whom.
struct Place {
    /// Nobody else can look into it.
    directory: PathBuf,
    /// User and group, if they are not those of the tests.
    lent: Option<(u32, u32)>,
}

impl Place {
    fn new() -> io::Result<Self> {
        let directory = new_directory()?;
        let lent = if fs::metadata(&directory)?.uid() == 0 { Some(unprivileged()?) } else { None };
        if let Some((user, group)) = lent {
            chown(&directory, Some(user), Some(group))?;
        }
        Ok(Self { directory, lent })
    }

    fn shell(&self, script: &str) -> Command {
        let mut shell = Command::new("sh");
        if let Some((user, group)) = self.lent {
            shell.uid(user).gid(group);
        }
        shell.args(["-c", script, "sh"]).current_dir(&self.directory);
        shell.env_clear().env("PATH", "/usr/bin:/bin");
        shell
    }
}

fn new_directory() -> io::Result<PathBuf> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    let mut number = 0;
    loop {
        let directory = Path::new(PARENT).join(format!("callboard-postgres-{}-{number}", std::process::id()));
        match builder.create(&directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            created => return created.map(|()| directory),
        }
    }
}

/// Numbers of the unprivileged user and its group.
fn unprivileged() -> io::Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd")?;
    let found = users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [UNPRIVILEGED, _, user, group, ..] = fields.as_slice() else { return None };
        user.parse().ok().zip(group.parse().ok())
    });
    found.ok_or_else(|| io::Error::other(format!("there is no user {UNPRIVILEGED}")))
}

#[cfg(test)]
mod tests;

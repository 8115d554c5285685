//! A small HTTP server for tests that can also do what real servers should not: drip, stall and hang up.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Path and query.
    pub(crate) path: String,
    headers: Vec<(String, String)>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// How the body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Whole,
    /// Announces more than it sends.
    Cut,
    /// One byte after the other, without end.
    Drip,
    /// Nothing at all, not even a status.
    Stall,
}

/// What to answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: &'static str,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    manner: Manner,
}

impl Reply {
    pub(crate) fn new(status: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), manner: Manner::Whole }
    }

    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new("200 OK", body)
    }

    pub(crate) fn redirect(location: impl Into<String>) -> Self {
        Self::new("302 Found", "").header("Location", location)
    }

    pub(crate) fn not_found() -> Self {
        Self::new("404 Not Found", "nothing here")
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn cut(self) -> Self {
        Self { manner: Manner::Cut, ..self }
    }

    pub(crate) fn drip() -> Self {
        Self { manner: Manner::Drip, ..Self::ok("") }
    }

    pub(crate) fn stall() -> Self {
        Self { manner: Manner::Stall, ..Self::ok("") }
    }
}

type Handler = dyn Fn(&Seen) -> Reply + Send + Sync;

/// The server; ends when dropped.
#[derive(Debug)]
pub(crate) struct TestServer {
    /// `127.0.0.1:{port}`
    pub(crate) host: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: JoinSet<()>,
}

impl TestServer {
    pub(crate) async fn start(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::new(handler), Arc::clone(&seen)));
        Self { host, seen, _tasks: tasks }
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.host)).unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Paths of all requests, in their order.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.path).collect()
    }
}

async fn serve(listener: TcpListener, handler: Arc<Handler>, seen: Arc<Mutex<Vec<Seen>>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (handler, seen) = (Arc::clone(&handler), Arc::clone(&seen));
        connections.spawn(async move {
            // A client that goes away ends its connection, and nothing else.
            let _gone = answer(stream, &*handler, &seen).await;
        });
    }
}

async fn answer(mut stream: TcpStream, handler: &Handler, seen: &Mutex<Vec<Seen>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let request = Seen { path, headers };
    let reply = handler(&request);
    seen.lock().unwrap().push(request);

    let announced = match reply.manner {
        Manner::Whole => reply.body.len(),
        Manner::Cut => reply.body.len() + 100,
        Manner::Drip => 1 << 30,
        Manner::Stall => return std::future::pending().await,
    };
    let mut text =
        format!("HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: {announced}\r\n", reply.status);
    for (name, value) in &reply.headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    stream.write_all(format!("{text}\r\n").as_bytes()).await?;
    stream.write_all(&reply.body).await?;
    if reply.manner == Manner::Drip {
        loop {
            stream.write_all(b"x").await?;
            tokio::task::yield_now().await;
        }
    }
    stream.shutdown().await
}

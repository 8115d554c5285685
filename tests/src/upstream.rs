//! A web server that descriptors are read from, and that misbehaves where it is told to.

mod answer;

pub use answer::Answer;

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A client that sends nothing for so long is left alone.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// Serves what was [`put`](Self::put), and the files of a folder. Every answer ends its connection.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// A request and the status that it was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// When the request was understood.
    pub at: Instant,
    /// Path of the URL, decoded.
    pub path: String,
    /// Status of the answer.
    pub status: u16,
}

#[derive(Debug)]
struct Shared {
    folder: Option<PathBuf>,
    answers: Mutex<HashMap<String, Answer>>,
    exchanges: Mutex<Vec<Exchange>>,
    stop: Stop,
}

/// Wakes the answers that take their time.
#[derive(Debug, Default)]
struct Stop {
    is_set: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn set(&self) {
        *self.is_set.lock().unwrap() = true;
        self.changed.notify_all();
    }

    fn is_set(&self) -> bool {
        *self.is_set.lock().unwrap()
    }

    /// Waits for so long. Answers whether the server still stands.
    fn pause(&self, time: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.is_set.lock().unwrap(), time, |is_set| !*is_set);
        !*waited.unwrap().0
    }
}

impl Default for Upstream {
    fn default() -> Self {
        Self::start(None)
    }
}

impl Upstream {
    /// A server with nothing on it yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A server for the files of a folder.
    pub fn of_folder(folder: &Path) -> Self {
        Self::start(Some(folder.to_path_buf()))
    }

    fn start(folder: Option<PathBuf>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            folder,
            answers: Mutex::default(),
            exchanges: Mutex::default(),
            stop: Stop::default(),
        });
        let acceptor = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// Host and port, as the daemon's list of allowed hosts wants them.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The URL of a path without its first slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Answers requests for this path, without its first slash, so from now on.
    pub fn put(&self, path: &str, answer: impl Into<Answer>) {
        self.shared.answers.lock().unwrap().insert(format!("/{path}"), answer.into());
    }

    /// What was answered since the start or the last [`forget`](Self::forget).
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.exchanges.lock().unwrap().clone()
    }

    /// How often the path, without its first slash, was answered with this status.
    pub fn count(&self, path: &str, status: u16) -> usize {
        let path = format!("/{path}");
        self.exchanges().into_iter().filter(|it| it.path == path && it.status == status).count()
    }

    /// Begins a new list of exchanges.
    pub fn forget(&self) {
        self.shared.exchanges.lock().unwrap().clear();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stop.set();
        // Wakes the thread that waits for connections.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stop.is_set() {
            return;
        }
        let (Ok(stream), shared) = (stream, Arc::clone(shared)) else {
            continue;
        };
        // Clients that go away are part of the tests.
        std::thread::spawn(move || drop(converse(&stream, &shared)));
    }
}

fn converse(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(REQUEST_LIMIT))?;
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut known = None;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("if-none-match")
        {
            known = Some(value.trim().to_owned());
        }
    }
    let target = request.split(' ').nth(1).unwrap_or_default();
    let path = decode(target.split('?').next().unwrap_or_default());
    let answer = shared.find(&path);
    let status = answer.status(known.as_deref());
    // Before the answer: whoever has seen its effect finds it in the list.
    shared.exchanges.lock().unwrap().push(Exchange { at: Instant::now(), path, status });
    answer.send(stream, status, &shared.stop)
}

impl Shared {
    fn find(&self, path: &str) -> Answer {
        if let Some(answer) = self.answers.lock().unwrap().get(path) {
            return answer.clone();
        }
        self.file(path).map_or(Answer::Status(404), Answer::from)
    }

    fn file(&self, path: &str) -> Option<Vec<u8>> {
        let relative = Path::new(path.trim_start_matches('/'));
        let is_inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
        fs::read(self.folder.as_ref()?.join(relative)).ok().filter(|_| is_inside)
    }
}

/// Resolves percent-encoding; what is none stays.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = text.get(text.len() - tail.len()..).and_then(|tail| tail.get(..2));
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        let (byte, after) = match byte.filter(|_| *first == b'%') {
            Some(byte) => (byte, &tail[2..]),
            None => (*first, tail),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_paths() {
        for (path, expected) in
            [("/a%40b%20c", "/a@b c"), ("/100%", "/100%"), ("/%zz%4", "/%zz%4"), ("/%C3%A9", "/é")]
        {
            assert_eq!(decode(path), expected);
        }
    }

    #[test]
    fn answers_with_files_and_with_what_was_put() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), "a").unwrap();
        let upstream = Upstream::of_folder(folder.path());
        upstream.put("b.yaml", Answer::Status(500));
        let status = |path: &str| {
            let agent: ureq::Agent =
                ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build().into();
            agent.get(upstream.url(path)).call().unwrap().status().as_u16()
        };
        assert_eq!((status("a.yaml"), status("b.yaml"), status("c.yaml")), (200, 500, 404));
        assert_eq!(upstream.count("b.yaml", 500), 1);
    }
}

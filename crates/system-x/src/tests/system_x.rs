//! A System-X of flesh and blood: an HTTP server on this machine.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a request is answered with.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// A body; or 304 if the request has its ETag.
    Ok { body: String, etag: Option<String> },
    /// A status and nothing else.
    Status(&'static str),
    /// The end of the connection.
    Hangup,
}

#[derive(Debug)]
struct State {
    answer: Answer,
    validators: Vec<Option<String>>,
}

/// Runs until it is dropped.
#[derive(Debug)]
pub(super) struct SystemX {
    url: String,
    state: Arc<Mutex<State>>,
    _server: JoinSet<()>,
}

impl SystemX {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v2", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { answer: Answer::Hangup, validators: Vec::new() }));
        let mut server = JoinSet::new();
        let shared = Arc::clone(&state);
        server.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                serve(stream, &shared).await;
            }
        });
        Self { url, state, _server: server }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Answers all further requests like this.
    pub(super) fn answers(&self, answer: Answer) {
        self.state.lock().unwrap().answer = answer;
    }

    /// The `If-None-Match` of each request so far.
    pub(super) fn validators(&self) -> Vec<Option<String>> {
        self.state.lock().unwrap().validators.clone()
    }
}

async fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let (reading, mut writing) = stream.split();
    let mut lines = BufReader::new(reading).lines();
    let mut validator = None;
    while let Ok(Some(line)) = lines.next_line().await {
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("If-None-Match: ") {
            validator = Some(value.to_owned());
        }
    }
    let answer = {
        let mut state = state.lock().unwrap();
        state.validators.push(validator.clone());
        state.answer.clone()
    };
    let response = match answer {
        Answer::Ok { etag, .. } if etag.is_some() && etag == validator => status("304 Not Modified"),
        Answer::Ok { body, etag } => {
            let etag = etag.map(|etag| format!("ETag: {etag}\r\n")).unwrap_or_default();
            let length = body.len();
            format!("HTTP/1.1 200 OK\r\n{etag}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        }
        Answer::Status(text) => status(text),
        Answer::Hangup => return,
    };
    // A client that has gone away has been answered.
    drop(writing.write_all(response.as_bytes()).await);
}

fn status(text: &str) -> String {
    format!("HTTP/1.1 {text}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

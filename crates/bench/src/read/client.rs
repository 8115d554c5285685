//! Clients that ask one question after the other, each on a thread and a connection of its own.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::latency::Latencies;
use super::response::{Answer, ResponseReader};
use crate::error::BenchError;
use crate::interrupt::Interrupt;
use crate::random::Random;

/// How long connecting, and each read or write, may take.
const IO_TIMEOUT: Duration = Duration::from_secs(10);

/// What is read at once: most answers whole, with their heads.
const BUFFER_BYTES: usize = 64 * 1024;

/// Whom to ask, and what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) address: SocketAddr,
    /// Complete requests, head and body, of which clients pick one by chance each time.
    pub(super) requests: &'a [Vec<u8>],
    pub(super) interrupt: &'a Interrupt,
}

#[derive(Debug)]
pub(super) struct Clients<'a> {
    clients: Vec<Client<'a>>,
    interrupt: &'a Interrupt,
}

/// What was answered in some time.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) latencies: Latencies,
    pub(super) body_bytes: u64,
    /// Until the last answer was there.
    pub(super) elapsed: Duration,
}

impl<'a> Clients<'a> {
    pub(super) fn connect(target: Target<'a>, clients: usize) -> Result<Self, BenchError> {
        let clients = (0..clients).map(|number| Client::connect(target, number as u64));
        Ok(Self { clients: clients.collect::<Result<_, _>>()?, interrupt: target.interrupt })
    }

    /// Lets every client ask for that time, and at least once.
    pub(super) fn ask_for(&mut self, time: Duration) -> Result<Tally, BenchError> {
        let has_failed = AtomicBool::new(false);
        let start = Instant::now();
        let answers: Vec<_> = thread::scope(|scope| {
            let clients = self.clients.iter_mut();
            let threads: Vec<_> =
                clients.map(|client| scope.spawn(|| client.ask_for(time, &has_failed))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        });
        let mut tally = Tally { elapsed: start.elapsed(), ..Tally::default() };
        for answers in answers {
            let (latencies, body_bytes) = answers?;
            tally.latencies.append(latencies);
            tally.body_bytes += body_bytes;
        }
        if self.interrupt.is_raised() { Err(BenchError::Interrupted) } else { Ok(tally) }
    }
}

#[derive(Debug)]
struct Client<'a> {
    target: Target<'a>,
    connection: ResponseReader<BufReader<TcpStream>>,
    random: Random,
}

impl<'a> Client<'a> {
    fn connect(target: Target<'a>, number: u64) -> Result<Self, BenchError> {
        let address = target.address;
        let connect = || {
            let stream = TcpStream::connect_timeout(&address, IO_TIMEOUT)?;
            stream.set_read_timeout(Some(IO_TIMEOUT))?;
            stream.set_write_timeout(Some(IO_TIMEOUT))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        let stream = connect().map_err(|source| BenchError::Connect { address, source })?;
        let connection = ResponseReader::new(BufReader::with_capacity(BUFFER_BYTES, stream));
        Ok(Self { target, connection, random: Random::stream(number, &[]) })
    }

    /// The times and the size of all answers, until the time is over or any client has failed.
    fn ask_for(&mut self, time: Duration, has_failed: &AtomicBool) -> Result<(Latencies, u64), BenchError> {
        let Target { requests, interrupt, .. } = self.target;
        let mut latencies = Latencies::default();
        let mut body_bytes = 0;
        let start = Instant::now();
        let mut asked = start;
        while let Some(request) = requests.get(self.random.below(requests.len())) {
            body_bytes += self.ask(request).inspect_err(|_| has_failed.store(true, Ordering::Relaxed))?;
            let answered = Instant::now();
            latencies.push(answered - asked);
            asked = answered;
            if answered - start >= time || interrupt.is_raised() || has_failed.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok((latencies, body_bytes))
    }

    /// The size of the answer's body.
    fn ask(&mut self, request: &[u8]) -> Result<u64, BenchError> {
        match self.exchange(request) {
            Ok(Answer { status: 200, body_bytes }) => Ok(body_bytes),
            Ok(Answer { status, .. }) => {
                let body = self.connection.excerpt();
                Err(BenchError::Refused { request: first_line(request), status, body })
            }
            Err(source) => Err(BenchError::NoAnswer { request: first_line(request), source }),
        }
    }

    fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.connection.source().get_mut().write_all(request)?;
        self.connection.read()
    }
}

/// Method and path of a request.
fn first_line(request: &[u8]) -> String {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    line.strip_suffix(" HTTP/1.1").unwrap_or(&line).to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::serve::FileServer;

    /// A server with one file of five bytes, and requests for these paths.
    fn serve(paths: &[&str]) -> (tempfile::TempDir, FileServer, Vec<Vec<u8>>) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), "a: 42").unwrap();
        let server = FileServer::start(folder.path(), 0).unwrap();
        let request = |path: &&str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes();
        (folder, server, paths.iter().map(request).collect())
    }

    fn ask(server: &FileServer, requests: &[Vec<u8>], interrupt: &Interrupt) -> Result<Tally, BenchError> {
        let target = Target { address: server.address(), requests, interrupt };
        Clients::connect(target, 3)?.ask_for(Duration::from_millis(20))
    }

    #[test]
    fn every_answer_of_every_client_is_counted() {
        let (_folder, server, requests) = serve(&["/a.yaml"]);
        let tally = ask(&server, &requests, &Interrupt::default()).unwrap();
        let answers = tally.latencies.count() as u64;
        assert!(answers >= 3);
        assert_eq!(tally.body_bytes, answers * 5);
        assert_eq!(server.stats().by_status.get(&200), Some(&answers));
    }

    #[test]
    fn any_answer_but_200_is_an_error_that_shows_it() {
        let (_folder, server, requests) = serve(&["/missing.yaml"]);
        let error = ask(&server, &requests, &Interrupt::default()).unwrap_err().to_string();
        assert_eq!(error, "GET /missing.yaml was answered with 404: ");
    }

    #[test]
    fn an_interrupted_run_is_an_error() {
        let (_folder, server, requests) = serve(&["/a.yaml"]);
        let interrupt = Interrupt::raised();
        let error = ask(&server, &requests, &interrupt).unwrap_err();
        assert!(matches!(error, BenchError::Interrupted), "{error}");
    }
}

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::options::ListenAddress;
use crate::testing::{Fixture, component, empty_catalog, set_ready};

const LIVENESS: &str = "GET /.backstage/health/v1/liveness HTTP/1.1\r\nhost: x\r\n\r\n";

struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    lifecycle: Lifecycle,
    task: JoinHandle<Result<(), ServerError>>,
}

fn options() -> ServerOptions {
    ServerOptions { listen: ListenAddress::new(None, Some(0)), ..ServerOptions::default() }
}

#[expect(clippy::disallowed_methods, reason = "the tests join the task themselves")]
async fn run(options: ServerOptions, lifecycle: Lifecycle) -> Running {
    let server = Server::bind(options).await.unwrap();
    let (address, shutdown) = (server.local_addr(), CancellationToken::new());
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let serving = server.serve(lifecycle.clone(), metrics, shutdown.clone());
    Running { address, shutdown, lifecycle, task: tokio::spawn(serving) }
}

async fn ready(options: ServerOptions) -> Running {
    let lifecycle = Lifecycle::new();
    set_ready(&lifecycle, &empty_catalog().await).await;
    run(options, lifecycle).await
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Reads up to the end of a body that ends so.
async fn read_until(socket: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut part = [0; 1024];
        let length = socket.read(&mut part).await.unwrap();
        assert_ne!(length, 0, "{text}");
        text.push_str(std::str::from_utf8(&part[..length]).unwrap());
    }
    text
}

#[tokio::test]
async fn connections_serve_many_requests() {
    let running = ready(options()).await;
    let mut socket = running.connect().await;
    for _ in 0..3 {
        socket.write_all(LIVENESS.as_bytes()).await.unwrap();
        let text = read_until(&mut socket, r#"{"status":"ok"}"#).await;
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    }
}

#[tokio::test]
async fn health_is_told_before_there_is_a_catalog() {
    let running = run(options(), Lifecycle::new()).await;
    let mut socket = running.connect().await;
    socket.write_all(LIVENESS.as_bytes()).await.unwrap();
    assert!(read_until(&mut socket, r#"{"status":"ok"}"#).await.starts_with("HTTP/1.1 200 OK\r\n"));
    socket.write_all(LIVENESS.replace("liveness", "readiness").as_bytes()).await.unwrap();
    let text = read_until(&mut socket, r#""status":"error"}"#).await;
    assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
    socket
        .write_all(LIVENESS.replace("/.backstage/health/v1/liveness", "/metrics").as_bytes())
        .await
        .unwrap();
    assert!(read_until(&mut socket, "\r\n\r\n").await.starts_with("HTTP/1.1 200 OK\r\n"));
    set_ready(&running.lifecycle, &empty_catalog().await).await;
    socket.write_all(b"GET /api/catalog/entities HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(read_until(&mut socket, "[]").await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn long_lists_are_sent_in_chunks() {
    let fixture = Fixture::new(ServerOptions::default()).await;
    let mut large = component("a");
    large["metadata"]["description"] = "long ".repeat(1 << 18).into();
    fixture.ingest(&[large], &[]).await;
    let running = run(options(), fixture.lifecycle.clone()).await;
    let mut socket = running.connect().await;
    socket.write_all(b"GET /api/catalog/entities HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let text = read_until(&mut socket, "0\r\n\r\n").await;
    assert!(text.contains("transfer-encoding: chunked\r\n"), "{text}");
}

#[tokio::test]
async fn heads_that_take_too_long_end_the_connection() {
    let running = ready(options()).await;
    tokio::time::pause();
    let mut socket = running.connect().await;
    socket.write_all(b"GET / HTTP/1.1\r\nslow").await.unwrap();
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).await.unwrap();
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn heads_may_take_for_ever_if_that_is_wanted() {
    let running = ready(ServerOptions { headers_timeout: None, ..options() }).await;
    tokio::time::pause();
    let mut socket = running.connect().await;
    let (start, end) = LIVENESS.split_at(20);
    socket.write_all(start.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_hours(24)).await;
    socket.write_all(end.as_bytes()).await.unwrap();
    assert!(read_until(&mut socket, r#"{"status":"ok"}"#).await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn heads_of_16_kib_pass_and_endless_ones_do_not() {
    let running = ready(options()).await;
    for (length, status) in [(16 * 1024, "200"), (1024 * 1024, "431")] {
        let mut socket = running.connect().await;
        let request = LIVENESS.replace("host: x", &format!("host: x\r\nx-long: {}", "a".repeat(length)));
        let (mut reader, mut writer) = socket.split();
        let mut start = [0; 12];
        // The server answers, and may close, before it has read it all.
        let (_, answer) = tokio::join!(writer.write_all(request.as_bytes()), reader.read_exact(&mut start));
        answer.unwrap();
        assert_eq!(std::str::from_utf8(&start).unwrap(), format!("HTTP/1.1 {status}"));
    }
}

#[tokio::test]
async fn further_connections_wait_for_a_free_place() {
    let running = ready(ServerOptions { connections_max: 1, ..options() }).await;
    let mut first = running.connect().await;
    first.write_all(LIVENESS.as_bytes()).await.unwrap();
    read_until(&mut first, "}").await;
    let mut second = running.connect().await;
    second.write_all(LIVENESS.as_bytes()).await.unwrap();
    drop(first);
    read_until(&mut second, r#"{"status":"ok"}"#).await;
}

#[tokio::test]
async fn requests_in_flight_are_answered_at_shutdown() {
    let options = ServerOptions { startup_request_pause: Duration::from_hours(1), ..options() };
    // The request waits for the start, which never comes.
    let running = run(options, Lifecycle::new()).await;
    let mut socket = running.connect().await;
    socket.write_all(LIVENESS.as_bytes()).await.unwrap();
    read_until(&mut socket, "}").await;
    socket.write_all(b"GET /api/catalog/entities HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    running.shutdown.cancel();
    let text = read_until(&mut socket, r#""statusCode":503}}"#).await;
    assert!(text.contains("Service is shutting down"), "{text}");
    running.task.await.unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn the_server_goes_on_for_the_shutdown_delay() {
    let running = ready(ServerOptions { shutdown_delay: Duration::from_secs(20), ..options() }).await;
    tokio::time::pause();
    let begin = tokio::time::Instant::now();
    running.shutdown.cancel();
    running.task.await.unwrap().unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(20));
    assert_eq!(running.lifecycle.phase(), crate::lifecycle::Phase::Closed);
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let first = Server::bind(options()).await.unwrap();
    let port = first.local_addr().port();
    let taken = ServerOptions { listen: ListenAddress::new(None, Some(port)), ..options() };
    let error = Server::bind(taken).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on 127.0.0.1:{port}"));
}

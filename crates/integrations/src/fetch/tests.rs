use std::io::Write as _;
use std::time::Duration;

use callboard_sdk::CancellationToken;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::test_server::{Reply, TestServer};

/// Admits everything.
struct Anywhere;

impl HopPolicy for Anywhere {
    fn check(&self, _: &Url) -> Result<(), String> {
        Ok(())
    }
}

/// Admits one host.
struct Only(String);

impl HopPolicy for Only {
    fn check(&self, url: &Url) -> Result<(), String> {
        if url::quirks::host(url) == self.0 { Ok(()) } else { Err(format!("{url} is forbidden")) }
    }
}

fn fetcher(settings: FetchSettings) -> Fetcher {
    Fetcher::new(settings).unwrap()
}

async fn get_with(fetcher: &Fetcher, url: &Url) -> Result<FetchResponse, ReadError> {
    let cancellation = CancellationToken::new();
    let response = fetcher.get(&FetchRequest::new(url, &Anywhere, &cancellation)).await?;
    response.accepted(|response| format!("could not read it, {}", response.status_text()))
}

async fn get(url: &Url) -> Result<FetchResponse, ReadError> {
    get_with(&fetcher(FetchSettings::default()), url).await
}

fn message(result: Result<FetchResponse, ReadError>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test]
async fn statuses_are_present_absent_unchanged_or_unknown() {
    let server = TestServer::start(|seen| match seen.path.as_str() {
        "/200" => Reply::ok("body")
            .header("ETag", "W/\"1\"")
            .header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT"),
        "/html" => {
            Reply::ok("<html>").header("Content-Type", "text/html").header("Last-Modified", "some day")
        }
        "/204" => Reply::new("204 No Content", ""),
        "/303" => Reply::new("303 See Other", "").header("Location", "/200"),
        "/302" => Reply::new("302 Found", ""),
        "/304" => Reply::new("304 Not Modified", ""),
        "/401" => Reply::new("401 Unauthorized", ""),
        "/403" => Reply::new("403 Forbidden", ""),
        "/410" => Reply::new("410 Gone", ""),
        "/500" => Reply::new("500 Internal Server Error", "oops"),
        _ => Reply::not_found(),
    })
    .await;
    let file = get(&server.url("/200")).await.unwrap().into_file();
    assert_eq!(&*file.data, b"body");
    assert_eq!(file.etag.as_deref(), Some("W/\"1\""));
    assert_eq!(file.last_modified_at.unwrap().to_rfc3339(), "2024-01-01T00:00:00+00:00");
    let html = get(&server.url("/html")).await.unwrap().into_file();
    assert_eq!((&*html.data, html.etag, html.last_modified_at), (&b"<html>"[..], None, None));
    assert!(get(&server.url("/204")).await.unwrap().body.is_empty());
    assert_eq!(get(&server.url("/304")).await.unwrap_err(), ReadError::NotModified);
    let not_found = ReadError::NotFound("could not read it, 404 Not Found".to_owned());
    assert_eq!(get(&server.url("/404")).await.unwrap_err(), not_found);
    for (path, status) in [
        ("/302", "302 Found"),
        ("/303", "303 See Other"),
        ("/401", "401 Unauthorized"),
        ("/403", "403 Forbidden"),
        ("/410", "410 Gone"),
        ("/500", "500 Internal Server Error"),
    ] {
        let failed = ReadError::failed(format!("could not read it, {status}"));
        assert_eq!(get(&server.url(path)).await.unwrap_err(), failed, "{path}");
    }
}

#[tokio::test]
async fn conditional_headers_and_the_token_are_sent() {
    let server = TestServer::start(|_| Reply::ok("")).await;
    let (url, cancellation) = (server.url("/"), CancellationToken::new());
    let request = FetchRequest::new(&url, &Anywhere, &cancellation)
        .if_none_match(Some("q"))
        .if_modified_since(Some("2024-01-01T00:00:00Z".parse().unwrap()))
        .bearer(Some("T"));
    let fetcher = fetcher(FetchSettings::default());
    fetcher.get(&request).await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.header("if-none-match"), Some("q"));
    assert_eq!(seen.header("if-modified-since"), Some("Mon, 01 Jan 2024 00:00:00 GMT"));
    assert_eq!(seen.header("authorization"), Some("Bearer T"));
    assert!(seen.header("user-agent").unwrap().starts_with("callboard/"));

    let request = FetchRequest::new(&url, &Anywhere, &cancellation).if_none_match(Some("a\nb"));
    fetcher.get(&request).await.unwrap();
    assert_eq!(server.seen()[1].header("if-none-match"), None);

    let request = FetchRequest::new(&url, &Anywhere, &cancellation).bearer(Some("se\ncret"));
    let text = message(fetcher.get(&request).await);
    assert!(text.contains("its token holds characters") && !text.contains("cret"), "{text}");
}

#[tokio::test]
async fn four_redirects_are_followed_and_a_fifth_is_not() {
    let server = TestServer::start(|seen| match seen.path.trim_start_matches('/').parse::<u32>() {
        Ok(0) => Reply::ok("arrived"),
        Ok(left) => Reply::redirect(format!("{}", left - 1)),
        Err(_) => Reply::redirect("/loop"),
    })
    .await;
    assert_eq!(&*get(&server.url("/4")).await.unwrap().body, b"arrived");
    assert_eq!(server.seen().len(), 5);
    for path in ["/5", "/loop"] {
        let url = server.url(path);
        assert_eq!(message(get(&url).await), format!("Too many redirects (max 5) when reading {url}"));
    }
    assert_eq!(server.seen().len(), 15);
}

#[tokio::test]
async fn a_redirect_to_a_forbidden_host_is_not_followed() {
    let other = TestServer::start(|_| Reply::ok("secret")).await;
    let target = other.url("/metadata");
    let location = target.to_string();
    let server = TestServer::start(move |_| Reply::redirect(location.clone())).await;
    let (url, cancellation, policy) = (server.url("/"), CancellationToken::new(), Only(server.host.clone()));
    let request = FetchRequest::new(&url, &policy, &cancellation);
    let text = message(fetcher(FetchSettings::default()).get(&request).await);
    assert_eq!(text, format!("{target} is forbidden"));
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn the_token_stays_with_its_origin_and_does_not_come_back() {
    let back = Arc::new(std::sync::OnceLock::<String>::new());
    let other_back = Arc::clone(&back);
    let other = TestServer::start(move |_| Reply::redirect(other_back.get().unwrap().clone())).await;
    let away = other.url("/away").to_string();
    let server = TestServer::start(move |seen| match seen.path.as_str() {
        "/start" => Reply::redirect("/same"),
        "/same" => Reply::redirect(away.clone()),
        _ => Reply::ok(""),
    })
    .await;
    back.set(server.url("/back").into()).unwrap();
    let (url, cancellation) = (server.url("/start"), CancellationToken::new());
    let request =
        FetchRequest::new(&url, &Anywhere, &cancellation).bearer(Some("T")).if_none_match(Some("q"));
    fetcher(FetchSettings::default()).get(&request).await.unwrap();
    let tokens: Vec<_> = server.seen().iter().map(|seen| seen.header("authorization").is_some()).collect();
    assert_eq!(tokens, [true, true, false]);
    assert_eq!(other.seen()[0].header("authorization"), None);
    assert_eq!(other.seen()[0].header("if-none-match"), Some("q"));
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_errors_with_url_and_limit() {
    let mut zeros = GzEncoder::new(Vec::new(), Compression::best());
    zeros.write_all(&vec![0; 5_000_000]).unwrap();
    let bomb = zeros.finish().unwrap();
    assert!(bomb.len() < 10_000);
    let server = TestServer::start(move |seen| match seen.path.as_str() {
        "/bomb" => Reply::ok(bomb.clone()).header("Content-Encoding", "gzip"),
        "/fits" => Reply::ok([b'x'; 10_000]),
        _ => Reply::ok([b'x'; 10_001]),
    })
    .await;
    let fetcher = fetcher(FetchSettings { body_bytes_max: 10_000, ..FetchSettings::default() });
    assert_eq!(get_with(&fetcher, &server.url("/fits")).await.unwrap().body.len(), 10_000);
    for path in ["/large", "/bomb"] {
        let url = server.url(path);
        let limit = "its body exceeds the limit of 10000 bytes (callboard.reading.maxBodyBytes)";
        assert_eq!(message(get_with(&fetcher, &url).await), format!("Unable to read {url}, {limit}"));
    }
    let (url, cancellation) = (server.url("/large"), CancellationToken::new());
    let request = FetchRequest::new(&url, &Anywhere, &cancellation).archive();
    assert_eq!(fetcher.get(&request).await.unwrap().body.len(), 10_001);
}

#[tokio::test]
async fn gzip_is_unpacked() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(b"kind: Component").unwrap();
    let packed = packed.finish().unwrap();
    let server =
        TestServer::start(move |_| Reply::ok(packed.clone()).header("Content-Encoding", "gzip")).await;
    assert_eq!(&*get(&server.url("/")).await.unwrap().body, b"kind: Component");
}

#[tokio::test]
async fn dripping_and_stalling_hosts_run_into_their_limits() {
    let server = TestServer::start(|seen| match seen.path.as_str() {
        "/drip" => Reply::drip(),
        "/redirect" => Reply::redirect("/drip"),
        _ => Reply::stall(),
    })
    .await;
    let short = Duration::from_millis(50);
    let hurried = fetcher(FetchSettings { total_time: short, ..FetchSettings::default() });
    for path in ["/drip", "/redirect", "/stall"] {
        let text = message(get_with(&hurried, &server.url(path)).await);
        assert!(text.ends_with("it took longer than 0.05 s (callboard.reading.totalTime)"), "{text}");
    }
    let impatient = fetcher(FetchSettings { idle_time: short, ..FetchSettings::default() });
    let text = message(get_with(&impatient, &server.url("/stall")).await);
    assert!(text.ends_with("nothing came for 0.05 s (callboard.reading.idleTime)"), "{text}");
}

#[tokio::test]
async fn a_connection_that_is_cut_or_refused_is_an_error_with_the_url() {
    let server = TestServer::start(|_| Reply::ok("half").cut()).await;
    let url = server.url("/?token=abc");
    let text = message(get(&url).await);
    assert!(text.starts_with(&format!("Unable to read http://{}/?token=***, ", server.host)), "{text}");
    let refused = TcpPort::closed();
    let text = message(get(&refused.url).await);
    assert!(
        text.starts_with(&format!("Unable to read {}, ", refused.url)) && text.contains("refused"),
        "{text}"
    );
}

/// A port on which nobody listens.
struct TcpPort {
    url: Url,
}

impl TcpPort {
    fn closed() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        Self { url: Url::parse(&url).unwrap() }
    }
}

#[tokio::test]
async fn a_host_that_asks_for_a_pause_gets_it() {
    let server = TestServer::start(|seen| match seen.path.as_str() {
        "/429" => Reply::new("429 Too Many Requests", "").header("Retry-After", "30"),
        "/503" => Reply::new("503 Service Unavailable", "").header("Retry-After", "30"),
        "/503-plain" => Reply::new("503 Service Unavailable", ""),
        "/500" => Reply::new("500 Internal Server Error", "").header("Retry-After", "30"),
        _ => Reply::ok(""),
    })
    .await;
    for path in ["/429", "/503"] {
        let fetcher = fetcher(FetchSettings::default());
        let error = get_with(&fetcher, &server.url(path)).await.unwrap_err();
        assert!(matches!(error, ReadError::Failed { retry_after: Some(time), .. } if time.as_secs() == 30));
        let requests = server.seen().len();
        let url = server.url("/fine");
        let error = get_with(&fetcher, &url).await.unwrap_err();
        let text = error.to_string();
        let start = format!("Unable to read {url}, its host asked to be left alone for another ");
        assert!(text.starts_with(&start), "{text}");
        assert!(matches!(error, ReadError::Failed { retry_after: Some(_), .. }));
        assert_eq!(server.seen().len(), requests);
    }
    for path in ["/500", "/503-plain"] {
        let fetcher = fetcher(FetchSettings::default());
        assert!(get_with(&fetcher, &server.url(path)).await.is_err());
        assert!(get_with(&fetcher, &server.url("/fine")).await.is_ok());
    }
}

#[tokio::test]
async fn a_cancelled_read_ends() {
    let server = TestServer::start(|_| Reply::stall()).await;
    let (url, cancellation) = (server.url("/"), CancellationToken::new());
    let fetcher = fetcher(FetchSettings::default());
    let request = FetchRequest::new(&url, &Anywhere, &cancellation);
    let (result, ()) = tokio::join!(fetcher.get(&request), async { cancellation.cancel() });
    assert_eq!(message(result), format!("Unable to read {url}, the read was cancelled"));
}

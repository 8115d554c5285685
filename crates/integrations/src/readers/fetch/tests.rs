use super::*;
use crate::FetchSettings;
use crate::readers::mux::{Mux, Predicate};
use crate::test_server::{Reply, TestServer};

/// A list that admits the host below one path.
fn reader(server: &TestServer, allowed: &str) -> FetchReader {
    let allow = AllowList::of(&[(&server.host, Some(&[allowed]))]);
    FetchReader::new(Fetcher::new(FetchSettings::default()).unwrap(), Arc::new(allow))
}

#[tokio::test]
async fn reads_what_is_allowed_and_words_failures() {
    let server = TestServer::start(|seen| match seen.path.as_str() {
        "/a/c.yaml" => Reply::ok("kind: API").header("ETag", "1"),
        "/a/304" => Reply::new("304 Not Modified", ""),
        "/a/500" => Reply::new("500 Internal Server Error", ""),
        "/a/520" => Reply::new("520 Web Server Is Odd", ""),
        "/a/away" => Reply::redirect("/b"),
        _ => Reply::not_found(),
    })
    .await;
    let reader = reader(&server, "/a");
    let read =
        async |path: &str| reader.read_url(server.url(path).as_str(), &ReadUrlOptions::default()).await;
    let file = read("/a/c.yaml").await.unwrap();
    assert_eq!((&*file.data, file.etag.as_deref()), (&b"kind: API"[..], Some("1")));
    assert_eq!(read("/a/304").await.unwrap_err(), ReadError::NotModified);
    let url = server.url("/a/404");
    let not_found = ReadError::NotFound(format!("could not read {url}, 404 Not Found"));
    assert_eq!(read("/a/404").await.unwrap_err(), not_found);
    let url = server.url("/a/500");
    let failed = ReadError::failed(format!("could not read {url}, 500 Internal Server Error"));
    assert_eq!(read("/a/500").await.unwrap_err(), failed);
    let url = server.url("/a/520");
    assert_eq!(read("/a/520").await.unwrap_err(), ReadError::failed(format!("could not read {url}, 520")));
    let requests = server.seen().len();
    let url = server.url("/b");
    let forbidden =
        ReadError::failed(format!("URL not allowed by backend.reading.allow configuration: {url}"));
    assert_eq!(read("/a/away").await.unwrap_err(), forbidden);
    assert_eq!(server.seen().len(), requests + 1);
}

#[tokio::test]
async fn a_search_is_one_file_or_none() {
    let server = TestServer::start(|seen| match seen.path.as_str() {
        "/c.yaml" => {
            Reply::ok("x").header("ETag", "1").header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
        }
        "/plain" => Reply::ok("x"),
        "/500" => Reply::new("500 Internal Server Error", ""),
        _ => Reply::not_found(),
    })
    .await;
    let reader = reader(&server, "/");
    let search = async |path: &str| reader.search(server.url(path).as_str(), &SearchOptions::default()).await;
    let found = search("/c.yaml").await.unwrap();
    assert_eq!(found.etag, "1");
    assert_eq!(found.files[0].url, server.url("/c.yaml").as_str());
    assert_eq!(&*found.files[0].content().await.unwrap(), b"x");
    assert!(found.files[0].last_modified_at.is_some());
    assert_eq!(search("/plain").await.unwrap().etag, "");
    let none = search("/404").await.unwrap();
    assert_eq!((none.files.len(), none.etag.as_str()), (0, ""));
    assert!(search("/500").await.is_err());
    for glob in ["/*.yaml", "/a/**/c.yaml"] {
        assert_eq!(search(glob).await.unwrap_err(), ReadError::failed("Unsupported search pattern URL"));
    }
    let tree = reader.read_tree(server.url("/").as_str(), &ReadTreeOptions::default()).await;
    assert_eq!(tree.unwrap_err().to_string(), "FetchUrlReader does not implement readTree");
}

#[tokio::test]
async fn the_first_reader_that_accepts_is_the_only_one_asked() {
    let server = TestServer::start(|_| Reply::not_found()).await;
    let other = TestServer::start(|_| Reply::ok("")).await;
    let wide = Arc::new(AllowList::of(&[(&server.host, None), (&other.host, None)]));
    let refusing = Arc::new(FetchReader::new(
        Fetcher::new(FetchSettings::default()).unwrap(),
        Arc::new(AllowList::default()),
    ));
    let open = Arc::new(FetchReader::new(Fetcher::new(FetchSettings::default()).unwrap(), Arc::clone(&wide)));
    let mux =
        Mux::new(vec![(Predicate::Host(server.host.clone()), refusing), (Predicate::Allowed(wide), open)]);
    let options = ReadUrlOptions::default();
    assert!(mux.read_url(other.url("/").as_str(), &options).await.is_ok());
    assert!(
        mux.read_url(server.url("/").as_str(), &options)
            .await
            .unwrap_err()
            .to_string()
            .contains("not allowed")
    );
    assert!(server.seen().is_empty());

    let error = mux.read_url("https://other.example/x?token=t", &options).await.unwrap_err();
    assert_eq!(error.name(), "NotAllowedError");
    assert_eq!(
        error.to_string(),
        "Reading from 'https://other.example/x?token=***' is not allowed. You may need to configure an integration \
         for the target host, or add it to the configured list of allowed hosts at 'backend.reading.allow'"
    );
    assert_eq!(mux.read_url("c.yaml", &options).await.unwrap_err().to_string(), "Invalid URL");
}

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use callboard_sdk::UrlReader;
use serde_json::json;

use super::*;
use crate::FetchSettings;
use crate::readers::archive::tests::archive;
use crate::scm::config::read_github;
use crate::test_config::config;
use crate::test_server::{Reply, Seen, TestServer};

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// A GitHub with one repository, `o/r`, whose files and listing are these.
fn github(seen: &Seen) -> Reply {
    let tree = json!([
        { "path": "mk.yml", "type": "blob", "sha": "b1" },
        { "path": "zz.yml", "type": "blob", "sha": "gone" },
        { "path": "deep", "type": "tree", "sha": "t1" },
        { "path": "deep/mk.yml", "type": "blob", "sha": "b1" },
    ]);
    let json = |value: serde_json::Value| Reply::ok(value.to_string());
    match seen.path.as_str() {
        "/api/repos/o/r/contents/c.yaml?ref=main" => Reply::ok("api").header("ETag", "\"e\""),
        "/raw/o/r/main/c.yaml" => Reply::ok("raw"),
        "/api/repos/o/r/contents/x/c.yaml?ref=feature" => Reply::ok("misparsed"),
        "/api/repos/o/r/contents/limited?ref=main" => {
            let limited = Reply::new("403 Forbidden", "").header("X-RateLimit-Remaining", "0");
            limited.header("Date", "Mon, 01 Jan 2024 00:00:00 GMT").header("X-RateLimit-Reset", "1704067260")
        }
        "/api/repos/o/r/contents/forbidden?ref=main" => Reply::new("403 Forbidden", ""),
        "/api/repos/o/r/contents/same?ref=main" => Reply::new("304 Not Modified", ""),
        "/api/repos/o/r" => json(json!({ "default_branch": "main" })),
        "/api/repos/o/r/commits/main/status?per_page=0" => json(json!({ "sha": SHA })),
        "/api/repos/o/r/commits/large/status?per_page=0" => json(json!({ "sha": "large" })),
        "/api/repos/o/r/commits/html/status?per_page=0" => Reply::ok("<html>please sign in</html>"),
        path if path == format!("/api/repos/o/r/git/trees/{SHA}?recursive=true") => {
            json(json!({ "tree": tree }))
        }
        "/api/repos/o/r/git/trees/large?recursive=true" => json(json!({ "tree": tree, "truncated": true })),
        "/api/repos/o/r/git/blobs/b1" => {
            let mut content = BASE64_STANDARD.encode("kind: Component");
            content.insert(8, '\n');
            json(json!({ "content": content, "encoding": "base64" }))
        }
        path if path.starts_with("/api/repos/o/r/tarball/") => Reply::redirect("/api/codeload?token=secret"),
        "/api/codeload?token=secret" => Reply::ok(archive(&[
            ("o-r-0123/mk.yml", b"top"),
            ("o-r-0123/docs/a.md", b"a"),
            ("o-r-0123/docs2/b.md", b"b"),
            ("o-r-0123/deep/mk.yml", b"deep"),
        ])),
        _ => Reply::not_found(),
    }
}

struct Fixture {
    server: TestServer,
    reader: GitHubReader,
}

impl Fixture {
    async fn new(token: Option<&str>) -> Self {
        let server = TestServer::start(github).await;
        let mut entry = json!({
            "host": server.host,
            "apiBaseUrl": server.url("/api/").as_str(),
            "rawBaseUrl": server.url("/raw").as_str(),
        });
        if let Some(token) = token {
            entry["token"] = token.into();
        }
        let config =
            read_github(&config(json!({ "integrations": { "github": [entry] } }))).unwrap().remove(0);
        let fetcher = Fetcher::new(FetchSettings::default()).unwrap();
        let reader = GitHubReader::new(fetcher, config, Arc::default()).unwrap();
        Self { server, reader }
    }

    fn url(&self, path: &str) -> String {
        self.server.url(path).into()
    }

    async fn read(&self, path: &str) -> Result<ReadUrlResponse, ReadError> {
        self.reader.read_url(&self.url(path), &ReadUrlOptions::default()).await
    }
}

#[tokio::test]
async fn with_a_token_files_come_through_the_api() {
    let github = Fixture::new(Some(" abc ")).await;
    for path in ["/o/r/blob/main/c.yaml", "/o/r/tree/main/c.yaml", "/o/r/raw/main/c.yaml"] {
        let file = github.read(path).await.unwrap();
        assert_eq!((&*file.data, file.etag.as_deref()), (&b"api"[..], Some("\"e\"")));
    }
    let seen = &github.server.seen()[0];
    assert_eq!(seen.path, "/api/repos/o/r/contents/c.yaml?ref=main");
    assert_eq!(seen.header("accept"), Some("application/vnd.github.v3.raw"));
    assert_eq!(seen.header("authorization"), Some("Bearer abc"));
    assert_eq!(&*github.read("/o/r/blob/feature/x/c.yaml").await.unwrap().data, b"misparsed");
}

#[tokio::test]
async fn without_a_token_files_come_from_the_raw_host() {
    let github = Fixture::new(None).await;
    assert_eq!(&*github.read("/o/r/blob/main/c.yaml").await.unwrap().data, b"raw");
    assert_eq!(github.server.seen()[0].header("authorization"), None);
    let options = ReadUrlOptions { token: Some("mine".to_owned()), ..ReadUrlOptions::default() };
    let file = github.reader.read_url(&github.url("/o/r/blob/main/c.yaml"), &options).await.unwrap();
    assert_eq!(&*file.data, b"api");
    assert_eq!(github.server.seen()[1].header("authorization"), Some("Bearer mine"));
}

#[tokio::test]
async fn urls_that_are_no_files_are_refused_without_a_request() {
    let github = Fixture::new(Some("abc")).await;
    for (path, reason) in [
        ("/o/r/edit/main/c.yaml", "Invalid GitHub URL or file path"),
        ("/o/r", "Invalid GitHub URL or file path"),
        ("/", "Invalid GitHub URL or file path"),
        ("/o/r/blob/main/%252e%252e/c.yaml", "path traversal is not allowed"),
        ("/o/r/blob/main/%25252e./c.yaml", "path traversal is not allowed"),
        ("/o/r/blob/main/..%2fc.yaml", "path traversal is not allowed"),
    ] {
        let error = github.read(path).await.unwrap_err();
        let url = github.url(path);
        assert_eq!(error, ReadError::failed(format!("Incorrect URL: {url}, Error: {reason}")));
    }
    assert!(github.server.seen().is_empty());
}

#[tokio::test]
async fn statuses_are_worded_with_the_api_url() {
    let github = Fixture::new(Some("abc")).await;
    let request =
        |path: &str| format!("Request failed for {}", github.url(&format!("/api/repos/o/r/contents{path}")));
    let not_found = ReadError::NotFound(format!("{}, 404 Not Found", request("/none?ref=main")));
    assert_eq!(github.read("/o/r/blob/main/none").await.unwrap_err(), not_found);
    let forbidden = ReadError::failed(format!("{}, 403 Forbidden", request("/forbidden?ref=main")));
    assert_eq!(github.read("/o/r/blob/main/forbidden").await.unwrap_err(), forbidden);
    assert_eq!(github.read("/o/r/blob/main/same").await.unwrap_err(), ReadError::NotModified);
    let limited = ReadError::Failed {
        message: format!("{}, 403 Forbidden (rate limit exceeded)", request("/limited?ref=main")),
        retry_after: Some(std::time::Duration::from_mins(1)),
    };
    assert_eq!(github.read("/o/r/blob/main/limited").await.unwrap_err(), limited);
    let paused = github.read("/o/r/blob/main/c.yaml").await.unwrap_err();
    assert!(paused.to_string().contains("left alone"), "{paused}");
}

#[tokio::test]
async fn a_tree_is_its_directory_alone() {
    let github = Fixture::new(Some("abc")).await;
    let tree = |path: &str, options: ReadTreeOptions| {
        let (url, reader) = (github.url(path), &github.reader);
        async move { reader.read_tree(&url, &options).await }
    };
    let docs = tree("/o/r/tree/main/docs", ReadTreeOptions::default()).await.unwrap();
    let paths: Vec<_> = docs.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!((paths, docs.etag.as_str()), (vec!["a.md"], SHA));
    let whole = tree("/o/r", ReadTreeOptions::default()).await.unwrap();
    assert_eq!(whole.files.len(), 4);

    let requests = github.server.seen().len();
    let same = ReadTreeOptions { etag: Some(SHA.to_owned()), ..ReadTreeOptions::default() };
    assert_eq!(tree("/o/r/tree/main/docs", same).await.unwrap_err(), ReadError::NotModified);
    assert_eq!(github.server.paths()[requests..], ["/api/repos/o/r/commits/main/status?per_page=0"]);

    let html = tree("/o/r/tree/html/docs", ReadTreeOptions::default()).await.unwrap_err();
    assert!(html.to_string().contains("the response is malformed"), "{html}");
    let none = tree("/o/r/tree/none/docs", ReadTreeOptions::default()).await.unwrap_err();
    assert_eq!(none.name(), "NotFoundError");
}

#[tokio::test]
async fn a_search_lists_first_and_loads_later() {
    let github = Fixture::new(Some("abc")).await;
    let url = github.url("/o/r/blob/main/{mk,zz}.yml");
    let found = github.reader.search(&url, &SearchOptions::default()).await.unwrap();
    let urls: Vec<_> = found.files.iter().map(|file| file.url.clone()).collect();
    assert_eq!(urls, [github.url("/o/r/blob/main/mk.yml"), github.url("/o/r/blob/main/zz.yml")]);
    assert_eq!(found.etag, SHA);
    assert_eq!(github.server.seen().len(), 2);
    assert_eq!(&*found.files[0].content().await.unwrap(), b"kind: Component");
    let listed_but_missing = found.files[1].content().await.unwrap_err();
    assert_eq!(listed_but_missing.name(), "Error");

    let deep = github.url("/o/r/blob/main/**/mk.yml");
    assert_eq!(github.reader.search(&deep, &SearchOptions::default()).await.unwrap().files.len(), 2);
    let same = SearchOptions { etag: Some(SHA.to_owned()), ..SearchOptions::default() };
    assert_eq!(github.reader.search(&url, &same).await.unwrap_err(), ReadError::NotModified);
}

#[tokio::test]
async fn a_truncated_listing_is_not_trusted() {
    let github = Fixture::new(Some("abc")).await;
    let url = github.url("/o/r/tree/large/**/mk.yml");
    let found = github.reader.search(&url, &SearchOptions::default()).await.unwrap();
    let urls: Vec<_> = found.files.iter().map(|file| file.url.clone()).collect();
    assert_eq!(urls, [github.url("/o/r/tree/large/mk.yml"), github.url("/o/r/tree/large/deep/mk.yml")]);
    assert_eq!(&*found.files[1].content().await.unwrap(), b"deep");
}

#[tokio::test]
async fn a_search_without_a_glob_is_one_file_or_none() {
    let github = Fixture::new(Some("abc")).await;
    let search = async |path: &str| github.reader.search(&github.url(path), &SearchOptions::default()).await;
    let found = search("/o/r/blob/main/c.yaml").await.unwrap();
    assert_eq!((found.files.len(), found.etag.as_str()), (1, "\"e\""));
    assert_eq!(found.files[0].url, github.url("/o/r/blob/main/c.yaml"));
    let none = search("/o/r/blob/main/none").await.unwrap();
    assert_eq!((none.files.len(), none.etag.as_str()), (0, ""));
    assert!(search("/o/r/blob/main/forbidden").await.is_err());
}

#[tokio::test]
async fn without_the_credentials_of_an_app_absence_is_not_proven() {
    let server = TestServer::start(github).await;
    let app = json!({ "appId": 1, "clientId": "c", "clientSecret": "s", "privateKey": "k" });
    let entry = json!({ "host": server.host, "rawBaseUrl": server.url("/raw").as_str(), "apps": [app] });
    let config = read_github(&config(json!({ "integrations": { "github": [entry] } }))).unwrap().remove(0);
    let fetcher = Fetcher::new(FetchSettings::default()).unwrap();
    let reader = GitHubReader::new(fetcher, config, Arc::default()).unwrap();
    let url = server.url("/o/r/blob/main/private.yaml");
    let error = reader.search(url.as_str(), &SearchOptions::default()).await.unwrap_err();
    assert!(error.to_string().ends_with("404 Not Found without the credentials of a GitHub App"), "{error}");
}

#[test]
fn an_instance_needs_a_base_url() {
    let config = config(json!({ "integrations": { "github": [{ "host": "ghe.example.com" }] } }));
    let config = read_github(&config).unwrap().remove(0);
    let fetcher = Fetcher::new(FetchSettings::default()).unwrap();
    let error = GitHubReader::new(fetcher, config, Arc::default()).unwrap_err();
    let expected = "GitHub integration 'ghe.example.com' must configure an explicit apiBaseUrl or rawBaseUrl";
    assert_eq!(error.to_string(), expected);
}

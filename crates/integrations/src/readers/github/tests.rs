use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use callboard_sdk::{ScmLocationAnalyzer, UrlReader};
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
        "/api/repos/o/r/contents/c.yaml?ref=main" => match seen.header("if-none-match") {
            Some("\"e\"") => Reply::new("304 Not Modified", ""),
            _ => Reply::ok("api").header("ETag", "\"e\""),
        },
        "/raw/o/r/main/c.yaml" => match seen.header("if-none-match") {
            Some("\"raw\"") => Reply::new("304 Not Modified", ""),
            _ => Reply::ok("raw").header("ETag", "\"raw\""),
        },
        "/api/repos/o/r/contents/x/c.yaml?ref=feature" => Reply::ok("misparsed"),
        "/api/repos/o/r/contents/limited?ref=main" => {
            let limited = Reply::new("403 Forbidden", "").header("X-RateLimit-Remaining", "0");
            limited.header("Date", "Mon, 01 Jan 2024 00:00:00 GMT").header("X-RateLimit-Reset", "1704067260")
        }
        "/api/repos/o/r/contents/forbidden?ref=main" => Reply::new("403 Forbidden", ""),
        "/api/repos/o/r/contents/same?ref=main" => Reply::new("304 Not Modified", ""),
        "/api/repos/o/r/contents/odd?ref=main" => Reply::new("520 Web Server Is Odd", ""),
        "/api/repos/o/broken" => Reply::new("502 Bad Gateway", ""),
        "/api/repos/o/limited" => Reply::new("429 Too Many Requests", "").header("Retry-After", "60"),
        "/api/repos/o/r" => json(json!({ "default_branch": "main" })),
        "/api/repos/o/r/commits/main/status?per_page=0" => json(json!({ "sha": SHA })),
        "/api/repos/o/r/commits/large/status?per_page=0" => json(json!({ "sha": "large" })),
        "/api/repos/o/html" | "/api/repos/o/r/commits/html/status?per_page=0" => {
            Reply::ok("<html>please sign in</html>")
        }
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

/// A reader of the server, with its raw files and what `entry` adds.
fn reader(server: &TestServer, mut entry: serde_json::Value) -> GitHubReader {
    entry["host"] = server.host.as_str().into();
    entry["rawBaseUrl"] = server.url("/raw").as_str().into();
    let config = config(json!({ "integrations": { "github": [entry] } }));
    let config = read_github(&config).unwrap().remove(0);
    let fetcher = Fetcher::new(FetchSettings::default()).unwrap();
    GitHubReader::new(fetcher, config, Arc::default()).unwrap()
}

struct Fixture {
    server: TestServer,
    reader: GitHubReader,
}

impl Fixture {
    async fn new(token: Option<&str>) -> Self {
        let server = TestServer::start(github).await;
        let reader = reader(&server, json!({ "token": token, "apiBaseUrl": server.url("/api/").as_str() }));
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
async fn a_raw_host_alone_is_read_with_the_token() {
    let server = TestServer::start(github).await;
    let reader = reader(&server, json!({ "token": "abc" }));
    let read =
        async |path: &str| reader.read_url(server.url(path).as_str(), &ReadUrlOptions::default()).await;
    assert_eq!(&*read("/o/r/blob/main/c.yaml").await.unwrap().data, b"raw");
    let seen = server.seen();
    assert_eq!(
        (seen[0].path.as_str(), seen[0].header("authorization")),
        ("/raw/o/r/main/c.yaml", Some("Bearer abc"))
    );
    let unproven = read("/o/r/blob/main/none").await.unwrap_err();
    assert_eq!(unproven.name(), "Error");
    assert!(unproven.to_string().contains("has no apiBaseUrl"), "{unproven}");
}

#[tokio::test]
async fn with_another_token_a_file_is_read_afresh() {
    let server = TestServer::start(github).await;
    let api = server.url("/api/");
    let url = server.url("/o/r/blob/main/c.yaml");
    let mut etag = None;
    for (token, content) in [(None, "raw"), (Some("abc"), "api"), (None, "raw")] {
        let reader = reader(&server, json!({ "token": token, "apiBaseUrl": api.as_str() }));
        let options = SearchOptions { etag: etag.take(), ..SearchOptions::default() };
        let found = reader.search(url.as_str(), &options).await.unwrap();
        assert_eq!(&*found.files[0].content().await.unwrap(), content.as_bytes());
        let options = SearchOptions { etag: Some(found.etag.clone()), ..SearchOptions::default() };
        assert_eq!(reader.search(url.as_str(), &options).await.unwrap_err(), ReadError::NotModified);
        etag = Some(found.etag);
    }
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
    let odd = ReadError::failed(format!("{}, 520", request("/odd?ref=main")));
    assert_eq!(github.read("/o/r/blob/main/odd").await.unwrap_err(), odd);
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
async fn files_of_a_name_are_found_at_any_depth() {
    let github = Fixture::new(Some("abc")).await;
    let cancellation = CancellationToken::new();
    let existing = async |path: &str, name: &str| {
        let found = github.reader.existing_files(&github.url(path), name, &cancellation).await;
        found.map(|urls| urls.iter().map(|url| url.replace(&github.url(""), "/")).collect::<Vec<_>>())
    };
    assert_eq!(
        existing("/o/r", "mk.yml").await.unwrap(),
        ["/o/r/blob/main/mk.yml", "/o/r/blob/main/deep/mk.yml"]
    );
    assert_eq!(existing("/o/r/", "deep/mk.yml").await.unwrap(), ["/o/r/blob/main/deep/mk.yml"]);
    assert_eq!(existing("/o/r", "catalog-info.yaml").await.unwrap(), [""; 0]);
    // The listing of this ref is cut short.
    let large = ["/o/r/blob/large/mk.yml", "/o/r/blob/large/deep/mk.yml"];
    assert_eq!(existing("/o/r/tree/large/docs", "mk.yml").await.unwrap(), large);
    assert!(existing("/o/hidden", "mk.yml").await.is_err());
    assert!(github.reader.supports(&github.url("/o/r")));
    assert!(!github.reader.supports("https://github.com/o/r") && !github.reader.supports("o/r"));
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
    let reader = reader(&server, json!({ "apps": [app] }));
    let url = server.url("/o/r/blob/main/private.yaml");
    let error = reader.search(url.as_str(), &SearchOptions::default()).await.unwrap_err();
    assert!(error.to_string().ends_with("404 Not Found without the credentials of a GitHub App"), "{error}");
}

#[tokio::test]
async fn what_a_token_may_not_see_is_not_absent() {
    let github = Fixture::new(Some("abc")).await;
    let url = |path: &str| github.url(&format!("/api/repos/o/hidden{path}"));
    let hidden = |path: &str| {
        let reason = "404 Not Found (the token sees no such repository)";
        ReadError::failed(format!("Request failed for {}, {reason}", url(path)))
    };
    let search = async |path: &str| github.reader.search(&github.url(path), &SearchOptions::default()).await;
    let file = search("/o/hidden/blob/main/c.yaml").await.unwrap_err();
    assert_eq!(file, hidden("/contents/c.yaml?ref=main"));
    let glob = search("/o/hidden/blob/main/*.yaml").await.unwrap_err();
    assert_eq!(glob, hidden("/commits/main/status?per_page=0"));
    // The repository was asked for once.
    let expected = ["/contents/c.yaml?ref=main", "", "/commits/main/status?per_page=0"];
    assert_eq!(github.server.paths(), expected.map(|path| format!("/api/repos/o/hidden{path}")));
    let tree = github.reader.read_tree(&github.url("/o/hidden"), &ReadTreeOptions::default()).await;
    assert_eq!(tree.unwrap_err(), hidden(""));
}

#[tokio::test]
async fn a_repository_is_asked_for_once_for_all_files_that_it_misses() {
    let github = Fixture::new(Some("abc")).await;
    for path in ["/o/r/blob/main/none", "/o/r/blob/main/neither"] {
        assert_eq!(github.read(path).await.unwrap_err().name(), "NotFoundError");
    }
    let expected = ["/contents/none?ref=main", "", "/contents/neither?ref=main"];
    assert_eq!(github.server.paths(), expected.map(|path| format!("/api/repos/o/r{path}")));
}

#[tokio::test]
async fn each_token_of_a_caller_sees_for_itself() {
    let server = TestServer::start(|seen| match (seen.path.as_str(), seen.header("authorization")) {
        ("/api/repos/o/r", Some("Bearer wide")) => Reply::ok(r#"{ "default_branch": "main" }"#),
        _ => Reply::not_found(),
    })
    .await;
    let url = server.url("/o/r/blob/main/none");
    let reader = reader(&server, json!({ "token": "wide", "apiBaseUrl": server.url("/api/").as_str() }));
    for (token, name) in [
        (None, "NotFoundError"),
        (Some("narrow"), "Error"),
        (None, "NotFoundError"),
        (Some("wide"), "NotFoundError"),
    ] {
        let options = ReadUrlOptions { token: token.map(str::to_owned), ..ReadUrlOptions::default() };
        assert_eq!(reader.read_url(url.as_str(), &options).await.unwrap_err().name(), name, "{token:?}");
    }
}

#[tokio::test]
async fn nothing_is_absent_while_the_repository_cannot_be_asked_for() {
    let github = Fixture::new(Some("abc")).await;
    for (repository, reason) in [("broken", "502 Bad Gateway"), ("html", "the response is malformed")] {
        let path = format!("/o/{repository}/blob/main/none");
        for _ in 0..2 {
            let error = github.read(&path).await.unwrap_err();
            assert_eq!(error.name(), "Error");
            assert!(error.to_string().contains(reason), "{error}");
        }
        let asked = github.server.paths().iter().filter(|seen| seen.ends_with(repository)).count();
        assert_eq!(asked, 2, "{repository}");
    }
    let limited = github.read("/o/limited/blob/main/none").await.unwrap_err();
    let ReadError::Failed { message, retry_after } = limited else { panic!("{limited}") };
    assert!(message.ends_with("429 Too Many Requests (rate limit exceeded))"), "{message}");
    assert_eq!(retry_after, Some(std::time::Duration::from_mins(1)));
}

#[test]
fn result_urls_escape_what_a_path_cannot_hold_and_nothing_else() {
    let base = Url::parse("https://github.com/o/r/blob/feat%2Fx/**/*.yaml").unwrap();
    let table = [
        ("a/b.yaml", "a/b.yaml"),
        ("(a)!*'[b]@c+d,e;f=g&h:i$j~k.yaml", "(a)!*'[b]@c+d,e;f=g&h:i$j~k.yaml"),
        ("a b\u{e9}.yaml", "a%20b%C3%A9.yaml"),
        ("100%.yaml", "100%25.yaml"),
        ("%2e%2e/a", "%252e%252e/a"),
        ("a\\b", "a%5Cb"),
        ("a?b#c", "a%3Fb%23c"),
        ("a\tb\nc", "a%09b%0Ac"),
    ];
    for (path, expected) in table {
        let url = file_url(&base, path);
        assert_eq!(url, format!("https://github.com/o/r/blob/feat%2Fx/{expected}"));
        assert_eq!(GitUrl::parse(&Url::parse(&url).unwrap()).unwrap().path, path);
    }
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

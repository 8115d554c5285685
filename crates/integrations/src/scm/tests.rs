use serde_json::{Value, json};

use super::*;
use crate::test_config::config;

fn scm(integrations: &Value) -> ScmIntegrations {
    ScmIntegrations::from_config(&config(json!({ "integrations": integrations }))).unwrap()
}

fn error(integrations: &Value) -> String {
    ScmIntegrations::from_config(&config(json!({ "integrations": integrations }))).unwrap_err().to_string()
}

#[test]
fn some_integrations_are_there_without_configuration() {
    let table = [
        ("https://github.com/o/r", Some("github")),
        ("https://gitlab.com/g/p", Some("gitlab")),
        ("https://bitbucket.org/w/r", Some("bitbucketCloud")),
        ("https://dev.azure.com/o/p/_git/r", Some("azure")),
        ("https://amazonaws.com/b", Some("awsS3")),
        ("https://blob.core.windows.net/c", Some("azureBlobStorage")),
        ("https://storage.cloud.google.com/b", Some("googleGcs")),
        ("https://github.com:8443/o/r", None),
        ("https://ghe.example.com/o/r", None),
        ("not a url", None),
    ];
    for (url, expected) in table {
        assert_eq!(scm(&json!({})).integration_kind(url), expected, "{url}");
    }
    let with_enterprise = scm(&json!({ "github": [{ "host": "ghe.example.com:8443" }] }));
    assert_eq!(with_enterprise.integration_kind("https://ghe.example.com:8443/o/r"), Some("github"));
    assert_eq!(with_enterprise.integration_kind("https://github.com/o/r"), Some("github"));
}

/// Target, base and what comes of them.
const TARGETS: &str = "
    ./x     https://github.com/o/r/blob/main/d/c.yaml        https://github.com/o/r/tree/main/d/x
    x       https://github.com/o/r/blob/main/d/c.yaml        https://github.com/o/r/tree/main/d/x
    /x      https://github.com/o/r/blob/main/d/c.yaml        https://github.com/o/r/tree/main/x
    ./      https://github.com/o/r/edit/main/d/c.yaml        https://github.com/o/r/tree/main/d/
    /x      https://github.com/o/r/blob/main/a%20b/c.yaml    https://github.com/o/r/tree/main/x

    ../../../../../x                          https://github.com/o/r/blob/main/d/c.yaml  https://github.com/x
    https://github.com/o/q/blob/main/a.yaml   https://github.com/o/r/blob/main/c.yaml    https://github.com/o/q/tree/main/a.yaml
    https://e.com/a.yaml                      https://github.com/o/r/blob/main/c.yaml    https://e.com/a.yaml

    ./x     https://gitlab.com/g/s/p/-/blob/main/d/c.yaml    https://gitlab.com/g/s/p/-/blob/main/d/x
    /x      https://gitlab.com/g/s/p/-/blob/main/d/c.yaml    https://gitlab.com/g/s/p/-/blob/main/x
    /x      https://bitbucket.org/w/r/src/main/d/c.yaml      https://bitbucket.org/w/r/src/main/x
    /x      https://gitea.example.com/o/r/src/branch/main/c  https://gitea.example.com/o/r/src/branch/x

    /x      https://bbs.example.com/projects/P/repos/r/browse/d/c?at=main   https://bbs.example.com/projects/P/repos/r/browse/x?at=main

    ./x?y=1 https://e.com/d/c.yaml?at=main                   https://e.com/d/x?at=main
    /x.yaml https://e.com/a/b/c                              https://e.com/a/b/c/x.yaml
    x.yaml  https://e.com/a/b/c                              https://e.com/a/b/x.yaml
";

/// The same for Azure DevOps.
const AZURE_TARGETS: &str = "
    ./x          https://dev.azure.com/o/p/_git/r?path=/d/c&version=GBm  https://dev.azure.com/o/p/_git/r?path=%2Fd%2Fx&version=GBm
    /x           https://dev.azure.com/o/p/_git/r?path=/d/c&version=GBm  https://dev.azure.com/o/p/_git/r?path=%2Fx&version=GBm
    ../../../x   https://dev.azure.com/o/p/_git/r?path=/d/c&version=GBm  https://dev.azure.com/o/p/_git/r?path=%2Fx&version=GBm
    my%20docs    https://dev.azure.com/o/p/_git/r?path=/d/c&version=GBm  https://dev.azure.com/o/p/_git/r?path=%2Fd%2Fmy+docs&version=GBm
    ./           https://dev.azure.com/o/p/_git/r?path=%2Fc.yaml         https://dev.azure.com/o/p/_git/r?path=%2F
    ./x          https://dev.azure.com/o/p/wiki                          https://dev.azure.com/o/p/x
    x            https://dev.azure.com/o/_git/r?version=GCabc            https://dev.azure.com/o/_git/x
    https://e.com/x  https://dev.azure.com/o/p/_git/r?path=/d/c          https://e.com/x
";

#[test]
fn targets_are_resolved_as_the_tables_say() {
    let scm = scm(&json!({
        "gitea": [{ "host": "gitea.example.com" }],
        "bitbucketServer": [{ "host": "bbs.example.com" }],
    }));
    for line in TARGETS.lines().chain(AZURE_TARGETS.lines()).filter(|line| !line.trim().is_empty()) {
        let columns: Vec<_> = line.split_whitespace().collect();
        let [target, base, expected] = columns[..] else { panic!("{line}") };
        assert_eq!(scm.resolve_url(target, base).as_deref(), Ok(expected), "{target} on {base}");
    }
    assert_eq!(scm.resolve_url("./x", "not a url"), Err("Invalid URL".to_owned()));
}

#[test]
fn pages_to_edit_and_source_locations_are_as_the_table_says() {
    let scm = scm(&json!({}));
    let table = [
        (
            "https://github.com/o/r/blob/main/a/c.yaml",
            Some("https://github.com/o/r/edit/main/a/c.yaml"),
            "https://github.com/o/r/tree/main/a/",
        ),
        (
            "https://github.com/o/r/tree/main/a/c.yaml",
            Some("https://github.com/o/r/edit/main/a/c.yaml"),
            "https://github.com/o/r/tree/main/a/",
        ),
        (
            "https://gitlab.com/g/p/-/blob/main/c.yaml",
            Some("https://gitlab.com/g/p/-/edit/main/c.yaml"),
            "https://gitlab.com/g/p/-/blob/main/",
        ),
        (
            "https://gitlab.com/g/p/blob/main/c.yaml",
            Some("https://gitlab.com/g/p/blob/main/c.yaml"),
            "https://gitlab.com/g/p/blob/main/",
        ),
        (
            "https://bitbucket.org/w/r/src/main/c.yaml",
            Some("https://bitbucket.org/w/r/src/main/c.yaml?mode=edit&at=main"),
            "https://bitbucket.org/w/r/src/main/",
        ),
        (
            "https://dev.azure.com/o/p/_git/r?path=%2Fc.yaml",
            Some("https://dev.azure.com/o/p/_git/r?path=%2Fc.yaml"),
            "https://dev.azure.com/o/p/_git/r?path=%2F",
        ),
        ("https://e.com/a/c.yaml", None, "https://e.com/a/"),
    ];
    for (url, edit_url, source) in table {
        assert_eq!(scm.resolve_edit_url(url).as_deref(), edit_url, "{url}");
        assert_eq!(scm.resolve_url("./", url).as_deref(), Ok(source), "{url}");
    }
}

#[test]
fn other_forges_have_pages_to_edit_too() {
    let scm = scm(&json!({
        "awsCodeCommit": [{ "region": "eu-west-1", "host": "aws.example.com" }],
        "bitbucketServer": [{ "host": "bbs.example.com" }],
        "gerrit": [{ "host": "gerrit.example.com", "gitilesBaseUrl": "https://gerrit.example.com/gitiles" }],
        "gitea": [{ "host": "gitea.example.com" }],
    }));
    let table = "
        https://bbs.example.com/projects/P/repos/r/browse/c?at=m   https://bbs.example.com/projects/P/repos/r/browse/c
        https://gitea.example.com/o/r/src/branch/main/a/c          https://gitea.example.com/o/r/_edit/main/a/c
        https://gitea.example.com/o/r                              https://gitea.example.com/o/r
        https://aws.example.com/repositories/r/browse/--/c         https://aws.example.com/repositories/r/files/edit/--/c
        https://gerrit.example.com/p/+/refs/heads/m/c              https://gerrit.example.com/p/+/refs/heads/m/c
    ";
    for line in table.lines().filter(|line| !line.trim().is_empty()) {
        let columns: Vec<_> = line.split_whitespace().collect();
        assert_eq!(scm.resolve_edit_url(columns[0]).as_deref(), Some(columns[1]), "{line}");
    }
}

#[test]
fn repository_and_path_are_told_where_the_url_shows_them() {
    let scm = scm(&json!({}));
    let parts =
        |url: &str| scm.file(url).map(|file| (file.host, file.full_name, file.owner, file.name, file.path));
    let expect = |host: &str, full_name: &str, owner: &str, name: &str, path: &str| {
        let owned = |text: &str| text.to_owned();
        Some((owned(host), owned(full_name), owned(owner), owned(name), owned(path)))
    };
    assert_eq!(
        parts("https://github.com/o/r/blob/main/a/c.yaml"),
        expect("github.com", "o/r", "o", "r", "a/c.yaml")
    );
    assert_eq!(parts("https://github.com/o/r"), expect("github.com", "o/r", "o", "r", ""));
    assert_eq!(
        parts("https://gitlab.com/g/s/p/-/blob/main/c.yaml"),
        expect("gitlab.com", "g/s/p", "g/s", "p", "c.yaml")
    );
    assert_eq!(
        parts("https://dev.azure.com/o/p/_git/r?path=%2Fd%2Fc.yaml"),
        expect("dev.azure.com", "o/p/r", "o/p", "r", "d/c.yaml")
    );
    assert_eq!(
        parts("https://dev.azure.com/o/_git/r?path=/c.yaml"),
        expect("dev.azure.com", "o/r/r", "o/r", "r", "c.yaml")
    );
    assert_eq!(
        parts("https://git.example.com:8443/o/r/blob/main/c.yaml"),
        expect("git.example.com:8443", "o/r", "o", "r", "c.yaml")
    );
    assert_eq!(parts("https://e.com/files/c.yaml"), None);
    assert_eq!(parts("https://github.com/"), None);
}

#[test]
fn wrong_configuration_is_refused_in_the_words_that_people_know() {
    let table = [
        (json!({ "github": [{ "host": "https://ghe.x" }] }), "'https://ghe.x' is not a valid host"),
        (json!({ "gitlab": [{ "host": "g.io" }] }), "'undefined' is not a valid apiBaseUrl"),
        (
            json!({ "gitlab": [{ "host": "g.io", "apiBaseUrl": "g.io/api" }] }),
            "'g.io/api' is not a valid apiBaseUrl",
        ),
        (json!({ "bitbucketCloud": [{ "username": "u" }] }), "'username' needs 'token' or 'appPassword'"),
        (json!({ "bitbucketCloud": [{ "clientId": "c" }] }), "'clientId' and 'clientSecret' go together"),
        (
            json!({ "azure": [{ "token": "x" }] }),
            "'credential' and 'token' have been removed. Use 'credentials' instead.",
        ),
        (
            json!({ "azure": [{ "credentials": [{ "personalAccessToken": "x" }, { "tenantId": "t" }] }] }),
            "credential at position 2 is not a valid credential",
        ),
        (
            json!({ "azure": [{ "credentials": [{ "personalAccessToken": "x" }, { "personalAccessToken": "y" }] }] }),
            "at most one credential may have no 'organizations'",
        ),
        (
            json!({ "azure": [{ "host": "azure.example.com", "credentials": [{ "clientId": "x" }] }] }),
            "credential at position 1 is not a valid credential",
        ),
        (
            json!({ "awsS3": [{ "endpoint": "https://s3.example.com/path" }] }),
            "endpoints cannot contain path",
        ),
        (json!({ "googleGcs": { "clientEmail": "a@example.com" } }), "'clientEmail' needs 'privateKey'"),
        (
            json!({ "github": [{ "apps": [{ "appId": 1, "clientId": "c", "clientSecret": "s" }] }] }),
            "privateKey",
        ),
        (json!({ "github": [{ "token": "" }] }), "got empty-string, wanted string"),
    ];
    for (integrations, expected) in table {
        let error = error(&integrations);
        assert!(error.contains(expected), "{integrations}: {error}");
    }
}

#[test]
fn full_configurations_are_accepted() {
    let scm = scm(&json!({
        "azure": [{ "credentials": [
            { "organizations": ["a"], "personalAccessToken": "x" },
            { "organizations": ["b"], "clientId": "c", "clientSecret": "s", "tenantId": "t" },
            { "clientId": "system-assigned" },
        ] }],
        "awsS3": [{ "endpoint": "https://s3.example.com/" }],
        "awsCodeCommit": [{ "region": "eu-west-1" }],
        "azureBlobStorage": [{ "accountName": "a", "accountKey": "k" }],
        "bitbucketCloud": [{ "username": "u", "token": "t" }],
        "gerrit": [{ "host": "gerrit.example.com", "gitilesBaseUrl": "https://gerrit.example.com/gitiles" }],
        "github": [{ "host": "github.com", "apps": [
            { "appId": "17", "clientId": "c", "clientSecret": "s", "privateKey": "k" }
        ] }],
        "gitlab": [{ "host": "gitlab.example.com", "apiBaseUrl": "https://gitlab.example.com/api/v4/" }],
        "googleGcs": { "clientEmail": "a@example.com", "privateKey": "k" },
        "harness": [{ "host": "harness.example.com", "apiKey": "k" }],
    }));
    assert_eq!(scm.integration_kind("https://s3.example.com/b/k"), Some("awsS3"));
    let code_commit = "https://eu-west-1.console.aws.amazon.com/codesuite";
    assert_eq!(scm.integration_kind(code_commit), Some("awsCodeCommit"));
    assert_eq!(scm.integration_kind("https://gerrit.example.com/x"), Some("gerrit"));
}

#[test]
fn the_fingerprint_tells_integrations_apart_but_no_secrets() {
    let plain = scm(&json!({})).fingerprint();
    let with_token = scm(&json!({ "github": [{ "token": "geheim" }] })).fingerprint();
    let with_host = scm(&json!({ "gitea": [{ "host": "gitea.example.com" }] })).fingerprint();
    assert_eq!(plain, scm(&json!({})).fingerprint());
    assert_ne!(plain, with_host);
    assert!(!with_token.contains("geheim"));
}

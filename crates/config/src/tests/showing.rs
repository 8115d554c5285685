//! Secrets, printing and checking.

use serde_json::json;

use super::{env, load_with};
use crate::{Config, Finding, Sources};

fn with_secrets() -> Config {
    Config::from_value(
        "c",
        json!({
            "backend": {
                "auth": { "keys": [{"secret": "key-secret"}] },
                "database": { "connection": "postgresql://me:pg-pass@db.example.com/x", "client": "pg" },
                "https": { "certificate": {"cert": "public", "key": "tls-key"} },
            },
            "integrations": {
                "github": [{ "host": "github.com", "token": " gh-token ", "apps": [{"privateKey": "pem", "clientId": "id"}] }],
            },
            "proxy": { "endpoints": { "/x": {
                "target": "https://example.com", "credentials": "require", "headers": {"Authorization": "Bearer abc"},
            } } },
            "custom": { "apiKey": "k-123", "secretName": "vault/x", "tokenUrl": "https://example.com/t", "password": "1",
                        "dsn": "Server=x;Password=dsn-pass;Db=y", "tokens": ["t-one"] },
        }),
    )
}

#[test]
fn secrets_are_masked_when_printed() {
    assert_eq!(
        with_secrets().redacted_value(),
        json!({
            "backend": {
                "auth": { "keys": [{"secret": "***"}] },
                "database": { "connection": "postgresql://me:***@db.example.com/x", "client": "pg" },
                "https": { "certificate": {"cert": "public", "key": "***"} },
            },
            "integrations": {
                "github": [{ "host": "github.com", "token": "***", "apps": [{"privateKey": "***", "clientId": "id"}] }],
            },
            "proxy": { "endpoints": { "/x": {
                "target": "https://example.com", "credentials": "require", "headers": {"Authorization": "***"},
            } } },
            "custom": { "apiKey": "***", "secretName": "vault/x", "tokenUrl": "https://example.com/t", "password": "***",
                        "dsn": "Server=x;Password=***;Db=y", "tokens": ["***"] },
        })
    );
    let github = with_secrets().get_configs("integrations.github").unwrap().remove(0);
    assert_eq!(github.redacted_value()["token"], json!("***"));
    let shown: Vec<_> = github.effective().into_iter().map(|value| (value.key, value.value)).collect();
    assert_eq!(shown[1], ("integrations.github[0].token".to_owned(), json!("***")));
}

#[test]
fn secrets_are_cut_out_of_texts() {
    let config = with_secrets();
    let table = [
        ("GET with gh-token failed", "GET with *** failed"),
        ("gh-tokengh-token", "******"),
        ("key-secret tls-key pem k-123 t-one pg-pass dsn-pass", "*** *** *** *** *** *** ***"),
        ("header Bearer abc", "header ***"),
        ("1 require pg vault/x", "1 require pg vault/x"),
    ];
    for (text, expected) in table {
        assert_eq!(config.redact(text), expected);
    }
    assert_eq!(config.get_config("custom").unwrap().redact("gh-token"), "***");
}

#[test]
fn secrets_do_not_show_themselves() {
    let secret = with_secrets().get_opt_secret("custom.apiKey").unwrap().unwrap();
    assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    assert_eq!(secret.expose(), "k-123");
    assert!(!format!("{:?}", with_secrets()).contains("k-123"));
    let sources = Sources { env: env(&[("TOKEN", "visible")]), ..Sources::default() };
    assert!(!format!("{sources:?}").contains("visible"));
}

#[test]
fn unknown_and_old_keys_are_found() {
    let text = "\
app: {anything: 1}
catalog:
  rule: []
  rules: [{allow: [API, {kind: Template, spec.type: x}]}]
  processingInterval: {minute: 1}
  stitchingStrategy: {mode: deferred}
  processors: {githubApi: {}, azureApi: {}}
  providers: {mine: {any: 1}}
backend:
  reading: {allow: [{hosts: x}]}
  listen: ':7007'
  csp: {default-src: [x]}
integrations:
  github: [{host: github.com, tokn: x}]
  azure: [{host: dev.azure.com, token: x}]
proxy:
  '/old': {target: x}
  endpoints: {'/new': {target: x, chngeOrigin: true}}
  somethingElse: 1
events: {http: {topics: [a]}}
permissions: {enabled: true}
callboard: {own: 1, reading: {maxBodyBites: 1}}
";
    let config = load_with(text, &[], &[]).unwrap();
    let findings = config.check();
    let line = |finding: &Finding| {
        let line = finding.origin.line.unwrap();
        format!("{line} {}: {}\n", finding.severity, finding.message)
    };
    let found: Vec<_> = findings.iter().map(line).collect();
    let expected = "\
3 warning: unknown key 'catalog.rule', did you mean 'rules'?
5 warning: unknown key 'catalog.processingInterval.minute', did you mean 'minutes'?
6 warning: 'catalog.stitchingStrategy.mode' has no effect: removed in catalog backend 4.0
7 error: Using deprecated configuration for catalog.processors.azureApi, move to using integrations.azure instead
10 warning: unknown key 'backend.reading.allow[0].hosts', did you mean 'host'?
14 warning: unknown key 'integrations.github[0].tokn', did you mean 'token'?
15 error: 'integrations.azure[].token' has been removed, use 'credentials' instead
17 warning: 'proxy./old' is deprecated: move the route below 'proxy.endpoints'
18 warning: unknown key 'proxy.endpoints./new.chngeOrigin', did you mean 'changeOrigin'?
19 warning: unknown key 'proxy.somethingElse'
21 warning: unknown key 'permissions', did you mean 'permission'?
22 warning: unknown key 'callboard.own'
22 warning: unknown key 'callboard.reading.maxBodyBites', did you mean 'maxBodyBytes'?
";
    assert_eq!(found.concat(), expected);
}

#[test]
fn findings_show_where_they_are() {
    let config = Config::from_value("app-config.yaml", json!({ "catalog": {"rulez": 1} }));
    let finding = config.check().remove(0);
    assert_eq!(
        finding.to_string(),
        "app-config.yaml: warning: unknown key 'catalog.rulez', did you mean 'rules'?"
    );
    assert!(config.check_with(&["catalog.rulez"]).is_empty());
}

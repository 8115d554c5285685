//! Descriptor files from the wild give what the Backstage catalog backend makes of them: the same entities, the same
//! verdicts, the same errors.
#![cfg(test)]

use std::fs;
use std::io::Write as _;
use std::thread;

use callboard_tests::corpus::{self, same_answer, same_entities};
use callboard_tests::{Api, Home, Upstream, settled_snapshot, workspace_root};
use serde_json::{Value, json};

/// Files whose answers differ on purpose, and why. `docs/compatibility.md` tells users about each.
const DELIBERATE: &[(&str, &str)] = &[
    (
        "made/latin1.yaml",
        "bytes that are no UTF-8 are an error with their place; Backstage puts replacement characters",
    ),
    (
        "real-a/evergreen-ci__evergreen__.backstage.yaml",
        "there is no reader for S3, and the host is not allowed",
    ),
];

/// Files that are valid behind a URL and not on a disk: their location says `type: url`, so that its relative targets
/// lead nowhere from a file.
const VALID_BEHIND_A_URL: &[&str] =
    &["real-a/platform-test-org__backstage-catalogs-integ-tests/catalog-info.yaml"];

/// How many differences are shown.
const SHOWN_MAX: usize = 25;

#[test]
fn a_dry_run_of_each_file_answers_as_backstage_does() {
    let Some(folder) = corpus::folder() else { return };
    let (home, upstream) = (Home::new(), Upstream::of_folder(&folder));
    let daemon = home.start(&corpus::config(&home, &upstream));
    let mut tally = Tally::default();
    for (file, golden) in corpus::golden_files(&folder) {
        let ours = dry_run(daemon.api(), &corpus::url(&upstream, &file));
        tally.count(&file, same_answer(&corpus::normalised(&ours, &upstream, &file), &golden));
    }
    tally.assert_equal("dry runs");
}

#[test]
fn each_root_settles_to_the_catalog_of_backstage() {
    let Some(folder) = corpus::folder() else { return };
    let upstream = Upstream::of_folder(&folder);
    let golden = corpus::golden_roots(&folder);
    let start = |root: &String| {
        let home = Home::new();
        let config = corpus::config(&home, &upstream).location("url", corpus::url(&upstream, root));
        (home.start(&config), home)
    };
    // All of them settle at the same time.
    let daemons: Vec<_> = golden.keys().map(start).collect();
    let settled: Vec<_> = thread::scope(|scope| {
        let settling: Vec<_> =
            daemons.iter().map(|(daemon, _)| scope.spawn(|| settled_snapshot(daemon))).collect();
        settling.into_iter().map(|settling| settling.join().unwrap()).collect()
    });
    let mut tally = Tally::default();
    for ((root, golden), catalog) in golden.iter().zip(settled) {
        let ours = Value::Array(catalog.into_values().collect());
        tally.count(root, same_entities(&corpus::normalised(&ours, &upstream, root), golden));
    }
    tally.assert_equal("catalogs");
}

#[test]
fn validation_from_the_command_line_comes_to_the_same_verdicts() {
    let Some(folder) = corpus::folder() else { return };
    let home = Home::new();
    let golden = corpus::golden_files(&folder);
    let mut arguments = vec!["validate".to_owned(), "--format".to_owned(), "json".to_owned()];
    arguments.extend(golden.keys().map(|file| folder.join(file).display().to_string()));
    let finished = home.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    let reports: Value = serde_json::from_str(&finished.stdout).unwrap();
    let mut tally = Tally::default();
    for ((file, golden), report) in golden.iter().zip(reports["files"].as_array().unwrap()) {
        assert!(report["target"].as_str().unwrap().ends_with(file.as_str()), "{report}");
        if is_about_the_file(golden) && !VALID_BEHIND_A_URL.contains(&file.as_str()) {
            tally.count(file, same_verdict(report, golden));
        }
    }
    tally.assert_equal("verdicts");
}

#[test]
fn every_deliberate_difference_is_documented() {
    let page = workspace_root().join("docs/compatibility.md");
    let text = fs::read_to_string(&page).unwrap();
    for (file, reason) in DELIBERATE {
        assert!(text.contains(file), "{} does not tell of {file} ({reason})", page.display());
    }
}

/// The answer in the form in which the corpus keeps it.
fn dry_run(api: &Api, url: &str) -> Value {
    let reply = api.post("/api/catalog/locations?dryRun=true", &json!({ "type": "url", "target": url }));
    let body = reply.json();
    if reply.status != 201 {
        return json!({ "status": reply.status, "error": body["error"] });
    }
    let outer = body["location"]["entityRef"].as_str().unwrap();
    let is_outer =
        |entity: &Value| outer.ends_with(&format!("/{}", entity["metadata"]["name"].as_str().unwrap()));
    let entities = body["entities"].as_array().unwrap().iter().filter(|entity| !is_outer(entity));
    json!({ "status": 201, "entities": entities.collect::<Vec<_>>() })
}

/// Whether the answer came from what stands in the file, and not from rules about places or from the network.
fn is_about_the_file(golden: &Value) -> bool {
    const OTHER_REASONS: [&str; 5] =
        ["is not of an allowed kind", "is not allowed", "of an allowed type", "FetchError", "getaddrinfo"];
    let message = golden["error"]["message"].as_str().unwrap_or_default();
    !OTHER_REASONS.iter().any(|reason| message.contains(reason))
}

fn same_verdict(report: &Value, golden: &Value) -> Result<(), String> {
    if report["valid"] == (golden["status"] == 201) {
        return Ok(());
    }
    let texts = report["errors"].as_array().unwrap().iter().map(|error| error["message"].to_string());
    let texts: Vec<_> = texts.collect();
    Err(format!(
        "valid: {}; ours: {}; golden: {}",
        report["valid"],
        texts.join(", "),
        golden["error"]["message"]
    ))
}

/// What was compared.
#[derive(Default)]
struct Tally {
    equal: usize,
    deliberate: usize,
    differences: Vec<String>,
}

impl Tally {
    fn count(&mut self, file: &str, comparison: Result<(), String>) {
        match comparison {
            Ok(()) => self.equal += 1,
            Err(_) if DELIBERATE.iter().any(|(path, _)| *path == file) => self.deliberate += 1,
            Err(difference) => self.differences.push(format!("{file}: {difference}")),
        }
    }

    fn assert_equal(&self, what: &str) {
        let all = self.equal + self.deliberate + self.differences.len();
        // Not by a macro: what those print is not shown of a test that passes.
        let counts = format!("{what}: {} of {all} equal, {} deliberate\n", self.equal, self.deliberate);
        std::io::stderr().write_all(counts.as_bytes()).expect("stderr is open");
        let shown: Vec<_> = self.differences.iter().take(SHOWN_MAX).map(String::as_str).collect();
        assert!(shown.is_empty(), "{} {what} differ:\n{}", self.differences.len(), shown.join("\n"));
    }
}

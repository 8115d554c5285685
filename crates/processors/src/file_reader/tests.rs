use std::fs;
use std::path::Path;
use std::time::Duration;

use callboard_sdk::Emit;
use callboard_sdk::testkit::{Run, TestKit, conformance};
use serde_json::json;

use super::*;
use crate::file_threads::tests::hang;

const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);

fn kit() -> TestKit {
    TestKit::new(FileReaderProcessor::default())
}

/// A host whose time is so late that all files have settled.
fn late_kit() -> TestKit {
    let kit = kit();
    kit.clock().advance(CENTURY);
    kit
}

fn location(directory: &Path, target: &str) -> LocationSpec {
    LocationSpec::new("file", format!("{}/{target}", directory.display()))
}

/// What was emitted, in short and without the directory.
fn emitted(run: &Run<Handled>, directory: &Path) -> Vec<String> {
    let items = run.emitted.iter().map(|item| match item {
        Emit::Entity { entity, location, .. } => format!("{} {}", entity.kind(), location.target),
        Emit::Refresh { key } => key.clone(),
        Emit::Error { error, .. } => format!("{} {}", error.name, error.message),
        other => format!("{other:?}"),
    });
    items.map(|text| text.replace(directory.to_str().unwrap(), "")).collect()
}

#[tokio::test]
async fn files_are_read_in_order_and_each_has_a_refresh_key() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("b.yaml"), "kind: B\n---\nkind: C\n").unwrap();
    fs::write(directory.path().join("a.yaml"), "kind: A\n").unwrap();
    let run = kit().read_location(&location(directory.path(), "./*.yaml")).await;
    assert_eq!(
        emitted(&run, directory.path()),
        ["A /a.yaml", "B /b.yaml", "C /b.yaml", "file:/a.yaml", "file:/b.yaml"]
    );
}

#[tokio::test]
async fn nothing_found_is_an_error_unless_the_location_is_optional() {
    let directory = tempfile::tempdir().unwrap();
    let mut location = location(directory.path(), "*.yaml");
    let run = kit().read_location(&location).await;
    assert_eq!(emitted(&run, directory.path()), ["NotFoundError file /*.yaml does not exist"]);
    location.presence = Some(Presence::Optional);
    assert!(kit().read_location(&location).await.emitted.is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_even_if_optional() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("sub")).unwrap();
    fs::write(directory.path().join("large.yaml"), "x".repeat(101)).unwrap();
    std::os::unix::fs::symlink("nowhere", directory.path().join("link.yaml")).unwrap();
    let cases = [
        ("sub", "EISDIR: illegal operation on a directory, read '/sub'"),
        ("large.yaml", "'/large.yaml' is larger than the limit of 100 bytes (callboard.limits.fileBytes)"),
        ("link.yaml", "ENOENT: no such file or directory, open '/link.yaml'"),
        ("+(a|b).yaml", "extended glob patterns are not supported"),
    ];
    for (target, expected) in cases {
        let mut kit = TestKit::new(FileReaderProcessor::new(100));
        let mut location = location(directory.path(), target);
        location.presence = Some(Presence::Optional);
        let run = kit.read_location(&location).await;
        let expected = format!("Error file /{target} could not be read, Error: {expected}");
        assert_eq!(emitted(&run, directory.path()), [expected]);
    }
}

#[tokio::test]
async fn files_beside_the_daemon_are_read_and_refused_as_by_it() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("sub")).unwrap();
    fs::write(directory.path().join("good.yaml"), "kind: A\n").unwrap();
    fs::write(directory.path().join("large.yaml"), "x".repeat(101)).unwrap();
    std::os::unix::fs::symlink("nowhere", directory.path().join("link.yaml")).unwrap();
    for name in ["sub", "large.yaml", "link.yaml", "gone.yaml"] {
        let location = location(directory.path(), name);
        let run = TestKit::new(FileReaderProcessor::new(100)).read_location(&location).await;
        let told = FileReaderProcessor::read_file(&location.target, 100).unwrap_err();
        let errors = run.errors();
        assert_eq!((told.name(), told.to_string()), (&*errors[0].name, errors[0].message.clone()));
    }
    let good = location(directory.path(), "good.yaml").target;
    assert_eq!(FileReaderProcessor::read_file(&good, 100).unwrap(), b"kind: A\n");
}

#[tokio::test]
async fn a_relative_target_names_its_file_without_the_dots() {
    let run = kit().read_location(&LocationSpec::new("file", "./src/../Cargo.toml")).await;
    assert_eq!(run.emitted.last(), Some(&results::refresh("file:Cargo.toml")));
}

#[tokio::test]
async fn settled_files_are_not_read_again_until_they_change() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.yaml");
    fs::write(&path, "kind: A\n").unwrap();
    let location = location(directory.path(), "*.yaml");
    let mut kit = late_kit();
    let first = kit.read_location(&location).await;
    let cache = kit.cache().clone();
    assert_ne!(cache, json!({}));
    assert_eq!(kit.read_location(&location).await, first);
    assert_eq!(kit.cache(), &cache);

    fs::write(&path, "kind: B2\n").unwrap();
    assert_eq!(
        emitted(&kit.read_location(&location).await, directory.path()),
        ["B2 /a.yaml", "file:/a.yaml"]
    );
    fs::write(directory.path().join("b.yaml"), "kind: C\n").unwrap();
    assert_eq!(kit.read_location(&location).await.entities().len(), 2);
    fs::remove_file(&path).unwrap();
    assert_eq!(emitted(&kit.read_location(&location).await, directory.path()), ["C /b.yaml", "file:/b.yaml"]);
}

#[tokio::test]
async fn a_file_that_has_just_changed_is_not_trusted() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), "kind: A\n").unwrap();
    let mut kit = kit();
    kit.read_location(&location(directory.path(), "a.yaml")).await;
    fs::write(directory.path().join("a.yaml"), "kind: B\n").unwrap();
    let run = kit.read_location(&location(directory.path(), "a.yaml")).await;
    assert_eq!(run.entities()[0].kind(), "B");
}

#[tokio::test]
async fn a_file_that_somebody_is_writing_keeps_its_entities() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.yaml");
    fs::write(&path, "kind: A\n").unwrap();
    let mut kit = kit();
    kit.read_location(&location(directory.path(), "a.yaml")).await;
    fs::write(&path, "").unwrap();
    let run = kit.read_location(&location(directory.path(), "a.yaml")).await;
    assert!(run.errors()[0].message.contains("is empty (0 bytes) and was not before"), "{run:?}");
    fs::write(&path, "# nothing\n").unwrap();
    assert_eq!(kit.read_location(&location(directory.path(), "a.yaml")).await.errors().len(), 0);
}

#[tokio::test]
async fn a_digest_is_forgotten_when_its_files_were_gone_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let (path, aside) = (directory.path().join("a.yaml"), directory.path().join("aside"));
    fs::write(&path, "kind: A\n").unwrap();
    let location =
        LocationSpec { presence: Some(Presence::Optional), ..location(directory.path(), "a.yaml") };
    let mut kit = late_kit();
    kit.read_location(&location).await;
    fs::rename(&path, &aside).unwrap();
    assert!(kit.read_location(&location).await.emitted.is_empty());
    fs::rename(&aside, &path).unwrap();
    assert_eq!(kit.read_location(&location).await.entities().len(), 1);
}

#[tokio::test]
async fn a_file_with_an_error_in_it_is_not_remembered() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), "kind: A\n---\n12\n").unwrap();
    let mut kit = late_kit();
    let run = kit.read_location(&location(directory.path(), "a.yaml")).await;
    assert_eq!((run.entities().len(), run.errors().len()), (1, 1));
    assert_eq!(kit.cache(), &json!(null));
}

#[tokio::test]
async fn a_target_that_hangs_is_an_error_until_it_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), "kind: A\n").unwrap();
    let location = location(directory.path(), "a.yaml");
    let processor = FileReaderProcessor::default();
    let release = hang(&processor.threads, &location.target).await;
    let mut kit = TestKit::new(processor);
    let run = kit.read_location(&location).await;
    let expected = "Error file /a.yaml could not be read, Error: an earlier read of it has not come back yet";
    assert_eq!(emitted(&run, directory.path()), [expected]);
    release.send(()).unwrap();
    while kit.read_location(&location).await.entities().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn times_are_trusted_two_seconds_later() {
    let read_at = Timestamp::from_timestamp(100, 0).unwrap();
    let stamp = |modified_ns, changed_ns| Stamp { modified_ns, changed_ns, size: 1, inode: 1, device: 1 };
    let second = 1_000_000_000;
    assert!(is_settled(Some(stamp(98 * second, 98 * second)), read_at));
    assert!(!is_settled(Some(stamp(98 * second + 1, 0)), read_at));
    assert!(!is_settled(Some(stamp(0, 98 * second + 1)), read_at));
    assert!(!is_settled(Some(stamp(200 * second, 0)), read_at));
    assert!(!is_settled(None, read_at));
}

#[tokio::test]
async fn the_contract_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), "kind: A\n").unwrap();
    conformance(FileReaderProcessor::default(), &location(directory.path(), "a.yaml")).await.unwrap();
}

#[test]
fn files_are_read_together_while_they_are_few_small_quick_and_readable() {
    let paths = || ["a", "b", "c"].map(str::to_owned).to_vec();
    let text = |bytes: usize| Ok((vec![b'x'; bytes], None));
    let late = Instant::now() + CENTURY;
    assert_eq!(read_some(paths(), late, |_| text(1)).len(), 3);
    let large_second = |path: &str| text(if path == "b" { BYTES_AT_ONCE } else { 1 });
    assert_eq!(read_some(paths(), late, large_second).len(), 2);
    let directory = |path: &str| Err(FileError::Directory { path: path.to_owned() });
    let read = read_some(paths(), late, |path| if path == "b" { directory(path) } else { text(1) });
    assert_eq!(read.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
    assert_eq!(read_some(paths(), Instant::now(), |_| text(1)).len(), 1);
}

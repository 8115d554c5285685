mod http_reader;
mod system_x;

use callboard_sdk::Emit;
use callboard_sdk::testkit::{FakeReader, Run, TestKit, conformance};
use serde_json::json;

use self::http_reader::HttpReader;
use self::system_x::{Answer, SystemX};
use super::*;

async fn start() -> (SystemX, TestKit, LocationSpec) {
    let system = SystemX::start().await;
    let location = LocationSpec::new("system-x", system.url());
    (system, TestKit::new(SystemXReader::new(Arc::new(HttpReader))), location)
}

fn component(name: &str) -> Value {
    json!({
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": name},
        "spec": {"type": "service", "lifecycle": "production", "owner": "team-x"},
    })
}

fn ok(body: &Value, etag: Option<&str>) -> Answer {
    Answer::Ok { body: body.to_string(), etag: etag.map(str::to_owned) }
}

/// The names of all entities; panics if there was an error.
fn names(run: &Run<Handled>) -> Vec<&str> {
    assert_eq!(run.result, Ok(Handled::Yes));
    assert!(run.is_ok(), "{run:?}");
    run.entities().iter().map(|entity| entity.name()).collect()
}

/// The one error, which nothing else was emitted beside.
fn error(run: &Run<Handled>) -> &str {
    assert_eq!(run.result, Ok(Handled::Yes));
    let [Emit::Error { error, .. }] = &run.emitted[..] else { panic!("{run:?}") };
    assert_eq!(error.name, "Error");
    &error.message
}

#[tokio::test]
async fn an_answer_is_an_entity_or_a_list_of_entities() {
    let (system, mut kit, location) = start().await;
    for (body, expected) in [
        (component("one"), vec!["one"]),
        (json!([component("one"), component("two")]), vec!["one", "two"]),
        (json!([]), vec![]),
    ] {
        system.answers(ok(&body, None));
        assert_eq!(names(&kit.read_location(&location).await), expected);
    }
}

#[tokio::test]
async fn entities_belong_to_the_location_that_they_were_read_from() {
    let (system, mut kit, location) = start().await;
    system.answers(ok(&component("one"), None));
    let run = kit.read_location(&location).await;
    let entity = Entity::from_value(component("one")).unwrap();
    assert_eq!(run.emitted, [results::entity(&location, entity)]);
}

#[tokio::test]
async fn an_unchanged_answer_is_replayed_from_the_cache() {
    let (system, mut kit, location) = start().await;
    system.answers(ok(&json!([component("one"), component("two")]), Some("\"a\"")));
    for _ in 0..3 {
        assert_eq!(names(&kit.read_location(&location).await), ["one", "two"]);
    }
    let a = Some("\"a\"".to_owned());
    assert_eq!(system.validators(), [None, a.clone(), a.clone()]);

    system.answers(ok(&component("three"), Some("\"b\"")));
    assert_eq!(names(&kit.read_location(&location).await), ["three"]);
    assert_eq!(names(&kit.read_location(&location).await), ["three"]);
    assert_eq!(system.validators().split_off(3), [a, Some("\"b\"".to_owned())]);
}

#[tokio::test]
async fn without_an_etag_every_read_is_a_full_one() {
    let (system, mut kit, location) = start().await;
    system.answers(ok(&component("one"), None));
    for _ in 0..2 {
        assert_eq!(names(&kit.read_location(&location).await), ["one"]);
    }
    assert_eq!(system.validators(), [None, None]);
}

#[tokio::test]
async fn trouble_is_an_error_and_never_an_empty_answer() {
    let cases = [
        (
            Answer::Status("500 Internal Server Error"),
            "Error: could not read <url>, 500 Internal Server Error",
        ),
        (Answer::Status("404 Not Found"), "NotFoundError: could not read <url>, 404 Not Found"),
        (Answer::Status("304 Not Modified"), "NotModifiedError: "),
        (
            Answer::Ok { body: "<html>".to_owned(), etag: None },
            "SyntaxError: expected value at line 1 column 1",
        ),
        (ok(&json!("x"), None), "Error: Expected object at root, got string"),
        (ok(&json!([component("one"), 2]), None), "Error: Expected object at root, got number"),
        (Answer::Hangup, "Error: could not read <url>, the connection was closed early"),
    ];
    for (answer, expected) in cases {
        let (system, mut kit, location) = start().await;
        system.answers(answer);
        let run = kit.read_location(&location).await;
        let expected = expected.replace("<url>", &location.target);
        assert_eq!(error(&run), format!("Unable to read system-x, {expected}"));
    }
}

#[tokio::test]
async fn trouble_leaves_the_cache_as_it_was() {
    let (system, mut kit, location) = start().await;
    let good = ok(&component("one"), Some("\"a\""));
    system.answers(good.clone());
    kit.read_location(&location).await;
    let cache = kit.cache().clone();
    for answer in [Answer::Status("500 Internal Server Error"), Answer::Hangup] {
        system.answers(answer);
        error(&kit.read_location(&location).await);
        assert_eq!(kit.cache(), &cache);
    }
    system.answers(good);
    assert_eq!(names(&kit.read_location(&location).await), ["one"]);
    assert_eq!(system.validators().last(), Some(&Some("\"a\"".to_owned())));
}

#[tokio::test]
async fn nobody_there_is_an_error() {
    let (system, mut kit, location) = start().await;
    drop(system);
    assert!(
        error(&kit.read_location(&location).await)
            .starts_with("Unable to read system-x, Error: could not read ")
    );
}

#[tokio::test]
async fn the_contract_is_kept() {
    let reader = FakeReader::default();
    let location = LocationSpec::new("system-x", "https://system-x.example.com/api/v2");
    reader.put(&location.target, component("one").to_string(), Some("\"a\""));
    conformance(SystemXReader::new(Arc::new(reader)), &location).await.unwrap();

    let (system, _, location) = start().await;
    system.answers(ok(&component("one"), Some("\"a\"")));
    conformance(SystemXReader::new(Arc::new(HttpReader)), &location).await.unwrap();
}

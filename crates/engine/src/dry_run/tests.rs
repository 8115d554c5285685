use callboard_sdk::results;
use futures::FutureExt as _;
use serde_json::json;

use super::*;
use crate::testing::{
    Act, AllBut, Calls, Fake, component, document, emitted, failure, parts, pipeline, stored,
};

fn root() -> LocationSpec {
    LocationSpec::new("url", "root")
}

fn includes(target: &str) -> Act {
    Act::Emit(results::location(LocationSpec::new("url", target)))
}

fn entity(kind: &str, name: &str) -> Act {
    Act::Emit(emitted(document(kind, name)))
}

/// A Location as it stands in a file.
fn named_location(name: &str, target: &str) -> Act {
    let mut location = document("Location", name);
    location["spec"] = json!({"target": target});
    Act::Emit(emitted(location))
}

fn refs(entities: &[Entity]) -> Vec<String> {
    entities.iter().map(|entity| entity.entity_ref().to_canonical()).collect()
}

fn to_run(entity: serde_json::Value) -> DryRunEntity {
    DryRunEntity { entity: Entity::from_value(entity).unwrap(), position: None }
}

#[tokio::test]
async fn a_location_and_everything_below_it_is_processed_once() {
    let calls = Calls::default();
    let fake = Fake::new("p")
        .read("url:https://backstage.io/catalog-info.yaml", [entity("Component", "a"), entity("API", "b")])
        .log(&calls);
    let spec = LocationSpec::new("url", "https://backstage.io/catalog-info.yaml");
    let entities = pipeline([fake]).dry_run(&spec).await.unwrap();
    assert_eq!(
        refs(&entities),
        [
            "location:default/generated-bbad4f61e08f24e25d5c5e68e13e164f760aff06",
            "api:default/b",
            "component:default/a"
        ]
    );
    assert_eq!(calls.all().iter().filter(|call| *call == "p pre").count(), 3);
    assert_eq!(
        entities[0].annotation(MANAGED_BY_LOCATION),
        Some("url:https://backstage.io/catalog-info.yaml")
    );
    assert_eq!(entities[2].annotation(MANAGED_BY_LOCATION), Some("url:there"));
    assert_eq!(
        entities[2].annotation(MANAGED_BY_ORIGIN_LOCATION),
        Some("url:https://backstage.io/catalog-info.yaml")
    );
}

#[tokio::test]
async fn a_location_that_comes_in_again_below_itself_is_a_duplicate() {
    let own = location_entity(&root(), "url:x", "url:x").entity_ref().to_canonical();
    let rows = [
        ("includes itself", Fake::new("p").read("url:root", [includes("root")]), own.as_str()),
        (
            "two that include each other",
            Fake::new("p")
                .read("url:root", [named_location("a", "a")])
                .read("url:a", [named_location("b", "b")])
                .read("url:b", [named_location("a", "a")]),
            "location:default/a",
        ),
        (
            "one entity by two ways",
            Fake::new("p")
                .read("url:root", [includes("a"), includes("b")])
                .read("url:a", [entity("Component", "c")])
                .read("url:b", [entity("Component", "c")]),
            "component:default/c",
        ),
    ];
    for (what, fake, duplicate) in rows {
        let result = pipeline([fake]).dry_run(&root()).await;
        assert_eq!(result, Err(format!("Duplicate nested entity: {duplicate}")), "{what}");
    }
}

#[tokio::test]
async fn a_file_that_holds_the_location_by_which_it_is_read_is_fine() {
    let fake = Fake::new("p")
        .read("url:root", [named_location("own", "file")])
        .read("url:file", [named_location("own", "file"), entity("Component", "c")]);
    let entities = pipeline([fake]).dry_run(&root()).await.unwrap();
    assert_eq!(refs(&entities)[1..], ["location:default/own", "component:default/c"]);
}

#[tokio::test]
async fn the_first_failure_is_what_is_said() {
    let fake = Fake::new("p").read("url:root", [entity("Component", "c")]).post([failure("NOPE")]);
    assert_eq!(
        pipeline([fake]).dry_run(&root()).await,
        Err("InputError: Processor p threw an error while postprocessing; caused by Error: NOPE".to_owned())
    );
    let complaint = |text| Act::Emit(results::input_error(&root(), text));
    let fake = Fake::new("p").read("url:root", [complaint("one"), complaint("two")]);
    assert_eq!(pipeline([fake]).dry_run(&root()).await, Err("InputError: one, InputError: two".to_owned()));
    let mut parts = parts([Fake::new("p").read("url:root", [entity("User", "u")])]);
    parts.rules = Arc::new(AllBut(&["User"]));
    assert_eq!(
        Arc::new(Pipeline::new(parts)).dry_run(&root()).await,
        Err("NotAllowedError: Entity user:default/u at url:root, originated at url:root, is not of an allowed kind \
             for that location"
            .to_owned())
    );
}

#[tokio::test]
async fn a_location_that_cannot_be_written_is_no_location() {
    let pipeline = pipeline([Fake::new("p")]);
    assert_eq!(
        pipeline.dry_run(&LocationSpec::new("url", "javascript:x")).await,
        Err("Invalid location ref 'url:javascript:x', target is a javascript: URL".to_owned())
    );
}

#[tokio::test]
async fn a_location_that_brings_in_too_much_is_given_up() {
    let many = (0..DRY_RUN_ENTITIES_MAX).map(|index| entity("Component", &format!("c{index}")));
    let fake = Fake::new("p").read("url:root", many.collect::<Vec<_>>());
    assert_eq!(
        pipeline([fake]).dry_run(&root()).await,
        Err("the location brings in more than 10000 entities".to_owned())
    );
}

#[tokio::test]
async fn what_is_still_to_be_run_counts_too() {
    let calls = Calls::default();
    let half = |prefix: &str, further: &str| {
        let mut acts: Vec<_> = (0..DRY_RUN_ENTITIES_MAX / 2)
            .map(|index| entity("Component", &format!("{prefix}{index}")))
            .collect();
        acts.push(includes(further));
        acts
    };
    let fake =
        Fake::new("p").read("url:root", half("a", "more")).read("url:more", half("b", "rest")).log(&calls);
    assert_eq!(
        pipeline([fake]).dry_run(&root()).await,
        Err("the location brings in more than 10000 entities".to_owned())
    );
    assert_eq!(calls.all().iter().filter(|call| *call == "p pre").count(), 2);
}

#[tokio::test]
async fn a_location_that_brings_in_too_many_bytes_is_given_up() {
    let large = || json!({"text": "x".repeat(DRY_RUN_BYTES_MAX / 2)});
    let component = |name| {
        let mut entity = document("Component", name);
        entity["spec"] = large();
        Act::Emit(emitted(entity))
    };
    let read = Fake::new("p").read("url:root", [component("a"), component("b")]);
    let made = Fake::new("p").read("url:root", [entity("Component", "c")]).post([Act::SetSpec(large())]);
    for fake in [read, made] {
        assert_eq!(
            pipeline([fake]).dry_run(&root()).await,
            Err("the location brings in more than 67108864 bytes of entities".to_owned())
        );
    }
}

#[tokio::test]
async fn an_entity_that_is_nested_too_deep_to_be_stored_is_a_failure() {
    let mut deep = document("Component", "deep");
    deep["spec"] = (0..200).fold(json!({}), |inner, _| json!({"a": inner}));
    let fake = Fake::new("p").read("url:root", [Act::Emit(emitted(deep))]);
    let failure = pipeline([fake]).dry_run(&root()).await.unwrap_err();
    assert!(failure.starts_with("SyntaxError: recursion limit exceeded"), "{failure}");
}

#[tokio::test]
async fn only_so_many_walks_are_under_way_at_once() {
    let pipeline = pipeline([Fake::new("p").read("url:root", [])]);
    let max = u32::try_from(PARALLEL_WALKS_MAX).unwrap();
    let others = pipeline.walk_slots().acquire_many(max).await.unwrap();
    let spec = root();
    let mut walk = Box::pin(pipeline.dry_run(&spec));
    assert!((&mut walk).now_or_never().is_none());
    drop(others);
    assert_eq!(walk.await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_walk_shows_failures_too_and_goes_on() {
    let fake = Fake::new("p").read("url:root", [entity("Component", "c")]).read("url:bad", [failure("NOPE")]);
    let location = |target: &str| location_entity(&LocationSpec::new("url", target), "url:x", "url:x");
    let roots =
        ["bad", "root"].map(|target| DryRunEntity { entity: location(target), position: Some((1, 9)) });
    let mut seen = Vec::new();
    pipeline([fake])
        .walk(roots.into(), |item| {
            seen.push((item.result.is_ok(), item.location, item.position));
            true
        })
        .await
        .unwrap();
    assert_eq!(
        seen,
        [
            (false, Some("url:x".to_owned()), Some((1, 9))),
            (true, Some("url:x".to_owned()), Some((1, 9))),
            (true, Some("url:there".to_owned()), None),
        ]
    );
}

#[tokio::test]
async fn a_walk_says_where_a_duplicate_stands() {
    let at = |line| DryRunEntity { entity: to_run(component()).entity, position: Some((line, line)) };
    let mut errors = Vec::new();
    let visit = |item: DryRunItem| {
        errors.extend(item.result.err().unwrap_or_default());
        true
    };
    pipeline([Fake::new("p")]).walk(vec![at(1), at(9)], visit).await.unwrap();
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!(error.message, "Duplicate nested entity: component:default/c");
    let Address { location, document, line, .. } = &*error.address;
    assert_eq!((location.as_deref(), *document, *line), (Some(crate::testing::HERE), Some(9), Some(9)));
}

#[tokio::test]
async fn a_walk_shows_each_duplicate_and_goes_on() {
    let fake = Fake::new("p")
        .read("url:root", [includes("a"), includes("b"), includes("root"), includes("c")])
        .read("url:a", [entity("Component", "c"), entity("API", "d"), entity("Component", "c")])
        .read("url:b", [entity("API", "d")])
        .read("url:c", [failure("NOPE")]);
    let entity = location_entity(&root(), "url:x", "url:x");
    let own = entity.entity_ref().to_canonical();
    let (mut good, mut messages) = (0, Vec::new());
    let visit = |item: DryRunItem| {
        match item.result {
            Ok(_) => good += 1,
            Err(errors) => messages.extend(errors.into_iter().map(|error| error.message)),
        }
        true
    };
    pipeline([fake]).walk(vec![DryRunEntity { entity, position: None }], visit).await.unwrap();
    // The root, two of the included Locations, and what the first of them holds.
    assert_eq!(good, 5);
    let duplicates = ["component:default/c", "api:default/d", &own];
    let mut expected = duplicates.map(|entity_ref| format!("Duplicate nested entity: {entity_ref}")).to_vec();
    expected.push("Processor p threw an error while reading url:c; caused by Error: NOPE".to_owned());
    for told in [&mut messages, &mut expected] {
        told.sort();
    }
    assert_eq!(messages, expected);
}

#[tokio::test]
async fn a_walk_ends_when_its_visitor_has_seen_enough() {
    let mut seen = 0;
    pipeline([Fake::new("p")])
        .walk(vec![to_run(component()), to_run(stored("API", "a"))], |_| {
            seen += 1;
            false
        })
        .await
        .unwrap();
    assert_eq!(seen, 1);
}

#[tokio::test]
async fn a_single_entity_is_validated_as_if_it_had_been_read_from_the_location() {
    let pipeline = pipeline([Fake::new("p")]);
    let summaries = async |entity: serde_json::Value, location: &LocationSpec| {
        let errors = pipeline.validate(Entity::from_value(entity).unwrap(), location).await;
        errors.iter().map(SerializedError::summary).collect::<Vec<_>>()
    };
    assert_eq!(summaries(document("Component", "c"), &root()).await, Vec::<String>::new());
    assert_eq!(summaries(document("Component", "not a name"), &root()).await.len(), 1);
    assert_eq!(
        summaries(json!({"kind": "Component"}), &root()).await,
        ["TypeError: <root> must have required property 'apiVersion' - missingProperty: apiVersion"]
    );
    assert_eq!(
        summaries(document("Component", "c"), &LocationSpec::new("url", "")).await,
        ["TypeError: Unable to stringify location ref, empty target"]
    );
}

#[tokio::test]
async fn an_entity_may_say_where_it_is_from_as_long_as_that_is_the_same_kind_of_place() {
    let mut entity = crate::testing::location(json!({"type": "file", "target": "./a"}));
    for annotation in [MANAGED_BY_LOCATION, MANAGED_BY_ORIGIN_LOCATION] {
        entity["metadata"]["annotations"][annotation] = json!("file:/its/own");
    }
    let pipeline = pipeline([Fake::new("p").read("file:/its/a", [])]);
    for (location, expected) in [
        (LocationSpec::new("file", "/else/where"), &[][..]),
        (root(), &[r#"InputError: Registered locations must be of an allowed type ["url"]"#]),
    ] {
        let entity = Entity::from_value(entity.clone()).unwrap();
        let errors = pipeline.validate(entity, &location).await;
        let summaries: Vec<_> = errors.iter().map(SerializedError::summary).collect();
        assert_eq!(summaries, expected);
    }
}

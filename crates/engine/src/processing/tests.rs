use callboard_model::Entity as ModelEntity;
use callboard_sdk::testkit::FakeClock;
use callboard_sdk::{CatalogProcessor, async_trait, results};
use callboard_store::{EntityId, Lane, LeaseToken};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::PipelineParts;
use crate::testing::{Act, Fake, component, document, emitted, failure, location, parts};

fn processing(parts: PipelineParts) -> Processing {
    Processing {
        pipeline: Arc::new(Pipeline::new(parts)),
        clock: Arc::new(FakeClock::default()),
        interval: Interval::default(),
        randomness: crate::Randomness::default(),
        on_error: None,
        cancellation: CancellationToken::new(),
    }
}

fn of(fake: Fake) -> Processing {
    processing(parts([fake]))
}

/// The claim of an entity that was never processed.
fn claim(entity: &Value) -> Claim {
    let unprocessed: Arc<str> = entity.to_string().into();
    Claim {
        id: EntityId(7),
        entity_ref: Arc::from("component:default/c"),
        uid: Uuid::nil(),
        token: LeaseToken(8),
        lane: Lane::Event,
        due_at: FakeClock::default().now(),
        unprocessed_digest: Digest::of(unprocessed.as_bytes()),
        unprocessed,
        location_key: Some(Arc::from("url:x")),
        cache: None,
        result_digest: None,
        fingerprint: None,
    }
}

/// Does to the claim what the store does with the outcome.
fn commit(claim: &mut Claim, outcome: &Outcome) {
    if let CacheWrite::Put(cache) = &outcome.cache {
        claim.cache.clone_from(cache);
    }
    claim.result_digest = Some(outcome.result_digest);
    if !matches!(outcome.kind, OutcomeKind::Failed(_)) {
        claim.fingerprint = Some(outcome.fingerprint);
    }
}

async fn turn(processing: &Processing, claim: &mut Claim) -> Outcome {
    let outcome = processing.process(claim).await;
    commit(claim, &outcome);
    outcome
}

fn word(outcome: &Outcome) -> &'static str {
    match &outcome.kind {
        OutcomeKind::Unchanged => "unchanged",
        OutcomeKind::Processed(_) => "processed",
        OutcomeKind::Failed(_) => "failed",
        OutcomeKind::Abandoned => "abandoned",
    }
}

fn messages(outcome: &Outcome) -> Vec<String> {
    let OutcomeKind::Failed(errors) = &outcome.kind else { panic!("{outcome:?}") };
    errors.iter().map(|error| error.error.summary()).collect()
}

fn remembering(value: i64) -> Fake {
    Fake::new("p").pre([Act::Remember("k", value)])
}

fn failing() -> Fake {
    Fake::new("p").pre([failure("NOPE")])
}

fn ttl(claim: &Claim) -> Option<i64> {
    claim.cache.as_ref().map(|(_, ttl)| *ttl)
}

#[tokio::test]
async fn an_outcome_carries_on_what_the_claim_says() {
    let outcome = of(Fake::new("p")).process(&claim(&component())).await;
    assert_eq!((outcome.id, outcome.token, outcome.lane), (EntityId(7), LeaseToken(8), Lane::Event));
    assert_eq!(outcome.location_key.as_deref(), Some("url:x"));
}

#[tokio::test]
async fn the_error_handler_hears_of_errors_when_they_begin_or_change() {
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let telling = |fake| {
        let told = Arc::clone(&told);
        let handler = ProcessingErrorHandler::new(move |entity, errors| {
            told.lock().unwrap().push(format!("{} {}", entity.name(), errors[0].to_serialized().summary()));
        });
        Processing { on_error: Some(handler), ..of(fake) }
    };
    let mut claim = claim(&component());
    let other = || Fake::new("p").pre([failure("NEVER")]);
    for fake in [failing(), failing(), other(), Fake::new("p"), other()] {
        turn(&telling(fake), &mut claim).await;
    }
    let [nope, never] = ["NOPE", "NEVER"].map(|message| {
        format!("c InputError: Processor p threw an error while preprocessing; caused by Error: {message}")
    });
    assert_eq!(*told.lock().unwrap(), [nope, never.clone(), never]);
}

#[tokio::test]
async fn an_error_handler_that_panics_changes_nothing() {
    let handler = ProcessingErrorHandler::new(|_, _| panic!("oops"));
    let processing = Processing { on_error: Some(handler), ..of(failing()) };
    let outcome = processing.process(&claim(&component())).await;
    assert_eq!(messages(&outcome), messages(&of(failing()).process(&claim(&component())).await));
}

#[tokio::test]
async fn the_same_result_again_is_unchanged() {
    let mut claim = claim(&component());
    let words = [turn(&of(Fake::new("p")), &mut claim).await, turn(&of(Fake::new("p")), &mut claim).await];
    assert_eq!(words.each_ref().map(word), ["processed", "unchanged"]);
}

#[tokio::test]
async fn other_processors_or_rules_make_a_full_run_without_the_caches() {
    let mut claim = claim(&component());
    let calls = crate::testing::Calls::default();
    turn(&of(remembering(1)), &mut claim).await;
    let newer = Fake::new("p").with_fingerprint("2").pre([Act::Recall("k")]).log(&calls);
    assert_eq!(word(&turn(&of(newer), &mut claim).await), "processed");
    assert!(calls.all().contains(&"p recalls k None".to_owned()));
    let mut other_rules = parts([Fake::new("p")]);
    other_rules.rules = Arc::new(crate::testing::AllBut(&["User"]));
    assert_eq!(word(&turn(&processing(other_rules), &mut claim).await), "processed");
}

#[tokio::test]
async fn what_was_read_for_another_origin_is_read_again() {
    let mut entity = location(json!({"target": "a"}));
    let mut claim = claim(&entity);
    let reads = Fake::new("p").read("url:a", [self::entity("a"), Act::Remember("k", 1)]);
    turn(&of(reads), &mut claim).await;
    let recalls = Fake::new("p").read("url:a", [Act::Recall("k"), self::entity("a")]);
    let origin = entity["metadata"]["annotations"][MANAGED_BY_ORIGIN_LOCATION].clone();
    for (origin, recalled) in [(origin, "Some(1)"), (json!("url:elsewhere"), "None")] {
        entity["metadata"]["annotations"][MANAGED_BY_ORIGIN_LOCATION] = origin;
        claim.unprocessed = entity.to_string().into();
        let calls = crate::testing::Calls::default();
        turn(&of(recalls.clone().log(&calls)), &mut claim).await;
        let told = format!("p recalls k {recalled}");
        assert!(calls.all().contains(&told), "{told}: {:?}", calls.all());
    }
}

#[tokio::test]
async fn a_result_digest_that_was_dropped_makes_a_full_run_without_the_caches() {
    let mut claim = claim(&component());
    let calls = crate::testing::Calls::default();
    turn(&of(remembering(1)), &mut claim).await;
    claim.result_digest = None;
    let fake = Fake::new("p").pre([Act::Recall("k")]).log(&calls);
    assert_eq!(word(&turn(&of(fake), &mut claim).await), "processed");
    assert!(calls.all().contains(&"p recalls k None".to_owned()));
}

#[tokio::test]
async fn a_good_run_after_a_failed_one_is_processed_also_if_it_is_as_before() {
    let mut claim = claim(&component());
    let mut words = Vec::new();
    for fake in [Fake::new("p"), failing(), Fake::new("p"), Fake::new("p")] {
        words.push(word(&turn(&of(fake), &mut claim).await));
    }
    assert_eq!(words, ["processed", "failed", "processed", "unchanged"]);
}

#[tokio::test]
async fn an_entity_without_memories_writes_no_cache() {
    let mut claim = claim(&component());
    for fake in [Fake::new("p"), failing(), Fake::new("p")] {
        assert_eq!(turn(&of(fake), &mut claim).await.cache, CacheWrite::Keep);
    }
}

#[tokio::test]
async fn a_new_cache_is_good_for_five_failures_and_dropped_by_the_sixth() {
    let mut claim = claim(&component());
    turn(&of(remembering(1)), &mut claim).await;
    assert_eq!(claim.cache, Some((r#"{"p":{"k":1}}"#.to_owned(), 5)));
    let mut left = Vec::new();
    for _ in 0..7 {
        turn(&of(failing()), &mut claim).await;
        left.push(ttl(&claim));
    }
    assert_eq!(left, [Some(4), Some(3), Some(2), Some(1), Some(0), None, None]);
}

#[tokio::test]
async fn where_entities_came_from_outlives_the_cache() {
    let mut claim = claim(&component());
    claim.cache = Some((r#"{"p":{"k":1},"@emitted":["a"]}"#.to_owned(), 0));
    turn(&of(failing()), &mut claim).await;
    assert_eq!(claim.cache, Some((r#"{"@emitted":["a"]}"#.to_owned(), 0)));
    assert_eq!(turn(&of(failing()), &mut claim).await.cache, CacheWrite::Keep);
}

#[tokio::test]
async fn failures_leave_the_content_of_the_cache_alone() {
    let mut claim = claim(&component());
    turn(&of(remembering(1)), &mut claim).await;
    turn(&of(failing()), &mut claim).await;
    assert_eq!(claim.cache, Some((r#"{"p":{"k":1}}"#.to_owned(), 4)));
}

#[tokio::test]
async fn a_good_run_restores_the_count_only_with_another_content() {
    let mut claim = claim(&component());
    turn(&of(remembering(1)), &mut claim).await;
    for _ in 0..3 {
        turn(&of(failing()), &mut claim).await;
    }
    assert_eq!(turn(&of(remembering(1)), &mut claim).await.cache, CacheWrite::Keep);
    assert_eq!(ttl(&claim), Some(2));
    turn(&of(remembering(2)), &mut claim).await;
    assert_eq!(claim.cache, Some((r#"{"p":{"k":2}}"#.to_owned(), 5)));
}

#[tokio::test]
async fn a_cache_is_written_also_if_nothing_else_changed() {
    let mut claim = claim(&component());
    turn(&of(remembering(1)), &mut claim).await;
    let outcome = turn(&of(remembering(2)), &mut claim).await;
    assert_eq!(word(&outcome), "unchanged");
    assert_eq!(outcome.cache, CacheWrite::Put(Some((r#"{"p":{"k":2}}"#.to_owned(), 5))));
}

#[tokio::test]
async fn a_stored_cache_of_a_wrong_shape_counts_as_empty() {
    for odd in ["null", "[]", "3", "\"x\"", "", "{", r#"{"p":null}"#, r#"{"p":[1]}"#] {
        let mut claim = claim(&component());
        turn(&of(Fake::new("p")), &mut claim).await;
        claim.cache = Some((odd.to_owned(), 5));
        let fake = Fake::new("p").pre([Act::Recall("k"), Act::Remember("k", 2)]);
        turn(&of(fake), &mut claim).await;
        assert_eq!(claim.cache, Some((r#"{"p":{"k":2}}"#.to_owned(), 5)), "{odd}");
    }
}

fn unchanged() -> Act {
    Act::Emit(results::unchanged())
}

fn entity(name: &str) -> Act {
    Act::Emit(emitted(document("Component", name)))
}

#[tokio::test]
async fn targets_that_all_stand_are_unchanged_from_the_first_time_on() {
    let mut claim = claim(&location(json!({"targets": ["a", "b"]})));
    let fresh = Fake::new("p").read("url:a", [entity("a")]).read("url:b", [entity("b")]);
    let kept = Fake::new("p").read("url:a", [unchanged()]).read("url:b", [unchanged()]);
    let mut words = Vec::new();
    for fake in [fresh, kept.clone(), kept] {
        words.push(word(&turn(&of(fake), &mut claim).await));
    }
    assert_eq!(words, ["processed", "unchanged", "unchanged"]);
}

#[tokio::test]
async fn a_target_that_lost_its_children_shows_although_another_one_stands() {
    let mut claim = claim(&location(json!({"targets": ["a", "b"]})));
    let fresh = Fake::new("p").read("url:a", [entity("a")]).read("url:b", [entity("b")]);
    turn(&of(fresh), &mut claim).await;
    let emptied = Fake::new("p").read("url:a", [unchanged()]).read("url:b", []);
    let outcome = turn(&of(emptied.clone()), &mut claim).await;
    let OutcomeKind::Processed(processed) = &outcome.kind else { panic!("{outcome:?}") };
    assert_eq!((processed.children.len(), processed.kept_groups.len()), (0, 1));
    assert_eq!(word(&turn(&of(emptied), &mut claim).await), "unchanged");
}

#[tokio::test]
async fn children_stand_also_after_a_run_that_failed() {
    let mut claim = claim(&location(json!({"target": "a"})));
    let fresh = Fake::new("p").read("url:a", [entity("a")]);
    let kept = Fake::new("p").read("url:a", [unchanged()]);
    let mut words = Vec::new();
    for fake in [fresh, failing(), kept.clone(), kept] {
        words.push(word(&turn(&of(fake), &mut claim).await));
    }
    assert_eq!(words, ["processed", "failed", "processed", "unchanged"]);
}

#[tokio::test]
async fn a_target_cannot_stand_if_no_run_went_well_before() {
    let mut claim = claim(&location(json!({"target": "a"})));
    turn(&of(failing()), &mut claim).await;
    let kept = Fake::new("p").read("url:a", [unchanged()]);
    assert_eq!(word(&turn(&of(kept), &mut claim).await), "failed");
}

#[tokio::test]
async fn an_error_is_stored_with_its_place_and_its_rule() {
    let text = "{apiVersion: v, kind: Component, metadata: {name: a}}\n---\nfoo";
    let fake = Fake::new("p").read("url:a", [Act::Parse(text)]);
    let claim = claim(&location(json!({"target": "a"})));
    let outcome = of(fake).process(&claim).await;
    let OutcomeKind::Failed(errors) = &outcome.kind else { panic!("{outcome:?}") };
    assert_eq!(errors[0].location.as_deref(), Some("url:a"));
    assert_eq!((errors[0].document, errors[0].line), (Some(1), Some(2)));
    assert_eq!(errors[0].rule.as_deref(), Some("document/object"));
    assert_eq!(errors[0].digest, claim.unprocessed_digest);
}

#[tokio::test]
async fn what_the_store_holds_must_be_an_object() {
    for text in ["[]", "{", ""] {
        let mut claim = claim(&component());
        claim.unprocessed = Arc::from(text);
        let outcome = of(Fake::new("p")).process(&claim).await;
        assert_eq!(word(&outcome), "failed");
        assert_eq!(outcome.next_update_at, None);
    }
}

#[tokio::test]
async fn what_depends_on_its_input_alone_is_due_when_that_changes_and_all_else_after_the_interval() {
    let now = FakeClock::default().now();
    let Interval { min, max } = Interval::default();
    let pure = of(Fake::new("p")).process(&claim(&component())).await;
    assert_eq!(pure.next_update_at, None);
    for (fake, entity) in [
        (Fake::new("p").impure(), component()),
        (Fake::new("p"), location(json!({}))),
        (Fake::new("p").pre([Act::Panic("oh")]), component()),
    ] {
        let due = of(fake).process(&claim(&entity)).await.next_update_at.unwrap();
        assert!(now + min <= due && due < now + max, "{due}");
    }
    let mut exact = of(Fake::new("p").impure());
    exact.interval.max = min;
    let due = exact.process(&claim(&component())).await.next_update_at;
    assert_eq!(due, Some(now + min));
}

#[derive(Debug)]
struct PanicsEarly;

#[async_trait]
impl CatalogProcessor for PanicsEarly {
    fn name(&self) -> &'static str {
        "early"
    }

    fn is_pure(&self, _entity: &ModelEntity) -> bool {
        panic!("too early")
    }
}

#[tokio::test]
async fn a_processor_that_panics_over_its_purity_is_asked_again() {
    let mut parts = parts([Fake::new("p")]);
    parts.processors.push(Arc::new(PanicsEarly));
    let outcome = processing(parts).process(&claim(&component())).await;
    assert_eq!(word(&outcome), "processed");
    assert!(outcome.next_update_at.is_some());
}

//! Stitching over rows that make no sense, which is an error of the entity whose rows they are.

use std::time::Duration;

use serde_json::json;

use super::Tables;
use crate::suite::world::{World, entity, error, processed, relation};
use crate::{CatalogError, ErrorCategory, StitchReport};

const A: &str = "component:default/a";
const B: &str = "component:default/b";

async fn begin(world: &World<'_>) {
    world.full("p", [entity(A, "x"), entity(B, "x")]).await;
    world.relate(A, [relation(A, "dependsOn", B)]).await;
    world.relate(B, [relation(B, "dependsOn", A)]).await;
    world.stitch().await;
}

/// Has both entities stitched again: one because of its errors, the other one because of its content.
async fn stitch_both(world: &World<'_>, content: &str) -> StitchReport {
    for entity_ref in [A, B] {
        world.refresh(entity_ref).await;
    }
    world.fail(A, vec![error(content)]).await;
    world.process(B, processed(B, content)).await;
    world.stitch().await
}

async fn errors_of(world: &World<'_>, category: ErrorCategory) -> Vec<CatalogError> {
    world.errors().await.into_iter().filter(|error| error.category == category).collect()
}

pub(crate) async fn an_entity_whose_rows_make_no_sense_keeps_what_is_served_and_holds_up_nobody<S: Tables>() {
    for (damage, words) in S::UNSTITCHABLE.iter().chain(S::UNSTITCHABLE_PEERS) {
        let Some(store) = S::open_empty().await else { return };
        let mut world = World::new(&store);
        begin(&world).await;
        let before = world.get(A).await;
        store.execute("CREATE TABLE kept AS SELECT id, relations, body_digest FROM results").await;
        store.execute("CREATE TABLE kept_peers AS SELECT * FROM peer_relations").await;
        store.execute(damage).await;
        let mut first = None;
        for count in 1..=2 {
            world.pass(Duration::from_secs(1));
            let report = stitch_both(&world, &count.to_string()).await;
            assert_eq!((report.changed, report.unchanged, report.abandoned), (1, 0, 0), "{damage}");
            let failure = &report.failed[0];
            assert!(failure.error.starts_with("Error: ") && failure.error.contains(words), "{failure:?}");
            assert_eq!((report.failed.len(), failure.entity_ref.as_str()), (1, A));
            assert_eq!(world.get(A).await, before);
            assert_eq!(world.get(B).await["spec"]["content"], count.to_string());
            let errors = errors_of(&world, ErrorCategory::Stitching).await;
            let found = &errors[0];
            let (first_id, first_seen_at) = *first.get_or_insert((found.id, world.now));
            assert_eq!((errors.len(), found.subject.as_str(), found.count), (1, A, count));
            assert_eq!(
                (found.id, found.first_seen_at, found.last_seen_at),
                (first_id, first_seen_at, world.now)
            );
            assert_eq!(found.error.error.summary(), failure.error);
            assert_eq!(found.error.rule.as_deref(), Some("stitching/unreadable"));
            assert_eq!(world.stitch().await, StitchReport::default(), "it left the queue");
        }
        store
            .execute(
                "UPDATE results SET (relations, body_digest) = \
                     (SELECT k.relations, k.body_digest FROM kept k WHERE k.id = results.id)",
            )
            .await;
        store.execute("DELETE FROM peer_relations").await;
        store.execute("INSERT INTO peer_relations SELECT * FROM kept_peers").await;
        let report = stitch_both(&world, "repaired").await;
        assert_eq!((report.changed, report.failed.len()), (2, 0));
        assert_eq!(errors_of(&world, ErrorCategory::Stitching).await, []);
        assert_eq!(errors_of(&world, ErrorCategory::Processing).await.len(), 1);
        let message = "InputError: repaired";
        assert_eq!(world.get(A).await["status"]["items"][0]["message"], message);
    }
}

pub(crate) async fn new_results_mend_what_stitching_could_not_read<S: Tables>() {
    for (damage, _) in S::UNSTITCHABLE {
        let Some(store) = S::open_empty().await else { return };
        let world = World::new(&store);
        begin(&world).await;
        store.execute(damage).await;
        assert_eq!(stitch_both(&world, "bad").await.failed.len(), 1, "{damage}");
        world.refresh(A).await;
        world.process(A, processed(A, "good")).await;
        assert_eq!(world.stitch().await.changed, 1, "{damage}");
        assert_eq!(world.errors().await, []);
        assert_eq!(world.get(A).await["spec"]["content"], "good");
    }
}

pub(crate) async fn a_stitching_error_goes_with_its_entity<S: Tables>() {
    let Some(store) = S::open_empty().await else { return };
    let world = World::new(&store);
    begin(&world).await;
    store.execute(S::UNSTITCHABLE[0].0).await;
    assert_eq!(stitch_both(&world, "bad").await.failed.len(), 1);
    world.full("p", []).await;
    assert_eq!(world.errors().await, []);
}

pub(crate) async fn an_error_that_cannot_be_read_back_hides_no_other<S: Tables>() {
    let Some(store) = S::open_empty().await else { return };
    let world = World::new(&store);
    begin(&world).await;
    world.refresh(A).await;
    world.fail(A, vec![error("one"), error("two")]).await;
    store.execute("UPDATE errors SET error = '{' WHERE position = 0").await;
    assert_eq!(world.stitch().await.changed, 1);
    let lost = "what was said here is lost: inconsistent row: EOF while parsing an object at line 1 column 1";
    let messages: Vec<_> = world.errors().await.into_iter().map(|found| found.error.error.message).collect();
    assert_eq!(messages, [lost, "two"]);
    let status = &world.get(A).await["status"]["items"];
    assert_eq!(
        (&status[0]["message"], &status[1]["message"]),
        (&json!(format!("Error: {lost}")), &json!("InputError: two"))
    );
}

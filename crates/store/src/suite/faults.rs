//! Every statement of a history is made to fail once; trying again must lead to the same catalog.
//!
//! [`fault_suite!`](crate::fault_suite) makes the tests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use callboard_model::LocationSpec;
use futures::{StreamExt as _, stream};

use super::FaultHook;
use super::world::{self, World, entity, keyed, relation};
use crate::{
    Claim, ClaimRequest, Claimed, ErrorFilter, Lane, LocationConflict, NewEntity, Outcome, OutcomeKind,
    Processed, ProviderMutation, Store, StoreError, Timestamp,
};

const ROOT: &str = "location:default/root";

/// Calls until it works. The error must be one that says that this may help.
async fn retried<T, F: Future<Output = Result<T, StoreError>>>(mut call: impl FnMut() -> F) -> T {
    for _ in 0..3 {
        match call().await {
            Ok(done) => return done,
            Err(error) => assert!(error.is_retryable(), "{error:?}"),
        }
    }
    panic!("one statement fails once");
}

/// What an engine would make of a claim in the given round of the history.
fn processed(claim: &Claim, round: usize) -> OutcomeKind {
    let own = claim.entity_ref.as_ref();
    if own.ends_with("/bad") {
        return OutcomeKind::Failed(vec![world::error(&format!("round {round}"))]);
    }
    let entity = serde_json::from_str(&claim.unprocessed).unwrap();
    let mut processed = Processed {
        relations: vec![
            relation(own, "ownedBy", "group:default/g"),
            relation("group:default/g", "ownerOf", own),
        ],
        refresh_keys: vec![format!("key of {own} in round {round}")],
        ..world::processed_value(entity)
    };
    if own == ROOT {
        let names: &[&str] = if round == 0 { &["a", "b", "bad"] } else { &["b", "bad", "c", "group"] };
        processed.children = names.iter().map(|name| child(name, round)).collect();
    }
    OutcomeKind::Processed(Box::new(processed))
}

fn child(name: &str, round: usize) -> NewEntity {
    match name {
        "group" => entity("group:default/g", "x"),
        "c" => keyed("component:default/taken", "x", "other"),
        name => entity(&format!("component:default/{name}"), &round.to_string()),
    }
}

/// Claims and commits until nothing is due.
async fn work(store: &dyn Store, round: usize, now: Timestamp) {
    loop {
        let request = ClaimRequest {
            limit: 100,
            lane_max: Lane::Periodic,
            now,
            lease: world::LEASE,
            fingerprint: World::new(store).processors,
        };
        let Claimed::Leased(claims) = retried(|| store.claim(&request)).await else { return };
        if claims.is_empty() {
            break;
        }
        let mut next = claims;
        while !next.is_empty() {
            let batch: Vec<Outcome> =
                next.iter().map(|claim| world::outcome(claim, processed(claim, round), now)).collect();
            let report = retried(|| store.commit(&batch, 2, now + world::LEASE, now)).await;
            assert!(report.refused.is_empty());
            next = report.handed;
        }
    }
    while retried(|| store.stitch(2, now)).await.has_more {}
}

async fn history(store: &dyn Store) -> Vec<String> {
    let now = World::new(store).now;
    let spec = LocationSpec::new("url", "https://example.com/root");
    let roots = || vec![keyed("component:default/taken", "x", "key"), entity("component:default/root", "x")];
    let full = |entities: Vec<NewEntity>| ProviderMutation::Full(entities);
    retried(|| store.provider_mutate("p", full(roots()), Lane::New, now)).await;
    let location = retried(|| async {
        let found = store.location_find(&spec).await?;
        match found {
            Some(location) => Ok(location),
            None => store.location_create("d", &spec, entity(ROOT, "x"), LocationConflict::Reject, now).await,
        }
    })
    .await;
    work(store, 0, now).await;
    retried(|| store.entity_refresh("component:default/a", now)).await;
    retried(|| store.provider_mutate("p", full(roots()[..1].to_vec()), Lane::New, now)).await;
    work(store, 1, now).await;
    while retried(|| store.orphans_delete(1, now)).await > 0 {}
    let found = retried(|| store.entity_by_ref("component:default/b")).await.unwrap();
    retried(|| store.entity_delete(found.uid, now)).await;
    retried(|| store.tidy(1000, now)).await;
    work(store, 2, now).await;
    let catalog = catalog(store).await;
    let gone = ["p".to_owned()];
    retried(|| store.providers_release(&gone, now)).await;
    work(store, 3, now).await;
    retried(|| async {
        match store.location_delete("d", &location.id, now).await {
            Err(StoreError::NotFound(_)) => Ok(()),
            other => other,
        }
    })
    .await;
    work(store, 4, now).await;
    catalog.into_iter().chain(self::catalog(store).await).collect()
}

/// All that a reader can see, without uids, and errors without counts.
async fn catalog(store: &dyn Store) -> Vec<String> {
    let page = retried(|| store.entities_page(None, 1000)).await;
    let mut lines: Vec<String> = Vec::new();
    for found in page.entities {
        let mut json: serde_json::Value = serde_json::from_str(&found.json).unwrap();
        json["metadata"]["uid"].take();
        lines.push(json.to_string());
    }
    let world = World::new(store);
    let filter = ErrorFilter { limit: 100, ..Default::default() };
    let mut errors: Vec<String> = retried(|| store.errors_list(&filter))
        .await
        .into_iter()
        .map(|error| format!("{} {}", error.subject, error.error.error.message))
        .collect();
    errors.sort();
    lines.extend(errors);
    lines.push(format!("{:?}", retried(|| store.counts(world.now)).await));
    lines
}

/// A hook with which the statement fails that comes after so many others, and the names of those that were asked for.
fn failing_at(nth: usize) -> (FaultHook, Arc<Mutex<Vec<&'static str>>>) {
    let names = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&names);
    let hook: FaultHook = Arc::new(move |name| {
        let mut seen = seen.lock().unwrap();
        seen.push(name);
        seen.len() == nth + 1
    });
    (hook, names)
}

/// Whichever statement fails, trying again leads to the same catalog. Each statement is struck at up to `executions_max`
/// of its executions, from the first one on: later ones find the database in other states, but not in endlessly many.
pub async fn each_statement_may_fail<S: Store>(
    open: impl AsyncFn(FaultHook) -> Option<S>,
    executions_max: usize,
) {
    /// Histories at a time, as each waits for its database most of the time.
    const PARALLEL: usize = 4;
    let (hook, names) = failing_at(usize::MAX - 1);
    let Some(store) = open(hook).await else { return };
    // Opening reads before the history begins; that is another test's business.
    let opening = names.lock().unwrap().len();
    let expected = &history(&store).await;
    assert!(expected.iter().any(|line| line.contains("Detected conflicting entityRef")), "{expected:#?}");
    let mut executions: HashMap<&str, usize> = HashMap::new();
    let names = std::mem::take(&mut *names.lock().unwrap());
    let mut struck = names.into_iter().enumerate().skip(opening).collect::<Vec<_>>();
    struck.retain(|(_, name)| {
        let executed = executions.entry(name).or_default();
        *executed += 1;
        *executed <= executions_max
    });
    let open = &open;
    let histories = struck.into_iter().map(|(nth, name)| async move {
        let store = open(failing_at(nth).0).await.unwrap();
        assert_eq!(history(&store).await, *expected, "{name} failed, which is statement {nth}");
        store.close().await;
    });
    stream::iter(histories).for_each_concurrent(PARALLEL, |history| history).await;
}

/// A commit that failed may be tried again. Transactions of the store end with a statement that is called `COMMIT`.
pub async fn a_failed_commit_keeps_its_leases<S: Store>(open: impl AsyncFn(FaultHook) -> Option<S>) {
    let fails = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&fails);
    let hook: FaultHook = Arc::new(move |name| name == "COMMIT" && seen.load(Ordering::Relaxed));
    let Some(store) = open(hook).await else { return };
    let world = World::new(&store);
    world.full("p", [entity(ROOT, "x")]).await;
    let claim = world.claim_one(ROOT).await;
    let batch = [world::outcome(&claim, processed(&claim, 0), world.now)];
    fails.store(true, Ordering::Relaxed);
    assert!(store.commit(&batch, 9, world.now + world::LEASE, world.now).await.unwrap_err().is_retryable());
    fails.store(false, Ordering::Relaxed);
    assert_eq!(world.due().await, Vec::<String>::new());
    assert_eq!(world.commit_all(&batch, 9).await.handed.len(), 3);
}

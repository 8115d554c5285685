//! What catalogs lost for users of the reference system, each as a rule: after a failure at any statement, amid other
//! writers, beside another replica. Where people told of it, the thread is named.

pub mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callboard_model::Digest;
use futures::future::join_all;
use serde_json::Value;

use super::FaultHook;
use super::world::{LEASE, World, entity, outcome, processed, relation, result_digest};
use crate::{Claim, NewEntity, OutcomeKind, Processed, Store, StoreError};

const A: &str = "component:default/a";
const B: &str = "component:default/b";
const C: &str = "component:default/c";
const GROUP: &str = "group:default/all";
const FOO: &str = "component:default/foo";

/// Has one statement fail.
#[derive(Debug, Clone, Default)]
struct Strike(Arc<AtomicUsize>);

impl Strike {
    fn hook(&self) -> FaultHook {
        let left = Arc::clone(&self.0);
        Arc::new(move |_| {
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)) == Ok(1)
        })
    }

    /// Does something of which the statement fails that comes after so many others. Answers whether it has so many.
    async fn after<T>(&self, statements: usize, call: impl Future<Output = Result<T, StoreError>>) -> bool {
        self.0.store(statements + 1, Ordering::Relaxed);
        let result = call.await;
        let has_struck = self.0.swap(0, Ordering::Relaxed) == 0;
        assert!(has_struck || result.is_ok());
        has_struck
    }
}

/// What a run of [`A`] gives in a round: its content, and relations with a peer, which is another one each time.
fn result_of_a(round: usize) -> Processed {
    let peer = if round.is_multiple_of(2) { B } else { C };
    let relations = vec![relation(peer, "dependsOn", A), relation(A, "dependencyOf", peer)];
    Processed { relations, ..processed(A, &round.to_string()) }
}

async fn shows_result_of_a(world: &World<'_>, round: usize) {
    assert_eq!(world.get(A).await["spec"]["content"], round.to_string());
    let (with, without) = if round.is_multiple_of(2) { (B, C) } else { (C, B) };
    assert_eq!(world.relations_of(A).await, [format!("dependencyOf {with}")]);
    assert_eq!(world.relations_of(with).await, [format!("dependsOn {A}")]);
    assert_eq!(world.relations_of(without).await, Vec::<String>::new());
}

/// An entity was stale for ever: the digest of its result was stored and its stitching was not queued, and the next run
/// found nothing to do (backstage#34686). Others were processed and never to be seen (backstage#32363,
/// backstage#30843).
pub async fn a_digest_never_advances_without_its_stitch_work<S: Store>(
    open: impl AsyncFn(FaultHook) -> Option<S>,
) {
    let strike = Strike::default();
    let Some(store) = open(strike.hook()).await else { return };
    let mut world = World::new(&store);
    world.full("p", [entity(A, "x"), entity(B, "x"), entity(C, "x")]).await;
    for name in [B, C] {
        world.process(name, processed(name, "x")).await;
    }
    let mut round = 0;
    loop {
        world.refresh(A).await;
        let claim = world.claim_one(A).await;
        let kind = OutcomeKind::Processed(Box::new(result_of_a(round)));
        let batch = [outcome(&claim, kind, world.now)];
        let commit = store.commit(&batch, 0, world.now + LEASE, world.now);
        let has_struck = strike.after(round, commit).await;
        // Whoever runs it the next time goes by the digest.
        world.refresh(A).await;
        world.pass(LEASE);
        let next = world.claim_one(A).await;
        let result = result_of_a(round);
        let is_stored = next.result_digest == Some(result_digest(&result));
        let kind = if is_stored { OutcomeKind::Unchanged } else { OutcomeKind::Processed(Box::new(result)) };
        world.end(&next, kind).await;
        world.stitch().await;
        shows_result_of_a(&world, round).await;
        assert_eq!(world.violations(None).await, []);
        if !has_struck {
            assert!(is_stored);
            break;
        }
        round += 1;
    }
    assert!(round > 1, "a commit has several statements");
}

/// What somebody has who only follows the change log, as the query index does.
#[derive(Default)]
struct Follower {
    position: i64,
    entities: BTreeMap<String, Value>,
}

impl Follower {
    async fn catch_up(&mut self, world: &World<'_>) {
        for change in world.store.changes_after(self.position, 1000).await.unwrap() {
            self.position = change.position;
            match world.find(&change.entity_ref).await {
                Some(entity) => self.entities.insert(change.entity_ref, entity),
                None => self.entities.remove(&change.entity_ref),
            };
        }
    }
}

async fn catalog(world: &World<'_>) -> BTreeMap<String, Value> {
    let page = world.store.entities_page(None, 10_000).await.unwrap();
    let parsed = page.entities.into_iter().map(|found| {
        let entity = serde_json::from_str(&found.json).unwrap();
        (found.entity_ref, entity)
    });
    parsed.collect()
}

/// An entity was there by its name and in no list, for ever: the final entity was written, and what lists are made from
/// was not (backstage#35734).
pub async fn a_final_entity_is_never_written_without_its_change<S: Store>(
    open: impl AsyncFn(FaultHook) -> Option<S>,
) {
    let strike = Strike::default();
    let Some(store) = open(strike.hook()).await else { return };
    let world = World::new(&store);
    let mut follower = Follower::default();
    world.full("p", [entity(A, "x"), entity(B, "x"), entity(C, "x")]).await;
    world.process_all().await;
    world.stitch().await;
    let mut round = 0;
    loop {
        world.refresh(A).await;
        world.process(A, result_of_a(round)).await;
        let has_struck = strike.after(round, store.stitch(1000, world.now)).await;
        follower.catch_up(&world).await;
        if store.counts(world.now).await.unwrap().stitch_queue == 0 {
            assert_eq!(follower.entities, catalog(&world).await, "round {round}");
        }
        // The struck transaction may still hold its rows: its end does not wait for anybody.
        while store.stitch(1000, world.now).await.unwrap().has_more {}
        follower.catch_up(&world).await;
        assert_eq!(follower.entities, catalog(&world).await, "round {round}");
        shows_result_of_a(&world, round).await;
        if !has_struck {
            break;
        }
        round += 1;
    }
    assert!(round > 1, "stitching has several statements");
}

/// The other end of a relation kept it, or did not get it, when its target or its type changed, or when an entity was
/// deleted (backstage#20030, backstage#13774, backstage#10348, backstage#17063, backstage#27325, backstage#20154).
pub async fn both_ends_of_a_relation_follow_its_target_its_type_and_deletions(world: World<'_>) {
    let check = async |step: &str, changed: &[&str], expected: [Option<&str>; 3]| {
        // What is gone was told before.
        assert_eq!(world.stitch_changed().await, changed, "{step}");
        for (name, relation) in [A, B, C].into_iter().zip(expected) {
            let found = match world.find(name).await {
                Some(_) => Some(world.relations_of(name).await.join(", ")),
                None => None,
            };
            assert_eq!(found.as_deref(), relation, "{step}: {name}");
        }
    };
    let relate = async |kind: &str, inverse: &str, target: &str| {
        world.refresh(A).await;
        world.relate(A, [relation(A, kind, target), relation(target, inverse, A)]).await;
    };
    let (to_b, to_c) = ("dependsOn component:default/b", "dependsOn component:default/c");
    let (part, of_a) = ("partOf component:default/c", "hasPart component:default/a");
    let from_a = "dependencyOf component:default/a";
    world.full("p", [entity(A, "x")]).await;
    world.full("q", [entity(B, "x"), entity(C, "x")]).await;
    world.process_all().await;
    check("nothing", &[A, B, C], [Some(""), Some(""), Some("")]).await;
    relate("dependsOn", "dependencyOf", B).await;
    check("a relation", &[A, B], [Some(to_b), Some(from_a), Some("")]).await;
    relate("dependsOn", "dependencyOf", C).await;
    check("another target", &[A, B, C], [Some(to_c), Some(""), Some(from_a)]).await;
    relate("partOf", "hasPart", C).await;
    check("another type", &[A, C], [Some(part), Some(""), Some(of_a)]).await;
    world.delta("q", [], &[C]).await;
    check("the target is gone", &[], [Some(part), Some(""), None]).await;
    world.delta("q", [entity(C, "x")], &[]).await;
    world.process_all().await;
    check("the target is back", &[C], [Some(part), Some(""), Some(of_a)]).await;
    world.full("p", []).await;
    check("the source is gone", &[C], [None, Some(""), Some("")]).await;
}

/// A group was assembled again for each of its members (backstage#27628).
pub async fn a_group_of_thousands_is_stitched_once_for_all_of_its_members(world: World<'_>) {
    const MEMBERS: usize = 2_000;
    const BATCH: usize = 250;
    let name = |number: usize| format!("user:default/u{number:04}");
    let member = |own: &str, content: &str| Processed {
        relations: vec![relation(own, "memberOf", GROUP), relation(GROUP, "hasMember", own)],
        ..processed(own, content)
    };
    let members = (0..MEMBERS).map(|number| entity(&name(number), "x"));
    world.full("p", members.chain([entity(GROUP, "x")])).await;
    loop {
        let claims = world.claim(BATCH).await;
        if claims.is_empty() {
            break;
        }
        let run = |claim: &Claim| {
            let own = claim.entity_ref.as_ref();
            let result = if own == GROUP { processed(GROUP, "x") } else { member(own, "x") };
            outcome(claim, OutcomeKind::Processed(Box::new(result)), world.now)
        };
        world.commit_all(&claims.iter().map(run).collect::<Vec<_>>(), 0).await;
    }
    let report = world.stitch().await;
    assert_eq!((report.changed, report.unchanged, report.abandoned), (MEMBERS + 1, 0, 0));
    let relations = world.relations_of(GROUP).await;
    assert_eq!((relations.len(), &*relations[MEMBERS - 1]), (MEMBERS, "hasMember user:default/u1999"));

    let one = name(700);
    let stitched = async |result: Processed| {
        world.refresh(&one).await;
        world.process(&one, result).await;
        let changed = world.stitch_changed().await;
        (changed, world.relations_of(GROUP).await.len())
    };
    let both = vec![GROUP.to_owned(), one.clone()];
    assert_eq!(stitched(member(&one, "y")).await, (vec![one.clone()], MEMBERS));
    assert_eq!(stitched(processed(&one, "y")).await, (both.clone(), MEMBERS - 1));
    assert_eq!(stitched(member(&one, "y")).await, (both, MEMBERS));
}

/// A name that changed its case only was two entities to some, and none to others.
pub async fn a_name_in_another_case_is_the_same_entity(world: World<'_>) {
    let spelled = |name: &str| {
        let json = entity(FOO, "x").json.replace(r#""foo""#, &format!("\"{name}\""));
        NewEntity { digest: Digest::of(json.as_bytes()), json: Arc::from(json), ..entity(FOO, "x") }
    };
    let seen = async || {
        world.process_all().await;
        world.stitch().await;
        assert_eq!(world.refs().await, [A, FOO]);
        let metadata = &world.get(FOO).await["metadata"];
        let text = |key: &str| metadata[key].as_str().unwrap().to_owned();
        (text("uid"), text("name"))
    };
    world.full("others", [entity(A, "x")]).await;
    world.relate(A, [relation(A, "dependsOn", FOO)]).await;
    world.full("p", [spelled("Foo")]).await;
    let (uid, name) = seen().await;
    assert_eq!(name, "Foo");
    // In place.
    world.full("p", [spelled("FOO")]).await;
    assert_eq!(seen().await, (uid.clone(), "FOO".to_owned()));
    // The new one comes before the old one goes.
    world.full("q", [spelled("foo")]).await;
    world.full("p", []).await;
    assert_eq!(seen().await, (uid.clone(), "foo".to_owned()));
    // In one mutation, the removal under the name that both have.
    world.delta("q", [spelled("fOO")], &[FOO]).await;
    assert_eq!(seen().await, (uid.clone(), "fOO".to_owned()));
    // The old one goes before the new one comes: nothing was there in between.
    world.full("q", []).await;
    assert_eq!((world.find(FOO).await, world.refs().await), (None, vec![A.to_owned()]));
    world.full("p", [spelled("Foo")]).await;
    let (another, name) = seen().await;
    assert_eq!(name, "Foo");
    assert_ne!(another, uid);
    assert_eq!(world.relations_of(A).await, ["dependsOn component:default/foo"]);
}

/// Replicas claimed the same rows, as the locks of one statement were gone before the next (backstage#33481).
pub async fn two_replicas_never_claim_the_same_row([first, second]: [World<'_>; 2]) {
    const ENTITIES: usize = 400;
    const WORKERS: usize = 20;
    first.full("p", (0..ENTITIES).map(|n| entity(&format!("component:default/{n}"), "x"))).await;
    let work = async |worker: usize| {
        let world = [&first, &second][worker % 2];
        let mut claimed = Vec::new();
        loop {
            let claims = world.claim(7).await;
            if claims.is_empty() {
                return claimed;
            }
            let run = |claim: &Claim| {
                outcome(claim, OutcomeKind::Processed(Box::new(processed(&claim.entity_ref, "x"))), world.now)
            };
            let report = world.commit_all(&claims.iter().map(run).collect::<Vec<_>>(), 0).await;
            assert_eq!(report.refused, Vec::<usize>::new());
            claimed.extend(claims.into_iter().map(|claim| claim.id));
        }
    };
    for _ in 0..3 {
        let claimed = join_all((0..WORKERS).map(&work)).await.concat();
        let distinct: BTreeSet<_> = claimed.iter().collect();
        assert_eq!((claimed.len(), distinct.len()), (ENTITIES, ENTITIES));
        assert_eq!(first.store.refresh_all(first.now).await.unwrap(), ENTITIES as u64);
    }
}

//! Sources that have the same entities in opposite orders, amid engines that process, stitch and delete.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use serde_json::Value;

use super::catalog;
use crate::memory::MemoryStore;
use crate::suite::world::{World, entity, keyed, outcome, processed_value, relation};
use crate::{Claim, Lane, NewEntity, Outcome, OutcomeKind, Processed, ProviderMutation};

const SOURCES: usize = 8;
const ROUNDS: usize = 10;
const SHARED: usize = 24;
const OWN: usize = 6;

/// A source of entities that others have as well, in another order, and some that only one of them can have.
struct Source {
    number: usize,
    /// What was handed over last.
    bucket: BTreeMap<String, NewEntity>,
}

impl Source {
    fn new(number: usize) -> Self {
        Self { number, bucket: BTreeMap::new() }
    }

    fn name(&self) -> String {
        format!("source-{}", self.number)
    }

    /// What it has in a round.
    fn entities(&self, round: usize) -> Vec<NewEntity> {
        let number = self.number;
        let chosen = (0..SHARED).filter(|n| !(n + number + round).is_multiple_of(3));
        let shared = chosen.map(|n| keyed(&format!("component:default/shared-{n}"), "x", "shared"));
        let own = (0..OWN).map(|n| {
            entity(&format!("component:default/own-{number}-{}", (n + round) % (2 * OWN)), &round.to_string())
        });
        let contested = (0..3).map(|n| keyed(&format!("api:default/contested-{n}"), "x", &self.name()));
        let mut all: Vec<NewEntity> = shared.chain(own).chain(contested).collect();
        // Whoever locks in the order in which they come waits for somebody who waits for it.
        if number % 2 == 1 {
            all.reverse();
        }
        all
    }

    /// All of it, or what is not as it was.
    fn mutation(&mut self, round: usize) -> ProviderMutation {
        let all = self.entities(round);
        let now: BTreeMap<String, NewEntity> =
            all.iter().map(|entity| (entity.entity_ref.to_string(), entity.clone())).collect();
        let before = std::mem::replace(&mut self.bucket, now);
        if round.is_multiple_of(4) {
            return ProviderMutation::Full(all);
        }
        let is_new = |entity: &NewEntity| {
            before.get(&*entity.entity_ref).is_none_or(|before| before.digest != entity.digest)
        };
        let removed = before.keys().filter(|name| !self.bucket.contains_key(*name)).cloned().collect();
        ProviderMutation::Delta { added: all.into_iter().filter(is_new).collect(), removed }
    }
}

/// What a run makes of an entity of these sources: relations in both directions, and children that many have.
fn run_of(claim: &Claim, world: &World<'_>) -> Outcome {
    let own = claim.entity_ref.as_ref();
    let number = |prefix: &str| own.strip_prefix(prefix).and_then(|rest| rest.parse::<usize>().ok());
    let next = number("component:default/shared-").map_or(0, |n| (n + 1) % SHARED);
    let next = format!("component:default/shared-{next}");
    let is_parent = own.contains("/own-") || own.contains("/shared-");
    let children = (0..3).filter(|_| is_parent).map(|n| entity(&format!("resource:default/child-{n}"), "x"));
    let result = Processed {
        relations: vec![
            relation(own, "ownedBy", "group:default/g"),
            relation("group:default/g", "ownerOf", own),
            relation(own, "dependsOn", &next),
            relation(&next, "dependencyOf", own),
        ],
        refresh_keys: vec![own.to_owned(), "all".to_owned()],
        children: children.collect(),
        ..processed_value(serde_json::from_str(&claim.unprocessed).unwrap())
    };
    outcome(claim, OutcomeKind::Processed(Box::new(result)), world.now)
}

/// Some of the work that there is; answers whether there was any.
async fn work_some(world: &World<'_>, hand_out: usize) -> bool {
    let mut claims = world.claim(7).await;
    let mut has_worked = !claims.is_empty();
    while !claims.is_empty() {
        let outcomes: Vec<Outcome> = claims.iter().map(|claim| run_of(claim, world)).collect();
        claims = world.commit_all(&outcomes, hand_out).await.handed;
    }
    let stitched = world.store.stitch(5, world.now).await.unwrap();
    has_worked |= stitched.has_more || stitched.changed > 0;
    has_worked | (world.store.orphans_delete(5, world.now).await.unwrap() > 0)
}

/// All that there is to see at rest, without uids.
async fn at_rest(world: &World<'_>) -> BTreeMap<String, Value> {
    while work_some(world, 0).await {}
    let mut catalog = catalog(world).await;
    for entity in catalog.values_mut() {
        entity["metadata"]["uid"].take();
    }
    catalog
}

/// Engines, and users who delete what comes back.
async fn work_until(is_over: impl Fn() -> bool, world: &World<'_>, worker: usize) {
    while !is_over() {
        work_some(world, worker % 3).await;
        if let Some(child) = world.store.entity_by_ref("resource:default/child-1").await.unwrap() {
            world.store.entity_delete(child.uid, world.now).await.unwrap();
        }
        world.store.refresh_by_keys(&["all".to_owned()], world.now).await.unwrap();
        world.store.tidy(10_000, world.now).await.unwrap();
        tokio::task::yield_now().await;
    }
}

async fn hand_over(source: &mut Source, rounds: impl IntoIterator<Item = usize>, world: &World<'_>) {
    for round in rounds {
        let (name, mutation) = (source.name(), source.mutation(round));
        world.store.provider_mutate(&name, mutation, Lane::New, world.now).await.unwrap();
        // A store in memory never waits.
        tokio::task::yield_now().await;
    }
}

/// Transactions that waited for each other were ended by the database, and what they were to write was lost: entities
/// of one mutation, or the mark that one has to be stitched (backstage#29000, backstage#31442, backstage#31868,
/// backstage#31050, backstage#31753).
pub async fn sources_in_each_others_way_leave_what_one_after_the_other_would(
    [first, second]: [World<'_>; 2],
) {
    let handing_over = AtomicUsize::new(SOURCES);
    let worlds = [&first, &second];
    let mut sources: Vec<Source> = (0..SOURCES).map(Source::new).collect();
    let mutations = join_all(sources.iter_mut().map(|source| {
        let (world, handing_over) = (worlds[source.number % 2], &handing_over);
        async move {
            hand_over(source, 0..ROUNDS, world).await;
            handing_over.fetch_sub(1, Ordering::Relaxed);
        }
    }));
    let is_over = || handing_over.load(Ordering::Relaxed) == 0;
    let workers = join_all((0..4).map(|worker| work_until(is_over, worlds[worker / 2], worker)));
    tokio::join!(mutations, workers);

    let memory = MemoryStore::new();
    let serial = World::new(&memory);
    for number in 0..SOURCES {
        hand_over(&mut Source::new(number), 0..ROUNDS, &serial).await;
    }
    let (found, expected) = (at_rest(&first).await, at_rest(&serial).await);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    assert_eq!(found, expected);
    assert_eq!(first.violations(None).await, []);
}

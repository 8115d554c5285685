//! What goes when a source goes: pruning of what a provider removes, and orphans.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use super::world::{World, entity, relation};

const E1: &str = "component:default/e1";
const E2: &str = "component:default/e2";
const E3: &str = "component:default/e3";
const E4: &str = "component:default/e4";
const E5: &str = "component:default/e5";
const E6: &str = "component:default/e6";
const E7: &str = "component:default/e7";

async fn roots(world: &World<'_>, provider: &str, refs: &[&str]) {
    world.full(provider, refs.iter().map(|entity_ref| entity(entity_ref, "grown"))).await;
}

pub async fn what_was_removed_takes_along_what_only_it_brought_in(world: World<'_>) {
    roots(&world, "p1", &[E1, E3, E4]).await;
    roots(&world, "p2", &[E5]).await;
    world.grow(&[(E1, &[E2])], &[(E4, E2)]).await;
    let report = world.delta("p1", [], &[E1, E3]).await;
    assert_eq!(report.removed, 3);
    assert_eq!(world.refs().await, [E4, E5]);
}

pub async fn a_full_mutation_prunes_below_what_it_drops(world: World<'_>) {
    roots(&world, "config", &[E1]).await;
    roots(&world, "database", &[E5]).await;
    world.grow(&[(E1, &[E2]), (E2, &[E3]), (E5, &[E3])], &[]).await;
    let report = world.full("config", [entity(E6, "grown")]).await;
    assert_eq!((report.added, report.removed), (1, 2));
    assert_eq!(world.refs().await, [E3, E5]);
    assert_eq!(world.parents(E3).await, [E5]);
}

pub async fn a_diamond_goes_as_a_whole(world: World<'_>) {
    roots(&world, "config", &[E1]).await;
    world.grow(&[(E1, &[E2, E3]), (E2, &[E4]), (E3, &[E4])], &[]).await;
    assert_eq!(world.full("config", []).await.removed, 4);
    assert_eq!(world.refs().await, Vec::<String>::new());
}

pub async fn what_another_provider_brings_in_stays(world: World<'_>) {
    roots(&world, "p1", &[E1]).await;
    roots(&world, "p2", &[E3]).await;
    world.grow(&[(E1, &[E2]), (E3, &[E2])], &[(E2, E1)]).await;
    assert_eq!(world.full("p1", []).await.removed, 1);
    assert_eq!(world.refs().await, [E2, E3]);
    assert!(!world.is_orphan(E2).await);
}

pub async fn what_another_root_of_the_same_provider_brings_in_stays(world: World<'_>) {
    roots(&world, "p", &[E1, E3]).await;
    world.grow(&[(E1, &[E2]), (E3, &[E2])], &[]).await;
    assert_eq!(world.delta("p", [], &[E1]).await.removed, 1);
    assert_eq!(world.refs().await, [E2, E3]);
}

pub async fn cycles_go_with_their_last_root(world: World<'_>) {
    roots(&world, "p", &[E1, E3]).await;
    world.grow(&[(E1, &[E2]), (E2, &[E1, E6]), (E3, &[E4, E5]), (E4, &[E6]), (E5, &[E6])], &[]).await;
    assert_eq!(world.delta("p", [], &[E1]).await.removed, 2);
    assert_eq!(world.refs().await, [E3, E4, E5, E6]);
    assert_eq!(world.delta("p", [], &[E3]).await.removed, 4);
    assert_eq!(world.refs().await, Vec::<String>::new());
}

pub async fn a_provider_prunes_only_its_own_roots(world: World<'_>) {
    roots(&world, "p1", &[E1, E3]).await;
    roots(&world, "p2", &[E4]).await;
    world.grow(&[(E1, &[E2])], &[]).await;
    assert_eq!(world.delta("p1", [], &[E2, E3, E4]).await.removed, 1);
    assert_eq!(world.refs().await, [E1, E2, E4]);
}

pub async fn a_root_that_is_also_a_child_stays_as_a_child(world: World<'_>) {
    roots(&world, "p", &[E1, E2]).await;
    world.grow(&[(E2, &[E1])], &[]).await;
    assert_eq!(world.delta("p", [], &[E1]).await.removed, 0);
    assert_eq!(world.refs().await, [E1, E2]);
    assert_eq!(world.delta("p", [], &[E2]).await.removed, 2);
}

pub async fn what_hangs_on_an_orphan_does_not_hold_what_is_pruned(world: World<'_>) {
    roots(&world, "p", &[E1, E2]).await;
    world.grow(&[(E1, &[E4]), (E2, &[E3]), (E3, &[E4])], &[]).await;
    world.refresh(E2).await;
    world.emit(E2, []).await;
    assert_eq!(world.delta("p", [], &[E1]).await.removed, 2, "no provider leads to it");
    assert_eq!(world.refs().await, [E2, E3]);
}

pub async fn those_that_had_relations_from_the_pruned_are_stitched(world: World<'_>) {
    roots(&world, "p", &[E1]).await;
    roots(&world, "q", &[E2, E3]).await;
    world.relate(E1, [relation(E2, "dependsOn", E1), relation(E1, "dependencyOf", E2)]).await;
    world.relate(E3, [relation(E3, "dependsOn", E1)]).await;
    world.process_all().await;
    world.stitch().await;
    assert_eq!(world.relations_of(E2).await, ["dependsOn component:default/e1"]);
    assert!(world.full("p", []).await.needs_stitching);
    assert_eq!(world.stitch_changed().await, [E2]);
    assert_eq!(world.relations_of(E2).await, Vec::<String>::new());
    assert_eq!(world.relations_of(E3).await, ["dependsOn component:default/e1"], "its own relation dangles");
}

pub async fn orphans_go_with_all_that_hangs_on_them(world: World<'_>) {
    roots(&world, "p", &[E1]).await;
    world.grow(&[(E1, &[E2, E4, E6]), (E2, &[E3]), (E4, &[E5]), (E6, &[E7, E3])], &[(E7, E2)]).await;
    world.refresh(E1).await;
    world.emit(E1, [entity(E6, "grown")]).await;
    assert_eq!(world.delete_orphans().await, 3, "both children that are left and what hangs on one of them");
    assert_eq!(world.refs().await, [E1, E3, E6, E7]);
    assert_eq!(world.delete_orphans().await, 0);
}

pub async fn orphans_are_deleted_in_rounds(world: World<'_>) {
    roots(&world, "p", &[E1]).await;
    world.grow(&[(E1, &[E2, E3, E4]), (E2, &[E5])], &[]).await;
    world.refresh(E1).await;
    world.emit(E1, []).await;
    assert_eq!(world.store.orphans_delete(2, world.now).await.unwrap(), 2);
    assert_eq!(world.store.orphans_delete(9, world.now).await.unwrap(), 2);
    assert_eq!(world.store.orphans_delete(9, world.now).await.unwrap(), 0);
}

pub async fn a_cycle_that_nobody_holds_is_deleted(world: World<'_>) {
    roots(&world, "p", &[E1]).await;
    world.grow(&[(E1, &[E2]), (E2, &[E3]), (E3, &[E2, E4])], &[]).await;
    world.refresh(E1).await;
    world.emit(E1, []).await;
    assert!(!world.is_orphan(E2).await);
    assert_eq!(world.delete_orphans().await, 3);
    assert_eq!(world.refs().await, [E1]);
}

pub async fn a_cycle_that_an_orphan_closes_is_deleted(world: World<'_>) {
    roots(&world, "p", &[E1]).await;
    world.grow(&[(E1, &[E2]), (E2, &[E3])], &[]).await;
    world.refresh(E1).await;
    world.emit(E1, []).await;
    world.refresh(E3).await;
    world.emit(E3, [entity(E2, "grown")]).await;
    world.stitch().await;
    assert!(!world.is_orphan(E2).await);
    assert_eq!(world.delete_orphans().await, 2);
    assert_eq!(world.refs().await, [E1]);
}

pub async fn deleted_entities_are_gone_for_every_reader(world: World<'_>) {
    roots(&world, "p", &[E1]).await;
    world.process_all().await;
    world.stitch().await;
    let uid = world.store.entity_by_ref(E1).await.unwrap().unwrap().uid;
    world.full("p", []).await;
    assert!(world.find(E1).await.is_none());
    assert!(world.store.entity_by_uid(uid).await.unwrap().is_none());
    assert!(world.store.ancestry(E1).await.unwrap().is_empty());
    assert_eq!(world.store.counts(world.now).await.unwrap(), crate::Counts::default());
}

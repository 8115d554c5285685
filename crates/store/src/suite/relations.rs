//! Relations and refresh keys, which runs replace by difference.

#![expect(missing_docs, reason = "a rule's name says what it is")]

use super::world::{World, entity, processed, relation};
use crate::{Processed, RelationKey};

const ME: &str = "component:default/me";
const OTHERS: [&str; 3] =
    ["component:default/other1", "component:default/other2", "component:default/other3"];

async fn begin(world: &World<'_>) {
    world.full("p", OTHERS.into_iter().chain([ME]).map(|name| entity(name, "x"))).await;
    world.process_all().await;
    world.stitch().await;
}

/// Processes the entity again with these relations; answers whose final entities changed.
async fn relate(world: &World<'_>, relations: impl IntoIterator<Item = RelationKey>) -> Vec<String> {
    world.refresh(ME).await;
    world.relate(ME, relations).await;
    world.stitch_changed().await
}

pub async fn sources_of_relations_that_come_or_go_are_stitched(world: World<'_>) {
    begin(&world).await;
    let [one, two, three] = OTHERS;
    let to_me = |source: &str| relation(source, "dependsOn", ME);
    assert_eq!(relate(&world, [to_me(one), to_me(two)]).await, [ME, one, two]);
    assert_eq!(relate(&world, [to_me(three), to_me(two)]).await, [one, three]);
    assert_eq!(world.relations_of(one).await, Vec::<String>::new());
    assert_eq!(world.relations_of(two).await, ["dependsOn component:default/me"]);
    let moved = relation(two, "dependsOn", one);
    assert_eq!(relate(&world, [to_me(three), moved.clone()]).await, [two]);
    assert_eq!(relate(&world, [to_me(three), moved, relation(two, "partOf", one)]).await, [two]);
    assert_eq!(
        relate(&world, []).await,
        [three, two].map(str::to_owned).into_iter().rev().collect::<Vec<_>>()
    );
}

pub async fn without_a_change_of_relations_only_the_entity_is_stitched(world: World<'_>) {
    begin(&world).await;
    let relations = || vec![relation(OTHERS[0], "dependsOn", ME)];
    relate(&world, relations()).await;
    world.refresh(ME).await;
    world.process(ME, Processed { relations: relations(), ..processed(ME, "other content") }).await;
    let report = world.stitch().await;
    assert_eq!((report.changed, report.unchanged, report.abandoned), (1, 0, 0));
}

pub async fn the_same_relation_twice_is_one(world: World<'_>) {
    begin(&world).await;
    let [one, ..] = OTHERS;
    relate(&world, [relation(ME, "dependsOn", one), relation(ME, "dependsOn", one)]).await;
    assert_eq!(world.relations_of(ME).await, ["dependsOn component:default/other1"]);
    // Somebody else emits it, too: it stays until both have stopped.
    world.refresh(one).await;
    world.relate(one, [relation(ME, "dependsOn", one)]).await;
    world.stitch().await;
    assert_eq!(world.relations_of(ME).await, ["dependsOn component:default/other1"]);
    relate(&world, []).await;
    assert_eq!(world.relations_of(ME).await, ["dependsOn component:default/other1"]);
    world.refresh(one).await;
    world.relate(one, []).await;
    world.stitch().await;
    assert_eq!(world.relations_of(ME).await, Vec::<String>::new());
}

pub async fn relations_are_sorted_bytewise_by_type_and_target(world: World<'_>) {
    begin(&world).await;
    let emitted = [
        relation(ME, "ownedBy", "group:default/b"),
        relation(ME, "dependsOn", "component:default/z"),
        relation(ME, "ownedBy", "group:default/B"),
        relation(ME, "dependsOn", "api:default/z"),
        relation(ME, "ZZ", "api:default/ä"),
        relation(ME, "ZZ", "api:default/z"),
    ];
    relate(&world, emitted).await;
    let expected = [
        "ZZ api:default/z",
        "ZZ api:default/ä",
        "dependsOn api:default/z",
        "dependsOn component:default/z",
        "ownedBy group:default/B",
        "ownedBy group:default/b",
    ];
    assert_eq!(world.relations_of(ME).await, expected);
}

pub async fn relations_may_begin_at_entities_that_come_later(world: World<'_>) {
    begin(&world).await;
    let later = "group:default/later";
    assert_eq!(relate(&world, [relation(later, "ownerOf", ME)]).await, [ME]);
    world.delta("p", [entity(later, "x")], &[]).await;
    world.process_all().await;
    world.stitch().await;
    assert_eq!(world.relations_of(later).await, ["ownerOf component:default/me"]);
}

pub async fn relations_are_counted(world: World<'_>) {
    begin(&world).await;
    let count = async || world.store.counts(world.now).await.unwrap().relations;
    relate(&world, OTHERS.map(|other| relation(other, "dependsOn", ME))).await;
    assert_eq!(count().await, 3);
    relate(&world, [relation(ME, "dependsOn", OTHERS[0])]).await;
    assert_eq!(count().await, 1);
    world.full("p", []).await;
    assert_eq!(count().await, 0);
}

pub async fn a_group_may_have_thousands_of_members(world: World<'_>) {
    let members: Vec<String> = (0..3000).map(|n| format!("user:default/u{n:04}")).collect();
    world.full("p", [entity("group:default/all", "x"), entity(ME, "x")]).await;
    world.process_all().await;
    let emitted = members.iter().map(|member| relation("group:default/all", "hasMember", member));
    relate(&world, emitted).await;
    let relations = world.relations_of("group:default/all").await;
    assert_eq!(relations.len(), 3000);
    assert_eq!(relations[2999], "hasMember user:default/u2999");
}

pub async fn an_event_makes_all_due_that_carry_its_key(world: World<'_>) {
    begin(&world).await;
    let keyed = |name, keys: &[&str]| Processed {
        refresh_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        ..processed(name, "x")
    };
    let long = "k".repeat(400);
    for (name, keys) in [(OTHERS[0], ["a", "b"]), (OTHERS[1], ["b", long.as_str()])] {
        world.refresh(name).await;
        world.process(name, keyed(name, &keys)).await;
    }
    let refresh = async |key: &str| {
        let count = world.store.refresh_by_keys(&[key.to_owned()], world.now).await.unwrap();
        let due = world.due().await;
        for name in &due {
            let claim = world.claim_one(name).await;
            world.end(&claim, crate::OutcomeKind::Unchanged).await;
        }
        (count, due)
    };
    assert_eq!(refresh("a").await, (1, vec![OTHERS[0].to_owned()]));
    assert_eq!(refresh("b").await, (2, vec![OTHERS[0].to_owned(), OTHERS[1].to_owned()]));
    assert_eq!(refresh(&long).await, (1, vec![OTHERS[1].to_owned()]));
    assert_eq!(refresh(&"k".repeat(401)).await, (0, Vec::new()));
    world.refresh(OTHERS[0]).await;
    world.process(OTHERS[0], keyed(OTHERS[0], &["b"])).await;
    assert_eq!(refresh("a").await, (0, Vec::new()));
    world.delta("p", [], &[OTHERS[0]]).await;
    assert_eq!(refresh("b").await, (1, vec![OTHERS[1].to_owned()]));
}

use callboard_index::Hit;
use serde_json::{Value, json};

use super::*;
use crate::options::ServerOptions;
use crate::testing::{Fixture, component};

const A: &str = "component:default/a";

fn hit(view: &View, entity_ref: &str) -> Option<Hit> {
    view.query(|index| index.by_ref(entity_ref, &[]))
}

async fn fixture(entities: &[Value]) -> (Fixture, View) {
    let fixture = Fixture::new(ServerOptions::default()).await;
    fixture.ingest(entities, &[]).await;
    let view = fixture.lifecycle.view().unwrap().clone();
    (fixture, view)
}

#[tokio::test]
async fn a_view_is_built_from_what_is_there() {
    let (fixture, followed) = fixture(&[component("a"), component("b")]).await;
    let built = View::of(&fixture.catalog, CACHE_BYTES).await.unwrap();
    assert_eq!(built.query(Index::checksum), followed.query(Index::checksum));
    assert!(built.wait_for(built.newest_position().await.unwrap(), Duration::ZERO).await);
}

#[tokio::test]
async fn texts_that_were_read_before_a_change_are_not_served_after_it() {
    let (fixture, view) = fixture(&[component("a")]).await;
    let before = hit(&view, A).unwrap();
    let text = view.text(&before).await.unwrap().unwrap();
    let mut changed = component("a");
    changed["metadata"]["title"] = json!("Changed");
    fixture.ingest(&[changed], &[]).await;
    // Whoever asked before the change may get either.
    assert_eq!(view.text(&before).await.unwrap(), Some(text.clone()));
    let after = hit(&view, A).unwrap();
    assert_ne!(view.text(&after).await.unwrap(), Some(text));
}

#[tokio::test]
async fn a_text_that_is_gone_meanwhile_is_none() {
    let (fixture, view) = fixture(&[component("a"), component("b")]).await;
    let hits = [hit(&view, A).unwrap(), hit(&view, "component:default/b").unwrap()];
    let uid = hits[0].uid.parse().unwrap();
    fixture.catalog.delete_entity(uid).await.unwrap();
    let hits: Vec<&Hit> = hits.iter().collect();
    let texts = view.first_texts(&hits, Keep::Yes).await.unwrap();
    assert_eq!(texts.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
    view.keep_up().await;
    assert_eq!(hit(&view, A), None);
}

#[tokio::test]
async fn a_log_that_was_trimmed_too_early_is_made_up_for() {
    let (fixture, view) = fixture(&[component("a")]).await;
    let (store, now) = (fixture.catalog.store(), callboard_sdk::Timestamp::UNIX_EPOCH);
    view.shared.position.send_replace(0);
    view.shared.index.replace(Index::new());
    fixture.ingest(&[component("b")], &[]).await;
    view.shared.position.send_replace(0);
    store.tidy(1, now).await.unwrap();
    view.keep_up().await;
    assert!(hit(&view, A).is_some());
}

#[tokio::test]
async fn an_index_that_agrees_with_the_store_is_found_to_agree() {
    let (_fixture, view) = fixture(&[component("a"), component("b")]).await;
    let compared = view.shared.compare_page(None).await.unwrap();
    assert_eq!((compared.entities, compared.wrong, compared.next), (2, Vec::new(), None));
    let contents = view.contents().await.unwrap();
    assert_eq!((contents.position, contents.checksum), (view.position(), view.query(Index::checksum)));
}

#[tokio::test]
async fn what_the_index_lacks_has_too_much_or_has_otherwise_is_found() {
    let (_fixture, view) = fixture(&[component("a"), component("b")]).await;
    let json = component("c").to_string();
    let stray = callboard_index::Prepared::new(99, "component:default/c", "u", &json).unwrap();
    let other = callboard_index::Prepared::new(98, "component:default/b", "u", &json).unwrap();
    view.shared.index.apply(&[
        callboard_index::Change::Remove(A.into()),
        callboard_index::Change::Put(stray),
        callboard_index::Change::Put(other),
    ]);
    let compared = view.shared.compare_page(None).await.unwrap();
    assert_eq!(compared.wrong, [A, "component:default/b", "component:default/c"]);
    view.shared.rebuild().await.unwrap();
    assert_eq!(view.shared.compare_page(None).await.unwrap().wrong, Vec::<String>::new());
}

#[tokio::test]
async fn an_index_that_is_behind_is_not_wrong() {
    let (fixture, view) = fixture(&[component("a")]).await;
    fixture.ingest(&[component("b")], &[]).await;
    assert_eq!(view.shared.compare_page(None).await.unwrap().wrong, Vec::<String>::new());
}

/// All endpoints that know of it say that each entity has this title, and has it once.
async fn agree_on(fixture: &Fixture, names: &[String], title: &str) {
    for name in names {
        let path = format!("/api/catalog/entities/by-name/component/default/{name}");
        assert_eq!(fixture.get(&path).await.json()["metadata"]["title"], title, "{name}");
    }
    let sorted = "by-query?orderField=metadata.title,asc&orderField=metadata.name,asc&limit=1000";
    for query in
        ["by-query?limit=1000", sorted, &format!("by-query?filter=metadata.title={title}&limit=1000")]
    {
        let list = fixture.get(&format!("/api/catalog/entities/{query}")).await.json();
        let items = list["items"].as_array().unwrap();
        let mut found: Vec<&str> =
            items.iter().map(|entity| entity["metadata"]["name"].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, names, "{query}");
        assert!(items.iter().all(|entity| entity["metadata"]["title"] == title), "{query}");
    }
    let facets = fixture.get("/api/catalog/entity-facets?facet=metadata.title").await.json();
    let expected = json!([{ "value": title, "count": names.len() }]);
    assert_eq!(facets["facets"]["metadata.title"], expected);
}

/// An entity was there by its name and in no list, for ever (backstage#35734).
#[tokio::test]
async fn an_index_that_fails_amid_an_update_has_all_of_it_the_next_time() {
    // More than are taken in at once.
    let names: Vec<String> = (0..150).map(|number| format!("c{number:03}")).collect();
    let titled = |title: &str| -> Vec<Value> {
        let entity = |name: &String| {
            let mut entity = component(name);
            entity["metadata"]["title"] = json!(title);
            entity
        };
        names.iter().map(entity).collect()
    };
    let (fixture, view) = fixture(&titled("first")).await;
    let mut statements = 0;
    loop {
        let title = format!("after-{statements}");
        fixture.bring_in(&titled(&title), &[]).await;
        fixture.break_store_after(statements);
        let has_failed = view.shared.keep_up().await.is_err();
        fixture.mend_store();
        view.keep_up().await;
        agree_on(&fixture, &names, &title).await;
        let built = View::of(&fixture.catalog, CACHE_BYTES).await.unwrap();
        assert_eq!(built.query(Index::checksum), view.query(Index::checksum));
        if !has_failed {
            break;
        }
        statements += 1;
    }
    assert!(statements > 1, "following takes several statements");
}

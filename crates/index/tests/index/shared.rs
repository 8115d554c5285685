//! An index that is read while it is updated.

use std::thread;

use callboard_index::{Change, Index, Prepared, SharedIndex};
use serde_json::json;

fn entity(number: i64, round: i64) -> Prepared {
    let entity = json!({
        "kind": "Component",
        "metadata": {"name": format!("e{number}"), "tags": [format!("round-{round}")]},
    });
    Prepared::new(
        number,
        &format!("component:default/e{number}"),
        &format!("uid-{number:05}"),
        &entity.to_string(),
    )
    .unwrap()
}

#[test]
fn readers_see_whole_entities_while_a_writer_writes() {
    let shared = SharedIndex::new(Index::new());
    let changes = |round| (0..500).map(|number| Change::Put(entity(number, round))).collect::<Vec<_>>();
    shared.apply(&changes(0));
    thread::scope(|scope| {
        let writer = scope.spawn(|| (1..20).for_each(|round| shared.apply(&changes(round))));
        while !writer.is_finished() {
            let facets = shared.read().facets(&["metadata.tags", "kind"], &[]).unwrap();
            for facet in facets {
                assert_eq!(facet.values.iter().map(|value| value.count).sum::<u64>(), 500);
            }
        }
    });
    assert_eq!(shared.read().check(), Ok(()));
    assert_eq!(shared.read().facets(&["metadata.tags"], &[]).unwrap()[0].values[0].value, "round-19");
    assert!(!shared.is_broken());
}

#[test]
fn another_index_can_take_the_place() {
    let shared = SharedIndex::default();
    shared.apply(&[Change::Put(entity(1, 1)), Change::Remove("component:default/e1".into())]);
    assert!(shared.read().is_empty());
    let mut index = Index::new();
    index.put(&entity(2, 2));
    shared.replace(index);
    assert_eq!(shared.read().len(), 1);
}

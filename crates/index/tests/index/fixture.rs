//! The ten entities of the REST API's conformance cases.

use callboard_index::{Hit, Index, Origin, Predicate, Prepared, parse_filters};
use serde_json::{Value, json};

/// Uids are in another order than names and refs.
const UIDS: [&str; 10] = ["07", "02", "09", "04", "01", "06", "03", "08", "00", "05"];

pub(crate) fn uid(number: usize) -> String {
    format!("0190aaaa-0000-7000-8000-0000000000{}", UIDS[number])
}

fn relations(relations: &[(&str, &str)]) -> Value {
    relations.iter().map(|(kind, target)| json!({"type": kind, "targetRef": target})).collect()
}

fn entities() -> Vec<Value> {
    let mut entities = components();
    entities.extend(others());
    entities
}

fn components() -> Vec<Value> {
    vec![
        json!({
            "kind": "Component",
            "metadata": {
                "name": "alpha", "title": "Alpha Service", "description": "first component",
                "tags": ["java", "go"],
                "annotations": {"example.com/Mixed-Case": "HelloWorld", "github.com/project-slug": "org/alpha"},
                "labels": {"tier": "1", "Team.Name": "Core"},
                "links": [{"url": "https://example.com/alpha", "title": "Site"}],
            },
            "spec": {
                "type": "service", "lifecycle": "production", "owner": "team-a", "system": "sys",
                "providesApis": ["api-one"], "dependsOn": ["resource:db"],
            },
            "relations": relations(&[
                ("dependsOn", "resource:default/db"), ("ownedBy", "group:default/team-a"),
                ("partOf", "system:default/sys"), ("providesApi", "api:default/api-one"),
            ]),
        }),
        json!({
            "kind": "Component",
            "metadata": {"name": "beta", "tags": ["java"]},
            "spec": {
                "type": "Service", "lifecycle": "experimental", "owner": "user:default/jane",
                "num": 5, "flag": true, "arr": [1, 2, true, {"d": 1}],
            },
            "relations": relations(&[("ownedBy", "user:default/jane")]),
        }),
        json!({
            "kind": "Component",
            "metadata": {"name": "gamma", "namespace": "other"},
            "spec": {"type": "library", "lifecycle": "production", "owner": "group:default/team-a"},
            "relations": relations(&[("ownedBy", "group:default/team-a")]),
        }),
    ]
}

fn others() -> Vec<Value> {
    let owned = relations(&[("ownedBy", "group:default/team-a")]);
    vec![
        json!({
            "kind": "API",
            "metadata": {"name": "api-one"},
            "spec": {"type": "openapi", "lifecycle": "production", "owner": "team-a", "definition": "openapi: 3.0.0"},
            "relations": owned,
        }),
        json!({
            "kind": "Resource",
            "metadata": {"name": "db"},
            "spec": {"type": "database", "owner": "team-a"},
            "relations": owned,
        }),
        json!({"kind": "System", "metadata": {"name": "sys"}, "spec": {"owner": "team-a"}, "relations": owned}),
        json!({"kind": "Group", "metadata": {"name": "team-a"}, "spec": {"type": "team", "children": []}, "relations": []}),
        json!({
            "kind": "User",
            "metadata": {"name": "jane"},
            "spec": {"memberOf": ["team-a"], "profile": {"displayName": "Jane"}},
            "relations": [],
        }),
        json!({
            "kind": "User",
            "metadata": {"name": "guest", "namespace": "development"},
            "spec": {"memberOf": []},
            "relations": [],
        }),
        json!({
            "kind": "Location",
            "metadata": {"name": "loc", "etag": "abc"},
            "spec": {"type": "file", "target": "/catalog/all.yaml"},
            "relations": [],
            "status": {"items": [{"level": "error"}]},
        }),
    ]
}

/// An index of the fixture.
pub(crate) fn index() -> Index {
    let mut index = Index::new();
    for (number, mut entity) in entities().into_iter().enumerate() {
        let namespace = entity["metadata"]["namespace"].as_str().unwrap_or("default").to_owned();
        let kind = entity["kind"].as_str().unwrap().to_lowercase();
        let entity_ref = format!("{kind}:{namespace}/{}", entity["metadata"]["name"].as_str().unwrap());
        entity["apiVersion"] = json!("backstage.io/v1alpha1");
        entity["metadata"]["namespace"] = json!(namespace);
        entity["metadata"]["uid"] = json!(uid(number));
        let id = i64::try_from(number).unwrap();
        index.put(&Prepared::new(id, &entity_ref, &uid(number), &entity.to_string()).unwrap());
    }
    index
}

/// An index of entities that have nothing but a ref, a uid and a spec.
pub(crate) fn index_of(specs: &[(&str, Value)]) -> Index {
    let mut index = Index::new();
    for (number, (entity_ref, spec)) in specs.iter().enumerate() {
        let name = entity_ref.rsplit('/').next().unwrap();
        let entity = json!({"kind": "k", "metadata": {"name": name}, "spec": spec});
        let id = i64::try_from(number).unwrap();
        // Uids go down while names go up.
        let uid = format!("uid-{:03}", 999 - number);
        index.put(&Prepared::new(id, entity_ref, &uid, &entity.to_string()).unwrap());
    }
    index
}

pub(crate) fn names<'a>(hits: impl IntoIterator<Item = &'a Hit>) -> Vec<&'a str> {
    hits.into_iter().map(|hit| hit.entity_ref.rsplit('/').next().unwrap()).collect()
}

pub(crate) fn sorted(hits: &[Hit]) -> Vec<&str> {
    let mut names = names(hits);
    names.sort_unstable();
    names
}

/// What `GET /entities?filter=...` finds.
pub(crate) fn filtered(index: &Index, filters: &[&str]) -> Vec<Hit> {
    let filter = parse_filters(filters).unwrap();
    index.list(&filter.iter().collect::<Vec<_>>(), None)
}

pub(crate) fn predicate(query: &Value) -> Predicate {
    Predicate::of_entities(query, Origin::Query).unwrap()
}

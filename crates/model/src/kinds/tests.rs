use serde_json::{Map, json};

use super::*;

fn entity(kind: &str, spec: Value) -> Entity {
    let mut entity = Entity::from_value(json!({
        "apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": {"name": "N", "namespace": "Ns"},
    }))
    .unwrap();
    entity.as_map_mut().insert("spec".to_owned(), spec);
    entity
}

/// Everything that a kind knows, in sound form.
fn full_spec(kind: &str) -> Value {
    match kind {
        "Component" => json!({
            "type": "service", "lifecycle": "production", "owner": "g", "system": "s", "subcomponentOf": "c",
            "providesApis": ["p"], "consumesApis": ["q"], "dependsOn": ["resource:r", "component:x/y"],
            "dependencyOf": ["component:z"],
        }),
        "API" => {
            json!({"type": "openapi", "lifecycle": "l", "owner": "user:u", "system": "s", "definition": "d"})
        }
        "Resource" => json!({
            "type": "t", "owner": "g", "system": "s", "dependsOn": ["component:c", "resource:r"],
            "dependencyOf": ["component:z"],
        }),
        "System" => json!({"type": "t", "owner": "g", "domain": "d"}),
        "Domain" => json!({"type": "t", "owner": "g", "subdomainOf": "d"}),
        "Group" => json!({
            "type": "team", "parent": "p", "children": ["c"], "members": ["m"],
            "profile": {"displayName": "D", "email": "e@example.com", "picture": "p"},
        }),
        "User" => json!({"memberOf": ["g"], "profile": {"displayName": "D", "email": "e", "picture": "p"}}),
        _ => json!({"type": "url", "target": "t", "targets": ["a", "b"], "presence": "optional"}),
    }
}

/// Relations as `type source target`, without the source's and target's common parts.
fn relations(kind: &str, spec: Value) -> Vec<String> {
    let own = format!("{}:ns/n", kind.to_lowercase());
    let own_or = |entity_ref: &EntityRef| {
        let text = entity_ref.to_canonical();
        if text == own { "self".to_owned() } else { text }
    };
    builtin_relations(&entity(kind, spec))
        .unwrap()
        .iter()
        .map(|relation| {
            format!("{} {} {}", own_or(&relation.source), relation.kind, own_or(&relation.target))
        })
        .collect()
}

#[test]
fn full_entities_of_every_kind_are_valid() {
    for kind in KINDS {
        for api_version in API_VERSIONS {
            let mut entity = entity(kind.name, full_spec(kind.name));
            entity.as_map_mut().insert("apiVersion".to_owned(), json!(api_version));
            assert_eq!(check_builtin_kind(&entity), Ok(KindCheck::Valid), "{}", kind.name);
        }
    }
}

#[test]
fn further_fields_are_free() {
    for kind in KINDS {
        let mut spec = full_spec(kind.name);
        spec["further"] = json!({"a": [null]});
        assert_eq!(check_builtin_kind(&entity(kind.name, spec)), Ok(KindCheck::Valid));
    }
}

#[test]
fn required_fields_are_required_in_order() {
    for kind in KINDS {
        let mut spec = json!({});
        for field in kind.required {
            let error = check_builtin_kind(&entity(kind.name, spec.clone())).unwrap_err();
            let message = format!("/spec must have required property '{field}' - missingProperty: {field}");
            assert_eq!(
                (error.name(), error.message, error.pointer.as_deref()),
                ("TypeError", message, Some("/spec"))
            );
            spec[*field] = full_spec(kind.name)[*field].clone();
        }
        assert_eq!(check_builtin_kind(&entity(kind.name, spec)), Ok(KindCheck::Valid));
    }
}

#[test]
fn every_field_must_have_its_shape() {
    for kind in KINDS {
        for (field, shape) in kind.fields {
            let (expected, nested) = match shape {
                Shape::Text | Shape::OneOf(_) => ("string", json!("")),
                Shape::Texts => ("array", json!([""])),
                Shape::Profile => ("object", json!({"displayName": ""})),
            };
            let message_for = |value: Value| {
                let mut spec = full_spec(kind.name);
                spec[*field] = value;
                let error = check_builtin_kind(&entity(kind.name, spec)).unwrap_err();
                assert_eq!(error.rule, format!("kind-schema/{}", kind.name));
                error.message
            };
            for value in [json!(null), json!(1)] {
                assert_eq!(
                    message_for(value),
                    format!("/spec/{field} must be {expected} - type: {expected}")
                );
            }
            let suffix = match shape {
                Shape::Text => " must NOT have fewer than 1 characters - limit: 1",
                Shape::OneOf(_) => {
                    " must be equal to one of the allowed values - allowedValues: required,optional"
                }
                Shape::Texts => "/0 must NOT have fewer than 1 characters - limit: 1",
                Shape::Profile => "/displayName must NOT have fewer than 1 characters - limit: 1",
            };
            assert_eq!(message_for(nested), format!("/spec/{field}{suffix}"));
        }
    }
}

#[test]
fn the_spec_itself_is_required() {
    let mut without = entity("User", json!({}));
    without.as_map_mut().remove("spec");
    let error = check_builtin_kind(&without).unwrap_err();
    assert_eq!(error.message, "<root> must have required property 'spec' - missingProperty: spec");
    let error = check_builtin_kind(&entity("User", json!("x"))).unwrap_err();
    assert_eq!(error.message, "/spec must be object - type: object");
}

#[test]
fn the_shared_schema_comes_before_the_kind() {
    let mut both = entity("User", json!({}));
    both.metadata_mut().insert("tags".to_owned(), json!(1));
    assert_eq!(check_builtin_kind(&both).unwrap_err().message, "/metadata/tags must be array - type: array");
}

#[test]
fn foreign_kinds_and_versions_are_left_to_others() {
    for (api_version, kind) in [
        ("backstage.io/v1alpha1", "component"),
        ("backstage.io/v1alpha1", "Template"),
        ("backstage.io/v1", "Component"),
        ("v1", "X"),
    ] {
        let value = json!({"apiVersion": api_version, "kind": kind, "metadata": 1});
        assert_eq!(check_builtin_kind(&Entity::from_value(value).unwrap()), Ok(KindCheck::NotMine));
    }
    for (value, message) in [
        (
            json!({"kind": "X"}),
            "<root> must have required property 'apiVersion' - missingProperty: apiVersion",
        ),
        (
            json!({"apiVersion": "v", "kind": 1, "metadata": {"name": "n"}}),
            "/kind must be string - type: string",
        ),
        (
            json!({"apiVersion": "", "kind": "User", "metadata": {"name": "n"}}),
            "/apiVersion must NOT have fewer than 1 characters - limit: 1",
        ),
    ] {
        assert_eq!(check_builtin_kind(&Entity::from_value(value).unwrap()).unwrap_err().message, message);
    }
}

#[test]
fn components_relate_to_everything() {
    assert_eq!(
        relations("Component", full_spec("Component")),
        [
            "self ownedBy group:ns/g",
            "group:ns/g ownerOf self",
            "self partOf component:ns/c",
            "component:ns/c hasPart self",
            "self providesApi api:ns/p",
            "api:ns/p apiProvidedBy self",
            "self consumesApi api:ns/q",
            "api:ns/q apiConsumedBy self",
            "self dependsOn resource:ns/r",
            "resource:ns/r dependencyOf self",
            "self dependsOn component:x/y",
            "component:x/y dependencyOf self",
            "self dependencyOf component:ns/z",
            "component:ns/z dependsOn self",
            "self partOf system:ns/s",
            "system:ns/s hasPart self",
        ]
    );
    let mut spec = full_spec("Component");
    spec["dependencyOf"] = json!(["component:z", "api:w"]);
    assert_eq!(relations("Component", spec).len(), 18);
}

#[test]
fn the_other_kinds_relate_by_their_tables() {
    let rows: &[(&str, &[&str])] = &[
        (
            "API",
            &[
                "self ownedBy user:ns/u",
                "user:ns/u ownerOf self",
                "self partOf system:ns/s",
                "system:ns/s hasPart self",
            ],
        ),
        (
            "Resource",
            &[
                "self ownedBy group:ns/g",
                "group:ns/g ownerOf self",
                "self dependsOn component:ns/c",
                "component:ns/c dependencyOf self",
                "self dependsOn resource:ns/r",
                "resource:ns/r dependencyOf self",
                "self dependencyOf component:ns/z",
                "component:ns/z dependsOn self",
                "self partOf system:ns/s",
                "system:ns/s hasPart self",
            ],
        ),
        (
            "System",
            &[
                "self ownedBy group:ns/g",
                "group:ns/g ownerOf self",
                "self partOf domain:ns/d",
                "domain:ns/d hasPart self",
            ],
        ),
        (
            "Domain",
            &[
                "self ownedBy group:ns/g",
                "group:ns/g ownerOf self",
                "self partOf domain:ns/d",
                "domain:ns/d hasPart self",
            ],
        ),
        (
            "Group",
            &[
                "self childOf group:ns/p",
                "group:ns/p parentOf self",
                "self parentOf group:ns/c",
                "group:ns/c childOf self",
                "self hasMember user:ns/m",
                "user:ns/m memberOf self",
            ],
        ),
        ("User", &["self memberOf group:ns/g", "group:ns/g hasMember self"]),
        ("Location", &[]),
        ("Template", &[]),
    ];
    for (kind, expected) in rows {
        assert_eq!(relations(kind, full_spec(kind)), *expected, "{kind}");
    }
}

#[test]
fn targets_inherit_the_namespace_unless_they_name_one() {
    let spec = json!({"owner": "user:ns2/bob", "system": "s"});
    assert_eq!(relations("Resource", spec)[0], "self ownedBy user:ns2/bob");
}

#[test]
fn relations_forgive_what_kind_checks_let_pass() {
    assert_eq!(relations("System", json!({"owner": "", "domain": null})), Vec::<String>::new());
    let single = relations("Component", json!({"dependencyOf": "component:z"}));
    assert_eq!(single, ["self dependencyOf component:ns/z", "component:ns/z dependsOn self"]);
    let compound = relations("Component", json!({"dependencyOf": [{"kind": "K", "name": "z"}]}));
    assert_eq!(compound, ["self dependencyOf k:ns/z", "k:ns/z dependsOn self"]);
    assert_eq!(builtin_relations(&Entity::from(Map::new())), Ok(vec![]));
}

#[test]
fn dependencies_must_name_a_kind() {
    let error = builtin_relations(&entity("Resource", json!({"dependsOn": ["nokind"]}))).unwrap_err();
    assert_eq!(
        (error.name(), error.message.as_str()),
        (
            "Error",
            r#"Entity reference "nokind" had missing or empty kind (e.g. did not start with "component:" or similar)"#
        )
    );
    assert_eq!((error.rule, error.pointer.as_deref()), ("relation/spec.dependsOn", Some("/spec/dependsOn")));
    let error = builtin_relations(&entity("User", json!({"memberOf": ["a:"]}))).unwrap_err();
    assert_eq!(error.message, r#"Entity reference "a:" was not on the form [<kind>:][<namespace>/]<name>"#);
}

#[test]
fn ref_lists_are_sorted_like_javascript_does() {
    let mut entity = entity(
        "Anything",
        json!({
            "dependsOn": ["b", "a", "B", "\u{ff5e}", "\u{1f600}"], "members": ["z", 1, "a"], "children": "x",
            "targets": ["b", "a"],
        }),
    );
    sort_builtin_arrays(&mut entity);
    assert_eq!(
        entity.spec().cloned().map(Value::Object).unwrap(),
        json!({
            "dependsOn": ["B", "a", "b", "\u{1f600}", "\u{ff5e}"], "members": ["z", 1, "a"], "children": "x",
            "targets": ["b", "a"],
        })
    );
    sort_builtin_arrays(&mut Entity::default());
}

use serde_json::json;

use super::*;

#[test]
fn parses_every_form() {
    let rows = [
        ("a", ("K", "ns", "a")),
        ("a:b", ("a", "ns", "b")),
        ("a/b", ("K", "a", "b")),
        ("a:b/c", ("a", "b", "c")),
        ("a:b:c", ("a", "ns", "b:c")),
        ("a/b/c", ("K", "a", "b/c")),
        ("a/b:c", ("K", "a", "b:c")),
        ("a:b/c/d", ("a", "b", "c/d")),
        ("a:b/c:d", ("a", "b", "c:d")),
        ("a:b:c/d", ("a", "b:c", "d")),
        (" a : b ", (" a ", "ns", " b ")),
    ];
    for (text, (kind, namespace, name)) in rows {
        let parsed = EntityRef::parse(text, Some("K"), Some("ns")).unwrap();
        assert_eq!(parsed, EntityRef::new(kind, namespace, name), "{text}");
    }
}

#[test]
fn fills_in_the_default_namespace_last() {
    for given in [None, Some("")] {
        assert_eq!(EntityRef::parse("a:b", None, given).unwrap().namespace, "default");
    }
}

#[test]
fn refuses_empty_parts() {
    for text in [":b", ":b/c", "a:/c", "/c", "a:", "a:b/", "a/", ":", "/", ":/"] {
        let error = EntityRef::parse(text, Some("K"), Some("ns")).unwrap_err();
        assert_eq!(
            error.message,
            format!("Entity reference \"{text}\" was not on the form [<kind>:][<namespace>/]<name>")
        );
        assert_eq!(error.name(), "TypeError");
    }
    let error = EntityRef::parse("", Some("K"), None).unwrap_err();
    assert_eq!((error.name(), error.message.as_str()), ("Error", "Entity reference must not be empty"));
}

#[test]
fn wants_a_kind_from_somewhere() {
    for default_kind in [None, Some("")] {
        let error = EntityRef::parse("no\"kind", default_kind, None).unwrap_err();
        let message = "Entity reference \"no\\\"kind\" had missing or empty kind (e.g. did not start with \"component:\" or similar)";
        assert_eq!((error.name(), error.message.as_str()), ("Error", message));
    }
}

#[test]
fn reads_the_compound_form() {
    let parsed = EntityRef::from_value(&json!({"name": "A"}), Some("Group"), Some("ns")).unwrap();
    assert_eq!(parsed, EntityRef::new("Group", "ns", "A"));
    let error = EntityRef::from_value(&json!(5), Some("Group"), None).unwrap_err();
    assert_eq!(error.message, "Entity reference 5 had missing or empty name");
    assert_eq!(
        EntityRef::from_value(&Value::Null, Some("Group"), None).unwrap_err().message,
        "Entity reference must not be empty"
    );
}

#[test]
fn the_canonical_text_is_lower_case_in_every_script() {
    assert_eq!(EntityRef::new("Component", "Default", "ÄÖ").to_string(), "component:default/äö");
    assert_eq!(EntityRef::new("C", "", "İΣ").to_canonical(), "c:/i\u{307}ς");
}

#[test]
fn canonical_texts_come_apart_again() {
    for text in ["component:default/a", "c:/a", "c:n/a/b:c"] {
        assert_eq!(EntityRef::from_canonical(text).unwrap().to_canonical(), text);
    }
    assert!(EntityRef::from_canonical("default/a").is_err());
    assert!(EntityRef::from_canonical("component:a").is_err());
}

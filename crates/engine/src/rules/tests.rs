use serde_json::json;

use super::*;

fn rules(global: &Value, locations: &Value) -> CatalogRules {
    let global = (!global.is_null()).then_some(global);
    CatalogRules::parse(global, locations.as_array().unwrap(), Path::new("/srv/app")).unwrap()
}

fn error(global: &Value, locations: &Value) -> String {
    let global = (!global.is_null()).then_some(global);
    CatalogRules::parse(global, locations.as_array().unwrap(), Path::new("/srv/app")).unwrap_err().to_string()
}

fn entity(kind: &str) -> Entity {
    Entity::from_value(json!({"kind": kind, "metadata": {"name": "n"}, "spec": {"type": "Service"}})).unwrap()
}

/// The kinds, of some, that may come in through `type:target`.
fn allowed(rules: &CatalogRules, location: &str) -> Vec<&'static str> {
    let (kind, target) = location.split_once(':').unwrap();
    let origin = LocationSpec::new(kind, target);
    let kinds = ["Component", "API", "Location", "User", "Group"];
    kinds.into_iter().filter(|kind| rules.is_allowed(&entity(kind), &origin)).collect()
}

#[test]
fn global_rules_say_what_comes_in_from_where() {
    let cases = [
        (json!(null), "url:x", vec!["Component", "API", "Location"]),
        (json!([]), "url:x", vec![]),
        (json!([{"allow": []}]), "url:x", vec![]),
        (json!([{"allow": ["group"]}]), "url:x", vec!["Group"]),
        (json!([{"allow": ["Group"], "locations": [{"type": "file"}]}]), "file:x", vec!["Group"]),
        (json!([{"allow": ["Group"], "locations": [{"type": "file"}]}]), "url:x", vec![]),
        (json!([{"allow": ["Group"], "locations": [{"type": "url"}]}]), "url:x", vec!["Group"]),
        (json!([{"allow": ["Group"], "locations": []}]), "url:x", vec![]),
        (json!([{"allow": ["Group"], "locations": [{"type": "url", "exact": "x"}]}]), "url:x", vec!["Group"]),
        (json!([{"allow": ["Group"], "locations": [{"type": "url", "exact": "x"}]}]), "url:X", vec![]),
        (json!([{"allow": [{"kind": "User"}]}]), "url:x", vec!["User"]),
        (json!([{"allow": [{"kind": "User", "spec.type": "SERVICE"}]}]), "url:x", vec!["User"]),
        (json!([{"allow": [{"kind": "User", "spec.type": "other"}]}]), "url:x", vec![]),
        (
            json!([{"allow": ["User"], "locations": [{"type": "file"}]}, {"allow": ["API"]}]),
            "url:x",
            vec!["API"],
        ),
    ];
    for (global, location, expected) in cases {
        assert_eq!(allowed(&rules(&global, &json!([])), location), expected, "{global} {location}");
    }
}

#[test]
fn a_location_s_own_rules_add_to_the_global_ones_for_exactly_its_target() {
    let locations = json!([
        {"type": "url", "target": "https://example.com/org.yaml", "rules": [{"allow": ["Group"]}]},
        {"type": "file", "target": "../catalog/./all.yaml", "rules": [{"allow": ["Group"]}]},
        {"type": "url", "target": "https://example.com/plain.yaml"},
    ]);
    let rules = rules(&json!([{"allow": ["User"]}]), &locations);
    for (location, expected) in [
        ("url:https://example.com/org.yaml", vec!["User", "Group"]),
        ("url:https://example.com/ORG.yaml", vec!["User"]),
        ("file:/srv/catalog/all.yaml", vec!["User", "Group"]),
        ("file:../catalog/./all.yaml", vec!["User"]),
        ("url:https://example.com/plain.yaml", vec!["User"]),
    ] {
        assert_eq!(allowed(&rules, location), expected, "{location}");
    }
}

#[test]
fn patterns_match_as_in_minimatch() {
    let cases = [
        (
            "https://github.com/org/*/blob/master/template.yaml",
            "https://github.com/ORG/r/blob/master/template.yaml",
            true,
        ),
        ("https://github.com/org/*", "https://github.com/org/repo", true),
        ("https://github.com/org/*", "https://github.com/org/repo/", true),
        ("https://github.com/org/*", "https://github.com/org/", false),
        ("https://github.com/org/*", "https://github.com/org/repo/blob/x", false),
        ("https://github.com/org/**", "https://github.com/org/repo/blob/x", true),
        ("https://github.com/**/x.yaml", "https://github.com/x.yaml", true),
        ("https://github.com/org/*", "https://github.com/org/.github", true),
        ("https://*.example.com/**", "https://git.example.com/a", true),
        ("https://*.example.com/**", "https://git.other.com/a", false),
        ("https://github.com/{a,b}/?", "https://github.com/b/x", true),
        ("https://github.com/[ab]/x", "https://github.com/c/x", false),
        ("https:/github.com/x", "https://github.com//x", true),
        ("!https://github.com/**", "https://github.com/a", false),
        ("!https://github.com/**", "https://gitlab.com/a", true),
        ("#https://github.com/*", "#https://github.com/a", false),
        (r"a\*", "a*", true),
        (r"a\*", "ab", false),
    ];
    for (pattern, target, expected) in cases {
        let global = json!([{"allow": ["API"], "locations": [{"type": "url", "pattern": pattern}]}]);
        let is_allowed =
            rules(&global, &json!([])).is_allowed(&entity("API"), &LocationSpec::new("url", target));
        assert_eq!(is_allowed, expected, "{pattern} {target}");
    }
}

#[test]
fn errors_name_the_place() {
    let none = json!([]);
    let located = |location: Value| {
        let mut rule = json!([{"allow": ["API"], "locations": []}]);
        rule[0]["locations"] = json!([location]);
        rule
    };
    let cases = [
        (json!({}), "Invalid type in config for key 'catalog.rules', got object, wanted object-array"),
        (json!([1]), "Invalid type in config for key 'catalog.rules[0]', got number, wanted object"),
        (json!([{}]), "Missing required config value at 'catalog.rules[0].allow'"),
        (
            json!([{"allow": "API"}]),
            "Invalid type in config for key 'catalog.rules[0].allow', got string, wanted array",
        ),
        (
            json!([{"allow": ["API", ""]}]),
            "Invalid type in config for key 'catalog.rules[0].allow[1]', got empty-string, wanted string",
        ),
        (json!([{"allow": [{}]}]), "Missing required config value at 'catalog.rules[0].allow[0].kind'"),
        (located(json!({})), "Missing required config value at 'catalog.rules[0].locations[0].type'"),
        (
            located(json!({"type": "url", "exact": "a", "pattern": "b"})),
            "A catalog rule location cannot have both exact and pattern values",
        ),
        (
            located(json!({"type": "url", "pattern": "+(a|b)"})),
            "Invalid pattern in config for key 'catalog.rules[0].locations[0].pattern', extended glob patterns are not \
             supported",
        ),
    ];
    for (global, expected) in cases {
        assert_eq!(error(&global, &none), expected, "{global}");
    }
    let location = json!([{"type": "url", "target": "x", "rules": [{"allow": [{"kind": "API"}]}]}]);
    assert_eq!(
        error(&Value::Null, &location),
        "Invalid type in config for key 'catalog.locations[0].rules[0].allow[0]', got object, wanted string"
    );
}

#[test]
fn fingerprints_follow_the_rules() {
    let print = |global: Value| rules(&global, &json!([])).fingerprint();
    assert_eq!(print(json!([{"allow": ["API"]}])), print(json!([{"allow": ["api"]}])));
    let different = [
        json!(null),
        json!([]),
        json!([{"allow": ["API"]}]),
        json!([{"allow": ["API"], "locations": []}]),
        json!([{"allow": ["API"], "locations": [{"type": "url"}]}]),
        json!([{"allow": ["API"], "locations": [{"type": "url", "exact": "x"}]}]),
        json!([{"allow": ["API"], "locations": [{"type": "url", "pattern": "x"}]}]),
        json!([{"allow": [{"kind": "API", "spec.type": "x"}]}]),
    ];
    let prints: std::collections::BTreeSet<_> = different.iter().cloned().map(print).collect();
    assert_eq!(prints.len(), different.len());
}

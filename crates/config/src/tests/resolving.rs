//! Substitution, files and includes.

use serde_json::json;

use super::{load_with, value};

#[test]
fn substitution_drops_what_has_no_value() {
    let variables = [("FOO", " foo "), ("EMPTY", ""), ("NAME", "FOO")];
    let text = "a: ${FOO}-${MISSING}\nb: [1, '${MISSING}', '${FOO}']\nc: $${FOO}\nd: $$${FOO}\ne: ${EMPTY}\n\
                f: ${EMPTY:-d}\ng: '${MISSING:-}'\nh: ${MISSING:-a:-b}\ni: $FOO\nj: {k: '${MISSING}'}\n${FOO}: key\n\
                l: {$env: FOO}\nm: {$env: MISSING}\nn: [{$env: FOO}, {$env: MISSING}]\no: {$env: '${NAME}'}\n\
                p: {$foo: x}\nq: {$secret: {env: X}}\nr: {$env: EMPTY}\n";
    assert_eq!(
        value(text, &[], &variables),
        json!({
            "b": [1, "foo"], "c": "${FOO}", "d": "$${FOO}", "e": "", "f": "d", "h": "a:-b", "i": "$FOO", "j": {},
            "${FOO}": "key", "l": "foo", "n": ["foo"], "o": "foo", "p": {"$foo": "x"}, "q": {"$secret": {"env": "X"}},
            "r": "",
        })
    );
}

#[test]
fn files_and_includes_are_resolved_relative_to_the_file_they_stand_in() {
    let files = [
        ("sub/i.yaml", "a: {b: '${FOO}', f: {$file: f.txt}, n: {$include: j.json#x}}\ns: ${FOO}\nnul: null"),
        ("sub/f.txt", "  text ${FOO} \n\n"),
        ("sub/j.json", r#"{"x": {"y": ["${FOO}"]}}"#),
        ("sub/empty.yaml", ""),
        ("sub/wrapped.yml", "k: {$include: i.yaml#s}"),
        ("sub/root.yaml", "$include: i.yaml"),
    ];
    let inner = json!({ "b": "foo", "f": "  text ${FOO}", "n": {"y": ["foo"]} });
    let table = [
        ("a: {$file: sub/f.txt}", json!({ "a": "  text ${FOO}" })),
        ("a: {$include: sub/i.yaml}", json!({ "a": {"a": inner, "s": "foo"} })),
        ("$include: sub/i.yaml", json!({ "a": inner, "s": "foo" })),
        ("a: [{$include: sub/i.yaml#a}]", json!({ "a": [inner] })),
        ("a: {$include: sub/i.yaml#s}", json!({ "a": "foo" })),
        ("a: {$include: sub/i.yaml#nope}", json!({})),
        ("a: {$include: sub/i.yaml#nul}", json!({})),
        ("a: {$include: sub/empty.yaml}", json!({})),
        ("a: {$include: 'sub/${MISSING:-i}.yaml#s'}", json!({ "a": "foo" })),
        ("a: {$include: sub/wrapped.yml}", json!({ "a": {"k": "foo"} })),
        ("a: {$include: sub/root.yaml}", json!({ "a": {"$include": "i.yaml"} })),
    ];
    for (text, expected) in table {
        assert_eq!(value(text, &files, &[("FOO", "foo")]), expected, "{text}");
    }
}

#[test]
fn wrong_includes_are_named_with_their_path() {
    let files = [
        ("i.yaml", "a: {x: 1}\ns: t"),
        ("x.toml", ""),
        ("bad.yaml", "a: 1\na: 2"),
        ("cycle.yaml", "a: {$include: cycle.yaml}"),
    ];
    let table = [
        ("a: {b: {$env: A, b: 1}}", ".a.b, include key $env should not have adjacent keys"),
        ("a: {b: 1, $include: c}", ".a, include key $include should not have adjacent keys"),
        ("a: {b: {$env: 5}}", ".a.b, $env include value is not a string"),
        ("a: {$env: '${MISSING}'}", ".a, $env substitution value was undefined"),
        (
            "a: [{b: 1}, {c: {$file: nope}}]",
            ".a[1].c, failed to read file nope, NotFoundError: failed to include \"nope\", file does not exist",
        ),
        ("a: {$include: none.yaml}", ".a, failed to include \"none.yaml\", file does not exist"),
        ("a: {$include: i.yaml#nope.x}", ".a, value at 'nope' in included file i.yaml is not an object"),
        ("a: {$include: i.yaml#s.x}", ".a, value at 's' in included file i.yaml is not an object"),
        ("a: {$include: x.toml}", ".a, no configuration parser available for included file x.toml"),
        (
            "a: {$include: bad.yaml}",
            ".a, failed to parse included file bad.yaml, YAMLParseError: Map keys must be unique at line 2, column 1",
        ),
    ];
    for (text, expected) in table {
        let expected = format!("Failed to read config file at \"app-config.yaml\", error at {expected}");
        assert_eq!(load_with(text, &files, &[]).unwrap_err(), expected, "{text}");
    }
    let cycle = load_with("a: {$include: cycle.yaml}", &files, &[]).unwrap_err();
    assert!(cycle.ends_with("values are nested more than 256 levels deep, includes followed"), "{cycle}");
}

#[test]
fn origins_follow_includes() {
    let files = [("sub/i.yaml", "# one\nx:\n  y: 1\n")];
    let config = load_with("a: 1\nb:\n  $include: sub/i.yaml\nc: {d: [1, {e: 2}]}\n", &files, &[]).unwrap();
    let origin = |key: &str| {
        let origin = config.origin(key).unwrap();
        (origin.file.rsplit('/').next().unwrap().to_owned(), origin.line.unwrap(), origin.column.unwrap())
    };
    assert_eq!(origin("a"), ("app-config.yaml".to_owned(), 1, 1));
    assert_eq!(origin("b.x.y"), ("i.yaml".to_owned(), 3, 3));
    assert_eq!(origin("c.d"), ("app-config.yaml".to_owned(), 4, 5));
    assert_eq!(config.origin("nope"), None);
    let effective = config.effective();
    let keys: Vec<_> = effective.iter().map(|value| value.key.as_str()).collect();
    assert_eq!(keys, ["a", "b.x.y", "c.d[0]", "c.d[1].e"]);
}

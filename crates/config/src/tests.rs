//! Helpers that write files and load them; the tests by subject.

mod loading;
mod reading;
mod resolving;
mod showing;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{Config, Sources};

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn sources(root: &Path) -> Sources {
    Sources {
        root: root.to_owned(),
        cwd: root.to_owned(),
        ..Sources::default()
    }
}

/// Loads `app-config.yaml` with `text`, beside `files`.
fn load_with(text: &str, files: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("app-config.yaml"), text).unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let sources = Sources {
        env: env(variables),
        ..sources(dir.path())
    };
    let root = format!("{}/", dir.path().display());
    Config::load(&sources).map_err(|error| error.to_string().replace(&root, ""))
}

fn value(text: &str, files: &[(&str, &str)], variables: &[(&str, &str)]) -> Value {
    load_with(text, files, variables).unwrap().get_value("").unwrap()
}

/// Merges layers by way of files, the lowest first.
fn merged(layers: &[&str]) -> Config {
    let dir = tempfile::tempdir().unwrap();
    let mut args = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let name = format!("f{index}.yaml");
        fs::write(dir.path().join(&name), layer).unwrap();
        args.push(name.into());
    }
    Config::load(&Sources {
        args,
        ..sources(dir.path())
    })
    .unwrap()
}

#[test]
fn default_files_come_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        fs::write(
            dir.path().join(name),
            format!("last: {name}\n{}: 1", name.replace('.', "-")),
        )
        .unwrap()
    };
    let load = |names: &str| {
        Config::load(&Sources {
            env: env(&[("BACKSTAGE_ENV", names)]),
            ..sources(dir.path())
        })
        .map(|config| config.get_str("last").unwrap())
        .map_err(|error| error.to_string())
    };
    let missing = format!(
        "Config file \"{}\" does not exist",
        dir.path().join("app-config.yaml").display()
    );
    assert_eq!(load(""), Err(missing));
    write("app-config.yaml");
    write("app-config.production.yaml");
    assert_eq!(load("").unwrap(), "app-config.yaml");
    write("app-config.dev.yaml");
    write("app-config.test.yaml");
    assert_eq!(load("dev, test,,").unwrap(), "app-config.test.yaml");
    write("app-config.local.yaml");
    assert_eq!(load("dev").unwrap(), "app-config.local.yaml");
    write("app-config.dev.local.yaml");
    assert_eq!(load("dev").unwrap(), "app-config.dev.local.yaml");
    assert_eq!(load("").unwrap(), "app-config.local.yaml");
}

#[test]
fn a_missing_default_file_can_be_fine() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::load(&Sources {
        allow_missing_default: true,
        ..sources(dir.path())
    })
    .unwrap();
    assert_eq!(config.get_value(""), Some(json!({})));
}

#[test]
fn explicit_files_replace_the_default_ones() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("app-config.yaml", "a: base"),
        ("app-config.local.yaml", "b: local"),
        ("x.yaml", "a: x"),
        ("y.yaml", "a: y"),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let load = |args: &[&str]| {
        let args = args.iter().map(Into::into).collect();
        Config::load(&Sources {
            args,
            env: env(&[("BACKSTAGE_ENV", "local")]),
            ..sources(dir.path())
        })
    };
    assert_eq!(
        load(&["y.yaml", "x.yaml"]).unwrap().get_value(""),
        Some(json!({ "a": "x" }))
    );
    assert_eq!(
        load(&["x.yaml", "y.yaml"]).unwrap().get_value(""),
        Some(json!({ "a": "y" }))
    );
    let missing = format!(
        "Config file \"{}\" does not exist",
        dir.path().join("z.yaml").display()
    );
    assert_eq!(load(&["z.yaml"]).unwrap_err().to_string(), missing);
    assert_eq!(
        load(&["https://example.com/a.yaml"]).unwrap_err().to_string(),
        "Config argument \"https://example.com/a.yaml\" looks like a URL but remote configuration is not enabled"
    );
    for path in ["C:\\a.yaml", "file:///a.yaml", "a:b"] {
        assert!(
            matches!(load(&[path]), Err(ConfigError::FileMissing { .. })),
            "{path}"
        );
    }
}

#[test]
fn files_without_values_contribute_nothing() {
    for text in ["", "# only a comment", "~", "---\n"] {
        assert_eq!(value(text, &[], &[]), json!({}), "{text:?}");
    }
}

#[test]
fn broken_files_are_named_with_the_line() {
    let table = [
        (
            "- a",
            "Failed to read config file at \"app-config.yaml\", expected object at config root",
        ),
        (
            "foo",
            "Failed to read config file at \"app-config.yaml\", expected object at config root",
        ),
        (
            "a: 1\na: 2",
            "Failed to read config file at \"app-config.yaml\", YAMLParseError: Map keys must be unique at line 2, column 1",
        ),
        (
            "a: 1\n---\nb: 2",
            "Failed to read config file at \"app-config.yaml\", YAMLParseError: \
             Source contains multiple documents, expected one at line 2, column 1",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(load_with(text, &[], &[]).unwrap_err(), expected, "{text:?}");
    }
    assert!(
        load_with("a: [", &[], &[])
            .unwrap_err()
            .contains("YAMLParseError: ")
    );
}

#[test]
fn values_are_those_of_yaml_1_2() {
    assert_eq!(
        value(
            "a: yes\nb: 0o17\nc: 017\nd: 2020-01-01\ne: &e {x: 1}\nf: {<<: *e}",
            &[],
            &[]
        ),
        json!({ "a": "yes", "b": 15, "c": 17, "d": "2020-01-01", "e": {"x": 1}, "f": {"<<": {"x": 1}} })
    );
}

#[test]
fn layers_merge_by_object() {
    let table: [(&[&str], Value); 9] = [
        (
            &["a: {x: 1, y: 1}", "a: {y: 2, z: 3}"],
            json!({ "a": {"x": 1, "y": 2, "z": 3} }),
        ),
        (&["a: [{x: 1, y: 2}]", "a: [{x: 3}]"], json!({ "a": [{"x": 3}] })),
        (&["a: {x: 1}", "a: 5"], json!({ "a": 5 })),
        (&["a: 5", "a: {x: 1}"], json!({ "a": {"x": 1} })),
        (&["a: {x: 1, y: 2}", "a: {x: null}"], json!({ "a": {"y": 2} })),
        (
            &["a: {x: {p: 1}}", "a: {x: null}", "a: {x: {q: 2}}"],
            json!({ "a": {"x": {"q": 2}} }),
        ),
        (&["a: {x: 1}", "a: null"], json!({})),
        (&["a: 1", "", "b: 2"], json!({ "a": 1, "b": 2 })),
        (&["b: 1\na: 1", "c: 1\na: 2"], json!({ "b": 1, "a": 2, "c": 1 })),
    ];
    for (layers, expected) in table {
        assert_eq!(merged(layers).get_value("").unwrap(), expected, "{layers:?}");
    }
    let config = merged(&["a: {x: 1, y: 2}", "a: {x: null}"]);
    assert!(!config.has("a.x"));
    assert_eq!(config.get_config("a").unwrap().keys(), ["y"]);
}

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
        (
            "sub/i.yaml",
            "a: {b: '${FOO}', f: {$file: f.txt}, n: {$include: j.json#x}}\ns: ${FOO}\nnul: null",
        ),
        ("sub/f.txt", "  text ${FOO} \n\n"),
        ("sub/j.json", r#"{"x": {"y": ["${FOO}"]}}"#),
        ("sub/empty.yaml", ""),
        ("sub/wrapped.yml", "k: {$include: i.yaml#s}"),
        ("sub/root.yaml", "$include: i.yaml"),
    ];
    let inner = json!({ "b": "foo", "f": "  text ${FOO}", "n": {"y": ["foo"]} });
    let table = [
        ("a: {$file: sub/f.txt}", json!({ "a": "  text ${FOO}" })),
        (
            "a: {$include: sub/i.yaml}",
            json!({ "a": {"a": inner, "s": "foo"} }),
        ),
        ("$include: sub/i.yaml", json!({ "a": inner, "s": "foo" })),
        (
            "a: [{$include: sub/i.yaml#a.n}]",
            json!({ "a": [{"y": ["foo"]}] }),
        ),
        ("a: {$include: sub/i.yaml#s}", json!({ "a": "foo" })),
        ("a: {$include: sub/i.yaml#nope}", json!({})),
        ("a: {$include: sub/i.yaml#nul}", json!({})),
        ("a: {$include: sub/empty.yaml}", json!({})),
        ("a: {$include: 'sub/${MISSING:-i}.yaml#s'}", json!({ "a": "foo" })),
        ("a: {$include: sub/wrapped.yml}", json!({ "a": {"k": "foo"} })),
        (
            "a: {$include: sub/root.yaml}",
            json!({ "a": {"$include": "i.yaml"} }),
        ),
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
        (
            "a: {b: {$env: A, b: 1}}",
            ".a.b, include key $env should not have adjacent keys",
        ),
        (
            "a: {b: 1, $include: c}",
            ".a, include key $include should not have adjacent keys",
        ),
        ("a: {b: {$env: 5}}", ".a.b, $env include value is not a string"),
        (
            "a: {$env: '${MISSING}'}",
            ".a, $env substitution value was undefined",
        ),
        (
            "a: [{b: 1}, {c: {$file: nope}}]",
            ".a[1].c, failed to read file nope, NotFoundError: failed to include \"nope\", file does not exist",
        ),
        (
            "a: {$include: none.yaml}",
            ".a, failed to include \"none.yaml\", file does not exist",
        ),
        (
            "a: {$include: i.yaml#nope.x}",
            ".a, value at 'nope' in included file i.yaml is not an object",
        ),
        (
            "a: {$include: i.yaml#s.x}",
            ".a, value at 's' in included file i.yaml is not an object",
        ),
        (
            "a: {$include: x.toml}",
            ".a, no configuration parser available for included file x.toml",
        ),
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
    assert!(
        cycle.ends_with("values are nested more than 256 levels deep, includes followed"),
        "{cycle}"
    );
}

#[test]
fn variables_are_the_highest_layer() {
    let variables = [
        ("APP_CONFIG_a", "\"false\""),
        ("APP_CONFIG_b", "false"),
        ("APP_CONFIG_c", "07"),
        ("APP_CONFIG_d", "text"),
        ("APP_CONFIG_e_f", "{\"x\": 1}"),
        ("APP_CONFIG_e_g-h", "5"),
        ("APP_CONFIG_i", ""),
        ("APP_CONFIG_k", "${FOO}"),
        ("APP_CONFIG_m", "{\"x\": 1}"),
        ("APP_CONFIG_m_y", "2"),
        ("OTHER", "x"),
    ];
    assert_eq!(
        value("a: 1\nz: 1\ne: {f: {y: 2}}", &[], &variables),
        json!({
            "a": "false", "z": 1, "e": {"f": {"y": 2, "x": 1}, "g-h": 5}, "b": false, "c": "07", "d": "text",
            "k": "${FOO}", "m": {"x": 1, "y": 2},
        })
    );
    let origin = load_with("a: 1", &[], &variables)
        .unwrap()
        .origin("e.g-h")
        .unwrap();
    assert_eq!(origin.to_string(), "APP_CONFIG_e_g-h");
}

#[test]
fn wrong_variables_are_refused() {
    let table: [(&[(&str, &str)], &str); 7] = [
        (
            &[("APP_CONFIG_a", "null")],
            "Failed to parse JSON-serialized config value for key 'a', Error: value may not be null",
        ),
        (
            &[("APP_CONFIG_a", "1"), ("APP_CONFIG_a_b", "2")],
            "Could not nest config for key 'a_b' under existing value 'a'",
        ),
        (
            &[("APP_CONFIG_a", "{\"b\": 1}"), ("APP_CONFIG_a_b", "2")],
            "Refusing to override existing config at key 'a_b'",
        ),
        (&[("APP_CONFIG_fo_0", "1")], "Invalid env config key 'fo_0'"),
        (&[("APP_CONFIG_foo_", "1")], "Invalid env config key 'foo_'"),
        (&[("APP_CONFIG_", "1")], "Invalid env config key ''"),
        (&[("APP_CONFIG_a__b", "1")], "Invalid env config key 'a__b'"),
    ];
    for (variables, expected) in table {
        assert_eq!(
            load_with("", &[], variables).unwrap_err(),
            expected,
            "{variables:?}"
        );
    }
}

fn message<T: std::fmt::Debug>(result: Result<T, ConfigError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn messages_name_the_file_and_the_full_key() {
    let config = merged(&[
        "a: {x: 1, s: str, e: '', l: [a, '']}\nn: 5\narr: [x]\nobjs: [{a: 1}, 2]\no2: [{n: null, b: x}]",
        "a: {y: 2}\nz: {k: 1}",
        "q: 1",
    ]);
    let sub = config.get_config("a").unwrap();
    let element = config.get_configs("o2").unwrap().remove(0);
    let table = [
        (
            message(config.get_str("nope.x")),
            "Missing required config value at 'nope.x' in 'f2.yaml'",
        ),
        (
            message(config.get_config("nope")),
            "Missing required config value at 'nope' in 'f2.yaml'",
        ),
        (
            message(sub.get_str("nope")),
            "Missing required config value at 'a.nope' in 'f1.yaml'",
        ),
        (
            message(element.get_str("n")),
            "Missing required config value at 'o2[0].n' in 'f2.yaml'",
        ),
        (
            message(config.get_str("a.x")),
            "Invalid type in config for key 'a.x' in 'f0.yaml', got number, wanted string",
        ),
        (
            message(sub.get_str("x")),
            "Invalid type in config for key 'a.x' in 'f0.yaml', got number, wanted string",
        ),
        (
            message(config.get_str("a.e")),
            "Invalid type in config for key 'a.e' in 'f0.yaml', got empty-string, wanted string",
        ),
        (
            message(config.get_strs("a.l")),
            "Invalid type in config for key 'a.l[1]' in 'f0.yaml', got empty-string, wanted string-array",
        ),
        (
            message(config.get_strs("a.s")),
            "Invalid type in config for key 'a.s' in 'f0.yaml', got string, wanted string-array",
        ),
        (
            message(config.get_f64("a.s")),
            "Unable to convert config value for key 'a.s' in 'f2.yaml' to a number",
        ),
        (
            message(config.get_f64("arr")),
            "Invalid type in config for key 'arr' in 'f0.yaml', got array, wanted number",
        ),
        (
            message(config.get_bool("n")),
            "Unable to convert config value for key 'n' in 'f2.yaml' to a boolean",
        ),
        (
            message(config.get_bool("arr")),
            "Invalid type in config for key 'arr' in 'f0.yaml', got array, wanted boolean",
        ),
        (
            message(config.get_str("n.x")),
            "Invalid type in config for key 'n' in 'f0.yaml', got number, wanted object",
        ),
        (
            message(config.get_config("n")),
            "Invalid type in config for key 'n' in 'f0.yaml', got number, wanted object",
        ),
        (
            message(config.get_configs("objs")),
            "Invalid type in config for key 'objs[1]' in 'f0.yaml', got number, wanted object-array",
        ),
        (
            message(element.get_f64("b")),
            "Unable to convert config value for key 'o2[0].b' in 'f2.yaml' to a number",
        ),
        (message(config.get_str("a.0")), "Invalid config key 'a.0'"),
    ];
    for (found, expected) in table {
        assert_eq!(found, expected);
    }
    let error = config.get_str("a.x").unwrap_err();
    let origin = error.origin().unwrap();
    assert!(
        origin.file.ends_with("f0.yaml") && origin.line == Some(1) && origin.column == Some(5),
        "{origin}"
    );
}

#[test]
fn keys_are_checked() {
    for key in ["a_b", "a-b", "a:b", "A", "a1.b2", "a-1"] {
        assert_eq!(Config::empty().get_opt_str(key), Ok(None), "{key}");
    }
    for key in ["a.0", "a[0]", "/x", "_a", "a..b", "a-", "1a", "a.", "é", " a"] {
        assert!(
            matches!(
                Config::empty().get_opt_str(key),
                Err(ConfigError::InvalidKey { .. })
            ),
            "{key}"
        );
    }
}

#[test]
fn booleans_and_numbers_may_be_texts() {
    let bools = [
        (json!("y"), Some(true)),
        (json!("YES"), Some(true)),
        (json!(" true "), Some(true)),
        (json!("1"), Some(true)),
        (json!("on"), Some(true)),
        (json!(1), Some(true)),
        (json!("N"), Some(false)),
        (json!("off"), Some(false)),
        (json!(0), Some(false)),
        (json!(2), None),
        (json!(""), None),
    ];
    for (value, expected) in bools {
        let config = Config::from_value("c", json!({ "b": value }));
        assert_eq!(config.get_bool("b").ok(), expected, "{value}");
    }
    let numbers = [
        (json!("12.5"), Some(12.5)),
        (json!(""), Some(0.0)),
        (json!(" 7 "), Some(7.0)),
        (json!("0x10"), Some(16.0)),
        (json!("1e3"), Some(1000.0)),
        (json!(-3), Some(-3.0)),
        (json!("x"), None),
        (json!("Infinity"), None),
        (json!("inf"), None),
        (json!("NaN"), None),
        (json!(true), None),
    ];
    for (value, expected) in numbers {
        let config = Config::from_value("c", json!({ "n": value }));
        assert_eq!(config.get_f64("n").ok(), expected, "{value}");
    }
    let config = Config::from_value("c", json!({ "a": "12", "b": -1, "c": 1.5 }));
    assert_eq!(config.get_u64("a"), Ok(12));
    assert_eq!(config.get_opt_u64("d"), Ok(None));
    let expected = "Unable to convert config value for key 'b' in 'c' to a whole number from zero on";
    assert_eq!(message(config.get_u64("b")), expected);
    assert!(config.get_u64("c").is_err());
}

#[test]
fn durations_name_the_full_key() {
    let config = Config::from_value(
        "c",
        json!({ "a": { "ok": "30m", "obj": {"hours": 1}, "bad": "1h 30m", "n": 30, "unit": {"minute": 1}, "e": "" } }),
    );
    let sub = config.get_config("a").unwrap();
    assert_eq!(sub.get_opt_duration("ok"), Ok(Some(Duration::from_mins(30))));
    assert_eq!(sub.get_duration("obj"), Ok(Duration::from_hours(1)));
    assert_eq!(sub.get_opt_duration("nope"), Ok(None));
    assert_eq!(
        message(sub.get_duration("bad")),
        "Invalid duration '1h 30m' in config at 'a.bad', Error: Not a valid duration string, \
         try a number followed by a unit such as '1d' or '2 seconds'"
    );
    assert_eq!(
        message(sub.get_duration("n")),
        "Invalid type in config for key 'a.n' in 'c', got number, wanted object"
    );
    assert!(message(sub.get_duration("unit")).starts_with(
        "Failed to read duration from config at 'a.unit', Error: Unknown property 'minute'; expected one or more of 'years', "
    ));
    assert!(message(sub.get_duration("e")).ends_with("got empty-string, wanted string"));
}

#[test]
fn routes_are_read_as_entries() {
    let config = Config::from_value(
        "c",
        json!({ "proxy": { "endpoints": { "/a": "https://example.com", "/b": {"target": 5}, "/n": null } } }),
    );
    let entries = config.entries("proxy.endpoints").unwrap();
    let names: Vec<_> = entries.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["/a", "/b"]);
    assert_eq!(entries[0].1.get_str("").unwrap(), "https://example.com");
    assert_eq!(
        message(entries[1].1.get_str("target")),
        "Invalid type in config for key 'proxy.endpoints./b.target' in 'c', got number, wanted string"
    );
    assert!(config.entries("nope").unwrap().is_empty());
}

#[test]
fn origins_follow_includes() {
    let files = [("sub/i.yaml", "# one\nx:\n  y: 1\n")];
    let config = load_with(
        "a: 1\nb:\n  $include: sub/i.yaml\nc: {d: [1, {e: 2}]}\n",
        &files,
        &[],
    )
    .unwrap();
    let origin = |key: &str| {
        let origin = config.origin(key).unwrap();
        (
            origin.file.rsplit('/').next().unwrap().to_owned(),
            origin.line.unwrap(),
            origin.column.unwrap(),
        )
    };
    assert_eq!(origin("a"), ("app-config.yaml".to_owned(), 1, 1));
    assert_eq!(origin("b.x.y"), ("i.yaml".to_owned(), 3, 3));
    assert_eq!(origin("c.d"), ("app-config.yaml".to_owned(), 4, 5));
    assert_eq!(config.origin("nope"), None);
    let effective = config.effective();
    let keys: Vec<_> = effective.iter().map(|value| value.key.as_str()).collect();
    assert_eq!(keys, ["a", "b.x.y", "c.d[0]", "c.d[1].e"]);
}

fn with_secrets() -> Config {
    Config::from_value(
        "c",
        json!({
            "backend": {
                "auth": { "keys": [{"secret": "key-secret"}] },
                "database": { "connection": "postgresql://me:pg-pass@db.example.com/x", "client": "pg" },
                "https": { "certificate": {"cert": "public", "key": "tls-key"} },
            },
            "integrations": {
                "github": [{ "host": "github.com", "token": " gh-token ", "apps": [{"privateKey": "pem", "clientId": "id"}] }],
            },
            "proxy": { "endpoints": { "/x": {
                "target": "https://example.com", "credentials": "require", "headers": {"Authorization": "Bearer abc"},
            } } },
            "custom": { "apiKey": "k-123", "secretName": "vault/x", "tokenUrl": "https://example.com/t", "password": "1",
                        "dsn": "Server=x;Password=dsn-pass;Db=y", "tokens": ["t-one"] },
        }),
    )
}

#[test]
fn secrets_are_masked_when_printed() {
    assert_eq!(
        with_secrets().redacted_value(),
        json!({
            "backend": {
                "auth": { "keys": [{"secret": "***"}] },
                "database": { "connection": "postgresql://me:***@db.example.com/x", "client": "pg" },
                "https": { "certificate": {"cert": "public", "key": "***"} },
            },
            "integrations": {
                "github": [{ "host": "github.com", "token": "***", "apps": [{"privateKey": "***", "clientId": "id"}] }],
            },
            "proxy": { "endpoints": { "/x": {
                "target": "https://example.com", "credentials": "require", "headers": {"Authorization": "***"},
            } } },
            "custom": { "apiKey": "***", "secretName": "vault/x", "tokenUrl": "https://example.com/t", "password": "***",
                        "dsn": "Server=x;Password=***;Db=y", "tokens": ["***"] },
        })
    );
    let github = with_secrets()
        .get_configs("integrations.github")
        .unwrap()
        .remove(0);
    assert_eq!(github.redacted_value()["token"], json!("***"));
    let shown: Vec<_> = github
        .effective()
        .into_iter()
        .map(|value| (value.key, value.value))
        .collect();
    assert_eq!(
        shown[1],
        ("integrations.github[0].token".to_owned(), json!("***"))
    );
}

#[test]
fn secrets_are_cut_out_of_texts() {
    let config = with_secrets();
    let table = [
        ("GET with gh-token failed", "GET with *** failed"),
        ("gh-tokengh-token", "******"),
        (
            "key-secret tls-key pem k-123 t-one pg-pass dsn-pass",
            "*** *** *** *** *** *** ***",
        ),
        ("header Bearer abc", "header ***"),
        ("1 require pg vault/x", "1 require pg vault/x"),
    ];
    for (text, expected) in table {
        assert_eq!(config.redact(text), expected);
    }
    assert_eq!(config.get_config("custom").unwrap().redact("gh-token"), "***");
}

#[test]
fn secrets_do_not_show_themselves() {
    let secret = with_secrets().get_opt_secret("custom.apiKey").unwrap().unwrap();
    assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    assert_eq!(secret.expose(), "k-123");
    assert!(!format!("{:?}", with_secrets()).contains("k-123"));
    let sources = Sources {
        env: env(&[("TOKEN", "visible")]),
        ..Sources::default()
    };
    assert!(!format!("{sources:?}").contains("visible"));
}

#[test]
fn unknown_and_old_keys_are_found() {
    let text = "\
app: {anything: 1}
catalog:
  rule: []
  rules: [{allow: [API, {kind: Template, spec.type: x}]}]
  processingInterval: {minute: 1}
  stitchingStrategy: {mode: deferred}
  processors: {githubApi: {}, azureApi: {}}
  providers: {mine: {any: 1}}
backend:
  reading: {allow: [{hosts: x}]}
  listen: ':7007'
  csp: {default-src: [x]}
integrations:
  github: [{host: github.com, tokn: x}]
  azure: [{host: dev.azure.com, token: x}]
proxy:
  '/old': {target: x}
  endpoints: {'/new': {target: x, chngeOrigin: true}}
  somethingElse: 1
events: {http: {topics: [a]}}
permissions: {enabled: true}
callboard: {own: 1, reading: {maxBodyBites: 1}}
";
    let config = load_with(text, &[], &[]).unwrap();
    let found: Vec<_> = config
        .check()
        .into_iter()
        .map(|finding| (finding.severity, finding.origin.line.unwrap(), finding.message))
        .collect();
    let expected = [
        (
            Severity::Warning,
            3,
            "unknown key 'catalog.rule', did you mean 'rules'?",
        ),
        (
            Severity::Warning,
            5,
            "unknown key 'catalog.processingInterval.minute', did you mean 'minutes'?",
        ),
        (
            Severity::Warning,
            6,
            "'catalog.stitchingStrategy.mode' has no effect: removed in catalog backend 4.0",
        ),
        (
            Severity::Error,
            7,
            "Using deprecated configuration for catalog.processors.azureApi, move to using integrations.azure instead",
        ),
        (
            Severity::Warning,
            10,
            "unknown key 'backend.reading.allow[0].hosts', did you mean 'host'?",
        ),
        (
            Severity::Warning,
            14,
            "unknown key 'integrations.github[0].tokn', did you mean 'token'?",
        ),
        (
            Severity::Error,
            15,
            "'integrations.azure[].token' has been removed, use 'credentials' instead",
        ),
        (
            Severity::Warning,
            17,
            "'proxy./old' is deprecated: move the route below 'proxy.endpoints'",
        ),
        (
            Severity::Warning,
            18,
            "unknown key 'proxy.endpoints./new.chngeOrigin', did you mean 'changeOrigin'?",
        ),
        (Severity::Warning, 19, "unknown key 'proxy.somethingElse'"),
        (
            Severity::Warning,
            21,
            "unknown key 'permissions', did you mean 'permission'?",
        ),
        (
            Severity::Warning,
            22,
            "unknown key 'callboard.reading.maxBodyBites', did you mean 'maxBodyBytes'?",
        ),
    ];
    let expected: Vec<_> = expected
        .map(|(severity, line, text)| (severity, line, text.to_owned()))
        .into();
    assert_eq!(found, expected);
}

#[test]
fn findings_show_where_they_are() {
    let config = Config::from_value("app-config.yaml", json!({ "catalog": {"rulez": 1} }));
    let finding = config.check().remove(0);
    assert_eq!(
        finding.to_string(),
        "app-config.yaml: warning: unknown key 'catalog.rulez', did you mean 'rules'?"
    );
    assert!(config.check_with(&["catalog.rulez"]).is_empty());
}

#[test]
fn clones_are_snapshots() {
    let config = Config::from_value("c", json!({ "a": {"b": 1} }));
    let sub = config.clone().get_config("a").unwrap();
    drop(config);
    assert_eq!(sub.get_f64("b").unwrap().to_string(), "1");
}

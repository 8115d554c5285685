//! Which files count, and how they merge.

use std::fs;

use serde_json::{Value, json};

use super::{env, load_with, merged, sources, value};
use crate::{Config, ConfigError, Sources};

#[test]
fn default_files_come_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let text = format!("last: {name}\n{}: 1", name.replace('.', "-"));
        fs::write(dir.path().join(name), text).unwrap();
    };
    let load = |names: &str| {
        Config::load(&Sources { env: env(&[("BACKSTAGE_ENV", names)]), ..sources(dir.path()) })
            .map(|config| config.get_str("last").unwrap())
            .map_err(|error| error.to_string())
    };
    let missing = format!("Config file \"{}\" does not exist", dir.path().join("app-config.yaml").display());
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
    let config = Config::load(&Sources { allow_missing_default: true, ..sources(dir.path()) }).unwrap();
    assert_eq!(config.get_opt_value("").unwrap(), Some(json!({})));
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
        Config::load(&Sources { args, env: env(&[("BACKSTAGE_ENV", "local")]), ..sources(dir.path()) })
    };
    assert_eq!(load(&["y.yaml", "x.yaml"]).unwrap().get_opt_value("").unwrap(), Some(json!({ "a": "x" })));
    assert_eq!(load(&["x.yaml", "y.yaml"]).unwrap().get_opt_value("").unwrap(), Some(json!({ "a": "y" })));
    let missing = format!("Config file \"{}\" does not exist", dir.path().join("z.yaml").display());
    assert_eq!(load(&["z.yaml"]).unwrap_err().to_string(), missing);
    assert_eq!(
        load(&["https://example.com/a.yaml"]).unwrap_err().to_string(),
        "Config argument \"https://example.com/a.yaml\" looks like a URL but remote configuration is not enabled"
    );
    for path in ["C:\\a.yaml", "file:///a.yaml", "a:b"] {
        assert!(matches!(load(&[path]), Err(ConfigError::FileMissing { .. })), "{path}");
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
        ("- a", "Failed to read config file at \"app-config.yaml\", expected object at config root"),
        ("foo", "Failed to read config file at \"app-config.yaml\", expected object at config root"),
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
    assert!(load_with("a: [", &[], &[]).unwrap_err().contains("YAMLParseError: "));
}

#[test]
fn values_are_those_of_yaml_1_2() {
    assert_eq!(
        value("a: yes\nb: 0o17\nc: 017\nd: 2020-01-01\ne: &e {x: 1}\nf: {<<: *e}", &[], &[]),
        json!({ "a": "yes", "b": 15, "c": 17, "d": "2020-01-01", "e": {"x": 1}, "f": {"<<": {"x": 1}} })
    );
}

#[test]
fn layers_merge_by_object() {
    let table: [(&[&str], Value); 9] = [
        (&["a: {x: 1, y: 1}", "a: {y: 2, z: 3}"], json!({ "a": {"x": 1, "y": 2, "z": 3} })),
        (&["a: [{x: 1, y: 2}]", "a: [{x: 3}]"], json!({ "a": [{"x": 3}] })),
        (&["a: {x: 1}", "a: 5"], json!({ "a": 5 })),
        (&["a: 5", "a: {x: 1}"], json!({ "a": {"x": 1} })),
        (&["a: {x: 1, y: 2}", "a: {x: null}"], json!({ "a": {"y": 2} })),
        (&["a: {x: {p: 1}}", "a: {x: null}", "a: {x: {q: 2}}"], json!({ "a": {"x": {"q": 2}} })),
        (&["a: {x: 1}", "a: null"], json!({})),
        (&["a: 1", "", "b: 2"], json!({ "a": 1, "b": 2 })),
        (&["b: 1\na: 1", "c: 1\na: 2"], json!({ "b": 1, "a": 2, "c": 1 })),
    ];
    for (layers, expected) in table {
        assert_eq!(merged(layers).get_opt_value("").unwrap().unwrap(), expected, "{layers:?}");
    }
    let config = merged(&["a: {x: 1, y: 2}", "a: {x: null}"]);
    assert!(!config.has("a.x"));
    assert_eq!(config.get_config("a").unwrap().keys(), ["y"]);
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
    let origin = load_with("a: 1", &[], &variables).unwrap().origin("e.g-h").unwrap();
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
        assert_eq!(load_with("", &[], variables).unwrap_err(), expected, "{variables:?}");
    }
}

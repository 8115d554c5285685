//! Typed reads and their messages.

use std::time::Duration;

use serde_json::json;

use super::merged;
use crate::{Config, ConfigError};

fn message<T: std::fmt::Debug>(result: Result<T, ConfigError>) -> String {
    result.unwrap_err().to_string()
}

fn layered() -> Config {
    merged(&[
        "a: {x: 1, s: str, e: '', l: [a, '']}\nn: 5\narr: [x]\nobjs: [{a: 1}, 2]\no2: [{n: null, b: x}]",
        "a: {y: 2}\nz: {k: 1}",
        "q: 1",
    ])
}

#[test]
fn missing_values_are_missed_in_the_highest_layer() {
    let config = layered();
    let sub = config.get_config("a").unwrap();
    let element = config.get_configs("o2").unwrap().remove(0);
    let table = [
        (message(config.get_str("nope.x")), "'nope.x' in 'f2.yaml'"),
        (message(config.get_config("nope")), "'nope' in 'f2.yaml'"),
        (message(sub.get_str("nope")), "'a.nope' in 'f1.yaml'"),
        (message(element.get_str("n")), "'o2[0].n' in 'f2.yaml'"),
    ];
    for (found, expected) in table {
        assert_eq!(found, format!("Missing required config value at {expected}"));
    }
}

#[test]
fn wrong_types_are_named_in_the_layer_they_are_from() {
    let config = layered();
    let sub = config.get_config("a").unwrap();
    let table = [
        (message(config.get_str("a.x")), "'a.x' in 'f0.yaml', got number, wanted string"),
        (message(sub.get_str("x")), "'a.x' in 'f0.yaml', got number, wanted string"),
        (message(config.get_str("a.e")), "'a.e' in 'f0.yaml', got empty-string, wanted string"),
        (message(config.get_strs("a.l")), "'a.l[1]' in 'f0.yaml', got empty-string, wanted string-array"),
        (message(config.get_strs("a.s")), "'a.s' in 'f0.yaml', got string, wanted string-array"),
        (message(config.get_f64("arr")), "'arr' in 'f0.yaml', got array, wanted number"),
        (message(config.get_bool("arr")), "'arr' in 'f0.yaml', got array, wanted boolean"),
        (message(config.get_str("n.x")), "'n' in 'f0.yaml', got number, wanted object"),
        (message(config.get_config("n")), "'n' in 'f0.yaml', got number, wanted object"),
        (message(config.get_configs("objs")), "'objs[1]' in 'f0.yaml', got number, wanted object-array"),
    ];
    for (found, expected) in table {
        assert_eq!(found, format!("Invalid type in config for key {expected}"));
    }
    let error = config.get_str("a.x").unwrap_err();
    let origin = error.origin().unwrap();
    assert!(
        origin.file.ends_with("f0.yaml") && origin.line == Some(1) && origin.column == Some(5),
        "{origin}"
    );
}

#[test]
fn texts_that_do_not_convert_are_named() {
    let config = layered();
    let element = config.get_configs("o2").unwrap().remove(0);
    let table = [
        (message(config.get_f64("a.s")), "'a.s' in 'f2.yaml' to a number"),
        (message(config.get_bool("n")), "'n' in 'f2.yaml' to a boolean"),
        (message(element.get_f64("b")), "'o2[0].b' in 'f2.yaml' to a number"),
    ];
    for (found, expected) in table {
        assert_eq!(found, format!("Unable to convert config value for key {expected}"));
    }
}

#[test]
fn keys_are_checked() {
    for key in ["a_b", "a-b", "a:b", "A", "a1.b2", "a-1"] {
        assert_eq!(Config::empty().get_opt_str(key), Ok(None), "{key}");
    }
    for key in ["a.0", "a[0]", "/x", "_a", "a..b", "a-", "1a", "a.", "é", " a"] {
        assert!(matches!(Config::empty().get_opt_str(key), Err(ConfigError::InvalidKey { .. })), "{key}");
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
fn clones_are_snapshots() {
    let config = Config::from_value("c", json!({ "a": {"b": 1} }));
    let sub = config.clone().get_config("a").unwrap();
    drop(config);
    assert_eq!(sub.get_f64("b").unwrap().to_string(), "1");
}

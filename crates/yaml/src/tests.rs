use serde_json::json;

use super::*;

fn value(text: &str) -> Value {
    single(text, Limits::default()).unwrap()
}

fn error(text: &str) -> String {
    single(text, Limits::default()).unwrap_err().to_string()
}

fn all(text: &str) -> Vec<Result<Value, String>> {
    documents(text, Limits::default())
        .map(|document| document.value.map_err(|error| error.to_string()))
        .collect()
}

fn at(line: u32, column: u32) -> Position {
    Position { line, column }
}

#[test]
fn plain_scalars_follow_the_core_schema() {
    let table = [
        ("", json!(null)),
        ("~", json!(null)),
        ("null", json!(null)),
        ("Null", json!(null)),
        ("NULL", json!(null)),
        ("nUll", json!("nUll")),
        ("true", json!(true)),
        ("True", json!(true)),
        ("TRUE", json!(true)),
        ("tRUE", json!("tRUE")),
        ("false", json!(false)),
        ("yes", json!("yes")),
        ("No", json!("No")),
        ("on", json!("on")),
        ("off", json!("off")),
        ("y", json!("y")),
        ("0777", json!(777)),
        ("017", json!(17)),
        ("0o17", json!(15)),
        ("0o8", json!("0o8")),
        ("0x1F", json!(31)),
        ("0x", json!("0x")),
        ("-0x1F", json!("-0x1F")),
        ("0b11", json!("0b11")),
        ("+12", json!(12)),
        ("-12", json!(-12)),
        ("-0", json!(0)),
        ("-0.0", json!(0)),
        ("1.0", json!(1)),
        ("1.", json!(1)),
        ("1.50", json!(1.5)),
        (".5", json!(0.5)),
        ("+.5", json!(0.5)),
        (".", json!(".")),
        ("1e3", json!(1000)),
        ("1E-2", json!(0.01)),
        ("1e", json!("1e")),
        ("e3", json!("e3")),
        ("1_000", json!("1_000")),
        ("1:30", json!("1:30")),
        ("1.2.3", json!("1.2.3")),
        ("9007199254740991", json!(9_007_199_254_740_991_u64)),
        ("9007199254740993", json!(9_007_199_254_740_992_u64)),
        ("12345678901234567890", json!(12_345_678_901_234_567_000_u64)),
        ("-1234567890123456789", json!(-1_234_567_890_123_456_800_i64)),
        ("100000000000000000000000", json!(1e23)),
        (".inf", json!(null)),
        ("-.Inf", json!(null)),
        (".nan", json!(null)),
        ("-.nan", json!("-.nan")),
        ("1e400", json!(null)),
        ("2020-01-01", json!("2020-01-01")),
        ("2001-12-14t21:59:43.10-05:00", json!("2001-12-14t21:59:43.10-05:00")),
        ("'12'", json!("12")),
        ("\"true\"", json!("true")),
        ("''", json!("")),
        ("|\n 12", json!("12\n")),
    ];
    for (text, expected) in table {
        assert_eq!(value(&format!("a: {text}")), json!({ "a": expected }), "{text:?}");
    }
}

#[test]
fn tags_select_the_meaning_of_a_scalar() {
    let table = [
        ("!!str 1", json!("1")),
        ("!!str", json!("")),
        ("!!int '7'", json!(7)),
        ("!!int 0o17", json!(15)),
        ("!!int 1.5", json!("1.5")),
        ("!!int foo", json!("foo")),
        ("!!float 3", json!("3")),
        ("!!float '3.5'", json!(3.5)),
        ("!!bool 'true'", json!(true)),
        ("!!bool yes", json!("yes")),
        ("!!null ''", json!(null)),
        ("! 12", json!("12")),
        ("!mine 12", json!("12")),
        ("!mine [1]", json!([1])),
        ("!<tag:yaml.org,2002:str> 12", json!("12")),
        ("!!timestamp 2001-12-14", json!("2001-12-14")),
        ("!!binary aGVsbG8=", json!({ "type": "Buffer", "data": [104, 101, 108, 108, 111] })),
        ("!!binary 'aG VsbG8'", json!({ "type": "Buffer", "data": [104, 101, 108, 108, 111] })),
        ("!!set {a, b}", json!({})),
        ("!!omap [a: 1]", json!({})),
        ("!!map [a]", json!(["a"])),
        ("!!seq {a: 1}", json!({ "a": 1 })),
    ];
    for (text, expected) in table {
        assert_eq!(value(&format!("a: {text}")), json!({ "a": expected }), "{text:?}");
    }
}

#[test]
fn keys_become_strings_as_in_javascript() {
    let table = [
        ("1: x", "1"),
        ("1.0: x", "1"),
        ("0x10: x", "16"),
        ("true: x", "true"),
        ("null: x", ""),
        ("~: x", ""),
        (": x", ""),
        (".inf: x", "Infinity"),
        ("-.inf: x", "-Infinity"),
        (".nan: x", "NaN"),
        ("-0.0: x", "0"),
        ("0.5: x", "0.5"),
        ("1e21: x", "1e+21"),
        ("1e-7: x", "1e-7"),
        ("<<: x", "<<"),
        ("!!binary aGVsbG8=: x", "hello"),
        ("? [a, [b], {}]\n: x", "[ a, [ b ], {} ]"),
        ("? {a: null, c: [1]}\n: x", "{ a: null, c: [ 1 ] }"),
        ("? {a, b: ~}\n: x", "{ a, b: ~ }"),
        ("? [1.0, true, \"\", 'it''s', \"a\\tb\"]\n: x", "[ 1.0, true, \"\", 'it''s', \"a\\tb\" ]"),
        ("? - a\n  - |\n    b\n    c\n: x", "[ a, \"b\\nc\\n\" ]"),
        ("{{ a }}: x", "{ ? { a } }"),
    ];
    for (text, expected) in table {
        assert_eq!(value(text), json!({ expected: "x" }), "{text:?}");
    }
    assert_eq!(value("- &k key\n- *k : v"), json!(["key", { "key": "v" }]));
}

#[test]
fn placeholders_of_unrendered_templates_are_keys() {
    assert_eq!(value("a: {{ values.name }}"), json!({ "a": { "{ values.name }": null } }));
    let fits = "x".repeat(76);
    assert_eq!(value(&format!("a: {{{{ {fits} }}}}")), json!({ "a": { (format!("{{ {fits} }}")): null } }));
    let long = "x".repeat(77);
    assert_eq!(
        value(&format!("a: {{{{ {long} }}}}")),
        json!({ "a": { (format!("{{\n  {long}\n}}")): null } })
    );
}

#[test]
fn merge_keys_are_not_expanded() {
    assert_eq!(
        value("d: &d {a: 1}\ne:\n  <<: *d\n  b: 2"),
        json!({ "d": {"a": 1}, "e": {"<<": {"a": 1}, "b": 2} })
    );
}

#[test]
fn yaml_1_1_is_read_where_a_directive_asks_for_it() {
    let text = "%YAML 1.1\n---\n[yes, n, Off, 017, 0b11, 0x1_F, 1_000, -0x10, 08, 0, .5, ~, null, oN]\n";
    assert_eq!(value(text), json!([true, false, false, 15, 3, 31, 1000, -16, 8, 0, 0.5, null, null, "oN"]));
    let documents = all("a: yes\n...\n%YAML 1.1\n---\na: yes\n---\na: yes\n...\n%YAML 1.2\n---\na: yes\n");
    let flags: Vec<_> = documents.into_iter().map(|document| document.unwrap()["a"].clone()).collect();
    assert_eq!(flags, [json!("yes"), json!(true), json!(true), json!("yes")]);
}

#[test]
fn duplicate_keys_are_errors_at_the_second_key() {
    assert_eq!(error("a: 1\nb: {c: 1, c: 2}\n"), "Map keys must be unique at line 2, column 11");
    assert_eq!(error("a: 1\na: 2"), "Map keys must be unique at line 2, column 1");
    assert_eq!(error("<<: {}\n<<: {}"), "Map keys must be unique at line 2, column 1");
}

#[test]
fn byte_order_marks_and_all_line_breaks_are_fine() {
    let expected = json!({ "a": "b", "c": ["d"], "e": "x\ny\n" });
    assert_eq!(value("\u{feff}a: b\nc:\n- d\ne: |\n x\n y\n"), expected);
    assert_eq!(value("a: b\r\nc:\r\n- d\r\ne: |\r\n x\r\n y\r\n"), expected);
    assert_eq!(value("a: b\rc:\r- d\re: |\r x\r y\r"), expected);
}

#[test]
fn key_order_is_kept() {
    let keys: Vec<_> = value("z: 1\na: 2\nm: 3").as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["z", "a", "m"]);
}

#[test]
fn texts_that_are_no_utf_8_name_the_first_bad_byte() {
    assert_eq!(from_utf8("a: é".as_bytes()).unwrap(), "a: é");
    assert_eq!(from_utf8(b"a: caf\xe9").unwrap_err().to_string(), "invalid UTF-8 at byte offset 6");
}

#[test]
fn empty_documents_are_null_and_empty_texts_have_none() {
    assert!(all("").is_empty());
    assert!(all("# only a comment\n").is_empty());
    assert_eq!(all("---"), [Ok(json!(null))]);
    assert_eq!(all("---\n---\n# x\n---\na: 1\n"), [Ok(json!(null)), Ok(json!(null)), Ok(json!({"a": 1}))]);
    assert_eq!(all("--- a\n...\n# x\n"), [Ok(json!("a"))]);
    assert_eq!(value(""), json!(null));
}

#[test]
fn single_refuses_a_second_document() {
    assert_eq!(
        error("a: 1\n---\nb: 2"),
        "Source contains multiple documents, expected one at line 2, column 1"
    );
}

#[test]
fn documents_have_an_index_and_a_start() {
    let starts: Vec<_> = documents("# c\na: 1\n---\nb: [\n---\n\n  c: 1\n", Limits::default())
        .map(|document| (document.index, document.start, document.value.is_ok()))
        .collect();
    assert_eq!(starts, [(0, at(2, 1), true), (1, at(3, 1), false), (2, at(5, 1), true)]);
}

#[test]
fn a_broken_document_does_not_take_its_neighbours_along() {
    let good = Ok(json!({ "a": 1 }));
    for broken in [
        "foo: [unclosed",
        "foo: \"unclosed",
        "foo: 'unclosed",
        "foo: {unclosed",
        "@foo",
        "a: b: c",
        "x:\n\tfoo: tab",
        "a: *nowhere",
        "\"foo\" bar",
        "[a]\nb: c",
        "a: \"\\q\"",
        "a: 1\na: 1",
        "- a\nb",
        "a: !u!x 1",
        "a:\n  - b\n c: d",
        "a: 'x' y",
    ] {
        for separator in ["\n---\n", "\n--- # c\n", "\n---\r\n"] {
            let text = format!("a: 1{separator}{broken}{separator}a: 1{separator}{broken}\n...\na: 1\n");
            let results = all(&text);
            assert_eq!(results.len(), 5, "{text:?} {results:?}");
            assert!(results[1].is_err() && results[3].is_err(), "{text:?} {results:?}");
            for index in [0, 2, 4] {
                assert_eq!(results[index], good, "{text:?}");
            }
        }
        let results = all(&format!("{broken}\n---\na: 1\n"));
        assert!(results.len() == 2 && results[0].is_err(), "{broken:?} {results:?}");
        assert_eq!(results[1], good, "{broken:?}");
    }
}

#[test]
fn a_wrong_directive_breaks_the_document_below_it_only() {
    let results = all("a: 1\n...\n%TAG !a! x\n%TAG !a! y\n---\nb: 1\n---\na: 1\n");
    assert_eq!(results.len(), 3, "{results:?}");
    assert!(results[0].is_ok() && results[1].is_err() && results[2].is_ok(), "{results:?}");
}

#[test]
fn anchors_end_with_their_document() {
    let results = all("- &a x\n---\n- *a\n---\n- y\n");
    assert_eq!(results[0], Ok(json!(["x"])));
    let message = "Unresolved alias (the anchor must be set before the alias) at line 3, column 3";
    assert_eq!(results[1], Err(message.to_owned()));
    assert_eq!(results[2], Ok(json!(["y"])));
}

#[test]
fn positions_stay_right_after_an_error() {
    let text = "a: [\n---\nb:\n  c: 1\n  é: {d: 1, d: 2}\n---\r\nx: y: z\r\n";
    let errors: Vec<_> = documents(text, Limits::default()).map(|document| document.value.err()).collect();
    assert_eq!(errors[1].as_ref().unwrap().position, Some(at(5, 13)));
    assert_eq!(errors[2].as_ref().unwrap().position.unwrap().line, 7);
}

#[test]
fn spans_find_values_and_keys_by_pointer() {
    let text = "---\na:\n  b/c: [x, {k: v}]\n  ~t: |\n    text\n? [complex, {x: y}]\n: z\n";
    let (_, spans) = single_with_spans(text, Limits::default()).unwrap();
    let values = [
        ("", at(2, 1)),
        ("/a", at(3, 3)),
        ("/a/b~1c", at(3, 8)),
        ("/a/b~1c/0", at(3, 9)),
        ("/a/b~1c/1", at(3, 12)),
        ("/a/b~1c/1/k", at(3, 16)),
        ("/a/~0t", at(5, 5)),
        ("/[ complex, { x: y } ]", at(7, 3)),
    ];
    for (pointer, position) in values {
        assert_eq!(spans.value(pointer), Some(position), "{pointer}");
    }
    assert_eq!(spans.key("/a"), Some(at(2, 1)));
    assert_eq!(spans.key("/a/b~1c/1/k"), Some(at(3, 13)));
    assert_eq!(spans.key("/a/b~1c/1"), None);
    assert_eq!(spans.value("/a/nope"), None);
    assert_eq!(spans.nearest("/a/b~1c/1/nope/deep"), at(3, 12));
    assert_eq!(spans.nearest("/nope"), at(2, 1));
}

#[test]
fn spans_of_aliases_are_those_of_the_alias() {
    let (value, spans) = single_with_spans("a: &x {b: 1}\nc: *x\nd: 2\n", Limits::default()).unwrap();
    assert_eq!(value, json!({ "a": {"b": 1}, "c": {"b": 1}, "d": 2 }));
    assert_eq!(spans.value("/c"), Some(at(2, 4)));
    assert_eq!(spans.nearest("/c/b"), at(2, 4));
    assert_eq!(spans.value("/d"), Some(at(3, 4)));
}

#[test]
fn a_billion_laughs_are_refused() {
    let line =
        |level: usize| format!("a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 10].join(", "));
    let lines: Vec<_> = (1..12).map(line).collect();
    let text = format!("a0: &a0 [lol]\n{}\n", lines.join("\n"));
    assert!(error(&text).starts_with("Document has more than 1000000 nodes, aliases expanded at line "));
}

#[test]
fn many_aliases_of_a_long_text_are_refused() {
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 20_000].join(", "));
    assert!(error(&text).starts_with("Document has more than 67108864 bytes, aliases expanded"));
}

#[test]
fn nested_anchors_pay_for_their_copies() {
    let anchors: Vec<_> = (0..100).map(|index| format!("- &a{index}\n{}", " ".repeat(index + 1))).collect();
    let anchors = anchors.concat();
    let text = format!("{anchors}- {}\n", "x".repeat(1_000_000));
    assert!(error(&text).contains("bytes"), "{}", error(&text));
}

#[test]
fn deep_nesting_is_refused_wherever_it_comes_from() {
    let expected = "Document is nested more than 127 levels deep";
    assert!(error(&"- ".repeat(100_000)).starts_with(expected));
    assert!(error(&format!("{}1", "? ".repeat(100_000))).starts_with(expected));
    assert!(error(&"[".repeat(100_000)).contains("127") || error(&"[".repeat(100_000)).contains("limit"));
    assert!(error(&format!("{}x", "- ".repeat(128))).starts_with(expected));

    let chain: Vec<_> = (1..50).map(|level| format!("- &a{level} [[[[[*a{}]]]]]\n", level - 1)).collect();
    let chain = chain.concat();
    assert!(error(&format!("- &a0 x\n{chain}")).starts_with(expected));
    let generous = Limits { depth_max: usize::MAX, ..Limits::default() };
    assert!(single(&"- ".repeat(100_000), generous).is_err());
}

#[test]
fn the_deepest_document_can_be_read_again_as_json() {
    let deepest = value(&format!("{}x", "- ".repeat(127)));
    assert_eq!(serde_json::from_str::<Value>(&deepest.to_string()).unwrap(), deepest);
}

#[test]
fn an_alias_to_what_contains_it_is_refused() {
    assert!(error("&a [*a]").starts_with("An alias may not refer to a collection that contains it"));
    assert!(error("&a {b: {c: *a}}").starts_with("An alias may not refer"));
}

#[test]
fn a_limit_breaks_one_document_only() {
    let limits = Limits { nodes_max: 3, ..Limits::default() };
    let results: Vec<_> =
        documents("[1]\n---\n[1, 2, 3, 4]\n---\n[2]\n", limits).map(|document| document.value.ok()).collect();
    assert_eq!(results, [Some(json!([1])), None, Some(json!([2]))]);
}

#[test]
fn too_many_documents_end_the_stream_with_an_error() {
    let limits = Limits { documents_max: 2, ..Limits::default() };
    let results: Vec<_> = documents("1\n---\n2\n---\n3\n---\n4\n", limits).collect();
    assert_eq!(results.len(), 3);
    let message = results[2].value.as_ref().unwrap_err().to_string();
    assert_eq!(message, "Source has more than 2 documents at line 4, column 1");
}

#[test]
fn a_huge_scalar_is_read_whole() {
    let long = "x".repeat(2_000_000);
    assert_eq!(value(&format!("a: {long}"))["a"].as_str().unwrap().len(), long.len());
    assert_eq!(value(&format!("a: \"{long}\""))["a"].as_str().unwrap().len(), long.len());
    let limits = Limits { bytes_max: long.len(), ..Limits::default() };
    assert!(single(&format!("a: {long}"), limits).unwrap_err().message.contains("bytes"));
}

#[test]
fn many_broken_documents_cost_linear_time() {
    let text = "a: [\n---\n".repeat(20_000);
    assert_eq!(all(&text).len(), 20_001);
}

#[test]
fn no_prefix_of_a_document_panics() {
    let text = "%YAML 1.1\n--- !!map\n? &a [x, *b]\n: \"q\\u00e9\" # c\n'k': |+\n  t\n\n...\n- {a: 1, ? b}\n--- >-\n x\n";
    for end in 0..text.len() {
        let prefix: String = text.chars().take(end).collect();
        documents(&prefix, Limits::default()).for_each(drop);
    }
}

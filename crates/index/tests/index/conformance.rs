//! The conformance cases about filters, order, predicates, full text and facets, by their numbers.

use callboard_index::limits::LIST_HITS_MAX;
use callboard_index::{
    After, ByQuery, FullText, Hit, Index, OrderField, Predicate, Prepared, parse_filters, parse_order,
    parse_order_fields,
};
use serde_json::{Value, json};

use crate::fixture::{filtered, index, index_of, names, predicate, sorted};

const ALL: [&str; 10] = ["alpha", "api-one", "beta", "db", "gamma", "guest", "jane", "loc", "sys", "team-a"];

#[test]
fn c001_to_c028_filters() {
    let index = index();
    let components = vec!["alpha", "beta", "gamma"];
    let cases: Vec<(&str, &[&str], Vec<&str>)> = vec![
        ("C001", &["kind=component"], components.clone()),
        ("C002", &["KIND=COMPONENT"], components.clone()),
        ("C003", &["kind=component,kind=api"], vec!["alpha", "api-one", "beta", "gamma"]),
        ("C004", &["kind=component,spec.type=service"], vec!["alpha", "beta"]),
        ("C005", &["kind=component", "kind=api"], vec!["alpha", "api-one", "beta", "gamma"]),
        ("C006", &["metadata.tags.java"], vec!["alpha", "beta"]),
        ("C006", &["metadata.tags=java"], vec!["alpha", "beta"]),
        ("C006", &["metadata.tags.java=true"], vec!["alpha", "beta"]),
        ("C006", &["metadata.tags.java=false"], vec![]),
        ("C007", &["metadata.tags"], vec!["alpha", "beta"]),
        ("C008", &["metadata.annotations"], vec![]),
        ("C008", &["spec"], vec![]),
        ("C008", &["metadata"], vec![]),
        ("C008", &["relations"], vec![]),
        ("C008", &["status"], vec![]),
        ("C008", &["metadata.etag"], vec![]),
        ("C009", &["relations.ownedby"], vec!["alpha", "api-one", "beta", "db", "gamma", "sys"]),
        ("C010", &["relations.ownedBy=Group:Default/Team-A"], vec!["alpha", "api-one", "db", "gamma", "sys"]),
        ("C011", &["metadata.annotations.example.com/mixed-case=helloworld"], vec!["alpha"]),
        ("C012", &["metadata.labels.team.name=core"], vec!["alpha"]),
        ("C013", &["spec.num=5"], vec!["beta"]),
        ("C013", &["spec.flag=TRUE"], vec!["beta"]),
        ("C013", &["spec.arr=2"], vec!["beta"]),
        ("C013", &["spec.arr.d=1"], vec!["beta"]),
        ("C014", &["spec.arr.2"], vec![]),
        ("C015", &["metadata.links.url"], vec!["alpha"]),
        ("C016", &["spec.dependsOn.resource:db"], vec!["alpha"]),
        ("C017", &[" kind = component , spec.type = library "], vec!["gamma"]),
        ("C018", &[","], ALL.to_vec()),
        ("C018", &["kind=api", ","], vec!["api-one"]),
        ("C021", &["kind,kind=component"], components),
        ("C022", &["metadata.name="], vec![]),
        ("C023", &["metadata.description=first component"], vec!["alpha"]),
        ("C026", &["spec.definition=openapi: 3.0.0"], vec!["api-one"]),
        ("C027", &["a=1,a=2,b=3", "c=4"], vec![]),
        ("C028", &["kind=nope"], vec![]),
    ];
    for (name, filters, expected) in cases {
        assert_eq!(sorted(&filtered(&index, filters)), expected, "{name} {filters:?}");
    }
    let mut many = vec!["metadata.name=nope"; 500];
    many.push("metadata.name=alpha");
    assert_eq!(sorted(&filtered(&index, &many)), ["alpha"], "C025");
}

fn part(order: &[&str], limit: Option<usize>, offset: Option<usize>) -> (Vec<Hit>, Option<After>) {
    let order = parse_order(order).unwrap();
    let page = index().list_page(&[], &order, After { limit, offset }).unwrap();
    (page.hits, page.next)
}

#[test]
fn c029_to_c036_parts_of_the_list_are_ordered_by_ref() {
    let (hits, next) = part(&[], Some(2), None);
    assert_eq!(names(&hits), ["api-one", "alpha"], "C029");
    assert_eq!(next.unwrap().encode(), "eyJsaW1pdCI6Miwib2Zmc2V0IjoyfQ==", "C029");
    let (hits, next) = part(&[], Some(2), Some(2));
    assert_eq!(names(&hits), ["beta", "gamma"], "C030");
    assert_eq!(next, Some(After { limit: Some(2), offset: Some(4) }), "C030");
    let (_, next) = part(&[], Some(2), Some(3));
    assert_eq!(next, Some(After { limit: Some(2), offset: Some(5) }), "C031");
    let (hits, next) = part(&[], None, Some(2));
    assert_eq!((hits.len(), names(&hits)[0], next), (8, "beta", None), "C032");
    let refused = index().list_page(&[], &[], After { limit: Some(0), offset: None }).unwrap_err();
    assert_eq!(refused.to_string(), "Invalid limit, must be greater than zero", "C033");
    let (hits, next) = part(&[], Some(99_999_999_999), None);
    assert_eq!((hits.len(), next), (10, None), "C036");
    let (hits, next) = part(&[], Some(10), Some(10));
    assert_eq!((hits.len(), next), (0, None));
}

#[test]
fn a_long_part_of_the_list_is_given_piece_by_piece() {
    let refs: Vec<String> = (0..LIST_HITS_MAX + 500).map(|number| format!("k:ns/{number:05}")).collect();
    let mut index = Index::new();
    for entity_ref in &refs {
        index.put(&Prepared::bare(1, entity_ref, entity_ref));
    }
    let filters = parse_filters(&["kind=k"]).unwrap();
    let filters: Vec<&Predicate> = filters.iter().collect();
    for (offset, limit, left, has_next) in [
        (0, None, 500, false),
        (100, None, 400, false),
        (100, Some(LIST_HITS_MAX + 300), 300, true),
        (100, Some(LIST_HITS_MAX + 400), 400, false),
        (1000, None, 0, false),
        (9999, None, 0, false),
    ] {
        let page = index.list_page(&filters, &[], After { limit, offset: Some(offset) }).unwrap();
        assert_eq!((page.left, page.next.is_some()), (Some(left), has_next), "{offset} {limit:?}");
        let mut hits = page.hits;
        if left > 0 {
            let last = hits.last().unwrap().entity_ref.clone();
            hits.extend(index.list_after(&filters, &last, left));
        }
        let expected = refs.get(offset..).unwrap_or_default().iter().take(limit.unwrap_or(usize::MAX));
        assert!(hits.iter().map(|hit| &hit.entity_ref).eq(expected), "{offset} {limit:?}");
    }
}

fn whole(order: &str) -> Vec<Hit> {
    index().list(&[], parse_order(&[order]).unwrap().first())
}

#[test]
fn c037_c038_the_whole_list_leaves_out_what_has_no_value() {
    let expected = ["alpha", "api-one", "beta", "db", "gamma", "guest", "jane", "loc", "sys", "team-a"];
    assert_eq!(names(&whole("asc:metadata.name")), expected, "C037");
    let hits = whole("asc:spec.type");
    let found = names(&hits);
    assert_eq!((found.len(), found[0], found[6]), (7, "db", "team-a"), "C038");
    assert_eq!(whole("asc:Spec.Type"), hits);
    assert_eq!(whole("desc:nope"), []);
}

#[test]
fn c039_c040_parts_of_the_list_have_what_has_no_value_at_the_end() {
    let (hits, _) = part(&["desc:spec.type"], Some(20), None);
    let found = names(&hits);
    // beta's uid is before alpha's; sys, jane and guest are in the order of their uids.
    let expected = ["team-a", "beta", "alpha", "api-one", "gamma", "loc", "db", "guest", "sys", "jane"];
    assert_eq!(found, expected, "C039");
    let (hits, _) = part(&["asc:spec.type"], Some(20), None);
    assert_eq!(names(&hits)[7..], ["guest", "sys", "jane"]);
    let (hits, _) = part(&["desc:spec.type", "asc:metadata.name"], Some(20), None);
    let expected = ["team-a", "alpha", "beta", "api-one", "gamma", "loc", "db", "guest", "jane", "sys"];
    assert_eq!(names(&hits), expected, "C040");
    let (hits, _) = part(&["asc:metadata.Name"], Some(20), None);
    let uids: Vec<&str> = hits.iter().map(|hit| hit.uid.as_str()).collect();
    assert!(uids.is_sorted(), "a field in another spelling orders nothing");
}

#[test]
fn c042_several_fields_order_one_after_the_other() {
    let index = index_of(&[
        ("k:ns/n1", json!({"a": "foo"})),
        ("k:ns/n2", json!({"a": "bar"})),
        ("k:ns/n3", json!({"a": "bar", "b": "lonely"})),
        ("k:ns/n4", json!({"a": "baz", "b": "only"})),
    ]);
    let ordered = |order: &[&str]| {
        let order = parse_order(order).unwrap();
        let hits = index.list_page(&[], &order, After { limit: Some(9), offset: None }).unwrap().hits;
        names(&hits).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ordered(&["asc:spec.a", "desc:metadata.name"]), ["n3", "n2", "n4", "n1"]);
    assert_eq!(ordered(&["desc:spec.b", "asc:metadata.name"]), ["n4", "n3", "n1", "n2"]);
}

fn asked(query: &Value) -> Vec<Hit> {
    index().list(&[&predicate(query)], None)
}

#[test]
fn c085_to_c100_predicates() {
    let others = ["api-one", "db", "guest", "jane", "loc", "sys", "team-a"];
    let contains = |inner: Value| json!({"relations": {"$contains": inner}});
    let cases: Vec<(&str, Value, Vec<&str>)> = vec![
        ("C085", json!({"$not": {"kind": "component"}}), others.to_vec()),
        ("C086", json!({"$all": []}), ALL.to_vec()),
        ("C086", json!({}), ALL.to_vec()),
        ("C086", json!({"$any": []}), vec![]),
        ("C086", json!({"$not": {}}), vec![]),
        ("C087", json!({"metadata.tags": {"$contains": "JAVA"}}), vec!["alpha", "beta"]),
        ("C088", json!({"metadata.name": {"$hasPrefix": "AL"}}), vec!["alpha"]),
        ("C088", json!({"metadata.name": {"$hasPrefix": "al%"}}), vec![]),
        ("C088", json!({"metadata.name": {"$hasPrefix": ""}}), ALL.to_vec()),
        (
            "C089",
            json!({"kind": {"$in": ["Component", "API"]}, "metadata.namespace": "other"}),
            vec!["gamma"],
        ),
        ("C089", json!({"metadata.name": {"$in": []}}), vec![]),
        ("C090", json!({"metadata.tags": {"$exists": false}, "kind": "component"}), vec!["gamma"]),
        ("C091", json!({"spec.num": 5}), vec!["beta"]),
        ("C091", json!({"spec.flag": true}), vec!["beta"]),
        ("C091", json!({"spec.arr": 2}), vec!["beta"]),
        ("C092", json!({"spec": {"$exists": true}}), vec![]),
        ("C092", json!({"spec.profile": {"$exists": true}}), vec![]),
        (
            "C093",
            contains(json!({"Type": "ownedBy", "TARGETREF": "group:default/team-a"})),
            vec!["alpha", "api-one", "db", "gamma", "sys"],
        ),
        (
            "C094",
            contains(json!({"type": "ownedBy", "targetRef": {"$in": ["user:default/jane"]}})),
            vec!["beta"],
        ),
        (
            "C094",
            contains(json!({"type": "ownedBy"})),
            vec!["alpha", "api-one", "beta", "db", "gamma", "sys"],
        ),
        ("C096", contains(json!("x")), vec![]),
        (
            "C100",
            json!({"$not": {"$any": [{"kind": "component"}, {"kind": "user"}]}}),
            vec!["api-one", "db", "loc", "sys", "team-a"],
        ),
    ];
    for (name, query, expected) in cases {
        assert_eq!(sorted(&asked(&query)), expected, "{name} {query}");
    }
}

fn searched(term: &str, fields: &[&str], order: &[&str]) -> Vec<Hit> {
    let query = ByQuery {
        full_text: Some(FullText::of_params(Some(term), fields).unwrap()),
        order: parse_order_fields(order).unwrap(),
        ..ByQuery::default()
    };
    index().first_page(&query, &[], 200).hits
}

#[test]
fn c073_to_c077_full_text() {
    assert_eq!(names(&searched("alp", &["metadata.name"], &[])), ["alpha"], "C073");
    assert_eq!(names(&searched("ALP", &[], &["metadata.name,asc"])), ["alpha"], "C074");
    assert_eq!(searched("alp", &[], &[]), [], "C075");
    for fields in [&["metadata.title,spec.type"][..], &["metadata.title", "spec.type"]] {
        assert_eq!(sorted(&searched("serv", fields, &[])), ["alpha", "beta"], "C076");
    }
    assert_eq!(searched("a%a", &["metadata.name"], &[]), [], "wildcards are plain characters");

    let words = ["lion", "cat", "atcatss", "dog", "dogcat", "aa", "s"];
    let entities = words.map(|word| (format!("k:ns/{word}"), json!({})));
    let entities: Vec<(&str, Value)> =
        entities.iter().map(|(name, spec)| (name.as_str(), spec.clone())).collect();
    let query = ByQuery {
        full_text: Some(FullText::of_params::<&str>(Some("cAt "), &[]).unwrap()),
        order: parse_order_fields(&["metadata.name,asc"]).unwrap(),
        ..ByQuery::default()
    };
    let page = index_of(&entities).first_page(&query, &[], 200);
    assert_eq!((names(&page.hits), page.total_items), (vec!["atcatss", "cat", "dogcat"], 3), "C077");
}

#[test]
fn c107_to_c110_by_refs() {
    let index = index();
    let found = |refs: &[&str], query: Option<Value>, filter: Option<&str>| {
        let query = query.map(|query| predicate(&query));
        let filter = filter.and_then(|filter| parse_filters(&[filter]).unwrap());
        let filters: Vec<&Predicate> = query.iter().chain(&filter).collect();
        let hits = index.by_refs(refs, &filters);
        let name = |hit: &Option<Hit>| hit.as_ref().map(|hit| names([hit])[0].to_owned());
        hits.iter().map(name).map(Option::unwrap_or_default).collect::<Vec<_>>()
    };
    let (alpha, beta) = ("component:default/alpha", "component:default/beta");
    assert_eq!(found(&[alpha, "component:default/nope"], None, None), ["alpha", ""], "C107");
    assert_eq!(
        found(&["Component:Default/alpha", "component:alpha", "alpha"], None, None),
        ["", "", ""],
        "C108"
    );
    assert_eq!(
        found(&[beta, alpha, beta, "not-even-a-ref", beta], None, None),
        ["beta", "alpha", "beta", "", "beta"],
        "C109"
    );
    assert_eq!(found(&[alpha, beta], Some(json!({"spec.num": 5})), None), ["", "beta"], "C110");
    assert_eq!(
        found(&[alpha, beta], Some(json!({"spec.num": 5})), Some("metadata.name=alpha")),
        ["", ""],
        "C110"
    );

    assert_eq!(index.by_ref(alpha, &[]).unwrap().entity_ref, alpha);
    assert_eq!(index.by_ref(alpha, &[&predicate(&json!({"kind": "api"}))]), None);
    let uid = index.by_ref(alpha, &[]).unwrap().uid;
    assert_eq!(index.by_uid(&uid.to_uppercase(), &[]).unwrap().entity_ref, alpha, "C104");
    assert_eq!(index.by_uid(&uid, &[&predicate(&json!({"kind": "api"}))]), None);
    assert_eq!(index.by_uid("nope", &[]), None, "C104");
}

fn facet(name: &str, filter: Option<&str>) -> String {
    let filter = filter.and_then(|filter| parse_filters(&[filter]).unwrap());
    let facets = index().facets(&[name], &filter.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(facets[0].name, name);
    facets[0]
        .values
        .iter()
        .map(|value| format!("{} {}", value.value, value.count))
        .collect::<Vec<_>>()
        .join(", ")
}

#[test]
fn c115_to_c121_facets() {
    assert_eq!(
        facet("kind", None),
        "API 1, Component 3, Group 1, Location 1, Resource 1, System 1, User 2",
        "C115"
    );
    assert_eq!(
        facet("Spec.Type", None),
        "Service 1, database 1, file 1, library 1, openapi 1, service 1, team 1",
        "C116"
    );
    assert_eq!(facet("kind", Some("kind=component")), "Component 3", "C117");
    assert_eq!(facet("metadata.tags", None), "go 1, java 2", "C118");
    assert_eq!(facet("metadata.tags.java", None), "true 2", "C118");
    assert_eq!(facet("relations.ownedBy", None), "group:default/team-a 5, user:default/jane 1", "C118");
    assert_eq!(facet("nope", None), "", "C118");
    assert_eq!(facet("metadata.annotations.github.com/project-slug", None), "org/alpha 1", "C119");
    assert_eq!(facet("kind,spec.type", None), "", "C120");
    for none in [&[][..], &[""], &[" ", ""]] {
        let error = index().facets(none, &[]).unwrap_err();
        assert_eq!(error.to_string(), "Missing or empty facets parameter", "C121");
    }
    let twice = index().facets(&["kind", "kind", "Kind"], &[]).unwrap();
    assert_eq!(twice.iter().map(|facet| facet.name.as_str()).collect::<Vec<_>>(), ["kind", "Kind"]);
    let many: Vec<String> = (0..501).map(|n| n.to_string()).collect();
    assert!(index().facets(&many, &[]).is_err());
}

#[test]
fn kinds_are_counted_in_lower_case() {
    let mut index = index();
    index.put(&Prepared::bare(99, "component:default/odd", "uid-odd"));
    let counted: Vec<(String, u64)> = index.count_by_kind();
    let counted: Vec<(&str, u64)> = counted.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    let expected = [
        ("api", 1),
        ("component", 4),
        ("group", 1),
        ("location", 1),
        ("resource", 1),
        ("system", 1),
        ("user", 2),
    ];
    assert_eq!(counted, expected);
    index.remove("group:default/team-a");
    assert!(index.count_by_kind().iter().all(|(kind, _)| kind != "group"));
    assert_eq!(Index::new().count_by_kind(), []);
}

#[test]
fn an_entity_that_cannot_be_read_is_found_by_its_names() {
    let mut index = index();
    let uid = "0190AAAA-0000-7000-8000-000000000099";
    let deep = format!("{{\"kind\":\"Component\",\"spec\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let entity_ref = "component:default/odd";
    assert!(Prepared::new(99, entity_ref, uid, &deep).is_err());
    index.put(&Prepared::bare(99, entity_ref, uid));
    assert_eq!(index.check(), Ok(()));
    assert_eq!(index.by_ref(entity_ref, &[]).unwrap().id, 99);
    assert_eq!(index.by_uid(&uid.to_lowercase(), &[]).unwrap().entity_ref, entity_ref);
    for filter in [
        "kind=Component,metadata.name=odd",
        "metadata.namespace=default,metadata.name=ODD",
        "metadata.uid=0190aaaa-0000-7000-8000-000000000099",
    ] {
        assert_eq!(sorted(&filtered(&index, &[filter])), ["odd"], "{filter}");
    }
    assert_eq!(sorted(&filtered(&index, &["kind=component"])), ["alpha", "beta", "gamma", "odd"]);
    // Its place is taken by what can be read, and the other way round.
    let readable = r#"{"kind":"Component","metadata":{"name":"odd"},"spec":{"type":"x"}}"#;
    index.put(&Prepared::new(99, entity_ref, uid, readable).unwrap());
    assert_eq!(filtered(&index, &["spec.type=x"]).len(), 1);
    index.put(&Prepared::bare(99, entity_ref, uid));
    assert_eq!((filtered(&index, &["spec.type=x"]).len(), index.len()), (0, 11));
}

#[test]
fn a_value_that_an_item_gives_as_well_counts_once() {
    let index = index_of(&[("k:ns/n", json!({"a": ["b"], "a.b": ["true"]}))]);
    let facets = index.facets(&["spec.a.b", "spec.a.b.true"], &[]).unwrap();
    for facet in facets {
        let values: Vec<_> = facet.values.iter().map(|value| (value.value.as_str(), value.count)).collect();
        assert_eq!(values, [("true", 1)], "{}", facet.name);
    }
}

#[test]
fn greek_is_found_in_any_casing() {
    // As written, as people type it, and as other programs put it in lower case.
    let spellings =
        ["\u{39f}\u{394}\u{39f}\u{3a3}", "\u{3bf}\u{3b4}\u{3bf}\u{3c2}", "\u{3bf}\u{3b4}\u{3bf}\u{3c3}"];
    for spelling in spellings {
        let index =
            index_of(&[("k:ns/n", json!({spelling: {"x": spelling}, "list": [spelling, "\u{3a3}"]}))]);
        for asked in spellings {
            for filter in [
                format!("spec.{asked}.x={asked}"),
                format!("spec.{asked}.x"),
                format!("spec.list={asked}"),
                format!("spec.list.{asked}"),
                "spec.list.\u{3a3}".to_owned(),
                "spec.list.\u{3c3}".to_owned(),
            ] {
                assert_eq!(filtered(&index, &[&filter]).len(), 1, "{filter} of {spelling}");
            }
            let facets = index.facets(&[format!("spec.{asked}.x")], &[]).unwrap();
            assert_eq!(facets[0].values[0].value, spelling);
        }
    }
}

#[test]
fn numbers_are_found_by_the_text_that_they_were_written_with() {
    let index = index_of(&[("k:ns/n", json!({"share": 0.300_000_000_000_000_04}))]);
    assert_eq!(filtered(&index, &["spec.share=0.30000000000000004"]).len(), 1);
    assert_eq!(index.list(&[&predicate(&json!({"spec.share": 0.300_000_000_000_000_04}))], None).len(), 1);
}

#[test]
fn an_item_before_another_spelling_of_its_key_is_spelled_as_the_item_has_it() {
    let index = index_of(&[("k:ns/n", json!({"a": ["java", {"java": ["TRUE"]}]}))]);
    let facets = index.facets(&["spec.a.java"], &[]).unwrap();
    assert_eq!((facets[0].values[0].value.as_str(), facets[0].values[0].count), ("true", 1));
}

#[test]
fn order_fields_are_those_of_the_request() {
    let order: Vec<OrderField> = parse_order_fields(&["metadata.name,desc"]).unwrap();
    let hits = index().list(&[], order.first());
    assert_eq!(names(&hits)[0], "team-a");
}

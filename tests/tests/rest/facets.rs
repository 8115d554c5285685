//! C115 to C121: facets.

use callboard_tests::descriptors::{component, documents};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::case::{Case, check_all};
use crate::catalog::Catalog;

const URL: &str = "/entity-facets";

fn ask(catalog: &Catalog, query: &str) -> Answer {
    catalog.get(&format!("{URL}?{query}"))
}

fn facet(values: &[(&str, u64)]) -> Value {
    values.iter().map(|(value, count)| json!({ "value": value, "count": count })).collect()
}

/// The answer has these facets, spelled as they were asked for, with these values in their order.
#[track_caller]
fn holds(answer: &Answer, facets: &[(&str, &[(&str, u64)])]) {
    let facets: Value = facets.iter().map(|(name, values)| ((*name).to_owned(), facet(values))).collect();
    assert_eq!(answer.ok(), json!({ "facets": facets }), "{answer}");
}

fn values_of_annotations_are_counted(_: &Catalog) {
    let annotated = |name: &str, value: &str| {
        let annotation = format!("metadata:\n  annotations:\n    a.b/c.d: {value}\n");
        component(name).replace("metadata:\n", &annotation)
    };
    let catalog = Catalog::of(&documents([annotated("a", "Annotation2"), annotated("b", "annotation1")]));
    let key = "metadata.annotations.a.b/c.d";
    holds(&ask(&catalog, &format!("facet={key}")), &[(key, &[("Annotation2", 1), ("annotation1", 1)])]);
}

fn facets_are_not_lists(catalog: &Catalog) {
    ask(catalog, "").refuses_input("request/query must have required property 'facet'");
    ask(catalog, "facet=").refuses_input("Empty value found for query parameter 'facet'");
    holds(&ask(catalog, "facet=kind,spec.type"), &[("kind,spec.type", &[])]);
}

fn facets_are_also_posted(catalog: &Catalog) {
    let body = json!({ "facets": ["kind"], "query": { "kind": "component" } });
    holds(&catalog.post(URL, &body), &[("kind", &[("Component", 3)])]);
    for facets in [json!([]), json!([""])] {
        let answer = catalog.post(URL, &json!({ "facets": facets }));
        answer.refuses_input("Missing or empty facets parameter");
    }
    catalog.post(URL, &json!({})).refuses_input("request/body must have required property 'facets'");
}

pub(crate) const CASES: &[Case<Catalog>] = &[
    (115, |catalog| {
        let kinds = [
            ("API", 1),
            ("Component", 3),
            ("Group", 1),
            ("Location", 1),
            ("Resource", 1),
            ("System", 1),
            ("User", 2),
        ];
        holds(&ask(catalog, "facet=kind"), &[("kind", &kinds)]);
    }),
    (116, |catalog| {
        let types = [
            ("Service", 1),
            ("database", 1),
            ("file", 1),
            ("library", 1),
            ("openapi", 1),
            ("service", 1),
            ("team", 1),
        ];
        holds(&ask(catalog, "facet=Spec.Type"), &[("Spec.Type", &types)]);
    }),
    (117, |catalog| {
        holds(&ask(catalog, "facet=kind&filter=kind=component"), &[("kind", &[("Component", 3)])]);
    }),
    (118, |catalog| {
        let answer =
            ask(catalog, "facet=metadata.tags&facet=metadata.tags.java&facet=relations.ownedBy&facet=nope");
        let expected: [(&str, &[(&str, u64)]); 4] = [
            ("metadata.tags", &[("go", 1), ("java", 2)]),
            ("metadata.tags.java", &[("true", 2)]),
            ("relations.ownedBy", &[("group:default/team-a", 5), ("user:default/jane", 1)]),
            ("nope", &[]),
        ];
        holds(&answer, &expected);
    }),
    (119, values_of_annotations_are_counted),
    (120, facets_are_not_lists),
    (121, facets_are_also_posted),
];

#[test]
fn c115_to_c121_facets() {
    check_all(CASES, &Catalog::of_fixture());
}

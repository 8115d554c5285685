//! C01 to C28: the `filter` parameter.

use crate::answer::Answer;
use crate::case::{Case, check_all};
use crate::catalog::{ALL, Catalog};

const COMPONENTS: [&str; 3] = ["alpha", "beta", "gamma"];
const COMPONENTS_AND_API: [&str; 4] = ["alpha", "api-one", "beta", "gamma"];
const OF_TEAM_A: [&str; 5] = ["alpha", "api-one", "db", "gamma", "sys"];

/// The names of what the rest of the query finds.
fn ask(catalog: &Catalog, query: &str) -> Answer {
    catalog.get(&format!("/entities?fields=metadata.name&{query}"))
}

fn each_finds(catalog: &Catalog, queries: &[&str], expected: &[&str]) {
    for query in queries {
        ask(catalog, query).finds(expected);
    }
}

pub(crate) const CASES: &[Case<Catalog>] = &[
    (1, |catalog| ask(catalog, "filter=kind=component").finds(&COMPONENTS)),
    (2, |catalog| ask(catalog, "filter=KIND=COMPONENT").finds(&COMPONENTS)),
    (3, |catalog| ask(catalog, "filter=kind=component,kind=api").finds(&COMPONENTS_AND_API)),
    (4, |catalog| ask(catalog, "filter=kind=component,spec.type=service").finds(&["alpha", "beta"])),
    (5, |catalog| ask(catalog, "filter=kind=component&filter=kind=api").finds(&COMPONENTS_AND_API)),
    (6, |catalog| {
        let queries =
            ["filter=metadata.tags.java", "filter=metadata.tags=java", "filter=metadata.tags.java=true"];
        each_finds(catalog, &queries, &["alpha", "beta"]);
    }),
    (7, |catalog| ask(catalog, "filter=metadata.tags").finds(&["alpha", "beta"])),
    (8, |catalog| {
        let keys = ["metadata.annotations", "spec", "metadata", "relations", "status", "metadata.etag"];
        each_finds(catalog, &keys.map(|key| format!("filter={key}")).each_ref().map(String::as_str), &[]);
    }),
    (9, |catalog| {
        let expected = ["alpha", "api-one", "beta", "db", "gamma", "sys"];
        ask(catalog, "filter=relations.ownedby").finds(&expected);
    }),
    (10, |catalog| ask(catalog, "filter=relations.ownedBy=Group:Default/Team-A").finds(&OF_TEAM_A)),
    (11, |catalog| {
        ask(catalog, "filter=metadata.annotations.example.com/mixed-case=helloworld").finds(&["alpha"]);
    }),
    (12, |catalog| ask(catalog, "filter=metadata.labels.team.name=core").finds(&["alpha"])),
    (13, |catalog| {
        let queries =
            ["filter=spec.num=5", "filter=spec.flag=TRUE", "filter=spec.arr=2", "filter=spec.arr.d=1"];
        each_finds(catalog, &queries, &["beta"]);
    }),
    (14, |catalog| ask(catalog, "filter=spec.arr.2").finds(&[])),
    (15, |catalog| ask(catalog, "filter=metadata.links.url").finds(&["alpha"])),
    (16, |catalog| ask(catalog, "filter=spec.dependsOn.resource:db").finds(&["alpha"])),
    (17, |catalog| {
        ask(catalog, "filter=%20kind%20=%20component%20,%20spec.type%20=%20library%20").finds(&["gamma"]);
    }),
    (18, |catalog| {
        ask(catalog, "filter=,").finds(&ALL);
        ask(catalog, "filter=kind=api&filter=,").finds(&["api-one"]);
    }),
    (19, |catalog| {
        let message =
            "Invalid filter, '=foo' is not a valid statement (expected a string on the form a=b or a= or a)";
        ask(catalog, "filter=%3Dfoo").refuses_input(message);
    }),
    (20, |catalog| {
        ask(catalog, "filter=").refuses_input("Empty value found for query parameter 'filter'");
    }),
    (21, |catalog| ask(catalog, "filter=kind,kind=component").finds(&COMPONENTS)),
    (22, |catalog| ask(catalog, "filter=metadata.name=").finds(&[])),
    (23, |catalog| ask(catalog, "filter=metadata.description=first+component").finds(&["alpha"])),
    (24, |catalog| {
        each_finds(
            catalog,
            &["filter[]=kind=api", "filter[0]=kind=api", "filter%5B%5D=kind=api"],
            &["api-one"],
        );
        ask(catalog, "filter[a]=kind=api").refuses_input("request/query/filter/0 must be string");
    }),
    (25, |catalog| {
        let others = "filter=metadata.name=nope&".repeat(500);
        ask(catalog, &format!("{others}filter=metadata.name=alpha")).finds(&["alpha"]);
    }),
    (26, |catalog| ask(catalog, "filter=spec.definition=openapi:%203.0.0").finds(&["api-one"])),
    (27, |catalog| ask(catalog, "filter=a=1,a=2,b=3&filter=c=4").finds(&[])),
    (28, |catalog| {
        let answer = ask(catalog, "filter=kind=nope");
        assert_eq!(answer.ok(), serde_json::json!([]));
        assert_eq!(answer.reply.header("content-length"), Some("2"), "{answer}");
    }),
];

#[test]
fn c01_to_c28_filters() {
    check_all(CASES, &Catalog::of_fixture());
}

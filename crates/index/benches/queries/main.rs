//! What a catalog of `ENTITIES` entities costs in memory, to load, to update and to ask.
//!
//! Loading and memory are printed once; they are no repeatable functions.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

mod generator;

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use callboard_index::{
    After, ByQuery, Change, Cursor, Direction, Fields, FullText, Index, OrderField, Origin, Predicate,
    Prepared, SharedIndex, limits::PREFIX_TESTS_MAX, parse_filters, parse_order, parse_order_fields,
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

use generator::{Numbers, Source, entity};
use serde_json::{Value, json};

const ENTITIES: u64 = 100_000;

/// Resident memory of this process in bytes.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Two threads flatten, this one puts.
fn load(sources: &[Source]) -> Index {
    let mut index = Index::new();
    thread::scope(|scope| {
        let (ready, prepared) = std::sync::mpsc::sync_channel::<Vec<Prepared>>(16);
        for half in sources.chunks(sources.len().div_ceil(2)) {
            let ready = ready.clone();
            scope.spawn(move || {
                for part in half.chunks(256) {
                    ready.send(part.iter().map(Source::prepare).collect()).unwrap();
                }
            });
        }
        drop(ready);
        for part in prepared {
            for entity in &part {
                index.put(entity);
            }
        }
    });
    index
}

fn loaded() -> Index {
    let sources: Vec<Source> = (0..ENTITIES).map(|number| entity(number, 0, ENTITIES)).collect();
    let rows: usize = sources[..100]
        .iter()
        .map(|source| source.prepare().rows().iter().map(|row| 1 + usize::from(row.is_item)).sum::<usize>())
        .sum();
    println!("{} bytes of JSON and {} rows each", sources[7].json.len(), rows / 100);
    let before = resident_bytes();
    let start = Instant::now();
    let index = load(&sources);
    let took = start.elapsed();
    println!("loaded {ENTITIES} in {took:?} with two threads that flatten");
    println!("{} bytes each", (resident_bytes() - before) / ENTITIES);
    let start = Instant::now();
    index.warm(&["metadata.name"]);
    println!(
        "ordered by uid, ref and name in {:?}; {} bytes each",
        start.elapsed(),
        (resident_bytes() - before) / ENTITIES
    );
    let start = Instant::now();
    let one = load_alone(&sources);
    println!("loaded {ENTITIES} in {:?} with one thread", start.elapsed());
    assert_eq!(one.checksum(), index.checksum());
    beside_a_writer(one);
    let start = Instant::now();
    black_box(index.checksum());
    println!("checksum in {:?}", start.elapsed());
    index
}

fn load_alone(sources: &[Source]) -> Index {
    let mut index = Index::new();
    for source in sources {
        index.put(&source.prepare());
    }
    index
}

/// How long a reader waits while another thread replaces a fifth of the catalog.
fn beside_a_writer(index: Index) {
    let changes: Vec<Change> =
        (0..ENTITIES / 5).map(|number| Change::Put(entity(number, 7, ENTITIES).prepare())).collect();
    let shared = SharedIndex::new(index);
    let mut waits = Vec::new();
    let start = Instant::now();
    let took = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            shared.apply(&changes);
            start.elapsed()
        });
        while !writer.is_finished() {
            let start = Instant::now();
            drop(black_box(shared.read()));
            waits.push(start.elapsed());
            thread::sleep(Duration::from_micros(100));
        }
        writer.join().unwrap()
    });
    waits.sort_unstable();
    println!(
        "{} changes in {took:?}; {} reads beside them waited for {:?} at the median, {:?} at most",
        changes.len(),
        waits.len(),
        waits[waits.len() / 2],
        waits[waits.len() - 1],
    );
}

fn filter(text: &str) -> Option<Predicate> {
    parse_filters(&[text]).unwrap()
}

fn pages(c: &mut Criterion, index: &Index) {
    let mut group = c.benchmark_group("first 20 and count");
    let by_name = || parse_order_fields(&["metadata.name,asc"]).unwrap();
    let cases = [
        ("everything by uid", None, vec![], None),
        ("everything by name", None, by_name(), None),
        ("dense by uid", filter("kind=component,metadata.namespace=default"), vec![], None),
        ("dense by name", filter("kind=component,metadata.namespace=default"), by_name(), None),
        (
            "medium by uid",
            filter("kind=component,spec.type=service,metadata.tags=java,spec.lifecycle=production"),
            vec![],
            None,
        ),
        (
            "medium by name",
            filter("kind=component,spec.type=service,metadata.tags=java,spec.lifecycle=production"),
            by_name(),
            None,
        ),
        ("sparse by name", filter("kind=component,relations.ownedBy=group:default/team-77"), by_name(), None),
        (
            "dense by lifecycle",
            filter("kind=component"),
            parse_order_fields(&["spec.lifecycle,desc"]).unwrap(),
            None,
        ),
        (
            "text in name and title",
            filter("kind=component"),
            by_name(),
            Some(("orders", "metadata.name,metadata.title")),
        ),
        (
            "text of nobody",
            None,
            by_name(),
            Some(("zzzz", "metadata.name,metadata.title,spec.profile.displayName")),
        ),
    ];
    for (name, query, order, text) in cases {
        let full_text = text.map(|(term, fields)| FullText::of_params(Some(term), &[fields]).unwrap());
        let query = ByQuery { query, full_text, order, ..ByQuery::default() };
        let total = index.first_page(&query, &[], 20).total_items;
        group.bench_function(format!("{name} ({total})"), |b| b.iter(|| index.first_page(&query, &[], 20)));
    }
    let query = ByQuery { query: filter("kind=component"), order: by_name(), ..ByQuery::default() };
    let cursor = index.first_page(&query, &[], 20).next.unwrap().encode();
    group.bench_function("next page by name", |b| {
        b.iter(|| index.next_page(&Cursor::decode(&cursor).unwrap(), &[], 20).next.unwrap().encode());
    });
    let query = ByQuery { offset: 50_000, ..query };
    group.bench_function("offset of 50,000 by name", |b| b.iter(|| index.first_page(&query, &[], 20)));
    group.finish();
}

/// What reading all of the catalog piece by piece costs for each piece.
fn large_pages(c: &mut Criterion, index: &Index) {
    let mut group = c.benchmark_group("pages of 2,000");
    let by_name = || parse_order_fields(&["metadata.name,asc"]).unwrap();
    let cases = [
        ("by uid", None, vec![]),
        ("by name", None, by_name()),
        ("dense by uid", filter("kind=component"), vec![]),
        ("dense by name", filter("kind=component"), by_name()),
        ("by kind", None, parse_order_fields(&["kind,desc"]).unwrap()),
    ];
    for (name, query, order) in cases {
        let query = ByQuery { query, order, ..ByQuery::default() };
        group.bench_function(format!("first {name}"), |b| b.iter(|| index.first_page(&query, &[], 2000)));
        let mut page = index.first_page(&query, &[], 2000);
        for _ in 0..12 {
            page = index.next_page(&page.next.unwrap(), &[], 2000);
        }
        let cursor = page.next.unwrap();
        group.bench_function(format!("next {name}"), |b| b.iter(|| index.next_page(&cursor, &[], 2000)));
    }
    let part = After { limit: Some(2000), offset: Some(26_000) };
    group.bench_function("part by ref", |b| b.iter(|| index.list_page(&[], &[], part).unwrap()));
    group.finish();
}

/// The most expensive questions that the limits let through.
fn hostile(c: &mut Criterion, index: &Index) {
    let mut group = c.benchmark_group("hostile");
    group.sample_size(10);
    let query = |query: Value| Predicate::of_entities(&query, Origin::Query).unwrap();
    let prefixes: Vec<Value> =
        (0..PREFIX_TESTS_MAX).map(|_| json!({"metadata.uid": {"$hasPrefix": "0190"}})).collect();
    let negations = vec![json!({"kind": {"$exists": false}}); 4000];
    let choice: Vec<String> = (0..10_000).map(|n| format!("name-{n}")).collect();
    for (name, query) in [
        ("prefixes that everybody has", query(json!({ "$all": prefixes }))),
        ("negations", query(json!({ "$any": negations }))),
        ("a choice of many", query(json!({"metadata.name": {"$in": choice}}))),
        ("a key of dots", query(json!({".".repeat(100_000): "x"}))),
    ] {
        let query = ByQuery { query: Some(query), ..ByQuery::default() };
        group.bench_function(name, |b| b.iter(|| index.first_page(&query, &[], 20)));
    }
    let fields: Vec<&str> =
        ["metadata.name", "metadata.title", "metadata.description", "metadata.uid", "metadata.links.url"]
            .into();
    let full_text = FullText::of_params(Some("e"), &fields).unwrap();
    let query = ByQuery { full_text: Some(full_text), ..ByQuery::default() };
    group.bench_function("a text that everybody has", |b| b.iter(|| index.first_page(&query, &[], 20)));
    let order = vec![OrderField { field: "metadata.name".to_owned(), order: Direction::Asc }; 16];
    let part = After { limit: None, offset: Some(1) };
    group.bench_function("all but one by sixteen fields", |b| {
        b.iter(|| index.list_page(&[], &order, part).unwrap());
    });
    let source = entity(4711, 0, ENTITIES);
    let fields = Fields::of_lists(&[".".repeat(16_000)]).unwrap().unwrap();
    group.bench_function("projection of dots", |b| b.iter(|| fields.project(&source.json).unwrap()));
    group.finish();
}

fn others(c: &mut Criterion, index: &Index) {
    let mut group = c.benchmark_group("other questions");
    let components = filter("kind=component");
    let filters: Vec<&Predicate> = components.iter().collect();
    for (name, facet, filters) in [
        ("facet of kinds", "kind", &[][..]),
        ("facet of tags of components", "metadata.tags", &filters),
        ("facet of owners of components", "relations.ownedBy", &filters),
        ("facet of names of components", "metadata.name", &filters),
    ] {
        group.bench_function(name, |b| b.iter(|| index.facets(&[facet], filters).unwrap()));
    }
    let refs: Vec<String> = (0..20).map(|number| entity(number * 7, 0, ENTITIES).entity_ref).collect();
    group.bench_function("20 by ref", |b| b.iter(|| index.by_refs(&refs, &[])));
    let order = parse_order(&["desc:spec.type", "asc:metadata.name"]).unwrap();
    let part = After { limit: Some(20), offset: Some(100) };
    group.bench_function("a part by two fields", |b| {
        b.iter(|| index.list_page(&filters, &order, part).unwrap());
    });
    group.bench_function("all components by name", |b| b.iter(|| index.list(&filters, order.get(1))));
    let source = entity(4711, 0, ENTITIES);
    let fields = Fields::of_lists(&["kind,metadata.name,metadata.annotations.github.com/project-slug"])
        .unwrap()
        .unwrap();
    group.bench_function("projection", |b| b.iter(|| fields.project(&source.json).unwrap()));
    group.finish();
}

fn updates(c: &mut Criterion, mut index: Index) {
    let mut group = c.benchmark_group("updates");
    let source = entity(4711, 0, ENTITIES);
    group.bench_function("flatten", |b| b.iter(|| source.prepare()));
    let mut version = 0;
    let numbers = &mut Numbers::new(1);
    let mut changed = || {
        version += 1;
        entity(numbers.below(ENTITIES), version, ENTITIES).prepare()
    };
    group.bench_function("put a changed entity", |b| {
        b.iter_batched(&mut changed, |entity| index.put(&entity), BatchSize::SmallInput);
    });
    group.bench_function("remove and put", |b| {
        b.iter_batched(
            &mut changed,
            |entity| {
                index.remove(entity.entity_ref());
                index.put(&entity);
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
    index.check().unwrap();
    println!("after {version} updates {} bytes resident", resident_bytes());
}

fn all(c: &mut Criterion) {
    let index = loaded();
    pages(c, &index);
    large_pages(c, &index);
    hostile(c, &index);
    others(c, &index);
    updates(c, index);
}

criterion_group!(benches, all);
criterion_main!(benches);

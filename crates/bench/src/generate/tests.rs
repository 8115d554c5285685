//! What a generated catalog promises, computed from the bytes that are written.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

use super::layout::{Catalog, CatalogPlan, Layout};
use super::*;

const ENTITIES: usize = 2_000;

fn plan(entities: usize, seed: u64, layout: Layout) -> CatalogPlan {
    CatalogPlan { population: Population::new(entities, seed), layout, per_file: 200 }
}

fn write(plan: &CatalogPlan) -> (tempfile::TempDir, Catalog) {
    let folder = tempfile::tempdir().unwrap();
    let catalog = plan.write(folder.path()).unwrap();
    (folder, catalog)
}

fn texts(catalog: &Catalog) -> Vec<(String, String)> {
    let read = |file: &String| std::fs::read_to_string(catalog.folder.join(file)).unwrap();
    catalog.files.iter().map(|file| (file.clone(), read(file))).collect()
}

fn entities(catalog: &Catalog) -> Vec<Value> {
    let parse = |text: &str| -> Vec<Value> {
        serde_yaml::Deserializer::from_str(text)
            .map(|document| Value::deserialize(document).unwrap())
            .collect()
    };
    texts(catalog).iter().flat_map(|(_, text)| parse(text)).collect()
}

fn entity_ref(entity: &Value) -> String {
    let metadata = &entity["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or("default");
    format!("{}:{namespace}/{}", entity["kind"].as_str().unwrap(), metadata["name"].as_str().unwrap())
        .to_lowercase()
}

/// The fields that refer to other entities, with the kind that they default to.
const REFERENCES: &[(&str, &str)] = &[
    ("owner", "group"),
    ("system", "system"),
    ("domain", "domain"),
    ("subdomainOf", "domain"),
    ("subcomponentOf", "component"),
    ("providesApis", "api"),
    ("consumesApis", "api"),
    ("dependsOn", ""),
    ("parent", "group"),
    ("memberOf", "group"),
];

fn edges(entity: &Value) -> Vec<(&'static str, String)> {
    let own_namespace = entity["metadata"]["namespace"].as_str().unwrap_or("default");
    let mut edges = Vec::new();
    for (field, default_kind) in REFERENCES {
        let value = &entity["spec"][*field];
        let items = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        for item in items.iter().filter_map(Value::as_str) {
            let (kind, rest) = item.split_once(':').unwrap_or((default_kind, item));
            let (namespace, name) = rest.split_once('/').unwrap_or((own_namespace, rest));
            edges.push((*field, format!("{kind}:{namespace}/{name}").to_lowercase()));
        }
    }
    edges
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for layout in [Layout::FilePerEntity, Layout::ManyPerFile] {
        let (_first_folder, first) = write(&plan(300, 7, layout));
        let (_second_folder, second) = write(&plan(300, 7, layout));
        let (_other_folder, other) = write(&plan(300, 8, layout));
        assert_eq!(texts(&first), texts(&second));
        assert_ne!(texts(&first), texts(&other));
    }
}

/// A catalog that is measured today has to be the same next year: the hash changes only on purpose.
#[test]
fn the_bytes_of_a_seed_do_not_change_unnoticed() {
    let (_folder, catalog) = write(&plan(300, 42, Layout::ManyPerFile));
    let text: String = texts(&catalog).into_iter().map(|(_, text)| text).collect();
    assert_eq!(blake3::hash(text.as_bytes()).to_hex().get(..16), Some("7a756a67571b6c5f"));
}

/// Hex digits such as `12e4` are a number in YAML, and so no annotation.
#[test]
fn annotations_are_texts() {
    let (_folder, catalog) = write(&plan(3_000, 7, Layout::ManyPerFile));
    for entity in entities(&catalog) {
        let annotations = entity["metadata"]["annotations"].as_object().into_iter().flatten();
        for (key, value) in annotations {
            assert!(value.is_string(), "{key}: {value}");
        }
    }
}

#[test]
fn a_folder_holds_one_catalog() {
    let plan = plan(10, 1, Layout::ManyPerFile);
    let (folder, _catalog) = write(&plan);
    assert!(matches!(plan.write(folder.path()), Err(crate::BenchError::FolderInUse { .. })));
}

#[test]
fn layouts_hold_the_same_entities_in_their_number_of_files() {
    let (_many_folder, many) = write(&plan(450, 1, Layout::ManyPerFile));
    let (_single_folder, single) = write(&plan(450, 1, Layout::FilePerEntity));
    assert_eq!((many.files.len(), single.files.len()), (3, 450));
    assert_eq!(entities(&many), entities(&single));
}

#[test]
fn the_index_lists_every_file_relative_to_itself() {
    let (_folder, catalog) = write(&plan(450, 1, Layout::ManyPerFile));
    let text = std::fs::read_to_string(catalog.folder.join(layout::INDEX_FILE)).unwrap();
    let index: Value = serde_yaml::from_str(&text).unwrap();
    let targets: Vec<_> =
        index["spec"]["targets"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
    let expected: Vec<_> = catalog.files.iter().map(|file| format!("./{file}")).collect();
    assert_eq!(targets, expected);
}

#[test]
fn documents_have_one_to_two_kilobytes_and_about_1300_bytes_on_average() {
    let population = Population::new(ENTITIES, 3);
    let sizes: Vec<_> =
        population.order().iter().map(|(kind, index)| document(&population, *kind, *index).len()).collect();
    let (smallest, largest) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
    assert!(*smallest >= 900 && *largest <= 2_200, "{smallest} to {largest}");
    let average = sizes.iter().sum::<usize>() / sizes.len();
    assert!((1_250..=1_350).contains(&average), "{average}");
}

#[test]
fn every_reference_leads_to_another_entity() {
    for size in [10, 25, ENTITIES] {
        let (_folder, catalog) = write(&plan(size, 3, Layout::ManyPerFile));
        let entities = entities(&catalog);
        let refs: HashSet<_> = entities.iter().map(entity_ref).collect();
        assert_eq!(refs.len(), size);
        for entity in &entities {
            for (field, target) in edges(entity) {
                assert!(refs.contains(&target), "{field} of {} is {target}", entity_ref(entity));
                assert_ne!(target, entity_ref(entity), "{field}");
            }
        }
    }
}

/// Each edge is stored in both directions.
#[test]
fn an_entity_gives_rise_to_about_seven_relation_rows() {
    let (_folder, catalog) = write(&plan(ENTITIES, 3, Layout::ManyPerFile));
    let rows: usize = entities(&catalog).iter().map(|entity| 2 * edges(entity).len()).sum();
    let rows_of_100_entities = rows * 100 / ENTITIES;
    assert!((670..=760).contains(&rows_of_100_entities), "{rows_of_100_entities}");
}

#[test]
fn kinds_have_their_shares_and_some_entities_a_namespace() {
    let population = Population::new(10_000, 3);
    let counts: Vec<_> = Kind::ALL.iter().map(|kind| (kind.as_str(), population.count(*kind))).collect();
    let expected = [
        ("Component", 6_100),
        ("API", 1_500),
        ("Resource", 1_000),
        ("System", 500),
        ("Domain", 100),
        ("User", 600),
        ("Group", 200),
    ];
    assert_eq!(counts, expected);
    let is_elsewhere =
        |(kind, index): &(Kind, usize)| !population.identity(*kind, *index).is_in_default_namespace();
    let elsewhere = population.order().into_iter().filter(is_elsewhere).count();
    assert!((900..=1_300).contains(&elsewhere), "{elsewhere}");
}

#[test]
fn entities_are_valid() {
    let (_folder, catalog) = write(&plan(ENTITIES, 3, Layout::ManyPerFile));
    for entity in entities(&catalog) {
        let problems = problems(&entity);
        assert!(problems.is_empty(), "{problems:?} in {entity:#}");
    }
}

fn problems(entity: &Value) -> Vec<String> {
    let required: &[&str] = match entity["kind"].as_str().unwrap() {
        "Component" => &["type", "lifecycle", "owner"],
        "API" => &["type", "lifecycle", "owner", "definition"],
        "Resource" => &["type", "owner"],
        "System" | "Domain" => &["owner"],
        "Group" => &["type", "children"],
        "User" => &["memberOf"],
        other => panic!("{other}"),
    };
    let missing = required.iter().filter(|field| entity["spec"][**field].is_null());
    let mut problems: Vec<_> = missing.map(|field| format!("spec.{field} is missing")).collect();

    let metadata = &entity["metadata"];
    let mut check = |what: &str, text: &Value, is_valid: fn(&str) -> bool| {
        if !text.as_str().is_some_and(is_valid) {
            problems.push(format!("{what} {text}"));
        }
    };
    check("name", &metadata["name"], is_name);
    check("title", &metadata["title"], |text| !text.is_empty());
    check("description", &metadata["description"], |text| text.len() > 40);
    for (section, is_value) in [("labels", is_name as fn(&str) -> bool), ("annotations", |_| true)] {
        for (key, value) in metadata[section].as_object().unwrap() {
            let name = key.rsplit('/').next().unwrap();
            check(section, &Value::from(name), is_name);
            check(key, value, is_value);
        }
    }
    for tag in metadata["tags"].as_array().into_iter().flatten() {
        check("tag", tag, is_tag);
    }
    for link in metadata["links"].as_array().into_iter().flatten() {
        check("link", &link["url"], |text| url::Url::parse(text).is_ok());
        check("link", &link["title"], |text| !text.trim().is_empty());
    }
    problems
}

fn is_name(text: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_edge = |c: char| c.is_ascii_alphanumeric();
    (1..=63).contains(&text.len())
        && text.chars().all(is_inner)
        && text.starts_with(is_edge)
        && text.ends_with(is_edge)
}

fn is_tag(text: &str) -> bool {
    let is_group = |group: &str| {
        !group.is_empty()
            && group.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ":+#".contains(c))
    };
    (1..=63).contains(&text.len()) && text.split('-').all(is_group)
}

#[test]
fn the_sample_is_a_component_in_its_file() {
    for layout in [Layout::FilePerEntity, Layout::ManyPerFile] {
        let plan = plan(450, 1, layout);
        let (_folder, catalog) = write(&plan);
        let (identity, path) = plan.sample(&catalog).unwrap();
        assert_eq!(identity.kind, Kind::Component);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(&format!("kind: Component\nmetadata:\n  name: {}\n", identity.name)));
    }
}

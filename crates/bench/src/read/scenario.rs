//! What the API is asked: the questions of a catalog's pages, and of the backends that read from it. All of them have an
//! answer with something in it on every generated catalog.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::json;

use crate::daemon::contract::{API_PATH, entity_path};
use crate::generate::{Identity, Kind, Population};

/// The most requests that clients choose from, so that they fit into memory on catalogs of any size.
const REQUESTS_MAX: usize = 20_000;

/// How many requests with many references there are. On 10,000 entities they ask for all of them.
const BY_REFS_REQUESTS: usize = 100;

/// References in each of them.
const REFS: usize = 100;

/// Components whose names are searched for terms: enough to meet every word there is.
const NAMES_WITH_TERMS: usize = 2_000;

/// One kind of question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// One entity, by kind, namespace and name
    ByName,
    /// 20 entities of a kind and a type
    FilteredPage,
    /// The same, in the order of their names
    OrderedPage,
    /// 20 entities with a word in their name or title
    FullText,
    /// 20 entities of an owner
    OwnedBy,
    /// How many entities there are of each kind
    Facets,
    /// How many components there are with each tag
    TagFacets,
    /// 100 entities, by their references
    ByRefs,
    /// How many components there are, by a page without items
    Count,
    /// One entity with those that it came from
    Ancestry,
    /// All entities in one answer
    FullList,
}

impl Scenario {
    /// As it is called on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Complete requests for the entities of that catalog: at least one.
    pub(super) fn requests(self, population: &Population, host: SocketAddr) -> Vec<Vec<u8>> {
        let get = |path: String| request(host, "GET", &path, "");
        let page = |query: &str| get(format!("{API_PATH}/entities/by-query?{query}"));
        let facets = |query: &str| get(format!("{API_PATH}/entity-facets?{query}"));
        match self {
            Self::ByName => some_entities(population).map(|entity| get(entity_path(&entity))).collect(),
            Self::Ancestry => {
                let path = |entity| format!("{}/ancestry", entity_path(&entity));
                some_entities(population).map(|entity| get(path(entity))).collect()
            }
            Self::FilteredPage => vec![page("filter=kind=component,spec.type=service&limit=20")],
            Self::OrderedPage => {
                vec![page("filter=kind=component,spec.type=service&orderField=metadata.name,asc&limit=20")]
            }
            Self::FullText => {
                let fields = "fullTextFilterFields=metadata.name,metadata.title&limit=20";
                let query = |term: &String| page(&format!("fullTextFilterTerm={term}&{fields}"));
                terms(population).iter().map(query).collect()
            }
            Self::OwnedBy => {
                let query = |group| page(&format!("filter=relations.ownedBy={group}&limit=20"));
                owners(population).map(query).collect()
            }
            Self::Facets => vec![facets("facet=kind")],
            Self::TagFacets => vec![facets("facet=metadata.tags&filter=kind=component")],
            Self::ByRefs => {
                let path = format!("{API_PATH}/entities/by-refs");
                by_refs_bodies(population).map(|body| request(host, "POST", &path, &body)).collect()
            }
            Self::Count => vec![page("filter=kind=component&limit=0")],
            Self::FullList => vec![get(format!("{API_PATH}/entities"))],
        }
    }
}

/// A request as it goes over the line. Without a body none is announced.
fn request(host: SocketAddr, method: &str, path: &str, body: &str) -> Vec<u8> {
    let content = match body.len() {
        0 => String::new(),
        bytes => format!("Content-Type: application/json\r\nContent-Length: {bytes}\r\n"),
    };
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n{content}\r\n{body}")
        .into_bytes()
}

/// Entities of all kinds, mixed.
fn some_entities(population: &Population) -> impl Iterator<Item = Identity> {
    let order = population.order().into_iter().take(REQUESTS_MAX);
    order.map(|(kind, index)| population.identity(kind, index))
}

fn owners(population: &Population) -> impl Iterator<Item = Identity> {
    let groups = population.count(Kind::Group).min(REQUESTS_MAX);
    (0..groups).map(|index| population.identity(Kind::Group, index))
}

/// The first words of names, each once: `invoice` of `invoice-gateway-00042`.
fn terms(population: &Population) -> BTreeSet<String> {
    let components = population.count(Kind::Component).min(NAMES_WITH_TERMS);
    let names = (0..components).map(|index| population.identity(Kind::Component, index).name);
    names.filter_map(|name| name.split('-').next().map(str::to_owned)).collect()
}

fn by_refs_bodies(population: &Population) -> impl Iterator<Item = String> {
    let order = population.order();
    (0..BY_REFS_REQUESTS).map(move |number| {
        let entities = order.iter().cycle().skip(number * REFS % order.len().max(1)).take(REFS);
        let refs = entities.map(|(kind, index)| population.identity(*kind, *index).to_string());
        json!({ "entityRefs": refs.collect::<Vec<_>>() }).to_string()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    use super::*;

    fn requests(scenario: Scenario, entities: usize) -> Vec<String> {
        let host = SocketAddr::from((Ipv4Addr::LOCALHOST, 7007));
        let requests = scenario.requests(&Population::new(entities, 1), host);
        requests.into_iter().map(|request| String::from_utf8(request).unwrap()).collect()
    }

    #[test]
    fn every_scenario_has_requests_on_every_catalog() {
        for scenario in Scenario::value_variants() {
            for entities in [10, 1_000] {
                let requests = requests(*scenario, entities);
                assert!(!requests.is_empty(), "{scenario:?}");
                for request in requests {
                    let (head, body) = request.split_once("\r\n\r\n").unwrap();
                    let line = head.lines().next().unwrap();
                    assert!(line.ends_with(" HTTP/1.1") && line.split(' ').count() == 3, "{line}");
                    assert!(head.contains("\r\nHost: 127.0.0.1:7007\r\n"), "{head}");
                    let length = format!("\r\nContent-Length: {}", body.len());
                    assert_eq!(head.contains(&length), !body.is_empty(), "{head}");
                }
            }
        }
    }

    #[test]
    fn single_entities_are_asked_for_one_by_one() {
        let by_name: HashSet<_> = requests(Scenario::ByName, 1_000).into_iter().collect();
        assert_eq!(by_name.len(), 1_000);
        let ancestry = requests(Scenario::Ancestry, 10);
        assert!(ancestry.iter().all(|request| request.contains("/ancestry HTTP/1.1\r\n")));
    }

    #[test]
    fn many_references_are_as_many_on_every_catalog() {
        for (entities, different) in [(10, 10), (10_000, 100)] {
            for request in requests(Scenario::ByRefs, entities) {
                let (_, body) = request.split_once("\r\n\r\n").unwrap();
                let body: serde_json::Value = serde_json::from_str(body).unwrap();
                let refs = body["entityRefs"].as_array().unwrap();
                assert_eq!(refs.len(), REFS);
                assert_eq!(refs.iter().collect::<HashSet<_>>().len(), different);
            }
        }
    }

    #[test]
    fn words_are_searched_for_once_each() {
        let requests = requests(Scenario::FullText, 1_000);
        assert!(requests.len() > 20, "{}", requests.len());
        assert_eq!(requests.iter().collect::<HashSet<_>>().len(), requests.len());
        assert!(requests[0].contains("fullTextFilterTerm=anchor&"), "{}", requests[0]);
    }
}

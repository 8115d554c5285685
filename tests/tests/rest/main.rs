//! The conformance cases of the REST API by their numbers, C01 to C152, against the real daemon.
//!
//! Each module holds the cases of one part of the API as a table, and tests them on a catalog of their own. Those about
//! credentials and permissions, C140 to C148, and those that need a real client are not here. The actions are tested
//! here as well; they have no numbers.
#![cfg(test)]

mod actions;
mod answer;
mod by_query;
mod case;
mod catalog;
mod entities;
mod entity;
mod facets;
mod filters;
mod locations;
mod page;
mod predicates;
mod transport;
mod trials;

#[test]
fn each_number_is_there_once() {
    let mut numbers: Vec<u16> = [
        case::numbers(filters::CASES),
        case::numbers(entities::CASES),
        case::numbers(by_query::CASES),
        case::numbers(predicates::CASES),
        case::numbers(entity::CASES),
        case::numbers(facets::CASES),
        case::numbers(locations::CASES),
        case::numbers(trials::CASES),
        case::numbers(transport::CASES),
    ]
    .concat();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=139).chain(149..=152).collect::<Vec<u16>>());
}

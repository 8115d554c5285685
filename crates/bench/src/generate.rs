//! Writes catalogs that look like a grown company's: seeded, so that two runs (or two versions of a daemon) are measured
//! on the same bytes, and closed, so that every reference in it leads to an entity in it.
//!
//! An entity is 1 to 2 KB of YAML, 1.3 KB on average, and gives rise to about seven relation rows.

pub mod app_config;
mod definition;
mod entity;
pub mod layout;
mod metadata;
mod population;
mod prose;
mod spec;
mod words;
mod yaml;

pub use entity::document;
pub use population::{Identity, Kind, Population};

use std::ops::RangeInclusive;

/// Sizes of catalogs that can be generated. Below the first there is not one entity of each kind.
pub const ENTITIES_RANGE: RangeInclusive<u64> = 10..=10_000_000;

#[cfg(test)]
mod tests;

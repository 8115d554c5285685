//! The in-memory query index of the catalog: everything that answers "which entities, in which order, how many".
//!
//! The catalog's API asks for entities by any of their values, in combination, ordered by any of them, in pages, with
//! counts. A table of all keys and values in a database answers that slowly and is most of what has to be written. So
//! each process keeps an [`Index`] in memory, filled from the final entities and kept up by the change log. It holds
//! no JSON, and its answers are [`Hit`]s: refs, uids, and the caller's own numbers.
//!
//! The crate is pure: no I/O, no async, no clock, and no answer depends on the order in which entities came.
//!
//! | question | answered by |
//! |---|---|
//! | what of an entity can be asked for | [`Rows`] |
//! | how to read a request | [`parse_filters`], [`Predicate`], [`parse_order`], [`parse_order_fields`], [`FullText`], [`Cursor`], [`After`], [`Fields`] |
//! | `GET /entities` | [`Index::list`], [`Index::list_page`] |
//! | `/entities/by-query` | [`Index::first_page`], [`Index::next_page`] |
//! | `/entities/by-refs`, one entity | [`Index::by_refs`], [`Index::by_ref`], [`Index::by_uid`] |
//! | `/entity-facets` | [`Index::facets`] |
//! | how many of each kind, for metrics | [`Index::count_by_kind`] |
//! | `fields` | [`Fields::project`] |
//! | does it hold what the store holds | [`Index::checksum`], [`Index::check`] |
//!
//! ```
//! use callboard_index::{Index, Prepared, parse_filters};
//!
//! let mut index = Index::new();
//! let json = r#"{"kind":"Component","metadata":{"name":"a","tags":["java"]}}"#;
//! index.put(&Prepared::new(1, "component:default/a", "uid-1", json)?);
//! let filter = parse_filters(&["kind=component,metadata.tags.java"])?;
//! let filters: Vec<_> = filter.iter().collect();
//! assert_eq!(index.list(&filters, None)[0].entity_ref, "component:default/a");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(missing_docs)]

mod after;
pub mod base64_json;
mod by_query;
mod check;
mod checksum;
mod cursor;
mod dictionary;
mod error;
mod evaluate;
mod facets;
mod fields;
mod filter;
mod flatten;
mod full_text;
mod handle_table;
mod index;
mod key;
mod key_view;
mod legacy_filter;
pub mod limits;
mod list;
mod lookup;
mod order;
mod ordered;
mod posting;
mod predicate;
mod prepared;
mod shared;
mod slab;
mod text;
mod text_store;
mod uid;
mod walk;

pub use after::After;
pub use by_query::{ByQuery, Page};
pub use checksum::Checksum;
pub use cursor::Cursor;
pub use error::QueryError;
pub use facets::{Facet, FacetValue};
pub use fields::Fields;
pub use filter::parse_filters;
pub use flatten::{FlattenError, RowRef, Rows};
pub use full_text::FullText;
pub use index::{Hit, Index};
pub use legacy_filter::LegacyFilter;
pub use list::ListPage;
pub use order::{Direction, OrderField, parse_order, parse_order_fields};
pub use predicate::{Origin, Predicate, Primitive, Test};
pub use prepared::{Change, Prepared};
pub use shared::SharedIndex;

//! Every limit of this crate, with the reason for its value.

/// Longest key that is indexed, in UTF-16 code units of the lowercased key. The reference system's.
pub const KEY_UNITS_MAX: usize = 200;

/// Longest value that is indexed, in UTF-16 code units of the lowercased value. The reference system's.
pub const VALUE_UNITS_MAX: usize = 200;

/// Deepest nesting of a predicate. People write five levels, programs perhaps twenty; evaluation recurses. Each level is
/// two of JSON, and a cursor that holds the predicate has to be readable again: the parser takes 127.
pub const PREDICATE_DEPTH_MAX: usize = 60;

/// Fields, values and operators of one query together. A body of 100 KiB, the largest that the REST API takes, holds
/// fewer.
pub const QUERY_TERMS_MAX: usize = 50_000;

/// `$hasPrefix` tests of one query: unlike an equality, each may touch every value of its key.
pub const PREFIX_TESTS_MAX: usize = 100;

/// Order keys of one request. Only `GET /entities` with pagination uses more than the first.
pub const ORDER_FIELDS_MAX: usize = 16;

/// Fields of one full text search, each of which is a scan over its values.
pub const FULL_TEXT_FIELDS_MAX: usize = 100;

/// Paths of one projection, each of which is looked up in every entity of the answer.
pub const FIELDS_MAX: usize = 500;

/// Facets of one request, each of which may count every value of its key.
pub const FACETS_MAX: usize = 500;

/// Values of all facets of one request. One with more is a list of entities in disguise.
pub const FACET_VALUES_MAX: usize = 300_000;

/// Bytes of a decoded cursor: twice the largest body, as it holds the query that was asked.
pub const CURSOR_BYTES_MAX: usize = 256 * 1024;

/// Entities of a long list that are given at once; the others are asked for when it is their turn.
pub const LIST_HITS_MAX: usize = 2_000;

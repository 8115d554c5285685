//! The index from outside: against the fixture of the REST API's conformance cases, and against a scan over all
//! entities that shares no code with it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::let_underscore_must_use,
    reason = "a test that cannot go on has failed"
)]

mod catalog;
mod conformance;
mod fixture;
mod naive;
mod paging;
mod properties;
mod shared;
mod untrusted;
mod walks;

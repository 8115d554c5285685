//! The index from outside: against the fixture of the REST API's conformance cases, and against a scan over all
//! entities that shares no code with it.

mod catalog;
mod conformance;
mod fixture;
mod naive;
mod paging;
mod properties;
mod shared;
mod untrusted;
mod walks;

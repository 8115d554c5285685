//! The validation layer: every documented operation says what its query and its body may hold, and a request that
//! says otherwise gets `InputError`, in the words of the OpenAPI validator that Backstage uses.
//!
//! An endpoint declares an [`Operation`] and begins with [`Operation::accept`].

pub(crate) mod body;
mod operation;
pub(crate) mod percent;
pub(crate) mod query;

pub(crate) use body::{BodySchema, Field, Shape};
pub(crate) use operation::{Accepted, Operation};
pub(crate) use query::Param;

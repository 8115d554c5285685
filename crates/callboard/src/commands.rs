//! What the command line can ask for, one file each.

pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod ingest;
pub(crate) mod migrate;
mod output;
pub(crate) mod processors;
pub(crate) mod running;
pub(crate) mod serve;
pub(crate) mod validate;

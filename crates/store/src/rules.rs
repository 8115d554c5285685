//! What holds in every store that keeps the catalog in tables: rules over values, without SQL and without a database.
//!
//! A store reads rows, asks these modules what follows from them, and writes that. Rows come in and go out as the
//! numbers, texts and packed bytes that tables hold; what a statement looks like, and what it locks, is the store's own
//! business. Nothing in here waits for anything.

pub(crate) mod bucket;
pub(crate) mod children;
pub(crate) mod codec;
pub(crate) mod doctor;
pub(crate) mod errors;
pub(crate) mod final_entity;
pub(crate) mod intake;
pub(crate) mod messages;
pub(crate) mod migrations;
pub(crate) mod names;
pub(crate) mod outcome;
pub(crate) mod read;
pub(crate) mod results;
pub(crate) mod schedule;
pub(crate) mod statement;
pub(crate) mod stitch_work;
pub(crate) mod unused;

//! Callboard as a library: for backends that add processors and providers of their own.
//!
//! ```no_run
//! # use std::process::ExitCode;
//! use callboard::CatalogBuilder;
//!
//! #[tokio::main]
//! async fn main() -> Result<ExitCode, callboard::Error> {
//!     let mut builder = CatalogBuilder::from_env()?;
//!     // builder.add_processor(MyReader::new(builder.url_reader()));
//!     builder.run().await
//! }
//! ```
//!
//! This crate alone reads the environment and the command line, and puts the others together.
#![warn(missing_docs)]

mod builder;
mod checks;
mod cli;
mod commands;
mod database;
mod error;
mod logging;
mod settings;
mod wiring;

pub use builder::CatalogBuilder;
pub use error::Error;

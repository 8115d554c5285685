//! `app-config.yaml`: load, merge, substitute, typed reads, provenance, redaction.
//!
//! Reads the files that a Backstage backend reads, in the same order and by the same rules, so that a company's
//! configuration works as it is: layers merge by object, arrays replace, null removes; `${VAR}`, `$env`, `$file` and
//! `$include` are resolved per file before merging; `APP_CONFIG_*` variables come last.
//!
//! Beyond that every value knows where it came from, unknown and deprecated keys are found ([`Config::check`]),
//! secrets are known and can be cut out of any text ([`Config::redact`]), and a changed file that is broken neither
//! replaces the good configuration nor ends watching ([`Reloader`]).
//!
//! The environment, the working directory and the arguments come in as [`Sources`]; only the binary reads the real ones.
//! Remote configuration (`--config https://…`) is refused.

mod check;
mod config;
mod duration;
mod env;
mod error;
mod include;
mod key;
mod known;
mod load;
mod node;
mod print;
mod reads;
mod reload;
mod schema;
mod secret;
mod sources;
mod substitute;

pub use check::{Finding, Severity};
pub use config::Config;
pub use duration::parse_duration;
pub use error::ConfigError;
pub use node::Origin;
pub use print::Effective;
pub use reload::{Poll, Reloader};
pub use secret::{Secret, Secrets};
pub use sources::Sources;

#[cfg(test)]
mod tests;

//! URL readers, source-control integrations and the shared fetch layer.
//!
//! Three things come together in [`Integrations`]:
//!
//! - a [`UrlReader`](callboard_sdk::UrlReader) that chooses among the readers: those of the configured
//!   forges, and one for plain URLs on the allow list;
//! - an [`ScmResolver`](callboard_sdk::ScmResolver) that knows what the URLs of forges mean;
//! - the [`Fetcher`], through which every request goes, with limits on size, time, hops and concurrency.
//!
//! Nothing outside the integrations and `backend.reading.allow` is ever asked, on any hop of a redirect. A
//! token goes only to the origin that it is for, and no message shows one. Of all answers, only a 404 says
//! that there is nothing, and to a token only if it sees where that would be: the rest is unknown, and an error.
#![warn(missing_docs)]

mod allow;
mod error;
mod fetch;
mod glob;
mod integrations;
mod readers;
mod redact;
mod scm;
#[cfg(test)]
mod test_config;
#[cfg(test)]
mod test_server;

pub use allow::AllowList;
pub use error::IntegrationsError;
pub use fetch::{FetchRequest, FetchResponse, FetchSettings, Fetcher, HopPolicy};
pub use integrations::Integrations;
pub use scm::ScmIntegrations;

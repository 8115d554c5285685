//! Everything that the author of a Callboard plugin needs, and nothing else.
//!
//! Callboard walks its locations again and again and passes each one through an ordered list of
//! [`CatalogProcessor`]s. A processor reads locations of its own type, changes or checks entities in
//! flight, and emits entities, relations, errors and refresh keys through its [`ProcessorContext`].
//! An [`EntityProvider`] instead owns a bucket of entities and says itself when they change.
//!
//! A processor for a system of your own is a crate that depends on this one alone:
//!
//! ```
//! use callboard_sdk::{
//!     CatalogProcessor, Handled, LocationSpec, Presence, ProcessorContext, ProcessorError, async_trait, results,
//! };
//!
//! #[derive(Debug)]
//! struct TeamReader;
//!
//! #[async_trait]
//! impl CatalogProcessor for TeamReader {
//!     fn name(&self) -> &str {
//!         "team-reader"
//!     }
//!
//!     async fn read_location(
//!         &self,
//!         location: &LocationSpec,
//!         _presence: Presence,
//!         cx: &mut ProcessorContext<'_>,
//!     ) -> Result<Handled, ProcessorError> {
//!         if location.kind != "team" {
//!             return Ok(Handled::No);
//!         }
//!         let group = serde_json::json!({
//!             "apiVersion": "backstage.io/v1alpha1",
//!             "kind": "Group",
//!             "metadata": { "name": location.target },
//!             "spec": { "type": "team", "children": [] },
//!         });
//!         cx.emit(results::entity(location, group.try_into()?))?;
//!         Ok(Handled::Yes)
//!     }
//! }
//! ```
//!
//! The `testkit` feature runs it without a daemon and checks that it keeps the contract.
#![warn(missing_docs)]

mod cache;
mod clock;
mod context;
mod error;
mod parser;
mod placeholder;
mod processor;
mod progress;
mod provider;
pub mod results;
mod scm;
#[cfg(feature = "testkit")]
pub mod testkit;
mod url_reader;

pub use async_trait::async_trait;
pub use bytes::Bytes;
pub use cache::{CacheState, ProcessorCache};
pub use callboard_model as model;
pub use callboard_model::{Entity, EntityRef, LocationRef, LocationSpec, Presence, Relation};
pub use clock::{Clock, SystemClock, Timestamp};
pub use context::{ContextParts, EmitSink, FileContent, ParseSummary, ProcessorContext};
pub use error::{Address, ProcessorError};
pub use parser::{EntityDataParser, YamlParser};
pub use placeholder::{PlaceholderParams, PlaceholderResolver};
pub use processor::{CatalogProcessor, DEFAULT_PRIORITY, Handled, Recognized};
pub use progress::Progress;
pub use provider::{
    DeferredEntity, EntityProvider, EntityProviderConnection, EntityProviderMutation, ProviderError,
    RemovedEntity,
};
pub use results::{DocumentPosition, Emit, LocationKey};
pub use scm::{ScmFile, ScmLocationAnalyzer, ScmResolver};
pub use tokio_util::sync::CancellationToken;
pub use url_reader::{
    LoadContent, ReadError, ReadTreeOptions, ReadTreeResponse, ReadUrlOptions, ReadUrlResponse, SearchFile,
    SearchOptions, SearchResponse, TreeFile, TreeFilter, UrlReader,
};

//! The daemon under test: its process, what can be seen of it from outside, and all that the bench assumes of it.

pub mod contract;
pub mod metrics;
mod observer;
mod process;
mod procfs;

pub(crate) use observer::{Ingested, Observer, Snapshot};
pub(crate) use process::{Daemon, free_address};
pub(crate) use procfs::Usage;
pub(crate) use procfs::tree_cpu_seconds;

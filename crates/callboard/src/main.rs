//! The daemon with the built-in processors.

use std::process::ExitCode;

use callboard::CatalogBuilder;

/// Halves the time of JSON work against the system's allocator, and gives memory back after a peak: `.cargo/config.toml`
/// has its settings, which are for Linux.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[tokio::main]
async fn main() -> Result<ExitCode, callboard::Error> {
    CatalogBuilder::from_env()?.run().await
}

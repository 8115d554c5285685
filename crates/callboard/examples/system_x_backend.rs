//! A backend of one's own: Callboard with a processor for System-X added.
//!
//! `cargo run --example system_x_backend -- --config app-config.yaml`

use std::process::ExitCode;

use callboard::CatalogBuilder;
use callboard_system_x::SystemXReader;

#[tokio::main]
async fn main() -> Result<ExitCode, callboard::Error> {
    let mut builder = CatalogBuilder::from_env()?;
    builder.add_processor(SystemXReader::new(builder.url_reader()));
    builder.run().await
}

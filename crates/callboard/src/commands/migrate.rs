//! `callboard migrate`: the database in the form that this program knows, before the daemon needs it.

use std::process::ExitCode;
use std::time::Duration;

use callboard_store::{Migrated, Schema};
use serde_json::{Value, json};

use super::output::{print, print_json};
use crate::cli::OutputFormat;
use crate::database::Database;
use crate::{CatalogBuilder, Error};

/// How long to wait for a database that does not answer yet.
const DATABASE_PATIENCE: Duration = Duration::from_mins(1);

pub(crate) async fn run(
    builder: CatalogBuilder,
    only_checks: bool,
    format: OutputFormat,
) -> Result<ExitCode, Error> {
    let CatalogBuilder { config, sources, .. } = &builder;
    let database = Database::from_config(config, &sources.cwd)?;
    let (text, json, is_up_to_date) = if only_checks {
        let schema = database.schema().await?;
        (schema.to_string(), of_schema(&schema), schema.pending.is_empty())
    } else {
        let migrated = database.migrate(DATABASE_PATIENCE).await?;
        (migrated.to_string(), of_migrated(&migrated), true)
    };
    match format {
        OutputFormat::Text => print(&text)?,
        OutputFormat::Json => print_json(&json)?,
    }
    Ok(if is_up_to_date { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn of_schema(Schema { version, known, pending }: &Schema) -> Value {
    json!({ "version": version, "known": known, "pending": pending })
}

fn of_migrated(Migrated { from, applied, schema }: &Migrated) -> Value {
    json!({ "from": from, "version": schema.version, "known": schema.known, "applied": applied })
}

//! `callboard processors`: the effective order.

use std::process::ExitCode;

use callboard_yaml::js_number;
use serde_json::json;

use super::output::{columns, print, print_json};
use crate::cli::OutputFormat;
use crate::wiring::Wired;
use crate::{CatalogBuilder, Error};

pub(crate) fn run(mut builder: CatalogBuilder, format: OutputFormat) -> Result<ExitCode, Error> {
    let CatalogBuilder { config, integrations, sources, added, .. } = &mut builder;
    let wired = Wired::new(config, &sources.cwd, integrations, added)?;
    let processors = wired.pipeline.processors();
    match format {
        OutputFormat::Json => {
            let items: Vec<_> = processors
                .iter()
                .map(|it| json!({"name": it.name, "priority": js_number(it.priority)}))
                .collect();
            print_json(&items)?;
        }
        OutputFormat::Text => {
            let mut rows = vec![["PRIORITY".to_owned(), "PROCESSOR".to_owned()]];
            rows.extend(processors.into_iter().map(|it| [it.priority.to_string(), it.name]));
            print(&columns(&rows))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

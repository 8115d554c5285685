//! `callboard config`: what the configuration is, and what is wrong with it.

mod refusals;

use std::process::ExitCode;

use callboard_config::{Config, Effective, Finding, Origin, Severity};
use serde_json::{Value, json};

use super::output::{print, print_json};
use crate::cli::{ConfigCommand, OutputFormat};
use crate::{CatalogBuilder, Error};

pub(crate) fn run(mut builder: CatalogBuilder, command: ConfigCommand) -> Result<ExitCode, Error> {
    match command {
        ConfigCommand::Print { format } => show(&builder.config, format),
        ConfigCommand::Check { format } => check(&findings(&mut builder), format),
    }
}

/// What is known about the keys, and what the daemon would refuse.
fn findings(builder: &mut CatalogBuilder) -> Vec<Finding> {
    let mut findings = builder.config.check();
    for refusal in refusals::findings(builder) {
        // A key that is refused as such is refused by whoever reads it, too, in other words.
        let is_told = |known: &Finding| {
            let is_same_key = !known.key.is_empty() && known.key == refusal.key;
            known.message == refusal.message || (is_same_key && known.severity == Severity::Error)
        };
        if !findings.iter().any(is_told) {
            findings.push(refusal);
        }
    }
    findings
}

fn show(config: &Config, format: OutputFormat) -> Result<ExitCode, Error> {
    let values = config.effective();
    match format {
        OutputFormat::Json => print_json(&values.iter().map(value_json).collect::<Vec<_>>())?,
        OutputFormat::Text => print(&values.iter().map(value_line).collect::<Vec<_>>().join("\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn check(findings: &[Finding], format: OutputFormat) -> Result<ExitCode, Error> {
    match format {
        OutputFormat::Json => print_json(&findings.iter().map(finding_json).collect::<Vec<_>>())?,
        OutputFormat::Text if findings.is_empty() => print("no findings")?,
        OutputFormat::Text => print(&findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n"))?,
    }
    let has_errors = findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if has_errors { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn value_line(value: &Effective) -> String {
    let text = serde_yaml::to_string(&value.value).unwrap_or_default();
    // A text of several lines is shown in one, so that each value has its origin beside it.
    let text = match text.trim_end() {
        text if text.contains('\n') => value.value.to_string(),
        text => text.to_owned(),
    };
    format!("{}: {text}  # {}", value.key, value.origin)
}

fn value_json(value: &Effective) -> Value {
    with_origin(json!({"key": value.key, "value": value.value}), &value.origin)
}

fn finding_json(finding: &Finding) -> Value {
    let severity = finding.severity.to_string();
    let value = json!({"severity": severity, "key": finding.key, "message": finding.message});
    with_origin(value, &finding.origin)
}

fn with_origin(mut value: Value, origin: &Origin) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.insert("file".to_owned(), json!(origin.file));
        object.insert("line".to_owned(), json!(origin.line));
        object.insert("column".to_owned(), json!(origin.column));
    }
    value
}

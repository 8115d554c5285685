//! `callboard validate`: descriptor files through the daemon's own pipeline, without a daemon.
//!
//! A file is read as the daemon would read it from a `file` location, a URL as from a `url` location: with the
//! processors, integrations and limits of the configuration, if there is one. Locations are followed. Rules about
//! which kinds may come from where are not applied, as they say nothing about the file.

mod source;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use callboard_engine::{DryRunEntity, DryRunItem, RulesEnforcer};
use callboard_model::location_entity;
use callboard_sdk::{Entity, LocationSpec, ProcessorError};
use serde_json::{Value, json};

use self::source::SourceFiles;
use super::output::{print, print_json};
use crate::cli::OutputFormat;
use crate::wiring::Wired;
use crate::{CatalogBuilder, Error};

/// What Backstage looks for in a repository.
const DESCRIPTOR_NAMES: [&str; 2] = ["catalog-info.yaml", "catalog-info.yml"];

/// Directories nested deeper than this are not searched.
const SEARCH_DEPTH_MAX: usize = 32;

/// What was found out about one file or URL.
#[derive(Debug, Default)]
struct Report {
    target: String,
    entities: usize,
    problems: Vec<Problem>,
}

/// An error with its place.
#[derive(Debug)]
struct Problem {
    file: String,
    line: Option<u32>,
    column: Option<u32>,
    entity_ref: Option<String>,
    pointer: Option<String>,
    rule: Option<String>,
    name: String,
    message: String,
}

/// Lets everything in.
#[derive(Debug)]
struct NoRules;

impl RulesEnforcer for NoRules {
    fn is_allowed(&self, _entity: &Entity, _origin: &LocationSpec) -> bool {
        true
    }

    fn fingerprint(&self) -> String {
        String::new()
    }
}

pub(crate) async fn run(
    mut builder: CatalogBuilder,
    targets: &[String],
    format: OutputFormat,
) -> Result<ExitCode, Error> {
    let CatalogBuilder { config, integrations, sources, added, .. } = &mut builder;
    let directory = sources.cwd.clone();
    let targets = expand(targets, &directory)?;
    let wired = Wired::new(config, &directory, integrations, added)?;
    let files =
        targets.iter().filter_map(|target| target.path().map(|path| path.to_string_lossy().into_owned()));
    wired.local_files.set(files);
    wired.pipeline.set_rules(Arc::new(NoRules));
    let mut reports = Vec::with_capacity(targets.len());
    for target in &targets {
        reports.push(validate(&wired, target).await);
    }
    match format {
        OutputFormat::Text => print(&text(&reports))?,
        OutputFormat::Json => print_json(&json(&reports))?,
    }
    let is_valid = reports.iter().all(|report| report.problems.is_empty());
    Ok(if is_valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Debug)]
enum Target {
    File(PathBuf),
    Url(String),
}

impl Target {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Url(_) => None,
        }
    }
}

/// Directories become the descriptor files below them.
fn expand(targets: &[String], directory: &Path) -> Result<Vec<Target>, Error> {
    let mut expanded = Vec::new();
    for target in targets {
        if target.starts_with("https://") || target.starts_with("http://") {
            expanded.push(Target::Url(target.clone()));
            continue;
        }
        let path = directory.join(target);
        if path.is_dir() {
            let before = expanded.len();
            search(&path, SEARCH_DEPTH_MAX, &mut expanded)?;
            if expanded.len() == before {
                return Err(Error::Setting(format!("there is no {} below {target}", DESCRIPTOR_NAMES[0])));
            }
        } else {
            expanded.push(Target::File(std::fs::canonicalize(&path).unwrap_or(path)));
        }
    }
    Ok(expanded)
}

fn search(directory: &Path, depth: usize, found: &mut Vec<Target>) -> Result<(), Error> {
    let failed =
        |source| Error::Io { what: format!("cannot read the directory {}", directory.display()), source };
    let mut entries =
        std::fs::read_dir(directory).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(failed)?;
        let name = entry.file_name();
        if kind.is_dir() && depth > 0 && !name.to_string_lossy().starts_with('.') && name != "node_modules" {
            search(&entry.path(), depth - 1, found)?;
        } else if kind.is_file() && DESCRIPTOR_NAMES.iter().any(|known| name == *known) {
            let path = entry.path();
            found.push(Target::File(std::fs::canonicalize(&path).unwrap_or(path)));
        }
    }
    Ok(())
}

async fn validate(wired: &Wired, target: &Target) -> Report {
    let (spec, name) = match target {
        Target::File(path) => {
            (LocationSpec::new("file", path.to_string_lossy()), path.to_string_lossy().into_owned())
        }
        Target::Url(url) => (LocationSpec::new("url", url), url.clone()),
    };
    let mut report = Report { target: name, ..Report::default() };
    let location_ref = match spec.location_ref() {
        Ok(location_ref) => location_ref,
        Err(error) => {
            report.problems.push(Problem::of_file(&report.target, error.name(), error.message));
            return report;
        }
    };
    let location_text = location_ref.to_string();
    let mut sources = SourceFiles::new(wired.file_bytes_max);
    let seeds = match target {
        // The documents of a file are looked at one by one, so that an error in one does not hide the others'.
        Target::File(_) => sources.at(&spec.target).entities(&location_ref, &mut report.problems),
        Target::Url(_) => {
            vec![DryRunEntity {
                entity: location_entity(&spec, &location_text, &location_text),
                position: None,
            }]
        }
    };
    let is_file = target.path().is_some();
    let walked = wired
        .pipeline
        .walk(seeds, |item| {
            collect(&mut report, &mut sources, item, is_file);
            true
        })
        .await;
    if let Err(error) = walked {
        report.problems.push(problem(&mut sources, &location_text, None, None, error));
    }
    report
}

fn collect(report: &mut Report, sources: &mut SourceFiles, item: DryRunItem, is_file: bool) {
    match item.result {
        // The generated Location of a URL is no entity of its file.
        Ok(_) if is_file || item.position.is_some() => report.entities += 1,
        Ok(_) => {}
        Err(errors) => {
            let location = item.location.unwrap_or_default();
            for error in errors {
                report.problems.push(problem(
                    sources,
                    &location,
                    Some(&item.entity_ref),
                    item.position,
                    error,
                ));
            }
        }
    }
}

fn problem(
    sources: &mut SourceFiles,
    location: &str,
    entity_ref: Option<&str>,
    position: Option<(u32, u32)>,
    error: ProcessorError,
) -> Problem {
    let address = &error.address;
    let own_location = location;
    let location = address.location.as_deref().unwrap_or(own_location);
    // Where the entity stands says nothing about another file.
    let position = position.filter(|_| location == own_location);
    let document = address.document.or(position.map(|(document, _)| document));
    let mut line = address.line;
    let mut column = address.column;
    if line.is_none() {
        let found = location.strip_prefix("file:").zip(document).and_then(|(path, document)| {
            sources.at(path).position(document, address.pointer.as_deref().unwrap_or_default())
        });
        line = found.map(|found| found.line).or(position.map(|(_, line)| line));
        column = found.map(|found| found.column);
    }
    Problem {
        file: location.split_once(':').map_or(location, |(_, target)| target).to_owned(),
        line,
        column,
        entity_ref: entity_ref.map(str::to_owned),
        pointer: address.pointer.clone(),
        rule: error.rule,
        name: error.name,
        message: error.message,
    }
}

impl Problem {
    fn of_file(file: &str, name: &str, message: String) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            column: None,
            entity_ref: None,
            pointer: None,
            rule: None,
            name: name.to_owned(),
            message,
        }
    }

    fn text(&self) -> String {
        let mut place = self.file.clone();
        for number in [self.line, self.column].into_iter().flatten() {
            place = format!("{place}:{number}");
        }
        let rule = self.rule.as_deref().map(|rule| format!(" [{rule}]")).unwrap_or_default();
        format!("{place}: {}: {}{rule}", self.name, self.message.trim_end())
    }

    fn json(&self) -> Value {
        json!({
            "file": self.file, "line": self.line, "column": self.column, "entityRef": self.entity_ref,
            "pointer": self.pointer, "rule": self.rule, "name": self.name, "message": self.message,
        })
    }
}

fn text(reports: &[Report]) -> String {
    let mut lines: Vec<_> =
        reports.iter().flat_map(|report| report.problems.iter().map(Problem::text)).collect();
    let entities: usize = reports.iter().map(|report| report.entities).sum();
    let problems: usize = reports.iter().map(|report| report.problems.len()).sum();
    lines.push(format!("{} files, {entities} valid entities, {problems} errors", reports.len()));
    lines.join("\n")
}

fn json(reports: &[Report]) -> Value {
    let files: Vec<_> = reports
        .iter()
        .map(|report| {
            json!({
                "target": report.target,
                "valid": report.problems.is_empty(),
                "entities": report.entities,
                "errors": report.problems.iter().map(Problem::json).collect::<Vec<_>>(),
            })
        })
        .collect();
    let is_valid = reports.iter().all(|report| report.problems.is_empty());
    json!({"valid": is_valid, "files": files})
}

#[cfg(test)]
mod tests {
    use callboard_config::Config;
    use callboard_integrations::Integrations;

    use super::*;
    use crate::builder::Added;

    const SYSTEM: &str =
        "apiVersion: backstage.io/v1alpha1\nkind: System\nmetadata: {name: twice}\nspec: {owner: me}\n";

    fn location(target: &str) -> String {
        format!(
            "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {{name: all}}\nspec: {{target: {target}}}\n"
        )
    }

    async fn report(config: &Config, directory: &Path, file: &str) -> Report {
        let integrations = Integrations::from_config(config).unwrap();
        let wired = Wired::new(config, directory, &integrations, &mut Added::default()).unwrap();
        wired.pipeline.set_rules(Arc::new(NoRules));
        validate(&wired, &Target::File(directory.join(file))).await
    }

    async fn problems(config: &Config, directory: &Path, file: &str) -> Vec<String> {
        report(config, directory, file).await.problems.iter().map(Problem::text).collect()
    }

    #[tokio::test]
    async fn a_file_that_the_daemon_would_not_read_is_an_error_and_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        let limit = 200;
        let of_length = |length: usize| format!("{SYSTEM}{}", "\n".repeat(length - SYSTEM.len()));
        write("exact.yaml", &of_length(limit));
        write("large.yaml", &of_length(limit + 1));
        // Opening a pipe that nobody writes to never comes back.
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        write("to-pipe.yaml", &location("./pipe"));
        let config = Config::from_value("c", json!({ "callboard": { "limits": { "fileBytes": limit } } }));
        assert_eq!(problems(&config, directory.path(), "exact.yaml").await, [""; 0]);
        let refused = |file: &str, reason: &str| {
            let path = directory.path().join(file).display().to_string();
            format!("{path}: Error: file {path} could not be read, Error: '{path}' {reason}")
        };
        let large = format!("is larger than the limit of {limit} bytes (callboard.limits.fileBytes)");
        for (file, expected) in [
            ("large.yaml", refused("large.yaml", &large) + " [file/readable]"),
            ("pipe", refused("pipe", "is not a regular file") + " [file/readable]"),
            ("to-pipe.yaml", refused("pipe", "is not a regular file")),
        ] {
            assert_eq!(problems(&config, directory.path(), file).await, [expected], "{file}");
        }
    }

    #[tokio::test]
    async fn an_entity_that_stands_twice_in_a_file_is_an_error_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("twice.yaml"), format!("{SYSTEM}---\n{SYSTEM}")).unwrap();
        std::fs::write(directory.path().join("all.yaml"), location("./twice.yaml")).unwrap();
        let place = directory.path().join("twice.yaml");
        let expected = "Error: Duplicate nested entity: system:default/twice [conflict/duplicate]";
        for file in ["twice.yaml", "all.yaml"] {
            let expected = format!("{}:5: {expected}", place.display());
            assert_eq!(problems(&Config::empty(), directory.path(), file).await, [expected], "{file}");
        }
    }

    #[tokio::test]
    async fn what_comes_after_a_duplicate_is_checked_too() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        let faulty = SYSTEM.replace("twice", "faulty").replace("owner: me", "");
        let other = SYSTEM.replace("twice", "other");
        write("twice.yaml", &[SYSTEM, SYSTEM, &faulty, &other, SYSTEM].join("---\n"));
        write("all.yaml", &location("./twice.yaml"));
        let place = directory.path().join("twice.yaml");
        let place = place.display();
        let duplicate = "Error: Duplicate nested entity: system:default/twice [conflict/duplicate]";
        for (file, entities) in [("twice.yaml", 2), ("all.yaml", 3)] {
            let report = report(&Config::empty(), directory.path(), file).await;
            let mut problems: Vec<_> = report.problems.iter().map(Problem::text).collect();
            problems.sort();
            assert_eq!(report.entities, entities, "{problems:?}");
            let [faulty, second, third] = &problems[..] else { panic!("{problems:?}") };
            assert!(faulty.starts_with(&format!("{place}:14:7: ")) && faulty.contains("owner"), "{faulty}");
            assert_eq!(*second, format!("{place}:20: {duplicate}"));
            assert_eq!(*third, format!("{place}:5: {duplicate}"));
        }
    }
}

//! The client of the catalog that Backstage's plugins use gets from the daemon what it expects. The tests themselves
//! are JavaScript, as the client is: see `tests/catalog-client`.
#![cfg(test)]

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use callboard_tests::{binary, store, workspace_root};

/// Makes a missing Node.js, or packages that cannot be installed, a failure, for machines that must have them.
const REQUIRE: &str = "CALLBOARD_REQUIRE_NODE";

#[test]
fn the_catalog_client_of_backstage_gets_what_it_expects() {
    let project = workspace_root().join("tests/catalog-client");
    if let Err(reason) = prepare(&project) {
        let is_required = std::env::var_os(REQUIRE).is_some_and(|value| value == "1");
        assert!(!is_required, "{reason}");
        writeln!(io::stderr(), "skipped: {reason}").unwrap();
        return;
    }
    let mut tests = command("node", &project);
    tests.args(["--test", "--test-reporter=spec"]).env("CALLBOARD_BINARY", binary());
    if store::is_postgres() {
        let cluster = store::postgres().expect("a server is there");
        tests.env("CALLBOARD_TEST_DATABASE", store::new_postgres_url(cluster));
    }
    let output = tests.output().unwrap();
    show(&output);
    assert!(output.status.success(), "the tests of the client failed: {}", output.status);
}

/// Installs the packages, unless they are those of the lock file already.
fn prepare(project: &Path) -> Result<(), String> {
    command("node", project)
        .arg("--version")
        .output()
        .map_err(|error| format!("there is no Node.js: {error}"))?;
    if is_installed(project) {
        return Ok(());
    }
    let output = command("npm", project).args(["ci", "--silent"]).output();
    let output = output.map_err(|error| format!("there is no npm: {error}"))?;
    show(&output);
    let installed = output.status.success();
    installed.then_some(()).ok_or_else(|| format!("the packages cannot be installed: {}", output.status))
}

fn is_installed(project: &Path) -> bool {
    let changed = |path: PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
    // npm writes this one at the end of each installation.
    let installed = changed(project.join("node_modules/.package-lock.json"));
    installed.is_some_and(|time| Some(time) >= changed(project.join("package-lock.json")))
}

fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn show(output: &Output) {
    for text in [&output.stdout, &output.stderr] {
        io::stderr().write_all(text).unwrap();
    }
}

//! Where the binary under test is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Names a binary to test instead of the one that is built from this workspace.
const OVERRIDE: &str = "CALLBOARD_BINARY";

/// The folder of the workspace.
pub fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a member of a workspace")
}

/// The binary, built once per process in the profile of the tests, so that it is never an old one.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os(OVERRIDE) {
        Some(path) => path.into(),
        None => build(),
    })
}

fn build() -> PathBuf {
    // Test executables are `TARGET/PROFILE/deps/NAME`.
    let this = std::env::current_exe().expect("the test has a path");
    let profile_folder = this.ancestors().nth(2).expect("the test is in a target folder");
    let target_folder = profile_folder.parent().expect("profiles are in a target folder");
    let profile = match profile_folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--quiet",
            "--package",
            "callboard",
            "--bin",
            "callboard",
            "--profile",
            profile,
            "--target-dir",
        ])
        .arg(target_folder)
        .current_dir(workspace_root())
        .status()
        .expect("cargo can be run");
    assert!(status.success(), "the binary cannot be built");
    profile_folder.join("callboard")
}

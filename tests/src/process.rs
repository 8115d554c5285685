//! Commands that come to an end.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// After this long a command that should end is killed, and the test fails.
const LIMIT: Duration = Duration::from_secs(50);

/// What a command left.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}

impl Finished {
    /// Both outputs, for tests that do not care which one a text is in.
    pub fn output(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

pub(crate) fn run_to_end(command: &mut Command) -> Finished {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the binary can be run");
    let streams = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    // Both are read while the command runs: a full pipe would stop it.
    let stdout = std::thread::spawn(move || std::io::read_to_string(streams.0).unwrap_or_default());
    let stderr = std::thread::spawn(move || std::io::read_to_string(streams.1).unwrap_or_default());
    let code = wait_for_end(&mut child);
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    let finished = Finished { code: code.flatten(), stdout, stderr };
    assert!(code.is_some(), "{command:?} did not end: {finished:#?}");
    finished
}

/// The exit code, in itself `None` after a signal; `None` if the process had to be killed.
pub(crate) fn wait_for_end(child: &mut Child) -> Option<Option<i32>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code());
        }
        if started.elapsed() > LIMIT {
            drop(child.kill());
            drop(child.wait());
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

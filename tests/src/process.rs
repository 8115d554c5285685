//! Commands that come to an end.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// After this long a command that should end is killed, and the test fails.
const LIMIT: Duration = Duration::from_secs(100);

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
    let ended = wait_for_end(&mut child);
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    let finished = Finished { code: ended.as_ref().ok().copied().flatten(), stdout, stderr };
    assert!(ended.is_ok(), "{command:?} did not end: {finished:#?}");
    finished
}

/// The process did not end by itself and had to be killed.
#[derive(Debug)]
pub(crate) struct Killed;

/// Waits for the end of the process. Answers its exit code, `None` after a signal.
pub(crate) fn wait_for_end(child: &mut Child) -> Result<Option<i32>, Killed> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Ok(status.code());
        }
        if started.elapsed() > LIMIT {
            drop(child.kill());
            drop(child.wait());
            return Err(Killed);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

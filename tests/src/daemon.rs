//! A running daemon.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use crate::process::wait_for_end;
use crate::{Api, wait_for};

/// How much of the log is shown when a test fails.
const LOG_LINES_SHOWN: usize = 60;

/// The process and the way to talk to it. Dropping it kills it; if the test failed, its log is shown.
#[derive(Debug)]
pub struct Daemon {
    child: Mutex<Child>,
    pid: u32,
    log: PathBuf,
    api: OnceLock<Api>,
}

impl Daemon {
    /// Starts `command`, with both of its outputs in `log`.
    pub fn spawn(command: &mut Command, log: &Path) -> Self {
        let output = File::create(log).unwrap();
        let errors = output.try_clone().unwrap();
        let child = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let child = child.expect("the binary can be run");
        Self { pid: child.id(), child: Mutex::new(child), log: log.to_path_buf(), api: OnceLock::new() }
    }

    /// Waits until the daemon says that it is ready.
    pub fn wait_until_ready(&self) {
        self.wait_for("the daemon to be ready", |api| {
            let reply = api.try_get("/.backstage/health/v1/readiness")?;
            (reply.status == 200).then_some(())
        });
    }

    /// The daemon's API; waits until it listens.
    pub fn api(&self) -> &Api {
        self.api.get_or_init(|| {
            let address = wait_for("the daemon to listen", || {
                self.assert_running();
                listening_address(&self.log_text())
            });
            Api::new(address)
        })
    }

    /// Looks until `probe` finds something; fails at once when the daemon ends.
    pub fn wait_for<T>(&self, what: &str, mut probe: impl FnMut(&Api) -> Option<T>) -> T {
        wait_for(what, || {
            self.assert_running();
            probe(self.api())
        })
    }

    /// Whether the process has not ended.
    pub fn is_running(&self) -> bool {
        matches!(self.child.lock().unwrap().try_wait(), Ok(None))
    }

    fn assert_running(&self) {
        assert!(self.is_running(), "the daemon ended by itself");
    }

    /// Everything that it logged so far.
    pub fn log_text(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Kills the process as a crash would: at whatever it is doing.
    pub fn crash(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends SIGTERM, as service managers do.
    pub fn terminate(&self) {
        // The shell's own `kill` is everywhere.
        let sent = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.pid)]).status().unwrap();
        assert!(sent.success(), "the signal cannot be sent");
    }

    /// Waits for the end of the process. Answers its exit code, `None` after a signal.
    pub fn wait_for_end(&self) -> Option<i32> {
        wait_for_end(&mut self.child.lock().unwrap()).expect("the daemon ends")
    }

    /// The most memory that the process ever had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("there is a peak");
        let kilobytes: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
        kilobytes * 1024
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(mut child) = self.child.lock() {
            // Both fail only for a process that is gone, which is what is wanted.
            drop(child.kill());
            drop(child.wait());
        }
        if std::thread::panicking() {
            let log = self.log_text();
            let lines: Vec<_> = log.lines().collect();
            let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            eprintln!("--- end of the log of daemon {} ---\n{}\n---", self.pid, shown.join("\n"));
        }
    }
}

/// The address on the loopback interface in the line that says so.
fn listening_address(log: &str) -> Option<SocketAddr> {
    const HOST: &str = "127.0.0.1:";
    let line = log.lines().find(|line| line.to_lowercase().contains("listening") && line.contains(HOST))?;
    let (_, rest) = line.split_once(HOST)?;
    let port = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    // The last digits may not be written yet.
    (port.len() < rest.len()).then(|| format!("{HOST}{port}").parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_address_in_either_format() {
        let json = "{\"message\":\"starting\"}\n{\"message\":\"Listening\",\"address\":\"127.0.0.1:4711\"}\n";
        assert_eq!(listening_address(json).unwrap().port(), 4711);
        assert_eq!(listening_address("INFO listening on http://127.0.0.1:80/\n").unwrap().port(), 80);
    }

    #[test]
    fn waits_for_the_whole_of_the_address() {
        assert_eq!(listening_address("listening on 127.0.0.1:47"), None);
        assert_eq!(listening_address("reading from 127.0.0.1:4711\n"), None);
    }
}

//! The process under test. It never outlives the value that stands for it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::contract;
use super::procfs::{Usage, reset_peak};
use crate::error::BenchError;

const LOG_FILE: &str = "daemon.log";

/// How much of the log is shown when the daemon ends by itself.
const LOG_LINES_SHOWN: usize = 20;

#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) started: Instant,
    log: PathBuf,
}

impl Daemon {
    /// Starts `binary` in `folder`, where its log is written to.
    pub(crate) fn start(
        binary: &Path,
        config: &Path,
        folder: &Path,
        address: SocketAddr,
    ) -> Result<Self, BenchError> {
        let log = folder.join(LOG_FILE);
        let output = File::create(&log).map_err(BenchError::file("create", &log))?;
        let errors = output.try_clone().map_err(BenchError::file("open", &log))?;
        // The daemon runs in another folder, where a relative path would mean something else.
        let binary = binary.canonicalize().map_err(BenchError::file("find", binary))?;
        let child = Command::new(&binary)
            .args(contract::arguments(config))
            .current_dir(folder)
            // A proxy of the machine must not come between the daemon and the file server.
            .env("NO_PROXY", Ipv4Addr::LOCALHOST.to_string())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|source| BenchError::Spawn { binary, source })?;
        Ok(Self { child, address, started: Instant::now(), log })
    }

    pub(crate) fn usage(&self) -> Result<Usage, BenchError> {
        Usage::of(self.child.id())
    }

    /// Lets the peak of memory count from now.
    pub(crate) fn reset_peak(&self) -> Result<(), BenchError> {
        reset_peak(self.child.id())
    }

    /// An error if the process has ended.
    pub(crate) fn check(&mut self) -> Result<(), BenchError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                Err(BenchError::DaemonEnded { status: status.to_string(), log: last_lines(&self.log) })
            }
            Err(error) => {
                Err(BenchError::DaemonEnded { status: error.to_string(), log: last_lines(&self.log) })
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only for a process that is gone, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An address on the loopback interface that nobody listened on just now.
pub(crate) fn free_address() -> Result<SocketAddr, BenchError> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    TcpListener::bind(any)
        .and_then(|listener| listener.local_addr())
        .map_err(|source| BenchError::Listen { address: any.to_string(), source })
}

fn last_lines(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let shown = lines.iter().skip(lines.len().saturating_sub(LOG_LINES_SHOWN)).copied();
    shown.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn start(folder: &Path, script: &str) -> Daemon {
        let binary = folder.join("daemon.sh");
        fs::write(&binary, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        Daemon::start(&binary, &folder.join("app-config.yaml"), folder, free_address().unwrap()).unwrap()
    }

    #[test]
    fn is_gone_once_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let mut daemon = start(folder.path(), "exec sleep 600");
        daemon.check().unwrap();
        let process = Path::new("/proc").join(daemon.child.id().to_string());
        assert!(process.exists());
        drop(daemon);
        assert!(!process.exists());
    }

    #[test]
    fn an_end_of_its_own_is_reported_with_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut daemon = start(folder.path(), "echo \"$@\"; echo refused >&2; exit 3");
        daemon.child.wait().unwrap();
        let error = daemon.check().unwrap_err().to_string();
        let config = folder.path().join("app-config.yaml");
        assert!(error.contains("exit status: 3"), "{error}");
        assert!(error.ends_with(&format!("serve --config {}\nrefused", config.display())), "{error}");
    }

    #[test]
    fn shows_the_end_of_a_long_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::write(&log, (0..100).map(|line| line.to_string()).collect::<Vec<_>>().join("\n")).unwrap();
        let shown = last_lines(&log);
        assert!(shown.starts_with("80\n") && shown.ends_with("\n99"), "{shown}");
    }
}

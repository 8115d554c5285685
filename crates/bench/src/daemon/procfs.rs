//! What the kernel knows about a process, from `/proc`.

use std::fs;
use std::path::Path;

use crate::error::BenchError;
use crate::figures::float;

/// Unit of the times in `/proc/PID/stat`: 100 ticks a second on every architecture that Rust supports on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// What `/proc/PID/clear_refs` takes as the request to forget the peak, and nothing else.
const RESET_PEAK: &str = "5";

/// What a process uses, and has used since its start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usage {
    /// In user and kernel mode, of all threads, in steps of 10 ms.
    pub(crate) cpu_seconds: f64,
    /// Resident at this moment.
    pub(crate) rss_bytes: u64,
    /// The most that was resident, since the start or [`reset_peak`].
    pub(crate) peak_rss_bytes: u64,
    /// What the process caused to be sent to the disk; 0 on file systems in memory.
    pub(crate) disk_bytes: u64,
    /// What the process handed to `write` and its kin, to whatever file.
    pub(crate) written_bytes: u64,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Result<Self, BenchError> {
        let folder = Path::new("/proc").join(pid.to_string());
        let read = |file: &str| {
            let path = folder.join(file);
            fs::read_to_string(&path).map_err(BenchError::file("read", &path))
        };
        Self::parse(&read("stat")?, &read("status")?, &read("io")?)
    }

    fn parse(stat: &str, status: &str, io: &str) -> Result<Self, BenchError> {
        Ok(Self {
            cpu_seconds: float(cpu_ticks(stat).ok_or_else(|| missing("utime", "stat"))?) / TICKS_PER_SECOND,
            rss_bytes: 1024 * figure(status, "VmRSS", "status")?,
            peak_rss_bytes: 1024 * figure(status, "VmHWM", "status")?,
            disk_bytes: figure(io, "write_bytes", "io")?,
            written_bytes: figure(io, "wchar", "io")?,
        })
    }
}

/// What a process used, with its children: those that run, and those that have ended.
pub(crate) fn tree_cpu_seconds(pid: u32) -> Result<f64, BenchError> {
    let processes = Path::new("/proc");
    let entries = fs::read_dir(processes).map_err(BenchError::file("list", processes))?;
    let mut ticks = 0;
    for entry in entries.flatten() {
        // Any of them may be gone by now.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let is_own = entry.file_name().to_str() == Some(&pid.to_string());
        if is_own || parent(&stat) == Some(pid) {
            ticks += cpu_ticks(&stat).unwrap_or_default() + ended_children_ticks(&stat).unwrap_or_default();
        }
    }
    Ok(float(ticks) / TICKS_PER_SECOND)
}

/// Lets the peak of a process's memory count from what is resident now.
pub(crate) fn reset_peak(pid: u32) -> Result<(), BenchError> {
    let path = Path::new("/proc").join(pid.to_string()).join("clear_refs");
    fs::write(&path, RESET_PEAK).map_err(BenchError::file("write to", &path))
}

/// The 14th and 15th field.
fn cpu_ticks(stat: &str) -> Option<u64> {
    Some(stat_field(stat, 14)? + stat_field(stat, 15)?)
}

/// The 16th and 17th field.
fn ended_children_ticks(stat: &str) -> Option<u64> {
    Some(stat_field(stat, 16)? + stat_field(stat, 17)?)
}

fn parent(stat: &str) -> Option<u32> {
    u32::try_from(stat_field(stat, 4)?).ok()
}

/// A field by its number, from the third on. The second, a name in parentheses, may hold spaces and parentheses.
fn stat_field(stat: &str, number: usize) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

/// The number in a line `field: number [unit]`.
fn figure(text: &str, field: &'static str, file: &str) -> Result<u64, BenchError> {
    let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = value.and_then(|value| value.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| missing(field, file))
}

fn missing(field: &'static str, file: &str) -> BenchError {
    BenchError::ProcFigure { field, file: format!("/proc/PID/{file}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "42 (call) board) S 1 42 42 0 -1 4194560 900 0 0 0 150 25 0 0 20 0 9 0 12345 1000 200 18446744";
    const STATUS: &str = "Name:\tcallboard\nVmPeak:\t  999 kB\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n";
    const IO: &str = "rchar: 1\nwchar: 300\nread_bytes: 0\nwrite_bytes: 4096\ncancelled_write_bytes: 7\n";

    #[test]
    fn reads_the_figures_behind_a_name_with_parentheses() {
        let usage = Usage::parse(STAT, STATUS, IO).unwrap();
        let expected = Usage {
            cpu_seconds: 1.75,
            rss_bytes: 1_048_576,
            peak_rss_bytes: 2_097_152,
            disk_bytes: 4_096,
            written_bytes: 300,
        };
        assert_eq!(usage, expected);
    }

    #[test]
    fn names_the_figure_that_is_missing() {
        let cases = [
            ("", STATUS, IO, "utime"),
            (STAT, "VmRSS: 1 kB", IO, "VmHWM"),
            (STAT, "VmHWM: 1 kB", IO, "VmRSS"),
            (STAT, STATUS, "wchar: 1", "write_bytes"),
        ];
        for (stat, status, io, field) in cases {
            let error = Usage::parse(stat, status, io).unwrap_err().to_string();
            assert!(error.starts_with(&format!("no figure {field} in /proc/PID/")), "{error}");
        }
    }

    #[test]
    fn finds_fields_by_their_numbers() {
        assert_eq!((parent(STAT), ended_children_ticks(STAT)), (Some(1), Some(0)));
        assert!(tree_cpu_seconds(std::process::id()).unwrap() >= 0.0);
    }

    #[test]
    fn the_peak_can_be_reset() {
        let mut process = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        reset_peak(process.id()).unwrap();
        let usage = Usage::of(process.id()).unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(usage.peak_rss_bytes >= usage.rss_bytes);
    }

    #[test]
    fn knows_this_process() {
        assert!(Usage::of(std::process::id()).unwrap().peak_rss_bytes > 0);
    }
}

//! The limits on what is read, with their defaults and configuration keys.

use std::time::Duration;

use callboard_config::Config;

use crate::IntegrationsError;

/// Limits of the fetch layer; all under `callboard.reading` in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchSettings {
    /// `maxBodyBytes`: size of a decompressed body. Default 32 MiB.
    pub body_bytes_max: usize,
    /// `maxArchiveBytes`: size of a repository's archive as it is sent. Default 128 MiB.
    pub archive_bytes_max: usize,
    /// `maxUnpackedBytes`: size of a repository's archive when unpacked. Default 1 GiB.
    pub unpacked_bytes_max: u64,
    /// `maxArchiveEntries`: files, directories and links in an archive. Default 200,000.
    pub archive_entries_max: usize,
    /// `totalTime`: a read from its first request to its last byte, redirects included. Default 60 s.
    pub total_time: Duration,
    /// `connectTime`: name look-up, connection and TLS. Default 10 s.
    pub connect_time: Duration,
    /// `idleTime`: between two arrivals of bytes. Default 15 s.
    pub idle_time: Duration,
    /// `maxConcurrentPerHost`: requests under way to one host. Default 8.
    pub concurrent_per_host_max: usize,
    /// `maxConcurrent`: requests under way in all. Default 64.
    pub concurrent_max: usize,
    /// `maxPause`: how long a host may keep us away with `Retry-After`. Default 10 min.
    pub pause_max: Duration,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            body_bytes_max: 32 * 1024 * 1024,
            archive_bytes_max: 128 * 1024 * 1024,
            unpacked_bytes_max: 1024 * 1024 * 1024,
            archive_entries_max: 200_000,
            total_time: Duration::from_mins(1),
            connect_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(15),
            concurrent_per_host_max: 8,
            concurrent_max: 64,
            pause_max: Duration::from_mins(10),
        }
    }
}

impl FetchSettings {
    /// Reads `callboard.reading`; what is not there has its default.
    pub fn from_config(config: &Config) -> Result<Self, IntegrationsError> {
        let Some(config) = config.get_opt_config("callboard.reading")? else {
            return Ok(Self::default());
        };
        let default = Self::default();
        let time = |key: &str, default: Duration| -> Result<Duration, IntegrationsError> {
            let time = config.get_opt_duration(key)?.unwrap_or(default);
            if time.is_zero() {
                return Err(out_of_range(key));
            }
            Ok(time)
        };
        Ok(Self {
            body_bytes_max: count(&config, "maxBodyBytes", default.body_bytes_max)?,
            archive_bytes_max: count(&config, "maxArchiveBytes", default.archive_bytes_max)?,
            unpacked_bytes_max: count(&config, "maxUnpackedBytes", default.unpacked_bytes_max)?,
            archive_entries_max: count(&config, "maxArchiveEntries", default.archive_entries_max)?,
            total_time: time("totalTime", default.total_time)?,
            connect_time: time("connectTime", default.connect_time)?,
            idle_time: time("idleTime", default.idle_time)?,
            concurrent_per_host_max: count(&config, "maxConcurrentPerHost", default.concurrent_per_host_max)?,
            concurrent_max: count(&config, "maxConcurrent", default.concurrent_max)?,
            pause_max: config.get_opt_duration("maxPause")?.unwrap_or(default.pause_max),
        })
    }
}

/// A number that is at least one.
fn count<N: TryFrom<u64>>(config: &Config, key: &str, default: N) -> Result<N, IntegrationsError> {
    match config.get_opt_u64(key)? {
        None => Ok(default),
        Some(0) => Err(out_of_range(key)),
        Some(value) => N::try_from(value).map_err(|_| out_of_range(key)),
    }
}

fn out_of_range(key: &str) -> IntegrationsError {
    IntegrationsError::Invalid(format!("callboard.reading.{key} is out of range"))
}

//! How many requests are under way, for each host and in all, and which hosts asked for a pause.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use url::Url;

use super::FetchSettings;

/// Hosts remembered; beyond it, those with neither requests nor a pause are forgotten.
const HOSTS_KEPT: usize = 1024;

/// The state of all hosts.
#[derive(Debug)]
pub(super) struct Hosts {
    per_host_max: usize,
    pause_max: Duration,
    all: Arc<Semaphore>,
    table: Mutex<HashMap<String, Host>>,
}

#[derive(Debug)]
struct Host {
    slots: Arc<Semaphore>,
    paused_until: Option<Instant>,
}

/// The right to make one request; ends when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _of_host: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
}

impl Hosts {
    pub(super) fn new(settings: &FetchSettings) -> Self {
        Self {
            per_host_max: settings.concurrent_per_host_max.min(Semaphore::MAX_PERMITS),
            pause_max: settings.pause_max,
            all: Arc::new(Semaphore::new(settings.concurrent_max.min(Semaphore::MAX_PERMITS))),
            table: Mutex::default(),
        }
    }

    /// Waits for a free slot. The `Err` is what is left of the host's pause.
    pub(super) async fn enter(&self, url: &Url) -> Result<Slot, Duration> {
        let key = key(url);
        let slots = self.unpaused(&key)?;
        // The host's slot first: those who wait for a slow host must not hold what other hosts could use.
        // The semaphores are never closed, so neither call fails.
        let of_host = slots.acquire_owned().await.ok();
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok();
        // A request that was ahead in the queue may have been told to stop.
        self.unpaused(&key)?;
        Ok(Slot { _of_host: of_host, _of_all: of_all })
    }

    /// Lets requests to the host fail for a while; a longer pause stays.
    pub(super) fn pause(&self, url: &Url, time: Duration) {
        if time.is_zero() {
            return;
        }
        let until = Instant::now() + time.min(self.pause_max);
        let mut table = self.table();
        let host = self.host(&mut table, &key(url)).1;
        *host = Some(host.map_or(until, |before| before.max(until)));
    }

    fn unpaused(&self, key: &str) -> Result<Arc<Semaphore>, Duration> {
        let mut table = self.table();
        let (slots, paused_until) = self.host(&mut table, key);
        let left =
            paused_until.map(|until| until.saturating_duration_since(Instant::now())).unwrap_or_default();
        if left.is_zero() { Ok(slots) } else { Err(left) }
    }

    fn host<'a>(
        &self,
        table: &'a mut HashMap<String, Host>,
        key: &str,
    ) -> (Arc<Semaphore>, &'a mut Option<Instant>) {
        if table.len() >= HOSTS_KEPT && !table.contains_key(key) {
            let now = Instant::now();
            table.retain(|_, host| {
                Arc::strong_count(&host.slots) > 1 || host.paused_until.is_some_and(|until| until > now)
            });
        }
        let host = table.entry(key.to_owned()).or_insert_with(|| Host {
            slots: Arc::new(Semaphore::new(self.per_host_max)),
            paused_until: None,
        });
        (Arc::clone(&host.slots), &mut host.paused_until)
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        // Nothing that holds the lock can leave the table half changed.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(per_host: usize, all: usize) -> Hosts {
        let settings = FetchSettings {
            concurrent_per_host_max: per_host,
            concurrent_max: all,
            pause_max: Duration::from_mins(10),
            ..FetchSettings::default()
        };
        Hosts::new(&settings)
    }

    fn url(url: &str) -> Url {
        Url::parse(url).unwrap()
    }

    async fn is_full(hosts: &Hosts, at: &str) -> bool {
        let at = url(at);
        let entering = std::pin::pin!(hosts.enter(&at));
        futures::poll!(entering).is_pending()
    }

    #[tokio::test]
    async fn slots_are_counted_for_each_host_and_in_all() {
        let hosts = hosts(2, 3);
        let first = hosts.enter(&url("https://a.example.com/1")).await.unwrap();
        let _second = hosts.enter(&url("https://a.example.com/2")).await.unwrap();
        assert!(is_full(&hosts, "https://a.example.com/3").await);
        let _third = hosts.enter(&url("https://b.example.com/")).await.unwrap();
        assert!(is_full(&hosts, "https://b.example.com/").await);
        drop(first);
        assert!(!is_full(&hosts, "https://a.example.com/3").await);
        assert!(!is_full(&hosts, "https://b.example.com/").await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_and_is_cut_to_the_limit() {
        let hosts = hosts(1, 1);
        hosts.pause(&url("https://a.example.com/"), Duration::from_hours(1));
        assert_eq!(hosts.enter(&url("https://a.example.com/x")).await.unwrap_err(), Duration::from_mins(10));
        assert!(hosts.enter(&url("https://a.example.com:8443/")).await.is_ok());
        tokio::time::advance(Duration::from_mins(10)).await;
        assert!(hosts.enter(&url("https://a.example.com/x")).await.is_ok());
    }

    #[tokio::test]
    async fn those_in_the_queue_of_a_host_see_its_pause() {
        let hosts = hosts(1, 1);
        let at = url("https://a.example.com/");
        let first = hosts.enter(&at).await.unwrap();
        let mut second = std::pin::pin!(hosts.enter(&at));
        assert!(futures::poll!(second.as_mut()).is_pending());
        hosts.pause(&at, Duration::from_secs(5));
        drop(first);
        assert!(second.await.is_err());
    }

    #[tokio::test]
    async fn the_table_of_hosts_does_not_grow_without_end() {
        let hosts = hosts(1, 8);
        hosts.pause(&url("https://paused.example.com/"), Duration::from_secs(5));
        for number in 0..3 * HOSTS_KEPT {
            drop(hosts.enter(&url(&format!("https://h{number}.example.com/"))).await.unwrap());
        }
        assert!(hosts.table().len() <= HOSTS_KEPT);
        assert!(hosts.enter(&url("https://paused.example.com/")).await.is_err());
    }
}

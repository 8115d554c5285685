//! Counters of requests and answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

/// What was answered since the start or the last reset. Requests for the counters themselves are not counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct HttpStats {
    pub requests: u64,
    /// Requests by status of the answer, for statuses that occurred.
    pub by_status: BTreeMap<u16, u64>,
    /// Bytes of all bodies.
    pub bytes: u64,
}

impl HttpStats {
    /// What was added since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let added = |status: &u16, count: u64| {
            count - earlier.by_status.get(status).copied().unwrap_or_default().min(count)
        };
        let by_status = self.by_status.iter().map(|(status, count)| (*status, added(status, *count)));
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            by_status: by_status.filter(|(_, count)| *count > 0).collect(),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}

/// The counters behind [`HttpStats`], one for each status that the server gives.
#[derive(Debug, Default)]
pub(super) struct Counters {
    ok: AtomicU64,
    not_modified: AtomicU64,
    not_found: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
}

impl Counters {
    pub(super) fn count(&self, status: StatusCode, bytes: u64) {
        let counter = match status {
            StatusCode::OK => &self.ok,
            StatusCode::NOT_MODIFIED => &self.not_modified,
            StatusCode::NOT_FOUND => &self.not_found,
            _ => &self.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn reset(&self) {
        for counter in [&self.ok, &self.not_modified, &self.not_found, &self.failed, &self.bytes] {
            counter.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn snapshot(&self) -> HttpStats {
        let counts = [
            (StatusCode::OK, &self.ok),
            (StatusCode::NOT_MODIFIED, &self.not_modified),
            (StatusCode::NOT_FOUND, &self.not_found),
            (StatusCode::INTERNAL_SERVER_ERROR, &self.failed),
        ];
        let counts = counts.map(|(status, counter)| (status.as_u16(), counter.load(Ordering::Relaxed)));
        HttpStats {
            requests: counts.iter().map(|(_, count)| count).sum(),
            by_status: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

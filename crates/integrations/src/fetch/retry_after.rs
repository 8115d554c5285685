//! The `Retry-After` header and the dates of HTTP.

use std::time::Duration;

use callboard_sdk::Timestamp;
use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// Longer advice is cut to this: by then, somebody should look again.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// How long to wait: whole seconds, or until a date as seen by the server's clock (ours if it does not tell).
pub(super) fn parse(headers: &HeaderMap, now: impl FnOnce() -> Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    }
    let until = http_date(value)?;
    let now = server_time(headers).unwrap_or_else(now);
    Some((until - now).to_std().unwrap_or_default().min(RETRY_AFTER_MAX))
}

/// When the server sent its response, by its own clock.
pub(crate) fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}

/// Reads a date as HTTP writes it, and as some object stores do.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    let parsed = DateTime::parse_from_rfc2822(text).or_else(|_| DateTime::parse_from_rfc3339(text));
    parsed.ok().map(|date| date.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn advice_is_seconds_or_a_date() {
        let table = [
            ("0", Some(0)),
            (" 7 ", Some(7)),
            ("99999999999", Some(24 * 3600)),
            ("Mon, 01 Jan 2024 00:01:00 GMT", Some(60)),
            ("Sun, 31 Dec 2023 00:00:00 GMT", Some(0)),
            ("soon", None),
            ("-3", None),
            ("1.5", None),
        ];
        for (value, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            let now = || http_date("Mon, 01 Jan 2024 00:00:00 GMT").unwrap();
            assert_eq!(parse(&headers, now), expected.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn dates_count_from_the_servers_clock() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Mon, 01 Jan 2024 00:01:00 GMT"));
        headers.insert(DATE, HeaderValue::from_static("Mon, 01 Jan 2024 00:00:30 GMT"));
        assert_eq!(parse(&headers, || unreachable!()), Some(Duration::from_secs(30)));
    }
}

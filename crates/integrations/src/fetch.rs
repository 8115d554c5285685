//! The one way out to the network: every request of Callboard's readers and providers goes through
//! [`Fetcher`].
//!
//! It follows redirects by hand, so that a policy sees each hop before anything is sent there and credentials
//! stay with the origin they were given for. Sizes, times, hops and concurrency have limits
//! ([`FetchSettings`]), and a host that asks for a pause gets it. Statuses are not judged here but by
//! [`FetchResponse::accepted`], where only 404 counts as absent.

mod hosts;
mod request;
mod response;
mod retry_after;
mod settings;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use callboard_sdk::{Clock, ReadError, SystemClock};
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, HeaderValue, LOCATION};
use tokio::time::{Instant, timeout};
use url::Url;

pub use request::{FetchRequest, HopPolicy};
pub use response::FetchResponse;
pub(crate) use retry_after::server_time;
pub use settings::FetchSettings;

use crate::IntegrationsError;
use crate::redact::shown;
use hosts::Hosts;

/// Requests for one read: the first, and four redirects.
const REQUESTS_MAX: usize = 5;
/// Bodies of redirects and failures are read up to this size and thrown away, so that connections can be used
/// again and HTTP/2 servers do not see floods of reset streams.
const IDLE_BODY_BYTES_MAX: usize = 64 * 1024;
/// Memory that is taken at once for a body of an announced length. Bodies that grow leave holes behind; announcements
/// may be lies.
const PREALLOCATED_MAX: usize = 1024 * 1024;

/// Makes requests, within limits. Clones share connections, limits and pauses.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: reqwest::Client,
    settings: Arc<FetchSettings>,
    hosts: Arc<Hosts>,
    clock: Arc<dyn Clock>,
}

/// What one request of a read led to.
enum Hop {
    Redirect(Url),
    Arrived(FetchResponse),
}

impl Fetcher {
    /// Sets up the HTTP client. Proxies come from the environment, as is usual.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the fetch layer: the one place that makes a client"
    )]
    pub fn new(settings: FetchSettings) -> Result<Self, IntegrationsError> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("callboard/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(settings.connect_time)
            .read_timeout(settings.idle_time)
            .pool_max_idle_per_host(settings.concurrent_per_host_max)
            .build()
            .map_err(IntegrationsError::Client)?;
        let hosts = Arc::new(Hosts::new(&settings));
        Ok(Self { client, settings: Arc::new(settings), hosts, clock: Arc::new(SystemClock) })
    }

    /// The limits.
    pub fn settings(&self) -> &FetchSettings {
        &self.settings
    }

    /// Makes the request and follows redirects. Any status but a redirect comes back as a response; the body
    /// is read only on success.
    pub async fn get(&self, request: &FetchRequest<'_>) -> Result<FetchResponse, ReadError> {
        tokio::select! {
            biased;
            () = request.cancellation.cancelled() => Err(request.failed("the read was cancelled")),
            response = self.follow(request) => response,
        }
    }

    /// Leaves the URL's host alone for a while: until then, requests to it fail at once.
    pub(crate) fn pause(&self, url: &Url, time: Duration) {
        self.hosts.pause(url, time);
    }

    async fn follow(&self, request: &FetchRequest<'_>) -> Result<FetchResponse, ReadError> {
        let mut authorization = request.authorization()?;
        let mut url = request.url.clone();
        // Waiting for a free slot does not count, or a long queue would fail reads whose hosts are well.
        let mut time_left = self.settings.total_time;
        for _ in 0..REQUESTS_MAX {
            request.policy.check(&url).map_err(ReadError::failed)?;
            if url.origin() != request.url.origin() {
                authorization = None;
            }
            let _slot = self.hosts.enter(&url).await.map_err(|left| paused(request, left))?;
            let started = Instant::now();
            let hop = timeout(time_left, self.send(request, &url, authorization.clone())).await;
            match hop.map_err(|_| self.took_too_long(request))?? {
                Hop::Redirect(next) => url = next,
                Hop::Arrived(response) => return Ok(response),
            }
            time_left = time_left.saturating_sub(started.elapsed());
        }
        let shown = shown(request.url.as_str());
        Err(ReadError::failed(format!("Too many redirects (max {REQUESTS_MAX}) when reading {shown}")))
    }

    async fn send(
        &self,
        request: &FetchRequest<'_>,
        url: &Url,
        authorization: Option<HeaderValue>,
    ) -> Result<Hop, ReadError> {
        let mut headers = request.headers.clone();
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        let sent = self.client.get(url.clone()).headers(headers).send().await;
        let mut response = sent.map_err(|error| self.broken(request, error))?;
        if let Some(next) = redirect(request, url, &response)? {
            drain(response).await;
            return Ok(Hop::Redirect(next));
        }
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let retry_after = retry_after::parse(&headers, || self.clock.now());
        if let (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, Some(time)) =
            (status, retry_after)
        {
            self.hosts.pause(url, time);
        }
        let body = if status.is_success() {
            self.body(request, response).await?
        } else {
            drain(response).await;
            Bytes::new()
        };
        Ok(Hop::Arrived(FetchResponse { url: url.clone(), status, headers, body, retry_after }))
    }

    /// The whole body, decompressed; the limit is on what comes out of the decompression.
    async fn body(
        &self,
        request: &FetchRequest<'_>,
        mut response: reqwest::Response,
    ) -> Result<Bytes, ReadError> {
        let (max, key) = if request.is_archive {
            (self.settings.archive_bytes_max, "maxArchiveBytes")
        } else {
            (self.settings.body_bytes_max, "maxBodyBytes")
        };
        let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
        let mut body = BytesMut::with_capacity(announced.unwrap_or_default().min(PREALLOCATED_MAX));
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(request, error))? {
            if chunk.len() > max - body.len() {
                let limit = format_args!("the limit of {max} bytes (callboard.reading.{key})");
                return Err(request.failed(format_args!("its body exceeds {limit}")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    fn took_too_long(&self, request: &FetchRequest<'_>) -> ReadError {
        let seconds = self.settings.total_time.as_secs_f32();
        request.failed(format_args!("it took longer than {seconds} s (callboard.reading.totalTime)"))
    }

    fn broken(&self, request: &FetchRequest<'_>, error: reqwest::Error) -> ReadError {
        if error.is_timeout() && error.is_connect() {
            let seconds = self.settings.connect_time.as_secs_f32();
            return request
                .failed(format_args!("no connection within {seconds} s (callboard.reading.connectTime)"));
        }
        if error.is_timeout() {
            let seconds = self.settings.idle_time.as_secs_f32();
            return request.failed(format_args!("nothing came for {seconds} s (callboard.reading.idleTime)"));
        }
        // The URL within the error may hold a token.
        let error = error.without_url();
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            // Writing to a String cannot fail.
            write!(text, ": {cause}").ok();
            source = cause.source();
        }
        request.failed(text)
    }
}

async fn drain(mut response: reqwest::Response) {
    let mut left = IDLE_BODY_BYTES_MAX;
    while let Ok(Some(chunk)) = response.chunk().await {
        match left.checked_sub(chunk.len()) {
            Some(less) => left = less,
            None => return,
        }
    }
}

fn paused(request: &FetchRequest<'_>, left: Duration) -> ReadError {
    let message = format!(
        "Unable to read {}, its host asked to be left alone for another {} s",
        shown(request.url.as_str()),
        left.as_secs().max(1)
    );
    ReadError::Failed { message, retry_after: Some(left) }
}

/// Where the response redirects to. 303 is not followed, nor is a redirect without `Location`: the caller
/// sees their statuses, which are no success.
fn redirect(
    request: &FetchRequest<'_>,
    url: &Url,
    response: &reqwest::Response,
) -> Result<Option<Url>, ReadError> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 307 | 308);
    let Some(location) = response.headers().get(LOCATION).filter(|_| is_redirect) else {
        return Ok(None);
    };
    let location = location.to_str().ok().and_then(|location| url.join(location).ok());
    location.map(Some).ok_or_else(|| request.failed("it redirects to an invalid URL"))
}

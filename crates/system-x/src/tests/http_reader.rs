//! As much of an HTTP client as the tests need: one request, one connection.

use std::io;

use callboard_sdk::{
    Bytes, ReadError, ReadTreeOptions, ReadTreeResponse, ReadUrlOptions, ReadUrlResponse, SearchOptions,
    SearchResponse, UrlReader, async_trait,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const RESPONSE_BYTES_MAX: u64 = 1024 * 1024;

/// Reads `http` URLs.
#[derive(Debug)]
pub(super) struct HttpReader;

#[async_trait]
impl UrlReader for HttpReader {
    async fn read_url(&self, url: &str, options: &ReadUrlOptions) -> Result<ReadUrlResponse, ReadError> {
        let failed = |reason: &dyn std::fmt::Display| format!("could not read {url}, {reason}");
        let response = exchange(url, options.etag.as_deref())
            .await
            .map_err(|error| ReadError::failed(failed(&error)))?;
        let response = String::from_utf8_lossy(&response);
        let Some((head, body)) = response.split_once("\r\n\r\n") else {
            return Err(ReadError::failed(failed(&"the connection was closed early")));
        };
        let (status, headers) = head.split_once("\r\n").unwrap_or((head, ""));
        match status.strip_prefix("HTTP/1.1 ").unwrap_or(status) {
            "200 OK" => Ok(ReadUrlResponse {
                data: Bytes::from(body.to_owned()),
                etag: headers.lines().find_map(|line| line.strip_prefix("ETag: ")).map(str::to_owned),
                last_modified_at: None,
            }),
            "304 Not Modified" => Err(ReadError::NotModified),
            "404 Not Found" => Err(ReadError::NotFound(failed(&"404 Not Found"))),
            other => Err(ReadError::failed(failed(&other))),
        }
    }

    async fn read_tree(&self, url: &str, _options: &ReadTreeOptions) -> Result<ReadTreeResponse, ReadError> {
        Err(ReadError::NotAllowed(url.to_owned()))
    }

    async fn search(&self, url: &str, _options: &SearchOptions) -> Result<SearchResponse, ReadError> {
        Err(ReadError::NotAllowed(url.to_owned()))
    }
}

async fn exchange(url: &str, etag: Option<&str>) -> io::Result<Vec<u8>> {
    let address = url.strip_prefix("http://").and_then(|rest| rest.split_once('/'));
    let (host, path) = address.ok_or_else(|| io::Error::other("not an http URL"))?;
    let mut stream = TcpStream::connect(host).await?;
    let validator = etag.map(|etag| format!("If-None-Match: {etag}\r\n")).unwrap_or_default();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\n{validator}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = Vec::new();
    stream.take(RESPONSE_BYTES_MAX).read_to_end(&mut response).await?;
    Ok(response)
}

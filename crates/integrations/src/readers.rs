//! The URL readers, and what they share.

pub(crate) mod archive;
pub(crate) mod fetch;
pub(crate) mod github;
pub(crate) mod mux;

use callboard_sdk::{ReadError, ReadUrlOptions, SearchFile, SearchOptions, SearchResponse, UrlReader};
use url::Url;

/// Parses the URL that a reader was asked for.
fn parse_url(url: &str) -> Result<Url, ReadError> {
    Url::parse(url).map_err(|_| ReadError::failed("Invalid URL"))
}

/// A search without a glob: a read of one file, with an empty list where there is nothing.
async fn search_one(
    reader: &impl UrlReader,
    url: &str,
    options: &SearchOptions,
) -> Result<SearchResponse, ReadError> {
    let read = ReadUrlOptions {
        etag: options.etag.clone(),
        last_modified_after: None,
        token: options.token.clone(),
        cancellation: options.cancellation.clone(),
    };
    match reader.read_url(url, &read).await {
        Ok(response) => {
            let mut file = SearchFile::ready(url, response.data);
            file.last_modified_at = response.last_modified_at;
            Ok(SearchResponse { files: vec![file], etag: response.etag.unwrap_or_default() })
        }
        Err(ReadError::NotFound(_)) => Ok(SearchResponse { files: Vec::new(), etag: String::new() }),
        Err(error) => Err(error),
    }
}

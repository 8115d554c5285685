//! How the world is read: slowly, and not always.

use std::sync::Arc;
use std::time::Duration;

use callboard_sdk::{
    Bytes, LoadContent, ReadError, ReadTreeOptions, ReadTreeResponse, ReadUrlOptions, ReadUrlResponse,
    SearchFile, SearchOptions, SearchResponse, UrlReader, async_trait,
};

use crate::dice::Dice;
use crate::trace::Trace;
use crate::weather::Weather;
use crate::world::{File, Trouble, World};

/// Longer than any processor waits.
const FOR_EVER: Duration = Duration::from_mins(10);

/// Reads the world for one replica.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    pub(crate) world: World,
    pub(crate) dice: Dice,
    pub(crate) weather: Weather,
    pub(crate) trace: Trace,
}

#[derive(Debug)]
struct Loader {
    upstream: Upstream,
    url: String,
}

impl Upstream {
    async fn latency(&self) {
        tokio::time::sleep(self.weather.latency(&self.dice)).await;
    }

    /// What goes wrong on the way, whatever is asked for.
    async fn passing_trouble(&self) -> Result<(), ReadError> {
        if !self.dice.per_mille(self.weather.read_faults()) {
            return Ok(());
        }
        match self.dice.below(4) {
            0 => tokio::time::sleep(FOR_EVER).await,
            1 => {
                let retry_after = Some(Duration::from_secs(3));
                return Err(ReadError::Failed { message: "429 Too Many Requests".to_owned(), retry_after });
            }
            _ => {}
        }
        Err(ReadError::failed("connection reset"))
    }

    async fn content(&self, url: &str, file: Option<File>) -> Result<Bytes, ReadError> {
        let gone = || ReadError::NotFound(format!("{url} is not there"));
        let file = file.ok_or_else(gone)?;
        match file.trouble {
            None => Ok(text(&file).into()),
            Some(Trouble::Missing) => Err(gone()),
            Some(Trouble::Broken) => Err(ReadError::failed("500 Internal Server Error")),
            Some(Trouble::Forbidden) => Err(ReadError::NotAllowed("403 Forbidden".to_owned())),
            Some(Trouble::Garbage) => Ok(Bytes::from_static(b"{ this: is [no YAML")),
            Some(Trouble::Cut) => {
                let text = text(&file);
                Ok(text.get(..text.len() - 5).unwrap_or_default().to_owned().into())
            }
            Some(Trouble::Silent) => {
                tokio::time::sleep(FOR_EVER).await;
                Err(ReadError::failed("no answer"))
            }
        }
    }

    fn file(&self, url: &str) -> Option<File> {
        self.world.outside().files.get(url).cloned()
    }
}

fn text(file: &File) -> String {
    let documents: Vec<String> = file.documents.iter().map(|it| it.to_value().to_string()).collect();
    documents.join("\n---\n")
}

#[async_trait]
impl LoadContent for Loader {
    async fn load(&self) -> Result<Bytes, ReadError> {
        self.upstream.latency().await;
        self.upstream.content(&self.url, self.upstream.file(&self.url)).await
    }
}

#[async_trait]
impl UrlReader for Upstream {
    async fn read_url(&self, url: &str, _options: &ReadUrlOptions) -> Result<ReadUrlResponse, ReadError> {
        self.latency().await;
        let data = self.content(url, self.file(url)).await?;
        Ok(ReadUrlResponse { data, etag: None, last_modified_at: None })
    }

    async fn read_tree(&self, url: &str, _options: &ReadTreeOptions) -> Result<ReadTreeResponse, ReadError> {
        Err(ReadError::failed(format!("{url} is no tree")))
    }

    async fn search(&self, url: &str, options: &SearchOptions) -> Result<SearchResponse, ReadError> {
        self.latency().await;
        self.passing_trouble().await?;
        let is_glob = url.ends_with("*.yaml");
        let found: Vec<(String, File)> = self
            .world
            .outside()
            .matching(url)
            .map(|(url, file)| (url.clone(), file.clone()))
            .filter(|(_, file)| !is_glob || file.trouble != Some(Trouble::Missing))
            .collect();
        let is_well = found.iter().all(|(_, file)| file.trouble.is_none());
        let versions: Vec<String> = found.iter().map(|(_, file)| file.version.to_string()).collect();
        let etag = versions.join(".");
        // Some upstreams forget that they know validators.
        if is_well && options.etag.as_ref() == Some(&etag) && !self.dice.per_mille(100) {
            self.trace.say(format_args!("read {url}: not modified"));
            return Err(ReadError::NotModified);
        }
        let may_change_meanwhile = self.dice.per_mille(300);
        let mut files = Vec::new();
        for (file_url, file) in found {
            if may_change_meanwhile || is_glob {
                let loader = Loader { upstream: self.clone(), url: file_url.clone() };
                files.push(SearchFile::lazy(file_url, Arc::new(loader)));
            } else {
                let content = self.content(&file_url, Some(file)).await;
                self.trace.say(format_args!("read {file_url}: {:?}", content.as_ref().map(Bytes::len)));
                files.push(SearchFile::ready(file_url, content?));
            }
        }
        if files.is_empty() && !is_glob {
            return Err(ReadError::NotFound(format!("{url} is not there")));
        }
        Ok(SearchResponse { files, etag: if is_well { etag } else { String::new() } })
    }
}

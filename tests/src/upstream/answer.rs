//! Good and bad answers.

use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Stop;

/// Between two bytes of [`Answer::Drip`].
const DRIP_PAUSE: Duration = Duration::from_secs(1);

/// How long [`Answer::Silence`] holds a connection: longer than any client waits.
const SILENCE: Duration = Duration::from_mins(10);

/// What a path is answered with.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The content, with a validator; 304 for those who know it.
    Content(Arc<[u8]>),
    /// This status and a short text.
    Status(u16),
    /// 200 with a page for people, as a login in front of a server gives it.
    Html,
    /// 302 to that URL.
    Redirect(String),
    /// 200, and then a byte a second without an end.
    Drip,
    /// No answer at all.
    Silence,
    /// 200 with the length of all of this, and half of it.
    Truncated(Arc<[u8]>),
    /// 200 with gzip, which unpacks to a hundred thousand times 1 KB.
    GzipBomb,
    /// 200 with this text so many times.
    Repeated(&'static str, usize),
}

impl From<Vec<u8>> for Answer {
    fn from(content: Vec<u8>) -> Self {
        Self::Content(content.into())
    }
}

impl From<String> for Answer {
    fn from(content: String) -> Self {
        content.into_bytes().into()
    }
}

impl Answer {
    pub(super) fn status(&self, known: Option<&str>) -> u16 {
        match self {
            Self::Content(content) if known == Some(&etag(content)) => 304,
            Self::Status(status) => *status,
            Self::Redirect(_) => 302,
            _ => 200,
        }
    }

    pub(super) fn send(&self, mut stream: &TcpStream, status: u16, stop: &Stop) -> io::Result<()> {
        let mut head = |headers: &[(&str, &str)]| {
            let mut text = format!("HTTP/1.1 {status} -\r\nConnection: close\r\n");
            for (name, value) in headers {
                text.extend([name, ": ", value, "\r\n"]);
            }
            text.push_str("\r\n");
            stream.write_all(text.as_bytes())
        };
        let whole = |content: &[u8]| content.len().to_string();
        match self {
            Self::Content(content) if status == 304 => head(&[("ETag", &etag(content))]),
            Self::Content(content) => {
                head(&[("ETag", &etag(content)), ("Content-Length", &whole(content))])?;
                stream.write_all(content)
            }
            Self::Status(_) => {
                head(&[("Content-Length", "7")])?;
                stream.write_all(b"sorry.\n")
            }
            Self::Html => {
                const PAGE: &str =
                    "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body></body></html>\n";
                head(&[("Content-Type", "text/html"), ("Content-Length", &whole(PAGE.as_bytes()))])?;
                stream.write_all(PAGE.as_bytes())
            }
            Self::Redirect(url) => head(&[("Location", url), ("Content-Length", "0")]),
            Self::Drip => {
                head(&[("Content-Type", "application/yaml")])?;
                while stop.pause(DRIP_PAUSE) {
                    stream.write_all(b"#")?;
                }
                Ok(())
            }
            Self::Silence => {
                stop.pause(SILENCE);
                Ok(())
            }
            Self::Truncated(content) => {
                head(&[("Content-Length", &whole(content))])?;
                stream.write_all(&content[..content.len() / 2])
            }
            Self::GzipBomb => {
                let bomb = gzip_bomb();
                head(&[("Content-Encoding", "gzip"), ("Content-Length", &whole(&bomb))])?;
                stream.write_all(&bomb)
            }
            Self::Repeated(text, times) => {
                head(&[("Content-Length", &(text.len() * times).to_string())])?;
                (0..*times).try_for_each(|_| stream.write_all(text.as_bytes()))
            }
        }
    }
}

fn gzip_bomb() -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let kilobyte = [b'#'; 1024];
    (0..100_000).try_for_each(|_| packed.write_all(&kilobyte)).expect("memory can be written to");
    packed.finish().expect("memory can be written to")
}

fn etag(content: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(content);
    format!("\"{:016x}\"", hasher.finish())
}

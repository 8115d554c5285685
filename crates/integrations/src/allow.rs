//! `backend.reading.allow`: which hosts and paths may be read without an integration.
//!
//! The rules are those of Backstage, oddities included, because a list that admits more than it did there
//! would be a hole and one that admits less would lose entities.

use callboard_config::Config;
use url::{Url, quirks};

use crate::IntegrationsError;
use crate::fetch::HopPolicy;
use crate::redact::shown;

/// The parsed allow list. An empty one allows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    rules: Vec<AllowRule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct AllowRule {
    host: HostRule,
    port: PortRule,
    paths: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostRule {
    /// Compared as written: a host with capitals in the list never matches, as URLs are lower-cased.
    Exact(String),
    /// The part after the `*`, with its leading dot; the domain itself does not match.
    SubdomainsOf(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PortRule {
    /// The URL names no port other than its scheme's default.
    Implied,
    /// Both ends included; the scheme's default port counts when the URL names none.
    Range(u64, u64),
    /// Written, but not as a number.
    Never,
}

impl AllowList {
    /// Reads `backend.reading.allow`; a bad port range is an error.
    pub fn from_config(config: &Config) -> Result<Self, IntegrationsError> {
        let entries = config.get_opt_configs("backend.reading.allow")?.unwrap_or_default();
        let mut rules = Vec::with_capacity(entries.len());
        for entry in entries {
            let host = entry.get_str("host")?;
            let paths = entry.get_opt_strs("paths")?;
            rules.push(AllowRule::new(&host, paths).map_err(IntegrationsError::Invalid)?);
        }
        Ok(Self { rules })
    }

    #[cfg(test)]
    pub(crate) fn of(entries: &[(&str, Option<&[&str]>)]) -> Self {
        let rule = |&(host, paths): &(&str, Option<&[&str]>)| {
            let paths = paths.map(|paths| paths.iter().map(|&path| path.to_owned()).collect());
            AllowRule::new(host, paths).unwrap()
        };
        Self { rules: entries.iter().map(rule).collect() }
    }

    /// Whether some entry accepts this URL.
    pub fn is_allowed(&self, url: &Url) -> bool {
        self.rules.iter().any(|rule| rule.matches(url))
    }
}

impl HopPolicy for AllowList {
    fn check(&self, url: &Url) -> Result<(), String> {
        if self.is_allowed(url) {
            return Ok(());
        }
        Err(format!("URL not allowed by backend.reading.allow configuration: {}", shown(url.as_str())))
    }
}

impl AllowRule {
    fn new(host: &str, paths: Option<Vec<String>>) -> Result<Self, String> {
        let mut parts = host.split(':');
        let hostname = parts.next().unwrap_or_default();
        let port = match parts.next() {
            None | Some("") => PortRule::Implied,
            Some(port) => PortRule::parse(port)?,
        };
        let host = match hostname.strip_prefix('*') {
            Some(suffix) if suffix.starts_with('.') => HostRule::SubdomainsOf(suffix.to_owned()),
            _ => HostRule::Exact(hostname.to_owned()),
        };
        Ok(Self { host, port, paths })
    }

    fn matches(&self, url: &Url) -> bool {
        let hostname = quirks::hostname(url);
        let is_host = match &self.host {
            HostRule::Exact(host) => hostname == host,
            HostRule::SubdomainsOf(suffix) => hostname.ends_with(suffix.as_str()),
        };
        is_host && self.port.matches(url) && self.matches_path(url.path())
    }

    fn matches_path(&self, path: &str) -> bool {
        let Some(allowed) = &self.paths else { return true };
        let path = normalized(path);
        allowed.iter().any(|entry| {
            path.strip_prefix(entry.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || entry.ends_with('/'))
        })
    }
}

impl PortRule {
    fn parse(port: &str) -> Result<Self, String> {
        if !port.contains('-') {
            return Ok(leading_number(port).map_or(Self::Never, |port| Self::Range(port, port)));
        }
        // Zeros and parts that are not numbers drop out, so that `-100-300` is the range 100 to 300.
        let ends: Vec<u64> = port.split('-').filter_map(leading_number).filter(|&end| end > 0).collect();
        match ends[..] {
            [start, end] if start <= end => Ok(Self::Range(start, end)),
            [start, end] => Err(format!("Port range is not valid: [{start}, {end}]")),
            _ => Err(format!("Port range is not valid: {port}")),
        }
    }

    fn matches(self, url: &Url) -> bool {
        match self {
            Self::Implied => url.port().is_none(),
            Self::Range(start, end) => {
                url.port_or_known_default().is_some_and(|port| (start..=end).contains(&u64::from(port)))
            }
            Self::Never => false,
        }
    }
}

/// The number that the text begins with, as in JavaScript's `parseInt`.
fn leading_number(text: &str) -> Option<u64> {
    let text = text.trim_start();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..digits)?.parse().ok()
}

/// The path with runs of slashes collapsed. Dot segments were resolved when the URL was parsed, but only
/// before the collapse, so they are resolved once more here.
fn normalized(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let mut normalized = format!("/{}", segments.join("/"));
    if path.ends_with('/') && !segments.is_empty() {
        normalized.push('/');
    }
    normalized
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(host: &str, paths: Option<&[&str]>, url: &str) -> bool {
        AllowList::of(&[(host, paths)]).is_allowed(&Url::parse(url).unwrap())
    }

    #[test]
    fn hosts_and_ports_follow_the_table() {
        let table = [
            ("e.com", "http://e.com/", true),
            ("e.com", "https://e.com:443/", true),
            ("e.com", "http://e.com:80/x", true),
            ("e.com", "https://e.com:80/", false),
            ("e.com", "https://e.com:8443/", false),
            ("e.com", "https://xe.com/", false),
            ("e.com", "https://a.e.com/", false),
            ("E.com", "https://e.com/", false),
            ("e.com", "https://E.com/", true),
            ("*.e.com", "https://a.e.com/", true),
            ("*.e.com", "https://a.b.e.com/", true),
            ("*.e.com", "https://e.com/", false),
            ("*.e.com", "https://xe.com/", false),
            ("*", "https://e.com/", false),
            ("a.*.com", "https://a.e.com/", false),
            ("e.com:443", "https://e.com/", true),
            ("e.com:443", "http://e.com/", false),
            ("e.com:443", "http://e.com:443/", true),
            ("e.com:80", "http://e.com/", true),
            ("e.com:80", "https://e.com/", false),
            ("e.com:100-200", "https://e.com:150/", true),
            ("e.com:100-200", "https://e.com:100/", true),
            ("e.com:100-200", "https://e.com:200/", true),
            ("e.com:100-200", "https://e.com:4000/", false),
            ("e.com:400-500", "https://e.com/", true),
            ("e.com:400-500", "http://e.com/", false),
            ("e.com:-100-300", "https://e.com:250/", true),
            ("e.com:*", "https://e.com/", false),
            ("e.com:*", "https://e.com:81/", false),
            ("*.e.com:8080", "http://a.e.com:8080/", true),
            ("[::1]", "http://[::1]/", false),
        ];
        for (host, url, expected) in table {
            assert_eq!(is_allowed(host, None, url), expected, "{host} {url}");
        }
    }

    #[test]
    fn bad_port_ranges_are_errors() {
        for host in ["e.com:100-", "e.com:0-10", "e.com:50-10", "e.com:nb-300", "e.com:1-2-3", "e.com:-"] {
            let error = AllowRule::new(host, None).unwrap_err();
            assert!(error.starts_with("Port range is not valid: "), "{error}");
        }
    }

    #[test]
    fn paths_follow_the_table() {
        let table: [(&[&str], &str, bool); 14] = [
            (&["/a"], "/a", true),
            (&["/a"], "/a/b", true),
            (&["/a"], "/a/", true),
            (&["/a"], "/ab", false),
            (&["/a"], "/a/../b", false),
            (&["/a"], "/a/%2e%2e/b", false),
            (&["/a"], "//a", true),
            (&["/a"], "/b/..//a", true),
            (&["/a/"], "/a", false),
            (&["/a/"], "/a/", true),
            (&["/a/"], "/a/b", true),
            (&["/"], "/anything", true),
            (&["/b", "/a"], "/a/x", true),
            (&[], "/a", false),
        ];
        for (paths, path, expected) in table {
            let url = format!("https://e.com{path}");
            assert_eq!(is_allowed("e.com", Some(paths), &url), expected, "{paths:?} {path}");
        }
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        let url = Url::parse("https://e.com/").unwrap();
        assert_eq!(
            AllowList::default().check(&url).unwrap_err(),
            "URL not allowed by backend.reading.allow configuration: https://e.com/"
        );
    }
}

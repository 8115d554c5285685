//! Knows just enough URL forms for the tests of this crate.

use callboard_sdk::{ScmFile, ScmResolver};

/// github.com and gitlab.com in their plainest forms; any other `https` URL is a plain one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FakeScm;

impl ScmResolver for FakeScm {
    fn resolve_url(&self, target: &str, base: &str) -> Result<String, String> {
        let resolved = if target.contains("://") {
            target.to_owned()
        } else {
            let (scheme, path) = base.split_once("://").ok_or("Invalid URL")?;
            let (host, path) = path.split_once('/').ok_or("Invalid URL")?;
            let root = self
                .file(base)
                .map_or("", |file| path.strip_suffix(file.path.as_str()).unwrap_or(path));
            let joined = if let Some(absolute) = target.strip_prefix('/') {
                format!("{root}{absolute}")
            } else {
                let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
                let is_directory = target.is_empty() || target.ends_with('/');
                let joined = crate::files::normalize(&format!("/{directory}/{target}"));
                format!(
                    "{}{}",
                    joined.trim_start_matches('/'),
                    if is_directory { "/" } else { "" }
                )
            };
            format!("{scheme}://{host}/{joined}")
        };
        let is_github = resolved.starts_with("https://github.com/");
        Ok(if is_github {
            resolved.replacen("/blob/", "/tree/", 1)
        } else {
            resolved
        })
    }

    fn resolve_edit_url(&self, url: &str) -> Option<String> {
        self.integration_kind(url)?;
        Some(url.replacen("/blob/", "/edit/", 1))
    }

    fn integration_kind(&self, url: &str) -> Option<&'static str> {
        match url.split('/').nth(2)? {
            "github.com" => Some("github"),
            "gitlab.com" => Some("gitlab"),
            _ => None,
        }
    }

    fn file(&self, url: &str) -> Option<ScmFile> {
        let (host, path) = url.split_once("://")?.1.split_once('/')?;
        self.integration_kind(url)?;
        let (repository, file) = ["/-/blob/", "/blob/", "/tree/"]
            .iter()
            .find_map(|part| path.split_once(part))?;
        let (owner, name) = repository.rsplit_once('/')?;
        Some(ScmFile {
            host: host.to_owned(),
            full_name: repository.to_owned(),
            owner: owner.to_owned(),
            name: name.to_owned(),
            path: file.split_once('/')?.1.to_owned(),
        })
    }

    fn fingerprint(&self) -> String {
        "fake".to_owned()
    }
}

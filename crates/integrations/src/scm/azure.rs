//! Azure DevOps, whose URLs carry the file's path and ref in the query string.

use callboard_sdk::ScmFile;
use url::{Url, quirks};

use super::git_url::decoded;
use super::resolve::set_query;

/// The parts of `/{owner…}/_git/{name}?path={path}&version={version}`.
struct AzureUrl {
    owner: String,
    name: String,
    path: String,
}

impl AzureUrl {
    /// `None` if the URL is not of a repository at a branch or tag.
    fn parse(url: &Url) -> Option<Self> {
        let segments: Vec<String> = url.path_segments()?.map(decoded).collect();
        let at = segments.iter().position(|segment| segment == "_git").filter(|at| (1..=3).contains(at))?;
        let (owner, repository) = segments.split_at_checked(at)?;
        let name = repository.get(1).filter(|name| !name.is_empty())?;
        if owner.iter().any(String::is_empty) {
            return None;
        }
        let parameter = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value);
        let version = parameter("version").unwrap_or_default();
        if !version.is_empty() && !version.starts_with("GB") && !version.starts_with("GT") {
            return None;
        }
        let path = parameter("path").unwrap_or_default().into_owned();
        // In `/{organisation}/_git/{name}` the project has the repository's name.
        let owner = match owner {
            [organisation] => format!("{organisation}/{name}"),
            _ => owner.join("/"),
        };
        Some(Self { owner, name: name.clone(), path })
    }
}

/// Resolves within the `path` parameter; a base that is no repository is resolved as any URL.
pub(super) fn resolve_url(target: &str, base: &str) -> Result<String, String> {
    if Url::parse(target).is_ok() {
        return Ok(target.to_owned());
    }
    let invalid = |_| "Invalid URL".to_owned();
    let base = Url::parse(base).map_err(invalid)?;
    let Some(parts) = AzureUrl::parse(&base) else {
        return base.join(target).map(Into::into).map_err(invalid);
    };
    // The path is resolved as that of a URL, so that `..` cannot leave the repository.
    let mut root = Url::parse("https://repository.invalid/").map_err(invalid)?;
    root.set_path(&parts.path);
    let resolved = root.join(target).map_err(invalid)?;
    let mut url = base;
    set_query(&mut url, &[("path", &decoded(resolved.path()))]);
    Ok(url.into())
}

/// The repository and file behind a URL.
pub(super) fn file(url: &Url) -> Option<ScmFile> {
    let parts = AzureUrl::parse(url)?;
    Some(ScmFile {
        host: quirks::host(url).to_owned(),
        full_name: format!("{}/{}", parts.owner, parts.name),
        owner: parts.owner,
        name: parts.name,
        path: parts.path.trim_start_matches('/').to_owned(),
    })
}

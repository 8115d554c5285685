//! How relative targets, and pages to edit, are found for the URL forms of each forge.

use std::borrow::Cow;

use url::Url;

use super::azure;
use super::config::Kind;
use super::git_url::GitUrl;

/// Resolves a target against the URL of the file that mentions it. `kind` is that of the integration that
/// knows the base's host.
pub(super) fn resolve_url(kind: Option<Kind>, target: &str, base: &str) -> Result<String, String> {
    match kind {
        // On GitHub, `tree` URLs work for files and directories alike.
        Some(Kind::GitHub) => Ok(with_github_kind(&resolve_default(target, base)?, "tree").into_owned()),
        Some(Kind::Azure) => azure::resolve_url(target, base),
        _ => resolve_default(target, base),
    }
}

/// The URL under which a file can be edited; as it is where the forge has no other.
pub(super) fn resolve_edit_url(kind: Kind, url: &str) -> String {
    match kind {
        Kind::GitHub => with_github_kind(url, "edit").into_owned(),
        Kind::GitLab => gitlab_edit_url(url).unwrap_or_else(|| url.to_owned()),
        Kind::BitbucketCloud => bitbucket_cloud_edit_url(url).unwrap_or_else(|| url.to_owned()),
        Kind::BitbucketServer => url.split('?').next().unwrap_or(url).to_owned(),
        Kind::Gitea => gitea_edit_url(url).unwrap_or_else(|| url.to_owned()),
        Kind::AwsCodeCommit => url.replacen("/browse/", "/files/edit/", 1),
        _ => url.to_owned(),
    }
}

/// An absolute target stays as it is. One with a leading slash starts at the root of the base's repository,
/// at the base's ref. All others are relative to the base. The query string is the base's, as it may name the
/// ref.
fn resolve_default(target: &str, base: &str) -> Result<String, String> {
    if Url::parse(target).is_ok() {
        return Ok(target.to_owned());
    }
    let base = Url::parse(base).map_err(|_| "Invalid URL".to_owned())?;
    let mut resolved = if target.starts_with('/') {
        let root = GitUrl::parse(&base)
            .map_or_else(|| base.path().trim_end_matches('/').to_owned(), |parsed| parsed.root_path(&base));
        let mut resolved = base.clone();
        resolved.set_path(&format!("{root}{target}"));
        resolved
    } else {
        base.join(target).map_err(|_| "Invalid URL".to_owned())?
    };
    resolved.set_query(base.query());
    Ok(resolved.into())
}

/// Replaces the `blob`, `tree` or `edit` after owner and name.
fn with_github_kind<'a>(url: &'a str, kind: &str) -> Cow<'a, str> {
    let Some((scheme, rest)) = url.split_once("//") else {
        return Cow::Borrowed(url);
    };
    let parts: Vec<&str> = rest.splitn(5, '/').collect();
    match parts[..] {
        [host, owner, name, "blob" | "tree" | "edit", path] if ![host, owner, name].contains(&"") => {
            Cow::Owned(format!("{scheme}//{host}/{owner}/{name}/{kind}/{path}"))
        }
        _ => Cow::Borrowed(url),
    }
}

/// Only URLs with the `/-/` of newer versions have a page to edit.
fn gitlab_edit_url(url: &str) -> Option<String> {
    let at = ["/-/blob/", "/-/tree/"].into_iter().filter_map(|kind| url.find(kind)).min()?;
    // Both kinds are of the same length.
    Some(format!("{}/-/edit/{}", url.get(..at)?, url.get(at + "/-/blob/".len()..)?))
}

/// `/src/branch/` and the like become `/_edit/`; the ref that follows stays.
fn gitea_edit_url(url: &str) -> Option<String> {
    let refs = ["/src/branch/", "/src/tag/", "/src/commit/"];
    let (at, kind) = refs.into_iter().filter_map(|kind| Some((url.find(kind)?, kind))).min()?;
    Some(format!("{}/_edit/{}", url.get(..at)?, url.get(at + kind.len()..)?))
}

fn bitbucket_cloud_edit_url(url: &str) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    let git_ref = GitUrl::parse(&url)?.git_ref;
    set_query(&mut url, &[("mode", "edit"), ("at", &git_ref)]);
    Some(url.into())
}

/// Sets query parameters, each in its old place if it has one, else at the end.
pub(super) fn set_query(url: &mut Url, parameters: &[(&str, &str)]) {
    let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    for &(name, value) in parameters {
        let mut is_set = false;
        pairs.retain_mut(|(key, old)| {
            if key != name {
                return true;
            }
            value.clone_into(old);
            !std::mem::replace(&mut is_set, true)
        });
        if !is_set {
            pairs.push((name.to_owned(), value.to_owned()));
        }
    }
    url.query_pairs_mut().clear().extend_pairs(pairs);
}

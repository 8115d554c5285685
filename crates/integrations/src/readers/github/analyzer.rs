//! Which descriptor files a repository on GitHub has.
//!
//! Backstage asks GitHub's code search, which wants a token, knows the default branch alone and lags behind it. The
//! listing of a commit is complete.

use async_trait::async_trait;
use callboard_sdk::{CancellationToken, ReadError, ScmLocationAnalyzer, SearchOptions};
use url::{Url, quirks};

use super::api::{encoded, encoded_segment};
use super::client::Call;
use super::{GitHubReader, parse_repository_url, parse_url};

#[async_trait]
impl ScmLocationAnalyzer for GitHubReader {
    fn supports(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| quirks::host(&url) == self.api.host())
    }

    async fn existing_files(
        &self,
        url: &str,
        file_name: &str,
        cancellation: &CancellationToken,
    ) -> Result<Vec<String>, ReadError> {
        let mut parsed = parse_repository_url(url)?;
        let call = Call { token: None, cancellation };
        if parsed.git_ref.is_empty() {
            parsed.git_ref = self.api.default_branch(&encoded(&parsed.full_name()), call).await?;
        }
        let commit = self.commit(&parsed, call).await?;
        let root = root_url(&parse_url(url)?, &commit.full_name, &parsed.git_ref);
        let file_name = file_name.to_owned();
        let is_wanted = move |path: &str| is_named(path, &file_name);
        let options = SearchOptions { cancellation: cancellation.clone(), ..SearchOptions::default() };
        let found = self.matching(&root, &commit, is_wanted, &options).await?;
        let mut urls: Vec<String> = found.into_iter().map(|file| file.url).collect();
        urls.sort_by_cached_key(|url| (url.matches('/').count(), url.clone()));
        Ok(urls)
    }
}

/// The page of the repository at the ref. What else the URL has, passwords too, is not for URLs of files.
fn root_url(url: &Url, full_name: &str, git_ref: &str) -> Url {
    let mut root = url.clone();
    // These fail for URLs that cannot have a user, and so have none.
    root.set_username("").ok();
    root.set_password(None).ok();
    root.set_query(None);
    root.set_fragment(None);
    root.set_path(&format!("{full_name}/blob/{}/", encoded_segment(git_ref)));
    root
}

/// `name` may be the end of a path, of whole segments.
fn is_named(path: &str, name: &str) -> bool {
    path.strip_suffix(name).is_some_and(|directory| directory.is_empty() || directory.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_segments() {
        for path in ["c.yaml", "a/b/c.yaml", ".github/c.yaml"] {
            assert!(is_named(path, "c.yaml"), "{path}");
        }
        assert!(is_named("x/a/c.yaml", "a/c.yaml"));
        for path in ["xc.yaml", "c.yaml/x", "C.yaml", "a/xc.yaml", ""] {
            assert!(!is_named(path, "c.yaml"), "{path}");
        }
    }

    #[test]
    fn files_are_told_below_the_ref() {
        let url = Url::parse("https://me:secret@github.com/o/r.git?tab=readme#x").unwrap();
        assert_eq!(root_url(&url, "o/r", "feat/x").as_str(), "https://github.com/o/r/blob/feat%2Fx/");
    }
}

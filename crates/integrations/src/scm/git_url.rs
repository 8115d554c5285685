//! Takes URLs of files in repositories apart, whatever forge they are of.

use percent_encoding::percent_decode_str;
use url::Url;

/// Segments between a repository and the ref of a file.
const FILE_KINDS: &[&str] = &["raw", "src", "blob", "tree", "edit"];
/// Segments that end a repository's path when it is not known how long that is.
const REPOSITORY_ENDS: &[&str] = &["blob", "tree", "src", "raw", "edit", "commit", "issues"];

/// The parts of a URL of the form `/{owner…}/{name}[/-]/{kind}/{ref}/{path…}`, decoded, or of Bitbucket
/// Server's `/projects/{owner}/repos/{name}/{kind}/{path…}?at={ref}`.
///
/// The ref is always one segment: nothing in the URL says where a branch's name with slashes ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct GitUrl {
    /// Everything before the name; several segments for nested groups.
    pub(crate) owner: String,
    pub(crate) name: String,
    /// `blob`, `tree`, …; empty in the URL of a repository.
    pub(crate) kind: String,
    /// Empty where the URL does not say.
    pub(crate) git_ref: String,
    /// Without a leading slash; empty for a repository or its root.
    pub(crate) path: String,
    /// Segments of `path` as they stand in the URL.
    path_segments: usize,
}

impl GitUrl {
    /// `None` if there are not even an owner and a name.
    pub(crate) fn parse(url: &Url) -> Option<Self> {
        let segments: Vec<&str> = url.path().trim_matches('/').split('/').collect();
        bitbucket_server(url, &segments).or_else(|| general(&segments))
    }

    /// Owner and name.
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The URL's path up to where the file's path begins, without a slash at its end.
    pub(crate) fn root_path(&self, url: &Url) -> String {
        let segments: Vec<&str> = url.path().trim_end_matches('/').split('/').collect();
        let kept = segments.len().saturating_sub(self.path_segments);
        segments.get(..kept).unwrap_or_default().join("/")
    }

    fn with_path(mut self, segments: &[&str]) -> Self {
        self.path = decoded(&segments.join("/"));
        self.path_segments = segments.len();
        self
    }
}

fn general(segments: &[&str]) -> Option<GitUrl> {
    // The first two segments are owner and name even if they are called `src` or `blob`.
    let end = |wanted: &dyn Fn(&str) -> bool| {
        (2..segments.len()).find(|&at| segments.get(at).is_some_and(|s| wanted(s)))
    };
    let end = end(&|segment| segment == "-")
        .or_else(|| end(&|segment| REPOSITORY_ENDS.contains(&segment)))
        .unwrap_or(segments.len());
    let (repository, rest) = segments.split_at_checked(end)?;
    let (name, owner) =
        repository.split_last().filter(|(name, owner)| !name.is_empty() && !owner.is_empty())?;
    let git_url = GitUrl {
        owner: decoded(&owner.join("/")),
        name: decoded(name.strip_suffix(".git").unwrap_or(name)),
        ..GitUrl::default()
    };
    let rest = rest.strip_prefix(&["-"]).unwrap_or(rest);
    match rest {
        [kind, git_ref, path @ ..] if FILE_KINDS.contains(kind) => {
            let git_url = GitUrl { kind: (*kind).to_owned(), git_ref: decoded(git_ref), ..git_url };
            Some(git_url.with_path(path))
        }
        _ => Some(git_url),
    }
}

fn bitbucket_server(url: &Url, segments: &[&str]) -> Option<GitUrl> {
    let start =
        segments.windows(3).position(|window| matches!(window, ["projects" | "users", _, "repos"]))?;
    let [collection, owner, _, name, rest @ ..] = segments.get(start..)? else {
        return None;
    };
    let owner = if *collection == "users" { format!("~{}", decoded(owner)) } else { decoded(owner) };
    let at = url.query_pairs().find(|(key, _)| key == "at").map(|(_, value)| value.into_owned());
    let git_url = GitUrl { owner, name: decoded(name), git_ref: at.unwrap_or_default(), ..GitUrl::default() };
    match rest {
        [kind @ ("raw" | "browse"), path @ ..] => {
            Some(GitUrl { kind: (*kind).to_owned(), ..git_url }.with_path(path))
        }
        _ => Some(git_url),
    }
}

pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// URL, repository, kind, ref and path; `-` for none.
    const URLS: &str = "
        https://github.com/o/r                                    o/r    -     -         -
        https://github.com/o/r.git/                               o/r    -     -         -
        https://github.com/o/r/blob/main/c.yaml                   o/r    blob  main      c.yaml
        https://github.com/o/r/blob/feature/x/c.yaml              o/r    blob  feature   x/c.yaml
        https://github.com/o/r/blob/feat%2Fx/%C3%A9.yaml          o/r    blob  feat/x    é.yaml
        https://github.com/o/r/tree/main                          o/r    tree  main      -
        https://github.com/o/src/tree/main/a                      o/src  tree  main      a
        https://gitlab.com/g/s/p/-/blob/main/a/b.yaml             g/s/p  blob  main      a/b.yaml
        https://gitlab.com/g/p/blob/main/b.yaml                   g/p    blob  main      b.yaml
        https://gitlab.com/g/p/-/jobs/artifacts/main/raw/x        g/p    -     -         -
        https://bitbucket.org/w/r/src/main/c.yaml                 w/r    src   main      c.yaml
        https://gitea.example.com/o/r/src/branch/main/c.yaml      o/r    src   branch    main/c.yaml
        https://b.example.com/projects/P/repos/r/browse/c?at=m    P/r    browse  m       c
        https://b.example.com/users/u/repos/r/browse/c?at=m       ~u/r   browse  m       c
    ";

    #[test]
    fn urls_come_apart_as_the_table_says() {
        let or_none = |text: &str| {
            if text.is_empty() { "-".to_owned() } else { text.to_owned() }
        };
        for line in URLS.lines().filter(|line| !line.trim().is_empty()) {
            let columns: Vec<_> = line.split_whitespace().collect();
            let parsed = GitUrl::parse(&Url::parse(columns[0]).unwrap()).unwrap();
            let parts =
                [&parsed.full_name(), &parsed.kind, &parsed.git_ref, &parsed.path].map(|text| or_none(text));
            assert_eq!(parts, columns[1..], "{line}");
        }
        for url in ["https://github.com/", "https://github.com/o"] {
            assert_eq!(GitUrl::parse(&Url::parse(url).unwrap()), None, "{url}");
        }
    }
}

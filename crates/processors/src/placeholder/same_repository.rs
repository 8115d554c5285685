//! The rule that a placeholder stays in its repository.

use std::sync::Arc;

use callboard_sdk::{ScmFile, ScmResolver};

/// Resolves URLs as the resolver inside does, but refuses to get from a file of one repository to a file of another:
/// the reader's credentials may reach further than the author of the entity does.
///
/// URLs that do not look like files of a repository are left to what the reader allows.
#[derive(Debug)]
pub(super) struct SameRepository(Arc<dyn ScmResolver>);

impl SameRepository {
    pub(super) fn new(scm: Arc<dyn ScmResolver>) -> Self {
        Self(scm)
    }
}

impl ScmResolver for SameRepository {
    fn resolve_url(&self, target: &str, base: &str) -> Result<String, String> {
        let resolved = self.0.resolve_url(target, base).map_err(with_class)?;
        let file = |url: &str| self.0.file(url).filter(|file| !file.path.is_empty());
        if let (Some(from), Some(to)) = (file(base), file(&resolved))
            && (from.host != to.host || from.full_name != to.full_name)
        {
            return Err("Error: Placeholder may only reference files from the same repository as the entity"
                .to_owned());
        }
        Ok(resolved)
    }

    fn resolve_edit_url(&self, url: &str) -> Option<String> {
        self.0.resolve_edit_url(url)
    }

    fn integration_kind(&self, url: &str) -> Option<&'static str> {
        self.0.integration_kind(url)
    }

    fn file(&self, url: &str) -> Option<ScmFile> {
        self.0.file(url)
    }

    fn fingerprint(&self) -> String {
        self.0.fingerprint()
    }
}

/// What cannot be resolved is a `TypeError` of the URL parser in Backstage's texts.
fn with_class(text: String) -> String {
    if text.starts_with("TypeError") { text } else { format!("TypeError: {text}") }
}

//! The built-in processors.
//!
//! One file for each. They depend on nothing but what every plugin author has: `callboard-sdk`. Whatever they read
//! goes through the [`UrlReader`] that they are given, except for [`FileReaderProcessor`] and placeholders in
//! `file` locations of the configuration, see [`LocalFiles`].
#![warn(missing_docs)]

mod annotate_location;
mod annotate_scm_slug;
mod builtin_kinds;
mod cache;
mod code_owners;
mod file_reader;
mod file_threads;
mod files;
mod openapi;
mod placeholder;
#[cfg(test)]
mod test_scm;
mod url_reader;

use std::sync::Arc;

use callboard_sdk::{CatalogProcessor, ScmResolver, UrlReader};

pub use annotate_location::AnnotateLocationProcessor;
pub use annotate_scm_slug::AnnotateScmSlugProcessor;
pub use builtin_kinds::BuiltinKindsProcessor;
pub use code_owners::CodeOwnersProcessor;
pub use file_reader::FileReaderProcessor;
pub use files::FILE_BYTES_MAX;
pub use openapi::OpenApiResolver;
pub use placeholder::{
    JsonResolver, LocalFiles, PlaceholderProcessor, PlaceholderResolvers, ResolverConflict, TextResolver,
    YamlResolver,
};
pub use url_reader::UrlReaderProcessor;

/// What the built-in processors are made of.
#[derive(Debug)]
pub struct DefaultProcessors {
    /// Reads what is behind URLs.
    pub reader: Arc<dyn UrlReader>,
    /// Knows the forges.
    pub scm: Arc<dyn ScmResolver>,
    /// The placeholders that are replaced.
    pub resolvers: PlaceholderResolvers,
    /// The largest local file that is read, in bytes.
    pub file_bytes_max: u64,
    /// Whether an added processor is named `BuiltinKindsEntityProcessor`, and so replaces the built-in one.
    pub is_builtin_kinds_replaced: bool,
    /// `catalog.disableDefaultProcessors`: leaves out the readers and the location annotations. Placeholders and
    /// kinds stay.
    pub is_default_disabled: bool,
}

/// The built-in processors in the order in which they are assembled, before any sorting by priority:
/// `PlaceholderProcessor`, `BuiltinKindsEntityProcessor`, `FileReaderProcessor`, `url-reader`,
/// `AnnotateLocationEntityProcessor`. Added processors follow.
///
/// [`CodeOwnersProcessor`], [`AnnotateScmSlugProcessor`] and [`OpenApiResolver`] are not among them: whoever wants
/// them adds them.
pub fn default_processors(parts: DefaultProcessors) -> Vec<Arc<dyn CatalogProcessor>> {
    let DefaultProcessors { reader, scm, resolvers, .. } = parts;
    let mut processors: Vec<Arc<dyn CatalogProcessor>> = vec![Arc::new(PlaceholderProcessor::new(
        Arc::clone(&reader),
        Arc::clone(&scm),
        resolvers.into_map(),
    ))];
    if !parts.is_builtin_kinds_replaced {
        processors.push(Arc::new(BuiltinKindsProcessor));
    }
    if !parts.is_default_disabled {
        processors.push(Arc::new(FileReaderProcessor::new(parts.file_bytes_max)));
        processors.push(Arc::new(UrlReaderProcessor::new(reader)));
        processors.push(Arc::new(AnnotateLocationProcessor::new(scm)));
    }
    processors
}

#[cfg(test)]
mod tests {
    use callboard_sdk::testkit::FakeReader;

    use super::*;
    use crate::test_scm::scm;

    fn names(is_builtin_kinds_replaced: bool, is_default_disabled: bool) -> Vec<String> {
        let processors = default_processors(DefaultProcessors {
            reader: Arc::new(FakeReader::default()),
            scm: scm(),
            resolvers: PlaceholderResolvers::builtin(&LocalFiles::default()),
            file_bytes_max: FILE_BYTES_MAX,
            is_builtin_kinds_replaced,
            is_default_disabled,
        });
        processors.iter().map(|processor| processor.name().to_owned()).collect()
    }

    #[test]
    fn processors_are_assembled_in_the_order_of_backstage() {
        let all = [
            "PlaceholderProcessor",
            "BuiltinKindsEntityProcessor",
            "FileReaderProcessor",
            "url-reader",
            "AnnotateLocationEntityProcessor",
        ];
        assert_eq!(names(false, false), all);
        assert_eq!(names(false, true), all[..2]);
        assert_eq!(names(true, true), all[..1]);
    }
}

//! Notices changed files and reads them again.
//!
//! No thread and no timer of its own: the program calls [`Reloader::poll`] now and then. Files are compared by content,
//! which also sees files replaced by a rename, links that point elsewhere (as in mounted Kubernetes volumes), and two
//! writes within one tick of the file system's clock.

use crate::config::Config;
use crate::error::ConfigError;
use crate::load::{Seen, load, look_again};
use crate::sources::Sources;

/// What a look at the files found.
#[derive(Debug)]
pub enum Poll {
    /// Nothing that makes a difference.
    Unchanged,
    /// Values are different now.
    Changed(Config),
    /// Files have changed and cannot be used; the last good configuration stays. Told once for each content.
    Broken(ConfigError),
}

/// Keeps a configuration up to date with its files: also with those it includes, and with default files that appear or
/// vanish. The environment is that of the start.
#[derive(Debug)]
pub struct Reloader {
    sources: Sources,
    current: Config,
    seen: Seen,
}

impl Reloader {
    /// Loads the configuration for the first time.
    ///
    /// # Errors
    /// As [`Config::load`]: a program does not start with a broken configuration.
    pub fn new(sources: Sources) -> Result<Self, ConfigError> {
        let (root, seen) = load(&sources);
        Ok(Self { current: Config::from_root(root?), sources, seen })
    }

    /// The last good configuration.
    #[must_use]
    pub fn current(&self) -> Config {
        self.current.clone()
    }

    /// Looks at the files. Blocks for as long as reading them takes.
    pub fn poll(&mut self) -> Poll {
        if look_again(&self.seen) == self.seen {
            return Poll::Unchanged;
        }
        let (root, seen) = load(&self.sources);
        match root {
            Ok(root) => {
                self.seen = seen;
                let config = Config::from_root(root);
                let is_same = config.node.to_value() == self.current.node.to_value();
                // Also when no value differs: lines may have moved.
                self.current = config.clone();
                if is_same { Poll::Unchanged } else { Poll::Changed(config) }
            }
            Err(error) => {
                // What loading did not come to anymore is still worth watching.
                let known = look_again(&self.seen);
                self.seen.extend(known);
                self.seen.extend(seen);
                Poll::Broken(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn reloader(root: &Path) -> Reloader {
        Reloader::new(Sources { root: root.to_owned(), ..Sources::default() }).unwrap()
    }

    fn changed(poll: Poll) -> serde_json::Value {
        match poll {
            Poll::Changed(config) => config.get_value("").unwrap(),
            other => panic!("expected a change, got {other:?}"),
        }
    }

    #[test]
    fn a_change_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app-config.yaml");
        fs::write(&file, "a: 1").unwrap();
        let mut reloader = reloader(dir.path());
        assert!(matches!(reloader.poll(), Poll::Unchanged));
        fs::write(&file, "a: 2").unwrap();
        assert_eq!(changed(reloader.poll()), json!({ "a": 2 }));
        assert!(matches!(reloader.poll(), Poll::Unchanged));
        assert_eq!(reloader.current().get_f64("a").unwrap().to_string(), "2");
    }

    #[test]
    fn a_change_without_effect_is_not_told_but_moves_lines() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app-config.yaml");
        fs::write(&file, "a: 1").unwrap();
        let mut reloader = reloader(dir.path());
        fs::write(&file, "# new\na: 1\nb: null").unwrap();
        assert!(matches!(reloader.poll(), Poll::Unchanged));
        assert_eq!(reloader.current().origin("a").unwrap().line, Some(2));
    }

    #[test]
    fn a_broken_file_is_told_once_per_content_and_watching_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app-config.yaml");
        fs::write(&file, "a: 1").unwrap();
        let mut reloader = reloader(dir.path());
        for broken in ["a: [", "a: {"] {
            fs::write(&file, broken).unwrap();
            assert!(matches!(reloader.poll(), Poll::Broken(ConfigError::File { .. })));
            assert!(matches!(reloader.poll(), Poll::Unchanged));
            assert_eq!(reloader.current().get_value("").unwrap(), json!({ "a": 1 }));
        }
        fs::remove_file(&file).unwrap();
        assert!(matches!(reloader.poll(), Poll::Broken(ConfigError::FileMissing { .. })));
        assert!(matches!(reloader.poll(), Poll::Unchanged));
        fs::write(&file, "a: 3").unwrap();
        assert_eq!(changed(reloader.poll()), json!({ "a": 3 }));
    }

    #[test]
    fn included_files_and_appearing_default_files_are_watched() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("app-config.yaml"), "a: {$file: a.txt}\nb: {$include: b.yaml}").unwrap();
        fs::write(path("a.txt"), "one").unwrap();
        fs::write(path("b.yaml"), "c: 1").unwrap();
        let mut reloader = reloader(dir.path());
        fs::write(path("a.txt"), "two").unwrap();
        assert_eq!(changed(reloader.poll()), json!({ "a": "two", "b": { "c": 1 } }));
        fs::write(path("b.yaml"), "c: 2").unwrap();
        assert_eq!(changed(reloader.poll()), json!({ "a": "two", "b": { "c": 2 } }));
        fs::write(path("app-config.local.yaml"), "a: three").unwrap();
        assert_eq!(changed(reloader.poll()), json!({ "a": "three", "b": { "c": 2 } }));
        fs::remove_file(path("app-config.local.yaml")).unwrap();
        assert_eq!(changed(reloader.poll()), json!({ "a": "two", "b": { "c": 2 } }));
        fs::remove_file(path("b.yaml")).unwrap();
        assert!(matches!(reloader.poll(), Poll::Broken(_)));
        fs::write(path("b.yaml"), "c: 4").unwrap();
        assert_eq!(changed(reloader.poll()), json!({ "a": "two", "b": { "c": 4 } }));
    }
}

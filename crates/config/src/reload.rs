//! Notices changed files and reads them again.
//!
//! No thread and no timer of its own: the program calls [`Reloader::poll`] now and then. Files are compared by content,
//! which also sees files replaced by a rename, links that point elsewhere (as in mounted Kubernetes volumes), and two
//! writes within one tick of the file system's clock. The content is not read again while the file is the same one with
//! the same times, unless these are so new that one more change might not show.
//!
//! Half of a file is often a valid one with fewer values in it. So a change counts once two polls in a row found the same,
//! and a file that had content and is empty now is taken for an accident.

use crate::config::Config;
use crate::error::ConfigError;
use crate::load::{Seen, load, look_again};
use crate::sources::Sources;

/// What a look at the files found.
#[derive(Debug)]
pub enum Poll {
    /// Nothing that makes a difference, or nothing that can be relied on yet.
    Unchanged,
    /// Values are different now.
    Changed(Config),
    /// Files have changed and cannot be used; the last good configuration stays. Told once for each content.
    Broken(ConfigError),
}

/// Keeps a configuration up to date with its files: also with those it includes, and with default files that appear or
/// vanish. The environment is that of the start.
#[derive(Debug, Clone)]
pub struct Reloader {
    sources: Sources,
    current: Config,
    /// What `current` was made of.
    good: Seen,
    /// What is not news.
    seen: Seen,
    /// What the last poll found to be different.
    unsettled: Option<Seen>,
}

impl Reloader {
    /// Loads the configuration for the first time.
    ///
    /// # Errors
    /// As [`Config::load`]: a program does not start with a broken configuration.
    pub fn new(sources: Sources) -> Result<Self, ConfigError> {
        let (root, seen) = load(&sources);
        let current = Config::from_root(root?);
        Ok(Self { sources, current, good: seen.clone(), seen, unsettled: None })
    }

    /// The last good configuration.
    #[must_use]
    pub fn current(&self) -> Config {
        self.current.clone()
    }

    /// Looks at the files. Blocks for as long as reading them takes.
    pub fn poll(&mut self) -> Poll {
        let now = look_again(&self.seen);
        if now == self.seen {
            self.seen = now;
            self.unsettled = None;
            return Poll::Unchanged;
        }
        let (root, seen) = load(&self.sources);
        if self.unsettled.as_ref() != Some(&seen) {
            self.unsettled = Some(seen);
            return Poll::Unchanged;
        }
        self.unsettled = None;
        match root.and_then(|root| self.refuse_emptied(&seen).map(|()| root)) {
            Ok(root) => {
                self.good.clone_from(&seen);
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

    fn refuse_emptied(&self, seen: &Seen) -> Result<(), ConfigError> {
        let had_content = |path| self.good.get(path).copied().flatten().is_some_and(|it| !it.is_blank);
        let emptied = seen.iter().find(|(path, now)| now.is_some_and(|it| it.is_blank) && had_content(*path));
        emptied.map_or(Ok(()), |(path, _)| {
            let reason = "it had content and is empty now; restart if that is meant".to_owned();
            Err(ConfigError::File { path: path.clone(), reason })
        })
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

    /// What is found once the files have come to rest.
    fn settled(reloader: &mut Reloader) -> Poll {
        assert!(matches!(reloader.poll(), Poll::Unchanged));
        reloader.poll()
    }

    fn changed(reloader: &mut Reloader) -> serde_json::Value {
        match settled(reloader) {
            Poll::Changed(config) => config.get_opt_value("").unwrap().unwrap(),
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
        assert_eq!(changed(&mut reloader), json!({ "a": 2 }));
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
        assert!(matches!(settled(&mut reloader), Poll::Unchanged));
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
            assert!(matches!(settled(&mut reloader), Poll::Broken(ConfigError::File { .. })));
            assert!(matches!(reloader.poll(), Poll::Unchanged));
            assert_eq!(reloader.current().get_opt_value("").unwrap().unwrap(), json!({ "a": 1 }));
        }
        fs::remove_file(&file).unwrap();
        assert!(matches!(settled(&mut reloader), Poll::Broken(ConfigError::FileMissing { .. })));
        assert!(matches!(reloader.poll(), Poll::Unchanged));
        fs::write(&file, "a: 3").unwrap();
        assert_eq!(changed(&mut reloader), json!({ "a": 3 }));
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
        assert_eq!(changed(&mut reloader), json!({ "a": "two", "b": { "c": 1 } }));
        fs::write(path("b.yaml"), "c: 2").unwrap();
        assert_eq!(changed(&mut reloader), json!({ "a": "two", "b": { "c": 2 } }));
        fs::write(path("app-config.local.yaml"), "a: three").unwrap();
        assert_eq!(changed(&mut reloader), json!({ "a": "three", "b": { "c": 2 } }));
        fs::remove_file(path("app-config.local.yaml")).unwrap();
        assert_eq!(changed(&mut reloader), json!({ "a": "two", "b": { "c": 2 } }));
        fs::remove_file(path("b.yaml")).unwrap();
        assert!(matches!(settled(&mut reloader), Poll::Broken(_)));
        fs::write(path("b.yaml"), "c: 4").unwrap();
        assert_eq!(changed(&mut reloader), json!({ "a": "two", "b": { "c": 4 } }));
    }

    #[test]
    fn a_file_that_is_being_written_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app-config.yaml");
        fs::write(&file, "a: [1, 2]").unwrap();
        let mut reloader = reloader(dir.path());
        for half in ["a:", "a: [3", "a: [3]"] {
            fs::write(&file, half).unwrap();
            assert!(matches!(reloader.poll(), Poll::Unchanged), "{half}");
        }
        fs::write(&file, "a: [3, 4]").unwrap();
        assert_eq!(changed(&mut reloader), json!({ "a": [3, 4] }));
    }

    #[test]
    fn an_old_file_that_is_changed_or_replaced_by_another_old_one_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let write = |name: &str, text: &str| {
            fs::write(path(name), text).unwrap();
            let old = std::time::UNIX_EPOCH + std::time::Duration::from_hours(1);
            fs::File::options().append(true).open(path(name)).unwrap().set_modified(old).unwrap();
        };
        write("app-config.yaml", "a: 1");
        let mut reloader = reloader(dir.path());
        assert!(matches!(reloader.poll(), Poll::Unchanged));
        write("app-config.yaml", "a: 2");
        assert_eq!(changed(&mut reloader), json!({ "a": 2 }));
        write("other.yaml", "a: 3");
        fs::rename(path("other.yaml"), path("app-config.yaml")).unwrap();
        assert_eq!(changed(&mut reloader), json!({ "a": 3 }));
    }

    #[test]
    fn a_file_that_was_changed_for_a_moment_is_no_change() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app-config.yaml");
        fs::write(&file, "a: 1").unwrap();
        let mut reloader = reloader(dir.path());
        for text in ["a: 2", "a: 1", "a: 2", "a: 1"] {
            fs::write(&file, text).unwrap();
            assert!(matches!(reloader.poll(), Poll::Unchanged));
        }
    }

    #[test]
    fn an_emptied_file_is_broken_until_it_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let texts = [("app-config.yaml", "a: 1\nb: {$include: b.yaml}"), ("b.yaml", "c: 1")];
        for (name, text) in texts {
            fs::write(path(name), text).unwrap();
        }
        let mut reloader = reloader(dir.path());
        for (name, text) in texts {
            for blank in ["", " \n"] {
                fs::write(path(name), blank).unwrap();
                match settled(&mut reloader) {
                    Poll::Broken(error) => assert!(error.to_string().contains(name), "{error}"),
                    other => panic!("{other:?}"),
                }
                assert!(matches!(settled(&mut reloader), Poll::Unchanged));
            }
            fs::write(path(name), text).unwrap();
            assert!(matches!(settled(&mut reloader), Poll::Unchanged));
        }
        fs::write(path("b.yaml"), "c: 2").unwrap();
        assert_eq!(changed(&mut reloader), json!({ "a": 1, "b": { "c": 2 } }));
    }

    #[test]
    fn a_file_without_values_or_one_that_always_was_empty_is_none_of_these() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("app-config.yaml"), "a: 1").unwrap();
        fs::write(path("app-config.local.yaml"), "").unwrap();
        let mut reloader = reloader(dir.path());
        fs::write(path("app-config.local.yaml"), "a: 2").unwrap();
        assert_eq!(changed(&mut reloader), json!({ "a": 2 }));
        fs::write(path("app-config.local.yaml"), "# a: 2").unwrap();
        assert_eq!(changed(&mut reloader), json!({ "a": 1 }));
    }
}

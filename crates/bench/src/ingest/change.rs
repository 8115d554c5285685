//! One entity is edited among many: how long it takes to be seen, and how much else is done on the way.

use std::fs;
use std::path::Path;

use super::phases::work_between;
use super::report::Change;
use crate::daemon::Observer;
use crate::error::BenchError;
use crate::generate::Identity;
use crate::generate::layout::write_file;

/// The annotation that the edit adds. Its value occurs nowhere else.
const MARK: &str = "example.com/bench-mark: seen-by-the-bench";
const MARK_VALUE: &str = "seen-by-the-bench";

/// Edits the entity in its file and waits until the API serves the edit.
pub(super) fn change_one(
    observer: &mut Observer,
    identity: &Identity,
    file: &Path,
) -> Result<Change, BenchError> {
    let text = fs::read_to_string(file).map_err(BenchError::file("read", file))?;
    let edited = edit(&text, identity).ok_or_else(|| BenchError::EntityNotInFile {
        entity: identity.to_string(),
        path: file.to_path_buf(),
    })?;

    let before = observer.snapshot()?;
    write_file(file, &edited)?;
    let seen = observer.wait_for(
        || format!("the changed {identity} to be visible"),
        |observer| {
            if observer.serves(identity, MARK_VALUE) { observer.look() } else { Ok(None) }
        },
    )?;
    let settled = observer.rest()?;
    // What the schedule brought along meanwhile is counted, too: as unchanged.
    let after = if settled.at > seen.at { &settled } else { &seen };
    Ok(Change {
        entity: identity.to_string(),
        seconds_to_visible: (seen.at - before.at).as_secs_f64(),
        cpu_seconds: after.usage.cpu_seconds - before.usage.cpu_seconds,
        work: work_between(&before, after),
    })
}

/// Adds the mark to the annotations of the entity.
fn edit(text: &str, identity: &Identity) -> Option<String> {
    let start = format!("kind: {}\nmetadata:\n  name: {}\n", identity.kind.as_str(), identity.name);
    let annotations = "\n  annotations:\n";
    let entity_at = text.find(&start)?;
    let (before, entity) = text.split_at(entity_at);
    let (head, tail) = entity.split_once(annotations)?;
    Some(format!("{before}{head}{annotations}    {MARK}\n{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{Kind, Population, document};

    #[test]
    fn edits_the_one_entity_among_others() {
        let population = Population::new(100, 1);
        let documents: Vec<_> = (0..5).map(|index| document(&population, Kind::Component, index)).collect();
        let text = documents.join("---\n");
        let edited = edit(&text, &population.identity(Kind::Component, 2)).unwrap();
        for (index, (before, after)) in documents.iter().zip(edited.split("---\n")).enumerate() {
            let without_mark = after.replace(&format!("    {MARK}\n"), "");
            assert_eq!(&without_mark, before);
            assert_eq!(after != before, index == 2);
        }
        let entity: serde_json::Value = serde_yaml::from_str(edited.split("---\n").nth(2).unwrap()).unwrap();
        assert_eq!(entity["metadata"]["annotations"]["example.com/bench-mark"], MARK_VALUE);
    }

    #[test]
    fn an_entity_of_another_file_is_not_found() {
        let population = Population::new(100, 1);
        let text = document(&population, Kind::Component, 0);
        assert_eq!(edit(&text, &population.identity(Kind::Component, 1)), None);
    }
}

//! Reading what a Location entity points at.

use std::collections::{HashSet, VecDeque};
use std::path::{MAIN_SEPARATOR, Path};
use std::sync::Arc;

use callboard_model::{Entity, LocationSpec, Presence};
use callboard_sdk::{Handled, ProcessorError, ScmResolver};
use serde_json::Value;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::Pipeline;
use crate::run::{RunState, threw};
use crate::threads::interrupted;

/// What is said about a location of a type that is not allowed.
pub(crate) fn not_allowed_message(allowed: &[String]) -> String {
    let allowed = Value::from(allowed.to_vec());
    format!("Registered locations must be of an allowed type {allowed}")
}

/// Targets of one run that are read at the same time.
const TARGETS_AT_ONCE: usize = 4;

/// What is left to do for a target.
enum Target {
    /// It cannot be a target.
    Refused(ProcessorError),
    /// It is read when it is its turn.
    Unread(LocationSpec),
    /// It is read into a branch of the run.
    Reading(JoinSet<(RunState, Result<(), ProcessorError>)>),
}

impl Pipeline {
    /// Reads all targets of a Location. A target that nobody can read ends the run; what a reader reports about a
    /// target lets the others be read too, so that all problems are seen at once.
    ///
    /// Targets are read ahead, each into a branch of the run; the outcome is as if they were read in their order.
    pub(crate) async fn read_targets(
        self: &Arc<Self>,
        entity: &Entity,
        state: &mut RunState,
    ) -> Result<(), ProcessorError> {
        let base = Arc::clone(&state.location);
        let kind = entity.spec_str("type").unwrap_or(&base.kind);
        let allowed = self.allowed_location_types();
        if kind != base.kind && !allowed.iter().any(|it| it == kind) {
            let error = ProcessorError::input(not_allowed_message(allowed)).with_rule("location/type");
            state.collector.push_error(error);
            return Ok(());
        }
        let presence = match entity.spec_str("presence") {
            Some("optional") => Presence::Optional,
            _ => Presence::Required,
        };
        let mut rest = targets(entity).peekable();
        let is_alone = targets(entity).nth(1).is_none();
        let mut ahead = VecDeque::with_capacity(TARGETS_AT_ONCE);
        while !ahead.is_empty() || rest.peek().is_some() {
            for target in rest.by_ref().take(TARGETS_AT_ONCE - ahead.len()) {
                ahead.push_back(match self.location_of(target, kind, presence, &base) {
                    Err(error) => Target::Refused(error),
                    Ok(location) if is_alone => Target::Unread(location),
                    Ok(location) => self.begin_to_read(location, state),
                });
            }
            match ahead.pop_front() {
                Some(Target::Refused(error)) => state.collector.push_error(error),
                Some(Target::Unread(location)) => self.read_target(&location, presence, state).await?,
                Some(Target::Reading(mut reading)) => {
                    let Some(read) = reading.join_next().await else { continue };
                    let (branch, result) = read.map_err(interrupted)?;
                    let joined = state.join(branch);
                    result.and(joined)?;
                }
                None => {}
            }
        }
        Ok(())
    }

    fn location_of(
        &self,
        target: &str,
        kind: &str,
        presence: Presence,
        base: &LocationSpec,
    ) -> Result<LocationSpec, ProcessorError> {
        if kind == "file" && target.ends_with(MAIN_SEPARATOR) {
            let message = format!(
                "LocationEntityProcessor cannot handle file type location with target {} that ends with a path separator",
                base.target
            );
            return Err(ProcessorError::input(message).with_rule("location/target"));
        }
        let target = absolute_target(self.scm(), base, kind, target);
        Ok(LocationSpec { presence: Some(presence), ..LocationSpec::new(kind, target) })
    }

    fn begin_to_read(self: &Arc<Self>, location: LocationSpec, state: &RunState) -> Target {
        let Some(mut branch) = state.branch(&location.target) else {
            return Target::Unread(location);
        };
        let pipeline = Arc::clone(self);
        let read = async move {
            let presence = location.presence.unwrap_or(Presence::Required);
            let result = pipeline.read_target(&location, presence, &mut branch).await;
            (branch, result)
        };
        let mut reading = JoinSet::new();
        reading.spawn(read.in_current_span());
        Target::Reading(reading)
    }

    async fn read_target(
        &self,
        location: &LocationSpec,
        presence: Presence,
        state: &mut RunState,
    ) -> Result<(), ProcessorError> {
        state.collector.enter_target(Some(&location.target));
        let mut handled = Handled::No;
        for (index, ordered) in self.ordered().iter().enumerate() {
            let processor = ordered.processor.as_ref();
            let progress = state.progress.clone();
            progress.enter(index);
            let mut cx = self.context(processor, Some(&location.target), state);
            let result = self.guarded(&progress, processor.read_location(location, presence, &mut cx)).await;
            let doing = format!("while reading {}:{}", location.kind, location.target);
            handled = result.map_err(|cause| threw(processor, &doing, cause))?;
            if handled == Handled::Yes {
                break;
            }
        }
        state.collector.enter_target(None);
        if handled == Handled::Yes {
            return Ok(());
        }
        let message =
            format!("No processor was able to handle reading of {}:{}", location.kind, location.target);
        Err(ProcessorError::input(message).with_rule("location/processor"))
    }
}

/// Each target once, however often it is named. Two reads of one target that differ, as it changed between them, would
/// be taken for one: what only the first one found would stand as long as the second one is good.
fn targets(entity: &Entity) -> impl Iterator<Item = &str> {
    let many = entity.spec().and_then(|spec| spec.get("targets")).and_then(Value::as_array);
    let all =
        entity.spec_str("target").into_iter().chain(many.into_iter().flatten().filter_map(Value::as_str));
    let mut seen = HashSet::new();
    all.filter(move |target| seen.insert(*target))
}

/// A target as the readers need it: a relative one is relative to the file that names it.
fn absolute_target(scm: &dyn ScmResolver, base: &LocationSpec, kind: &str, target: &str) -> String {
    if base.kind != kind {
        return target.to_owned();
    }
    match kind {
        "file" if target.starts_with('.') => {
            let directory = Path::new(&base.target).parent().unwrap_or(Path::new(""));
            normalized(&directory.join(target))
        }
        "url" => scm.resolve_url(target, &base.target).unwrap_or_else(|_| target.to_owned()),
        _ => target.to_owned(),
    }
}

/// The path without `.` and `..`, as far as that can be said without asking the disk. Nothing is above the root.
fn normalized(path: &Path) -> String {
    use std::path::Component;
    let mut parts = std::path::PathBuf::new();
    for component in path.components() {
        match (component, parts.components().next_back()) {
            (Component::CurDir, _) | (Component::ParentDir, Some(Component::RootDir)) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                parts.pop();
            }
            (other, _) => parts.push(other),
        }
    }
    if parts.as_os_str().is_empty() { ".".to_owned() } else { parts.to_string_lossy().into_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug)]
    struct Joins;

    impl ScmResolver for Joins {
        fn resolve_url(&self, target: &str, base: &str) -> Result<String, String> {
            if target == "bad" { Err("no".to_owned()) } else { Ok(format!("{base}+{target}")) }
        }

        fn resolve_edit_url(&self, _url: &str) -> Option<String> {
            None
        }

        fn integration_kind(&self, _url: &str) -> Option<&'static str> {
            None
        }

        fn file(&self, _url: &str) -> Option<callboard_sdk::ScmFile> {
            None
        }

        fn fingerprint(&self) -> String {
            String::new()
        }
    }

    #[test]
    fn targets_are_made_absolute_by_the_type_of_their_base() {
        for (base, base_target, kind, target, expected) in [
            ("file", "/a/b/c.yaml", "file", "./d.yaml", "/a/b/d.yaml"),
            ("file", "/a/b/c.yaml", "file", "../d.yaml", "/a/d.yaml"),
            ("file", "/a/b/c.yaml", "file", "d.yaml", "d.yaml"),
            ("file", "/a/b/c.yaml", "file", "/d.yaml", "/d.yaml"),
            ("file", "a/c.yaml", "file", "../../d.yaml", "../d.yaml"),
            ("file", "/c.yaml", "file", "../../d.yaml", "/d.yaml"),
            ("file", "/a/c.yaml", "file", "..", "/"),
            ("file", "a/c.yaml", "file", "..", "."),
            ("file", "/a/c.yaml", "url", "./d.yaml", "./d.yaml"),
            ("url", "base", "url", "t", "base+t"),
            ("url", "base", "url", "bad", "bad"),
            ("weird", "base", "weird", "./t", "./t"),
        ] {
            let base = LocationSpec::new(base, base_target);
            assert_eq!(absolute_target(&Joins, &base, kind, target), expected, "{base:?} {kind} {target}");
        }
    }

    #[test]
    fn the_single_target_comes_before_the_list() {
        let value = json!({"spec": {"targets": ["b", 3, "c"], "target": "a"}});
        let entity = Entity::from_value(value).unwrap();
        assert_eq!(targets(&entity).collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn a_target_that_is_named_twice_counts_once() {
        let value = json!({"spec": {"targets": ["b", "a", "c", "b"], "target": "a"}});
        let entity = Entity::from_value(value).unwrap();
        assert_eq!(targets(&entity).collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn the_message_lists_the_allowed_types() {
        let message = not_allowed_message(&["url".to_owned(), "x".to_owned()]);
        assert_eq!(message, r#"Registered locations must be of an allowed type ["url","x"]"#);
    }
}

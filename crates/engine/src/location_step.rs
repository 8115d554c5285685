//! Reading what a Location entity points at.

use std::path::{MAIN_SEPARATOR, Path};

use callboard_model::{Entity, LocationSpec, Presence};
use callboard_sdk::{Handled, ProcessorError, ScmResolver};
use serde_json::Value;

use crate::Pipeline;
use crate::run::{RunState, threw};

/// What is said about a location of a type that is not allowed.
pub(crate) fn not_allowed_message(allowed: &[String]) -> String {
    let allowed = Value::from(allowed.to_vec());
    format!("Registered locations must be of an allowed type {allowed}")
}

impl Pipeline {
    /// Reads all targets of a Location. A target that nobody can read ends the run; what a reader reports about a
    /// target lets the others be read too, so that all problems are seen at once.
    pub(crate) async fn read_targets(
        &self,
        entity: &Entity,
        state: &mut RunState<'_>,
    ) -> Result<(), ProcessorError> {
        let kind = entity.spec_str("type").unwrap_or(&state.location.kind).to_owned();
        let allowed = self.allowed_location_types();
        if kind != state.location.kind && !allowed.contains(&kind) {
            let error = ProcessorError::input(not_allowed_message(allowed)).with_rule("location/type");
            state.collector.push_error(error);
            return Ok(());
        }
        let presence = match entity.spec_str("presence") {
            Some("optional") => Presence::Optional,
            _ => Presence::Required,
        };
        for target in targets(entity) {
            if kind == "file" && target.ends_with(MAIN_SEPARATOR) {
                let message = format!(
                    "LocationEntityProcessor cannot handle file type location with target {} that ends with a path \
                     separator",
                    state.location.target
                );
                state.collector.push_error(ProcessorError::input(message).with_rule("location/target"));
                continue;
            }
            let target = absolute_target(self.scm(), state.location, &kind, target);
            let location = LocationSpec { presence: Some(presence), ..LocationSpec::new(&kind, target) };
            self.read_target(&location, presence, state).await?;
        }
        Ok(())
    }

    async fn read_target(
        &self,
        location: &LocationSpec,
        presence: Presence,
        state: &mut RunState<'_>,
    ) -> Result<(), ProcessorError> {
        state.collector.enter_target(Some(&location.target));
        let mut handled = Handled::No;
        for (index, ordered) in self.ordered().iter().enumerate() {
            let processor = ordered.processor.as_ref();
            let progress = state.progress;
            progress.enter(index);
            let mut cx = self.context(processor, Some(&location.target), state);
            let result = self.guarded(progress, processor.read_location(location, presence, &mut cx)).await;
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

fn targets(entity: &Entity) -> impl Iterator<Item = &str> {
    let many = entity.spec().and_then(|spec| spec.get("targets")).and_then(Value::as_array);
    entity.spec_str("target").into_iter().chain(many.into_iter().flatten().filter_map(Value::as_str))
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
    fn the_message_lists_the_allowed_types() {
        let message = not_allowed_message(&["url".to_owned(), "x".to_owned()]);
        assert_eq!(message, r#"Registered locations must be of an allowed type ["url","x"]"#);
    }
}

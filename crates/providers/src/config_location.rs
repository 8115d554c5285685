//! The locations of the configuration, `catalog.locations`, as a bucket of Location entities.

#[cfg(test)]
mod tests;

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use callboard_sdk::model::location_entity;
use callboard_sdk::{
    DeferredEntity, EntityProvider, EntityProviderConnection, EntityProviderMutation, LocationRef,
    LocationSpec, ProviderError, async_trait,
};
use serde_json::Value;
use tokio::sync::Mutex;

/// What is wrong with `catalog.locations`; each text names index and key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct LocationsError(pub Vec<String>);

/// `ConfigLocationProvider`: one generated Location entity for each item of `catalog.locations`.
///
/// The bucket always holds exactly what the configuration says: a location that is taken out of the configuration
/// is gone with everything that came in through it.
#[derive(Debug)]
pub struct ConfigLocationProvider {
    cwd: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    locations: Vec<LocationRef>,
    connection: Option<Arc<dyn EntityProviderConnection>>,
    /// Whether the catalog may hold other locations than `locations`.
    is_behind: bool,
}

impl ConfigLocationProvider {
    /// Takes the items of `catalog.locations`. Targets of `file` locations are relative to `cwd`.
    pub fn new(items: &[Value], cwd: impl Into<PathBuf>) -> Result<Self, LocationsError> {
        let cwd = cwd.into();
        let locations = parse(items, &cwd)?;
        Ok(Self { cwd, state: Mutex::new(State { locations, connection: None, is_behind: true }) })
    }

    /// Takes the items of a changed configuration, and says whether the catalog was told. It is not told when
    /// nothing changed, or while it is not connected yet.
    ///
    /// An `Err` leaves the bucket as it was; after one of the catalog, the next call tells it again.
    pub async fn update(&self, items: &[Value]) -> Result<bool, ProviderError> {
        let locations = parse(items, &self.cwd).map_err(|error| ProviderError::Failed(error.to_string()))?;
        let mut state = self.state.lock().await;
        state.is_behind |= locations != state.locations;
        state.locations = locations;
        state.push().await
    }
}

impl State {
    async fn push(&mut self) -> Result<bool, ProviderError> {
        let Some(connection) = self.connection.as_ref().filter(|_| self.is_behind) else {
            return Ok(false);
        };
        let entities = self.locations.iter().map(deferred).collect();
        connection.apply_mutation(EntityProviderMutation::Full { entities }).await?;
        self.is_behind = false;
        tracing::info!(locations = self.locations.len(), "configured locations handed over");
        Ok(true)
    }
}

#[async_trait]
impl EntityProvider for ConfigLocationProvider {
    fn name(&self) -> &'static str {
        "ConfigLocationProvider"
    }

    async fn connect(&self, connection: Arc<dyn EntityProviderConnection>) -> Result<(), ProviderError> {
        let mut state = self.state.lock().await;
        state.connection = Some(connection);
        state.is_behind = true;
        state.push().await.map(drop)
    }
}

fn deferred(location: &LocationRef) -> DeferredEntity {
    let text = location.to_string();
    let spec = LocationSpec::new(location.type_.as_str(), location.target.as_str());
    DeferredEntity { entity: location_entity(&spec, &text, &text), location_key: Some(text) }
}

/// The locations in order; the same one twice counts once.
fn parse(items: &[Value], cwd: &Path) -> Result<Vec<LocationRef>, LocationsError> {
    let mut locations = Vec::with_capacity(items.len());
    let mut errors = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match location(item, index, cwd) {
            Ok(location) if locations.contains(&location) => {}
            Ok(location) => locations.push(location),
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() { Ok(locations) } else { Err(LocationsError(errors)) }
}

fn location(item: &Value, index: usize, cwd: &Path) -> Result<LocationRef, Vec<String>> {
    let at = format!("catalog.locations[{index}]");
    if !item.is_object() {
        return Err(vec![wrong_type(item, &at, "object")]);
    }
    let (kind, target) = match (text(item, &at, "type"), text(item, &at, "target")) {
        (Ok(kind), Ok(target)) => (kind, target),
        (kind, target) => return Err(kind.err().into_iter().chain(target.err()).collect()),
    };
    let target = if kind == "file" { absolute_file_target(target, cwd) } else { target.to_owned() };
    LocationRef::new(kind, target).map_err(|error| vec![format!("Invalid location at '{at}', {error}")])
}

fn text<'a>(item: &'a Value, at: &str, name: &str) -> Result<&'a str, String> {
    let key = format!("{at}.{name}");
    match item.get(name) {
        None | Some(Value::Null) => Err(format!("Missing required config value at '{key}'")),
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(other) => Err(wrong_type(other, &key, "string")),
    }
}

fn wrong_type(value: &Value, key: &str, wanted: &str) -> String {
    let got = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(text) if text.is_empty() => "empty-string",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!("Invalid type in config for key '{key}', got {got}, wanted {wanted}")
}

/// The absolute form of the target of a `file` location; relative ones are relative to `cwd`. The file system is not
/// looked at.
pub fn absolute_file_target(target: &str, cwd: &Path) -> String {
    let mut path = PathBuf::new();
    for component in cwd.join(target).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                path.pop();
            }
            component => path.push(component),
        }
    }
    path.to_string_lossy().into_owned()
}

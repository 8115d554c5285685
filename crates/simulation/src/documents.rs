//! The entities of the made-up world, as few and as plain as will do.

use callboard_sdk::Entity;
use serde_json::{Value, json};

/// What an entity says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Document {
    Component {
        name: String,
        /// Differs between any two that were written.
        version: u64,
        owner: String,
        depends_on: Option<String>,
    },
    Group {
        name: String,
        version: u64,
    },
    Location {
        name: String,
        version: u64,
        targets: Vec<String>,
    },
}

impl Document {
    pub(crate) fn entity_ref(&self) -> String {
        match self {
            Self::Component { name, .. } => format!("component:default/{name}"),
            Self::Group { name, .. } => format!("group:default/{name}"),
            Self::Location { name, .. } => format!("location:default/{name}"),
        }
    }

    pub(crate) fn targets(&self) -> &[String] {
        match self {
            Self::Location { targets, .. } => targets,
            Self::Component { .. } | Self::Group { .. } => &[],
        }
    }

    /// What the final entity has as its description.
    pub(crate) fn description(&self) -> String {
        let (Self::Component { version, .. } | Self::Group { version, .. } | Self::Location { version, .. }) =
            self;
        format!("version {version}")
    }

    /// The same with something else in it.
    pub(crate) fn with_version(mut self, new: u64) -> Self {
        let (Self::Component { version, .. } | Self::Group { version, .. } | Self::Location { version, .. }) =
            &mut self;
        *version = new;
        self
    }

    pub(crate) fn to_value(&self) -> Value {
        let (kind, name, spec) = match self {
            Self::Component { name, owner, depends_on, .. } => {
                let depends_on: Vec<&String> = depends_on.iter().collect();
                let spec = json!({
                    "type": "service", "lifecycle": "production", "owner": owner, "dependsOn": depends_on,
                });
                ("Component", name, spec)
            }
            Self::Group { name, .. } => ("Group", name, json!({ "type": "team", "children": [] })),
            Self::Location { name, targets, .. } => {
                ("Location", name, json!({ "type": "url", "targets": targets }))
            }
        };
        json!({
            "apiVersion": "backstage.io/v1alpha1",
            "kind": kind,
            "metadata": { "name": name, "description": self.description() },
            "spec": spec,
        })
    }

    /// As a provider hands it over.
    pub(crate) fn to_entity(&self, location: &str) -> Option<Entity> {
        let mut entity = Entity::from_value(self.to_value()).ok()?;
        for annotation in ["backstage.io/managed-by-location", "backstage.io/managed-by-origin-location"] {
            entity.set_annotation(annotation, location);
        }
        Some(entity)
    }

    /// The relations that it brings in: source, type and target.
    pub(crate) fn relations(&self) -> Vec<(String, &'static str, String)> {
        let own = self.entity_ref();
        let pair = |there: &'static str, back: &'static str, other: &String| {
            [(own.clone(), there, other.clone()), (other.clone(), back, own.clone())]
        };
        match self {
            Self::Component { owner, depends_on, .. } => {
                let mut relations = Vec::from(pair("ownedBy", "ownerOf", owner));
                relations.extend(depends_on.iter().flat_map(|it| pair("dependsOn", "dependencyOf", it)));
                relations
            }
            Self::Group { .. } | Self::Location { .. } => Vec::new(),
        }
    }
}

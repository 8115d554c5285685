//! Who lives in a generated catalog: how many entities of each kind there are, what each is called, and in which order
//! they are written. Names are computed from the seed when they are needed, so that a catalog of millions of entities
//! is generated in constant memory per entity and references never dangle.

use std::fmt;

use super::words;
use crate::random::Random;

/// Purpose of a random stream: what an entity is called.
const STREAM_IDENTITY: u64 = 1;
/// Purpose of a random stream: the order in which entities are written.
const STREAM_ORDER: u64 = 2;
/// Purpose of a random stream: everything else in an entity.
const STREAM_CONTENT: u64 = 3;

const DEFAULT_NAMESPACE: &str = "default";
const OTHER_NAMESPACE_PERCENT: usize = 12;

/// The kinds that describe software and people. A Location is written only as the index of a catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Component,
    Api,
    Resource,
    System,
    Domain,
    User,
    Group,
}

impl Kind {
    pub const ALL: [Self; 7] =
        [Self::Component, Self::Api, Self::Resource, Self::System, Self::Domain, Self::User, Self::Group];

    /// As it stands in `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Component => "Component",
            Self::Api => "API",
            Self::Resource => "Resource",
            Self::System => "System",
            Self::Domain => "Domain",
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// As it stands in references and file names.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Api => "api",
            Self::Resource => "resource",
            Self::System => "system",
            Self::Domain => "domain",
            Self::User => "user",
            Self::Group => "group",
        }
    }

    /// Share of a catalog in thousandths; components take what the others leave.
    fn per_mille(self) -> usize {
        match self {
            Self::Component => 610,
            Self::Api => 150,
            Self::Resource => 100,
            Self::User => 60,
            Self::System => 50,
            Self::Group => 20,
            Self::Domain => 10,
        }
    }

    fn name(self, index: usize, random: &mut Random) -> String {
        let noun = random.pick(words::NOUNS);
        match self {
            Self::Component => format!("{noun}-{}-{index:05}", random.pick(words::COMPONENT_ROLES)),
            Self::Api => format!("{noun}-{}-{index:05}", random.pick(words::API_ROLES)),
            Self::Resource => format!("{noun}_{}.{index:05}", random.pick(words::RESOURCE_ROLES)),
            Self::System => format!("{noun}-system-{index:04}"),
            Self::Domain => format!("{noun}-domain-{index:03}"),
            Self::User => {
                format!("{}.{}.{index}", random.pick(words::FIRST_NAMES), random.pick(words::LAST_NAMES))
            }
            Self::Group if index == 0 => "everyone".to_owned(),
            Self::Group => format!("team-{noun}-{index:03}"),
        }
    }

    /// People and teams come from one directory and share one namespace, as they mostly do.
    fn is_org(self) -> bool {
        matches!(self, Self::User | Self::Group)
    }
}

/// What an entity is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub kind: Kind,
    pub namespace: &'static str,
    pub name: String,
}

impl Identity {
    pub fn is_in_default_namespace(&self) -> bool {
        self.namespace == DEFAULT_NAMESPACE
    }
}

/// The entity reference in full.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.kind.slug(), self.namespace, self.name)
    }
}

/// All entities of one catalog, known by kind and index.
#[derive(Debug, Clone)]
pub struct Population {
    seed: u64,
    entities: usize,
}

impl Population {
    /// `entities` is the size of the catalog, within [`super::ENTITIES_RANGE`].
    pub fn new(entities: usize, seed: u64) -> Self {
        Self { seed, entities }
    }

    pub fn entities(&self) -> usize {
        self.entities
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many entities of `kind` there are: at least one, since others refer to them.
    pub fn count(&self, kind: Kind) -> usize {
        if kind == Kind::Component {
            let others = Kind::ALL.iter().filter(|other| **other != Kind::Component);
            return self.entities.saturating_sub(others.map(|other| self.count(*other)).sum());
        }
        (self.entities * kind.per_mille() / 1000).max(1)
    }

    /// The kinds and indices of all entities, mixed, as in repositories that describe a bit of everything.
    pub fn order(&self) -> Vec<(Kind, usize)> {
        let all = Kind::ALL.iter().flat_map(|kind| (0..self.count(*kind)).map(|index| (*kind, index)));
        let mut order: Vec<_> = all.collect();
        Random::stream(self.seed, &[STREAM_ORDER]).shuffle(&mut order);
        order
    }

    pub fn identity(&self, kind: Kind, index: usize) -> Identity {
        let mut random = self.stream(STREAM_IDENTITY, kind, index);
        let is_elsewhere = !kind.is_org() && random.percent(OTHER_NAMESPACE_PERCENT);
        let namespace = if is_elsewhere { random.pick(words::NAMESPACES) } else { DEFAULT_NAMESPACE };
        Identity { kind, namespace, name: kind.name(index, &mut random) }
    }

    /// The random stream for the content of one entity.
    pub fn content_stream(&self, kind: Kind, index: usize) -> Random {
        self.stream(STREAM_CONTENT, kind, index)
    }

    fn stream(&self, purpose: u64, kind: Kind, index: usize) -> Random {
        Random::stream(self.seed, &[purpose, kind as u64, index as u64])
    }
}

//! The built-in kinds as data.
//!
//! The order of `fields` is the order in which faults are looked for; the order of `relations` is that of emission.

use crate::relation::relation_type::{
    API_CONSUMED_BY, API_PROVIDED_BY, CHILD_OF, CONSUMES_API, DEPENDENCY_OF, DEPENDS_ON, HAS_MEMBER,
    HAS_PART, MEMBER_OF, OWNED_BY, OWNER_OF, PARENT_OF, PART_OF, PROVIDES_API,
};

/// The API versions of all built-in kinds.
pub const API_VERSIONS: &[&str] = &["backstage.io/v1alpha1", "backstage.io/v1beta1"];

/// Lists of `spec` that are sorted before anything else happens.
pub(super) const SORTED_ARRAYS: &[&str] =
    &["providesApis", "consumesApis", "dependsOn", "dependencyOf", "memberOf", "children", "members"];

/// What a field may hold. No text in it may be empty.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A text.
    Text,
    /// A list of texts; the list may be empty.
    Texts,
    /// One of a few words.
    OneOf(&'static [&'static str]),
    /// How to show a user or group to people.
    Profile,
}

/// A field of `spec` that leads to other entities.
#[derive(Debug)]
pub struct RelationField {
    /// The field.
    pub name: &'static str,
    /// The kind of targets that name none; `None` means that they must.
    pub default_kind: Option<&'static str>,
    /// The relation type from this entity to the target.
    pub out: &'static str,
    /// The relation type from the target to this entity.
    pub back: &'static str,
    pub(super) rule: &'static str,
}

/// A built-in kind.
#[derive(Debug)]
pub struct Kind {
    /// The kind, such as `Component`.
    pub name: &'static str,
    pub(super) rule: &'static str,
    /// Fields of `spec` that must be there. Without any, `spec` must be there all the same.
    pub required: &'static [&'static str],
    /// Fields of `spec` that are checked; there may be others.
    pub fields: &'static [(&'static str, Shape)],
    /// Fields of `spec` that become relations; not all of them are checked.
    pub relations: &'static [RelationField],
}

use Shape::{OneOf, Profile, Text, Texts};

/// Unlike the others, dependencies may be of any kind, and so must name theirs.
const ANY_KIND: Option<&str> = None;

macro_rules! relation {
    ($name:literal, $default_kind:expr, $out:expr, $back:expr) => {
        RelationField {
            name: $name,
            default_kind: $default_kind,
            out: $out,
            back: $back,
            rule: concat!("relation/spec.", $name),
        }
    };
}

const OWNER: RelationField = relation!("owner", Some("Group"), OWNED_BY, OWNER_OF);
const SYSTEM: RelationField = relation!("system", Some("System"), PART_OF, HAS_PART);
const DEPENDENCIES: RelationField = relation!("dependsOn", ANY_KIND, DEPENDS_ON, DEPENDENCY_OF);
const DEPENDENTS: RelationField = relation!("dependencyOf", ANY_KIND, DEPENDENCY_OF, DEPENDS_ON);

/// All built-in kinds.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "API",
        rule: "kind-schema/API",
        required: &["type", "lifecycle", "owner", "definition"],
        fields: &[
            ("type", Text),
            ("lifecycle", Text),
            ("owner", Text),
            ("system", Text),
            ("definition", Text),
        ],
        relations: &[OWNER, SYSTEM],
    },
    Kind {
        name: "Component",
        rule: "kind-schema/Component",
        required: &["type", "lifecycle", "owner"],
        fields: &[
            ("type", Text),
            ("lifecycle", Text),
            ("owner", Text),
            ("system", Text),
            ("subcomponentOf", Text),
            ("providesApis", Texts),
            ("consumesApis", Texts),
            ("dependsOn", Texts),
        ],
        relations: &[
            OWNER,
            relation!("subcomponentOf", Some("Component"), PART_OF, HAS_PART),
            relation!("providesApis", Some("API"), PROVIDES_API, API_PROVIDED_BY),
            relation!("consumesApis", Some("API"), CONSUMES_API, API_CONSUMED_BY),
            DEPENDENCIES,
            DEPENDENTS,
            SYSTEM,
        ],
    },
    Kind {
        name: "Resource",
        rule: "kind-schema/Resource",
        required: &["type", "owner"],
        fields: &[("type", Text), ("owner", Text), ("dependsOn", Texts), ("system", Text)],
        relations: &[OWNER, DEPENDENCIES, DEPENDENTS, SYSTEM],
    },
    Kind {
        name: "Group",
        rule: "kind-schema/Group",
        required: &["type", "children"],
        fields: &[
            ("type", Text),
            ("profile", Profile),
            ("parent", Text),
            ("children", Texts),
            ("members", Texts),
        ],
        relations: &[
            relation!("parent", Some("Group"), CHILD_OF, PARENT_OF),
            relation!("children", Some("Group"), PARENT_OF, CHILD_OF),
            relation!("members", Some("User"), HAS_MEMBER, MEMBER_OF),
        ],
    },
    Kind {
        name: "Location",
        rule: "kind-schema/Location",
        required: &[],
        fields: &[
            ("type", Text),
            ("target", Text),
            ("targets", Texts),
            ("presence", OneOf(&["required", "optional"])),
        ],
        relations: &[],
    },
    Kind {
        name: "User",
        rule: "kind-schema/User",
        required: &["memberOf"],
        fields: &[("profile", Profile), ("memberOf", Texts)],
        relations: &[relation!("memberOf", Some("Group"), MEMBER_OF, HAS_MEMBER)],
    },
    Kind {
        name: "System",
        rule: "kind-schema/System",
        required: &["owner"],
        fields: &[("owner", Text), ("domain", Text), ("type", Text)],
        relations: &[OWNER, relation!("domain", Some("Domain"), PART_OF, HAS_PART)],
    },
    Kind {
        name: "Domain",
        rule: "kind-schema/Domain",
        required: &["owner"],
        fields: &[("owner", Text), ("subdomainOf", Text), ("type", Text)],
        relations: &[OWNER, relation!("subdomainOf", Some("Domain"), PART_OF, HAS_PART)],
    },
];

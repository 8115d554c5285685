//! The built-in kinds as data.
//!
//! The order of `fields` is the order in which faults are looked for; the order of `relations` is that of emission.

use crate::relation::relation_type::{
    API_CONSUMED_BY, API_PROVIDED_BY, CHILD_OF, CONSUMES_API, DEPENDENCY_OF, DEPENDS_ON, HAS_MEMBER,
    HAS_PART, MEMBER_OF, OWNED_BY, OWNER_OF, PARENT_OF, PART_OF, PROVIDES_API,
};

/// The API versions of all built-in kinds.
pub(super) const API_VERSIONS: &[&str] = &["backstage.io/v1alpha1", "backstage.io/v1beta1"];

/// Lists of `spec` that are sorted before anything else happens.
pub(super) const SORTED_ARRAYS: &[&str] =
    &["providesApis", "consumesApis", "dependsOn", "dependencyOf", "memberOf", "children", "members"];

/// What a field may hold. No text in it may be empty.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// A text.
    Text,
    /// A list of texts; the list may be empty.
    Texts,
    /// One of a few words.
    OneOf(&'static [&'static str]),
    /// How to show a user or group to people.
    Profile,
}

/// A field that leads to other entities.
#[derive(Debug)]
pub(super) struct RelationField {
    pub(super) name: &'static str,
    /// The kind of targets that name none; `None` means that they must.
    pub(super) default_kind: Option<&'static str>,
    /// The relation type from this entity to the target.
    pub(super) out: &'static str,
    /// The relation type from the target to this entity.
    pub(super) back: &'static str,
    pub(super) rule: &'static str,
}

/// A kind.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) rule: &'static str,
    pub(super) required: &'static [&'static str],
    pub(super) fields: &'static [(&'static str, Shape)],
    pub(super) relations: &'static [RelationField],
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
pub(super) const KINDS: &[Kind] = &[
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

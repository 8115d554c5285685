//! `catalog:get-catalog-model-description`: which kinds of entities there are, and how they are related.
//!
//! The text is made of the tables by which the built-in kinds are checked and related, and of what the catalog holds.

use axum::response::Response;
use callboard_index::FacetValue;
use callboard_model::annotations::{
    EDIT_URL, MANAGED_BY_LOCATION, MANAGED_BY_ORIGIN_LOCATION, ORPHAN, SOURCE_LOCATION, VIEW_URL,
};
use callboard_model::{BUILTIN_API_VERSIONS, BUILTIN_KINDS, BuiltinKind, RelationField, SpecShape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actions::action::{Action, Attributes, output};
use crate::api_error::ApiError;
use crate::state::AppState;
use crate::view::Effort;

/// The processor that knows the built-in kinds; it can be disabled.
const BUILTIN_KINDS_PROCESSOR: &str = "BuiltinKindsEntityProcessor";

/// Kinds of the catalog that are listed; a company has some dozens.
const KINDS_LISTED_MAX: usize = 200;

pub(super) struct GetModelDescription;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ModelDescription {
    /// The description, in Markdown.
    description: String,
}

impl Action for GetModelDescription {
    const NAME: &'static str = "get-catalog-model-description";
    const TITLE: &'static str = "Describe the Catalog Model";
    const DESCRIPTION: &'static str = "\
Describes the model of this software catalog in Markdown: what every entity has, which kinds there are with the \
fields of their `spec`, how kinds are related, and how many entities of each kind the catalog holds now. Read it \
before writing queries for `catalog:query-catalog-entities` or descriptors for `catalog:validate-entity`.";
    const ATTRIBUTES: Attributes = Attributes { destructive: false, idempotent: true, read_only: true };

    type Input = Nothing;
    type Output = ModelDescription;

    async fn invoke(state: &AppState, _: Nothing) -> Result<Response, ApiError> {
        let facets = state.view()?.search(Effort::AllValues, |index| index.facets(&["kind"], &[])).await?;
        let counted = facets.into_iter().next().map(|facet| facet.values).unwrap_or_default();
        let processors = state.catalog()?.processors();
        let has_builtin = processors.iter().any(|processor| processor.name == BUILTIN_KINDS_PROCESSOR);
        let kinds = if has_builtin { BUILTIN_KINDS } else { &[] };
        output(&ModelDescription { description: describe(kinds, &counted) })
    }
}

/// The text about these kinds, for a catalog of so many entities of each kind.
fn describe(kinds: &[BuiltinKind], counted: &[FacetValue]) -> String {
    let mut text = entity();
    if !kinds.is_empty() {
        text.push_str("\n## Kinds\n");
        text.extend(kinds.iter().map(kind));
        text.push_str(&relations(kinds));
    }
    text.push_str(&population(counted));
    text
}

fn entity() -> String {
    let mut text = "# The catalog model\n\n\
        The catalog consists of entities. Each one has `apiVersion`, `kind`, `metadata` and mostly `spec`; the catalog \
        adds `relations` and, while something is wrong, `status`. An entity is identified by kind, namespace and name, \
        without regard to case, and referred to by the ref `kind:namespace/name`, such as \
        `component:default/hire-app`. In descriptors, the kind can be left out where the field implies one, and the \
        namespace where it is that of the referring entity.\n\n\
        ## Metadata\n\n\
        | field of `metadata` | must be there | holds |\n|---|---|---|\n\
        | `name` | yes | text, unique among the entities of its kind and namespace |\n\
        | `namespace` | no | text, `default` unless it is given |\n\
        | `title` | no | text, to be shown in place of the name |\n\
        | `description` | no | text |\n\
        | `labels` | no | texts by key, for queries |\n\
        | `annotations` | no | texts by key, for other tools |\n\
        | `tags` | no | list of texts |\n\
        | `links` | no | list of objects with `url` and, if wanted, `title`, `icon` and `type` |\n\
        | `uid`, `etag` | no | texts that the catalog gives |\n\n\
        Annotations of the catalog itself:\n\n"
        .to_owned();
    let annotations = [
        (MANAGED_BY_LOCATION, "the location that the entity was read from, as `type:target`"),
        (MANAGED_BY_ORIGIN_LOCATION, "the location that was registered or configured and led to the entity"),
        (SOURCE_LOCATION, "where its source code is, as `type:target`"),
        (VIEW_URL, "where people can look at its descriptor"),
        (EDIT_URL, "where people can edit its descriptor"),
        (ORPHAN, "`true` if nothing refers to the entity any more"),
    ];
    for (annotation, meaning) in annotations {
        write_line(&mut text, &format!("- `{annotation}`: {meaning}"));
    }
    text
}

fn kind(kind: &BuiltinKind) -> String {
    let versions: Vec<String> = BUILTIN_API_VERSIONS.iter().map(|version| format!("`{version}`")).collect();
    let mut text = format!(
        "\n### {}\n\n`apiVersion`: {}\n\n\
        | field of `spec` | must be there | holds | becomes the relation |\n|---|---|---|---|\n",
        kind.name,
        versions.join(" or "),
    );
    let checked = kind.fields.iter().map(|(name, shape)| (*name, Some(*shape)));
    let unchecked = kind.relations.iter().map(|relation| (relation.name, None));
    let unchecked = unchecked.filter(|(name, _)| kind.fields.iter().all(|(known, _)| known != name));
    for (name, shape) in checked.chain(unchecked) {
        let relation = kind.relations.iter().find(|relation| relation.name == name);
        let required = if kind.required.contains(&name) { "yes" } else { "no" };
        let becomes = relation.map(|relation| format!("`{}`", relation.out)).unwrap_or_default();
        write_line(&mut text, &format!("| `{name}` | {required} | {} | {becomes} |", holds(shape, relation)));
    }
    text
}

fn holds(shape: Option<SpecShape>, relation: Option<&RelationField>) -> String {
    let target = relation.map(|relation| match relation.default_kind {
        Some(kind) => format!("of kind {kind} unless it names another one"),
        None => "with its kind".to_owned(),
    });
    match (shape, target) {
        (Some(SpecShape::Text), None) => "text".to_owned(),
        (Some(SpecShape::Texts), None) => "list of texts".to_owned(),
        (Some(SpecShape::Text), Some(target)) => format!("ref, {target}"),
        (Some(SpecShape::Texts) | None, Some(target)) => format!("list of refs, each {target}"),
        (Some(SpecShape::OneOf(words)), _) => {
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            words.join(" or ")
        }
        (Some(SpecShape::Profile), _) => {
            "object with `displayName`, `email` and `picture`, all optional".to_owned()
        }
        (None, None) => String::new(),
    }
}

/// Each relation with its opposite, and the fields that it comes from.
fn relations(kinds: &[BuiltinKind]) -> String {
    let mut pairs: Vec<((&str, &str), Vec<String>)> = Vec::new();
    for kind in kinds {
        for RelationField { name, out, back, .. } in kind.relations {
            let source = format!("`{name}` of {}", kind.name);
            match pairs.iter_mut().find(|(pair, _)| pair == &(*out, *back)) {
                Some((_, sources)) => sources.push(source),
                None => pairs.push(((out, back), vec![source])),
            }
        }
    }
    let mut text = "\n## Relations\n\n\
        Relations are found in `relations` of an entity, as `type` and `targetRef`. Each one has its opposite at the \
        other entity, if that is in the catalog.\n\n\
        | relation | opposite | from the field |\n|---|---|---|\n"
        .to_owned();
    for ((out, back), sources) in pairs {
        write_line(&mut text, &format!("| `{out}` | `{back}` | {} |", sources.join(", ")));
    }
    text
}

fn population(counted: &[FacetValue]) -> String {
    let mut text = "\n## Entities in this catalog\n\n".to_owned();
    if counted.is_empty() {
        text.push_str("There are none.\n");
        return text;
    }
    text.push_str("| kind | entities |\n|---|---|\n");
    for FacetValue { value, count } in counted.iter().take(KINDS_LISTED_MAX) {
        write_line(&mut text, &format!("| {value} | {count} |"));
    }
    if counted.len() > KINDS_LISTED_MAX {
        text.push_str("\nThere are more kinds.\n");
    }
    text
}

fn write_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_relations_are_those_of_the_tables() {
        let text = describe(BUILTIN_KINDS, &[]);
        for kind in BUILTIN_KINDS {
            assert!(text.contains(&format!("\n### {}\n", kind.name)), "{text}");
            for (field, _) in kind.fields {
                assert!(text.contains(&format!("\n| `{field}` | ")), "{field} in {text}");
            }
        }
        for line in [
            "`apiVersion`: `backstage.io/v1alpha1` or `backstage.io/v1beta1`",
            "| `owner` | yes | ref, of kind Group unless it names another one | `ownedBy` |",
            "| `dependsOn` | no | list of refs, each with its kind | `dependsOn` |",
            "| `dependencyOf` | no | list of refs, each with its kind | `dependencyOf` |",
            "| `presence` | no | `required` or `optional` |  |",
            "| `memberOf` | `hasMember` | `memberOf` of User |",
            "There are none.",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in {text}");
        }
    }

    #[test]
    fn without_built_in_kinds_there_is_what_the_catalog_holds() {
        let text = describe(&[], &[FacetValue { value: "Machine".to_owned(), count: 3 }]);
        assert!(text.contains("| Machine | 3 |") && !text.contains("## Kinds"), "{text}");
    }
}

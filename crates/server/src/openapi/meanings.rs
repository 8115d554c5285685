//! What parameters and members of bodies mean.

/// A text and an example, if one says more.
type Meaning = (&'static str, Option<&'static str>);

/// The parameters in paths: name, meaning, example.
pub(super) const PATH_PARAMETERS: &[(&str, &str, Option<&str>)] = &[
    ("kind", "The kind of the entity, in any letter case.", Some("component")),
    ("namespace", "The namespace of the entity, in any letter case.", Some("default")),
    ("name", "The name of the entity, in any letter case.", Some("hire-app")),
    ("uid", "`metadata.uid` of the entity, in any letter case.", None),
    ("id", "The id of the registered location.", None),
];

/// What a parameter of the query or a member of the body means; the latter by its path with dots.
pub(super) fn meaning(operation: &str, name: &str) -> Meaning {
    let of = |wanted: &str| {
        let mut meanings = MEANINGS.iter();
        meanings.find(|(operation, known, ..)| *operation == wanted && *known == name)
    };
    of(operation).or_else(|| of(ALL)).map_or(("", None), |(_, _, text, example)| (*text, *example))
}

/// In place of an operation: the meaning is the same in all that have no other.
const ALL: &str = "";

/// Operation, name, meaning, example.
#[rustfmt::skip]
const MEANINGS: &[(&str, &str, &str, Option<&str>)] = &[
    (
        ALL, "filter",
        "Only entities that this is true of: `key=value` (the entity has this value) or `key` (it has any) with commas \
         between them. Different keys must all be fulfilled, of several values of one key one is enough, and of several \
         filters one is enough. Keys and values are compared without regard to case. A value cannot contain a comma.",
        Some("kind=component,spec.type=service"),
    ),
    (
        ALL, "fields",
        "Only these parts of each entity, such as `metadata.name`. Case matters.",
        Some("kind,metadata.name"),
    ),
    (
        "GetEntities", "order",
        "`asc:<field>` or `desc:<field>`. Without a limit only the first one counts, and entities without the field are \
         left out; with one they come last. Without any order: by ref in parts, by uid otherwise.",
        Some("asc:metadata.name"),
    ),
    ("GetEntities", "limit", "How many entities; at least 1. All that are left without it.", None),
    ("GetEntities", "offset", "How many entities to pass over.", None),
    (
        "GetEntities", "after",
        "Where to go on, from the `Link` of the answer before. Takes the place of limit and offset.",
        None,
    ),
    (ALL, "limit", "How many entities; 200 if it is not given. None with 0, which gives the total alone.", None),
    (ALL, "offset", "How many entities to pass over at the beginning of a walk.", None),
    (
        ALL, "orderField",
        "`<field>,asc` or `<field>,desc`. Only the first one counts. Entities without the field are left out. By uid if \
         it is not given.",
        Some("metadata.name,asc"),
    ),
    (
        ALL, "orderBy",
        "Only the first one counts. Entities without the field are left out. By uid if it is not given.",
        None,
    ),
    (
        ALL, "cursor",
        "Where to go on: `nextCursor` or `prevCursor` of another answer. Nothing but `limit` and `fields` counts \
         beside it.",
        None,
    ),
    (ALL, "totalItems", "With `exclude` the total is not counted, and told as 0.", None),
    (
        ALL, "fullTextFilterTerm",
        "Only entities that have this text in one of the fields, in any letter case.",
        Some("hire"),
    ),
    (
        ALL, "fullTextFilterFields",
        "Where to look for the text; in the field of the order if it is not given, or else in `metadata.uid`.",
        Some("metadata.name"),
    ),
    (ALL, "fullTextFilter", "Only entities that have a text in one of some fields, in any letter case.", None),
    (ALL, "fullTextFilter.term", "The text.", None),
    (
        ALL, "fullTextFilter.fields",
        "Where to look for it; in the field of the order if it is not given, or else in `metadata.uid`.",
        None,
    ),
    (
        ALL, "query",
        "Only entities that this is true of.",
        None,
    ),
    (ALL, "entityRefs", "Refs in full and in lower case.", None),
    (
        ALL, "facet",
        "A field whose values are counted, in any letter case.",
        Some("kind"),
    ),
    (ALL, "facets", "The fields whose values are counted, in any letter case.", None),
    ("RefreshEntity", "entityRef", "The ref of the entity, in any letter case.", None),
    ("RefreshEntity", "authorizationToken", "Sent by old clients; of no effect.", None),
    (
        "CreateLocation", "dryRun",
        "With `true`, `yes`, `y`, `on` or `1` the location is read and processed, and nothing is kept.",
        None,
    ),
    (
        "CreateLocation", "onConflict",
        "What to do about a location that is registered already: process it at once, or refuse. Unless the \
         configuration says otherwise, `reject`.",
        None,
    ),
    (ALL, "type", "The type of the location: an allowed one, which `url` is.", None),
    (ALL, "target", "What to read.", None),
    ("CreateLocation", "presence", "Whether a dry run fails if there is nothing.", None),
    ("GetLocationsByQuery", "limit", "How many locations; 1000 if it is not given. A whole number.", None),
    ("GetLocationsByQuery", "cursor", "Where to go on. Nothing else counts beside it.", None),
    (
        "GetLocationsByQuery", "query",
        "Only locations that this is true of. The fields are `id`, `type`, `target` and `entityRef`.",
        None,
    ),
    ("AnalyzeLocation", "location", "A repository, or something in one.", None),
    ("AnalyzeLocation", "location.type", "", None),
    ("AnalyzeLocation", "location.target", "A URL.", None),
    (
        "AnalyzeLocation", "catalogFilename",
        "The name of the descriptor files that are looked for; `catalog-info.yaml` if it is not given.",
        None,
    ),
    ("AnalyzeLocation", "catalogFileName", "Of no effect.", None),
    ("ValidateEntity", "entity", "The entity, as it would stand in a file.", None),
    ("ValidateEntity", "location", "Where it would be read from: `url:<target>`.", None),
    ("GetErrors", "entity", "Of this entity, by its ref.", Some("component:default/hire-app")),
    ("GetErrors", "location", "Of this location, as `<type>:<target>`.", None),
    ("GetErrors", "rule", "Of this rule.", Some("yaml/syntax")),
    ("GetErrors", "after", "The `nextCursor` of the page before.", None),
    ("GetErrors", "limit", "How many errors; 100 if it is not given.", None),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::operations;

    #[test]
    fn everything_that_is_taken_has_a_meaning() {
        for operation in operations::all() {
            for name in operation.taken() {
                assert!(!meaning(operation.id, name).0.is_empty(), "{name} of {}", operation.id);
            }
            for name in operation.path_parameters() {
                assert!(
                    PATH_PARAMETERS.iter().any(|(known, ..)| *known == name),
                    "{name} of {}",
                    operation.id
                );
            }
        }
    }

    #[test]
    fn every_meaning_is_that_of_something() {
        for (of, name, ..) in MEANINGS {
            let top = name.split('.').next().unwrap();
            let is_taken = operations::all().any(|operation| {
                (*of == ALL || *of == operation.id) && operation.taken().any(|taken| taken == top)
            });
            assert!(is_taken, "{name} of {of}");
        }
    }
}

//! What a query asks of registered locations.
//!
//! The language is that of queries for entities, and some of it means something else: Backstage puts a query for
//! locations together as conditions on the columns of a table. A part that asks for nothing gives no condition and is
//! left out, so that `{"$not": {}}` finds everything; `{"$all": []}` finds nothing; and no column contains anything.

use std::collections::HashSet;

use callboard_index::{Predicate, Primitive, QueryError, Test};
use callboard_store::StoredLocation;

use crate::api_error::ApiError;

/// A condition on locations; there may be none.
#[derive(Debug, Default)]
pub(crate) struct LocationFilter(Option<Condition>);

#[derive(Debug)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Constant(bool),
    /// The column is one of these, in lower case.
    OneOf(Column, HashSet<String>),
    /// The id is one of these.
    IdOneOf(HashSet<String>),
    /// The column begins like this, in lower case.
    HasPrefix(Column, String),
}

/// What of a location can be asked for. A location has all of them.
#[derive(Debug, Clone, Copy)]
enum Column {
    Id,
    Type,
    Target,
    EntityRef,
}

/// A location, with its columns in lower case.
struct Row<'a> {
    id: &'a str,
    lower: [String; 4],
}

impl LocationFilter {
    /// The condition that a query stands for. It is checked as a whole, whatever the locations are.
    pub(crate) fn new(query: &Predicate) -> Result<Self, ApiError> {
        condition(query).map(Self)
    }

    pub(crate) fn is_match(&self, location: &StoredLocation) -> bool {
        let Some(condition) = &self.0 else { return true };
        let StoredLocation { id, spec, entity_ref } = location;
        let lower = [id, &spec.kind, &spec.target, entity_ref].map(|column| column.to_lowercase());
        condition.holds(&Row { id, lower })
    }
}

impl Condition {
    fn holds(&self, row: &Row<'_>) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(row)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(row)),
            Self::Not(condition) => !condition.holds(row),
            Self::Constant(holds) => *holds,
            Self::OneOf(column, values) => values.contains(row.lower(*column)),
            Self::IdOneOf(ids) => ids.contains(row.id),
            Self::HasPrefix(column, prefix) => row.lower(*column).starts_with(prefix),
        }
    }
}

impl Row<'_> {
    fn lower(&self, column: Column) -> &str {
        let [id, kind, target, entity_ref] = &self.lower;
        match column {
            Column::Id => id,
            Column::Type => kind,
            Column::Target => target,
            Column::EntityRef => entity_ref,
        }
    }
}

impl Column {
    /// The column of a name, in any letter case.
    fn named(name: &str) -> Result<Self, ApiError> {
        match name.to_lowercase().as_str() {
            "id" => Ok(Self::Id),
            "type" => Ok(Self::Type),
            "target" => Ok(Self::Target),
            "entityref" => Ok(Self::EntityRef),
            _ => Err(ApiError::input(format!(
                "Invalid filter predicate, expected key to be 'id', 'type', 'target', or 'entityRef', got '{name}'"
            ))),
        }
    }
}

fn condition(query: &Predicate) -> Result<Option<Condition>, ApiError> {
    match query {
        Predicate::All(children) | Predicate::Any(children) if children.is_empty() => {
            Ok(Some(Condition::Constant(false)))
        }
        Predicate::All(children) => combined(children.iter().map(condition), Condition::All),
        Predicate::Any(children) => combined(children.iter().map(condition), Condition::Any),
        Predicate::Not(child) => Ok(condition(child)?.map(|child| Condition::Not(Box::new(child)))),
        Predicate::Fields(fields) => {
            let fields = fields.iter().map(|(name, test)| Ok(Some(on_column(Column::named(name)?, test))));
            combined(fields, Condition::All)
        }
        Predicate::Value(_) => Err(QueryError::TopLevelPrimitive.into()),
    }
}

/// Those of the conditions that there are; none if there are none.
fn combined(
    conditions: impl Iterator<Item = Result<Option<Condition>, ApiError>>,
    combine: impl FnOnce(Vec<Condition>) -> Condition,
) -> Result<Option<Condition>, ApiError> {
    let conditions = conditions.filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
    Ok((!conditions.is_empty()).then(|| combine(conditions)))
}

fn on_column(column: Column, test: &Test) -> Condition {
    match (test, column) {
        (Test::Equals(value), _) => Condition::OneOf(column, HashSet::from([text(value).to_lowercase()])),
        (Test::In(values), Column::Id) => Condition::IdOneOf(values.iter().map(text).collect()),
        (Test::In(values), _) => {
            Condition::OneOf(column, values.iter().map(|value| text(value).to_lowercase()).collect())
        }
        (Test::Exists(exists), _) => Condition::Constant(*exists),
        (Test::Contains(_), _) => Condition::Constant(false),
        (Test::HasPrefix(prefix), _) => Condition::HasPrefix(column, prefix.to_lowercase()),
    }
}

fn text(value: &Primitive) -> String {
    match value {
        Primitive::Text(text) => text.clone(),
        // As JavaScript prints it: without `.0`.
        Primitive::Number(number) => {
            number.as_f64().map_or_else(|| number.to_string(), |number| number.to_string())
        }
        Primitive::Bool(bool) => bool.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use callboard_index::Origin;
    use callboard_model::LocationSpec;
    use serde_json::{Value, json};

    use super::*;

    fn filter(query: &Value) -> Result<LocationFilter, ApiError> {
        LocationFilter::new(&Predicate::parse(query, Origin::Query)?)
    }

    fn location(id: &str, kind: &str, target: &str, entity_ref: &str) -> StoredLocation {
        StoredLocation {
            id: id.to_owned(),
            spec: LocationSpec::new(kind, target),
            entity_ref: entity_ref.to_owned(),
        }
    }

    #[test]
    fn conditions_are_on_columns() {
        let location = location("0a", "url", "https://example.com/A_b.yaml", "location:default/generated-5");
        let rows = [
            (json!({}), true),
            (json!({"$all": []}), false),
            (json!({"$any": []}), false),
            (json!({"type": "URL"}), true),
            (json!({"TYPE": "url", "Target": "HTTPS://EXAMPLE.COM/a_B.yaml"}), true),
            (json!({"type": "url", "target": "x"}), false),
            (json!({"id": "0A"}), true),
            (json!({"entityref": "LOCATION:default/generated-5"}), true),
            (json!({"type": {"$in": ["file", "URL"]}}), true),
            (json!({"type": {"$in": []}}), false),
            (json!({"id": {"$in": ["x", "0a"]}}), true),
            (json!({"id": {"$in": ["0A"]}}), false),
            (json!({"target": {"$exists": true}}), true),
            (json!({"target": {"$exists": false}}), false),
            (json!({"target": {"$hasPrefix": "HTTPS://e"}}), true),
            (json!({"target": {"$hasPrefix": "https%"}}), false),
            (json!({"target": {"$hasPrefix": ""}}), true),
            (json!({"type": {"$contains": "url"}}), false),
            (json!({"type": {"$contains": {"foo": "url"}}}), false),
            (json!({"$not": {"type": {"$contains": "url"}}}), true),
            (json!({"$not": {"type": "url"}}), false),
            (json!({"$any": [{"type": "file"}, {"id": "0a"}]}), true),
            (json!({"$all": [{"type": "file"}, {"id": "0a"}]}), false),
            (json!({"type": 5, "id": true}), false),
        ];
        for (query, expected) in rows {
            assert_eq!(filter(&query).unwrap().is_match(&location), expected, "{query}");
        }
    }

    #[test]
    fn numbers_and_booleans_are_compared_by_their_text() {
        for (query, target) in
            [(json!(5), "5"), (json!(5.0), "5"), (json!(0.5), "0.5"), (json!(true), "TRUE")]
        {
            let location = location("a", "url", target, "r");
            assert!(filter(&json!({ "target": query })).unwrap().is_match(&location), "{query}");
        }
    }

    #[test]
    fn parts_that_ask_for_nothing_are_left_out() {
        let location = location("a", "url", "t", "r");
        let rows = [
            (json!({"$not": {}}), true),
            (json!({"$not": {"$not": {}}}), true),
            (json!({"$not": {"$all": [{}, {"$any": [{}]}]}}), true),
            (json!({"$not": {"$all": []}}), true),
            (json!({"$any": [{}, {"type": "file"}]}), false),
            (json!({"$all": [{}, {"type": "url"}]}), true),
        ];
        for (query, expected) in rows {
            assert_eq!(filter(&query).unwrap().is_match(&location), expected, "{query}");
        }
    }

    #[test]
    fn other_keys_are_refused_wherever_they_stand() {
        let expected = |key: &str| {
            format!(
                "Invalid filter predicate, expected key to be 'id', 'type', 'target', or 'entityRef', got '{key}'"
            )
        };
        for (query, key) in [
            (json!({"kind": "a"}), "kind"),
            (json!({"Spec.type": {"$exists": false}}), "Spec.type"),
            (json!({"$all": [{"$any": []}, {"$not": {"x": {"$contains": "y"}}}]}), "x"),
        ] {
            assert_eq!(filter(&query).unwrap_err().message(), expected(key), "{query}");
        }
        let primitive = filter(&json!({"$not": "url"})).unwrap_err();
        assert!(primitive.message().starts_with("Invalid filter predicate: top-level primitive values"));
    }
}

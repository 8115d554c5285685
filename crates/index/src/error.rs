//! What can be wrong with a query. All of it is the client's, and the texts are what clients get to see.

use crate::limits::{
    CURSOR_BYTES_MAX, FACET_VALUES_MAX, FACETS_MAX, FIELDS_MAX, FULL_TEXT_FIELDS_MAX, ORDER_FIELDS_MAX,
    PREDICATE_DEPTH_MAX, PREFIX_TESTS_MAX, QUERY_TERMS_MAX,
};

/// A query that cannot be answered: an `InputError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A statement of a filter without a key.
    #[error("Invalid filter, '{0}' is not a valid statement (expected a string on the form a=b or a= or a)")]
    FilterStatement(String),
    /// A query that is no object.
    #[error("request/body/query must be object")]
    QueryNoObject,
    /// A query that breaks the grammar: what is wrong, and where.
    #[error("Invalid query: Validation error: {0}")]
    QueryInvalid(String),
    /// The same, in a request for entities by ref.
    #[error(
        "Malformed request body (did you remember to specify an application/json content type?), Validation error: {0}"
    )]
    BodyInvalid(String),
    /// A text, number or boolean where a predicate has to be.
    #[error(
        "Invalid filter predicate: top-level primitive values are not supported. Wrap the value in a field expression, e.g. {{ \"kind\": \"component\" }}"
    )]
    TopLevelPrimitive,
    /// `$contains` with an object, on a field that has none.
    #[error("Object form of $contains is not supported for field \"{0}\"")]
    ContainsObject(String),
    /// `$contains` on relations without a type.
    #[error("The $contains operator for \"relations\" requires a \"type\" string property")]
    ContainsNoType,
    /// `$contains` on relations with a key that relations do not have.
    #[error(
        "Unsupported key \"{0}\" in $contains for \"relations\". Only \"type\" and \"targetRef\" are supported"
    )]
    ContainsKey(String),
    /// `$contains` on relations with nothing to choose from.
    #[error("Empty \"$in\" array for $contains on \"relations\" is not allowed")]
    ContainsEmptyIn,
    /// `$contains` on relations with keys that differ in nothing but casing.
    #[error("Duplicate key \"{0}\" in $contains for \"relations\"")]
    ContainsDuplicate(String),
    /// `$contains` on relations with a target that is neither a text nor a choice of texts.
    #[error(
        "The \"targetRef\" property in $contains for \"relations\" must be a string or an \"$in\" array of strings"
    )]
    ContainsTarget,
    /// Nested too deeply.
    #[error("Invalid query, nested more than {PREDICATE_DEPTH_MAX} levels deep")]
    TooDeep,
    /// Too long.
    #[error("Invalid query, more than {QUERY_TERMS_MAX} terms")]
    TooManyTerms,
    /// Too many tests for a prefix.
    #[error("Invalid query, more than {PREFIX_TESTS_MAX} \"$hasPrefix\" tests")]
    TooManyPrefixes,
    /// An `order` parameter.
    #[error("Invalid order parameter \"{0}\", expected \"<asc or desc>:<field name>\"")]
    Order(String),
    /// An `orderField` parameter.
    #[error("Invalid order field order, must be asc or desc")]
    OrderField,
    /// Too many fields to order by.
    #[error("Invalid order, more than {ORDER_FIELDS_MAX} fields")]
    TooManyOrderFields,
    /// A limit of nothing.
    #[error("Invalid limit, must be greater than zero")]
    Limit,
    /// An `after` that is no JSON in base64.
    #[error("Malformed after cursor, could not be parsed")]
    After,
    /// An `after` with a limit that is none.
    #[error("Malformed after cursor, limit was not an number")]
    AfterLimit,
    /// An `after` with an offset that is none.
    #[error("Malformed after cursor, offset was not a number")]
    AfterOffset,
    /// An empty cursor.
    #[error("Cursor cannot be empty")]
    CursorEmpty,
    /// A cursor that makes no sense: why.
    #[error("Malformed cursor: {0}")]
    Cursor(String),
    /// A cursor that is too long to be read.
    #[error("Malformed cursor: more than {CURSOR_BYTES_MAX} bytes")]
    CursorTooLong,
    /// Too many fields to search in.
    #[error("Invalid full text filter, more than {FULL_TEXT_FIELDS_MAX} fields")]
    TooManyFullTextFields,
    /// A projection of a single item of an array.
    #[error("Invalid field \"{0}\", array type fields are not supported")]
    ArrayField(String),
    /// Too many fields to select.
    #[error("Invalid fields, more than {FIELDS_MAX} of them")]
    TooManyFields,
    /// No facet was asked for.
    #[error("Missing or empty facets parameter")]
    NoFacets,
    /// Too many facets.
    #[error("Invalid facets, more than {FACETS_MAX} of them")]
    TooManyFacets,
    /// Facets with too many values.
    #[error("Invalid facets, more than {FACET_VALUES_MAX} values in all of them")]
    TooManyFacetValues,
}

//! What to order by, as requests say it.

use serde::{Deserialize, Serialize};

use crate::error::QueryError;
use crate::limits::ORDER_FIELDS_MAX;

/// Up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the lowest to the highest.
    Asc,
    /// From the highest to the lowest.
    Desc,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::Asc => Self::Desc,
            Self::Desc => Self::Asc,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "asc" => Some(Self::Asc),
            "desc" => Some(Self::Desc),
            _ => None,
        }
    }
}

/// A field to order by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderField {
    /// As the client spelled it.
    pub field: String,
    /// Up or down.
    pub order: Direction,
}

/// Reads the `order` parameters of `GET /entities`: `asc:<field>` or `desc:<field>`.
pub fn parse_order<T: AsRef<str>>(params: &[T]) -> Result<Vec<OrderField>, QueryError> {
    limited(params)?.iter().map(|param| parse_one(param.as_ref())).collect()
}

fn parse_one(param: &str) -> Result<OrderField, QueryError> {
    let parts = param.split_once(':').and_then(|(order, field)| Some((Direction::parse(order)?, field)));
    match parts {
        // Any characters but line breaks.
        Some((order, field))
            if !field.is_empty() && !field.contains(['\n', '\r', '\u{2028}', '\u{2029}']) =>
        {
            Ok(OrderField { field: field.to_owned(), order })
        }
        _ => Err(QueryError::Order(param.to_owned())),
    }
}

/// Reads the `orderField` parameters of `GET /entities/by-query`: `<field>`, `<field>,asc` or `<field>,desc`.
pub fn parse_order_fields<T: AsRef<str>>(params: &[T]) -> Result<Vec<OrderField>, QueryError> {
    limited(params)?
        .iter()
        .map(|param| {
            let mut parts = param.as_ref().split(',');
            let field = parts.next().unwrap_or_default().to_owned();
            let order = match parts.next() {
                None => Direction::Asc,
                Some(order) => Direction::parse(order).ok_or(QueryError::OrderField)?,
            };
            Ok(OrderField { field, order })
        })
        .collect()
}

fn limited<T>(params: &[T]) -> Result<&[T], QueryError> {
    if params.len() > ORDER_FIELDS_MAX { Err(QueryError::TooManyOrderFields) } else { Ok(params) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c041_an_order_has_a_direction_and_a_field() {
        for param in ["metadata.name", "up:metadata.name", "asc:", "ASC:a", "asc:a\nb", ""] {
            let error = parse_order(&[param]).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("Invalid order parameter \"{param}\", expected \"<asc or desc>:<field name>\"")
            );
        }
        let fields = parse_order(&["asc:metadata.name", "desc:a:b"]).unwrap();
        let expected = [("metadata.name", Direction::Asc), ("a:b", Direction::Desc)];
        assert_eq!(fields, expected.map(|(field, order)| OrderField { field: field.to_owned(), order }));
    }

    #[test]
    fn c059_an_order_field_goes_up_or_down() {
        let error = parse_order_fields(&["metadata.name,sideways"]).unwrap_err().to_string();
        assert_eq!(error, "Invalid order field order, must be asc or desc");
        let fields = parse_order_fields(&["a", "b,asc", "c,desc"]).unwrap();
        let orders: Vec<Direction> = fields.iter().map(|field| field.order).collect();
        assert_eq!(orders, [Direction::Asc, Direction::Asc, Direction::Desc]);
    }

    #[test]
    fn more_fields_than_anybody_needs_are_refused() {
        assert_eq!(parse_order(&["asc:a"; 17]), Err(QueryError::TooManyOrderFields));
        assert_eq!(parse_order_fields(&["a"; 17]), Err(QueryError::TooManyOrderFields));
    }
}

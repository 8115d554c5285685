//! Reading a predicate from JSON. Depth and size are limited here, which is why everything that walks predicates later
//! may recurse.

use serde_json::{Map, Value};

use super::{Predicate, Primitive, Test};
use crate::error::QueryError;
use crate::limits::{PREDICATE_DEPTH_MAX, PREFIX_TESTS_MAX, QUERY_TERMS_MAX};

/// Where a predicate was sent, which decides the words in which it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The `query` of by-query or facets.
    Query,
    /// The `query` of by-refs, which is a part of the body there.
    Body,
}

impl Predicate {
    /// Reads a predicate, without a look at what it is about.
    pub fn parse(query: &Value, origin: Origin) -> Result<Self, QueryError> {
        if !query.is_object() {
            return Err(QueryError::QueryNoObject);
        }
        let mut parser = Parser { terms: 0, prefixes: 0 };
        let path = match origin {
            Origin::Query => "",
            Origin::Body => "query",
        };
        parser.predicate(query, &Path { above: None, step: Step::Member(path) }, 1).map_err(|refusal| match (
            refusal, origin,
        ) {
            (Refusal::Final(error), _) => error,
            (Refusal::Grammar(detail), Origin::Query) => QueryError::QueryInvalid(detail),
            (Refusal::Grammar(detail), Origin::Body) => QueryError::BodyInvalid(detail),
        })
    }
}

/// Why something is no predicate.
enum Refusal {
    /// It breaks the grammar, in these words. A value with several operators gets another chance with the next.
    Grammar(String),
    /// It breaks a limit.
    Final(QueryError),
}

/// The way down to where the reading is; only made into a text when something is wrong there.
struct Path<'a> {
    above: Option<&'a Path<'a>>,
    step: Step<'a>,
}

enum Step<'a> {
    Member(&'a str),
    Item(usize),
}

impl Path<'_> {
    fn member<'a>(&'a self, name: &'a str) -> Path<'a> {
        Path { above: Some(self), step: Step::Member(name) }
    }

    fn item(&self, at: usize) -> Path<'_> {
        Path { above: Some(self), step: Step::Item(at) }
    }

    fn text(&self) -> String {
        let mut text = self.above.map(Path::text).unwrap_or_default();
        match self.step {
            Step::Member(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Step::Item(at) => text.push_str(&["[", &at.to_string(), "]"].concat()),
        }
        text
    }

    fn refuse<T>(&self, what: &str) -> Result<T, Refusal> {
        Err(Refusal::Grammar(format!("{what} at \"{}\"", self.text())))
    }
}

struct Parser {
    terms: usize,
    prefixes: usize,
}

impl Parser {
    fn term(&mut self) -> Result<(), Refusal> {
        self.terms += 1;
        if self.terms > QUERY_TERMS_MAX {
            return Err(Refusal::Final(QueryError::TooManyTerms));
        }
        Ok(())
    }

    fn predicate(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Result<Predicate, Refusal> {
        if depth > PREDICATE_DEPTH_MAX {
            return Err(Refusal::Final(QueryError::TooDeep));
        }
        self.term()?;
        if let Some(primitive) = primitive(value) {
            return Ok(Predicate::Value(primitive));
        }
        let Value::Object(members) = value else { return path.refuse("Invalid") };
        let Some(operator) = ["$all", "$any", "$not"].into_iter().find(|name| members.contains_key(*name))
        else {
            return self.fields(members, path, depth);
        };
        let others: Vec<String> =
            members.keys().filter(|name| *name != operator).map(|name| format!("'{name}'")).collect();
        if !others.is_empty() {
            return Err(Refusal::Grammar(format!("Unrecognized key(s) in object: {}", others.join(", "))));
        }
        let path = path.member(operator);
        match (operator, members.get(operator)) {
            ("$not", Some(inner)) => Ok(Predicate::Not(Box::new(self.predicate(inner, &path, depth + 1)?))),
            (_, Some(Value::Array(items))) => {
                let children = items.iter().enumerate();
                let children = children
                    .map(|(at, item)| self.predicate(item, &path.item(at), depth + 1))
                    .collect::<Result<_, _>>()?;
                Ok(if operator == "$all" { Predicate::All(children) } else { Predicate::Any(children) })
            }
            _ => path.refuse("Expected array"),
        }
    }

    fn fields(
        &mut self,
        members: &Map<String, Value>,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<Predicate, Refusal> {
        if let Some(name) = members.keys().find(|name| name.starts_with('$')) {
            return path.member(name).refuse("Invalid");
        }
        let fields = members
            .iter()
            .map(|(name, value)| Ok((name.clone(), self.test(value, &path.member(name), depth)?)));
        Ok(Predicate::Fields(fields.collect::<Result<_, _>>()?))
    }

    fn test(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Result<Test, Refusal> {
        self.term()?;
        if let Some(primitive) = primitive(value) {
            return Ok(Test::Equals(primitive));
        }
        let Value::Object(operators) = value else { return path.refuse("Invalid value") };
        // Of several operators the first one that makes sense counts, in this order.
        if let Some(Value::Bool(exists)) = operators.get("$exists") {
            return Ok(Test::Exists(*exists));
        }
        if let Some(Value::Array(items)) = operators.get("$in")
            && let Some(choice) = items.iter().map(primitive).collect::<Option<Vec<_>>>()
        {
            self.terms += choice.len();
            self.term()?;
            return Ok(Test::In(choice));
        }
        if let Some(inner) = operators.get("$contains") {
            match self.predicate(inner, &path.member("$contains"), depth + 1) {
                Ok(inner) => return Ok(Test::Contains(Box::new(inner))),
                Err(Refusal::Grammar(_)) if operators.contains_key("$hasPrefix") => {}
                Err(refusal) => return Err(refusal),
            }
        }
        if let Some(Value::String(prefix)) = operators.get("$hasPrefix") {
            self.prefixes += 1;
            if self.prefixes > PREFIX_TESTS_MAX {
                return Err(Refusal::Final(QueryError::TooManyPrefixes));
            }
            return Ok(Test::HasPrefix(prefix.clone()));
        }
        path.refuse("Invalid value")
    }
}

fn primitive(value: &Value) -> Option<Primitive> {
    match value {
        Value::String(text) => Some(Primitive::Text(text.clone())),
        Value::Number(number) => Some(Primitive::Number(number.clone())),
        Value::Bool(bool) => Some(Primitive::Bool(*bool)),
        _ => None,
    }
}

//! One documented operation: the request it takes.

use axum::extract::{MatchedPath, Request};
use http::Uri;
use serde_json::{Map, Value};

use crate::api_error::ApiError;
use crate::request::body::{self, BodySchema};
use crate::request::query::{Param, Query};
use crate::state::AppState;
use crate::target::Target;

/// What the request of an operation may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    /// The parameters of the query.
    pub(crate) query: &'static [Param],
    /// The body, if the operation has one.
    pub(crate) body: Option<BodySchema>,
}

/// A request that holds what its operation documents.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The query.
    pub(crate) query: Query,
    /// The members of the body; empty for operations without one.
    pub(crate) body: Map<String, Value>,
    target: Target,
    route: Option<MatchedPath>,
}

impl Operation {
    /// An operation that takes neither a query nor a body.
    pub(crate) const BARE: Self = Self { query: &[], body: None };

    /// Checks a request.
    pub(crate) async fn accept(&self, state: &AppState, request: Request) -> Result<Accepted, ApiError> {
        let (accepted, json) = self.accept_json(state, request).await?;
        match (self.body, json) {
            (Some(schema), Some(json)) => Ok(Accepted { body: schema.check(json)?, ..accepted }),
            _ => Ok(accepted),
        }
    }

    /// Checks a request but for what its body holds. That comes as it is, and not at all if there is none.
    pub(crate) async fn accept_json(
        &self,
        state: &AppState,
        request: Request,
    ) -> Result<(Accepted, Option<Value>), ApiError> {
        let target = Target::of(&request);
        let (parts, body) = request.into_parts();
        let json = match self.body {
            Some(schema) if !schema.required && body::is_absent(&parts.headers, &body) => None,
            Some(_) => Some(body::read_json(&parts.headers, body, state.options.request_timeout).await?),
            None => None,
        };
        let query = self.accept_query(&parts.uri)?;
        let route = parts.extensions.get().cloned();
        Ok((Accepted { query, body: Map::new(), target, route }, json))
    }

    /// Checks the query alone, for operations with their own ways with bodies.
    pub(crate) fn accept_query(&self, uri: &Uri) -> Result<Query, ApiError> {
        Query::parse(uri.query(), self.query)
    }
}

impl Accepted {
    /// A parameter of the path.
    pub(crate) fn path(&self, name: &str) -> Result<String, ApiError> {
        match &self.route {
            Some(route) => self.target.param(route, name),
            None => Ok(String::new()),
        }
    }

    /// A text of the body; empty if it is absent.
    pub(crate) fn body_text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

//! Errors on their way to a client, and the one place that turns them into a body.
//!
//! A handler answers `Err(ApiError)`. The body of an error also tells the method and the URL of the request, which a
//! handler need not know: the error travels as an extension of the response up to [`render_errors`].

use std::error::Error as StdError;
use std::fmt;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use callboard_engine::CatalogOpError;
use callboard_index::QueryError;
use callboard_model::{ModelError, SerializedError};
use callboard_store::{StoreError, error_chain};
use http::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::reply;
use crate::target::Target;

/// Digits of a log id; as many as Backstage gives.
const LOG_ID_LEN: usize = 20;

/// An error as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    status: StatusCode,
    name: &'static str,
    message: String,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, name: &'static str, message: impl Into<String>) -> Self {
        Self { status, name, message: message.into() }
    }

    /// The request is wrong.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InputError", message)
    }

    /// The request is right, but not allowed.
    pub(crate) fn not_allowed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "NotAllowedError", message)
    }

    /// What the request is about is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFoundError", message)
    }

    /// The request contradicts what is there.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "ConflictError", message)
    }

    /// The same request may work later.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailableError", message)
    }

    /// An error whose text may tell what is none of a client's business: it goes to the log, and the client gets the
    /// id under which it stands there.
    pub(crate) fn masked(error: &dyn StdError) -> Self {
        Self::masked_text(&error_chain(error))
    }

    /// As [`Self::masked`], for what is no `Error`, such as a panic.
    pub(crate) fn masked_text(text: &str) -> Self {
        let message = format!("An internal error occurred logId={}", logged(text));
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Error", message)
    }

    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    fn render(&self, method: &Method, url: &str) -> Response {
        let body = json!({
            "error": { "name": self.name, "message": self.message },
            "request": { "method": method.as_str(), "url": url },
            "response": { "statusCode": self.status.as_u16() },
        });
        reply::buffered(self.status, body.to_string())
    }
}

/// Writes an error to the log; answers the id under which it stands there.
fn logged(text: &str) -> String {
    let mut log_id = Uuid::new_v4().simple().to_string();
    log_id.truncate(LOG_ID_LEN);
    tracing::error!(log_id, error = text, "internal error");
    log_id
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(message) => Self::not_found(message),
            StoreError::Conflict(message) => Self::conflict(message),
            StoreError::Unavailable(_) => {
                let log_id = logged(&error_chain(&error));
                Self::unavailable(format!(
                    "The catalog's database is unavailable, try again later; logId={log_id}"
                ))
            }
            other => Self::masked(&other),
        }
    }
}

impl From<CatalogOpError> for ApiError {
    fn from(error: CatalogOpError) -> Self {
        match error {
            CatalogOpError::Input(message) => Self::input(message),
            CatalogOpError::NotFound(message) => Self::not_found(message),
            CatalogOpError::Conflict(message) => Self::conflict(message),
            CatalogOpError::Store(error) => Self::from(error),
            // It tells of a setting and of nothing inside; masked, nobody would know what to change.
            error @ CatalogOpError::NoLocationStore => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Error", error.to_string())
            }
            other => Self::masked(&other),
        }
    }
}

/// A query that the index cannot answer.
impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        Self::input(error.to_string())
    }
}

/// An entity, a ref or a location of the request breaks a rule of the model.
impl From<ModelError> for ApiError {
    fn from(error: ModelError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.name(), error.message)
    }
}

impl From<ApiError> for SerializedError {
    fn from(error: ApiError) -> Self {
        Self::new(error.name, error.message)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives the response of every [`ApiError`] its body.
pub(crate) async fn render_errors(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let url = Target::of(&request).relative_url();
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<ApiError>() {
        Some(error) => error.render(&method, &url),
        None => response,
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn the_body_tells_error_request_and_status() {
        let response = ApiError::input("bad").render(&Method::GET, "/entities?limit=0");
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            body,
            concat!(
                r#"{"error":{"name":"InputError","message":"bad"},"#,
                r#""request":{"method":"GET","url":"/entities?limit=0"},"response":{"statusCode":400}}"#
            )
        );
    }

    #[test]
    fn each_kind_has_its_name_and_status() {
        let rows = [
            (ApiError::from(CatalogOpError::Input("m".into())), 400, "InputError"),
            (ApiError::from(CatalogOpError::NotFound("m".into())), 404, "NotFoundError"),
            (ApiError::from(CatalogOpError::Conflict("m".into())), 409, "ConflictError"),
            (ApiError::from(StoreError::NotFound("m".into())), 404, "NotFoundError"),
            (ApiError::from(StoreError::Conflict("m".into())), 409, "ConflictError"),
            (ApiError::not_allowed("m"), 403, "NotAllowedError"),
            (ApiError::unavailable("m"), 503, "ServiceUnavailableError"),
        ];
        for (error, status, name) in rows {
            assert_eq!((error.status.as_u16(), error.name, error.message()), (status, name, "m"));
        }
    }

    #[test]
    fn a_location_store_that_is_disabled_is_told() {
        let error = ApiError::from(CatalogOpError::NoLocationStore);
        let told = (error.status.as_u16(), error.name, error.message());
        assert_eq!(told, (500, "Error", "location store is not initialized"));
    }

    #[test]
    fn errors_of_the_store_are_masked() {
        let secret = || std::io::Error::other("password=1234");
        let internal = (500, "Error", "An internal error occurred logId=");
        let unavailable = (
            503,
            "ServiceUnavailableError",
            "The catalog's database is unavailable, try again later; logId=",
        );
        for (error, (status, name, message)) in [
            (StoreError::Internal(Box::new(secret())), internal),
            (StoreError::Inconsistent("row 7".into()), internal),
            (StoreError::Unavailable(Box::new(secret())), unavailable),
        ] {
            let masked = ApiError::from(CatalogOpError::Store(error));
            assert_eq!((masked.status.as_u16(), masked.name), (status, name));
            let id = masked.message.strip_prefix(message).unwrap();
            assert!(id.len() == 20 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        }
    }

    #[tokio::test]
    async fn member_order_is_stable() {
        let body = ApiError::not_found("x").render(&Method::GET, "/").into_body();
        let value: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        let members: Vec<_> = value.as_object().unwrap().keys().collect();
        assert_eq!(members, ["error", "request", "response"]);
    }
}

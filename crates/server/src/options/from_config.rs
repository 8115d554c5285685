//! Reading the options.

use std::time::Duration;

use callboard_config::Config;
use callboard_store::LocationConflict;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use crate::actions::ActionFilter;
use crate::cors::{Cors, origin_pattern};
use crate::error::ServerError;
use crate::options::{ListenAddress, ServerOptions};
use crate::security_headers::{self, Directive};

impl ServerOptions {
    /// Reads `backend` and `catalog`.
    pub fn from_config(config: &Config) -> Result<Self, ServerError> {
        if config.get_opt_value("backend.https")?.is_some_and(|https| https != Value::Bool(false)) {
            return Err(ServerError::Https);
        }
        let default = Self::default();
        let time = |key: &str, or: Duration| duration(config, key).map(|given| given.unwrap_or(or));
        // As in Node, where 0 switches these off.
        let limit = |key: &str, or: Option<Duration>| {
            duration(config, key)
                .map(|given| given.map_or(or, |given| Some(given).filter(|it| !it.is_zero())))
        };
        Ok(Self {
            listen: listen(config)?,
            readonly: config.get_opt_bool("catalog.readonly")?.unwrap_or(default.readonly),
            location_conflict: location_conflict(config)?,
            health_headers: health_headers(config)?,
            security_headers: security_headers(config)?,
            cors: cors(config)?,
            startup_request_pause: time(
                "backend.lifecycle.startupRequestPauseTimeout",
                default.startup_request_pause,
            )?,
            shutdown_delay: time("backend.lifecycle.serverShutdownDelay", default.shutdown_delay)?,
            headers_timeout: limit("backend.server.headersTimeout", default.headers_timeout)?,
            request_timeout: limit("backend.server.requestTimeout", default.request_timeout)?,
            drain_limit: default.drain_limit,
            connections_max: default.connections_max,
            actions: ActionFilter::from_config(config)?,
            entity_cache_bytes: config
                .get_opt_u64("callboard.api.entityCacheBytes")?
                .unwrap_or(default.entity_cache_bytes),
        })
    }
}

/// A duration, or a number of milliseconds as in Node.
fn duration(config: &Config, key: &str) -> Result<Option<Duration>, ServerError> {
    if let Some(Value::Number(number)) = config.get_opt_value(key)? {
        let millis = number.as_u64().ok_or_else(|| invalid(key, "is no number of milliseconds"))?;
        return Ok(Some(Duration::from_millis(millis)));
    }
    Ok(config.get_opt_duration(key)?)
}

fn listen(config: &Config) -> Result<ListenAddress, ServerError> {
    match config.get_opt_value("backend.listen")? {
        Some(Value::String(text)) => ListenAddress::parse(&text),
        Some(Value::Number(port)) => ListenAddress::parse(&port.to_string()),
        Some(Value::Object(_)) => {
            let host = config.get_opt_str("backend.listen.host")?;
            let port = match config.get_opt_u64("backend.listen.port")? {
                Some(port) => {
                    let message = "is no port number";
                    Some(u16::try_from(port).map_err(|_| invalid("backend.listen.port", message))?)
                }
                None => None,
            };
            Ok(ListenAddress::new(host.as_deref(), port))
        }
        None => Ok(ListenAddress::default()),
        Some(other) => Err(ServerError::ListenAddress(other.to_string())),
    }
}

fn location_conflict(config: &Config) -> Result<LocationConflict, ServerError> {
    let key = "catalog.defaultLocationConflictStrategy";
    match config.get_opt_str(key)?.as_deref() {
        None | Some("reject") => Ok(LocationConflict::Reject),
        Some("refresh") => Ok(LocationConflict::Refresh),
        Some(other) => Err(invalid(key, format!("'{other}' is neither 'reject' nor 'refresh'"))),
    }
}

fn health_headers(config: &Config) -> Result<HeaderMap, ServerError> {
    let key = "backend.health.headers";
    let mut headers = HeaderMap::new();
    for (name, value) in object(config, key)? {
        let value = value.as_str().and_then(|text| HeaderValue::from_str(text).ok());
        match (HeaderName::try_from(&name), value) {
            (Ok(header), Some(value)) => headers.insert(header, value),
            _ => return Err(invalid(key, format!("'{name}' is no valid header"))),
        };
    }
    Ok(headers)
}

fn security_headers(config: &Config) -> Result<HeaderMap, ServerError> {
    let csp: Vec<Directive> = object(config, "backend.csp")?
        .into_iter()
        .map(|(name, value)| match value {
            Value::Bool(false) => Ok((name, None)),
            value => {
                let sources = list_of(value).ok_or_else(|| {
                    invalid("backend.csp", format!("'{name}' is neither false nor a list of sources"))
                })?;
                Ok((name, Some(sources)))
            }
        })
        .collect::<Result<_, ServerError>>()?;
    let referrer = list(config, "backend.referrer.policy")?.map(|policies| policies.join(","));
    security_headers::headers(&csp, referrer.as_deref())
        .ok_or_else(|| invalid("backend.csp", "a value cannot stand in a header"))
}

fn cors(config: &Config) -> Result<Option<Cors>, ServerError> {
    if config.get_opt_config("backend.cors")?.is_none() {
        return Ok(None);
    }
    let default = Cors::default();
    let origins = match list(config, "backend.cors.origin")? {
        Some(patterns) => {
            let patterns: Result<_, _> = patterns.iter().map(|pattern| origin_pattern(pattern)).collect();
            Some(patterns.map_err(|error| invalid("backend.cors.origin", error.to_string()))?)
        }
        None => None,
    };
    let status = match config.get_opt_u64("backend.cors.optionsSuccessStatus")? {
        Some(number) => u16::try_from(number)
            .ok()
            .and_then(|number| StatusCode::from_u16(number).ok())
            .ok_or_else(|| invalid("backend.cors.optionsSuccessStatus", "is no HTTP status"))?,
        None => default.preflight_status,
    };
    Ok(Some(Cors {
        origins,
        methods: header(config, "backend.cors.methods")?.unwrap_or(default.methods),
        allowed_headers: header(config, "backend.cors.allowedHeaders")?,
        exposed_headers: header(config, "backend.cors.exposedHeaders")?,
        credentials: config.get_opt_bool("backend.cors.credentials")?.unwrap_or(default.credentials),
        max_age: config.get_opt_u64("backend.cors.maxAge")?.map(HeaderValue::from),
        preflight_continue: config
            .get_opt_bool("backend.cors.preflightContinue")?
            .unwrap_or(default.preflight_continue),
        preflight_status: status,
    }))
}

/// A text or a list of texts, as the value of a header.
fn header(config: &Config, key: &str) -> Result<Option<HeaderValue>, ServerError> {
    let Some(texts) = list(config, key)? else {
        return Ok(None);
    };
    let value = HeaderValue::from_str(&texts.join(","));
    value.map(Some).map_err(|_| invalid(key, "a value cannot stand in a header"))
}

fn object(config: &Config, key: &str) -> Result<serde_json::Map<String, Value>, ServerError> {
    match config.get_opt_value(key)? {
        None => Ok(serde_json::Map::new()),
        Some(Value::Object(members)) => Ok(members),
        Some(_) => Err(invalid(key, "is no object")),
    }
}

fn list(config: &Config, key: &str) -> Result<Option<Vec<String>>, ServerError> {
    match config.get_opt_value(key)? {
        None => Ok(None),
        Some(value) => {
            list_of(value).map(Some).ok_or_else(|| invalid(key, "is neither a text nor a list of texts"))
        }
    }
}

fn list_of(value: Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(items) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Some(text),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

fn invalid(key: &str, reason: impl Into<String>) -> ServerError {
    ServerError::Invalid { key: key.to_owned(), reason: reason.into() }
}

#[cfg(test)]
mod tests;

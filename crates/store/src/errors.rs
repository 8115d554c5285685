//! Errors of the catalog's content: rows that live as long as their cause.

use std::sync::Arc;

use callboard_model::{Digest, SerializedError};

use crate::Timestamp;

/// Where an error comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCategory {
    /// A run of an entity; shown in the entity's `status`.
    Processing,
    /// Two sources claim one entity.
    Conflict,
    /// The final entity cannot be made.
    Stitching,
    /// A run that went well met something that somebody should look at.
    Warning,
}

/// An error to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewError {
    /// As clients see it.
    pub error: SerializedError,
    /// The location it stands in, as `type:target`.
    pub location: Option<Arc<str>>,
    /// Index of the document in its file, from 0.
    pub document: Option<u32>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// JSON pointer to the value.
    pub pointer: Option<String>,
    /// Stable id of the rule that was broken.
    pub rule: Option<String>,
    /// Digest of the content that has the error.
    pub digest: Digest,
}

/// An error that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogError {
    /// Number of the error.
    pub id: i64,
    /// Where it comes from.
    pub category: ErrorCategory,
    /// The entity (canonical ref) it belongs to, or `provider:<name>`.
    pub subject: String,
    /// The error.
    pub error: NewError,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// When it was last seen.
    pub last_seen_at: Timestamp,
    /// In how many runs it was seen.
    pub count: i64,
}

/// Which errors are wanted; all conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct ErrorFilter {
    /// Of this entity (canonical ref).
    pub entity_ref: Option<String>,
    /// In this location, as `type:target`.
    pub location: Option<String>,
    /// Of this rule.
    pub rule: Option<String>,
    /// With a greater number than this: for paging.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

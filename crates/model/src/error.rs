//! The error of every rule in this crate.
//!
//! Errors travel to clients as `{name, message}`, where the name is that of the error class in the system that the
//! clients were written for. So each error knows its class, beside what a person needs to find the fault.

use std::fmt;

/// The error class under which clients know an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No class in particular.
    Error,
    /// A value of a wrong type or form.
    TypeError,
    /// The input as a whole is refused.
    InputError,
    /// The input contradicts what is known.
    ConflictError,
    /// The input asks for what it may not have.
    NotAllowedError,
    /// What the input names does not exist.
    NotFoundError,
}

impl ErrorKind {
    /// The class name, as it appears in `name` of a serialised error.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "Error",
            Self::TypeError => "TypeError",
            Self::InputError => "InputError",
            Self::ConflictError => "ConflictError",
            Self::NotAllowedError => "NotAllowedError",
            Self::NotFoundError => "NotFoundError",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A broken rule of the model. Displays as the bare message; the wording is part of the API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ModelError {
    /// The error class, for serialisation.
    pub kind: ErrorKind,
    /// What is wrong, in the words that clients know.
    pub message: String,
    /// JSON pointer to the offending value inside the entity. The empty string points at the entity as a whole;
    /// `None` means that the error is not about a place in an entity.
    pub pointer: Option<String>,
    /// Stable id of the rule, such as `field-format/metadata.name`.
    pub rule: &'static str,
}

impl ModelError {
    /// An error that is not about a place in an entity.
    pub fn new(kind: ErrorKind, rule: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), pointer: None, rule }
    }

    /// Adds the JSON pointer to the offending value.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// The class name, such as `TypeError`.
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }
}

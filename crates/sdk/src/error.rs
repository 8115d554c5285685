//! The error of a processor: it has a name that clients know, a cause, and an address.

use callboard_model::{ModelError, SerializedError, caused_by};

use crate::ReadError;

/// Where in the input an error stands; all parts are optional.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Address {
    /// The location, as `type:target`, if it is another one than that of the entity in hand.
    pub location: Option<String>,
    /// Index of the document in its file, from 0.
    pub document: Option<u32>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// JSON pointer to the value within the entity.
    pub pointer: Option<String>,
}

/// An error of a processor.
///
/// The name is one of those that Backstage's clients know (`InputError`, `NotFoundError`, `Error`, …).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ProcessorError {
    /// Error class, as clients see it.
    pub name: String,
    /// What went wrong, with the text of the cause in it.
    pub message: String,
    /// What caused it.
    pub cause: Option<Box<SerializedError>>,
    /// Where it stands; boxed to keep results small.
    pub address: Box<Address>,
    /// Stable id of the rule that was broken, such as `field-format/metadata.name`.
    pub rule: Option<String>,
}

impl ProcessorError {
    /// An error with the given class name.
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into(), cause: None, address: Box::default(), rule: None }
    }

    /// An `Error`.
    pub fn general(message: impl Into<String>) -> Self {
        Self::new("Error", message)
    }

    /// An `InputError`: somebody has to change the input.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new("InputError", message)
    }

    /// A `NotFoundError`: the upstream said that there is nothing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new("NotFoundError", message)
    }

    /// An error of class `name` around `cause`, worded `<message>; caused by <cause>`; address and rule are the
    /// cause's.
    pub fn caused_by(name: &str, message: &str, cause: Self) -> Self {
        let outer = caused_by(name, message, cause.to_serialized());
        let Self { address, rule, .. } = cause;
        Self { name: outer.name, message: outer.message, cause: outer.cause, address, rule }
    }

    /// Names the rule that was broken, unless one is named already.
    #[must_use]
    pub fn with_rule(mut self, rule: impl Into<String>) -> Self {
        self.rule.get_or_insert_with(|| rule.into());
        self
    }

    /// Says where the error stands.
    #[must_use]
    pub fn at(mut self, address: Address) -> Self {
        self.address = Box::new(address);
        self
    }

    /// The form that is stored and that clients see in `status.items`.
    pub fn to_serialized(&self) -> SerializedError {
        let mut serialized = SerializedError::new(&self.name, &self.message);
        serialized.cause.clone_from(&self.cause);
        serialized
    }
}

impl From<ModelError> for ProcessorError {
    fn from(error: ModelError) -> Self {
        let mut own = Self::new(error.name(), error.message);
        own.address.pointer = error.pointer;
        own.rule = Some(error.rule.to_owned());
        own
    }
}

impl From<ReadError> for ProcessorError {
    fn from(error: ReadError) -> Self {
        Self::new(error.name(), error.to_string())
    }
}

impl From<serde_json::Error> for ProcessorError {
    fn from(error: serde_json::Error) -> Self {
        Self::new("SyntaxError", error.to_string())
    }
}

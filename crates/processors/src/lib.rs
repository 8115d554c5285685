//! The built-in processors

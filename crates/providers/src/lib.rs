//! The built-in entity providers

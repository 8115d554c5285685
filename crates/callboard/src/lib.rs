//! A catalog ingestion daemon with processor plugins

//! app-config.yaml: load, merge, substitute, typed reads, provenance, redaction

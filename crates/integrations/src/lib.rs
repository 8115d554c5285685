//! URL readers, source-control integrations and the shared fetch layer

//! Where the catalog is kept: the Store trait and its SQLite implementation

//! Which form a database's tables have, and what was done to bring them to the one that this program knows.

use std::fmt;

/// The form of a database's tables, against the one that this program knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The number of the newest migration that was applied; 0 if there are no tables. It may be a newer one than this
    /// program knows.
    pub version: i64,
    /// The number of the newest migration that this program knows.
    pub known: i64,
    /// The names of those that this program knows and that were not applied, in their order.
    pub pending: Vec<&'static str>,
}

/// What migrating did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The version that was there before the first migration that this process applied.
    pub from: i64,
    /// The names of those that it applied, in their order: none where there was nothing to do, or another process did it.
    pub applied: Vec<&'static str>,
    /// What is there now.
    pub schema: Schema,
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, known, pending } = self;
        if !pending.is_empty() {
            let pending = pending.join(", ");
            write!(f, "the schema has version {version}, and this program needs {known}; pending: {pending}")
        } else if version > known {
            write!(
                f,
                "the schema has version {version}, with which this program, that knows {known}, can work"
            )
        } else {
            write!(f, "the schema is up to date (version {version})")
        }
    }
}

impl fmt::Display for Migrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, applied, schema } = self;
        if applied.is_empty() {
            return write!(f, "{schema}");
        }
        write!(f, "schema {from} -> {}: {}", schema.version, applied.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_and_what_was_done_is_told() {
        let schema =
            |version, pending: &[&'static str]| Schema { version, known: 3, pending: pending.to_vec() };
        assert_eq!(schema(3, &[]).to_string(), "the schema is up to date (version 3)");
        let pending = "the schema has version 1, and this program needs 3; pending: 0002_x, 0003_y";
        assert_eq!(schema(1, &["0002_x", "0003_y"]).to_string(), pending);
        let newer = "the schema has version 4, with which this program, that knows 3, can work";
        assert_eq!(schema(4, &[]).to_string(), newer);
        let migrated = |applied: &[&'static str]| {
            let applied = applied.to_vec();
            Migrated { from: 1, applied, schema: schema(3, &[]) }.to_string()
        };
        assert_eq!(migrated(&["0002_x", "0003_y"]), "schema 1 -> 3: 0002_x, 0003_y");
        assert_eq!(migrated(&[]), "the schema is up to date (version 3)");
    }
}

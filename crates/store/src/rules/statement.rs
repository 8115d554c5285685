//! SQL statements with names: so that tests can prepare each one and make each one fail, and so that what they write is
//! counted under one name.

use std::sync::Arc;

use crate::StoreError;

/// One SQL statement. Its name appears in errors of tests that make statements fail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Statement {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// Declares statements as constants, and lists them for the test that prepares each one.
macro_rules! statements {
    ($($(#[$meta:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$meta])* const $name: $crate::rules::statement::Statement =
            $crate::rules::statement::Statement { name: stringify!($name), sql: $sql };)*
        #[cfg(test)]
        pub(crate) const STATEMENTS: &[$crate::rules::statement::Statement] = &[$($name),*];
    };
}

pub(crate) use statements;

/// Decides whether the statement of this name is to fail; lets tests break every statement in turn.
pub type FaultHook = Arc<dyn Fn(&'static str) -> bool + Send + Sync>;

/// The fault hook, if tests put one in.
#[derive(Clone, Default)]
pub(crate) struct Faults(pub(crate) Option<FaultHook>);

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Faults").field(&self.0.is_some()).finish()
    }
}

impl Faults {
    pub(crate) fn check(&self, name: &'static str) -> Result<(), StoreError> {
        match &self.0 {
            Some(fails) if fails(name) => {
                Err(StoreError::Unavailable(format!("{name} was made to fail").into()))
            }
            _ => Ok(()),
        }
    }
}

/// Counts rows that were committed.
pub(crate) fn count_written(table: &'static str, rows: u64) {
    metrics::counter!("callboard_store_rows_written_total", "table" => table).increment(rows);
}

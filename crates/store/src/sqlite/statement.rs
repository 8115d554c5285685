//! How one SQL text writes many rows.
//!
//! Where a statement of the loop limits its rows, it says `LIMIT ?1 + 0`: SQLite looks at the value of a bare parameter
//! there to plan the query, and so prepares the statement anew whenever one is bound.

use std::sync::{Arc, OnceLock};

/// Declares statements that take many rows, and lists them for the test that prepares each one.
macro_rules! bulk_statements {
    ($($(#[$meta:meta])* $name:ident($table:literal, $columns:literal) = $template:expr;)*) => {
        $($(#[$meta])* static $name: $crate::sqlite::statement::Bulk =
            $crate::sqlite::statement::Bulk::new(stringify!($name), $table, $columns, $template);)*
        #[cfg(test)]
        pub(in $crate::sqlite) const BULK_STATEMENTS: &[&$crate::sqlite::statement::Bulk] = &[$(&$name),*];
    };
}

pub(super) use bulk_statements;

/// How many rows one execution may take. Each batch is cut greedily, so at most one execution of each of the smaller
/// sizes follows the big ones. A prepared statement takes memory for each of its rows, so the biggest is not bigger.
pub(super) const CHUNK_SIZES: [usize; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];

/// A statement with a `{rows}` placeholder for a list of rows, each a parenthesised list of so many parameters.
///
/// Multi-row `VALUES` is the fastest way into SQLite short of its C interface: passing documents through `json_each`
/// costs almost twice as much.
#[derive(Debug)]
pub(super) struct Bulk {
    pub(super) name: &'static str,
    pub(super) table: &'static str,
    columns: usize,
    template: &'static str,
    texts: OnceLock<[Arc<str>; CHUNK_SIZES.len()]>,
}

impl Bulk {
    pub(super) const fn new(
        name: &'static str,
        table: &'static str,
        columns: usize,
        template: &'static str,
    ) -> Self {
        Self { name, table, columns, template, texts: OnceLock::new() }
    }

    /// How many parameters one row has.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// The statement for the biggest chunk that `remaining` rows fill, and that chunk's size; `None` for no rows.
    pub(super) fn chunk(&self, remaining: usize) -> Option<(usize, Arc<str>)> {
        let chunk = CHUNK_SIZES.iter().zip(self.texts()).find(|(size, _)| **size <= remaining);
        chunk.map(|(size, text)| (*size, Arc::clone(text)))
    }

    pub(super) fn texts(&self) -> &[Arc<str>; CHUNK_SIZES.len()] {
        self.texts.get_or_init(|| {
            let row = format!("({})", vec!["?"; self.columns].join(","));
            CHUNK_SIZES
                .map(|size| Arc::from(self.template.replace("{rows}", &vec![row.as_str(); size].join(","))))
        })
    }
}

//! Which migrations a database needs, and whether this program may work with one that a newer program migrated.
//!
//! What may stand in a migration, and who sets `compatible_from`, is in `migrations/README.md`.

use crate::{Schema, StoreError};

/// A step from one form of the tables to the next. Its number is its place in the list, from 1 on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// The migrations of a folder: `0001_init` is in `0001_init.sql`.
macro_rules! migrations {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$($crate::rules::migrations::Migration {
            name: $name,
            sql: include_str!(concat!("../../../../migrations/", $folder, "/", $name, ".sql")),
        }),+]
    };
}

pub(crate) use migrations;

/// What a database says about its tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Applied<C> {
    /// Numbers and checksums of the migrations that were applied, in their order.
    pub(crate) migrations: Vec<(i64, C)>,
    /// What has to be known by a program that works with these tables.
    pub(crate) compatible_from: i64,
}

/// A database without tables.
impl<C> Default for Applied<C> {
    fn default() -> Self {
        Self { migrations: Vec::new(), compatible_from: 1 }
    }
}

/// The form of a database against `known` migrations, of which `checksum` is how the database remembers a text.
///
/// `StoreError::Schema` if this program may not work with it.
pub(crate) fn schema<C: PartialEq>(
    known: &'static [Migration],
    applied: &Applied<C>,
    checksum: impl Fn(&'static str) -> C,
) -> Result<Schema, StoreError> {
    let newest = i64::try_from(known.len()).unwrap_or(i64::MAX);
    let version = applied.migrations.iter().map(|(version, _)| *version).max().unwrap_or_default();
    if version > newest && applied.compatible_from > newest {
        return Err(too_new(version, applied.compatible_from, newest));
    }
    for (version, was) in &applied.migrations {
        if migration(known, *version).is_some_and(|known| checksum(known.sql) != *was) {
            return Err(other_form(*version));
        }
    }
    let pending = known.iter().skip(usize::try_from(version).unwrap_or(usize::MAX));
    Ok(Schema { version, known: newest, pending: pending.map(|migration| migration.name).collect() })
}

/// The migration after `schema`.
pub(crate) fn next(known: &'static [Migration], schema: &Schema) -> Option<(i64, Migration)> {
    let version = schema.version.checked_add(1)?;
    Some((version, *migration(known, version)?))
}

fn migration(known: &'static [Migration], version: i64) -> Option<&'static Migration> {
    known.get(usize::try_from(version).ok()?.checked_sub(1)?)
}

/// The database holds tables that no migration made.
pub(crate) fn of_another_program() -> StoreError {
    StoreError::Schema(
        "the database holds tables of another program; this one needs a database or a schema of its own"
            .to_owned(),
    )
}

fn other_form(version: i64) -> StoreError {
    StoreError::Schema(format!(
        "migration {version} was applied in another form than this program knows; run the version that created the \
         database, or restore a backup"
    ))
}

fn too_new(version: i64, compatible_from: i64, known: i64) -> StoreError {
    StoreError::Schema(format!(
        "a newer version of this program migrated the database to schema version {version}, for programs that know \
         {compatible_from} or later, and this one knows {known}; run that version, or restore a backup from before the \
         upgrade"
    ))
}

#[cfg(test)]
mod tests;

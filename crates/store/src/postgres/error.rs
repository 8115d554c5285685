//! What PostgreSQL's error codes mean to a caller.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

use crate::StoreError;
use crate::sql::Meaning;

/// Classes of codes that another try may not see: connection, authorization, transaction rollback, resources, operator
/// intervention, system.
const TRANSIENT_CLASSES: [&str; 6] = ["08", "28", "40", "53", "57", "58"];
/// A server that was replaced by another one, and is still there.
const READ_ONLY: &str = "25006";
/// Single codes of that kind: the database is not there (yet), it is read-only, a lock or an idle transaction took too long,
/// a prepared statement is gone or no longer fits.
const TRANSIENT: [&str; 6] = [NO_DATABASE, READ_ONLY, "25P03", "55P03", "26000", "0A000"];
/// There is no such database.
pub(super) const NO_DATABASE: &str = "3D000";
/// An index has such a row already.
pub(super) const UNIQUE_VIOLATION: &str = "23505";
/// There is such a table already.
pub(super) const TABLE_EXISTS: &str = "42P07";
/// Of data that is damaged.
const DAMAGED: [&str; 2] = ["XX001", "XX002"];

/// The meaning of an error, if PostgreSQL reports it.
pub(crate) fn meaning(error: &(dyn DatabaseError + 'static)) -> Option<Meaning> {
    let code = error.try_downcast_ref::<PgDatabaseError>()?.code();
    let is_transient =
        TRANSIENT.contains(&code) || code.get(..2).is_some_and(|class| TRANSIENT_CLASSES.contains(&class));
    Some(if is_transient {
        Meaning::Transient
    } else if DAMAGED.contains(&code) {
        Meaning::Damaged
    } else {
        Meaning::Defect
    })
}

/// Whether the server only lets itself be read from.
pub(super) fn is_read_only(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == READ_ONLY)
}

/// Whether the code of a database's error is this one.
pub(super) fn has_code(error: &StoreError, code: &str) -> bool {
    let (StoreError::Unavailable(error) | StoreError::Internal(error)) = error else { return false };
    let database = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    database.and_then(DatabaseError::code).is_some_and(|is| is == code)
}

/// Whether an index refused a row because it has another one like it.
pub(super) fn violates(error: &StoreError, index: &str) -> bool {
    let StoreError::Internal(error) = error else { return false };
    let database = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    database.is_some_and(|error| error.is_unique_violation() && error.constraint() == Some(index))
}

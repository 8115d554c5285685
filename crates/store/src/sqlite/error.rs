//! What SQLite's result codes mean to a caller.

use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;

use crate::sql::Meaning;

/// Primary result codes that another try may not see: BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN
/// and PROTOCOL.
const TRANSIENT: [i64; 9] = [5, 6, 7, 8, 9, 10, 13, 14, 15];
/// Primary result codes of a file that is damaged or no database: CORRUPT and NOTADB.
const DAMAGED: [i64; 2] = [11, 26];

/// The meaning of an error, if SQLite reports it.
pub(crate) fn meaning(error: &(dyn DatabaseError + 'static)) -> Option<Meaning> {
    // The primary code is in the low byte of the extended one.
    let code = error.try_downcast_ref::<SqliteError>()?.code()?.parse::<i64>().unwrap_or_default() & 0xff;
    Some(if TRANSIENT.contains(&code) {
        Meaning::Transient
    } else if DAMAGED.contains(&code) {
        Meaning::Damaged
    } else {
        Meaning::Defect
    })
}

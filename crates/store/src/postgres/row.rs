//! Columns by position, and how digests and moments stand in them.

use std::borrow::Cow;

use callboard_model::Digest;
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row as _, Type};
use uuid::Uuid;

use super::texts::unescaped;
use crate::rules::codec::{micros, timestamp};
use crate::{StoreError, Timestamp};

/// Digests are kept as uuids: sixteen bytes without a length.
pub(super) fn uuid(digest: &Digest) -> Uuid {
    Uuid::from_slice(digest.as_ref()).unwrap_or_default()
}

/// A moment to the microsecond, the rest cut off.
pub(super) fn whole_micros(time: Timestamp) -> Timestamp {
    timestamp(micros(time)).unwrap_or(time)
}

/// Reads columns by position; a column of another type is an inconsistent row.
pub(super) trait RowExt {
    /// Of type `bigint`.
    fn int(&self, index: usize) -> Result<i64, StoreError>;
    fn int_opt(&self, index: usize) -> Result<Option<i64>, StoreError>;
    /// Of type `integer`.
    fn int4(&self, index: usize) -> Result<i64, StoreError>;
    /// Of type `integer`, not negative.
    fn int4_opt(&self, index: usize) -> Result<Option<u32>, StoreError>;
    /// Of type `bigint`, a small one.
    fn small_opt(&self, index: usize) -> Result<Option<u32>, StoreError>;
    /// Of type `smallint`.
    fn int2(&self, index: usize) -> Result<i64, StoreError>;
    fn flag(&self, index: usize) -> Result<bool, StoreError>;
    fn text(&self, index: usize) -> Result<Cow<'_, str>, StoreError>;
    fn text_opt(&self, index: usize) -> Result<Option<Cow<'_, str>>, StoreError>;
    fn blob(&self, index: usize) -> Result<&[u8], StoreError>;
    fn blob_opt(&self, index: usize) -> Result<Option<&[u8]>, StoreError>;
    fn digest(&self, index: usize) -> Result<Digest, StoreError>;
    fn digest_opt(&self, index: usize) -> Result<Option<Digest>, StoreError>;
    fn uid(&self, index: usize) -> Result<Uuid, StoreError>;
    fn uid_opt(&self, index: usize) -> Result<Option<Uuid>, StoreError>;
    fn time(&self, index: usize) -> Result<Timestamp, StoreError>;
    fn time_opt(&self, index: usize) -> Result<Option<Timestamp>, StoreError>;
}

fn get<'r, T: Decode<'r, Postgres> + Type<Postgres>>(row: &'r PgRow, index: usize) -> Result<T, StoreError> {
    Ok(row.try_get(index)?)
}

fn small<T: TryInto<u32>>(number: Option<T>) -> Result<Option<u32>, StoreError> {
    let small = number.map(|number| {
        number.try_into().map_err(|_| StoreError::Inconsistent("a number is too big".to_owned()))
    });
    small.transpose()
}

fn digest(uuid: Uuid) -> Result<Digest, StoreError> {
    Digest::try_from(uuid.as_bytes().as_slice()).map_err(|error| StoreError::Inconsistent(error.to_string()))
}

impl RowExt for PgRow {
    fn int(&self, index: usize) -> Result<i64, StoreError> {
        get(self, index)
    }

    fn int_opt(&self, index: usize) -> Result<Option<i64>, StoreError> {
        get(self, index)
    }

    fn int4(&self, index: usize) -> Result<i64, StoreError> {
        get::<i32>(self, index).map(i64::from)
    }

    fn int4_opt(&self, index: usize) -> Result<Option<u32>, StoreError> {
        small(get::<Option<i32>>(self, index)?)
    }

    fn small_opt(&self, index: usize) -> Result<Option<u32>, StoreError> {
        small(get::<Option<i64>>(self, index)?)
    }

    fn int2(&self, index: usize) -> Result<i64, StoreError> {
        get::<i16>(self, index).map(i64::from)
    }

    fn flag(&self, index: usize) -> Result<bool, StoreError> {
        get(self, index)
    }

    fn text(&self, index: usize) -> Result<Cow<'_, str>, StoreError> {
        get(self, index).map(unescaped)
    }

    fn text_opt(&self, index: usize) -> Result<Option<Cow<'_, str>>, StoreError> {
        Ok(get::<Option<&str>>(self, index)?.map(unescaped))
    }

    fn blob(&self, index: usize) -> Result<&[u8], StoreError> {
        get(self, index)
    }

    fn blob_opt(&self, index: usize) -> Result<Option<&[u8]>, StoreError> {
        get(self, index)
    }

    fn digest(&self, index: usize) -> Result<Digest, StoreError> {
        digest(get(self, index)?)
    }

    fn digest_opt(&self, index: usize) -> Result<Option<Digest>, StoreError> {
        get::<Option<Uuid>>(self, index)?.map(digest).transpose()
    }

    fn uid(&self, index: usize) -> Result<Uuid, StoreError> {
        get(self, index)
    }

    fn uid_opt(&self, index: usize) -> Result<Option<Uuid>, StoreError> {
        get(self, index)
    }

    fn time(&self, index: usize) -> Result<Timestamp, StoreError> {
        get(self, index)
    }

    fn time_opt(&self, index: usize) -> Result<Option<Timestamp>, StoreError> {
        get(self, index)
    }
}

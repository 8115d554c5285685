//! Between what rows hold and what the rest of the program handles.

use callboard_model::Digest;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::{Lane, StoreError, Timestamp};

/// A relation by numbers: source, type, target.
pub(super) type Triple = (i64, i64, i64);

pub(super) fn micros(time: Timestamp) -> i64 {
    time.timestamp_micros()
}

pub(super) fn timestamp(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_timestamp_micros(micros)
        .ok_or_else(|| StoreError::Inconsistent(format!("{micros} is not a time")))
}

pub(super) fn lane(number: i64) -> Result<Lane, StoreError> {
    [Lane::Interactive, Lane::Event, Lane::New, Lane::Periodic]
        .into_iter()
        .find(|lane| *lane as i64 == number)
        .ok_or_else(|| StoreError::Inconsistent(format!("{number} is not a lane")))
}

/// Numbers as a JSON array, for `json_each`: a list of any length in one parameter of one prepared statement.
pub(super) fn ids_json(ids: impl IntoIterator<Item = i64>) -> String {
    let mut json = String::from("[");
    for id in ids {
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&id.to_string());
    }
    json.push(']');
    json
}

/// Texts as a JSON array, for `json_each`.
pub(super) fn texts_json<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(texts).to_string()
}

/// Packs sorted relations. Most start at the entity that emitted them, so that number is written as zero.
pub(super) fn pack_relations(own: i64, relations: &[Triple]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(relations.len() * 8);
    for (source, kind, target) in relations {
        push_varint(&mut bytes, if *source == own { 0 } else { *source });
        push_varint(&mut bytes, *kind);
        push_varint(&mut bytes, *target);
    }
    bytes
}

pub(super) fn unpack_relations(own: i64, bytes: &[u8]) -> Result<Vec<Triple>, StoreError> {
    let mut rest = bytes.iter();
    let mut relations = Vec::with_capacity(bytes.len() / 4);
    while !rest.as_slice().is_empty() {
        let source = match next_varint(&mut rest)? {
            0 => own,
            other => other,
        };
        relations.push((source, next_varint(&mut rest)?, next_varint(&mut rest)?));
    }
    Ok(relations)
}

fn push_varint(bytes: &mut Vec<u8>, number: i64) {
    let mut rest = number.cast_unsigned();
    while rest >= 0x80 {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push((rest & 0x7f) as u8);
}

fn next_varint(bytes: &mut std::slice::Iter<'_, u8>) -> Result<i64, StoreError> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes
            .next()
            .ok_or_else(|| StoreError::Inconsistent("packed relations end too early".to_owned()))?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number.cast_signed());
        }
    }
    Err(StoreError::Inconsistent("a packed number is too long".to_owned()))
}

/// The number under which a refresh key is kept.
pub(super) fn refresh_key(key: &str) -> i64 {
    let digest = Digest::of(key);
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    i64::from_le_bytes(bytes)
}

pub(super) fn pack_keys(keys: &[i64]) -> Vec<u8> {
    keys.iter().flat_map(|key| key.to_le_bytes()).collect()
}

pub(super) fn unpack_keys(bytes: &[u8]) -> Result<Vec<i64>, StoreError> {
    let (keys, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(StoreError::Inconsistent("packed keys end too early".to_owned()));
    }
    Ok(keys.iter().map(|key| i64::from_le_bytes(*key)).collect())
}

/// Reads columns by position; a column of another type is an inconsistent row.
pub(super) trait RowExt {
    fn int(&self, index: usize) -> Result<i64, StoreError>;
    fn int_opt(&self, index: usize) -> Result<Option<i64>, StoreError>;
    fn flag(&self, index: usize) -> Result<bool, StoreError>;
    fn small_opt(&self, index: usize) -> Result<Option<u32>, StoreError>;
    fn text(&self, index: usize) -> Result<&str, StoreError>;
    fn text_opt(&self, index: usize) -> Result<Option<&str>, StoreError>;
    fn blob(&self, index: usize) -> Result<&[u8], StoreError>;
    fn blob_opt(&self, index: usize) -> Result<Option<&[u8]>, StoreError>;
    fn digest(&self, index: usize) -> Result<Digest, StoreError>;
    fn digest_opt(&self, index: usize) -> Result<Option<Digest>, StoreError>;
    fn uid(&self, index: usize) -> Result<Uuid, StoreError>;
    fn uid_opt(&self, index: usize) -> Result<Option<Uuid>, StoreError>;
}

impl RowExt for SqliteRow {
    fn int(&self, index: usize) -> Result<i64, StoreError> {
        Ok(self.try_get(index)?)
    }

    fn int_opt(&self, index: usize) -> Result<Option<i64>, StoreError> {
        Ok(self.try_get(index)?)
    }

    fn flag(&self, index: usize) -> Result<bool, StoreError> {
        Ok(self.int(index)? != 0)
    }

    fn small_opt(&self, index: usize) -> Result<Option<u32>, StoreError> {
        self.int_opt(index)?
            .map(u32::try_from)
            .transpose()
            .map_err(|error| StoreError::Inconsistent(error.to_string()))
    }

    fn text(&self, index: usize) -> Result<&str, StoreError> {
        Ok(self.try_get(index)?)
    }

    fn text_opt(&self, index: usize) -> Result<Option<&str>, StoreError> {
        Ok(self.try_get(index)?)
    }

    fn blob(&self, index: usize) -> Result<&[u8], StoreError> {
        Ok(self.try_get(index)?)
    }

    fn blob_opt(&self, index: usize) -> Result<Option<&[u8]>, StoreError> {
        Ok(self.try_get(index)?)
    }

    fn digest(&self, index: usize) -> Result<Digest, StoreError> {
        Digest::try_from(self.blob(index)?).map_err(|error| StoreError::Inconsistent(error.to_string()))
    }

    fn digest_opt(&self, index: usize) -> Result<Option<Digest>, StoreError> {
        self.blob_opt(index)?
            .map(Digest::try_from)
            .transpose()
            .map_err(|error| StoreError::Inconsistent(error.to_string()))
    }

    fn uid(&self, index: usize) -> Result<Uuid, StoreError> {
        Uuid::from_slice(self.blob(index)?).map_err(|error| StoreError::Inconsistent(error.to_string()))
    }

    fn uid_opt(&self, index: usize) -> Result<Option<Uuid>, StoreError> {
        self.blob_opt(index)?
            .map(Uuid::from_slice)
            .transpose()
            .map_err(|error| StoreError::Inconsistent(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_relations_come_back() {
        let relations = vec![(7, 1, 300), (7, 2, 1 << 40), (9, 1, 7)];
        let bytes = pack_relations(7, &relations);
        assert_eq!(unpack_relations(7, &bytes).unwrap(), relations);
        assert_eq!(bytes.len(), 1 + 1 + 2 + 1 + 1 + 6 + 3);
    }

    #[test]
    fn damaged_packs_are_errors() {
        assert!(matches!(unpack_relations(1, &[0x80]), Err(StoreError::Inconsistent(_))));
        assert!(matches!(unpack_relations(1, &[0xff; 11]), Err(StoreError::Inconsistent(_))));
        assert!(matches!(unpack_keys(&[0; 9]), Err(StoreError::Inconsistent(_))));
    }

    #[test]
    fn keys_and_lists_come_back() {
        let keys = vec![refresh_key("a"), refresh_key("b"), i64::MIN];
        assert_eq!(unpack_keys(&pack_keys(&keys)).unwrap(), keys);
        assert_eq!(ids_json([]), "[]");
        assert_eq!(ids_json([1, -2]), "[1,-2]");
        assert_eq!(texts_json(["a\"", "b"]), r#"["a\"","b"]"#);
    }

    #[test]
    fn lanes_come_back() {
        for known in [Lane::Interactive, Lane::Event, Lane::New, Lane::Periodic] {
            assert_eq!(lane(known as i64).unwrap(), known);
        }
        assert!(lane(4).is_err());
    }
}

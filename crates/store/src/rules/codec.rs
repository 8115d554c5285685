//! Between what rows hold and what the rest of the program handles: moments, lanes, kinds of changes, and lists in a
//! few bytes.

use callboard_model::Digest;

use crate::{ChangeKind, Lane, StoreError, Timestamp};

/// `change_log.kind` of an entity that is new or has other content.
pub(crate) const UPSERTED: i64 = 0;
/// `change_log.kind` of an entity that is gone.
pub(crate) const DELETED: i64 = 1;

/// A relation by numbers: source, type, target.
pub(crate) type Triple = (i64, i64, i64);

/// A moment as rows hold it: in microseconds, the rest cut off.
pub(crate) fn micros(time: Timestamp) -> i64 {
    time.timestamp_micros()
}

pub(crate) fn timestamp(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_timestamp_micros(micros)
        .ok_or_else(|| StoreError::Inconsistent(format!("{micros} is not a time")))
}

pub(crate) fn lane(number: i64) -> Result<Lane, StoreError> {
    [Lane::Interactive, Lane::Event, Lane::New, Lane::Periodic]
        .into_iter()
        .find(|lane| *lane as i64 == number)
        .ok_or_else(|| StoreError::Inconsistent(format!("{number} is not a lane")))
}

pub(crate) fn change_kind(number: i64) -> ChangeKind {
    if number == DELETED { ChangeKind::Deleted } else { ChangeKind::Upserted }
}

/// Packs sorted relations. Most start at the entity that emitted them, so that number is written as zero.
pub(crate) fn pack_relations(own: i64, relations: &[Triple]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(relations.len() * 8);
    for (source, kind, target) in relations {
        push_varint(&mut bytes, if *source == own { 0 } else { *source });
        push_varint(&mut bytes, *kind);
        push_varint(&mut bytes, *target);
    }
    bytes
}

pub(crate) fn unpack_relations(own: i64, bytes: &[u8]) -> Result<Vec<Triple>, StoreError> {
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
pub(crate) fn refresh_key(key: &str) -> i64 {
    let digest = Digest::of(key);
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    i64::from_le_bytes(bytes)
}

pub(crate) fn pack_keys(keys: &[i64]) -> Vec<u8> {
    keys.iter().flat_map(|key| key.to_le_bytes()).collect()
}

pub(crate) fn unpack_keys(bytes: &[u8]) -> Result<Vec<i64>, StoreError> {
    let (keys, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(StoreError::Inconsistent("packed keys end too early".to_owned()));
    }
    Ok(keys.iter().map(|key| i64::from_le_bytes(*key)).collect())
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
    fn keys_come_back() {
        let keys = vec![refresh_key("a"), refresh_key("b"), i64::MIN];
        assert_eq!(unpack_keys(&pack_keys(&keys)).unwrap(), keys);
    }

    #[test]
    fn lanes_come_back() {
        for known in [Lane::Interactive, Lane::Event, Lane::New, Lane::Periodic] {
            assert_eq!(lane(known as i64).unwrap(), known);
        }
        assert!(lane(4).is_err());
    }
}

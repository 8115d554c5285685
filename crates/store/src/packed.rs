//! Compressed texts.

use callboard_model::{Body, Digest};

use crate::StoreError;

/// A processed entity's body as stores keep it. Whoever processes makes it, in parallel: a store writes one batch after
/// the other.
#[derive(Debug, Clone)]
pub struct PackedBody {
    pub(crate) digest: Digest,
    pub(crate) json: Vec<u8>,
    pub(crate) metadata_end: u32,
    pub(crate) annotations_end: u32,
    pub(crate) own_etag: bool,
    pub(crate) status: Option<String>,
}

impl PackedBody {
    /// Packs a body.
    pub fn new(body: Body) -> Self {
        let Body { ref json, metadata_end, annotations_end, own_etag, status } = body;
        Self { digest: Digest::of(json), json: pack(json), metadata_end, annotations_end, own_etag, status }
    }

    /// How much memory its texts take.
    pub fn bytes(&self) -> usize {
        self.json.len() + self.status.as_deref().map_or(0, str::len)
    }
}

/// Compresses a text. LZ4 halves entities, costs less than writing the other half would, and is far cheaper to
/// undo than anything that packs better.
pub(crate) fn pack(text: &str) -> Vec<u8> {
    lz4_flex::block::compress_prepend_size(text.as_bytes())
}

pub(crate) fn unpack(bytes: &[u8]) -> Result<String, StoreError> {
    let bytes = lz4_flex::block::decompress_size_prepended(bytes)
        .map_err(|error| StoreError::Inconsistent(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| StoreError::Inconsistent(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back() {
        assert_eq!(unpack(&pack("ä\"b")).unwrap(), "ä\"b");
    }

    #[test]
    fn damaged_packs_are_errors() {
        assert!(matches!(unpack(&[1, 2]), Err(StoreError::Inconsistent(_))));
    }
}

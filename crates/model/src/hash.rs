//! Content digests: a short name for bytes, to tell whether they changed.

use std::fmt;

/// The first 128 bits of the BLAKE3 hash of some content.
///
/// 128 bits make an accidental clash as likely as a failing memory chip; nothing secret hangs on a digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 16]);

/// The bytes are not as many as a [`Digest`] has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest has 16 bytes, got {0}")]
pub struct DigestLengthError(usize);

impl Digest {
    /// The digest of some bytes.
    pub fn of(content: impl AsRef<[u8]>) -> Self {
        Self::truncated(&blake3::hash(content.as_ref()))
    }

    /// The digest of a list of parts. Other cuts of the same bytes give other digests.
    pub fn of_parts<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            update_part(&mut hasher, part.as_ref());
        }
        Self::truncated(&hasher.finalize())
    }

    /// A digest made earlier.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn truncated(hash: &blake3::Hash) -> Self {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(hash.as_bytes()) {
            *to = *from;
        }
        Self(bytes)
    }
}

/// Feeds one part with its length in front, so that parts cannot run into each other.
pub(crate) fn update_part(hasher: &mut blake3::Hasher, part: &[u8]) {
    hasher.update(&(part.len() as u64).to_le_bytes());
    hasher.update(part);
}

impl TryFrom<&[u8]> for Digest {
    type Error = DigestLengthError;

    fn try_from(bytes: &[u8]) -> Result<Self, DigestLengthError> {
        bytes.try_into().map(Self).map_err(|_| DigestLengthError(bytes.len()))
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_start_of_blake3_in_hex() {
        // Test vector of the BLAKE3 paper's reference implementation for empty input.
        assert_eq!(Digest::of("").to_string(), "af1349b9f5f9a1a6a0404dea36dcc949");
    }

    #[test]
    fn survives_storage_as_bytes() {
        let digest = Digest::of("x");
        assert_eq!(Digest::try_from(digest.as_ref()), Ok(digest));
        assert_eq!(Digest::from_bytes(*digest.as_bytes()), digest);
        assert_eq!(
            Digest::try_from([1_u8, 2].as_slice()).unwrap_err().to_string(),
            "a digest has 16 bytes, got 2"
        );
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(Digest::of_parts(["ab", "c"]), Digest::of_parts(["a", "bc"]));
        assert_ne!(Digest::of_parts(["ab"]), Digest::of_parts(["ab", ""]));
    }
}

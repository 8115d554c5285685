//! An entity's uid, as small as it can be kept while its texts' order is the order.

use std::cmp::Ordering;
use std::fmt;

/// Where a UUID's text has hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

const UUID_LEN: usize = 36;

/// A uid. A canonical UUID in lower case is kept as its bytes, which sort as the text does.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Uid {
    Uuid([u8; 16]),
    Other(Box<str>),
}

impl Uid {
    pub(crate) fn of(text: &str) -> Self {
        parse(text).map_or_else(|| Self::Other(text.into()), Self::Uuid)
    }
}

impl Default for Uid {
    fn default() -> Self {
        Self::Other(Box::default())
    }
}

impl Ord for Uid {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Uuid(a), Self::Uuid(b)) => a.cmp(b),
            (Self::Other(a), Self::Other(b)) => a.cmp(b),
            (Self::Uuid(a), Self::Other(b)) => text_of(a).as_slice().cmp(b.as_bytes()),
            (Self::Other(a), Self::Uuid(b)) => a.as_bytes().cmp(&text_of(b)),
        }
    }
}

impl PartialOrd for Uid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(bytes) => f.write_str(str::from_utf8(&text_of(bytes)).unwrap_or_default()),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn text_of(bytes: &[u8; 16]) -> [u8; UUID_LEN] {
    let mut text = [b'-'; UUID_LEN];
    let places = text.iter_mut().enumerate().filter(|(at, _)| !HYPHENS.contains(at));
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    for ((_, place), digit) in places.zip(digits) {
        *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
    }
    text
}

fn parse(text: &str) -> Option<[u8; 16]> {
    if text.len() != UUID_LEN {
        return None;
    }
    let mut bytes = [0_u8; 16];
    let mut digits = 0;
    for (at, char) in text.bytes().enumerate() {
        if HYPHENS.contains(&at) {
            if char != b'-' {
                return None;
            }
            continue;
        }
        let digit = match char {
            b'0'..=b'9' => char - b'0',
            b'a'..=b'f' => char - b'a' + 10,
            _ => return None,
        };
        let byte = bytes.get_mut(digits / 2)?;
        *byte = *byte << 4 | digit;
        digits += 1;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_and_prints_as_the_text_does() {
        let mut texts = [
            "01234567-89ab-cdef-0123-456789abcdef",
            "01234567-89ab-cdef-0123-456789abcdee",
            "01234567-89AB-cdef-0123-456789abcdef",
            "f1234567-89ab-cdef-0123-456789abcdef",
            "f1234567-89ab-cdef-0123-456789abcdef0",
            "01234567089ab-cdef-0123-456789abcdef",
            "",
            "uid-1",
            "\u{e4}",
            "0123456",
        ];
        let mut uids = texts.map(Uid::of);
        uids.sort_unstable();
        texts.sort_unstable();
        assert_eq!(uids.map(|uid| uid.to_string()), texts);
    }

    #[test]
    fn takes_24_bytes() {
        assert_eq!(size_of::<Uid>(), 24);
    }
}

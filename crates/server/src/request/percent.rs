//! Percent encoding.

/// Decodes `%XX` once. `None` if a sequence is broken or the result is not UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = hex(bytes.next()?)?;
            let low = hex(bytes.next()?)?;
            decoded.push(high * 16 + low);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

/// Decodes a part of a query: `+` is a space, and what cannot be decoded stays as it is.
pub(crate) fn decode_query(text: &str) -> String {
    let spaced = text.replace('+', " ");
    decode(&spaced).unwrap_or(spaced)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_once() {
        assert_eq!(decode("a%2Fb%252f").as_deref(), Some("a/b%2f"));
        assert_eq!(decode("%C3%A4+").as_deref(), Some("ä+"));
        for broken in ["%", "%4", "%ZZ", "%C3"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }

    #[test]
    fn queries_keep_what_is_broken() {
        assert_eq!(decode_query("a+b%3Dc"), "a b=c");
        assert_eq!(decode_query("%ZZ+x"), "%ZZ x");
    }
}

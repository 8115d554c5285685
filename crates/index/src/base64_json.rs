//! Cursors are JSON in base64, because the client looks into them to choose between GET and POST.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;
use serde_json::Value;

/// The alphabet that the client's `atob` reads. Decoding takes what Node.js takes: the URL's alphabet as well, and no
/// padding.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The text of a cursor.
pub fn encode(value: &impl Serialize) -> String {
    ENGINE.encode(serde_json::to_vec(value).unwrap_or_default())
}

/// What a cursor says; `None` if it is no JSON in base64.
pub fn decode(text: &str) -> Option<Value> {
    let standard: String = text
        .chars()
        .filter(|char| !char.is_ascii_whitespace())
        .map(|char| match char {
            '-' => '+',
            '_' => '/',
            char => char,
        })
        .collect();
    serde_json::from_slice(&ENGINE.decode(standard).ok()?).ok()
}

//! Conversions between counts and figures for people, in one place since each of them gives up some precision.

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// A sample as a count: negative numbers and NaN give 0, too large ones the largest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, as wanted here"
)]
pub(crate) fn whole(value: f64) -> u64 {
    value as u64
}

/// `part / of`; 0 where there is nothing to divide by.
pub(crate) fn ratio(part: f64, of: f64) -> f64 {
    if of > 0.0 { part / of } else { 0.0 }
}

/// Rounded to that many decimal places, for output.
pub(crate) fn rounded(value: f64, places: i32) -> f64 {
    let scale = 10_f64.powi(places);
    (value * scale).round() / scale
}

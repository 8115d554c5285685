//! How reports are laid out for people.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::figures::float;

/// A figure under its name.
pub(crate) fn row(f: &mut Formatter<'_>, name: &str, value: impl Display) -> fmt::Result {
    writeln!(f, "  {name:<24}{value}")
}

/// `12 in all: changed 2, unchanged 10`
pub(crate) struct Counts<'a, K>(pub(crate) &'a BTreeMap<K, u64>);

impl<K: Display> Display for Counts<'_, K> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        write!(f, "{} in all", self.0.values().sum::<u64>())?;
        for (position, (key, count)) in self.0.iter().enumerate() {
            write!(f, "{} {key} {count}", if position == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

/// `1.5 MiB`
pub(crate) struct Bytes(pub(crate) u64);

impl Display for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..=1023 => write!(f, "{} B", self.0),
            1024..=1_048_575 => write!(f, "{:.1} KiB", float(self.0) / 1024.0),
            _ => write!(f, "{:.1} MiB", float(self.0) / 1_048_576.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_a_unit_of_their_size() {
        let cases = [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (1_572_864, "1.5 MiB")];
        for (bytes, expected) in cases {
            assert_eq!(Bytes(bytes).to_string(), expected);
        }
    }

    #[test]
    fn counts_are_added_up_and_listed() {
        assert_eq!(Counts(&BTreeMap::<u16, u64>::new()).to_string(), "none");
        assert_eq!(Counts(&BTreeMap::from([(200, 3), (304, 4)])).to_string(), "7 in all: 200 3, 304 4");
    }
}

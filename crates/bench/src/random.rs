//! The generator's source of chance: `SplitMix64`, written out here because a seed has to mean the same bytes for ever,
//! which the generators of the `rand` crate do not promise across versions.

const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// A deterministic stream of numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A stream of its own for each combination of `seed` and `parts`, so that what is drawn for one entity does not
    /// depend on how much was drawn for another.
    pub fn stream(seed: u64, parts: &[u64]) -> Self {
        let fold = |state: u64, part: &u64| mix(state ^ mix(part.wrapping_add(GOLDEN_GAMMA)));
        Self(parts.iter().fold(mix(seed), fold))
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_GAMMA);
        mix(self.0)
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let wide = (u128::from(self.next_u64()) * bound as u128) >> u64::BITS;
        usize::try_from(wide).unwrap_or_default()
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in `percent` of 100 cases.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `words`; empty if there are none.
    pub fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words.get(self.below(words.len())).copied().unwrap_or_default()
    }

    /// Up to `count` different words, in the order of `words`.
    pub fn pick_some<'a>(&mut self, words: &[&'a str], count: usize) -> Vec<&'a str> {
        let mut picked = Vec::with_capacity(count);
        for (position, word) in words.iter().enumerate() {
            let missing = count.saturating_sub(picked.len());
            if self.below(words.len() - position) < missing {
                picked.push(*word);
            }
        }
        picked
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_published_numbers_of_splitmix64() {
        let mut random = Random(1_234_567);
        let numbers = [random.next_u64(), random.next_u64(), random.next_u64()];
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn stays_within_the_bounds() {
        let mut random = Random::stream(1, &[2]);
        for _ in 0..1_000 {
            assert!((3..=7).contains(&random.between(3, 7)));
        }
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn picks_as_many_different_words_as_asked() {
        let words = ["a", "b", "c", "d"];
        let mut random = Random::stream(5, &[]);
        for count in 0..=4 {
            let picked = random.pick_some(&words, count);
            assert_eq!(picked.len(), count);
            assert!(picked.is_sorted());
        }
        assert_eq!(random.pick_some(&words, 9).len(), 4);
    }

    #[test]
    fn streams_differ_by_seed_and_by_parts() {
        let first = |seed, parts: &[u64]| Random::stream(seed, parts).next_u64();
        assert_ne!(first(1, &[1, 2]), first(2, &[1, 2]));
        assert_ne!(first(1, &[1, 2]), first(1, &[2, 1]));
    }
}

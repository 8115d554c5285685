//! Sentences for descriptions.

use super::words;
use crate::random::Random;

/// Prose of at least one sentence and about `bytes` bytes.
pub(super) fn description(random: &mut Random, bytes: usize) -> String {
    let mut text = sentence(random);
    while text.len() + HALF_A_SENTENCE < bytes {
        text.push(' ');
        text.push_str(&sentence(random));
    }
    text
}

/// A sentence has 60 to 110 bytes: to stop half of one early errs as often to either side.
const HALF_A_SENTENCE: usize = 40;

fn sentence(random: &mut Random) -> String {
    let subject = random.pick(words::SUBJECTS);
    let verb = random.pick(words::VERBS);
    let object = random.pick(words::OBJECTS);
    let ending = random.pick(words::ENDINGS);
    format!("{subject} {verb} {object} {ending}.")
}

/// `invoice-gateway-00042` as people would write it: `Invoice Gateway`.
pub(super) fn title(name: &str) -> String {
    let words = name.split(['-', '_', '.']).filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()));
    words.map(capitalise).collect::<Vec<_>>().join(" ")
}

fn capitalise(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

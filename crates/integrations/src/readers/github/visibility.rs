//! What is known about which repositories the configured token sees.
//!
//! GitHub answers 404 both for what is not there and for what a token may not see. Asking for the repository
//! tells the two apart, and as one repository may miss many files, its answer is kept for a moment. Not for
//! longer: an answer from before a token lost its rights would let files look deleted.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long an answer counts.
const KEPT: Duration = Duration::from_secs(10);
/// Answers kept; further ones are not, which costs their requests again.
const ANSWERS_MAX: usize = 1024;

/// The last answers about repositories.
#[derive(Debug, Default)]
pub(super) struct Visibility {
    answers: Mutex<HashMap<String, Answer>>,
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    is_visible: bool,
    since: Instant,
}

impl Answer {
    fn counts(self) -> bool {
        self.since.elapsed() < KEPT
    }
}

impl Visibility {
    /// Whether the repository can be seen; `None` if there is no answer that still counts.
    pub(super) fn get(&self, full_name: &str) -> Option<bool> {
        let answer = self.answers().get(full_name).copied();
        answer.filter(|answer| answer.counts()).map(|answer| answer.is_visible)
    }

    pub(super) fn set(&self, full_name: &str, is_visible: bool) {
        let mut answers = self.answers();
        answers.retain(|_, answer| answer.counts());
        if answers.len() < ANSWERS_MAX {
            answers.insert(full_name.to_owned(), Answer { is_visible, since: Instant::now() });
        }
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<String, Answer>> {
        // Nothing that holds the lock can leave the table half changed.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_counts_for_a_moment_only() {
        let visibility = Visibility::default();
        assert_eq!(visibility.get("o/r"), None);
        visibility.set("o/r", true);
        visibility.set("o/hidden", false);
        assert_eq!((visibility.get("o/r"), visibility.get("o/hidden")), (Some(true), Some(false)));
        tokio::time::advance(KEPT).await;
        assert_eq!((visibility.get("o/r"), visibility.get("o/hidden")), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_has_a_limit_and_forgets_what_is_old() {
        let visibility = Visibility::default();
        for number in 0..2 * ANSWERS_MAX {
            visibility.set(&format!("o/r{number}"), true);
        }
        assert_eq!(visibility.answers().len(), ANSWERS_MAX);
        tokio::time::advance(KEPT).await;
        visibility.set("o/r", true);
        assert_eq!(visibility.answers().len(), 1);
    }
}

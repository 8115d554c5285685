//! Whether the store answers, as the parts of the loop find out one after the other.
//!
//! All of them go on asking. It is told once that it does not answer, and once that all who had no answer have one: on
//! a full disk, what only reads is answered all the time.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use callboard_store::{StoreError, error_chain};

/// Rests between tries of what cannot be done without.
const BACKOFF: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// A part that asks for the same again until it is answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Claimer = 1,
    Committer = 2,
    Stitcher = 4,
    /// Those who connect providers and begin.
    Start = 8,
}

#[derive(Debug, Default)]
pub(crate) struct Outage {
    /// The parts that wait for an answer.
    waiting: AtomicU8,
}

impl Outage {
    /// Takes note of what became of a call, and tells of an error: `what` was in vain.
    pub(crate) fn note<T>(&self, part: Part, result: &Result<T, StoreError>, what: &'static str) {
        match result {
            Err(error) if error.is_retryable() => {
                let waiting = self.waiting.fetch_or(part as u8, Ordering::Relaxed);
                tell(error, what, waiting != 0);
            }
            // Errors of another kind are answers as well.
            Err(error) => {
                self.answered(part);
                tell(error, what, false);
            }
            Ok(_) => self.answered(part),
        }
    }

    /// Tells of the error of a call that is made again at some other time, if at all.
    pub(crate) fn mention<T>(&self, result: &Result<T, StoreError>, what: &'static str) {
        if let Err(error) = result {
            tell(error, what, self.waiting.load(Ordering::Relaxed) != 0);
        }
    }

    /// Asks until there is an answer other than that another try may help.
    pub(crate) async fn ride_through<T, F>(
        &self,
        what: &'static str,
        mut ask: impl FnMut() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut rest = BACKOFF;
        loop {
            let result = ask().await;
            if !matches!(&result, Err(error) if error.is_retryable()) {
                self.answered(Part::Start);
                return result;
            }
            self.note(Part::Start, &result, what);
            tokio::time::sleep(rest).await;
            rest = (rest * 2).min(BACKOFF_MAX);
        }
    }

    pub(crate) fn answered(&self, part: Part) {
        let part = part as u8;
        // Nearly always there is nothing to write.
        if self.waiting.load(Ordering::Relaxed) & part != 0
            && self.waiting.fetch_and(!part, Ordering::Relaxed) == part
        {
            tracing::info!("the database answers again");
        }
    }
}

fn tell(error: &StoreError, what: &'static str, is_told: bool) {
    let is_retryable = error.is_retryable();
    let error = error_chain(error);
    match (is_retryable, is_told) {
        (false, _) => tracing::warn!(error, "{what}"),
        (true, false) => tracing::warn!(error, "{what}; trying again until the database takes it"),
        (true, true) => tracing::debug!(error, "{what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Warnings;

    const BEGIN: &str = "in vain; trying again until the database takes it";

    fn unavailable() -> Result<(), StoreError> {
        Err(StoreError::Unavailable("gone".into()))
    }

    #[test]
    fn an_outage_is_told_once_and_a_defect_each_time() {
        let (warnings, _guard) = Warnings::collect();
        let outage = Outage::default();
        let defect = Err(StoreError::Inconsistent("x".into()));
        for result in [unavailable(), unavailable(), defect, Ok(()), unavailable()] {
            outage.note(Part::Claimer, &result, "in vain");
        }
        assert_eq!(warnings.all(), [BEGIN, "in vain", BEGIN]);
    }

    #[test]
    fn an_outage_lasts_until_all_who_wait_have_an_answer() {
        let (warnings, _guard) = Warnings::collect();
        let outage = Outage::default();
        outage.note(Part::Committer, &unavailable(), "in vain");
        outage.note(Part::Claimer, &unavailable(), "in vain");
        for answered in [Part::Claimer, Part::Stitcher] {
            outage.answered(answered);
            outage.note(Part::Committer, &unavailable(), "in vain");
            outage.mention(&unavailable(), "in vain");
        }
        assert_eq!(warnings.all(), [BEGIN]);
        outage.answered(Part::Committer);
        outage.mention(&unavailable(), "in vain");
        assert_eq!(warnings.all(), [BEGIN, BEGIN]);
    }
}

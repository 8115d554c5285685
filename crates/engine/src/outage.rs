//! Whether the store answers, as the parts of the loop find out one after the other.
//!
//! All of them go on asking. It is told once that it does not answer, and once that it does again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use callboard_store::{StoreError, error_chain};

/// Rests between tries of what cannot be done without.
const BACKOFF: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(crate) struct Outage {
    is_on: AtomicBool,
}

impl Outage {
    /// Takes note of what became of a call, and tells of an error: `what` was in vain.
    pub(crate) fn note<T>(&self, result: &Result<T, StoreError>, what: &'static str) {
        let Err(error) = result else { return self.answered() };
        let is_retryable = error.is_retryable();
        let is_told = is_retryable && self.is_on.swap(true, Ordering::Relaxed);
        let error = error_chain(error);
        match (is_retryable, is_told) {
            (false, _) => tracing::warn!(error, "{what}"),
            (true, false) => tracing::warn!(error, "{what}; trying again until the database takes it"),
            (true, true) => tracing::debug!(error, "{what}"),
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
                self.answered();
                return result;
            }
            self.note(&result, what);
            tokio::time::sleep(rest).await;
            rest = (rest * 2).min(BACKOFF_MAX);
        }
    }

    /// Takes note of an answer.
    pub(crate) fn answered(&self) {
        // Nearly always there is nothing to write.
        if self.is_on.load(Ordering::Relaxed) && self.is_on.swap(false, Ordering::Relaxed) {
            tracing::info!("the database answers again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Warnings;

    #[test]
    fn an_outage_is_told_once_and_a_defect_each_time() {
        let (warnings, _guard) = Warnings::collect();
        let outage = Outage::default();
        let unavailable = || Err::<(), _>(StoreError::Unavailable("gone".into()));
        for result in
            [unavailable(), unavailable(), Err(StoreError::Inconsistent("x".into())), Ok(()), unavailable()]
        {
            outage.note(&result, "in vain");
        }
        let begin = "in vain; trying again until the database takes it";
        assert_eq!(warnings.all(), [begin, "in vain", begin]);
    }
}

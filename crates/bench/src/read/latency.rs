//! How long answers took.

use std::time::Duration;

/// The times of single answers, in no order.
#[derive(Debug, Default)]
pub(super) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(super) fn push(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    pub(super) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn summary(mut self) -> LatencySummary {
        self.0.sort_unstable();
        LatencySummary { p50: self.percentile(50), p99: self.percentile(99) }
    }

    /// By nearest rank, so that it is a time that was measured: the shortest that at least `percent` in a hundred answers
    /// did not exceed. 0 without answers.
    fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LatencySummary {
    pub(super) p50: Duration,
    pub(super) p99: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(milliseconds: impl IntoIterator<Item = u64>) -> (u64, u64) {
        let latencies = Latencies(milliseconds.into_iter().map(Duration::from_millis).collect());
        let LatencySummary { p50, p99 } = latencies.summary();
        (u64::try_from(p50.as_millis()).unwrap(), u64::try_from(p99.as_millis()).unwrap())
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        assert_eq!(summary([]), (0, 0));
        assert_eq!(summary([7]), (7, 7));
        assert_eq!(summary([30, 10]), (10, 30));
        assert_eq!(summary([30, 10, 20]), (20, 30));
        assert_eq!(summary((1..=100).rev()), (50, 99));
        assert_eq!(summary(1..=1_000), (500, 990));
    }

    #[test]
    fn one_slow_answer_in_a_hundred_does_not_move_the_99th_percentile() {
        assert_eq!(summary((0..99).map(|_| 1).chain([1_000])), (1, 1));
        assert_eq!(summary((0..98).map(|_| 1).chain([1_000, 1_000])), (1, 1_000));
    }

    #[test]
    fn latencies_of_several_clients_are_summed_up_together() {
        let mut all = Latencies(vec![Duration::from_millis(3)]);
        all.append(Latencies(vec![Duration::from_millis(1), Duration::from_millis(2)]));
        assert_eq!(all.count(), 3);
        assert_eq!(all.summary().p50, Duration::from_millis(2));
    }
}

//! What an outcome means for its own entity: whether it may be written, when the entity is due again, and what is kept
//! of caches and errors.

use super::codec::micros;
use super::schedule::Schedule;
use crate::packed::pack;
use crate::{CacheWrite, Lane, NewError, Outcome, OutcomeKind, Processed};

/// An outcome whose lease holds, of an entity that nobody took over.
#[derive(Debug)]
pub(crate) struct Accepted<'a> {
    pub(crate) outcome: &'a Outcome,
    /// The row as it is before the outcome is written.
    pub(crate) schedule: Schedule,
    /// Something made the entity due while it was processed.
    pub(crate) is_wished: bool,
    /// Other processors than its were applied last, as another process has begun with them: the run will be done again.
    pub(crate) is_outdated: bool,
}

impl Accepted<'_> {
    /// Whether this run is not the one that the entity is due for.
    pub(crate) fn stays_due(&self) -> bool {
        let is_done = !matches!(self.outcome.kind, OutcomeKind::Abandoned);
        self.is_wished || (self.is_outdated && is_done)
    }
}

/// How many children may be handed out. Whoever writes what is outdated might process them in the same way.
pub(crate) fn hand_out_max(accepted: &[Accepted<'_>], hand_out: usize) -> usize {
    if accepted.iter().any(|accepted| accepted.is_outdated) { 0 } else { hand_out }
}

/// A good run of one entity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GoodRun<'a> {
    pub(crate) id: i64,
    pub(crate) processed: &'a Processed,
    /// The lane that its children queue in.
    pub(crate) lane: Lane,
    /// Whether somebody waits for it.
    pub(crate) is_awaited: bool,
}

/// Whether an outcome changes nothing but the time of the next run, should its digests be those of the last one.
pub(crate) fn only_puts_off(outcome: &Outcome) -> bool {
    matches!((&outcome.kind, &outcome.cache), (OutcomeKind::Unchanged, CacheWrite::Keep))
}

/// Whether the key that an entity has now lets an outcome write it: it is the one of the claim, or none, and then the
/// entity gets the outcome's.
pub(crate) fn may_write(location_key: Option<&str>, outcome: &Outcome) -> bool {
    location_key.is_none() || location_key == outcome.location_key.as_deref()
}

/// The row after the outcome was written; `None` if it stays as it is.
pub(crate) fn next_schedule(accepted: &Accepted<'_>) -> Option<Schedule> {
    let Accepted { outcome, schedule, .. } = accepted;
    let mut row = *schedule;
    let mut may_settle = true;
    if accepted.stays_due() {
        // It stays due, and for a full run if that is what was asked for.
        may_settle = row.fingerprint.is_some();
    } else {
        row.next_update_at = outcome.next_update_at.map(micros);
        row.lane = Lane::Periodic as i64;
    }
    match &outcome.kind {
        OutcomeKind::Abandoned => return None,
        OutcomeKind::Unchanged | OutcomeKind::Processed(_) if may_settle => {
            row.fingerprint = Some(outcome.fingerprint);
        }
        OutcomeKind::Unchanged | OutcomeKind::Processed(_) | OutcomeKind::Failed(_) => {}
    }
    row.result_digest = Some(outcome.result_digest);
    Some(row)
}

/// The memories of processors that a batch changes.
#[derive(Debug, Default)]
pub(crate) struct CacheChanges {
    /// Entity, how many more failures it survives, and packed text.
    pub(crate) put: Vec<(i64, i64, Vec<u8>)>,
    pub(crate) dropped: Vec<i64>,
}

impl CacheChanges {
    pub(crate) fn of(accepted: &[Accepted<'_>]) -> Self {
        let mut changes = Self::default();
        for Accepted { outcome, .. } in accepted {
            let id = outcome.id.0;
            match &outcome.cache {
                _ if matches!(outcome.kind, OutcomeKind::Abandoned) => {}
                CacheWrite::Keep => {}
                CacheWrite::Put(None) => changes.dropped.push(id),
                CacheWrite::Put(Some((json, ttl))) => changes.put.push((id, *ttl, pack(json))),
            }
        }
        changes
    }
}

/// The errors of the runs that failed.
pub(crate) fn failures<'a>(accepted: &[Accepted<'a>]) -> Vec<(i64, &'a [NewError])> {
    let failures = accepted.iter().filter_map(|Accepted { outcome, .. }| match &outcome.kind {
        OutcomeKind::Failed(errors) => Some((outcome.id.0, errors.as_slice())),
        OutcomeKind::Unchanged | OutcomeKind::Processed(_) | OutcomeKind::Abandoned => None,
    });
    failures.collect()
}

/// The runs whose results are written.
pub(crate) fn good_runs<'a>(accepted: &[Accepted<'a>]) -> Vec<GoodRun<'a>> {
    let runs = accepted.iter().filter_map(|Accepted { outcome, .. }| {
        let OutcomeKind::Processed(processed) = &outcome.kind else { return None };
        let lane = match outcome.lane {
            Lane::Interactive | Lane::Event => outcome.lane,
            Lane::New | Lane::Periodic => Lane::New,
        };
        Some(GoodRun { id: outcome.id.0, processed, lane, is_awaited: outcome.lane == Lane::Interactive })
    });
    runs.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use callboard_model::Digest;

    use super::*;
    use crate::{EntityId, LeaseToken, Timestamp};

    const LATER: i64 = 2_000_000;

    fn outcome(kind: OutcomeKind) -> Outcome {
        Outcome {
            id: EntityId(7),
            token: LeaseToken(1),
            location_key: Some(Arc::from("key")),
            lane: Lane::New,
            next_update_at: Timestamp::from_timestamp_micros(LATER),
            cache: CacheWrite::Keep,
            result_digest: Digest::of("new"),
            fingerprint: Digest::of("processors"),
            kind,
        }
    }

    #[test]
    fn an_outcome_is_written_under_its_own_key_or_none() {
        let outcome = outcome(OutcomeKind::Unchanged);
        for (stored, may) in [(None, true), (Some("key"), true), (Some("other"), false)] {
            assert_eq!(may_write(stored, &outcome), may, "{stored:?}");
        }
        assert!(!may_write(Some("key"), &Outcome { location_key: None, ..outcome }));
    }

    #[test]
    fn the_next_time_and_the_fingerprint_follow_the_table() {
        let (old, new) = (Some(Digest::of("old processors")), Some(Digest::of("processors")));
        let (due, later) = ((Some(1), 2), (Some(LATER), 3));
        let unchanged = || OutcomeKind::Unchanged;
        let failed = || OutcomeKind::Failed(Vec::new());
        let cases = [
            // Before, and asked for meanwhile; after.
            (unchanged(), old, false, Some((later, new))),
            (unchanged(), None, false, Some((later, new))),
            (unchanged(), old, true, Some((due, new))),
            // A full run was asked for meanwhile.
            (unchanged(), None, true, Some((due, None))),
            (failed(), old, false, Some((later, old))),
            (failed(), None, true, Some((due, None))),
            (OutcomeKind::Abandoned, old, false, None),
        ];
        for (kind, fingerprint, is_wished, expected) in cases {
            let outcome = outcome(kind);
            let schedule = Schedule { fingerprint, ..Schedule::new(7, Lane::New, 1) };
            // What is outdated stays as due as what was asked for meanwhile.
            let is_outdated = is_wished;
            for (is_wished, is_outdated) in [(is_wished, false), (false, is_outdated)] {
                let row = next_schedule(&Accepted { outcome: &outcome, schedule, is_wished, is_outdated });
                assert!(row.is_none_or(|row| row.result_digest == Some(outcome.result_digest)));
                let found = row.map(|row| ((row.next_update_at, row.lane), row.fingerprint));
                assert_eq!(found, expected, "{:?} {fingerprint:?} {is_wished} {is_outdated}", outcome.kind);
            }
        }
    }

    #[test]
    fn an_abandoned_run_writes_no_cache() {
        let put = || CacheWrite::Put(Some(("{}".to_owned(), 5)));
        let abandoned = Outcome { cache: put(), ..outcome(OutcomeKind::Abandoned) };
        let failed = Outcome { cache: put(), ..outcome(OutcomeKind::Failed(Vec::new())) };
        let dropping = Outcome { cache: CacheWrite::Put(None), ..outcome(OutcomeKind::Unchanged) };
        let schedule = Schedule::new(7, Lane::New, 1);
        let accepted = [&abandoned, &failed, &dropping].map(|outcome| Accepted {
            outcome,
            schedule,
            is_wished: false,
            is_outdated: false,
        });
        let changes = CacheChanges::of(&accepted);
        assert_eq!((changes.put, changes.dropped), (vec![(7, 5, pack("{}"))], vec![7]));
        assert!(!only_puts_off(&dropping));
    }
}

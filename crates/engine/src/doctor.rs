//! Looking after the store's promises: slowly and for ever beside the loop, or once and at full speed.
//!
//! A pass asks the store for one page after the other (see [`Invariant`] for what is looked for), and has it mend what
//! does not hold. What the store cannot do by itself, handing over registered locations, is done here.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_sdk::Clock;
use callboard_store::{
    InspectCursor, Inspection, Invariant, Lane, Mended, ProviderMutation, Store, StoreError, Timestamp,
    Violation,
};

use crate::LOCATION_STORE;
use crate::engine::Shared;
use crate::job::Job;
use crate::locations::{location_name, registered_location_entity};

/// Rows of a page. A page is one short snapshot.
const PAGE_ROWS_MAX: usize = 200;

/// The first pass begins when the daemon has come to rest, most likely.
const FIRST_REST: Duration = Duration::from_mins(1);
const REST_AFTER_ERROR: Duration = Duration::from_secs(10);

/// How often a process looks whether another one still makes the passes.
const OTHERS_REST: Duration = Duration::from_mins(1);

/// Violations of a pass that the log tells one by one.
const LINES_MAX: usize = 100;

/// Locations that are read at once.
const LOCATIONS_PAGE: usize = 1_000;

/// How the store is looked after while the loop runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoctorSettings {
    /// Rows that are looked at in a second.
    pub rows_per_second: u32,
    /// Rest between two passes.
    pub interval: Duration,
    /// Whether what is found is mended.
    pub mends: bool,
}

impl Default for DoctorSettings {
    fn default() -> Self {
        // A hundredth of a processor, at most, while a pass runs.
        Self { rows_per_second: 100, interval: Duration::from_hours(1), mends: true }
    }
}

/// What became of a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// It was only looked for.
    None,
    /// It was mended.
    Mended,
    /// It was no violation any more when it was to be mended.
    Gone,
    /// Only a person can mend it.
    Left,
}

/// A violation, and what became of it.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What was found.
    pub violation: Violation,
    /// What was done.
    pub care: Care,
}

/// A page of a pass.
#[derive(Debug, Clone, Default)]
pub struct CheckedPage {
    /// How many rows were looked at.
    pub rows: usize,
    /// What is wrong with them.
    pub findings: Vec<Finding>,
}

/// One pass over a store.
#[derive(Debug)]
pub struct Checkup {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    page_rows: usize,
    mends: bool,
    location_store: Option<&'static str>,
    from: Option<InspectCursor>,
    is_over: bool,
}

impl Checkup {
    /// A pass that is about to begin. `has_location_store` says whether registered locations are handed over.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, has_location_store: bool, mends: bool) -> Self {
        let location_store = has_location_store.then_some(LOCATION_STORE);
        Self { store, clock, page_rows: PAGE_ROWS_MAX, mends, location_store, from: None, is_over: false }
    }

    /// What is looked at next.
    pub fn part(&self) -> &'static str {
        self.from.as_ref().map_or_else(|| InspectCursor::default().part(), InspectCursor::part)
    }

    /// The next page; `None` at the end of the pass. After an error the same page can be asked for again.
    pub async fn next_page(&mut self) -> Result<Option<CheckedPage>, StoreError> {
        if self.is_over {
            return Ok(None);
        }
        let now = self.clock.now();
        let inspected =
            self.store.inspect(self.from.as_ref(), self.page_rows, self.location_store, now).await?;
        let Inspection { violations, rows, next } = inspected;
        let findings = if self.mends { self.mend(violations).await? } else { only_found(violations) };
        self.is_over = next.is_none();
        self.from = next;
        Ok(Some(CheckedPage { rows, findings }))
    }

    async fn mend(&self, violations: Vec<Violation>) -> Result<Vec<Finding>, StoreError> {
        if violations.is_empty() {
            return Ok(Vec::new());
        }
        let Mended { mended, gone, needs_locations } = self.store.mend(&violations, self.clock.now()).await?;
        if needs_locations {
            hand_over_locations(self.store.as_ref(), self.clock.as_ref()).await?;
        }
        let care = |place: usize, violation: &Violation| match violation.invariant {
            Invariant::UnheldLocation | Invariant::UnregisteredLocation => Care::Mended,
            _ if mended.contains(&place) => Care::Mended,
            _ if gone.contains(&place) => Care::Gone,
            _ => Care::Left,
        };
        let finding = |(place, violation)| Finding { care: care(place, &violation), violation };
        Ok(violations.into_iter().enumerate().map(finding).collect())
    }
}

fn only_found(violations: Vec<Violation>) -> Vec<Finding> {
    violations.into_iter().map(|violation| Finding { violation, care: Care::None }).collect()
}

/// The bucket of registered locations is what is registered.
async fn hand_over_locations(store: &dyn Store, clock: &dyn Clock) -> Result<(), StoreError> {
    let mut entities = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.locations_list(after.as_deref(), LOCATIONS_PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        for location in &page {
            let entity = registered_location_entity(&location.spec, location_name(location));
            entities.push(entity.map_err(StoreError::Inconsistent)?);
        }
    }
    let mutation = ProviderMutation::Full(entities);
    store.provider_mutate(LOCATION_STORE, mutation, Lane::New, clock.now()).await.map(drop)
}

/// Looks after the store for as long as the loop runs. Of several processes on a store one at a time makes the passes.
pub(crate) async fn run(shared: Arc<Shared>) {
    let Some(settings) = shared.settings.doctor else { return shared.stopping.cancelled().await };
    for invariant in Invariant::ALL {
        count_found(*invariant, 0);
        count_mended(*invariant, 0);
    }
    show_violations(&BTreeMap::new());
    let mut job = Job::new("doctor");
    let mut known = Known::new();
    let mut rest = FIRST_REST.min(settings.interval);
    while !is_stopped_within(&shared, rest).await {
        rest = match pass(&shared, settings, &mut job, &known).await {
            Ended::Whole(found) => {
                known = found;
                settings.interval
            }
            Ended::ByAnother => {
                // What this process found last is no longer how it is.
                known.clear();
                show_violations(&BTreeMap::new());
                OTHERS_REST.min(settings.interval)
            }
            Ended::WithLoop => break,
        };
    }
    job.give_back(&shared).await;
}

/// What a pass found: the invariant, and what it is about.
type Known = HashSet<(Invariant, String)>;

/// What ended a pass.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// Everything was looked at; this was found.
    Whole(Known),
    /// Another process makes it.
    ByAnother,
    WithLoop,
}

/// What one pass has found so far.
#[derive(Debug)]
struct Tally<'k> {
    /// The violations of the last pass, of which the log has told already.
    known: &'k Known,
    found: Known,
    sums: BTreeMap<Invariant, u32>,
    untold: usize,
}

impl Tally<'_> {
    fn add(&mut self, finding: &Finding) {
        let Finding { violation, care } = finding;
        *self.sums.entry(violation.invariant).or_default() += 1;
        count_found(violation.invariant, 1);
        count_mended(violation.invariant, u64::from(*care == Care::Mended));
        if self.found.len() >= LINES_MAX {
            self.untold += 1;
            return;
        }
        let key = (violation.invariant, violation.subject.clone());
        if !self.known.contains(&key) && !self.found.contains(&key) {
            tell(finding);
        }
        self.found.insert(key);
    }

    fn finish(self) -> Known {
        if self.untold > 0 {
            tracing::warn!(
                violations = self.untold,
                "more of the store's promises are broken than the log tells"
            );
        }
        show_violations(&self.sums);
        self.found
    }
}

/// A pass that is under way, for as long as it is this process that makes it.
#[derive(Debug)]
struct Round<'r> {
    shared: &'r Shared,
    job: &'r mut Job,
    checkup: Checkup,
    interval: Duration,
    /// From then on the lease has to be prolonged.
    held_until: Option<Timestamp>,
}

#[derive(Debug)]
enum Step {
    Page(CheckedPage),
    End,
    ByAnother,
}

impl Round<'_> {
    async fn step(&mut self) -> Result<Step, StoreError> {
        let now = self.shared.clock.now();
        if self.held_until.is_none_or(|until| now >= until) {
            let half = self.shared.settings.lease;
            if !self.job.is_ours(self.shared, half).await? {
                return Ok(Step::ByAnother);
            }
            self.held_until = Some(now + half);
        }
        if let Some(page) = self.checkup.next_page().await? {
            return Ok(Step::Page(page));
        }
        // Should this process die, another one makes the next pass when it is due.
        self.job.is_ours(self.shared, self.interval).await?;
        Ok(Step::End)
    }
}

/// One pass. `known` are the violations of the last one.
async fn pass(shared: &Shared, settings: DoctorSettings, job: &mut Job, known: &Known) -> Ended {
    let started = Instant::now();
    let (store, clock) = (Arc::clone(&shared.store), Arc::clone(&shared.clock));
    let mut checkup = Checkup::new(store, clock, shared.settings.has_location_store, settings.mends);
    let rate = settings.rows_per_second.max(1);
    checkup.page_rows = checkup.page_rows.min(usize::try_from(rate).unwrap_or(usize::MAX));
    let mut round = Round { shared, job, checkup, interval: settings.interval, held_until: None };
    let mut tally = Tally { known, found: HashSet::new(), sums: BTreeMap::new(), untold: 0 };
    loop {
        let pause = match round.step().await {
            Ok(Step::Page(page)) => {
                page.findings.iter().for_each(|finding| tally.add(finding));
                if page.findings.iter().any(|finding| finding.care == Care::Mended) {
                    shared.wake.claim();
                    shared.wake.stitch();
                    shared.wake.changed();
                }
                Duration::from_secs(u64::try_from(page.rows).unwrap_or_default()) / rate
            }
            Ok(Step::End) => break,
            Ok(Step::ByAnother) => return Ended::ByAnother,
            Err(error) => {
                shared.outage.mention(&Err::<(), _>(error), "cannot look after the store; trying again");
                REST_AFTER_ERROR
            }
        };
        if is_stopped_within(shared, pause).await {
            return Ended::WithLoop;
        }
    }
    let ended = u32::try_from(shared.clock.now().timestamp()).unwrap_or_default();
    metrics::gauge!("callboard_doctor_pass_timestamp_seconds").set(f64::from(ended));
    metrics::gauge!("callboard_doctor_pass_duration_seconds").set(started.elapsed().as_secs_f64());
    Ended::Whole(tally.finish())
}

fn tell(Finding { violation, care }: &Finding) {
    let Violation { invariant, subject, detail, .. } = violation;
    let done = match care {
        Care::None => "left as it is",
        Care::Mended => invariant.remedy().unwrap_or_default(),
        Care::Gone => "over by now",
        Care::Left => "nothing could be done",
    };
    tracing::warn!(
        invariant = invariant.id(),
        subject,
        detail,
        done,
        "a promise of the store is broken: {}",
        invariant.meaning()
    );
}

fn show_violations(sums: &BTreeMap<Invariant, u32>) {
    for invariant in Invariant::ALL {
        let sum = sums.get(invariant).copied().unwrap_or_default();
        metrics::gauge!("callboard_doctor_violations", "invariant" => invariant.id()).set(f64::from(sum));
    }
}

fn count_found(invariant: Invariant, count: u64) {
    metrics::counter!("catalog_invariant_violations_total", "invariant" => invariant.id()).increment(count);
}

fn count_mended(invariant: Invariant, count: u64) {
    metrics::counter!("catalog_invariant_violations_mended_total", "invariant" => invariant.id())
        .increment(count);
}

/// Rests; answers whether the loop ends.
async fn is_stopped_within(shared: &Shared, rest: Duration) -> bool {
    tokio::time::timeout(rest, shared.stopping.cancelled()).await.is_ok()
}

#[cfg(test)]
mod tests;

//! The pipeline: the ordered processors, with all that a run of them needs.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use callboard_model::format::Validators;
use callboard_model::{Digest, Entity, EntityPolicy, default_policies};
use callboard_sdk::{
    CatalogProcessor, Clock, EntityDataParser, LocationSpec, ScmResolver, SystemClock, YamlParser,
};

use tokio::sync::Semaphore;

use crate::catalog::ProcessorInfo;
use crate::dry_run::PARALLEL_WALKS_MAX;
use crate::order::{Ordered, ProcessorOptions, effective_order};
use crate::settings::RunLimits;
use crate::threads::RunThreads;

/// Raised whenever this crate comes to give another output for the same input.
const PIPELINE_VERSION: u32 = 1;

/// Says which entities may come in through which location.
pub trait RulesEnforcer: Send + Sync + std::fmt::Debug + 'static {
    /// Whether an entity may come in through the location `origin`.
    fn is_allowed(&self, entity: &Entity, origin: &LocationSpec) -> bool;

    /// Changes whenever the rules do.
    fn fingerprint(&self) -> String;
}

/// What a [`Pipeline`] is made of.
#[derive(Debug)]
pub struct PipelineParts {
    /// In the order of registration.
    pub processors: Vec<Arc<dyn CatalogProcessor>>,
    /// By name of the processor.
    pub options: BTreeMap<String, ProcessorOptions>,
    /// For the formats of single fields.
    pub validators: Validators,
    /// Beside the built-in ones, and after them.
    pub policies: Vec<Box<dyn EntityPolicy>>,
    /// Which entities may come in.
    pub rules: Arc<dyn RulesEnforcer>,
    /// Resolves relative targets.
    pub scm: Arc<dyn ScmResolver>,
    /// Types of locations that may be registered, and be named by Locations of another type.
    pub allowed_location_types: Vec<String>,
    /// Turns file contents into entities.
    pub parser: Arc<dyn EntityDataParser>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The limits of a run.
    pub limits: RunLimits,
    /// Where the runs are if code of others takes part in them, which may block the thread that it runs on.
    pub run_threads: Option<RunThreads>,
}

impl PipelineParts {
    /// Parts with the usual defaults.
    pub fn new(rules: Arc<dyn RulesEnforcer>, scm: Arc<dyn ScmResolver>) -> Self {
        Self {
            processors: Vec::new(),
            options: BTreeMap::new(),
            validators: Validators::default(),
            policies: Vec::new(),
            rules,
            scm,
            allowed_location_types: vec!["url".to_owned()],
            parser: Arc::new(YamlParser::default()),
            clock: Arc::new(SystemClock),
            limits: RunLimits::default(),
            run_threads: None,
        }
    }
}

/// The ordered processors, with all that a run of them needs.
#[derive(Debug)]
pub struct Pipeline {
    ordered: Vec<Ordered>,
    policies: Vec<Box<dyn EntityPolicy>>,
    in_force: RwLock<InForce>,
    parse_slots: Arc<Semaphore>,
    walk_slots: Semaphore,
    parts: PipelineParts,
}

/// What can be replaced while the pipeline is at work.
#[derive(Debug, Clone)]
struct InForce {
    rules: Arc<dyn RulesEnforcer>,
    fingerprint: Digest,
}

impl Pipeline {
    /// Orders the processors.
    pub fn new(mut parts: PipelineParts) -> Self {
        let ordered = effective_order(std::mem::take(&mut parts.processors), &parts.options);
        let mut policies = default_policies(std::mem::take(&mut parts.validators));
        policies.append(&mut parts.policies);
        let parse_slots = Arc::new(Semaphore::new(parts.limits.parallel_parses_max));
        let walk_slots = Semaphore::new(PARALLEL_WALKS_MAX);
        let rules = Arc::clone(&parts.rules);
        let fingerprint = fingerprint(&parts, &ordered, &policies, rules.as_ref());
        Self {
            ordered,
            policies,
            in_force: RwLock::new(InForce { rules, fingerprint }),
            parse_slots,
            walk_slots,
            parts,
        }
    }

    /// The processors in their effective order.
    pub fn processors(&self) -> Vec<ProcessorInfo> {
        let info =
            |it: &Ordered| ProcessorInfo { name: it.processor.name().to_owned(), priority: it.priority };
        self.ordered.iter().map(info).collect()
    }

    /// Puts other rules into force; runs that are under way keep the old ones.
    pub fn set_rules(&self, rules: Arc<dyn RulesEnforcer>) {
        let fingerprint = fingerprint(&self.parts, &self.ordered, &self.policies, rules.as_ref());
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = InForce { rules, fingerprint };
    }

    /// Changes whenever the same input may give another output.
    pub fn fingerprint(&self) -> Digest {
        self.in_force().fingerprint
    }

    pub(crate) fn ordered(&self) -> &[Ordered] {
        &self.ordered
    }

    pub(crate) fn processor_name(&self, index: usize) -> &str {
        self.ordered.get(index).map_or("?", |ordered| ordered.processor.name())
    }

    pub(crate) fn policies(&self) -> &[Box<dyn EntityPolicy>] {
        &self.policies
    }

    pub(crate) fn rules(&self) -> Arc<dyn RulesEnforcer> {
        self.in_force().rules
    }

    fn in_force(&self) -> InForce {
        self.in_force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn scm(&self) -> &dyn ScmResolver {
        self.parts.scm.as_ref()
    }

    pub(crate) fn allowed_location_types(&self) -> &[String] {
        &self.parts.allowed_location_types
    }

    pub(crate) fn parser(&self) -> &Arc<dyn EntityDataParser> {
        &self.parts.parser
    }

    pub(crate) fn parse_slots(&self) -> &Arc<Semaphore> {
        &self.parse_slots
    }

    /// Bounds how many dry runs are under way at once: what they bring in is in memory.
    pub(crate) fn walk_slots(&self) -> &Semaphore {
        &self.walk_slots
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.parts.clock.as_ref()
    }

    pub(crate) fn limits(&self) -> RunLimits {
        self.parts.limits
    }

    pub(crate) fn run_threads(&self) -> Option<&RunThreads> {
        self.parts.run_threads.as_ref()
    }
}

#[cfg(test)]
mod tests;

fn fingerprint(
    parts: &PipelineParts,
    ordered: &[Ordered],
    policies: &[Box<dyn EntityPolicy>],
    rules: &dyn RulesEnforcer,
) -> Digest {
    let mut texts = vec![PIPELINE_VERSION.to_string(), rules.fingerprint(), parts.scm.fingerprint()];
    texts.push(parts.parser.fingerprint());
    texts.extend(parts.allowed_location_types.iter().cloned());
    texts.extend(policies.iter().flat_map(|policy| [policy.name().to_owned(), policy.fingerprint()]));
    for ordered in ordered {
        texts.push(ordered.processor.name().to_owned());
        texts.push(ordered.processor.fingerprint());
    }
    Digest::of_parts(texts)
}

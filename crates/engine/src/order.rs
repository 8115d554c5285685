//! The effective order of the processors.

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_sdk::CatalogProcessor;

/// What the configuration says about one processor (`catalog.processorOptions.<name>`).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ProcessorOptions {
    /// Leaves it out.
    pub is_disabled: bool,
    /// Overrides its own priority; also a fraction, to come between two others.
    pub priority: Option<f64>,
}

/// A processor with its effective priority.
#[derive(Debug, Clone)]
pub(crate) struct Ordered {
    pub(crate) processor: Arc<dyn CatalogProcessor>,
    pub(crate) priority: f64,
}

/// Drops the disabled ones, and sorts by priority; equal ones stay in the order of registration.
pub(crate) fn effective_order(
    processors: Vec<Arc<dyn CatalogProcessor>>,
    options: &BTreeMap<String, ProcessorOptions>,
) -> Vec<Ordered> {
    let mut ordered: Vec<_> = processors
        .into_iter()
        .filter_map(|processor| {
            let options = options.get(processor.name()).copied().unwrap_or_default();
            let priority = options.priority.unwrap_or_else(|| processor.priority().into());
            (!options.is_disabled).then_some(Ordered { processor, priority })
        })
        .collect();
    ordered.sort_by(|one, other| one.priority.total_cmp(&other.priority));
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Named(&'static str, i32);

    impl CatalogProcessor for Named {
        fn name(&self) -> &str {
            self.0
        }

        fn priority(&self) -> i32 {
            self.1
        }
    }

    #[test]
    fn sorts_by_priority_then_registration_and_leaves_out_the_disabled() {
        let processors = [Named("a", 20), Named("b", 10), Named("c", 20), Named("d", 20), Named("e", 30)];
        let processors = processors.into_iter().map(|it| Arc::new(it) as Arc<dyn CatalogProcessor>).collect();
        let options = BTreeMap::from([
            ("c".to_owned(), ProcessorOptions { is_disabled: true, priority: None }),
            ("e".to_owned(), ProcessorOptions { is_disabled: false, priority: Some(10.5) }),
            ("unknown".to_owned(), ProcessorOptions::default()),
        ]);
        let order = effective_order(processors, &options);
        let names: Vec<_> = order.iter().map(|it| (it.processor.name(), it.priority)).collect();
        assert_eq!(names, [("b", 10.0), ("e", 10.5), ("a", 20.0), ("d", 20.0)]);
    }
}

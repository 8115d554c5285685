//! A case, and the one way to run a table of them.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A number, and what has to be true of the scene.
pub(crate) type Case<S> = (u16, fn(&S));

/// The numbers of the cases.
pub(crate) fn numbers<S>(cases: &[Case<S>]) -> Vec<u16> {
    cases.iter().map(|case| case.0).collect()
}

/// Runs all cases, also those after one that fails, and names those that failed.
pub(crate) fn check_all<S>(cases: &[Case<S>], scene: &S) {
    let mut failed = Vec::new();
    for (number, check) in cases {
        if catch_unwind(AssertUnwindSafe(|| check(scene))).is_err() {
            eprintln!("... that was C{number:02}\n");
            failed.push(format!("C{number:02}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join(", "));
}

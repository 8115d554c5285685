//! What one process tells the others.

/// What another process may have done. Whoever is told looks for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hint {
    /// It appended to the change log.
    Changed,
    /// It made something due.
    Due,
    /// It left something to be stitched.
    Unstitched,
}

impl Hint {
    /// All there are.
    pub(crate) const ALL: [Self; 3] = [Self::Changed, Self::Due, Self::Unstitched];
}

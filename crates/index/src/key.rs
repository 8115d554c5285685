//! What is known of one key: its values' texts, which entities have it, and its values in order.

use std::sync::OnceLock;

use roaring::RoaringBitmap;

use crate::ordered::OrderedList;
use crate::text_store::TextStore;

/// Stands for "no entry".
pub(crate) const NONE: u32 = u32::MAX;

/// One key of the index.
#[derive(Debug)]
pub(crate) struct Key {
    /// In lower case.
    pub(crate) name: Box<str>,
    /// The distinct values in lower case; their owners are the entries that head them.
    pub(crate) texts: TextStore,
    /// Entities with a value.
    pub(crate) valued: RoaringBitmap,
    /// Entities with more than one.
    pub(crate) multi: RoaringBitmap,
    /// The entry of rows without a value.
    pub(crate) nulls: u32,
    /// How many distinct values there are.
    pub(crate) values: usize,
    /// The heads ordered by value. Made when first asked for, and kept up from then on: of most keys nobody ever asks.
    pub(crate) order: OnceLock<OrderedList>,
}

impl Default for Key {
    fn default() -> Self {
        Self {
            name: Box::default(),
            texts: TextStore::default(),
            valued: RoaringBitmap::new(),
            multi: RoaringBitmap::new(),
            nulls: NONE,
            values: 0,
            order: OnceLock::new(),
        }
    }
}

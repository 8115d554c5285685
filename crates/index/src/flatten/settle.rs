//! What a whole entity's rows mean together: which of two equal ones counts, and which items give a key of their own.

use std::hash::BuildHasher;

use super::{Draft, Flattener, Row, Rows};

impl Flattener {
    pub(super) fn settle(mut self) -> Rows {
        self.settle_keys();
        self.settle_values();
        self.rows
    }

    /// Goes through the drafts key by key. They are brought together by hash: sorting texts that begin alike for
    /// fifty characters would take longer than all the rest.
    fn settle_keys(&mut self) {
        let mut order: Vec<(u64, usize)> = self
            .drafts
            .iter()
            .enumerate()
            .map(|(at, draft)| (self.hasher.hash_one(self.rows.span(draft.row.key)), at))
            .collect();
        order.sort_unstable();
        for group in order.chunk_by(|(a, _), (b, _)| a == b) {
            self.settle_key(group);
        }
    }

    /// Drafts of one key, in the order in which they were found.
    fn settle_key(&mut self, group: &[(u64, usize)]) {
        let mut is_true = false;
        let mut has_row = false;
        let mut is_given = false;
        for (_, at) in group {
            let Some(&draft) = self.drafts.get(*at) else { continue };
            if let Some(item) = draft.item_of {
                // An item whose key is `true` already gives none; nor does one after a row with that text.
                if !is_true && !has_row {
                    is_given = true;
                    self.give_key(item);
                }
                is_true = true;
                continue;
            }
            is_true |= draft.is_true;
            if self.is_row_true(draft) {
                has_row = true;
                if is_given {
                    self.respell(*at);
                }
            }
        }
    }

    fn give_key(&mut self, item: usize) {
        if let Some(item) = self.drafts.get_mut(item) {
            item.row.is_item = true;
        }
    }

    fn is_row_true(&self, draft: Draft) -> bool {
        draft.row.value.is_some_and(|(lower, _)| self.rows.span(lower) == "true")
    }

    /// Of equal rows the first one counts: a row `TRUE` after an item whose key has the value `true` is spelled so.
    fn respell(&mut self, at: usize) {
        if let Some(Draft { row: Row { value: Some((lower, original)), .. }, .. }) = self.drafts.get_mut(at) {
            *original = *lower;
        }
    }

    /// Keeps the first of equal rows.
    fn settle_values(&mut self) {
        let mut order: Vec<(u64, usize)> = Vec::with_capacity(self.drafts.len());
        for (at, draft) in self.drafts.iter().enumerate().filter(|(_, draft)| draft.item_of.is_none()) {
            let value = draft.row.value.map(|(lower, _)| self.rows.span(lower));
            order.push((self.hasher.hash_one((self.rows.span(draft.row.key), value)), at));
        }
        order.sort_unstable();
        let mut rows: Vec<Row> = Vec::with_capacity(order.len());
        for group in order.chunk_by(|(a, _), (b, _)| a == b) {
            let mut members = group.iter().filter_map(|(_, at)| self.drafts.get(*at));
            let Some(first) = members.next() else { continue };
            let is_item = first.row.is_item || members.any(|other| other.row.is_item);
            rows.push(Row { is_item, ..first.row });
        }
        self.rows.rows = rows;
    }
}

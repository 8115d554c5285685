//! What a whole entity's rows mean together: which of two equal ones counts, which items give a key of their own,
//! and whether keys differ in nothing but casing.

use std::hash::BuildHasher;

use super::{FlattenError, Flattener, Row, Rows};
use crate::limits::KEY_UNITS_MAX;
use crate::text::utf16_len;

impl Flattener {
    pub(super) fn settle(mut self) -> Result<Rows, FlattenError> {
        self.settle_keys()?;
        self.settle_values();
        Ok(self.rows)
    }

    /// Goes through the drafts key by key. They are brought together by hash: sorting texts that begin alike for
    /// fifty characters would take longer than all the rest.
    fn settle_keys(&mut self) -> Result<(), FlattenError> {
        let mut order: Vec<(u64, usize)> = self
            .drafts
            .iter()
            .enumerate()
            .map(|(at, draft)| (self.hasher.hash_one(self.rows.span(draft.row.key)), at))
            .collect();
        order.sort_unstable();
        let mut conflicts: Vec<(usize, String)> = Vec::new();
        for group in order.chunk_by(|(a, _), (b, _)| a == b) {
            self.settle_key(group, &mut conflicts);
        }
        if conflicts.is_empty() {
            return Ok(());
        }
        conflicts.sort_unstable();
        Err(FlattenError::CasingConflict(conflicts.into_iter().map(|(_, key)| key).collect()))
    }

    /// Drafts of one key, in the order in which they were found.
    fn settle_key(&mut self, group: &[(u64, usize)], conflicts: &mut Vec<(usize, String)>) {
        let mut spelling = None;
        let mut is_true = false;
        let mut is_given = false;
        for (_, at) in group {
            let Some(&draft) = self.drafts.get(*at) else { continue };
            // An item whose key is `true` already, in whatever casing, gives none.
            if draft.item_of.is_some() && is_true {
                continue;
            }
            let own = self.rows.span(draft.key_original);
            match spelling {
                None => spelling = Some(draft.key_original),
                Some(first) if self.rows.span(first) != own => {
                    conflicts.push((*at, self.rows.span(draft.row.key).to_owned()));
                }
                Some(_) => {}
            }
            is_true |= draft.is_true || draft.item_of.is_some();
            if is_given && self.is_row_true(*at) {
                self.drop_other_spelling(*at);
            }
            if let Some(item) = draft.item_of
                && !group
                    .iter()
                    .take_while(|(_, other)| other < at)
                    .any(|(_, other)| self.is_row_true(*other))
                && utf16_len(self.rows.span(draft.row.key)) <= KEY_UNITS_MAX
            {
                is_given = true;
                if let Some(item) = self.drafts.get_mut(item) {
                    item.row.is_item = true;
                }
            }
        }
    }

    fn is_row_true(&self, at: usize) -> bool {
        self.drafts.get(at).is_some_and(|draft| {
            draft.item_of.is_none()
                && draft.row.value.is_some_and(|(lower, _)| self.rows.span(lower) == "true")
        })
    }

    /// Drops a row `TRUE` after an item whose key has the value `true`: the first of equal rows counts. An item stays,
    /// as a key of its own follows from it.
    fn drop_other_spelling(&mut self, at: usize) {
        let is_item = self.drafts.get(at + 1).is_some_and(|next| next.item_of == Some(at));
        if !is_item && let Some(draft) = self.drafts.get_mut(at) {
            draft.item_of = Some(at);
        }
    }

    /// Keeps the first of equal rows.
    fn settle_values(&mut self) {
        let mut order: Vec<(u64, usize)> = Vec::with_capacity(self.drafts.len());
        for (at, draft) in self.drafts.iter().enumerate() {
            let key = self.rows.span(draft.row.key);
            if draft.item_of.is_some() || utf16_len(key) > KEY_UNITS_MAX {
                continue;
            }
            let value = draft.row.value.map(|(lower, _)| self.rows.span(lower));
            order.push((self.hasher.hash_one((key, value)), at));
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

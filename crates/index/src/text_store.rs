//! Texts one after the other in a few large pieces of memory.
//!
//! This is what makes searching within values quick: a substring is looked for in a contiguous buffer, with no pointer
//! to follow for each value. The buffer is cut into segments, so that closing the gaps that removed texts leave moves
//! one segment and never all of it.

use memchr::memmem::Finder;

/// Bytes of a segment; offsets within it are 16 bits.
const SEGMENT_BYTES: usize = 1 << 16;

/// Stands between two texts. No UTF-8 text contains it, so no search finds anything across a border.
const SEPARATOR: u8 = 0xff;

/// The owner of a removed text.
const NOBODY: u32 = u32::MAX;

/// Texts, each with an owner, which is told when its text moves.
#[derive(Debug, Default)]
pub(crate) struct TextStore {
    segments: Vec<Segment>,
    /// The segment that takes new texts.
    open: usize,
    /// Segments in which removed texts left room.
    roomy: Vec<usize>,
}

#[derive(Debug, Default)]
struct Segment {
    bytes: Vec<u8>,
    starts: Vec<u16>,
    owners: Vec<u32>,
    dead_bytes: usize,
}

/// A text that moved: its owner and where it is now.
pub(crate) type Move = (u32, u32);

impl TextStore {
    /// Adds a text of less than a segment. The result is its position.
    pub(crate) fn push(&mut self, text: &[u8], owner: u32) -> u32 {
        let needed = text.len() + 1;
        if self.segments.get(self.open).is_none_or(|segment| segment.bytes.len() + needed > SEGMENT_BYTES) {
            self.open_segment(needed);
        }
        let Some(segment) = self.segments.get_mut(self.open) else { return u32::MAX };
        let offset = segment.bytes.len();
        segment.bytes.extend_from_slice(text);
        segment.bytes.push(SEPARATOR);
        segment.starts.push(u16::try_from(offset).unwrap_or(u16::MAX));
        segment.owners.push(owner);
        position(self.open, offset)
    }

    fn open_segment(&mut self, needed: usize) {
        if let Some(full) = self.segments.get_mut(self.open) {
            full.bytes.shrink_to_fit();
            full.starts.shrink_to_fit();
            full.owners.shrink_to_fit();
        }
        while let Some(candidate) = self.roomy.pop() {
            let len = self.segments.get(candidate).map_or(SEGMENT_BYTES, |segment| segment.bytes.len());
            if len + needed <= SEGMENT_BYTES {
                self.open = candidate;
                return;
            }
        }
        self.open = self.segments.len();
        self.segments.push(Segment::default());
    }

    /// The text at a position.
    pub(crate) fn get(&self, position: u32, len: u16) -> &[u8] {
        let (segment, offset) = place(position);
        let bytes = self.segments.get(segment).map_or(&[][..], |segment| &segment.bytes);
        bytes.get(offset..offset + usize::from(len)).unwrap_or_default()
    }

    /// Removes a text. The result is what moved by it, which is nothing most of the time.
    #[must_use]
    pub(crate) fn remove(&mut self, position: u32, len: u16) -> Vec<Move> {
        let (at, offset) = place(position);
        let Some(segment) = self.segments.get_mut(at) else { return Vec::new() };
        let Some(owner) = segment.owner_slot(offset) else { return Vec::new() };
        *owner = NOBODY;
        segment.dead_bytes += usize::from(len) + 1;
        if segment.dead_bytes * 2 <= segment.bytes.len() {
            return Vec::new();
        }
        let moves = segment.compact(at);
        if at != self.open && !self.roomy.contains(&at) {
            self.roomy.push(at);
        }
        moves
    }

    /// The owners of all texts, in no particular order.
    pub(crate) fn owners(&self) -> impl Iterator<Item = u32> {
        self.segments.iter().flat_map(|segment| &segment.owners).copied().filter(|owner| *owner != NOBODY)
    }

    /// Calls `found` with the owner of each text that contains `needle`.
    pub(crate) fn search(&self, needle: &[u8], mut found: impl FnMut(u32)) {
        let finder = Finder::new(needle);
        for segment in &self.segments {
            segment.search(&finder, &mut found);
        }
    }
}

impl Segment {
    fn owner_slot(&mut self, offset: usize) -> Option<&mut u32> {
        let start = u16::try_from(offset).ok()?;
        let at = self.starts.binary_search(&start).ok()?;
        self.owners.get_mut(at)
    }

    fn search(&self, finder: &Finder<'_>, found: &mut impl FnMut(u32)) {
        let mut from = 0;
        while let Some(hit) = self.bytes.get(from..).and_then(|rest| finder.find(rest)) {
            let next = self.starts.partition_point(|start| usize::from(*start) <= from + hit);
            if let Some(owner) = next.checked_sub(1).and_then(|at| self.owners.get(at))
                && *owner != NOBODY
            {
                found(*owner);
            }
            // One hit in a text is enough.
            let Some(start) = self.starts.get(next) else { return };
            from = usize::from(*start);
        }
    }

    /// Closes the gaps.
    fn compact(&mut self, at: usize) -> Vec<Move> {
        let old = std::mem::take(self);
        let ends = old.starts.iter().skip(1).map(|start| usize::from(*start)).chain([old.bytes.len()]);
        let live = old.bytes.len() - old.dead_bytes.min(old.bytes.len());
        self.bytes.reserve_exact(live);
        let mut moves = Vec::new();
        for ((start, end), owner) in old.starts.iter().zip(ends).zip(&old.owners) {
            if *owner == NOBODY {
                continue;
            }
            let offset = self.bytes.len();
            self.bytes.extend_from_slice(old.bytes.get(usize::from(*start)..end).unwrap_or_default());
            self.starts.push(u16::try_from(offset).unwrap_or(u16::MAX));
            self.owners.push(*owner);
            moves.push((*owner, position(at, offset)));
        }
        moves
    }
}

/// 2^16 segments of 2^16 bytes: 4 GiB for the values of one key.
fn position(segment: usize, offset: usize) -> u32 {
    u32::try_from(segment * SEGMENT_BYTES + offset).unwrap_or(u32::MAX)
}

fn place(position: u32) -> (usize, usize) {
    let position = position as usize;
    (position / SEGMENT_BYTES, position % SEGMENT_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(store: &TextStore, needle: &str) -> Vec<u32> {
        let mut owners = Vec::new();
        store.search(needle.as_bytes(), |owner| owners.push(owner));
        owners.sort_unstable();
        owners
    }

    #[test]
    fn a_search_stays_within_texts_and_names_each_once() {
        let mut store = TextStore::default();
        for (owner, text) in ["abab", "ba", "", "xaby"].into_iter().enumerate() {
            store.push(text.as_bytes(), u32::try_from(owner).unwrap());
        }
        assert_eq!(found(&store, "ab"), [0, 3]);
        assert_eq!(found(&store, "ba"), [0, 1]);
        assert_eq!(found(&store, "bb"), [0_u32; 0]);
    }

    #[test]
    fn removed_texts_leave_no_memory_behind() {
        let mut store = TextStore::default();
        let text_of = |owner: u32| format!("text {} of round {}", owner % 5000, owner / 5000);
        let mut positions = std::collections::BTreeMap::new();
        for owner in 0..100_000_u32 {
            positions.insert(owner, store.push(text_of(owner).as_bytes(), owner));
            let Some(old) = owner.checked_sub(5000) else { continue };
            let at = positions.remove(&old).unwrap();
            for (moved, to) in store.remove(at, u16::try_from(text_of(old).len()).unwrap()) {
                positions.insert(moved, to);
            }
        }
        for (owner, at) in &positions {
            let text = text_of(*owner);
            assert_eq!(store.get(*at, u16::try_from(text.len()).unwrap()), text.as_bytes());
        }
        let bytes: usize = store.segments.iter().map(|segment| segment.bytes.len()).sum();
        let live: usize = positions.keys().map(|owner| text_of(*owner).len() + 1).sum();
        assert!(bytes < live * 3, "{bytes} for {live}");
        assert_eq!(store.owners().count(), 5000);
        assert_eq!(found(&store, "text 4999 of round 19"), [99_999]);
        assert_eq!(found(&store, "round 18"), [0_u32; 0]);
    }
}

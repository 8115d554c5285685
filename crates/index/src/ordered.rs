//! A list of handles that is kept in order: chunks of bounded length, so that an insertion moves a kilobyte at most
//! however long the list is.

use std::cmp::Ordering;

/// A chunk of this length is cut in two.
const CHUNK_LEN_MAX: usize = 512;

/// How full chunks are after building: there is room for insertions anywhere.
const CHUNK_LEN_BUILT: usize = 384;

/// Handles in an order that the caller's comparisons define.
#[derive(Debug, Default)]
pub(crate) struct OrderedList {
    /// None is empty.
    chunks: Vec<Vec<u32>>,
}

/// Between which two handles of the list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    chunk: usize,
    place: usize,
}

impl OrderedList {
    pub(crate) fn from_sorted(handles: &[u32]) -> Self {
        Self { chunks: handles.chunks(CHUNK_LEN_BUILT).map(<[u32]>::to_vec).collect() }
    }

    /// The position before the first handle for which `is_before` is false. It must be true for all handles up to
    /// some place, and false from there on.
    pub(crate) fn position(&self, is_before: impl Fn(u32) -> bool) -> Position {
        let chunk =
            self.chunks.partition_point(|chunk| chunk.last().is_some_and(|handle| is_before(*handle)));
        let place =
            self.chunks.get(chunk).map_or(0, |handles| handles.partition_point(|handle| is_before(*handle)));
        Position { chunk, place }
    }

    /// Adds a handle; `compare` says how another one stands to it.
    pub(crate) fn insert(&mut self, handle: u32, compare: impl Fn(u32) -> Ordering) {
        let Position { mut chunk, mut place } = self.position(|other| compare(other) == Ordering::Less);
        if chunk == self.chunks.len() {
            // After the last one: at the end of the last chunk.
            match self.chunks.len().checked_sub(1).zip(self.chunks.last()) {
                Some((last, handles)) => (chunk, place) = (last, handles.len()),
                None => self.chunks.push(Vec::new()),
            }
        }
        let Some(handles) = self.chunks.get_mut(chunk) else { return };
        handles.insert(place, handle);
        if handles.len() > CHUNK_LEN_MAX {
            let upper = handles.split_off(handles.len() / 2);
            handles.shrink_to(CHUNK_LEN_BUILT);
            self.chunks.insert(chunk + 1, upper);
        }
    }

    /// Takes a handle out; `compare` says how another one stands to it.
    pub(crate) fn remove(&mut self, handle: u32, compare: impl Fn(u32) -> Ordering) {
        let Position { chunk, place } = self.position(|other| compare(other) == Ordering::Less);
        let Some(handles) = self.chunks.get_mut(chunk) else { return };
        if handles.get(place) == Some(&handle) {
            handles.remove(place);
        }
        if handles.is_empty() {
            self.chunks.remove(chunk);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.chunks.iter().flatten().copied()
    }

    /// The handles after a position, forwards.
    pub(crate) fn after(&self, position: Position) -> impl Iterator<Item = u32> {
        let mut chunks = self.chunks.get(position.chunk..).unwrap_or_default().iter();
        let first = chunks.next().and_then(|chunk| chunk.get(position.place..)).unwrap_or_default();
        first.iter().chain(chunks.flatten()).copied()
    }

    /// The handles from one position to another.
    pub(crate) fn between(&self, start: Position, end: Position) -> impl Iterator<Item = u32> {
        let chunks = self.chunks.iter().enumerate().skip(start.chunk);
        chunks.take_while(move |(at, _)| *at <= end.chunk).flat_map(move |(at, chunk)| {
            let from = if at == start.chunk { start.place } else { 0 };
            let to = if at == end.chunk { end.place } else { chunk.len() };
            chunk.get(from..to).unwrap_or_default().iter().copied()
        })
    }

    /// The handles before a position, backwards.
    pub(crate) fn before(&self, position: Position) -> impl Iterator<Item = u32> {
        let chunk = self.chunks.get(position.chunk);
        let first = chunk.and_then(|chunk| chunk.get(..position.place)).unwrap_or_default();
        let chunks = self.chunks.get(..position.chunk.min(self.chunks.len())).unwrap_or_default();
        first.iter().rev().chain(chunks.iter().rev().flat_map(|chunk| chunk.iter().rev())).copied()
    }

    pub(crate) fn end(&self) -> Position {
        Position { chunk: self.chunks.len(), place: 0 }
    }

    pub(crate) fn start() -> Position {
        Position { chunk: 0, place: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_in_order_while_handles_come_and_go() {
        let mut list = OrderedList::from_sorted(&(0..2000).map(|n| n * 2).collect::<Vec<u32>>());
        let odd: Vec<u32> = (0..2000).map(|n| n * 7919 % 2000 * 2 + 1).collect();
        for handle in &odd {
            list.insert(*handle, |other| other.cmp(handle));
        }
        assert!(list.iter().eq(0..4000));
        let middle = list.position(|other| other < 1234);
        assert!(list.after(middle).eq(1234..4000));
        for (from, to) in [(0, 0), (0, 4000), (10, 12), (1234, 3999), (4000, 4000)] {
            let position = |place| list.position(|other| other < place);
            assert!(list.between(position(from), position(to)).eq(from..to), "{from}..{to}");
        }
        assert!(list.before(middle).eq((0..1234).rev()));
        assert!(list.before(list.end()).eq((0..4000).rev()));
        assert!(list.after(OrderedList::start()).eq(0..4000));
        for handle in &odd {
            list.remove(*handle, |other| other.cmp(handle));
        }
        assert!(list.iter().eq((0..2000).map(|n| n * 2)));
        for handle in (0..2000).map(|n| n * 2) {
            list.remove(handle, |other| other.cmp(&handle));
        }
        assert_eq!(list.iter().next(), None);
        list.insert(5, |other| other.cmp(&5));
        assert!(list.after(OrderedList::start()).eq([5]));
    }
}

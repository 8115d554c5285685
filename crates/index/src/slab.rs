//! A growing table of values behind small handles, in pages: growing never moves what is there, so an insertion never
//! takes long, and no memory is held for growth beyond a page.

const PAGE_LEN: usize = 1024;

/// Values behind `u32` handles, which are used again after removal. A vacant place holds the default value.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    pages: Vec<Vec<T>>,
    vacant: Vec<u32>,
    /// Handles that were ever given out.
    used: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { pages: Vec::new(), vacant: Vec::new(), used: 0 }
    }
}

impl<T: Default> Slab<T> {
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(handle) = self.vacant.pop() {
            if let Some(place) = self.get_mut(handle) {
                *place = value;
            }
            return handle;
        }
        let handle = u32::try_from(self.used).unwrap_or(u32::MAX);
        self.used += 1;
        match self.pages.last_mut() {
            Some(page) if page.len() < PAGE_LEN => {
                page.push(value);
            }
            // The first page grows on its own, for slabs that stay small.
            None => self.pages.push(vec![value]),
            Some(_) => {
                let mut page = Vec::with_capacity(PAGE_LEN);
                page.push(value);
                self.pages.push(page);
            }
        }
        handle
    }

    pub(crate) fn get(&self, handle: u32) -> Option<&T> {
        let handle = handle as usize;
        self.pages.get(handle / PAGE_LEN)?.get(handle % PAGE_LEN)
    }

    pub(crate) fn get_mut(&mut self, handle: u32) -> Option<&mut T> {
        let handle = handle as usize;
        self.pages.get_mut(handle / PAGE_LEN)?.get_mut(handle % PAGE_LEN)
    }

    /// Takes a value out; its handle will be given out again. Must not be called twice for one insertion.
    pub(crate) fn remove(&mut self, handle: u32) -> T {
        let Some(place) = self.get_mut(handle) else { return T::default() };
        let value = std::mem::take(place);
        self.vacant.push(handle);
        value
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.used - self.vacant.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_used_again() {
        let mut slab = Slab::default();
        let handles: Vec<u32> = (0..3000_u32).map(|value| slab.insert(value)).collect();
        assert_eq!(handles.last(), Some(&2999));
        assert_eq!(slab.remove(1500), 1500);
        assert_eq!(slab.len(), 2999);
        assert_eq!(slab.insert(7), 1500);
        assert_eq!(slab.get(1500), Some(&7));
        assert_eq!(slab.get(3000), None);
    }
}

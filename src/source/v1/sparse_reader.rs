//! A reader of a block's contents for an access pattern with gaps: small reads that mostly move forward.

use crate::cache::Cache;
use crate::extent::VirtualFile;
use crate::format::v1::Window;
use crate::source::v1::error::FileError;

/// The minimum number of bytes that are read at once: in a block of small values, the next read is nearby.
const PAGE: usize = 4 << 10;

/// Some contents, and the page of them that was read last.
pub(crate) struct SparseReader {
    contents: VirtualFile,
    at: u64,
    page: Vec<u8>,
    cache: Cache,
}

impl SparseReader {
    pub(crate) fn of(contents: VirtualFile) -> Self {
        Self { contents, at: 0, page: Vec::new(), cache: Cache::new(0) }
    }

    fn turn_to(&mut self, at: u64, len: usize) -> Result<(), FileError> {
        let left = self.contents.len().saturating_sub(at);
        self.page.clear();
        self.page.resize(len.max(PAGE).min(usize::try_from(left).unwrap_or(usize::MAX)), 0);
        self.at = at;
        self.contents.read_at(&self.cache, &mut self.page, at)?;
        Ok(())
    }

    fn held(&self, at: u64) -> Option<&[u8]> {
        let skip = usize::try_from(at.checked_sub(self.at)?).ok()?;
        self.page.get(skip..)
    }
}

impl Window for SparseReader {
    type Error = FileError;

    fn bytes(&mut self, at: u64, len: usize) -> Result<&[u8], FileError> {
        let is_held = self.held(at).is_some_and(|held| held.len() >= len);
        if !is_held {
            self.turn_to(at, len)?;
        }
        let held = self.held(at).unwrap_or_default();
        Ok(held.get(..len).unwrap_or(held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_range_is_read_in_any_order_and_is_short_only_at_the_end() {
        let bytes: Vec<u8> = (0..10_000u32).map(|n| (n % 251) as u8).collect();
        let mut pages = SparseReader::of(bytes.clone().into());
        for (at, len) in [(0, 10), (5, 4096), (4090, 20), (9_990, 20), (100, 9_000), (10_000, 1), (20_000, 1)]
        {
            let rest = bytes.get(at..).unwrap_or_default();
            let expected = &rest[..len.min(rest.len())];
            assert_eq!(pages.bytes(at as u64, len).unwrap(), expected, "{at}+{len}");
        }
    }
}

//! The narrow waist: every file that ckptfs shows is an ordered list of extents.
//!
//! Sources say *where* a tensor's bytes are, views *in what order* to present them; neither knows of the kernel, and the
//! kernel adapter knows only this.
//!
//! Invariants of [`VirtualFile`]: no extent is empty, `ends` is strictly increasing, and the length is known without
//! reading any data.

use std::hash::{Hash, Hasher};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::cache::{Cache, Decode};
use crate::source_file::SourceFile;

/// A contiguous run of a virtual file.
#[derive(Clone)]
pub enum Extent {
    /// Bytes we made: a header, an index.
    Inline(Arc<[u8]>),
    /// Bytes of a source file, unchanged.
    #[allow(missing_docs, reason = "`len` bytes of `shard` from `offset`")]
    Range { shard: Arc<SourceFile>, offset: u64, len: u64 },
    /// `len` bytes computed on first use, through the cache.
    #[allow(missing_docs, reason = "as above")]
    Decoded { data: Arc<dyn Decode>, len: u64 },
    /// `len` bytes from `offset` of the `whole` that is decoded so: its pieces are shared with other parts.
    #[allow(missing_docs, reason = "as above")]
    Part { data: Arc<dyn Decode>, whole: u64, offset: u64, len: u64 },
}

impl Extent {
    /// Length in bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Range { len, .. } | Self::Decoded { len, .. } | Self::Part { len, .. } => *len,
        }
    }

    /// Whether there are no bytes.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where it stands in a source file, if it does: the file, the offset and the length.
    pub fn range(&self) -> Option<(&Arc<SourceFile>, u64, u64)> {
        match self {
            Self::Range { shard, offset, len } => Some((shard, *offset, *len)),
            Self::Inline(_) | Self::Decoded { .. } | Self::Part { .. } => None,
        }
    }

    /// As [`Decode::recipe`].
    fn fingerprint(&self, mut to: &mut dyn Hasher) -> Option<()> {
        std::mem::discriminant(self).hash(&mut to);
        match self {
            Self::Inline(bytes) => bytes.hash(&mut to),
            Self::Range { shard, offset, len } => {
                (offset, len).hash(&mut to);
                shard.fingerprint(to)?;
            }
            Self::Decoded { data, len } => {
                len.hash(&mut to);
                data.fingerprint(to)?;
            }
            Self::Part { data, whole, offset, len } => {
                (whole, offset, len).hash(&mut to);
                data.fingerprint(to)?;
            }
        }
        Some(())
    }

    /// Fills `buf` with the extent's bytes from `at`; the caller keeps within its length.
    fn read_exact_at(&self, cache: &Cache, buf: &mut [u8], at: u64) -> io::Result<()> {
        match self {
            Self::Inline(bytes) => buf.copy_from_slice(&bytes[at as usize..][..buf.len()]),
            Self::Range { shard, offset, .. } => shard.read_exact_at(buf, offset + at)?,
            Self::Decoded { data, len } => cache.read(data, *len, buf, at)?,
            Self::Part { data, whole, offset, .. } => cache.read(data, *whole, buf, offset + at)?,
        }
        Ok(())
    }

    /// The bytes `range` of it, which are there. Nothing is read; bytes we made are copied.
    fn part(&self, range: Range<u64>) -> Self {
        let (at, len) = (range.start, range.end - range.start);
        match self {
            whole if len == whole.len() => whole.clone(),
            Self::Inline(bytes) => Self::Inline(bytes[at as usize..range.end as usize].into()),
            Self::Range { shard, offset, .. } => {
                Self::Range { shard: shard.clone(), offset: offset + at, len }
            }
            Self::Decoded { data, len: whole } => {
                Self::Part { data: data.clone(), whole: *whole, offset: at, len }
            }
            Self::Part { data, whole, offset, .. } => {
                Self::Part { data: data.clone(), whole: *whole, offset: offset + at, len }
            }
        }
    }
}

impl From<Vec<u8>> for Extent {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Inline(bytes.into())
    }
}

/// A file that exists only as a recipe.
#[derive(Clone, Default)]
pub struct VirtualFile {
    extents: Vec<Extent>,
    /// `ends[i]` is the file offset just past `extents[i]`.
    ends: Vec<u64>,
}

impl VirtualFile {
    /// A file of the source from end to end; empty if it could not be opened.
    pub(crate) fn whole(shard: impl Into<Arc<SourceFile>>) -> Self {
        let shard = shard.into();
        let len = shard.size().unwrap_or(0);
        [Extent::Range { shard, offset: 0, len }].into_iter().collect()
    }

    /// Whether all of it was made and is in memory.
    pub fn is_inline(&self) -> bool {
        self.extents.iter().all(|extent| matches!(extent, Extent::Inline(_)))
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buf` from `offset` and returns how many bytes there were: fewer than asked for only at the end.
    ///
    /// # Errors
    /// Those of the shards and decoders; never a short count instead.
    pub fn read_at(&self, cache: &Cache, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let end = self.len().min(offset.saturating_add(buf.len() as u64));
        let mut at = offset;
        let mut i = self.ends.partition_point(|&end| end <= offset);
        while at < end {
            let start = self.ends[i] - self.extents[i].len();
            let stop = self.ends[i].min(end);
            let out = &mut buf[(at - offset) as usize..(stop - offset) as usize];
            self.extents[i].read_exact_at(cache, out, at - start)?;
            at = stop;
            i += 1;
        }
        Ok((at - offset) as usize)
    }

    /// As [`Decode::recipe`], of all of it.
    pub(crate) fn fingerprint(&self, mut to: &mut dyn Hasher) -> Option<()> {
        self.extents.len().hash(&mut to);
        self.extents.iter().try_for_each(|extent| extent.fingerprint(to))
    }

    /// Whether some of it is decoded [in bands](Decode::in_bands).
    pub(crate) fn reads_whole_bands(&self) -> bool {
        self.extents.iter().any(|extent| match extent {
            Extent::Decoded { data, .. } | Extent::Part { data, .. } => data.reads_whole_bands(),
            Extent::Inline(_) | Extent::Range { .. } => false,
        })
    }

    /// Whether all of it is in files or in memory, or as good as that: [cheap](Decode::is_cheap) to make.
    pub(crate) fn skip_cache(&self) -> bool {
        self.extents.iter().all(|extent| match extent {
            Extent::Decoded { data, .. } | Extent::Part { data, .. } => data.skip_cache(),
            Extent::Inline(_) | Extent::Range { .. } => true,
        })
    }

    /// The extents of the bytes `range`, which are there.
    pub fn cut(&self, range: Range<u64>) -> Vec<Extent> {
        let first = self.ends.partition_point(|&end| end <= range.start);
        let mut cut = Vec::new();
        for (extent, &end) in self.extents.iter().zip(&self.ends).skip(first) {
            let start = end - extent.len();
            if start >= range.end {
                break;
            }
            cut.push(extent.part(range.start.max(start) - start..range.end.min(end) - start));
        }
        cut
    }

    /// The shard this file is byte for byte, if it is one: the kernel can read such a file by itself.
    pub fn whole_file(&self) -> Option<&Arc<SourceFile>> {
        match self.extents.as_slice() {
            [Extent::Range { shard, offset: 0, len }] if Some(*len) == shard.size() => Some(shard),
            _ => None,
        }
    }

    /// The shard and offset at which `offset..offset + len` of this file stands in one piece.
    pub fn within_file(&self, offset: u64, len: u64) -> Option<(&Arc<SourceFile>, u64)> {
        let i = self.ends.partition_point(|&end| end <= offset);
        let Extent::Range { shard, offset: base, len: run } = self.extents.get(i)? else { return None };
        let at = offset - (self.ends[i] - run);
        (at.checked_add(len)? <= *run).then_some((shard, base + at))
    }

    /// Checks that every source file it is made of is still the one that was planned.
    ///
    /// # Errors
    /// `EIO` or `ESTALE`, as [`Shard::verify`].
    pub fn verify(&self) -> io::Result<()> {
        let mut seen: Option<&Arc<SourceFile>> = None;
        for extent in &self.extents {
            match extent {
                Extent::Range { shard, .. } if seen.is_some_and(|last| Arc::ptr_eq(last, shard)) => {}
                Extent::Range { shard, .. } => {
                    shard.verify()?;
                    seen = Some(shard);
                }
                Extent::Decoded { data, .. } | Extent::Part { data, .. } => data.verify()?,
                Extent::Inline(_) => {}
            }
        }
        Ok(())
    }
}

impl FromIterator<Extent> for VirtualFile {
    fn from_iter<I: IntoIterator<Item = Extent>>(extents: I) -> Self {
        let mut file = Self::default();
        for extent in extents.into_iter().filter(|extent| !extent.is_empty()) {
            file.ends.push(file.len() + extent.len());
            file.extents.push(extent);
        }
        file
    }
}

impl From<Vec<u8>> for VirtualFile {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from_iter([Extent::from(bytes)])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cache::Identity;

    /// The bytes from `first` on, in pieces of five.
    struct Counting {
        first: u8,
    }

    impl Decode for Counting {
        fn identity(&self) -> Identity {
            Identity { of: std::ptr::from_ref(self).addr(), to: "counting" }
        }

        fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
            assert!(at.is_multiple_of(5) && len <= 5, "{at}, {len}");
            Ok((at..at + len as u64).map(|i| self.first + i as u8).collect())
        }

        fn block_len(&self) -> u64 {
            5
        }
    }

    fn bytes(file: &VirtualFile, budget: usize) -> Vec<u8> {
        let mut bytes = vec![0; file.len() as usize];
        assert_eq!(file.read_at(&Cache::new(budget), &mut bytes, 0).unwrap(), bytes.len());
        bytes
    }

    proptest! {
        #[test]
        fn a_cut_of_a_cut_is_that_range_of_the_bytes(
            lens in prop::collection::vec((any::<bool>(), 0u64..30), 0..5),
            (a, b, c, d) in (0u64..130, 0u64..130, 0u64..130, 0u64..130),
        ) {
            let extent = |(i, &(made, len)): (usize, &(bool, u64))| match made {
                true => Extent::from((0..len as u8).map(|j| i as u8 * 40 + j).collect::<Vec<_>>()),
                false => Extent::Decoded { data: Arc::new(Counting { first: i as u8 * 40 }), len },
            };
            let file: VirtualFile = lens.iter().enumerate().map(extent).collect();
            let whole = bytes(&file, 100);
            let range = |len: u64, a: u64, b: u64| a.min(b).min(len)..a.max(b).min(len);
            let outer = range(file.len(), a, b);
            let cut: VirtualFile = file.cut(outer.clone()).into_iter().collect();
            let inner = range(cut.len(), c, d);
            let twice: VirtualFile = cut.cut(inner.clone()).into_iter().collect();
            let want = &whole[outer.start as usize..outer.end as usize];
            for budget in [0, 100] {
                prop_assert_eq!(&bytes(&cut, budget)[..], want);
                prop_assert_eq!(&bytes(&twice, budget)[..], &want[inner.start as usize..inner.end as usize]);
            }
        }
    }
}

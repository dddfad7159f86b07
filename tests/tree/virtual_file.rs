//! A virtual file compared with its model, the concatenated bytes of its extents.

use std::io;
use std::sync::Arc;

use ckptfs::cache::{Cache, Decode, Identity};
use ckptfs::extent::{Extent, VirtualFile};
use ckptfs::source_file::SourceFile;
use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;

/// A description of an extent.
#[derive(Clone, Debug)]
enum Part {
    Inline(Vec<u8>),
    /// A range of one of the two shards (shard, offset, length), cut at the end of the shard.
    Range(usize, usize, usize),
    Decoded(Vec<u8>, u64),
}

/// A decoder that copies bytes. It fails if a request is not an aligned block, as the cache promises.
struct Copying {
    bytes: Vec<u8>,
    piece_len: u64,
}

impl Decode for Copying {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "copy" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let in_order = at.is_multiple_of(self.piece_len) && len as u64 <= self.piece_len && len > 0;
        let bytes = self.bytes.get(at as usize..).and_then(|rest| rest.get(..len)).filter(|_| in_order);
        bytes.map(<[u8]>::to_vec).ok_or_else(|| io::Error::other(format!("asked for {at}+{len}")))
    }

    fn block_len(&self) -> u64 {
        self.piece_len
    }
}

/// Two files to take ranges from.
struct Shards {
    _dir: TempDir,
    shards: [(Arc<SourceFile>, Vec<u8>); 2],
}

impl Shards {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let shards = [40usize, 7].map(|len| {
            let bytes: Vec<u8> = (0..len).map(|i| (i * 37 + len) as u8).collect();
            let path = dir.path().join(len.to_string());
            std::fs::write(&path, &bytes).unwrap();
            (Arc::new(SourceFile::open(path)), bytes)
        });
        Self { _dir: dir, shards }
    }

    /// Returns the extent of a part, and its bytes.
    fn extent(&self, part: &Part) -> (Extent, Vec<u8>) {
        match part {
            Part::Inline(bytes) => (Extent::Inline(bytes.as_slice().into()), bytes.clone()),
            Part::Range(shard, offset, len) => {
                let (shard, bytes) = &self.shards[*shard];
                let start = bytes.len().min(*offset);
                let run = &bytes[start..bytes.len().min(start + len)];
                let range =
                    Extent::Range { file: shard.clone(), offset: start as u64, len: run.len() as u64 };
                (range, run.to_vec())
            }
            Part::Decoded(bytes, piece_len) => {
                let data = Copying { bytes: bytes.clone(), piece_len: *piece_len };
                (Extent::Decoded { data: Arc::new(data), len: bytes.len() as u64 }, bytes.clone())
            }
        }
    }

    fn file(&self, parts: &[Part]) -> (VirtualFile, Vec<u8>) {
        let (extents, bytes): (Vec<_>, Vec<_>) = parts.iter().map(|part| self.extent(part)).unzip();
        (extents.into_iter().collect(), bytes.concat())
    }
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        vec(any::<u8>(), 0..20).prop_map(Part::Inline),
        (0..2usize, 0..45usize, 0..45usize).prop_map(|(shard, offset, len)| Part::Range(shard, offset, len)),
        (vec(any::<u8>(), 0..30), 1..12u64).prop_map(|(bytes, piece)| Part::Decoded(bytes, piece)),
    ]
}

/// Generates reads at any offset, also past the end, and of any length.
fn reads() -> impl Strategy<Value = Vec<(u64, usize)>> {
    vec((prop_oneof![9 => 0..120u64, 1 => any::<u64>()], 0..130usize), 1..12)
}

proptest! {
    #[test]
    fn a_file_reads_as_its_concatenated_extents(parts in vec(part(), 0..8), reads in reads(), budget in 0..64usize) {
        let shards = Shards::new();
        let ((file, bytes), cache) = (shards.file(&parts), Cache::new(budget));
        prop_assert_eq!(file.len(), bytes.len() as u64);
        for (offset, len) in reads {
            let start = bytes.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
            let expected = &bytes[start..bytes.len().min(start + len)];
            // The bytes of the buffer after the returned count must stay unchanged.
            let mut buf = vec![0xaa; len];
            let n = file.read_at(&cache, &mut buf, offset).unwrap();
            prop_assert_eq!(&buf[..n], expected);
            prop_assert!(buf[n..].iter().all(|&byte| byte == 0xaa));
        }
    }

    #[test]
    fn a_range_within_a_shard_has_the_bytes_of_the_file(parts in vec(part(), 0..8), offset in 0..120u64, len in 0..60u64) {
        let shards = Shards::new();
        let (file, bytes) = shards.file(&parts);
        if let Some((shard, at)) = file.within_file(offset, len) {
            let mut buf = vec![0; len as usize];
            shard.read_exact_at(&mut buf, at).unwrap();
            prop_assert_eq!(buf.as_slice(), &bytes[offset as usize..][..len as usize]);
        }
    }

    #[test]
    fn a_range_inside_one_extent_is_found_in_its_shard(parts in vec(part(), 0..8), at in any::<prop::sample::Index>(), len in any::<prop::sample::Index>()) {
        let shards = Shards::new();
        let (file, _) = shards.file(&parts);
        let mut start = 0;
        for part in &parts {
            let (extent, bytes) = shards.extent(part);
            if let (Extent::Range { file: shard, offset, .. }, false) = (extent, bytes.is_empty()) {
                let at = at.index(bytes.len());
                let len = len.index(bytes.len() - at + 1);
                let (found, place) = file.within_file((start + at) as u64, len as u64).unwrap();
                prop_assert!(Arc::ptr_eq(found, &shard));
                prop_assert_eq!(place, offset + at as u64);
            }
            start += bytes.len();
        }
    }

    #[test]
    fn only_a_file_of_one_complete_shard_is_a_whole_file(parts in vec(part(), 0..3)) {
        let shards = Shards::new();
        let (file, bytes) = shards.file(&parts);
        let filled: Vec<_> = parts.iter().map(|part| shards.extent(part)).filter(|(_, bytes)| !bytes.is_empty()).collect();
        let whole = match filled.as_slice() {
            [(Extent::Range { file: shard, .. }, run)] => Some(shard).filter(|shard| shard.size() == Some(run.len() as u64)),
            _ => None,
        };
        prop_assert_eq!(file.whole_file().map(Arc::as_ptr), whole.map(Arc::as_ptr));
        if let Some(shard) = file.whole_file() {
            prop_assert_eq!(std::fs::read(shard.path()).unwrap(), bytes);
        }
    }
}

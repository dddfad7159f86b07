//! The index of a remapped bundle: a row for each key, generated from the catalog on demand.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::{Decode, Identity};
use crate::catalog::Catalog;
use crate::checksums::Checksums;
use crate::extent::{Extent, VirtualFile};
use crate::format::bundle::{Endianness, Entry, Header, Version};
use crate::format::crc::Masked;
use crate::format::{slice_key, table};
use crate::graph;
use crate::name::Name;
use crate::source_file::SourceFile;
use crate::tensor::Tensor;

/// The version of the format that TensorFlow writes; it has never changed.
const VERSION: Version = Version { producer: 1, min_consumer: 0, bad_consumers: Vec::new() };

/// The rows of an index, and the locations of the values that they refer to.
pub(super) struct Index<'a> {
    /// The rows, sorted by key.
    rows: Vec<Row<'a>>,
    numbers: HashMap<*const SourceFile, u32>,
    /// The contents of the additional shard, after those of the source.
    extra: Vec<Extent>,
    extra_len: u64,
    /// The offsets of tensors in the additional shard. A tensor under two keys is there once.
    placed: HashMap<*const Tensor, u64>,
}

/// A row in its smallest form, because there may be very many.
struct Row<'a> {
    key: Cow<'a, [u8]>,
    value: Value<'a>,
}

/// The value of a key.
#[derive(Clone, Copy)]
enum Value<'a> {
    Header,
    /// A tensor whose slices have their own rows.
    Sliced(&'a Tensor),
    /// A tensor that is contiguous in a data file: the file's number and the offset.
    Whole(&'a Arc<Tensor>, u32, u64),
}

impl<'a> Index<'a> {
    /// Builds the index of the catalog's variables.
    pub(super) fn of(catalog: &'a Catalog) -> Self {
        let numbers =
            (0..).zip(&catalog.shards).map(|(number, shard)| (Arc::as_ptr(shard), number)).collect();
        let rows = Vec::with_capacity(catalog.variables.len() + 2);
        let mut index = Self { rows, numbers, extra: Vec::new(), extra_len: 0, placed: HashMap::new() };
        index.row(&b""[..], Value::Header);
        for variable in &catalog.variables {
            let keys = variable.plain_key.iter().chain([variable.key()]);
            keys.for_each(|key| index.variable(key, &variable.tensor));
        }
        if let Some(objects) = &catalog.objects {
            index.whole(graph::KEY.as_bytes(), &objects.tensor);
        }
        index.rows.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        index
    }

    /// Encodes the index. Uses `sums` for tensors without a checksum, and 0 for those that are not in `sums`.
    pub(super) fn encode(&self, sums: &[(&Arc<Tensor>, Masked)]) -> Vec<u8> {
        let sums = sums.iter().map(|(tensor, sum)| (Arc::as_ptr(tensor), *sum)).collect();
        table::encode(self.rows.iter().map(|row| (&row.key, self.value(row.value, &sums))))
    }

    /// Returns each tensor without a checksum once.
    pub(super) fn unsummed(&self) -> Vec<Arc<Tensor>> {
        let mut seen = HashSet::new();
        let tensors = self.rows.iter().filter_map(|row| match row.value {
            Value::Whole(tensor, ..) if tensor.crc32c.is_none() => Some(tensor),
            _ => None,
        });
        tensors.filter(|tensor| seen.insert(Arc::as_ptr(tensor))).cloned().collect()
    }

    /// Returns the additional shard, with the values that are in no shard of the source.
    pub(super) fn into_extra(self) -> Option<VirtualFile> {
        (!self.extra.is_empty()).then(|| self.extra.into_iter().collect())
    }

    fn row(&mut self, key: impl Into<Cow<'a, [u8]>>, value: Value<'a>) {
        self.rows.push(Row { key: key.into(), value });
    }

    /// Adds the rows of a variable: its own, and those of its slices.
    fn variable(&mut self, key: &'a Name, tensor: &'a Arc<Tensor>) {
        let Some(parts) = tensor.parts() else { return self.whole(key.as_bytes(), tensor) };
        for part in parts.iter() {
            self.whole(slice_key::encode(key.as_bytes(), &part.slice), &part.tensor);
        }
        self.row(key.as_bytes(), Value::Sliced(tensor));
    }

    fn whole(&mut self, key: impl Into<Cow<'a, [u8]>>, tensor: &'a Arc<Tensor>) {
        let (shard, offset) = self.place(tensor);
        self.row(key, Value::Whole(tensor, shard, offset));
    }

    /// Returns the shard and offset of a tensor: those in the source if the tensor is one range of a source shard,
    /// else those in the additional shard.
    fn place(&mut self, tensor: &Arc<Tensor>) -> (u32, u64) {
        if let [Extent::Range { file: shard, offset, .. }] = &*tensor.data
            && let Some(number) = self.numbers.get(&Arc::as_ptr(shard))
        {
            return (*number, *offset);
        }
        let shard = self.numbers.len() as u32;
        let offset = *self.placed.entry(Arc::as_ptr(tensor)).or_insert_with(|| {
            self.extra.extend(tensor.data.iter().cloned());
            self.extra_len += tensor.len();
            self.extra_len - tensor.len()
        });
        (shard, offset)
    }

    fn value(&self, value: Value<'_>, sums: &HashMap<*const Tensor, Masked>) -> Vec<u8> {
        match value {
            Value::Header => self.header().encode(),
            Value::Sliced(tensor) => {
                let slices = tensor.parts().into_iter().flat_map(|parts| parts.iter());
                Entry { slices: slices.map(|part| part.slice.clone()).collect(), ..entry(tensor) }.encode()
            }
            Value::Whole(tensor, shard, offset) => {
                let sum = || sums.get(&Arc::as_ptr(tensor)).copied().unwrap_or(Masked(0));
                let (size, crc32c) = (tensor.len(), tensor.crc32c.unwrap_or_else(sum));
                Entry { shard, offset, size, crc32c, ..entry(tensor) }.encode()
            }
        }
    }

    fn header(&self) -> Header {
        let num_shards = self.numbers.len() as u32 + u32::from(!self.extra.is_empty());
        Header { num_shards, endianness: Endianness::Little, version: VERSION }
    }
}

fn entry(tensor: &Tensor) -> Entry {
    Entry { dtype: tensor.dtype.tensorflow(), shape: tensor.shape.0.to_vec(), ..Entry::default() }
}

/// An index without checksums. They are computed when it is read.
pub(super) struct Unsummed {
    catalog: Arc<Catalog>,
    checksums: Checksums,
    bytes: Mutex<Option<Arc<Vec<u8>>>>,
}

impl Unsummed {
    /// Returns the `len` bytes of the index as an extent.
    pub(super) fn extent(catalog: Arc<Catalog>, sums: Checksums, len: u64) -> Extent {
        Extent::Decoded { data: Arc::new(Self { catalog, checksums: sums, bytes: Mutex::default() }), len }
    }

    fn bytes(&self) -> io::Result<Arc<Vec<u8>>> {
        // The lock is not held here, so that other readers can join the computation.
        let sums = self.checksums.all()?;
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let encode = || {
            let sums: Vec<_> = self.checksums.tensors().iter().zip(sums.iter().copied()).collect();
            Arc::new(Index::of(&self.catalog).encode(&sums))
        };
        Ok(bytes.get_or_insert_with(encode).clone())
    }
}

impl Decode for Unsummed {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: "index" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let bytes = self.bytes()?;
        let piece = bytes.get(at as usize..).and_then(|rest| rest.get(..len));
        piece.map(<[u8]>::to_vec).ok_or_else(|| io::Error::other("a piece past the end of the index"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use crate::catalog::Variable;
    use crate::dtype::Dtype;
    use crate::tensor::Shape;

    fn catalog(crc32c: Option<Masked>) -> Arc<Catalog> {
        let data = vec![Extent::from(b"ab".to_vec()), Extent::from(b"c".to_vec())];
        let tensor = Arc::new(Tensor::new(Dtype::Uint8, Shape([3].into()), data, crc32c));
        let variable = |name: &str| Variable {
            name: name.into(),
            key: None,
            plain_key: None,
            full_name: None,
            tensor: tensor.clone(),
            origin: None,
        };
        Arc::new(Catalog { variables: vec![variable("x"), variable("y")], ..Catalog::default() })
    }

    fn read(file: &VirtualFile) -> Vec<u8> {
        let mut bytes = vec![0; file.len() as usize];
        file.read_at(&Cache::new(1 << 20), &mut bytes, 0).unwrap();
        bytes
    }

    #[test]
    fn an_index_without_checksums_has_the_length_and_the_bytes_of_one_with_them() {
        let lazy = crate::view::bundle::files(&catalog(None));
        let eager = crate::view::bundle::files(&catalog(Some(Masked::of(b"abc"))));
        assert!(!lazy[0].1.is_inline() && eager[0].1.is_inline());
        assert_eq!(lazy[0].1.len(), eager[0].1.len());
        assert_eq!(read(&lazy[0].1), read(&eager[0].1));
        assert_eq!(read(&lazy[1].1), b"abc", "what has two names lies there once");
    }
}

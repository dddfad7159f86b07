//! A builder for bundles: rows, data files, and the index as TensorFlow would write it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ckptfs::dtype::Dtype;
use ckptfs::format::bundle::{Entry, Header, Version};
use ckptfs::format::crc::Masked;
use ckptfs::format::table;

/// A builder for a bundle.
#[derive(Clone)]
pub(crate) struct Bundle {
    /// The header of the index.
    pub(crate) header: Header,
    /// The encoded entries, by key.
    pub(crate) rows: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The data files.
    pub(crate) shards: Vec<Vec<u8>>,
}

impl Bundle {
    /// Creates a bundle with one data file.
    pub(crate) fn new() -> Self {
        Self::sharded(1)
    }

    /// Creates a bundle with several data files.
    pub(crate) fn sharded(shards: u32) -> Self {
        let version = Version { producer: 1, ..Version::default() };
        let header = Header { num_shards: shards, version, ..Header::default() };
        Self { header, rows: BTreeMap::new(), shards: vec![Vec::new(); shards as usize] }
    }

    /// Adds a variable at the end of the first data file.
    pub(crate) fn tensor(self, name: impl AsRef<[u8]>, dtype: Dtype, shape: &[u64], bytes: &[u8]) -> Self {
        self.tensor_in(0, name, dtype, shape, bytes)
    }

    /// Adds a variable at the end of a data file.
    pub(crate) fn tensor_in(
        mut self,
        shard: u32,
        name: impl AsRef<[u8]>,
        dtype: Dtype,
        shape: &[u64],
        bytes: &[u8],
    ) -> Self {
        let data = &mut self.shards[shard as usize];
        let (offset, size, crc32c) = (data.len() as u64, bytes.len() as u64, Masked::of(bytes));
        data.extend(bytes);
        let (dtype, shape) = (dtype.tensorflow(), shape.to_vec());
        self.entry(name, &Entry { dtype, shape, shard, offset, size, crc32c, ..Entry::default() })
    }

    /// Adds a vector of `float32`.
    pub(crate) fn floats(self, name: impl AsRef<[u8]>, values: &[f32]) -> Self {
        self.tensor(name, Dtype::Float32, &[values.len() as u64], &f32s(values))
    }

    /// Adds a row with an entry, which may be invalid.
    pub(crate) fn entry(self, name: impl AsRef<[u8]>, entry: &Entry) -> Self {
        self.row(name, entry.encode())
    }

    /// Adds a row with any bytes.
    pub(crate) fn row(mut self, key: impl AsRef<[u8]>, value: Vec<u8>) -> Self {
        self.rows.insert(key.as_ref().to_vec(), value);
        self
    }

    /// Changes the header.
    pub(crate) fn header(mut self, change: impl FnOnce(&mut Header)) -> Self {
        change(&mut self.header);
        self
    }

    /// Returns the bytes of the index.
    pub(crate) fn index(&self) -> Vec<u8> {
        let header = self.header.encode();
        let rows = self.rows.iter().map(|(key, value)| (key.as_slice(), value.as_slice()));
        table::encode([(&[][..], header.as_slice())].into_iter().chain(rows))
    }

    /// Writes the index and the data files under a prefix. Creates the directory if it is missing.
    pub(crate) fn write(&self, prefix: &Path) {
        fs::create_dir_all(prefix.parent().unwrap()).unwrap();
        fs::write(prefix.with_added_extension("index"), self.index()).unwrap();
        for (number, shard) in self.shards.iter().enumerate() {
            let suffix = format!("data-{number:05}-of-{:05}", self.shards.len());
            fs::write(prefix.with_added_extension(suffix), shard).unwrap();
        }
    }
}

/// Returns the bytes of `float32` values.
pub(crate) fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

//! The remapped bundle: what TensorFlow restores from.
//!
//! The data files are the source's shards, byte for byte; what stands in none of them, such as a rewritten object graph,
//! lies in one more shard at the end. Only the index is made new, and with nothing changed not even that.

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::extent::{Extent, VirtualFile};
use crate::format::bundle::{Endianness, Entry, Header, Version};
use crate::format::table;
use crate::graph;
use crate::shard::Shard;
use crate::tensor::Tensor;

/// What TensorFlow writes: the version of the format since its beginning.
const VERSION: Version = Version { producer: 1, min_consumer: 0, bad_consumers: Vec::new() };

/// The files of the bundle, each with what follows the prefix in its name. Data files that the source lacks are left out.
pub fn files(catalog: &Catalog) -> Vec<(String, VirtualFile)> {
    let (index, extra) = match &catalog.index {
        Some(index) => (whole(index), None),
        None => encode(catalog),
    };
    let num_shards = catalog.shards.len() + usize::from(extra.is_some());
    let shards = catalog.shards.iter().map(|shard| shard.fault().is_none().then(|| whole(shard)));
    let data = shards.chain([extra]).enumerate();
    let data = data.filter_map(|(i, file)| Some((format!(".data-{i:05}-of-{num_shards:05}"), file?)));
    [(".index".to_owned(), index)].into_iter().chain(data).collect()
}

fn whole(shard: &Arc<Shard>) -> VirtualFile {
    let len = shard.len().unwrap_or(0);
    [Extent::Range { shard: shard.clone(), offset: 0, len }].into_iter().collect()
}

/// A new index, and the shard of what no shard of the source holds.
fn encode(catalog: &Catalog) -> (VirtualFile, Option<VirtualFile>) {
    let mut layout = Layout::new(catalog);
    let graph = catalog.objects.iter().map(|objects| (graph::KEY.as_bytes(), &*objects.tensor));
    let variables = catalog.variables.iter().map(|variable| (variable.key().as_bytes(), &*variable.tensor));
    let mut rows: Vec<_> =
        variables.chain(graph).map(|(key, tensor)| (key, layout.entry(tensor).encode())).collect();
    rows.push((b"", layout.header().encode()));
    rows.sort_by_key(|(key, _)| *key);
    let index = table::encode(rows.iter().map(|(key, value)| (*key, value.as_slice())));
    let extra = (!layout.extra.is_empty()).then(|| layout.extra.into_iter().collect());
    (index.into(), extra)
}

/// Where each tensor lies in the bundle's data files.
struct Layout {
    numbers: HashMap<*const Shard, u32>,
    /// What lies in the shard after the source's.
    extra: Vec<Extent>,
    extra_len: u64,
}

impl Layout {
    fn new(catalog: &Catalog) -> Self {
        let numbers =
            (0u32..).zip(&catalog.shards).map(|(number, shard)| (Arc::as_ptr(shard), number)).collect();
        Self { numbers, extra: Vec::new(), extra_len: 0 }
    }

    fn header(&self) -> Header {
        let num_shards = self.numbers.len() as u32 + u32::from(!self.extra.is_empty());
        Header { num_shards, endianness: Endianness::Little, version: VERSION }
    }

    fn entry(&mut self, tensor: &Tensor) -> Entry {
        let (shard, offset) = self.place(tensor);
        Entry {
            dtype: tensor.dtype.tensorflow(),
            shape: tensor.shape.0.to_vec(),
            shard,
            offset,
            size: tensor.len(),
            crc32c: tensor.crc32c.expect("a bundle records every checksum"),
            slices: Vec::new(),
        }
    }

    /// The shard and offset of a tensor: its own, if it is one range of a shard of the source.
    fn place(&mut self, tensor: &Tensor) -> (u32, u64) {
        if let [Extent::Range { shard, offset, .. }] = tensor.data.as_slice()
            && let Some(number) = self.numbers.get(&Arc::as_ptr(shard))
        {
            return (*number, *offset);
        }
        let offset = self.extra_len;
        self.extra.extend(tensor.data.iter().cloned());
        self.extra_len += tensor.len();
        (self.numbers.len() as u32, offset)
    }
}

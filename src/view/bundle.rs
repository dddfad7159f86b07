//! The remapped bundle: what TensorFlow restores from.
//!
//! The data files are the source's shards, byte for byte; what stands in none of them, such as a rewritten object graph,
//! lies in one more shard at the end. Only the index is made new, and with nothing changed not even that. A variable that
//! has a plain key too stands in the index twice, and in the data once.

mod index;

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::extent::{Extent, VirtualFile};
use crate::format::bundle::{Endianness, Entry, Header, Version};
use crate::format::crc::Masked;
use crate::format::slice_key;
use crate::graph;
use crate::name::Name;
use crate::shard::Shard;
use crate::tensor::Tensor;
use crate::tensor::slices::Part;

use index::{Row, Value};

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
    let mut rows = Vec::with_capacity(catalog.variables.len() + 2);
    for variable in &catalog.variables {
        let keys = variable.plain_key.iter().chain([variable.key()]);
        keys.for_each(|key| rows.extend(layout.rows(key, &variable.tensor)));
    }
    if let Some(objects) = &catalog.objects {
        rows.push(Row { key: graph::KEY.into(), value: layout.value(&objects.tensor) });
    }
    rows.push(Row { key: Vec::new(), value: Value::Known(layout.header().encode()) });
    let extra = (!layout.extra.is_empty()).then(|| layout.extra.into_iter().collect());
    (index::file(rows), extra)
}

fn entry(tensor: &Tensor) -> Entry {
    Entry { dtype: tensor.dtype.tensorflow(), shape: tensor.shape.0.to_vec(), ..Entry::default() }
}

fn bytes(key: &Name) -> Vec<u8> {
    key.as_bytes().to_vec()
}

/// Where each tensor lies in the bundle's data files.
struct Layout {
    numbers: HashMap<*const Shard, u32>,
    /// What lies in the shard after the source's.
    extra: Vec<Extent>,
    extra_len: u64,
    /// Where in it: a tensor under two keys lies there once.
    placed: HashMap<*const Tensor, u64>,
}

impl Layout {
    fn new(catalog: &Catalog) -> Self {
        let numbers =
            (0u32..).zip(&catalog.shards).map(|(number, shard)| (Arc::as_ptr(shard), number)).collect();
        Self { numbers, extra: Vec::new(), extra_len: 0, placed: HashMap::new() }
    }

    fn header(&self) -> Header {
        let num_shards = self.numbers.len() as u32 + u32::from(!self.extra.is_empty());
        Header { num_shards, endianness: Endianness::Little, version: VERSION }
    }

    /// What the index says of a variable: its row, and those of its slices.
    fn rows(&mut self, key: &Name, tensor: &Arc<Tensor>) -> Vec<Row> {
        let Some(parts) = tensor.parts() else {
            return vec![Row { key: bytes(key), value: self.value(tensor) }];
        };
        let slices = parts.iter().map(|part| part.slice.clone()).collect();
        let entry = Entry { slices, ..entry(tensor) };
        let slice = |part: &Part| Row {
            key: slice_key::encode(key.as_bytes(), &part.slice),
            value: self.value(&part.tensor),
        };
        let mut rows: Vec<_> = parts.iter().map(slice).collect();
        rows.push(Row { key: bytes(key), value: Value::Known(entry.encode()) });
        rows
    }

    /// What the index says of a tensor that is stored in one piece.
    fn value(&mut self, tensor: &Arc<Tensor>) -> Value {
        let (shard, offset) = self.place(tensor);
        let crc32c = tensor.crc32c.unwrap_or(Masked(0));
        let entry = Entry { shard, offset, size: tensor.len(), crc32c, ..entry(tensor) };
        match tensor.crc32c {
            Some(_) => Value::Known(entry.encode()),
            None => Value::Unsummed(entry, tensor.clone()),
        }
    }

    /// The shard and offset of a tensor: its own, if it is one range of a shard of the source.
    fn place(&mut self, tensor: &Arc<Tensor>) -> (u32, u64) {
        if let [Extent::Range { shard, offset, .. }] = &*tensor.data
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
}

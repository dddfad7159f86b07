//! The remapped bundle: what TensorFlow restores from.
//!
//! The data files are the source's shards, byte for byte; only the index is made new, and with nothing changed not even
//! that.

use std::collections::HashMap;
use std::sync::Arc;

use crate::catalog::{Catalog, Variable};
use crate::extent::{Extent, VirtualFile};
use crate::format::bundle::{Endianness, Entry, Header, Version};
use crate::format::table;
use crate::shard::Shard;

/// What TensorFlow writes: the version of the format since its beginning.
const VERSION: Version = Version { producer: 1, min_consumer: 0, bad_consumers: Vec::new() };

/// The files of the bundle, each with what follows the prefix in its name. Data files that the source lacks are left out.
pub fn files(catalog: &Catalog) -> Vec<(String, VirtualFile)> {
    let index = (".index".to_owned(), index(catalog));
    let num_shards = catalog.shards.len();
    let data = catalog.shards.iter().enumerate().filter(|(_, shard)| shard.fault().is_none());
    let data = data.map(|(i, shard)| (format!(".data-{i:05}-of-{num_shards:05}"), whole(shard)));
    [index].into_iter().chain(data).collect()
}

fn whole(shard: &Arc<Shard>) -> VirtualFile {
    let len = shard.len().unwrap_or(0);
    [Extent::Range { shard: shard.clone(), offset: 0, len }].into_iter().collect()
}

fn index(catalog: &Catalog) -> VirtualFile {
    match &catalog.index {
        Some(index) => whole(index),
        None => encode(catalog).into(),
    }
}

fn encode(catalog: &Catalog) -> Vec<u8> {
    let numbers = (0u32..).zip(&catalog.shards).map(|(number, shard)| (Arc::as_ptr(shard), number)).collect();
    let num_shards = catalog.shards.len() as u32;
    let header = Header { num_shards, endianness: Endianness::Little, version: VERSION };
    let mut rows = vec![(&[][..], header.encode())];
    rows.extend(catalog.variables.iter().map(|v| (v.key().as_bytes(), entry(v, &numbers).encode())));
    table::encode(rows.iter().map(|(key, value)| (*key, value.as_slice())))
}

/// The entry of a variable, whose bytes stand in one of the catalog's shards: a map of names moves none.
fn entry(variable: &Variable, numbers: &HashMap<*const Shard, u32>) -> Entry {
    let tensor = &variable.tensor;
    let [Extent::Range { shard, offset, len }] = tensor.data.as_slice() else {
        unreachable!("{}: not one range of a shard", variable.name)
    };
    Entry {
        dtype: tensor.dtype.tensorflow(),
        shape: tensor.shape.0.to_vec(),
        shard: numbers[&Arc::as_ptr(shard)],
        offset: *offset,
        size: *len,
        crc32c: tensor.crc32c.expect("a bundle records every checksum"),
        slices: Vec::new(),
    }
}

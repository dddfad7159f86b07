//! The remapped bundle, from which TensorFlow restores.
//!
//! The data files are the source's shards, byte for byte. Values that are in no shard, such as a rewritten object
//! graph, are in one more shard at the end. Only the index is new; if nothing changed, even the index is the
//! source's. A variable that also has a plain key is in the index twice, and in the data once.

mod index;

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::checksums::Checksums;
use crate::extent::VirtualFile;
use crate::view::bundle::index::{Index, Unsummed};

/// Returns the files of the bundle, each with its name after the prefix. Data files that the source lacks are
/// omitted.
pub fn files(catalog: &Arc<Catalog>) -> Vec<(String, VirtualFile)> {
    let (index, extra) = match &catalog.index {
        Some(index) => (VirtualFile::whole(index.clone()), None),
        None => encode(catalog),
    };
    let num_shards = catalog.shards.len() + usize::from(extra.is_some());
    let shards =
        catalog.shards.iter().map(|shard| shard.fault().is_none().then(|| VirtualFile::whole(shard.clone())));
    let data = shards.chain([extra]).enumerate();
    let data = data.filter_map(|(i, file)| Some((format!(".data-{i:05}-of-{num_shards:05}"), file?)));
    [(".index".to_owned(), index)].into_iter().chain(data).collect()
}

/// Returns a new index, and the shard with the values that are in no shard of the source.
///
/// The length of an index is known even if checksums are missing, because they have a fixed width. The bytes are
/// generated on first read, which reads all values without a checksum. Until then, only the catalog is kept for this.
fn encode(catalog: &Arc<Catalog>) -> (VirtualFile, Option<VirtualFile>) {
    let index = Index::of(catalog);
    let bytes = index.encode(&[]);
    let file = match index.unsummed() {
        none if none.is_empty() => bytes.into(),
        tensors => {
            let sums = Checksums::new(tensors, catalog.checksum_store.clone());
            [Unsummed::extent(catalog.clone(), sums, bytes.len() as u64)].into_iter().collect()
        }
    };
    (file, index.into_extra())
}

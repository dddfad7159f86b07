//! The remapped bundle: what TensorFlow restores from.
//!
//! The data files are the source's shards, byte for byte; what stands in none of them, such as a rewritten object graph,
//! lies in one more shard at the end. Only the index is made new, and with nothing changed not even that. A variable that
//! has a plain key too stands in the index twice, and in the data once.

mod index;

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::checksums::Checksums;
use crate::extent::VirtualFile;
use crate::view::bundle::index::{Index, Unsummed};

/// The files of the bundle, each with what follows the prefix in its name. Data files that the source lacks are left out.
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

/// A new index, and the shard of what no shard of the source holds.
///
/// An index has a known length even if it lacks checksums, which have a fixed width; its bytes are made when it is first
/// read, which reads the values that they are of. Nothing is kept for that but the catalog.
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

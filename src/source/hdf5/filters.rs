//! The filters that were applied to chunks before they were written, by their registered numbers.

use hdf5_reader::FilterRegistry;
use hdf5_reader::error::{Error, Result};
use hdf5_reader::messages::filter_pipeline::{FilterDescription, FilterPipelineMessage};

use crate::format::lzf;
use crate::source::hdf5::error::DatasetError;

/// The filters that can be undone. The library undoes deflate, shuffle, Fletcher's checksum and scale-offset. LZF is
/// registered in it.
const FILTERS: [u16; 5] = [1, 2, 3, 6, LZF];
/// The number of h5py's LZF.
const LZF: u16 = 32000;
/// Other common filters, by name.
#[rustfmt::skip]
const OTHER_FILTERS: [(u16, &str); 8] = [
    (4, "szip"), (5, "nbit"), (307, "bzip2"), (32001, "blosc"), (32004, "lz4"), (32008, "bitshuffle"), (32015, "zstd"),
    (32026, "blosc2"),
];

/// Checks that all filters of a dataset can be undone.
pub(super) fn check(filters: Option<&FilterPipelineMessage>) -> std::result::Result<(), DatasetError> {
    let unknown =
        filters.and_then(|pipeline| pipeline.filters.iter().find(|filter| !FILTERS.contains(&filter.id)));
    let Some(filter) = unknown else { return Ok(()) };
    let known = OTHER_FILTERS.iter().find(|(id, _)| *id == filter.id).map(|(_, name)| *name);
    let name = known.or(filter.name.as_deref()).unwrap_or("unknown");
    Err(DatasetError::LeftOut(format!(
        "compressed with {name} (HDF5 filter {}); `h5repack -f GZIP=1` makes it readable",
        filter.id
    )))
}

/// Returns the library's filters and LZF.
pub(super) fn registry() -> FilterRegistry {
    let mut filters = FilterRegistry::new();
    filters.register(LZF, Box::new(inflate_lzf));
    filters
}

/// Decodes a chunk compressed with LZF. The third parameter of the filter is the length of the chunk.
fn inflate_lzf(filter: &FilterDescription, stream: &[u8], _element: usize) -> Result<Vec<u8>> {
    let len = filter.client_data.get(2).map_or(0, |&len| len as usize);
    lzf::decode(stream, len).map_err(|error| Error::DecompressionError(format!("LZF: {error} of a chunk")))
}

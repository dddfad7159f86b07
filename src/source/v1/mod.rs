//! The V1 checkpoint (`SaverDef.V1`): one file, named by the prefix itself, or several files `P-SSSSS-of-NNNNN`. Each
//! file is a table with its own list of tensors. A partitioned tensor may be in several files.
//!
//! No value can be served as it is stored: numbers are encoded, and values that are not encoded have no checksum
//! except that of their block. Numbers are decoded when they are read. Strings are read when the checkpoint is
//! opened, because only then is their length known.

mod block;
mod decoder;
mod error;
mod file;
mod files;
mod sparse_reader;
mod tensors;

use std::io;
use std::sync::Arc;

use crate::catalog::{Catalog, Variable};
use crate::directory::Directory;
use crate::name::Name;
use crate::source::checkpoint::Checkpoint;
use crate::source::error::Error;
use crate::source::file_format::SourceFormat;
use crate::source::prefix::Prefix;
use crate::source::sniff::Probe;
use crate::source::v1::file::File;
use crate::source_file;
use crate::tensor::Tensor;

pub(crate) const SOURCE: SourceFormat =
    SourceFormat { stem: files::likely_stem, is_head: Probe::is_table, suffix: None, open };

fn open(prefix: &Prefix, directory: &Arc<Directory>) -> Result<Checkpoint, Error> {
    let names = files::files(prefix, directory);
    files::check_complete(prefix, &names)?;
    source_file::make_room(names.len() as u64);
    let open = |name| File::open(directory, name).map_err(|trouble| trouble.of(prefix.dir.join(name)));
    let files = names.iter().map(|name| open(name)).collect::<Result<Vec<_>, _>>()?;
    for file in &files {
        file.meta.version.check().map_err(|incompatible| {
            Error::Unsupported(file.shard.path().into(), format!("{incompatible}; TensorFlow refuses it too"))
        })?;
    }
    let (tensors, warnings) = tensors::gather(&files);
    let variables = tensors.into_iter().map(variable).collect();
    let stamp = files.first().and_then(|file| file.shard.stamp());
    let stamp = stamp.ok_or_else(|| Error::Io(prefix.index(), io::ErrorKind::NotFound.into()))?;
    let catalog = Catalog { variables, ..Catalog::default() };
    Ok(Checkpoint { prefix: prefix.clone(), catalog, stamp, warnings })
}

fn variable((name, tensor): (Name, Tensor)) -> Variable {
    Variable { name, key: None, plain_key: None, full_name: None, tensor: Arc::new(tensor), origin: None }
}

#[cfg(test)]
mod tests;

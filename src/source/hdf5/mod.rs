//! The HDF5 files that Keras writes: `.weights.h5`, legacy `.h5`, and the HDF5 file inside a `.keras` archive.
//!
//! Opening a file reads only its metadata: groups, headers and attributes. It also reads strings, because nothing
//! else tells their length. Each dataset is a variable. If the file stores its values as they are shown, which is how
//! Keras writes them, they are a range of the file. So the file itself is the data file of the bundle that is shown.
//! A dataset of a type that TensorFlow does not have is skipped with a warning. A damaged dataset is a damaged variable;
//! a damaged group is an error for the whole file, because the variables in it are unknown.

mod archive;
mod chunks;
mod dataset;
mod decoders;
mod error;
mod filters;
mod links;
mod names;
mod storage;
mod strings;
mod walk;

use std::ffi::{OsStr, OsString};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use chunks::DataFile;
use dataset::{Placed, Reading};
use hdf5_reader::{Hdf5File, Storage};
use names::VariableName;
use walk::Tree;

use crate::catalog::{Catalog, H5Layout, Variable};
use crate::directory::Directory;
use crate::format::Malformed;
use crate::source::checkpoint::Checkpoint;
use crate::source::error::{Error, Fault};
use crate::source::file_format::{SourceFormat, without_suffix};
use crate::source::hdf5::error::DatasetError;
use crate::source::hdf5::storage::FileStorage;
use crate::source::prefix::Prefix;
use crate::source::sniff;
use crate::source_file::SourceFile;
use crate::tensor::{Damage, Tensor};

/// The format of weights that Keras 3 writes.
pub(super) const WEIGHTS: SourceFormat =
    source(|name| without_suffix(name, ".weights.h5"), Some(".weights.h5"));
/// The format of weights and whole models that Keras 2 writes, and of any other HDF5 file.
pub(super) const LEGACY: SourceFormat =
    source(|name| without_suffix(name, ".h5").or_else(|| without_suffix(name, ".hdf5")), Some(".h5"));
/// The format of a model with its weights in an archive. A map cannot write such an archive.
pub(super) const ARCHIVE: SourceFormat = SourceFormat {
    stem: |name| without_suffix(name, ".keras"),
    is_head: |probe| MEMBERS.iter().any(|member| sniff::zip_holds(probe, member)),
    suffix: None,
    open,
};

const fn source(stem: fn(&OsStr) -> Option<OsString>, own: Option<&'static str>) -> SourceFormat {
    SourceFormat { stem, is_head: |probe| probe.head.starts_with(HDF5), suffix: own, open }
}

/// The signature of an HDF5 file. A program may put a user block of its own before it. Such a file is recognized by
/// its name.
const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";
const ZIP: &[u8] = b"PK\x03\x04";
/// The possible first members of a Keras archive.
const MEMBERS: [&[u8]; 3] = [b"metadata.json", b"config.json", b"model.weights.h5"];

fn open(prefix: &Prefix, directory: &Arc<Directory>) -> Result<Checkpoint, Error> {
    let shard = Arc::new(SourceFile::open_in(directory, &prefix.head));
    let Some(stamp) = shard.stamp() else {
        let error = shard.fault().expect("a shard has a stamp or a fault");
        return Err(Error::Io(prefix.index(), io::Error::new(error.kind(), error.to_string())));
    };
    let mut magic = [0; ZIP.len()];
    let is_archive = shard.read_exact_at(&mut magic, 0).is_ok() && magic == ZIP;
    let bytes = if is_archive { archive::weights(&shard)? } else { FileStorage::whole(&shard) };
    // The library promises errors instead of panics. If it panics anyway, that is reported as an error.
    let read = catch_unwind(AssertUnwindSafe(|| read(prefix.index(), &bytes)));
    let (variables, h5_layout, warnings) = read.unwrap_or_else(|_| {
        let what = Malformed::new("the file is not valid HDF5", 0);
        Err(Error::Malformed(prefix.index(), what))
    })?;
    let shards = match bytes {
        FileStorage::Part { .. } => vec![shard],
        FileStorage::Memory(_) => vec![],
    };
    let warnings =
        warnings.into_iter().map(|warning| format!("{}: {warning}", prefix.index().display())).collect();
    let catalog = Catalog { variables, shards, h5_layout, ..Catalog::default() };
    Ok(Checkpoint { prefix: prefix.clone(), catalog, stamp, warnings })
}

/// Returns the variables of a file, its layout, and warnings.
fn read(path: PathBuf, bytes: &FileStorage) -> Result<(Vec<Variable>, H5Layout, Vec<String>), Error> {
    let whole = |trouble: DatasetError| match trouble {
        DatasetError::Io(error) => Error::Io(path.clone(), error),
        DatasetError::LeftOut(what) => Error::Unsupported(path.clone(), what),
        DatasetError::Damaged(what) => Error::Malformed(path.clone(), Malformed::new(what, 0)),
    };
    let file = chunks::open(bytes, 0).map_err(|error| whole(error.into()))?;
    check_end(&file, bytes).map_err(|error| Error::Malformed(path.clone(), error))?;
    let mut tree = walk::walk(&file).map_err(whole)?;
    let later = Arc::new(DataFile::new(bytes.clone()));
    let mut reading = Reading { file, storage: bytes.clone(), later, budget: strings::BUDGET, claimed: 0 };
    let mut placed = datasets(&mut reading, &mut tree).map_err(whole)?;
    overlaps(&tree, &mut placed);
    let faults: Vec<_> = std::mem::take(&mut tree.damaged)
        .into_iter()
        .map(|(path, what)| Fault { key: path.as_str().into(), what })
        .collect();
    if !faults.is_empty() {
        return Err(Error::Datasets(path, faults));
    }
    let (names, missing) = names::names(&reading.file, &tree).map_err(whole)?;
    let has_names = names.iter().any(|(path, named)| *path != named.name);
    let layout = if has_names { H5Layout::Legacy } else { H5Layout::Keras3 };
    let mut variables: Vec<_> =
        placed.into_iter().map(|(path, placed)| variable(&names[&path], placed)).collect();
    variables.sort_by(|a, b| a.name.cmp(&b.name));
    tree.warnings.extend(missing);
    Ok((variables, layout, tree.warnings))
}

/// Checks that the file is not truncated.
fn check_end(file: &Hdf5File, bytes: &FileStorage) -> Result<(), Malformed> {
    // This is the only address that counts from the beginning of the file even behind a user block.
    let (end, len) = (file.superblock().eof_address, bytes.len());
    match end <= len || !links::defined(file, end) {
        true => Ok(()),
        false => Err(Malformed {
            what: format!("the file ends before the {end} bytes that its superblock declares").into(),
            at: len,
        }),
    }
}

/// Returns the tensors of all datasets that can be shown, by path.
fn datasets(reading: &mut Reading, tree: &mut Tree) -> Result<Vec<(String, Placed)>, DatasetError> {
    let mut placed = Vec::new();
    for (path, found) in &tree.datasets {
        match reading.tensor(found).map_err(|trouble| trouble.of_header_at(found.address)) {
            Ok(tensor) => placed.push((path.clone(), tensor)),
            Err(DatasetError::LeftOut(what)) => tree.warnings.push(format!("{path}: {what}; left out")),
            Err(DatasetError::Damaged(what)) => {
                placed.push((path.clone(), Placed { tensor: Tensor::undescribed(&what), range: None }));
            }
            Err(error @ DatasetError::Io(_)) => return Err(error),
        }
    }
    Ok(placed)
}

/// Marks two datasets as damaged that share bytes, unless both are the same object: a damaged address
/// often leads into another dataset.
fn overlaps(tree: &Tree, placed: &mut [(String, Placed)]) {
    let ranges = placed.iter().enumerate();
    let ranges =
        ranges.filter_map(|(i, (path, placed))| Some((placed.range?, tree.datasets[path].address, path, i)));
    let mut ranges: Vec<_> = ranges.filter(|((start, end), ..)| start < end).collect();
    ranges.sort_unstable();
    let also = |(start, end): (u64, u64), other: &str| {
        format!("its bytes {start}+{} are also those of {other}", end - start)
    };
    let clash = |pair: &[((u64, u64), u64, &String, usize)]| match *pair {
        [(before, first, a, i), (after, second, b, j)] if after.0 < before.1 && first != second => {
            Some([(i, also(before, b)), (j, also(after, a))])
        }
        _ => None,
    };
    let clashes: Vec<_> = ranges.windows(2).filter_map(clash).flatten().collect();
    for (i, what) in clashes {
        let Placed { tensor, .. } = &mut placed[i].1;
        let (dtype, shape) = (tensor.dtype, tensor.shape.clone());
        *tensor = Tensor::damaged(dtype, shape, Damage::described(&what, None));
    }
}

fn variable(named: &VariableName, placed: Placed) -> Variable {
    Variable {
        name: named.name.as_str().into(),
        key: None,
        plain_key: None,
        full_name: named.full_name.as_deref().map(Into::into),
        tensor: Arc::new(placed.tensor),
        origin: None,
    }
}

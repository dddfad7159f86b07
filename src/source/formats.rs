//! The table of file formats, and the checkpoints of any format in a directory.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;

use crate::directory::{Directory, Entry};
use crate::source::checkpoint_files::{self, CheckpointFiles};
use crate::source::file_format::SourceFormat;
use crate::source::prefix::Prefix;
use crate::source::sniff::{Probe, lookalike};
use crate::source::{hdf5, safetensors, v1};

/// The formats other than TensorFlow's V2 bundle. The checkpoints of a directory are those of the first format in
/// this table that has any there.
static FORMATS: &[SourceFormat] =
    &[v1::SOURCE, safetensors::INDEX, safetensors::FILE, hdf5::WEIGHTS, hdf5::LEGACY, hdf5::ARCHIVE];

/// Returns the format of a head by its content. If the content is damaged, and not of another known kind, returns the
/// format of the name's suffix.
pub(crate) fn of_probe(probe: &Probe, name: &OsStr) -> Option<&'static SourceFormat> {
    let mut by_content = FORMATS.iter().filter(|format| (format.is_head)(probe));
    let by_both = by_content.clone().find(|format| format.has_name(name));
    by_both
        .or_else(|| by_content.next())
        .or_else(|| lookalike(probe).is_none().then(|| by_name(name)).flatten())
}

/// Returns the format to which the suffix of a name belongs.
fn by_name(name: &OsStr) -> Option<&'static SourceFormat> {
    FORMATS.iter().find(|format| format.has_name(name))
}

/// Returns the format of a directory entry. An unreadable file has the format of its name, so that opening it reports
/// the error.
fn of_entry(directory: &Directory, name: &OsStr) -> Option<&'static SourceFormat> {
    match Probe::read(directory, name) {
        Ok(probe) => of_probe(&probe?, name),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(_) => by_name(name),
    }
}

/// Returns the stem of an entry that is a head of the format.
fn stem_of(format: &SourceFormat, directory: &Directory, entry: &Entry) -> Option<OsString> {
    let is_file = entry.kind.is_file() || entry.kind.is_symlink();
    let stem = is_file.then(|| (format.stem)(&entry.name)).flatten()?;
    of_entry(directory, &entry.name).filter(|found| *found == format).map(|_| stem)
}

/// Returns the checkpoints of a directory by stem: V2 bundles if there are any, else the checkpoints of another
/// format.
pub(crate) fn find_checkpoints(
    directory: &Directory,
    entries: &[Entry],
) -> BTreeMap<OsString, CheckpointFiles> {
    let bundles = checkpoint_files::bundles(directory, entries);
    if bundles.values().any(|files| files.index.is_some()) {
        return bundles;
    }
    let of = |format: &'static SourceFormat| -> BTreeMap<_, _> {
        let stems =
            entries.iter().filter_map(|entry| Some((stem_of(format, directory, entry)?, &entry.name)));
        let mut heads = BTreeMap::new();
        for (stem, name) in stems {
            let head = heads.entry(stem).or_insert(name);
            *head = name.min(*head);
        }
        let files =
            |(stem, head): (_, &OsString)| (stem, CheckpointFiles::of_other_format(directory, head, format));
        heads.into_iter().map(files).collect()
    };
    FORMATS.iter().map(of).find(|checkpoints| !checkpoints.is_empty()).unwrap_or(bundles)
}

/// Returns the files of one checkpoint.
pub(crate) fn find_files(
    directory: &Directory,
    entries: &[Entry],
    prefix: &Prefix,
) -> Option<CheckpointFiles> {
    match prefix.is_bundle() {
        true => checkpoint_files::bundles(directory, entries).remove(&prefix.stem),
        false => {
            let format = of_entry(directory, &prefix.head)?;
            Some(CheckpointFiles::of_other_format(directory, &prefix.head, format))
        }
    }
}

/// Returns the head of the checkpoint with this stem, and its format. If there are several heads, returns the first
/// by name.
pub(crate) fn find_head(directory: &Directory, stem: &OsStr) -> Option<(OsString, &'static SourceFormat)> {
    let entries = directory.entries().ok()?;
    let first =
        |format| first_head_of(directory, &entries, format, stem).map(|head| (head.to_owned(), format));
    FORMATS.iter().find_map(first)
}

/// Returns the first head by name of the checkpoint to which the head `known` belongs. Only names before `known` are
/// checked.
pub(crate) fn first_head(
    directory: &Directory,
    format: &SourceFormat,
    stem: &OsStr,
    known: &OsStr,
) -> OsString {
    let mut entries = directory.entries().unwrap_or_default();
    entries.retain(|entry| *entry.name < *known);
    first_head_of(directory, &entries, format, stem).unwrap_or(known).to_owned()
}

/// Returns the first head by name that the entries have of a checkpoint. Only files with its stem are probed.
fn first_head_of<'a>(
    directory: &Directory,
    entries: &'a [Entry],
    format: &SourceFormat,
    stem: &OsStr,
) -> Option<&'a OsStr> {
    let named = entries.iter().filter(|entry| (format.stem)(&entry.name).is_some_and(|own| own == stem));
    let heads = named.filter(|entry| stem_of(format, directory, entry).is_some());
    heads.map(|entry| entry.name.as_os_str()).min()
}

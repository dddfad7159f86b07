//! The file names of a checkpoint: a prefix, and the files whose names begin with it.
//!
//! TensorFlow's V2 bundle has `P.index`, `P.data-SSSSS-of-NNNNN` (five digits or more, counted from 0) and `P.meta`.
//! In another format, one file is the checkpoint or names the other files. This file is the head. The head of a
//! bundle is its index.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::directory::{Directory, Entry};
use crate::source::file_format::SourceFormat;
use crate::source::prefix::{Prefix, with_suffix};
use crate::source_file::Stamp;

/// The files in a directory that belong to one prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckpointFiles {
    /// The index or other head, if there is one.
    pub(crate) index: Option<Stamp>,
    /// The name of the head. It is empty for a V2 bundle, whose index is named after the stem.
    pub(crate) head: OsString,
    /// The format; `None` for TensorFlow's V2 bundle.
    pub(crate) format: Option<&'static SourceFormat>,
    /// The names of the data files, grouped by the number of shards in the name.
    data: BTreeMap<u64, BTreeSet<OsString>>,
}

impl CheckpointFiles {
    /// Returns the files of a checkpoint of another format. `index` is `None` if the head is missing.
    pub(crate) fn of_other_format(
        directory: &Directory,
        head: &OsStr,
        format: &'static SourceFormat,
    ) -> Self {
        Self { index: stamp(directory, head), head: head.into(), format: Some(format), ..Self::default() }
    }

    /// Returns the suffix of the file that shows the checkpoint in its own format; `None` if no file does.
    fn suffix(&self) -> Option<&'static str> {
        self.format.and_then(|format| format.suffix)
    }

    /// Returns true if the index and all data files that their names announce are there. For another format only the
    /// head is checked: only its decoder knows which other files it needs.
    pub(crate) fn is_complete(&self) -> bool {
        let promised = |(promised, found): (&u64, &BTreeSet<_>)| *promised == found.len() as u64;
        self.index.is_some() && (!self.is_bundle() || self.data.iter().any(promised))
    }

    /// Returns true if the checkpoint is a V2 bundle.
    pub(crate) fn is_bundle(&self) -> bool {
        self.format.is_none()
    }

    /// Returns the names of the files that a mount is likely to show for the checkpoint, except for the index.
    pub(crate) fn shown(&self, stem: &OsStr) -> Vec<OsString> {
        let other = || [Some(".data-00000-of-00001"), self.suffix()].into_iter().flatten();
        if self.is_bundle() {
            self.data().cloned().collect()
        } else {
            other().map(|end| with_suffix(stem, end)).collect()
        }
    }

    /// Returns the source file that a mount hides, because it shows the checkpoint in another form.
    pub(crate) fn covered(&self, stem: &OsStr) -> Option<&OsString> {
        (!self.is_bundle() && (self.suffix().is_some() || self.head == stem)).then_some(&self.head)
    }

    /// Returns the prefix of the checkpoint in a directory.
    pub(crate) fn prefix(&self, dir: &Path, stem: &OsStr) -> Prefix {
        let prefix = Prefix::new(dir, stem);
        if self.is_bundle() { prefix } else { Prefix { head: self.head.clone(), ..prefix } }
    }

    /// Returns the names of the data files, grouped by their number of shards.
    pub(crate) fn data(&self) -> impl Iterator<Item = &OsString> {
        self.data.values().flatten()
    }
}

/// Returns the V2 bundles of a directory by stem. Temporary files that a crashed save left behind are ignored.
pub(crate) fn bundles(directory: &Directory, entries: &[Entry]) -> BTreeMap<OsString, CheckpointFiles> {
    let mut checkpoints = BTreeMap::<OsString, CheckpointFiles>::new();
    for entry in entries.iter().filter(|entry| entry.kind.is_file() || entry.kind.is_symlink()) {
        match Part::of(&entry.name) {
            Some((stem, Part::Index)) => {
                checkpoints.entry(stem).or_default().index = stamp(directory, &entry.name)
            }
            Some((stem, Part::Data { num_shards })) => {
                let files = checkpoints.entry(stem).or_default();
                files.data.entry(num_shards).or_default().insert(entry.name.clone());
            }
            _ => {}
        }
    }
    checkpoints
}

/// The end of the name of the directory in which TensorFlow saves a checkpoint before it renames the files.
const TEMPORARY: &[u8] = b"_temp";

/// Returns the stems of the saves that have not finished: they have a temporary directory and no index.
pub(crate) fn unfinished(directory: &Directory, entries: &[Entry]) -> Vec<OsString> {
    let has_index = |stem: &OsStr| directory.metadata(&with_suffix(stem, ".index")).is_ok();
    let stems = entries.iter().filter(|entry| entry.kind.is_dir()).filter_map(|entry| {
        let stem = OsStr::from_bytes(entry.name.as_bytes().strip_suffix(TEMPORARY)?);
        let files = directory.open_dir(&entry.name).ok()?.entries().ok()?;
        let is_part = |file: &Entry| file.name.as_bytes().starts_with(b"part-");
        (!stem.is_empty() && files.iter().any(is_part) && !has_index(stem)).then(|| stem.to_owned())
    });
    stems.collect()
}

fn stamp(directory: &Directory, name: &OsStr) -> Option<Stamp> {
    let meta = directory.metadata(name).ok().filter(Metadata::is_file)?;
    Some(Stamp::from(&meta))
}

/// The kind of a checkpoint file, by its name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// `.index`
    Index,
    /// `.data-…-of-NNNNN`
    #[allow(missing_docs, reason = "the number is its name")]
    Data { num_shards: u64 },
    /// `.meta`
    Meta,
}

impl Part {
    /// Splits a file name into the stem and the kind of the file.
    ///
    /// Returns `None` for the names of a save in progress: `part-00000-of-00001`, in a directory `…_temp`.
    pub(crate) fn of(name: &OsStr) -> Option<(OsString, Self)> {
        let bytes = name.as_bytes();
        let stem = |stem: &[u8]| (!is_temporary(stem)).then(|| OsString::from_vec(stem.to_vec()));
        if let Some(rest) = bytes.strip_suffix(b".index") {
            return Some((stem(rest)?, Self::Index));
        }
        if let Some(rest) = bytes.strip_suffix(b".meta") {
            return Some((stem(rest)?, Self::Meta));
        }
        let text = name.to_string_lossy();
        let (_, numbers) = text.rsplit_once(".data-")?;
        let (shard, of) = numbers.split_once("-of-")?;
        let number = |digits: &str| digits.parse::<u64>().ok().filter(|_| digits.len() >= 5);
        let (shard, num_shards) = (number(shard)?, number(of)?);
        let rest = bytes.len() - numbers.len() - ".data-".len();
        let stem = stem(&bytes[..rest])?;
        (shard < num_shards).then_some((stem, Self::Data { num_shards }))
    }
}

/// Returns true if a stem is empty or `part-SSSSS-of-NNNNN`.
fn is_temporary(stem: &[u8]) -> bool {
    let numbers = stem.strip_prefix(b"part-").and_then(|rest| str::from_utf8(rest).ok()?.split_once("-of-"));
    let is_number = |digits: &str| digits.len() >= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    stem.is_empty() || numbers.is_some_and(|(shard, of)| is_number(shard) && is_number(of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_splits_into_stem_and_part() {
        let part =
            |name: &str| Part::of(OsStr::new(name)).map(|(stem, part)| (stem.into_string().unwrap(), part));
        assert_eq!(part("model.ckpt-9.index"), Some(("model.ckpt-9".into(), Part::Index)));
        assert_eq!(part("a.data-00001-of-00002"), Some(("a".into(), Part::Data { num_shards: 2 })));
        assert_eq!(part("a.meta"), Some(("a".into(), Part::Meta)));
        for other in [
            "a.data-00002-of-00002",
            "a.data-1-of-2",
            ".index",
            "part-00000-of-00001.index",
            "part-00000-of-00001.data-00000-of-00001",
            "checkpoint",
            "a.data-00000-of-00001.tempstate1",
        ] {
            assert_eq!(part(other), None, "{other}");
        }
    }
}

//! Checkpoint file names: a prefix, and the files that carry it.
//!
//! `P.index`, `P.data-SSSSS-of-NNNNN` (five digits or more, counted from 0), `P.meta`. In other formats one file is the
//! checkpoint, or names the others: its head. The index is TensorFlow's.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::directory::{Directory, Entry};
use crate::source::file_format::SourceFormat;
use crate::source::prefix::{Prefix, with_suffix};
use crate::source_file::Stamp;

/// The files of one prefix that a directory has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckpointFiles {
    /// The index or other head, if there is one.
    pub(crate) index: Option<Stamp>,
    /// The head's name. It is empty for a V2 bundle, whose index is named by the stem.
    pub(crate) head: OsString,
    /// The format; `None` for TensorFlow's V2 bundle.
    pub(crate) format: Option<&'static SourceFormat>,
    /// The names of the data files, by the number of shards that they give.
    data: BTreeMap<u64, BTreeSet<OsString>>,
}

impl CheckpointFiles {
    /// The family of a head that is no index, if it is there.
    pub(crate) fn of_other_format(
        directory: &Directory,
        head: &OsStr,
        format: &'static SourceFormat,
    ) -> Self {
        Self { index: stamp(directory, head), head: head.into(), format: Some(format), ..Self::default() }
    }

    /// Returns the ending of the name under which the checkpoint is shown in its own format, if it is.
    fn suffix(&self) -> Option<&'static str> {
        self.format.and_then(|format| format.suffix)
    }

    /// The index and every data file that their names promise. What another head needs, only its format knows.
    pub(crate) fn is_complete(&self) -> bool {
        let promised = |(promised, found): (&u64, &BTreeSet<_>)| *promised == found.len() as u64;
        self.index.is_some() && (!self.is_bundle() || self.data.iter().any(promised))
    }

    /// Whether it is of TensorFlow's format.
    pub(crate) fn is_bundle(&self) -> bool {
        self.format.is_none()
    }

    /// The names beside the index under which the checkpoint is likely to be shown, with the stem that it has.
    pub(crate) fn shown(&self, stem: &OsStr) -> Vec<OsString> {
        let other = || [Some(".data-00000-of-00001"), self.suffix()].into_iter().flatten();
        if self.is_bundle() {
            self.data().cloned().collect()
        } else {
            other().map(|end| with_suffix(stem, end)).collect()
        }
    }

    /// The source's file that is shown as something else, and not as itself.
    pub(crate) fn covered(&self, stem: &OsStr) -> Option<&OsString> {
        (!self.is_bundle() && (self.suffix().is_some() || self.head == stem)).then_some(&self.head)
    }

    /// The prefix of a family in a directory.
    pub(crate) fn prefix(&self, dir: &Path, stem: &OsStr) -> Prefix {
        let prefix = Prefix::new(dir, stem);
        if self.is_bundle() { prefix } else { Prefix { head: self.head.clone(), ..prefix } }
    }

    /// The names of the data files, those of one number of shards together.
    pub(crate) fn data(&self) -> impl Iterator<Item = &OsString> {
        self.data.values().flatten()
    }
}

/// The V2 bundles of a folder by stem. What a crashed save left behind does not count.
pub(crate) fn bundles(directory: &Directory, entries: &[Entry]) -> BTreeMap<OsString, CheckpointFiles> {
    let mut families = BTreeMap::<OsString, CheckpointFiles>::new();
    for entry in entries.iter().filter(|entry| entry.kind.is_file() || entry.kind.is_symlink()) {
        match Part::of(&entry.name) {
            Some((stem, Part::Index)) => {
                families.entry(stem).or_default().index = stamp(directory, &entry.name)
            }
            Some((stem, Part::Data { num_shards })) => {
                let family = families.entry(stem).or_default();
                family.data.entry(num_shards).or_default().insert(entry.name.clone());
            }
            _ => {}
        }
    }
    families
}

fn stamp(directory: &Directory, name: &OsStr) -> Option<Stamp> {
    let meta = directory.metadata(name).ok().filter(Metadata::is_file)?;
    Some(Stamp::from(&meta))
}

/// Which file of a checkpoint a name is.
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
    /// Splits a file name into the stem and what follows it.
    ///
    /// What a save in progress is called is none: `part-00000-of-00001`, in a directory `…_temp`.
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

/// Whether it is empty or `part-SSSSS-of-NNNNN`.
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

//! Checkpoint file names: a prefix, and the files that carry it.
//!
//! `P.index`, `P.data-SSSSS-of-NNNNN` (five digits or more, counted from 0), `P.meta`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The name of a checkpoint: its directory and what its files' names begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The directory.
    pub dir: PathBuf,
    /// The part of the file names before `.index`.
    pub stem: OsString,
}

/// The files of one prefix that a directory has.
#[derive(Debug, Default)]
pub(super) struct Family {
    /// Modification time of the index, if there is one.
    pub(super) index: Option<SystemTime>,
    /// How many data files there are, by the number of shards that their names give.
    data: BTreeMap<u64, u64>,
}

impl Prefix {
    /// Splits a path at its last component.
    pub(super) fn of(path: &Path) -> Self {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let dir = parent.unwrap_or(Path::new(".")).to_owned();
        Self { dir, stem: path.file_name().unwrap_or_default().to_owned() }
    }

    /// The index's path.
    pub fn index(&self) -> PathBuf {
        self.with(".index")
    }

    /// A data file's path.
    pub fn data(&self, shard: u32, num_shards: u32) -> PathBuf {
        self.with(&format!(".data-{shard:05}-of-{num_shards:05}"))
    }

    /// The prefix as TensorFlow takes it.
    pub fn path(&self) -> PathBuf {
        self.with("")
    }

    fn with(&self, suffix: &str) -> PathBuf {
        let mut name = self.stem.clone();
        name.push(suffix);
        if self.dir == Path::new(".") { name.into() } else { self.dir.join(name) }
    }
}

impl Family {
    /// The index and every data file that their names promise.
    pub(super) fn is_complete(&self) -> bool {
        self.index.is_some() && self.data.iter().any(|(promised, found)| promised == found)
    }
}

/// The checkpoints of a directory by stem. What a crashed save left behind does not count.
pub(super) fn families(dir: &Path) -> io::Result<BTreeMap<OsString, Family>> {
    let mut families = BTreeMap::<OsString, Family>::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        match Part::of(&entry.file_name()) {
            Some((stem, Part::Index)) => {
                let modified = entry.path().metadata().and_then(|meta| meta.modified());
                families.entry(stem).or_default().index = modified.ok();
            }
            Some((stem, Part::Data { num_shards })) => {
                *families.entry(stem).or_default().data.entry(num_shards).or_default() += 1;
            }
            _ => {}
        }
    }
    Ok(families)
}

/// Which file of a checkpoint a name is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Index,
    Data { num_shards: u64 },
    Meta,
}

impl Part {
    /// Splits a file name into the stem and what follows it.
    pub(super) fn of(name: &OsStr) -> Option<(OsString, Self)> {
        let bytes = name.as_bytes();
        let stem = |stem: &[u8]| Some(OsString::from_vec(stem.to_vec())).filter(|stem| !stem.is_empty());
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
        Some((stem(&bytes[..rest])?, Self::Data { num_shards })).filter(|_| shard < num_shards)
    }
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
            "checkpoint",
            "a.data-00000-of-00001.tempstate1",
        ] {
            assert_eq!(part(other), None, "{other}");
        }
    }

    #[test]
    fn a_prefix_names_its_files_as_tensorflow_does() {
        let prefix = Prefix::of(Path::new("train/ckpt-9"));
        assert_eq!(prefix.index(), Path::new("train/ckpt-9.index"));
        assert_eq!(prefix.data(3, 123_456), Path::new("train/ckpt-9.data-00003-of-123456"));
        assert_eq!(Prefix::of(Path::new("ckpt-9")).index(), Path::new("ckpt-9.index"));
    }
}

//! Checksums in the user's cache directory: a small file for each checkpoint, named after its key.
//!
//! A file that is damaged or has another key is ignored. If no file can be written, no checksums are kept. The oldest
//! files are deleted when there are many.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{env, fs};

use tempfile::Builder;

use crate::checksums::ChecksumStore;
use crate::format::checksums;
use crate::format::crc::Masked;

/// The maximum number of files.
const MOST: usize = 64;
/// The extension of complete files.
const SUFFIX: &str = "sums";
/// The extension of files that are being written.
const PART: &str = "part";
/// The age at which an incomplete file is regarded as abandoned.
const LEFT_BEHIND: Duration = Duration::from_secs(3600);

/// A directory of checksum files.
pub(crate) struct CacheDirStore(PathBuf);

impl CacheDirStore {
    /// Returns the user's store: in `$CKPTFS_CACHE_DIR`, else in `ckptfs` in `$XDG_CACHE_HOME` or `~/.cache`. Returns
    /// `None` if `$CKPTFS_CACHE_DIR` is set but empty, which disables the store.
    pub(crate) fn of_user() -> Option<Self> {
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        match env::var_os("CKPTFS_CACHE_DIR") {
            Some(own) => {
                Some(own).filter(|own| !own.is_empty()).and_then(|own| std::path::absolute(own).ok())
            }
            None => absolute("XDG_CACHE_HOME")
                .or_else(|| Some(absolute("HOME")?.join(".cache")))
                .map(|cache| cache.join("ckptfs")),
        }
        .map(Self::within)
    }

    /// Returns a store in a directory, which need not exist.
    pub(crate) fn within(directory: impl AsRef<Path>) -> Self {
        Self(directory.as_ref().join("checksums"))
    }

    fn path(&self, key: u128) -> PathBuf {
        self.0.join(format!("{key:032x}.{SUFFIX}"))
    }

    fn write(&self, key: u128, sums: &[Masked]) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let suffix = format!(".{PART}");
        let mut file = Builder::new().prefix(".").suffix(&suffix).tempfile_in(&self.0)?;
        file.write_all(&checksums::encode(key, sums))?;
        file.persist(self.path(key))?;
        Ok(())
    }

    fn prune(&self) -> io::Result<()> {
        let (mut kept, now) = (Vec::new(), SystemTime::now());
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            let Ok(modified) = fs::symlink_metadata(&path).and_then(|meta| meta.modified()) else { continue };
            match path.extension().and_then(OsStr::to_str) {
                Some(SUFFIX) => kept.push((modified, path)),
                Some(PART) if now.duration_since(modified).is_ok_and(|age| age > LEFT_BEHIND) => {
                    fs::remove_file(&path)?;
                }
                _ => {}
            }
        }
        kept.sort();
        let spare = kept.len().saturating_sub(MOST);
        kept[..spare].iter().try_for_each(|(_, path)| fs::remove_file(path))
    }
}

impl ChecksumStore for CacheDirStore {
    fn find(&self, key: u128, count: usize) -> Option<Vec<Masked>> {
        let path = self.path(key);
        let len = fs::metadata(&path).ok()?.len();
        let bytes = (len == checksums::len(count)).then(|| fs::read(&path))?.ok()?;
        checksums::decode(&bytes, key).ok().filter(|sums| sums.len() == count)
    }

    fn store(&self, key: u128, sums: &[Masked]) {
        let kept = self.write(key, sums).and_then(|()| self.prune());
        kept.unwrap_or_else(|error| log::debug!("{}: checksums are not kept: {error}", self.0.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, CacheDirStore) {
        let dir = tempfile::tempdir().unwrap();
        let store = CacheDirStore::within(dir.path().join("not/yet"));
        (dir, store)
    }

    #[test]
    fn checksums_are_found_only_with_their_key_and_count() {
        let (_dir, store) = store();
        store.store(7, &[Masked(1), Masked(2)]);
        assert_eq!(store.find(7, 2), Some(vec![Masked(1), Masked(2)]));
        assert_eq!((store.find(8, 2), store.find(7, 1)), (None, None));
        fs::rename(store.path(7), store.path(8)).unwrap();
        assert_eq!(store.find(8, 2), None, "another's file under this name");
    }

    #[test]
    fn a_damaged_file_is_ignored() {
        let (_dir, store) = store();
        store.store(7, &[Masked(1)]);
        let mut bytes = fs::read(store.path(7)).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(store.path(7), bytes).unwrap();
        assert_eq!(store.find(7, 1), None);
    }

    #[test]
    fn only_the_newest_files_are_kept_and_abandoned_ones_are_deleted() {
        let (_dir, store) = store();
        fs::create_dir_all(&store.0).unwrap();
        let old = SystemTime::now() - 2 * LEFT_BEHIND;
        let age = |path: &Path, by| {
            fs::File::open(path).unwrap().set_modified(old + Duration::from_secs(by)).unwrap()
        };
        fs::write(store.0.join(".x.part"), b"").unwrap();
        age(&store.0.join(".x.part"), 0);
        for key in 0..MOST as u128 + 3 {
            store.store(key, &[Masked(1)]);
            age(&store.path(key), key as u64);
        }
        store.store(1000, &[Masked(1)]);
        assert_eq!(fs::read_dir(&store.0).unwrap().count(), MOST);
        assert_eq!((store.find(0, 1), store.find(1000, 1)), (None, Some(vec![Masked(1)])));
    }

    #[test]
    fn if_no_file_can_be_written_nothing_is_kept_and_nothing_fails() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("checksums"), b"a file").unwrap();
        let store = CacheDirStore::within(dir.path());
        store.store(7, &[Masked(1)]);
        assert_eq!(store.find(7, 1), None);
    }
}

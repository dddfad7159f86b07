//! The check of the other checkpoints of a directory: all that a mount would serve, in one line each.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::cli::commands::check::{data, values};
use crate::cli::output::page::{PLAIN, Page};
use crate::cli::output::terminal::{BAD, GOOD, counted};
use crate::directory::Directory;
use crate::mounted_source::MountedSource;
use crate::source;
use crate::transform::Transform;
use crate::tree::{Backend, Kind, Scan};

/// A file that only a ckptfs mount has. In a mount, the directory of a checkpoint contains other forms of it, and the
/// newest checkpoint has a second name.
const MOUNT: &str = ".ckptfs/status.json";
/// The second name of the newest checkpoint in a mount.
const SECOND_NAME: &[u8] = b"latest";

/// The checkpoints of a directory other than the newest, and the number of them that passed.
pub(crate) struct Others<'a> {
    transform: &'a Arc<Transform>,
    reads_data: bool,
    all: usize,
    good: usize,
}

impl<'a> Others<'a> {
    pub(crate) fn new(transform: &'a Arc<Transform>, reads_data: bool) -> Self {
        Self { transform, reads_data, all: 0, good: 0 }
    }

    pub(crate) fn are_good(&self) -> bool {
        self.good == self.all
    }

    /// Checks the checkpoints of a directory, the newest first, and those of the directories below it. Skips the
    /// checkpoint `checked`, which was checked before.
    pub(crate) fn check<W: Write>(
        &mut self,
        dir: &Path,
        checked: Option<&OsStr>,
        page: &mut Page<W>,
    ) -> anyhow::Result<()> {
        // The trailing slash selects the directory: a checkpoint next to it may have the same name.
        let source_dir = MountedSource::open(&dir.join(""), self.transform.clone())?;
        let is_saved_model = Directory::open(dir).is_ok_and(|directory| source::is_saved_model(&directory));
        let is_mount = dir.join(MOUNT).exists();
        let Scan { mut checkpoints, others, .. } = source_dir.scan()?;
        checkpoints.retain(|found| checked != Some(OsStr::from_bytes(&found.stem)));
        checkpoints.retain(|found| !is_mount || found.stem != SECOND_NAME);
        checkpoints.sort_by_key(|found| std::cmp::Reverse(found.index.mtime));
        for found in checkpoints {
            let path =
                if is_saved_model { dir.into() } else { dir.join(OsString::from_vec(found.stem.clone())) };
            self.one(&path, &source_dir, &found.stem, page)?;
        }
        let directories = others.into_iter().filter(|other| other.kind == Kind::Directory);
        let below = directories.map(|other| dir.join(OsString::from_vec(other.name)));
        let below: Vec<PathBuf> = below.filter(|_| !is_saved_model && !is_mount).collect();
        let below = below.iter().filter(|dir| Directory::open(*dir).is_ok());
        for dir in below {
            self.check(dir, None, page)?;
        }
        Ok(())
    }

    fn one<W: Write>(
        &mut self,
        path: &Path,
        source_dir: &MountedSource,
        stem: &[u8],
        page: &mut Page<W>,
    ) -> anyhow::Result<()> {
        let planned = source_dir.plan(stem).map(|(catalog, _)| catalog);
        let verdict = planned.as_ref().map_err(|error| cause(error, path)).and_then(fits);
        self.all += 1;
        let path = path.display();
        let mut is_good = verdict.is_ok();
        match verdict {
            Ok(names) => page.line(PLAIN, 2, &format!("{path}: fits, {names}"))?,
            Err(cause) => page.line(BAD, 2, &format!("{path}: does not fit: {cause}"))?,
        }
        if self.reads_data {
            // The data is checked without the map, because the map may drop variables.
            let source = MountedSource::open(&source_dir.directory().join(""), Arc::default())?;
            is_good &= match source.plan(stem) {
                Ok((catalog, _)) => data::check(&catalog, page)?,
                Err(error) if is_good => {
                    page.line(BAD, 4, &format!("  data: {}", cause(&error, Path::new(&path.to_string()))))?;
                    false
                }
                Err(_) => false,
            };
            if let Some(catalog) = planned.ok().filter(|_| is_good) {
                is_good &= values::check(&catalog, page)?;
            }
        }
        self.good += usize::from(is_good);
        page.flush()?;
        Ok(())
    }

    /// Prints how many checkpoints passed, including the newest, if there are several.
    pub(crate) fn summary<W: Write>(&self, newest: bool, page: &mut Page<W>) -> std::io::Result<()> {
        let (good, all) = (self.good + usize::from(newest), self.all + 1);
        let style = if good == all { GOOD } else { BAD };
        let verdict = if self.reads_data { "fit and are intact" } else { "fit" };
        match self.all {
            0 => Ok(()),
            _ => page.line(style, 2, &format!("{good} of {} {verdict}", counted(all, "checkpoint"))),
        }
    }
}

/// Returns the number of names in words.
///
/// # Errors
/// A message, if data files are missing.
fn fits(catalog: &Catalog) -> Result<String, String> {
    match catalog.is_complete() {
        true => Ok(counted(catalog.variables.len(), "name")),
        false => Err("data files are missing".into()),
    }
}

/// Returns the first cause of an error in one line, with the number of further errors.
fn cause(error: &str, path: &Path) -> String {
    const ERROR: &str = "error: ";
    let errors: Vec<_> = error.lines().filter_map(|line| line.strip_prefix(ERROR)).collect();
    let head = || {
        let line = error.lines().next().unwrap_or_default();
        let path = path.display().to_string();
        let rest = line.strip_prefix(&path).map(|rest| rest.strip_prefix(".index").unwrap_or(rest));
        rest.and_then(|rest| rest.strip_prefix(": ")).unwrap_or(line)
    };
    match errors.as_slice() {
        [] => head().to_owned(),
        [only] => (*only).to_owned(),
        [first, rest @ ..] => format!("{first}; {} more", counted(rest.len(), "error")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_becomes_one_line() {
        let said = |error| cause(error, Path::new("train/ckpt-8"));
        assert_eq!(said("train/ckpt-8.index: the file is damaged\n  help: copy it"), "the file is damaged");
        assert_eq!(
            said("train/ckpt-8: the map does not fit\nerror: `a` matched none\n |\nerror: b"),
            "`a` matched none; 1 error more"
        );
    }
}

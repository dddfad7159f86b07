//! A SavedModel keeps its own layout, and its variables are shown a second time, as a checkpoint called `remapped`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::directory::Directory;
use crate::source;
use crate::source::VARIABLES;
use crate::source_file::Stamp;
use crate::tree::FoundCheckpoint;

/// The stem of the checkpoint that the whole map applies to.
pub(crate) const REMAPPED: &str = "remapped";

/// Returns the checkpoint in `variables/` under its other name; `None` if it does not exist.
pub(crate) fn remapped(directory: &Directory) -> io::Result<Option<FoundCheckpoint>> {
    let variables = directory.open_dir(OsStr::new(VARIABLES))?;
    let mut checkpoints = source::find_checkpoints(&variables, &variables.entries()?);
    let Some(files) = checkpoints.remove(OsStr::new(VARIABLES)) else { return Ok(None) };
    let renamed = |name: &[u8]| [REMAPPED.as_bytes(), &name[VARIABLES.len()..]].concat();
    let data = files.data().map(|name| (renamed(name.as_bytes()), Stamp::at(&variables, name))).collect();
    Ok(files.index.map(|index| FoundCheckpoint { stem: REMAPPED.into(), index, data, has_tree: true }))
}

/// Logs, once for each link that leads out of a SavedModel, that the link is not shown.
pub(crate) fn report_link(path: &Path) {
    static REPORTED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if REPORTED.lock().unwrap_or_else(PoisonError::into_inner).insert(path.into()) {
        log::warn!("{}: a link that leads out of its SavedModel; not shown", path.display());
    }
}

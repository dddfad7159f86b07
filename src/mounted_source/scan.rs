//! The scan of a directory: its checkpoints, by the names of their files, and everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::directory::{Entry, leads_out};
use crate::mounted_source::{MountedSource, SourceKind, saved_model};
use crate::source::{CheckpointFiles, CheckpointList, Part};
use crate::source_file::Stamp;
use crate::tree::{FoundCheckpoint, Listed, Other, Scan};
use crate::{source, tree};

/// The name of the state file.
const STATE: &str = "checkpoint";

/// Scans the directory of a mounted source.
pub(crate) fn scan(source_dir: &MountedSource) -> io::Result<Scan> {
    let own = Stamp::from(&source_dir.dir.own_metadata()?);
    let entries = source_dir.dir.entries()?;
    let files = checkpoints(source_dir, &entries);
    let has_tree = !matches!(source_dir.kind, SourceKind::Variables);
    let mut checkpoints: Vec<_> = files
        .iter()
        .filter_map(|(stem, files)| found_checkpoint(source_dir, stem, files, has_tree))
        .collect();
    let mut in_order = match source_dir.kind {
        SourceKind::Variables => CheckpointList::default(),
        _ => source::in_order(&files, source::state_file(&source_dir.dir, OsStr::new(STATE)).as_ref()),
    };
    if matches!(source_dir.kind, SourceKind::SavedModel)
        && let Some(remapped) = saved_model::remapped(&source_dir.dir)?
    {
        in_order.checkpoints.push((OsString::from_vec(remapped.stem.clone()), None));
        checkpoints.push(remapped);
    }
    let others = match source_dir.kind {
        SourceKind::Prefix(_) => Vec::new(),
        _ => others(source_dir, &entries, &files),
    };
    let listed = |(stem, time): (OsString, _)| Listed { stem: stem.into_vec(), time };
    Ok(Scan {
        mtime: checkpoints.iter().map(|found| found.index.mtime).max().unwrap_or(own.mtime),
        mode: own.mode,
        checkpoints,
        others,
        in_order: in_order.checkpoints.into_iter().map(listed).collect(),
        last_preserved: in_order.last_preserved,
    })
}

/// Returns the total size in bytes of the checkpoints' files.
pub(crate) fn len_of_checkpoints(source_dir: &MountedSource) -> u64 {
    let Ok(scan) = scan(source_dir) else { return 0 };
    let data = |found: &FoundCheckpoint| {
        found.data.iter().filter_map(|(_, stamp)| *stamp).map(|stamp| stamp.len).sum::<u64>()
    };
    scan.checkpoints.iter().map(|found| found.index.len + data(found)).sum()
}

/// Returns the checkpoints that are shown. Other programs also use the name suffix `.index`. If an index has no data
/// file, its last bytes determine if it is TensorFlow's.
fn checkpoints(source_dir: &MountedSource, entries: &[Entry]) -> BTreeMap<OsString, CheckpointFiles> {
    if let SourceKind::Prefix(only) = &source_dir.kind {
        let files = source::find_files(&source_dir.dir, entries, only);
        return files.into_iter().map(|files| (only.stem.clone(), files)).collect();
    }
    let is_ours = |stem: &OsString, files: &CheckpointFiles| {
        !files.is_bundle() || files.data().next().is_some() || source::is_index(&source_dir.dir, stem)
    };
    let mut checkpoints = source::find_checkpoints(&source_dir.dir, entries);
    checkpoints.retain(|stem, files| files.index.is_some() && is_ours(stem, files));
    if let SourceKind::Around(only) = &source_dir.kind
        && !only.is_bundle()
    {
        checkpoints.extend(
            source::find_files(&source_dir.dir, entries, only).map(|files| (only.stem.clone(), files)),
        );
    }
    checkpoints
}

fn found_checkpoint(
    source_dir: &MountedSource,
    stem: &OsString,
    files: &CheckpointFiles,
    has_tree: bool,
) -> Option<FoundCheckpoint> {
    let stamp = |name: &OsString| files.is_bundle().then(|| Stamp::at(&source_dir.dir, name)).flatten();
    let data = files.shown(stem).into_iter().map(|name| (stamp(&name), name.into_vec()));
    let data = data.map(|(stamp, name)| (name, stamp)).collect();
    Some(FoundCheckpoint { stem: stem.as_bytes().into(), index: files.index?, data, has_tree })
}

/// Returns the entries that are shown unchanged: everything except checkpoints, the state file, and special files.
fn others(
    source_dir: &MountedSource,
    entries: &[Entry],
    checkpoints: &BTreeMap<OsString, CheckpointFiles>,
) -> Vec<Other> {
    let covered = checkpoints.iter().filter_map(|(stem, files)| files.covered(stem));
    let of_checkpoints: BTreeSet<_> =
        checkpoints.values().flat_map(CheckpointFiles::data).chain(covered).collect();
    let is_other = |entry: &&Entry| match Part::of(&entry.name) {
        Some((stem, Part::Index)) => !checkpoints.contains_key(&stem),
        _ => !of_checkpoints.contains(&entry.name),
    };
    let is_state = |entry: &Entry| entry.name == STATE && !entry.kind.is_dir() && !is_table(source_dir);
    let others = entries.iter().filter(is_other).filter(|entry| !is_state(entry));
    let mut others: Vec<_> = others.filter_map(|entry| other(source_dir, entry)).collect();
    others.sort_by(|a, b| a.name.cmp(&b.name));
    others
}

/// Returns true if the file named `checkpoint` is not a state file but a V1 checkpoint, which may have that name too.
fn is_table(source_dir: &MountedSource) -> bool {
    source::is_table(&source_dir.dir, OsStr::new(STATE))
}

fn other(source_dir: &MountedSource, entry: &Entry) -> Option<Other> {
    let (kind, target) = match entry.kind {
        kind if kind.is_file() => (tree::Kind::File, Vec::new()),
        kind if kind.is_dir() => (tree::Kind::Directory, Vec::new()),
        kind if kind.is_symlink() => (tree::Kind::Link, target(source_dir, &entry.name)?),
        _ => return None,
    };
    Some(Other { name: entry.name.as_bytes().into(), kind, target, ino: entry.ino })
}

/// Returns the target of a symlink as seen from the mount. A target inside the mounted directory stays relative. Any
/// other target becomes a path in the source. Returns `None` if the link must not lead there.
fn target(source_dir: &MountedSource, name: &OsStr) -> Option<Vec<u8>> {
    let target = source_dir.dir.read_link(name).ok()?;
    if !leads_out(&target, source_dir.depth) {
        return Some(target.into_os_string().into_vec());
    }
    if source_dir.dir.is_confined() {
        saved_model::report_link(&source_dir.dir.path().join(name));
        return None;
    }
    Some(source_dir.dir.path().join(target).into_os_string().into_vec())
}

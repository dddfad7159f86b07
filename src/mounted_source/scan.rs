//! One look at a directory: its checkpoints by the names of their files, and everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::directory::{Entry, leaves};
use crate::mounted_source::{SourceKind, MountedSource, saved_model};
use crate::source::{CheckpointFiles, Part, CheckpointList};
use crate::source_file::Stamp;
use crate::tree::{FoundCheckpoint, Listed, Other, Scan};
use crate::{source, tree};

/// The name of the state file.
const STATE: &str = "checkpoint";

/// Looks at a mirror's directory.
pub(crate) fn scan(mirror: &MountedSource) -> io::Result<Scan> {
    let own = Stamp::from(&mirror.folder.own_metadata()?);
    let entries = mirror.folder.entries()?;
    let families = families(mirror, &entries);
    let has_tree = !matches!(mirror.kind, SourceKind::Variables);
    let mut checkpoints: Vec<_> =
        families.iter().filter_map(|(stem, family)| found(mirror, stem, family, has_tree)).collect();
    let mut roster = match mirror.kind {
        SourceKind::Variables => CheckpointList::default(),
        _ => source::in_order(&families, source::state_file(&mirror.folder, OsStr::new(STATE)).as_ref()),
    };
    if matches!(mirror.kind, SourceKind::SavedModel)
        && let Some(remapped) = saved_model::remapped(&mirror.folder)?
    {
        roster.checkpoints.push((OsString::from_vec(remapped.stem.clone()), None));
        checkpoints.push(remapped);
    }
    let others = match mirror.kind {
        SourceKind::Prefix(_) => Vec::new(),
        _ => others(mirror, &entries, &families),
    };
    let listed = |(stem, time): (OsString, _)| Listed { stem: stem.into_vec(), time };
    Ok(Scan {
        mtime: checkpoints.iter().map(|found| found.index.mtime).max().unwrap_or(own.mtime),
        mode: own.mode,
        checkpoints,
        others,
        roster: roster.checkpoints.into_iter().map(listed).collect(),
        last_preserved: roster.last_preserved,
    })
}

/// Bytes of the files of checkpoints.
pub(crate) fn len_of_checkpoints(mirror: &MountedSource) -> u64 {
    let Ok(scan) = scan(mirror) else { return 0 };
    let data =
        |found: &FoundCheckpoint| found.data.iter().filter_map(|(_, stamp)| *stamp).map(|stamp| stamp.len).sum::<u64>();
    scan.checkpoints.iter().map(|found| found.index.len + data(found)).sum()
}

/// The checkpoints that are shown. Files that others call an index too are told by their end, if no data file is there to
/// vouch for them.
fn families(mirror: &MountedSource, entries: &[Entry]) -> BTreeMap<OsString, CheckpointFiles> {
    if let SourceKind::Prefix(only) = &mirror.kind {
        let family = source::find_files(&mirror.folder, entries, only);
        return family.into_iter().map(|family| (only.stem.clone(), family)).collect();
    }
    let is_ours = |stem: &OsString, family: &CheckpointFiles| {
        !family.is_bundle() || family.data().next().is_some() || source::is_index(&mirror.folder, stem)
    };
    let mut families = source::find_checkpoints(&mirror.folder, entries);
    families.retain(|stem, family| family.index.is_some() && is_ours(stem, family));
    if let SourceKind::Around(only) = &mirror.kind
        && !only.is_bundle()
    {
        families
            .extend(source::find_files(&mirror.folder, entries, only).map(|family| (only.stem.clone(), family)));
    }
    families
}

fn found(mirror: &MountedSource, stem: &OsString, family: &CheckpointFiles, has_tree: bool) -> Option<FoundCheckpoint> {
    let stamp = |name: &OsString| family.is_bundle().then(|| Stamp::at(&mirror.folder, name)).flatten();
    let data = family.shown(stem).into_iter().map(|name| (stamp(&name), name.into_vec()));
    let data = data.map(|(stamp, name)| (name, stamp)).collect();
    Some(FoundCheckpoint { stem: stem.as_bytes().into(), index: family.index?, data, has_tree })
}

/// What is shown as it is: everything but checkpoints, the state file, and what is no file at all.
fn others(mirror: &MountedSource, entries: &[Entry], families: &BTreeMap<OsString, CheckpointFiles>) -> Vec<Other> {
    let covered = families.iter().filter_map(|(stem, family)| family.covered(stem));
    let of_checkpoints: BTreeSet<_> = families.values().flat_map(CheckpointFiles::data).chain(covered).collect();
    let is_other = |entry: &&Entry| match Part::of(&entry.name) {
        Some((stem, Part::Index)) => !families.contains_key(&stem),
        _ => !of_checkpoints.contains(&entry.name),
    };
    let is_state = |entry: &Entry| entry.name == STATE && !entry.kind.is_dir() && !is_table(mirror);
    let others = entries.iter().filter(is_other).filter(|entry| !is_state(entry));
    let mut others: Vec<_> = others.filter_map(|entry| other(mirror, entry)).collect();
    others.sort_by(|a, b| a.name.cmp(&b.name));
    others
}

/// A V1 checkpoint may be called `checkpoint` too.
fn is_table(mirror: &MountedSource) -> bool {
    source::is_table(&mirror.folder, OsStr::new(STATE))
}

fn other(mirror: &MountedSource, entry: &Entry) -> Option<Other> {
    let (kind, target) = match entry.kind {
        kind if kind.is_file() => (tree::Kind::File, Vec::new()),
        kind if kind.is_dir() => (tree::Kind::Directory, Vec::new()),
        kind if kind.is_symlink() => (tree::Kind::Link, target(mirror, &entry.name)?),
        _ => return None,
    };
    Some(Other { name: entry.name.as_bytes().into(), kind, target, ino: entry.ino })
}

/// Where a link leads, from the mount: what is beside it is beside it there too, anything else is where it was. `None` if
/// it must not lead there.
fn target(mirror: &MountedSource, name: &OsStr) -> Option<Vec<u8>> {
    let target = mirror.folder.link(name).ok()?;
    if !leaves(&target, mirror.depth) {
        return Some(target.into_os_string().into_vec());
    }
    if mirror.folder.is_confined() {
        saved_model::report_link(&mirror.folder.path().join(name));
        return None;
    }
    Some(mirror.folder.path().join(target).into_os_string().into_vec())
}

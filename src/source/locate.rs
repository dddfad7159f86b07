//! From the path a person gives to the checkpoint a person means.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::error::Error;
use super::family::{self, Family, Part, Prefix};
use super::identify;
use crate::format::state;

/// A state file names a few checkpoints; one beyond this is something else.
const STATE_LEN: u64 = 1 << 20;
/// How many neighbours a message names.
const NEAREST: usize = 5;

/// The prefix that `path` means, and what to tell the user about the choice.
pub(super) fn locate(path: &Path) -> Result<(Prefix, Option<String>), Error> {
    let prefix = Prefix::of(path);
    let asks_for_directory = path.as_os_str().as_bytes().ends_with(b"/");
    if !asks_for_directory && !prefix.stem.is_empty() && prefix.index().exists() {
        return Ok((prefix, None));
    }
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => in_directory(path),
        Ok(_) => of_file(path).map(|prefix| (prefix, None)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Error::NotFound { path: path.into(), nearest: nearest(path) })
        }
        Err(error) => Err(Error::Io(path.into(), error)),
    }
}

/// The checkpoint that one of its files belongs to.
fn of_file(path: &Path) -> Result<Prefix, Error> {
    let name = path.file_name().unwrap_or_default();
    if name == "checkpoint" && !identify::is_table(path) {
        return in_directory(&Prefix::of(path).dir).map(|(prefix, _)| prefix);
    }
    let Some((stem, part)) = Part::of(name) else { return Err(Error::not_a_checkpoint(path)) };
    let prefix = Prefix { stem, ..Prefix::of(path) };
    match prefix.index().exists() {
        true => Ok(prefix),
        false if part == Part::Index => Err(Error::not_a_checkpoint(path)),
        false => Err(Error::NoIndex { path: path.into(), index: prefix.index(), nearest: nearest(path) }),
    }
}

fn in_directory(dir: &Path) -> Result<(Prefix, Option<String>), Error> {
    let saved_model = dir.join("variables");
    if dir.join("saved_model.pb").exists() && saved_model.join("variables.index").exists() {
        return Ok((Prefix { dir: saved_model, stem: "variables".into() }, None));
    }
    let families = family::families(dir).map_err(|error| Error::Io(dir.into(), error))?;
    let mut indexed: Vec<_> = families.into_iter().filter(|(_, family)| family.index.is_some()).collect();
    indexed.sort_by_key(|(_, family)| (family.is_complete(), family.index));
    let Some((newest, _)) = indexed.last() else { return Err(Error::NoCheckpoints(dir.into())) };
    let stem = stated(dir, &indexed).unwrap_or_else(|| newest.clone());
    let note = (indexed.len() > 1).then(|| {
        format!("{} holds {} checkpoints; using {}", dir.display(), indexed.len(), stem.to_string_lossy())
    });
    Ok((Prefix { dir: dir.into(), stem }, note))
}

/// The newest complete checkpoint that the directory's state file names: its first choice, else its list from the end.
///
/// Only the last component of what it names counts: absolute paths are those of the machine that saved.
fn stated(dir: &Path, indexed: &[(OsString, Family)]) -> Option<OsString> {
    let path = dir.join("checkpoint");
    let meta = fs::metadata(&path).ok().filter(|meta| meta.is_file() && meta.len() <= STATE_LEN);
    let state = state::decode(&meta.and_then(|_| fs::read(&path).ok())?).ok()?;
    let named =
        [&state.model_checkpoint_path].into_iter().chain(state.all_model_checkpoint_paths.iter().rev());
    let complete = |stem: &OsStr| indexed.iter().any(|(s, family)| s == stem && family.is_complete());
    named.map(|path| last_component(path)).find(|stem| complete(stem)).map(OsStr::to_owned)
}

fn last_component(path: &[u8]) -> &OsStr {
    let start = path.iter().rposition(|&byte| byte == b'/' || byte == b'\\').map_or(0, |at| at + 1);
    OsStr::from_bytes(&path[start..])
}

/// The prefixes in the directory of `path`, those with the most similar names first.
pub(super) fn nearest(path: &Path) -> Vec<String> {
    let wanted = Prefix::of(path);
    let stem = wanted.stem.to_string_lossy().into_owned();
    let families = family::families(&wanted.dir).unwrap_or_default();
    let indexed = families.into_iter().filter(|(_, family)| family.index.is_some());
    let usable = indexed
        .filter(|(stem, _)| identify::is_table(&Prefix { stem: stem.clone(), ..wanted.clone() }.index()));
    let mut scored: Vec<_> = usable
        .map(|(found, _)| {
            let score = strsim::jaro_winkler(&found.to_string_lossy(), &stem);
            (score, Prefix { stem: found, ..wanted.clone() }.path().display().to_string())
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.into_iter().take(NEAREST).map(|(_, path)| path).collect()
}

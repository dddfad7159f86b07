//! The steps of a directory of checkpoints: a new state file for them, the list in the old one, and those that were
//! deleted.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::directory::{Directory, Entry};
use crate::doctor::finding::{Finding, Mend, finding};
use crate::doctor::line::{has_counter, literal};
use crate::doctor::newest::{Newest, text};
use crate::format::checkpoint_state;
use crate::format::checkpoint_state::State;
use crate::name::{listed, quoted};
use crate::source;
use crate::source::{by_number, shown, word};

/// The name of the state file.
pub(super) const NAME: &str = "checkpoint";
/// The maximum number of steps in a new state file.
const LISTED: usize = 100;
/// The maximum number of names in a line.
const NAMED: usize = 5;

/// A directory and its whole steps.
pub(super) struct Steps<'a> {
    pub(super) directory: &'a Directory,
    pub(super) newest: Option<&'a Newest>,
    /// The stems of the complete checkpoints, oldest first.
    pub(super) stems: Vec<String>,
}

impl<'a> Steps<'a> {
    /// Finds the complete steps of a directory.
    pub(super) fn new(directory: &'a Directory, entries: &[Entry], newest: Option<&'a Newest>) -> Self {
        let checkpoints = source::find_checkpoints(directory, entries);
        let state = source::state_file(directory, OsStr::new(NAME));
        let in_order = source::in_order(&checkpoints, state.as_ref()).checkpoints;
        let mut stems: Vec<_> =
            in_order.into_iter().filter_map(|(stem, _)| stem.into_string().ok()).collect();
        stems.sort_by(|a, b| by_number(OsStr::new(a), OsStr::new(b)));
        Self { directory, newest, stems }
    }

    /// Returns the lines that help with any state file: the call that restores the newest step, and a new state file.
    pub(super) fn mends(&self) -> Vec<Mend> {
        let Some(newest) = self.newest else { return Vec::new() };
        let Some(latest) = newest.stem.to_str() else { return vec![newest.restore()] };
        let older = self.stems.iter().filter(|stem| *stem != latest);
        let mut kept: Vec<_> = older.map(String::as_str).chain([latest]).collect();
        kept.drain(..kept.len().saturating_sub(LISTED));
        let state = State {
            model_checkpoint_path: latest.into(),
            all_model_checkpoint_paths: kept.iter().map(|stem| stem.as_bytes().to_vec()).collect(),
            // Without times, a manager does not adopt the steps.
            all_model_checkpoint_timestamps: kept.iter().map(|stem| self.time(stem)).collect(),
            ..State::default()
        };
        let text = checkpoint_state::encode(&state);
        let lines: Vec<_> = String::from_utf8_lossy(&text).lines().map(quoted).collect();
        let path = word(&self.directory.path().join(NAME));
        vec![newest.restore(), Mend::Command(format!("printf '%s\\n' {} > {path}", lines.join(" ")))]
    }

    /// Returns the time at which the index of a step was written, in seconds since 1970.
    fn time(&self, stem: &str) -> f64 {
        let meta = self.directory.metadata(OsStr::new(&format!("{stem}.index")));
        meta.map_or(0.0, |meta| meta.mtime() as f64)
    }

    /// Examines the list of the steps that are kept.
    pub(super) fn list(&self, state: &State) -> Option<Finding> {
        let named = source::named_by(state);
        let listed_stems: Vec<_> = named.iter().skip(1).map(|stem| text(stem)).collect();
        let latest = named.first().map(|stem| text(stem));
        let is_gone = |stem: &&String| Some(*stem) != latest.as_ref() && !self.stems.contains(stem);
        let mut gone: Vec<_> = listed_stems.iter().filter(is_gone).cloned().collect();
        gone.sort_by(|a, b| by_number(a.as_ref(), b.as_ref()));
        gone.retain(|stem| !has_files(&self.directory.path().join(stem)));
        if gone.is_empty() {
            return None;
        }
        let bases: Vec<_> = listed_stems.iter().map(|stem| base(stem)).collect();
        let unlisted =
            self.stems.iter().filter(|stem| !listed_stems.contains(stem) && bases.contains(&base(stem)));
        let unlisted: Vec<_> = unlisted.cloned().collect();
        let lists = format!(
            "{} lists {} steps, of which {} are gone: {}.",
            shown(&self.directory.path().join(NAME)),
            listed_stems.len(),
            gone.len(),
            listed(&gone, NAMED)
        );
        let (id, why) = match unlisted.is_empty() {
            true => (
                "state-lists-deleted",
                "A manager removes from the list what it deletes, so something else deleted them.".into(),
            ),
            false => {
                let unlisted = listed(&unlisted, NAMED);
                (
                    "two-managers",
                    format!(
                        "And it does not list {unlisted}: two CheckpointManagers seem to share the directory, and each deletes by its own max_to_keep."
                    ),
                )
            }
        };
        let manager = self.manager();
        Some(finding(id, format!("{lists} {why}"), self.mends().into_iter().chain([manager]).collect()))
    }

    /// Returns a note that steps were deleted, if the number of the newest step is that of its saves.
    pub(super) fn rotated(&self, state: &State) -> Option<Finding> {
        let newest = self.newest.filter(|newest| newest.checkpoint.catalog.graph().is_some())?;
        let stem = newest.stem.to_str()?;
        let number: u64 = stem[base(stem).len()..].trim_start_matches('-').parse().ok()?;
        if !has_counter(&newest.checkpoint.catalog) || saves(newest) != Some(number) {
            return None;
        }
        let kept = self.stems.iter().filter(|own| base(own) == base(stem)).count() as u64;
        let is_list_whole = source::named_by(state).iter().all(|stem| self.stems.contains(&text(stem)));
        (kept < number && is_list_whole).then(|| {
            let evidence = format!(
                "{}: {stem} is save number {number}, and {kept} of them are kept. A CheckpointManager deletes all but max_to_keep steps, \
                 also those of another manager of the same directory.",
                shown(self.directory.path())
            );
            finding("steps-rotated", evidence, vec![self.manager()])
        })
    }

    /// Returns the line that keeps all steps from now on.
    fn manager(&self) -> Mend {
        let dir = literal(self.directory.path());
        Mend::Python(format!("manager = tf.train.CheckpointManager(checkpoint, {dir}, max_to_keep=None)"))
    }
}

/// Returns the number of saves that a checkpoint counts.
fn saves(newest: &Newest) -> Option<u64> {
    let variable = newest.checkpoint.catalog.variable(b"save_counter")?;
    let ranges = variable.tensor.ranges();
    let (file, at, len) = ranges.first().filter(|(_, _, len)| *len == 8)?;
    let mut bytes = vec![0; *len as usize];
    file.read_exact_at(&mut bytes, *at).ok()?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// Returns true if TensorFlow finds a checkpoint at a prefix: an index, or a file of V1.
pub(super) fn has_files(prefix: &Path) -> bool {
    let end = |suffix: &str| {
        let mut path = prefix.as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    };
    end(".index").is_file() || prefix.is_file()
}

/// Returns a stem without the step at its end: `ckpt` of `ckpt-3`.
pub(super) fn base(stem: &str) -> &str {
    stem.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-')
}

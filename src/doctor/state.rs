//! The examination of the state file `checkpoint`, which `latest_checkpoint` and managers read.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::directory::{Directory, Entry};
use crate::doctor::finding::{Finding, Mend, finding};
use crate::doctor::line::{has_counter, literal, restore};
use crate::doctor::newest::{Newest, text};
use crate::format::checkpoint_state;
use crate::format::checkpoint_state::State;
use crate::name::{listed, printable, quoted};
use crate::source;
use crate::source::{by_number, shown, word};

/// The name of the state file.
const NAME: &str = "checkpoint";
/// The maximum length of a state file in bytes.
const LEN: u64 = 1 << 20;
/// The maximum number of steps in a new state file.
const LISTED: usize = 100;
/// The maximum number of names in a line.
const NAMED: usize = 5;

/// A directory and its whole steps.
struct Steps<'a> {
    directory: &'a Directory,
    newest: Option<&'a Newest>,
    /// The stems of the complete checkpoints, oldest first.
    stems: Vec<String>,
}

/// Examines the state file of a directory.
pub(super) fn examine(directory: &Directory, entries: &[Entry], newest: Option<&Newest>) -> Vec<Finding> {
    let checkpoints = source::find_checkpoints(directory, entries);
    let state = source::state_file(directory, OsStr::new(NAME));
    let in_order = source::in_order(&checkpoints, state.as_ref()).checkpoints;
    let mut stems: Vec<_> = in_order.into_iter().filter_map(|(stem, _)| stem.into_string().ok()).collect();
    stems.sort_by(|a, b| by_number(OsStr::new(a), OsStr::new(b)));
    let steps = Steps { directory, newest, stems };
    match steps.read() {
        Ok(state) => {
            [steps.named(&state), steps.list(&state), steps.rotated(&state)].into_iter().flatten().collect()
        }
        Err(unusable) => vec![unusable],
    }
}

impl Steps<'_> {
    /// Reads the state file, or returns why TensorFlow cannot.
    fn read(&self) -> Result<State, Finding> {
        let path = self.directory.path().join(NAME);
        let found = |id, what: &str| finding(id, format!("{}: {what}.", shown(&path)), self.mends());
        let file = match self.directory.open_file(OsStr::new(NAME)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(found(
                    "state-missing",
                    "no such file; latest_checkpoint() is None, and restore(None) does nothing",
                ));
            }
            Err(error) => return Err(self.unreadable(&path, &error)),
        };
        let mut bytes = Vec::new();
        let read = file.take(LEN).read_to_end(&mut bytes);
        let state = read.map_err(|error| error.to_string());
        let state = state.and_then(|_| checkpoint_state::decode(&bytes).map_err(|error| error.to_string()));
        match state {
            Ok(state) if state.model_checkpoint_path.is_empty() => {
                let what =
                    if bytes.trim_ascii().is_empty() { "it is empty" } else { "it names no checkpoint" };
                Err(found(
                    "state-empty",
                    &format!("{what}; latest_checkpoint() raises \"Invalid checkpoint state\""),
                ))
            }
            Ok(state) => Ok(state),
            Err(error) => {
                let what = format!(
                    "it does not parse ({error}); TensorFlow ignores it, and latest_checkpoint() is None"
                );
                Err(found("state-garbled", &what))
            }
        }
    }

    fn unreadable(&self, path: &Path, error: &std::io::Error) -> Finding {
        let (what, grant) = match source::obstacle(path) {
            Some(obstacle) => (obstacle.to_string(), Some(Mend::Command(obstacle.command()))),
            None => (format!("{}: {error}", shown(path)), None),
        };
        let restore = self.newest.map(Newest::restore);
        let evidence = format!("{what}. TensorFlow ignores it, and latest_checkpoint() is None.");
        finding("state-unreadable", evidence, restore.into_iter().chain(grant).collect())
    }

    /// Returns the lines that help with any state file: the call that restores the newest step, and a new state file.
    fn mends(&self) -> Vec<Mend> {
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

    /// Examines the checkpoint that the state file names as the latest.
    fn named(&self, state: &State) -> Option<Finding> {
        let path = Path::new(OsStr::from_bytes(&state.model_checkpoint_path));
        let (state_path, dir) = (self.directory.path().join(NAME), self.directory.path());
        let stem = source::named_by(state).first().map(|stem| stem.to_os_string())?;
        let is_here = self.stems.iter().any(|own| **own == *stem);
        let target = dir.join(path);
        let names = format!("{} names {}", shown(&state_path), printable(&state.model_checkpoint_path));
        let none = "latest_checkpoint() is None";
        let (id, what) = match (has_files(&target), is_here) {
            (true, _) if !is_same(target.parent(), dir) => (
                "state-elsewhere",
                format!("{names}, which is in another directory; latest_checkpoint() leads there"),
            ),
            (true, _) => return self.behind(&text(&stem), &names),
            (false, true) => {
                ("state-moved", format!("{names}, which is gone; {} is here. {none}", text(&stem)))
            }
            (false, false) => ("state-deleted-step", format!("{names}, which is not there. {none}")),
        };
        Some(finding(id, format!("{what}."), self.mends()))
    }

    /// Returns the finding that a newer step is here than the one that the state file names.
    fn behind(&self, stem: &str, names: &str) -> Option<Finding> {
        let newer = self
            .stems
            .iter()
            .filter(|own| base(own) == base(stem) && by_number(own.as_ref(), stem.as_ref()).is_gt());
        let newer: Vec<_> = newer.collect();
        let latest = newer.last()?;
        let evidence =
            format!("{names}, and latest_checkpoint() leads there; {latest} is newer and complete.");
        let opened = source::open(&self.directory.path().join(latest)).ok()?;
        let line = restore(&opened.catalog, &opened.prefix.path());
        Some(finding("state-behind", evidence, vec![Mend::Python(line)]))
    }

    /// Examines the list of the steps that are kept.
    fn list(&self, state: &State) -> Option<Finding> {
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
    fn rotated(&self, state: &State) -> Option<Finding> {
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
fn has_files(prefix: &Path) -> bool {
    let end = |suffix: &str| {
        let mut path = prefix.as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    };
    end(".index").is_file() || prefix.is_file()
}

fn is_same(a: Option<&Path>, b: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    a.and_then(real).is_some_and(|a| Some(a) == real(b))
}

/// Returns a stem without the step at its end: `ckpt` of `ckpt-3`.
fn base(stem: &str) -> &str {
    stem.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-')
}

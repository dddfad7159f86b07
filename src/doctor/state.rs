//! The examination of the state file `checkpoint`, which `latest_checkpoint` and managers read.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::directory::{Directory, Entry};
use crate::doctor::finding::{Finding, Mend, finding};
use crate::doctor::line::restore;
use crate::doctor::newest::{Newest, text};
use crate::doctor::steps::{NAME, Steps, base, has_files};
use crate::format::checkpoint_state;
use crate::format::checkpoint_state::State;
use crate::name::printable;
use crate::source;
use crate::source::{by_number, shown};

/// The maximum length of a state file in bytes.
const LEN: u64 = 1 << 20;

/// Examines the state file of a directory.
pub(super) fn examine(directory: &Directory, entries: &[Entry], newest: Option<&Newest>) -> Vec<Finding> {
    let steps = Steps::new(directory, entries, newest);
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
}

fn is_same(a: Option<&Path>, b: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    a.and_then(real).is_some_and(|a| Some(a) == real(b))
}

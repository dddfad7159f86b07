//! The checkpoints of a directory in order, with the times that its state file lists.
//!
//! Only the last component of a path in a state file is used. Absolute paths, including Windows paths, are paths of
//! the machine that saved the checkpoint.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use crate::directory::Directory;
use crate::format::checkpoint_state;
use crate::format::checkpoint_state::State;
use crate::source::checkpoint_files::CheckpointFiles;

/// The complete checkpoints of a directory, oldest first, each with its time in the state file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CheckpointList {
    /// The stems and their times.
    pub(crate) checkpoints: Vec<(OsString, Option<f64>)>,
    /// The time at which the last checkpoint that is never deleted was written; 0 if the state file does not list it.
    pub(crate) last_preserved: f64,
}

/// The maximum length of a state file in bytes. A state file names a few checkpoints, so a longer file is not one.
const STATE_LEN: u64 = 1 << 20;
/// The number of bytes that are read first, because most files are not state files.
const HEAD: u64 = 64;
/// The possible first bytes of a state file that is not called `checkpoint`.
const BEGINNINGS: &[&[u8]] = &[b"model_checkpoint_path", b"all_model_checkpoint"];

/// Returns the state file with this name; `None` if the file is not a state file.
pub(crate) fn state_file(directory: &Directory, name: &OsStr) -> Option<State> {
    let file = directory.open_file(name).ok()?;
    file.metadata().ok().filter(|meta: &Metadata| meta.is_file() && meta.len() <= STATE_LEN)?;
    let mut text = Vec::new();
    (&file).take(HEAD).read_to_end(&mut text).ok()?;
    if name != "checkpoint" && !begins_as_state_file(&text) {
        return None;
    }
    (&file).take(STATE_LEN).read_to_end(&mut text).ok()?;
    checkpoint_state::decode(&text).ok()
}

fn begins_as_state_file(head: &[u8]) -> bool {
    BEGINNINGS.iter().any(|beginning| head.trim_ascii_start().starts_with(beginning))
}

/// Returns the complete checkpoints in order. The newest is the one that the state file names, else the last one of
/// its list that exists, else the one whose index was written last.
pub(crate) fn in_order(
    checkpoints: &BTreeMap<OsString, CheckpointFiles>,
    state: Option<&State>,
) -> CheckpointList {
    let complete = checkpoints.iter().filter(|(_, files)| files.is_complete());
    let mut complete: Vec<_> = complete.collect();
    complete.sort_by(|a, b| by_age(*a, *b));
    let mut stems: Vec<_> = complete.into_iter().map(|(stem, _)| stem.clone()).collect();
    let Some(state) = state else {
        return CheckpointList {
            checkpoints: stems.into_iter().map(|stem| (stem, None)).collect(),
            last_preserved: 0.0,
        };
    };
    let newest = named_by(state).into_iter().find_map(|stem| stems.iter().position(|other| other == stem));
    if let Some(newest) = newest {
        let newest = stems.remove(newest);
        stems.push(newest);
    }
    let checkpoints =
        stems.into_iter().map(|stem| (time(state, &stem), stem)).map(|(time, stem)| (stem, time));
    CheckpointList { checkpoints: checkpoints.collect(), last_preserved: state.last_preserved_timestamp }
}

/// Returns the stems that a state file names, newest first.
pub(crate) fn named_by(state: &State) -> Vec<&OsStr> {
    let listed = state.all_model_checkpoint_paths.iter().rev();
    [&state.model_checkpoint_path].into_iter().chain(listed).map(|path| last_component(path)).collect()
}

/// Compares two checkpoints by the modification time of the index, then by the numbers in their stems: copies may
/// have the same time.
pub(crate) fn by_age(a: (&OsString, &CheckpointFiles), b: (&OsString, &CheckpointFiles)) -> Ordering {
    let time = |files: &CheckpointFiles| files.index.map(|stamp| stamp.mtime);
    time(a.1).cmp(&time(b.1)).then_with(|| by_number(a.0, b.0))
}

/// Compares two names. A run of digits counts as a number: `ckpt-9` comes before `ckpt-10`.
pub(crate) fn by_number(a: &OsStr, b: &OsStr) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let runs = |name: &'_ [u8]| {
        name.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()).map(NamePart::of).collect::<Vec<_>>()
    };
    runs(a).cmp(&runs(b)).then_with(|| a.cmp(b))
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum NamePart {
    /// The number of digits and the digits, without leading zeros. More digits make a larger number.
    Digits(usize, Vec<u8>),
    Text(Vec<u8>),
}

impl NamePart {
    fn of(run: &[u8]) -> Self {
        if !run[0].is_ascii_digit() {
            return Self::Text(run.into());
        }
        let digits: Vec<_> = run.iter().copied().skip_while(|&digit| digit == b'0').collect();
        Self::Digits(digits.len(), digits)
    }
}

fn time(state: &State, stem: &OsStr) -> Option<f64> {
    let fits = state.all_model_checkpoint_timestamps.len() == state.all_model_checkpoint_paths.len();
    let at = state.all_model_checkpoint_paths.iter().position(|path| last_component(path) == stem)?;
    fits.then(|| state.all_model_checkpoint_timestamps[at])
}

fn last_component(path: &[u8]) -> &OsStr {
    let start = path.iter().rposition(|&byte| byte == b'/' || byte == b'\\').map_or(0, |at| at + 1);
    without_glob(OsStr::from_bytes(&path[start..]))
}

/// Returns the stem of a pattern, or the name itself. A state file names a sharded V1 checkpoint by a pattern:
/// `ckpt-?????-of-00002`.
pub(crate) fn without_glob(name: &OsStr) -> &OsStr {
    const GLOB: &[u8] = b"-?????-of-";
    let bytes = name.as_bytes();
    let at = bytes.windows(GLOB.len()).rposition(|window| window == GLOB);
    at.map_or(name, |at| OsStr::from_bytes(&bytes[..at]))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::source::find_checkpoints;

    /// Returns the checkpoint list of a directory with these complete checkpoints, all of the same age, and a state
    /// file.
    fn order(stems: &[&str], state: &str) -> Vec<(String, Option<f64>)> {
        let dir = tempfile::tempdir().unwrap();
        for stem in stems {
            for suffix in ["index", "data-00000-of-00001"] {
                fs::write(dir.path().join(format!("{stem}.{suffix}")), "").unwrap();
            }
            let index = fs::File::options().write(true).open(dir.path().join(format!("{stem}.index")));
            index.unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        }
        fs::write(dir.path().join("checkpoint"), state).unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        let checkpoints = find_checkpoints(&directory, &directory.entries().unwrap());
        let roster = in_order(&checkpoints, state_file(&directory, OsStr::new("checkpoint")).as_ref());
        roster.checkpoints.into_iter().map(|(stem, time)| (stem.into_string().unwrap(), time)).collect()
    }

    fn stems(stems: &[&str], state: &str) -> Vec<String> {
        order(stems, state).into_iter().map(|(stem, _)| stem).collect()
    }

    #[test]
    fn checkpoints_of_the_same_age_are_in_the_order_of_their_numbers() {
        assert_eq!(
            stems(&["ckpt-10", "ckpt-9", "ckpt-009", "best"], ""),
            ["best", "ckpt-009", "ckpt-9", "ckpt-10"]
        );
    }

    #[test]
    fn the_newest_is_the_one_that_the_state_file_names_in_any_directory() {
        let all = ["ckpt-8", "ckpt-9"];
        for path in ["ckpt-8", "./ckpt-8", "/gone/ckpt-8", r"C:\\gone\\ckpt-8", "../other/ckpt-8"] {
            assert_eq!(
                stems(&all, &format!("model_checkpoint_path: \"{path}\"")),
                ["ckpt-9", "ckpt-8"],
                "{path}"
            );
        }
        let rotated =
            "model_checkpoint_path: 'ckpt-7' all_model_checkpoint_paths: ['ckpt-9', 'ckpt-8', 'ckpt-7']";
        assert_eq!(stems(&all, rotated), ["ckpt-9", "ckpt-8"]);
        for useless in
            ["", "model_checkpoint_path: 'ckpt-7'", "\x7fELF", "model_checkpoint_path: 'ckpt-8' x: 1"]
        {
            assert_eq!(stems(&all, useless), all, "{useless}");
        }
    }

    #[test]
    fn times_are_used_if_there_is_one_for_each_checkpoint() {
        let paths = "model_checkpoint_path: 'b' all_model_checkpoint_paths: ['a', 'b']";
        let times = |times: &str| {
            order(&["a", "b", "c"], &format!("{paths} all_model_checkpoint_timestamps: {times}"))
        };
        assert_eq!(times("[1, 2]"), [("a".into(), Some(1.0)), ("c".into(), None), ("b".into(), Some(2.0))]);
        assert!(times("[1]").iter().all(|(_, time)| time.is_none()));
    }

    #[test]
    fn a_state_file_is_recognized_by_its_beginning_and_not_read_if_it_is_large() {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path()).unwrap();
        let is_state_file = |text: &[u8]| {
            fs::write(dir.path().join("best"), text).unwrap();
            state_file(&directory, OsStr::new("best")).is_some()
        };
        assert!(is_state_file(b"model_checkpoint_path: 'a'"));
        assert!(is_state_file(b"\n all_model_checkpoint_paths: 'a'"));
        assert!(
            !is_state_file(b"")
                && !is_state_file(b"the\nquick\n")
                && !is_state_file(b"model_checkpoint_path")
        );
        let mut large = b"model_checkpoint_path: 'a'".to_vec();
        large.resize(STATE_LEN as usize + 1, b' ');
        assert!(!is_state_file(&large));
    }
}

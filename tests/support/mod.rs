//! Shared code of the tests: a builder for bundles that uses the codecs under test, copies of fixtures, the built
//! binary, and
//! mounts that are always unmounted.
#![allow(dead_code, reason = "each test binary uses its part of it")]

pub(crate) mod bundle;
pub(crate) mod mount;
pub(crate) mod samples;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use ckptfs::catalog::Variable;
use ckptfs::source;
use ckptfs::source::Checkpoint;

/// The program under test.
pub(crate) const CKPTFS: &str = env!("CARGO_BIN_EXE_ckptfs");

/// A timeout far longer than any wait of the tests, so that only an event that never happens fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `ckptfs` to its end.
pub(crate) fn ckptfs<I: IntoIterator<Item: AsRef<std::ffi::OsStr>>>(args: I) -> Output {
    Command::new(CKPTFS).args(args).output().unwrap()
}

/// Opens a checkpoint. Returns the text of the error, or the damage of each variable, if it is not sound.
pub(crate) fn open_sound(path: &Path) -> Result<Checkpoint, String> {
    let checkpoint = source::open(path).map_err(|error| error.to_string())?;
    let index = path.with_added_extension("index");
    let line = |variable: &Variable| {
        let damage = variable.tensor.damage().unwrap();
        format!("{}: {}: {}\n", index.display(), variable.name, damage.what)
    };
    let graph = checkpoint.catalog.damaged_graph();
    let damaged: String = graph.iter().chain(checkpoint.catalog.damaged()).map(line).collect();
    if damaged.is_empty() { Ok(checkpoint) } else { Err(damaged) }
}

/// Returns standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Returns standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns the directory of a fixture that TensorFlow wrote.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tf-2.21").join(name)
}

/// Returns the indexes of all fixtures that TensorFlow wrote.
pub(crate) fn fixture_indexes() -> Vec<PathBuf> {
    let mut indexes: Vec<_> = list(&fixture(""))
        .iter()
        .flat_map(|name| list(&fixture(name)).into_iter().map(move |file| fixture(name).join(file)))
        .filter(|path| path.extension().is_some_and(|end| end == "index"))
        .collect();
    indexes.sort();
    indexes
}

/// Returns the names in a directory, sorted.
pub(crate) fn list(directory: &Path) -> Vec<String> {
    let names =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// Copies the files of a directory to another, which it creates.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in list(from) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

/// Waits until `happens` returns true. Panics after [`PATIENCE`].
#[track_caller]
pub(crate) fn eventually(what: &str, mut happens: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happens() {
        assert!(start.elapsed() < PATIENCE, "it never came to be: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

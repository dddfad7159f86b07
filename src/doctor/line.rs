//! The lines that mend: paths as words of a shell and as literals of Python, and the calls that restore.

use std::path::{Path, PathBuf};

use crate::catalog::{Catalog, Kind};
use crate::doctor::finding::Mend;
use crate::graph::ROOT;
use crate::name::python;
use crate::source::word;

/// The name of the counter in the root of a checkpoint that `Checkpoint.save` wrote.
const COUNTER: &str = "save_counter";

/// Returns a path as a string literal of Python.
pub(super) fn literal(path: &Path) -> String {
    python(path.as_os_str().as_encoded_bytes())
}

/// Returns the call that restores a checkpoint, from the objects `checkpoint`, or `saver` and `session`.
pub(super) fn restore(catalog: &Catalog, prefix: &Path) -> String {
    let path = literal(prefix);
    match (catalog.kind(), has_counter(catalog)) {
        (Kind::NameBased, _) => format!("saver.restore(session, {path})"),
        (Kind::ObjectBased, true) => format!("checkpoint.restore({path}).assert_consumed()"),
        // The reader's own counter is not in it.
        (Kind::ObjectBased, false) => format!("checkpoint.read({path}).assert_consumed()"),
    }
}

/// Returns true if `Checkpoint.save` wrote it, and not `Checkpoint.write`.
pub(super) fn has_counter(catalog: &Catalog) -> bool {
    catalog.graph().is_none_or(|graph| graph.child(ROOT, COUNTER).is_some())
}

/// Returns the command that mounts a checkpoint with flags, in a new directory.
pub(super) fn mount(source: &Path, flags: &str) -> Mend {
    let at = mountpoint().display().to_string();
    let flags = if flags.is_empty() { String::new() } else { format!(" {flags}") };
    Mend::Command(format!("mkdir {at} && ckptfs mount {} {at}{flags}", word(source)))
}

/// Returns a name that is free in the working directory.
pub(super) fn mountpoint() -> PathBuf {
    let names = ["m".to_owned()].into_iter().chain((2..100).map(|n| format!("m{n}")));
    names.map(PathBuf::from).find(|name| name.symlink_metadata().is_err()).unwrap_or_else(|| "mnt".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_begins_with_a_minus_is_no_flag() {
        let Mend::Command(line) = mount(Path::new("-x y/ckpt"), "--salvage") else { panic!() };
        assert!(line.contains("ckptfs mount './-x y/ckpt' ") && line.ends_with(" --salvage"), "{line}");
    }
}

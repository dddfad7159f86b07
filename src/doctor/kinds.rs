//! The kinds of findings, in one table.

use crate::doctor::kinds::Severity::{Error, Note, Warning};

/// The weight of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// The checkpoint cannot be restored, or not all of it, or not by this path.
    Error,
    /// It can be restored, but something is wrong that shows later.
    Warning,
    /// Nothing is wrong.
    Note,
}

/// The words for the weight of a finding.
pub(crate) const SEVERITIES: &[(&str, Severity)] =
    &[("error", Severity::Error), ("warning", Severity::Warning), ("note", Severity::Note)];

/// The kind of a finding. Its id is stable: programs may compare it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    /// The explanation in one line, for the documentation.
    pub(crate) meaning: &'static str,
}

/// The kinds of findings.
#[rustfmt::skip]
pub(crate) const KINDS: &[Kind] = &[
    // The path.
    kind("no-such-checkpoint", Error, "nothing is at the path, and nothing says what is meant"),
    kind("step-missing", Error, "the path is a prefix without its step: `ckpt` where `ckpt-3` is"),
    kind("directory-as-prefix", Error, "a directory's name was used as a prefix, so latest_checkpoint() is None"),
    kind("wrong-directory", Error, "the end of the path exists, but below another directory"),
    kind("home-not-expanded", Error, "the path begins with `~`, which only a shell expands"),
    kind("backslash", Error, "the path has `\\` where `/` belongs"),
    kind("pattern-in-path", Error, "TensorFlow takes `[…]` and `\\` in a path for a pattern, which matches other names"),
    kind("pattern-above", Note, "the absolute path has characters that TensorFlow takes for a pattern"),
    kind("no-checkpoints", Error, "the directory holds no checkpoint"),
    kind("saved-model-below", Error, "the directory holds a SavedModel one level below"),
    kind("not-a-checkpoint", Error, "the file is of another kind"),
    kind("file-of-checkpoint", Note, "the path is a file of a checkpoint; TensorFlow takes its prefix"),
    kind("read-only-mount", Note, "the path is in a mount of ckptfs, where nothing can be saved"),
    // The rights.
    kind("not-searchable", Error, "a directory on the way may not be used by this user"),
    kind("not-listable", Warning, "a directory may be searched but not listed, which only ckptfs needs"),
    kind("not-readable", Error, "a file may not be read by this user"),
    // The files.
    kind("empty-file", Error, "a file of the checkpoint is empty"),
    kind("lfs-pointer", Error, "a git-lfs pointer is in the place of a file"),
    kind("web-page", Error, "a web page is in the place of a file"),
    kind("server-error", Error, "the error message of a server is in the place of a file"),
    kind("archive", Error, "an archive is in the place of a file"),
    kind("index-missing", Error, "data files have no index"),
    kind("index-damaged", Error, "the index cannot be read"),
    kind("data-missing", Error, "a data file is missing or cannot be read"),
    kind("data-truncated", Error, "a data file ends before its variables do"),
    kind("entry-damaged", Error, "the index says something impossible about a variable"),
    kind("unsupported", Error, "the checkpoint is of a kind that is not supported"),
    kind("half-written", Warning, "a save has not finished, or was interrupted"),
    kind("newest-not-whole", Warning, "the newest step is not whole, and an older one is"),
    // The state file `checkpoint`.
    kind("state-missing", Warning, "there is no state file, so latest_checkpoint() is None"),
    kind("state-unreadable", Warning, "the state file cannot be read, so latest_checkpoint() is None"),
    kind("state-empty", Warning, "the state file names no checkpoint, so latest_checkpoint() raises ValueError"),
    kind("state-garbled", Warning, "the state file does not parse, so latest_checkpoint() is None"),
    kind("state-moved", Warning, "the state file has the absolute path of a directory that is gone"),
    kind("state-elsewhere", Warning, "the state file names a checkpoint in another directory"),
    kind("state-deleted-step", Warning, "the state file names a step that was deleted"),
    kind("state-behind", Warning, "the state file names an older step than the newest one here"),
    kind("state-lists-deleted", Warning, "the state file lists steps that were deleted by something else than its manager"),
    kind("two-managers", Warning, "two CheckpointManagers seem to share the directory"),
    kind("steps-rotated", Note, "older steps were deleted by the manager"),
    // The contents.
    kind("no-weights", Error, "the checkpoint has no weights, so restoring it changes nothing"),
    kind("contents", Note, "the kind, the writer and the size of a checkpoint"),
    kind("restore-calls", Note, "the calls that restore the checkpoint, and those that do not"),
    kind("averages", Note, "an optimizer keeps averages of the weights, and a restore gives the weights themselves"),
    // The values, with --data.
    kind("values-damaged", Error, "the bytes of variables do not match their checksums"),
    kind("not-finite", Warning, "variables hold NaN or infinity"),
    kind("values-intact", Note, "all values match their checksums"),
];

impl Severity {
    /// Returns the word for it.
    pub(crate) fn word(self) -> &'static str {
        SEVERITIES.iter().find(|(_, severity)| *severity == self).map_or("note", |(word, _)| word)
    }
}

const fn kind(id: &'static str, severity: Severity, meaning: &'static str) -> Kind {
    Kind { id, severity, meaning }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    fn read(path: &str) -> String {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
    }

    #[test]
    fn every_kind_has_an_id_of_its_own_that_some_examination_finds() {
        let ids: BTreeSet<_> = KINDS.iter().map(|kind| kind.id).collect();
        assert_eq!(ids.len(), KINDS.len());
        let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doctor")).unwrap();
        let names = files.map(|entry| format!("src/doctor/{}", entry.unwrap().file_name().display()));
        let code: String = names.filter(|name| !name.ends_with("kinds.rs")).map(|name| read(&name)).collect();
        for id in ids {
            assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{id}");
            assert!(code.contains(&format!("\"{id}\"")), "no examination finds {id}");
        }
    }

    #[test]
    fn the_documentation_lists_every_kind() {
        let documented = read("docs/json.md");
        for Kind { id, severity, meaning } in KINDS {
            let row = format!("| `{id}` | {} | {meaning} |", severity.word());
            assert!(documented.contains(&row), "docs/json.md lacks {row}");
        }
    }
}

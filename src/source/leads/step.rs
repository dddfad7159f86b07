//! A prefix without its step: `ckpt` where `ckpt-3` is.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::directory::Directory;
use crate::source::checkpoint_files::CheckpointFiles;
use crate::source::checkpoint_list::by_number;
use crate::source::formats::find_checkpoints;
use crate::source::lead::{Lead, LeadKind, shown};
use crate::source::prefix::Prefix;

/// The words that name a prefix rather than a directory.
const PREFIXES: &[&str] = &["ckpt", "model", "weights", "cp", "step", "iter"];

/// Returns the newest complete checkpoint whose name is that of the path with a step.
pub(super) fn find(path: &Path) -> Option<Lead> {
    let prefix = Prefix::of(path);
    let directory = Directory::open(&prefix.dir).ok().filter(|_| !prefix.stem.is_empty())?;
    let checkpoints = find_checkpoints(&directory, &directory.entries().ok()?);
    let is_step = |(stem, files): &(&OsString, &CheckpointFiles)| {
        files.is_complete() && step_of(stem, &prefix.stem).is_some()
    };
    let mut steps: Vec<_> = checkpoints.iter().filter(is_step).map(|(stem, _)| stem).collect();
    steps.sort_by(|a, b| by_number(a, b));
    let newest = Prefix::new(&prefix.dir, steps.last()?).path();
    let count = steps.len();
    let is_prefix = PREFIXES.iter().any(|word| prefix.stem.to_string_lossy().to_lowercase().contains(word));
    let has_slash = path.as_os_str().as_bytes().ends_with(b"/");
    let (kind, why) = match is_prefix && !has_slash {
        true => (LeadKind::Step, format!("its step is missing: {}", newest_of(&newest, count))),
        false => {
            let wrote = format!("save({}) wrote {}", quoted_name(path), newest_of(&newest, count));
            (LeadKind::DirectoryAsPrefix, format!("it is a prefix, not a directory: {wrote}"))
        }
    };
    Some(Lead { kind, why, path: Some(newest) })
}

fn quoted_name(path: &Path) -> String {
    format!("'{}'", shown(path).trim_end_matches('/'))
}

fn newest_of(newest: &Path, count: usize) -> String {
    match count {
        1 => shown(newest),
        _ => format!("{} is the newest of {count}", shown(newest)),
    }
}

/// Returns the step of a stem that begins with another: `3` of `ckpt-3` and `ckpt` or `ckpt-`.
fn step_of<'a>(stem: &'a OsStr, start: &OsStr) -> Option<&'a [u8]> {
    let rest = stem.as_bytes().strip_prefix(start.as_bytes())?;
    let digits = rest.strip_prefix(b"-").unwrap_or(rest);
    (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit)).then_some(digits)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_newest_complete_step_is_found_by_its_number() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["ckpt-9", "ckpt-10", "ckpt-x", "run-2"] {
            fs::write(dir.path().join(format!("{name}.index")), "").unwrap();
            fs::write(dir.path().join(format!("{name}.data-00000-of-00001")), "").unwrap();
        }
        fs::write(dir.path().join("ckpt-11.index"), "").unwrap();
        let found = |name: &str| find(&dir.path().join(name)).map(|lead| (lead.kind, lead.path.unwrap()));
        let ten = dir.path().join("ckpt-10");
        assert_eq!(found("ckpt"), Some((LeadKind::Step, ten.clone())));
        assert_eq!(found("ckpt-"), Some((LeadKind::Step, ten.clone())));
        assert_eq!(found("ckpt/"), Some((LeadKind::DirectoryAsPrefix, ten)));
        assert_eq!(found("run"), Some((LeadKind::DirectoryAsPrefix, dir.path().join("run-2"))));
        assert_eq!(found("ckpt-9x"), None);
    }
}

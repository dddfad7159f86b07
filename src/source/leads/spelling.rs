//! The spelling of a path: what a shell or Windows understands, and Python and TensorFlow do not.

use std::env;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::source::lead::LeadKind;

/// A correction: its kind, and the path and the reason if there is something to correct.
type Correction = (LeadKind, fn(&Path) -> Option<(PathBuf, String)>);

const CORRECTIONS: &[Correction] = &[(LeadKind::Backslash, slashes), (LeadKind::Home, home)];

/// Returns a path as it is meant, with what was wrong about its spelling.
pub(super) fn correct(path: &Path) -> (PathBuf, Vec<(LeadKind, String)>) {
    let (mut path, mut faults) = (path.to_owned(), Vec::new());
    for (kind, correct) in CORRECTIONS {
        if let Some((corrected, why)) = correct(&path) {
            path = corrected;
            faults.push((*kind, why));
        }
    }
    (path, faults)
}

/// Replaces backslashes. A drive is left out: `C:\train` is `/train`.
fn slashes(path: &Path) -> Option<(PathBuf, String)> {
    let bytes = path.as_os_str().as_bytes();
    if !bytes.contains(&b'\\') {
        return None;
    }
    let without_drive = match bytes {
        [letter, b':', rest @ ..] if letter.is_ascii_alphabetic() => rest,
        _ => bytes,
    };
    let slashed = without_drive.iter().map(|&byte| if byte == b'\\' { b'/' } else { byte });
    let path = std::ffi::OsString::from_vec(slashed.collect()).into();
    Some((path, "`\\` separates no directories here, `/` does".into()))
}

/// Expands `~/` to the home directory.
fn home(path: &Path) -> Option<(PathBuf, String)> {
    let rest = path.strip_prefix("~").ok()?;
    let home = env::var_os("HOME").filter(|home| !home.is_empty())?;
    let why = "only a shell expands `~`; TensorFlow looks for a directory of that name";
    Some((Path::new(&home).join(rest), why.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backslashes_become_slashes_and_a_drive_is_left_out() {
        let corrected = |path: &str| correct(Path::new(path));
        assert_eq!(corrected(r"train\run\ckpt-3").0, Path::new("train/run/ckpt-3"));
        assert_eq!(corrected(r"C:\train\ckpt-3").0, Path::new("/train/ckpt-3"));
        assert_eq!(corrected("train/ckpt-3"), ("train/ckpt-3".into(), vec![]));
    }

    #[test]
    fn only_a_leading_tilde_is_the_home_directory() {
        let home = PathBuf::from(env::var_os("HOME").unwrap());
        assert_eq!(correct(Path::new("~/a/ckpt-3")).0, home.join("a/ckpt-3"));
        assert_eq!(correct(Path::new(r"~\a")).0, home.join("a"));
        for other in ["a/~/b", "~other/a", "a~"] {
            assert_eq!(correct(Path::new(other)).1, [], "{other}");
        }
    }
}

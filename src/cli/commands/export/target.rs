//! The output path of an export: the given path, or a name in the given directory.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Returns the path to write to: `out`, or if that is a directory, the source's name and the format's extension in
/// it.
pub(crate) fn path(out: &Path, stem: &OsStr, ending: &str) -> PathBuf {
    let own = || [stem, OsStr::new(ending)].into_iter().collect::<OsString>();
    if is_directory(out) { out.join(own()) } else { out.into() }
}

/// Returns true if `out` is a directory or ends in `/`.
pub(crate) fn is_directory(out: &Path) -> bool {
    out.as_os_str().as_bytes().ends_with(b"/") || out.is_dir()
}

/// Returns true if the name ends in `ending`, in upper or lower case.
pub(crate) fn ends(out: &Path, ending: &str) -> bool {
    let name = out.file_name().unwrap_or_default().as_bytes();
    let end = name.len().checked_sub(ending.len()).and_then(|at| name.get(at..));
    end.is_some_and(|end| end.eq_ignore_ascii_case(ending.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_into_a_directory_gets_the_name_of_the_source() {
        let dir = tempfile::tempdir().unwrap();
        let stem = OsStr::new("ckpt-9");
        assert_eq!(path(dir.path(), stem, ""), dir.path().join("ckpt-9"));
        assert_eq!(path(Path::new("new/"), stem, ".safetensors"), Path::new("new/ckpt-9.safetensors"));
        assert_eq!(path(Path::new("new/model"), stem, ""), Path::new("new/model"));
    }

    #[test]
    fn an_extension_matches_in_upper_case_too() {
        assert!(ends(Path::new("a/x.NPZ"), ".npz") && ends(Path::new("x.weights.h5"), ".h5"));
        assert!(!ends(Path::new("x.npz.d/y"), ".npz") && !ends(Path::new("z"), ".npz"));
    }
}

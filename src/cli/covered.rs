//! Sources that a mount is to cover. Their paths lead into the mount once it is there, so they are looked at from inside
//! the directory below it: a relative path from a current directory never crosses what is mounted on that directory.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where a source is looked at from.
pub(super) struct Vantage {
    /// The path to open.
    pub(super) path: PathBuf,
    /// The directory that is covered. It is this process's current one then, and must stay so.
    pub(super) covered: Option<PathBuf>,
}

impl Vantage {
    /// Prepares for a mount on `mountpoint` (canonical): goes there if that covers the source.
    pub(super) fn take(source: &Path, mountpoint: &Path) -> io::Result<Self> {
        let real = real(source)?;
        let Ok(below) = real.strip_prefix(mountpoint) else {
            // Absolute, because a daemon leaves the directory it was started in.
            return Ok(Self { path: std::path::absolute(source)?, covered: None });
        };
        env::set_current_dir(mountpoint)?;
        let path = if below.as_os_str().is_empty() { Path::new(".").into() } else { below.into() };
        Ok(Self { path, covered: Some(mountpoint.into()) })
    }

    /// A path that was reached from here, as it is seen from anywhere.
    pub(super) fn shown(&self, path: &Path) -> PathBuf {
        self.covered
            .as_ref()
            .map_or_else(|| path.into(), |dir| dir.join(path.strip_prefix(".").unwrap_or(path)))
    }
}

/// The path without links, but for the last component of a prefix or a file, which its name is.
fn real(source: &Path) -> io::Result<PathBuf> {
    if source.is_dir() {
        return fs::canonicalize(source);
    }
    let source = std::path::absolute(source)?;
    match (source.parent(), source.file_name()) {
        (Some(parent), Some(name)) => Ok(fs::canonicalize(parent)?.join(name)),
        _ => Ok(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_elsewhere_is_left_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir(root.join("m")).unwrap();
        let vantage = Vantage::take(&root.join("train-1"), &root.join("m")).unwrap();
        assert_eq!((vantage.path.as_path(), &vantage.covered), (root.join("train-1").as_path(), &None));
        assert_eq!(vantage.shown(&vantage.path), root.join("train-1"));
    }

    #[test]
    fn the_last_component_of_a_prefix_need_not_exist() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        assert_eq!(
            real(&root.join("../").join(root.file_name().unwrap()).join("ckpt-9")).unwrap(),
            root.join("ckpt-9")
        );
        assert!(real(&root.join("none/ckpt-9")).is_err());
    }
}

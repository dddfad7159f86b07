//! The examination of a path in a mount of ckptfs: nothing can be saved there.

use std::path::{Path, PathBuf};

use crate::doctor::finding::{Finding, Mend, finding};
use crate::doctor::line::literal;
use crate::source::shown;

/// A file that only a mount of ckptfs has.
const STATUS: &str = ".ckptfs/status.json";

/// Examines the directories above a path.
pub(super) fn examine(path: &Path) -> Option<Finding> {
    let path = std::path::absolute(path).ok()?;
    let mount = path.ancestors().find(|above| above.join(STATUS).is_file())?;
    let beside = beside(mount);
    let evidence = format!(
        "{} is a mount of ckptfs, which is read-only: restoring works, saving there is \"Read-only file system\".",
        shown(mount)
    );
    let manager =
        format!("manager = tf.train.CheckpointManager(checkpoint, {}, max_to_keep=5)", literal(&beside));
    Some(finding(
        "read-only-mount",
        evidence,
        vec![Mend::Advice("save elsewhere:".into()), Mend::Python(manager)],
    ))
}

/// Returns a directory beside the mount that does not exist yet.
fn beside(mount: &Path) -> PathBuf {
    let name = mount.file_name().map_or_else(|| "mount".into(), |name| name.to_os_string());
    let named = |end: String| {
        let mut name = name.clone();
        name.push(end);
        mount.with_file_name(name)
    };
    let names = ["-new".to_owned()].into_iter().chain((2..100).map(|n| format!("-new{n}")));
    names.map(named).find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| named("-new".into()))
}

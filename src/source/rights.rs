//! The rights on the way to a file: the first component that this process may not use, whose it is, and who may change
//! that.
//!
//! The kernel says what is denied (`faccessat` with the effective ids, so that root is not denied anything). The mode
//! bits say why.

use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::{fmt, fs};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid, getgroups};

use crate::name::printable;
use crate::source::lead::{shown, word};

/// The number of symlinks that are followed on the way.
const LINKS: usize = 8;
/// The permission bits: the letter, and its bit for others.
const BITS: &[(char, u32)] = &[('r', 4), ('w', 2), ('x', 1)];

/// A file or directory that this process may not use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Obstacle {
    pub(crate) path: PathBuf,
    pub(crate) is_directory: bool,
    mode: u32,
    owner: u32,
    group: u32,
    /// The bits that it needs: 4 to read it, 1 to search it.
    needs: u32,
}

/// Returns the first component on the way to a path, or the file itself, that this process may not use. Components that
/// do not exist are no obstacle.
pub(crate) fn obstacle(path: &Path) -> Option<Obstacle> {
    on_the_way(&std::path::absolute(path).ok()?, LINKS)
}

fn on_the_way(path: &Path, links: usize) -> Option<Obstacle> {
    let mut at = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => _ = at.pop(),
            component => at.push(component),
        }
        match fs::metadata(&at) {
            Ok(meta) if meta.is_dir() => {
                // Only the directory of the checkpoint is listed, and only by ckptfs.
                let is_last = path.parent() == Some(&at) || path == at;
                match (is_denied(&at, 1), is_last && is_denied(&at, 4)) {
                    (true, _) => return Some(Obstacle::new(at, &meta, if is_last { 5 } else { 1 })),
                    (false, true) => return Some(Obstacle::new(at, &meta, 4)),
                    (false, false) => {}
                }
            }
            Ok(meta) => return is_denied(&at, 4).then(|| Obstacle::new(at, &meta, 4)),
            // The directory before it can be searched, so it is a symlink that leads past an obstacle.
            Err(_) => {
                let target = fs::read_link(&at).ok().filter(|_| links > 0)?;
                return on_the_way(&at.parent()?.join(target), links - 1);
            }
        }
    }
    None
}

fn is_denied(path: &Path, needs: u32) -> bool {
    let mut access = Access::EXISTS;
    access.set(Access::READ_OK, needs & 4 != 0);
    access.set(Access::EXEC_OK, needs & 1 != 0);
    accessat(CWD, path, access, AtFlags::EACCESS) == Err(Errno::ACCESS)
}

impl Obstacle {
    fn new(path: PathBuf, meta: &fs::Metadata, needs: u32) -> Self {
        let (mode, owner, group) = (meta.mode(), meta.uid(), meta.gid());
        Self { path, is_directory: meta.is_dir(), mode, owner, group, needs }
    }

    /// Returns true if this process belongs to the owner, who may change the rights.
    pub(crate) fn is_own(&self) -> bool {
        self.owner == geteuid().as_raw()
    }

    /// Returns true if it is a directory that may be searched, but not listed.
    pub(crate) fn is_listing(&self) -> bool {
        self.is_directory && self.needs == 4
    }

    /// Returns the name of the owner.
    pub(crate) fn owner(&self) -> String {
        user(self.owner)
    }

    /// Returns the command with which the owner grants the right.
    pub(crate) fn command(&self) -> String {
        let (class, _) = self.class();
        let bits: String =
            BITS.iter().filter(|(_, bit)| self.needs & bit != 0).map(|(letter, _)| letter).collect();
        format!("chmod {class}+{bits} {}", word(&self.path))
    }

    /// Returns the class of this process, and the bits that the mode gives it.
    fn class(&self) -> (char, u32) {
        let is_member = || {
            let groups = getgroups().unwrap_or_default();
            groups.into_iter().chain([getegid()]).any(|group| group.as_raw() == self.group)
        };
        match () {
            () if self.is_own() => ('u', self.mode >> 6 & 7),
            () if is_member() => ('g', self.mode >> 3 & 7),
            () => ('o', self.mode & 7),
        }
    }

    /// Returns the mode as `ls -l` shows it.
    fn letters(&self) -> String {
        let letter = |(at, letter): (u32, char)| if self.mode >> at & 1 == 1 { letter } else { '-' };
        let bits: String = (0..9).rev().zip("rwxrwxrwx".chars()).map(letter).collect();
        format!("{}{bits}", if self.is_directory { 'd' } else { '-' })
    }
}

/// Format: `/data/run  drwx------ alice, you are bob: not searchable`
impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, given) = self.class();
        let missing = self.needs & !given;
        let verb = match (missing, self.is_directory) {
            (0, _) => "denied by more than its mode (an ACL, or a security module)",
            (missing, true) if missing & 1 == 1 => "not searchable",
            _ => "not readable",
        };
        let (path, letters) = (shown(&self.path), self.letters());
        let (owner, you) = (self.owner(), user(geteuid().as_raw()));
        write!(f, "{path}  {letters} {owner}, you are {you}: {verb}")
    }
}

/// Returns the name of a user. Only the local file of users is asked: a directory service may not answer.
fn user(id: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| printable(name.as_bytes()))
    });
    name.unwrap_or_else(|| format!("user {id}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn of(mode: u32, owner: u32, group: u32, needs: u32) -> Obstacle {
        Obstacle { path: "/data/run".into(), is_directory: needs & 1 == 1, mode, owner, group, needs }
    }

    #[test]
    fn an_obstacle_says_its_mode_its_owner_and_the_command_for_the_class() {
        let (me, mine) = (geteuid().as_raw(), getegid().as_raw());
        let (other, others) = (me + 4000, 4_000_000);
        assert!(of(0o40700, other, others, 1).to_string().contains("/data/run  drwx------ user "));
        assert!(of(0o40700, other, others, 1).to_string().ends_with(": not searchable"));
        assert!(of(0o100_200, me, mine, 4).to_string().ends_with(": not readable"));
        assert!(of(0o100_644, other, others, 4).to_string().contains("an ACL"));
        assert_eq!(of(0o40700, other, others, 1).command(), "chmod o+x /data/run");
        assert_eq!(of(0o40700, other, mine, 5).command(), "chmod g+rx /data/run");
        assert_eq!(of(0o40000, me, mine, 5).command(), "chmod u+rx /data/run");
    }

    #[test]
    fn what_can_be_used_or_is_missing_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "").unwrap();
        symlink("loop", dir.path().join("loop")).unwrap();
        for path in ["a", "missing/a", "a/below", "loop/a", "../.."] {
            assert_eq!(obstacle(&dir.path().join(path)), None, "{path}");
        }
    }
}

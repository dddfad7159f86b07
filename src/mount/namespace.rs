//! A mount namespace of this process's own: what it mounts is seen by itself and by what it starts, and goes with them.
//!
//! Where the right to make one is missing, a user namespace comes with it, in which the user is who he was and may mount.
//! The process must not have started threads yet.

use std::{fs, io};

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{getegid, geteuid};

/// Why there is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "no right to a private view: {0}\n  \
     help: run it as root, or let users have namespaces of their own: `sysctl kernel.unprivileged_userns_clone=1` (Debian), \
     `sysctl kernel.apparmor_restrict_unprivileged_userns=0` (Ubuntu), `sysctl user.max_user_namespaces=10000`; in a \
     container, `--cap-add SYS_ADMIN`\n  \
     help: `ckptfs mount SOURCE DIRECTORY`, and give the command the path below DIRECTORY"
)]
pub(crate) struct NamespaceError(pub String);

/// Enters a new mount namespace.
///
/// # Errors
/// That it is not allowed, and what may be done about it.
pub(crate) fn enter() -> Result<(), NamespaceError> {
    match unshare(CloneFlags::CLONE_NEWNS) {
        Ok(()) => {}
        Err(nix::Error::EPERM) => enter_as_user()?,
        Err(error) => return Err(refused("a mount namespace", error.into())),
    }
    // What is mounted here stays here; what the system mounts and unmounts meanwhile is still followed.
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", slave).map_err(|error| refused("mounts of its own", error.into()))
}

fn enter_as_user() -> Result<(), NamespaceError> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
        .map_err(|error| refused("a user namespace", error.into()))?;
    // The kernel wants this before a user may map a group.
    let maps = [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{uid} {uid} 1")),
        ("gid_map", format!("{gid} {gid} 1")),
    ];
    for (file, text) in maps {
        fs::write(format!("/proc/self/{file}"), text).map_err(|error| refused(file, error))?;
    }
    Ok(())
}

fn refused(what: &str, error: io::Error) -> NamespaceError {
    NamespaceError(format!("{what}: {error}"))
}

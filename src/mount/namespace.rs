//! A private mount namespace: only this process and its children see its mounts, which disappear when they end.
//!
//! Without the right to create one, the process also creates a user namespace, in which the user keeps the same ID
//! and may mount. The process must not have started threads yet.

use std::{fs, io};

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{getegid, geteuid};

/// The reason why a mount namespace cannot be created.
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
/// An error of the system calls, with the remedies for missing rights.
pub(crate) fn enter() -> Result<(), NamespaceError> {
    match unshare(CloneFlags::CLONE_NEWNS) {
        Ok(()) => {}
        Err(nix::Error::EPERM) => enter_as_user()?,
        Err(error) => return Err(refused("a mount namespace", error.into())),
    }
    // Mounts made here stay in this namespace. Mounts and unmounts of the system still propagate into it.
    let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", slave).map_err(|error| refused("mounts of its own", error.into()))
}

fn enter_as_user() -> Result<(), NamespaceError> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
        .map_err(|error| refused("a user namespace", error.into()))?;
    // The kernel requires "deny" in `setgroups` before an unprivileged user may write `gid_map`.
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

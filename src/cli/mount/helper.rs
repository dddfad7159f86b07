//! The command lines that mount(8) produces. It calls a helper program for each file-system type. The helper for
//! `fuse.ckptfs` is a program of the FUSE package that calls ckptfs:
//!
//! ```text
//! mount -t fuse.ckptfs S M -o ro   mount.fuse3 ─►  ckptfs S M -o ro,dev,suid
//! mount -t ckptfs S M -o ro        mount.ckptfs S M [-s] [-f] [-n] [-v] [-o ro] [-t T] [-N NAMESPACE]
//! ```

use std::ffi::{OsStr, OsString};
use std::path::Path;

const MOUNT: &str = "mount";

/// Returns the arguments with `mount` inserted if they are a mount without a subcommand. `is_subcommand` recognizes
/// the subcommands.
pub(crate) fn arguments(args: Vec<OsString>, is_subcommand: impl Fn(&OsStr) -> bool) -> Vec<OsString> {
    let Some((program, rest)) = args.split_first() else { return args };
    let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with("mount.") {
        return [program.clone(), MOUNT.into()].into_iter().chain(of_helper(rest)).collect();
    }
    match is_bare_mount(rest, is_subcommand) {
        true => [program.clone(), MOUNT.into()].into_iter().chain(rest.iter().cloned()).collect(),
        false => args,
    }
}

/// Returns true if the arguments are those of a mount without a subcommand. The first argument must not be a
/// subcommand. It may be a misspelled one, so one argument must be `-o`, or the first of several must be a path.
fn is_bare_mount(args: &[OsString], is_subcommand: impl Fn(&OsStr) -> bool) -> bool {
    let is_words = |arg: &OsString| arg.as_encoded_bytes().starts_with(b"-o");
    let Some(first) = args.first().filter(|first| !is_subcommand(first)) else { return false };
    let is_path = || first.as_encoded_bytes().contains(&b'/') || Path::new(first).exists();
    match first.as_encoded_bytes().starts_with(b"-") {
        true => is_words(first),
        false => args.iter().any(is_words) || args.len() > 1 && is_path(),
    }
}

/// Translates the arguments of a mount helper. Its short flags have other meanings than those of ckptfs: `-s` sloppy,
/// `-f` fake, `-n` no mtab, `-v` verbose.
fn of_helper(args: &[OsString]) -> Vec<OsString> {
    let (mut ours, mut args) = (vec![], args.iter());
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("-o") => ours.extend([Some(arg), args.next()].into_iter().flatten().cloned()),
            Some("-t" | "-N") => _ = args.next(),
            Some(letters) if is_letters(letters) => {
                ours.extend(letters.contains('f').then(|| "--fake".into()));
                ours.extend(letters.contains('v').then(|| "--verbose".into()));
            }
            _ => ours.push(arg.clone()),
        }
    }
    ours
}

fn is_letters(arg: &str) -> bool {
    arg.strip_prefix('-')
        .is_some_and(|letters| !letters.is_empty() && letters.chars().all(|c| "sfnv".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        let args = line.split(' ').map(OsString::from).collect();
        let known = |arg: &OsStr| ["mount", "ls", "help"].iter().any(|name| arg == *name);
        let read: Vec<_> = arguments(args, known).into_iter().map(|arg| arg.into_string().unwrap()).collect();
        read.join(" ")
    }

    #[test]
    fn a_source_and_a_mountpoint_are_a_mount() {
        assert_eq!(read("ckptfs train/ckpt-9 m"), "ckptfs mount train/ckpt-9 m");
        assert_eq!(read("ckptfs ckpt-9 m -o rw,dev,suid"), "ckptfs mount ckpt-9 m -o rw,dev,suid");
        assert_eq!(read("ckptfs -o ro ckpt-9 m"), "ckptfs mount -o ro ckpt-9 m");
        assert_eq!(read("/usr/bin/ckptfs / m"), "/usr/bin/ckptfs mount / m");
    }

    #[test]
    fn arguments_that_are_not_a_mount_stay_the_same() {
        for line in [
            "ckptfs",
            "ckptfs ls train/ckpt-9",
            "ckptfs lss ckpt-9",
            "ckptfs --version",
            "ckptfs train/ckpt-9",
        ] {
            assert_eq!(read(line), line);
        }
    }

    #[test]
    fn a_mount_helper_accepts_the_short_flags_of_mount() {
        assert_eq!(
            read("/sbin/mount.ckptfs s m -s -f -n -v -o ro,map=x -t ckptfs.sub -N 1"),
            "/sbin/mount.ckptfs mount s m --fake --verbose -o ro,map=x"
        );
        assert_eq!(read("mount.fuse.ckptfs s m -sfnv"), "mount.fuse.ckptfs mount s m --fake --verbose");
        assert_eq!(read("mount.ckptfs ls m"), "mount.ckptfs mount ls m");
    }
}

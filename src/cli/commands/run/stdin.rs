//! Standard input before a command runs, and whether the command may have read from it.

use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::{fs, io};

use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

/// The state of standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stdin {
    /// A terminal, `/dev/null`, or nothing: a command can read from it again.
    Repeatable,
    /// A file, at this offset.
    File(u64),
    /// A pipe or another stream. What a command reads from it is gone.
    Stream,
}

impl Stdin {
    /// Returns the state of this process's standard input.
    pub(crate) fn now() -> Self {
        let stdin = io::stdin();
        Self::of(&stdin, stdin.is_terminal())
    }

    fn of(file: &impl AsFd, is_terminal: bool) -> Self {
        let stat = match fstat(file) {
            Ok(stat) => stat,
            Err(Errno::BADF) => return Self::Repeatable,
            Err(_) => return Self::Stream,
        };
        let is_null = || fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == stat.st_rdev);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::CharacterDevice if is_terminal || is_null() => Self::Repeatable,
            FileType::RegularFile => rustix::fs::tell(file).map_or(Self::Stream, Self::File),
            _ => Self::Stream,
        }
    }

    /// Returns true if a command that ran since then may have read from standard input what it cannot read again.
    pub(crate) fn may_have_been_read(self) -> bool {
        self == Self::Stream || Self::now() != self
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_file_has_been_read_if_its_offset_moved_and_a_pipe_may_have_been() {
        let of = |file: &fs::File| Stdin::of(file, false);
        assert_eq!(of(&fs::File::open("/dev/null").unwrap()), Stdin::Repeatable);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        assert_eq!(of(&file), Stdin::File(3));
        let (mut reader, writer) = io::pipe().unwrap();
        drop(writer);
        assert_eq!(Stdin::of(&reader, false), Stdin::Stream);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        assert_eq!(of(&fs::File::open("/dev/zero").unwrap()), Stdin::Stream);
    }
}

//! Command lines that lack a subcommand or use another tool's name for one.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use crate::source;

/// The subcommand that is used if the only argument is a source.
const LIST: &str = "ls";

/// The subcommands of other tools, and the equivalent subcommand of ckptfs.
const MEANT: &[(&[&str], &str)] = &[
    (&["convert", "save", "write", "rename", "copy", "cp", "extract"], "export"),
    (&["list", "show", "tree", "inspect", "info"], "ls"),
    (&["print", "dump", "get"], "cat"),
    (&["validate", "verify", "test", "fsck"], "check"),
    (&["unmount", "eject"], "umount"),
    (&["exec"], "run"),
];

/// Returns the arguments, with `ls` inserted before a single argument that is a path: `ckptfs train/ckpt-9`.
pub(crate) fn arguments(args: Vec<OsString>, is_subcommand: impl Fn(&OsStr) -> bool) -> Vec<OsString> {
    match args.as_slice() {
        [program, path] if !is_subcommand(path) && is_path(path) => {
            vec![program.clone(), LIST.into(), path.clone()]
        }
        _ => args,
    }
}

fn is_path(word: &OsStr) -> bool {
    let bytes = word.as_bytes();
    !bytes.starts_with(b"-") && (bytes.contains(&b'/') || source::resolve(Path::new(word)).is_ok())
}

/// Adds the equivalent subcommand to the error of a command line that uses another tool's name.
pub(crate) fn advised(mut error: Error) -> Error {
    let word = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) if error.kind() == ErrorKind::InvalidSubcommand => word.clone(),
        _ => return error,
    };
    if let Some((_, meant)) = MEANT.iter().find(|(words, _)| words.contains(&word.as_str())) {
        error.remove(ContextKind::SuggestedSubcommand);
        let advice = format!("did you mean `ckptfs {meant}`?");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![advice.into()]));
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::args::Cli;

    fn read(args: &[&str]) -> Vec<String> {
        let args = args.iter().map(OsString::from).collect();
        let read = arguments(args, |word| ["ls", "mount"].iter().any(|known| word == *known));
        read.into_iter().map(|arg| arg.into_string().unwrap()).collect()
    }

    #[test]
    fn one_argument_that_is_a_source_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        assert_eq!(read(&["ckptfs", path]), ["ckptfs", "ls", path]);
        assert_eq!(read(&["ckptfs", "train/ckpt-9"]), ["ckptfs", "ls", "train/ckpt-9"]);
        for args in [
            &["ckptfs"][..],
            &["ckptfs", "ls"],
            &["ckptfs", "lss"],
            &["ckptfs", "--help"],
            &["ckptfs", path, "m"],
        ] {
            assert_eq!(read(args), args);
        }
    }

    #[test]
    fn the_error_for_a_subcommand_of_another_tool_names_the_equivalent() {
        for (word, meant) in [("convert", "export"), ("validate", "check"), ("list", "ls")] {
            let error = Cli::try_parse_from(["ckptfs", word, "a", "b"]).err().unwrap();
            let said = advised(error).to_string();
            assert!(said.contains(&format!("did you mean `ckptfs {meant}`?")), "{said}");
        }
    }

    #[test]
    fn no_listed_name_of_another_tool_is_a_subcommand() {
        let ckptfs = Cli::command();
        let (words, meant): (Vec<_>, Vec<_>) = MEANT.iter().copied().unzip();
        assert!(words.concat().iter().all(|word| ckptfs.find_subcommand(word).is_none()));
        let is_known = |meant: &&str| cfg!(not(feature = "fuse")) || ckptfs.find_subcommand(meant).is_some();
        assert!(meant.iter().all(is_known));
    }
}

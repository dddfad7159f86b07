//! `ckptfs completions`, and the completions themselves.
//!
//! A shell's script calls ckptfs with [`VAR`] set and the words that were typed after `--`. So completions know what only the
//! files can tell: the names of a checkpoint's variables.

use std::io::{self, Write};
use std::process::ExitCode;

use clap_complete::Shell;
use clap_complete::env::{EnvCompleter, Shells};

/// Write a shell's completions
///
/// They complete commands and flags, the bundled maps after --map @, and the names of a checkpoint's variables.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs completions bash > /etc/bash_completion.d/ckptfs
  $ ckptfs completions zsh > ~/.zfunc/_ckptfs       # a directory of $fpath
  $ ckptfs completions fish > ~/.config/fish/completions/ckptfs.fish")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// The variable that makes a call one for completions.
pub(crate) const VAR: &str = "CKPTFS_COMPLETE";
const NAME: &str = "ckptfs";

/// The function for bash that puts together the words that bash divides at `@`, `=` and `:`.
const BASH: &str = include_str!("completions.bash");

impl Args {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let (shells, shell) = (Shells::builtins(), self.shell.to_string());
        let completer: &dyn EnvCompleter = shells.completer(&shell).expect("every shell has a completer");
        let mut text = vec![];
        completer.write_registration(VAR, NAME, NAME, NAME, &mut text)?;
        text.extend_from_slice(if self.shell == Shell::Bash { BASH.as_bytes() } else { b"" });
        io::stdout().write_all(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

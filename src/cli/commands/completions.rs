//! `ckptfs completions`: prints the completion script of a shell.
//!
//! The script calls ckptfs with [`VAR`] set and the typed words after `--`. So completions can include the names of a
//! checkpoint's variables, which only its files contain.

use std::io::{self, Write};
use std::process::ExitCode;

use clap_complete::Shell;
use clap_complete::env::{EnvCompleter, Shells};

/// Print the completion script of a shell
///
/// It completes commands and flags, the bundled maps after --map @, and the names of a checkpoint's variables.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs completions bash > /etc/bash_completion.d/ckptfs
  $ ckptfs completions zsh > ~/.zfunc/_ckptfs       # a directory of $fpath
  $ ckptfs completions fish > ~/.config/fish/completions/ckptfs.fish")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// The environment variable that makes ckptfs print completions.
pub(crate) const VAR: &str = "CKPTFS_COMPLETE";
const NAME: &str = "ckptfs";

/// The bash function that joins the words that bash splits at `@`, `=` and `:`.
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

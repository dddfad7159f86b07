//! `ckptfs completions`.

use std::io::{self, Write};
use std::process::ExitCode;

use clap_complete::Shell;

/// Write a shell's completions
///
/// `ckptfs completions bash > /etc/bash_completion.d/ckptfs`; for zsh into a directory of $fpath as _ckptfs; for fish into
/// ~/.config/fish/completions/ckptfs.fish.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

impl Args {
    pub(super) fn run(&self, mut ckptfs: clap::Command) -> anyhow::Result<ExitCode> {
        let mut text = vec![];
        clap_complete::generate(self.shell, &mut ckptfs, "ckptfs", &mut text);
        io::stdout().write_all(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

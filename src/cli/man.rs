//! `ckptfs man`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap_mangen::Man;

use super::Usage;

/// Write the manual page of ckptfs, or of one of its commands
///
/// `ckptfs man mount | man -l -` reads it.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs man mount | man -l -
  $ ckptfs man --all /usr/local/share/man/man1")]
pub(super) struct Args {
    /// The command
    #[arg(conflicts_with = "all")]
    command: Option<String>,
    /// Write all pages to a directory, which is made
    #[arg(long, value_name = "DIRECTORY")]
    all: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(&self, ckptfs: clap::Command) -> anyhow::Result<ExitCode> {
        let ckptfs = ckptfs.disable_help_subcommand(true);
        match &self.all {
            Some(dir) => write_all(ckptfs, dir).with_context(|| dir.display().to_string())?,
            None => self.write(ckptfs)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn write(&self, mut ckptfs: clap::Command) -> anyhow::Result<()> {
        ckptfs.build();
        let page = match &self.command {
            None => ckptfs,
            Some(name) => {
                let found = ckptfs.find_subcommand(name);
                found
                    .cloned()
                    .ok_or_else(|| Usage(format!("no command `{name}`: `ckptfs --help` lists them")))?
            }
        };
        let mut text = vec![];
        Man::new(page).render(&mut text)?;
        Ok(io::stdout().write_all(&text)?)
    }
}

fn write_all(ckptfs: clap::Command, dir: &std::path::Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(ckptfs, dir)
}

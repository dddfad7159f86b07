//! `ckptfs man`: one manual page for each command, ckptfs-*.1, and one for the map language, ckptfs-map.5.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap_mangen::Man;

use crate::cli::error::Usage;
use crate::cli::output::reference;

/// The argument that selects the page of the map language.
const MAP: &str = "map";
/// The file name of that page.
const MAP_PAGE: &str = "ckptfs-map.5";

/// Print the manual page of ckptfs, of one of its commands, or of the map language (map)
///
/// `ckptfs man mount | man -l -` reads it; `ckptfs man map` is ckptfs-map(5).
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs man mount | man -l -
  $ ckptfs man --all /usr/local/share/man/man1")]
pub(crate) struct Args {
    /// The command, or map
    #[arg(conflicts_with = "all")]
    command: Option<String>,
    /// Write all pages to a directory, which is created if missing
    #[arg(long, value_name = "DIRECTORY")]
    all: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(&self, ckptfs: clap::Command) -> anyhow::Result<ExitCode> {
        // The reference of the map language has its own page.
        let maps = |maps: clap::Command| maps.after_long_help("The map language: ckptfs-map(5).");
        let ckptfs = ckptfs.disable_help_subcommand(true).mut_subcommand("maps", maps);
        match &self.all {
            Some(dir) => write_all(ckptfs, dir).with_context(|| dir.display().to_string())?,
            None => self.write(ckptfs)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn write(&self, mut ckptfs: clap::Command) -> anyhow::Result<()> {
        if self.command.as_deref() == Some(MAP) {
            return Ok(io::stdout().write_all(reference::as_manual_page().as_bytes())?);
        }
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
    std::fs::write(dir.join(MAP_PAGE), reference::as_manual_page())?;
    clap_mangen::generate_to(ckptfs, dir)
}

//! `ckptfs doctor`: examines a checkpoint and its surroundings.

pub(crate) mod json;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::output::terminal::progress_bar;
use crate::doctor::{Progress, Severity, examine_watched};

/// Find out what is wrong around a checkpoint, and what mends it
///
/// PATH is a prefix, a directory, or a path as it stands in an error message: missing, with `~` or backslashes, without
/// its step. Each finding has the evidence, and lines that can be pasted. The exit code is 1 if there is an error or a
/// warning.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs doctor train/
  $ ckptfs doctor './training_checkpoints'   # latest_checkpoint() is None
  $ ckptfs doctor train/ckpt-9 --data        # reads all values")]
pub(crate) struct Args {
    /// The checkpoint, its directory, or the path that an error names
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Also read all values: compare them with their checksums, and find NaN and infinity
    #[arg(long)]
    data: bool,
    /// Print a JSON array of findings
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let bar = progress_bar(0);
        let watch = |progress: Progress| match progress {
            Progress::More(bytes) => bar.inc_length(bytes),
            Progress::Read(bytes) => bar.inc(bytes),
        };
        let findings = examine_watched(&self.path, if self.data { Some(&watch) } else { None });
        bar.finish_and_clear();
        match self.json {
            true => json::print(&findings)?,
            false => text::print(&findings)?,
        }
        let is_well = findings.iter().all(|finding| finding.severity == Severity::Note);
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

//! `ckptfs fix`: from the text of an error to the command that mends it.
//!
//! ```text
//! text ─► failure::recognize ─► Case ─┬─ names.rs     missing names, dtypes, the object graph ─┐
//!                                     ├─ wanted.rs    what only WANTED can decide               ├─► Answer ─► text.rs | json.rs
//!                                     └─ files.rs     paths, files, checksums: doctor          ─┘
//! ```
//!
//! A command in an answer was tried in memory before, or it only looks.

pub(crate) mod answer;
pub(crate) mod case;
mod files;
mod json;
mod names;
pub(crate) mod text;
pub(crate) mod wanted;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use anyhow::Context;

use crate::cli::commands::fix::answer::Answer;
use crate::cli::commands::fix::case::Case;
use crate::cli::error::Usage;
use crate::cli::flags::map_flags::MapFlags;
use crate::cli::output::terminal;
use crate::failure;

/// Find the command that mends a failed restore
///
/// Give it the text of the error, or all that the program printed. The checkpoint is read from the text if it is not given.
/// Exits with 0 if the answer was checked, with 1 if there is none.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs fix train/ckpt-9 -e 'Key encoder/w not found in checkpoint'
  $ python eval.py 2>&1 | ckptfs fix train/ckpt-9 - -o fix.toml
  $ ckptfs fix train/ckpt-9 --like wanted")]
pub(crate) struct Args {
    /// The checkpoint, or `-` to read the text from standard input
    checkpoint: Option<PathBuf>,
    /// Read the text from standard input
    #[arg(value_name = "-", value_parser = ["-"], hide_possible_values = true, conflicts_with = "error")]
    input: Option<String>,
    /// The text of the error
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    error: Option<String>,
    /// Write the map into a file, and name it in the commands
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    map: MapFlags,
}

/// The word for standard input.
const STDIN: &str = "-";

impl Args {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let source = self.checkpoint.clone().filter(|path| path != Path::new(STDIN));
        let text = self.text(source.is_none() && self.checkpoint.is_some())?;
        let case = Case::new(&text, source, self.map.clone());
        let mut answer = answer_to(&case);
        if let Some(path) = &self.output {
            answer.write(path)?;
        }
        match self.json {
            true => json::print(&case, &answer)?,
            false => text::print(&case, &answer)?,
        }
        Ok(if answer.is_checked() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Returns the text of the error. `is_input` says that standard input stands in place of the checkpoint.
    fn text(&self, is_input: bool) -> anyhow::Result<String> {
        let bytes = match &self.error {
            Some(text) if text == STDIN && self.input.is_none() => failure::read(io::stdin().lock())?,
            Some(text) => text.clone().into_bytes(),
            None if is_input || self.input.is_some() => failure::read(io::stdin().lock())?,
            None if self.map.has_like() => Vec::new(),
            None => {
                let help = "give it after -e, or `-` and the text on standard input; --like WANTED needs no text\n  \
                            help: `ckptfs doctor PATH` examines a checkpoint without a text";
                return Err(Usage(format!("the text of the error is missing\n  help: {help}")).into());
            }
        };
        Ok(failure::clean(&bytes))
    }
}

/// A treatment: an answer to those failures of a case that it knows.
type Treat = fn(&Case) -> Answer;

/// The treatments, in the order of their answers.
const TREATMENTS: &[Treat] =
    &[files::paths, files::checksums, names::names, wanted::wanted, files::keras, answer::program];

/// Returns the answer to a case.
pub(crate) fn answer_to(case: &Case) -> Answer {
    let mut whole = Answer::default();
    TREATMENTS.iter().for_each(|treat| whole.add(treat(case)));
    whole
}

/// Writes a map file.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}

/// Says that nothing was recognized.
fn warn(text: &str) {
    terminal::warning(text);
}

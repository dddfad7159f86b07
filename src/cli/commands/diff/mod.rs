//! `ckptfs diff`: compares two checkpoints, and says what TensorFlow would restore wrongly.

pub(crate) mod by_map;
mod json;
mod restores;
mod section;
mod text;
pub(crate) mod trial;
mod values;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::commands::diff::by_map::{ByMap, by_map};
use crate::cli::commands::diff::trial::{Sides, Tried};
use crate::cli::commands::diff::values::Values;
use crate::cli::error::is_broken_pipe;
use crate::cli::flags::listing::Listing;
use crate::cli::flags::map_flags::MapFlags;
use crate::cli::output::terminal;
use crate::diff::Diff;

/// The exit code if the two could not be compared, as of diff(1).
const INCOMPARABLE: u8 = 2;

/// Compare two checkpoints, and find what TensorFlow would restore wrongly
///
/// HAVE is restored by a program that would itself save WANT: `ckptfs want` prints how to write that. Each is any source, a
/// graph of TF1 (.meta), or a table from ls --tsv. The map acts on HAVE. Exits with 0 if names, dtypes and shapes are equal,
/// with 1 if not, and with 2 if the two could not be compared.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs diff old/ckpt-1 wanted
  $ ckptfs diff train/ckpt-8 train/ckpt-9 --values --tolerance 1e-6
  $ ckptfs diff bert.ckpt wanted.tsv --rename 'bert/**=encoder/**' --json")]
pub(crate) struct Args {
    /// The checkpoint to restore
    have: PathBuf,
    /// What the program would save
    want: PathBuf,
    /// Also read and compare all values
    #[arg(long)]
    values: bool,
    /// Take numbers for equal if they differ by at most R times that of WANT
    #[arg(long, value_name = "R", requires = "values", value_parser = tolerance)]
    tolerance: Option<f64>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    map: MapFlags,
}

fn tolerance(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "it is a number from 0 on, such as 1e-6".into())
}

/// The result of a comparison, to be printed.
struct Report<'a> {
    have: &'a Listing,
    want: &'a Listing,
    diff: &'a Diff<'a>,
    values: Option<Values>,
    commands: Vec<Tried>,
}

impl Report<'_> {
    /// Returns true if names, dtypes and shapes are equal, and the values too if they were compared.
    fn is_equal(&self) -> bool {
        self.diff.is_equal() && self.values.as_ref().is_none_or(Values::are_equal)
    }
}

impl Args {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        match self.compare() {
            Err(error) if !is_broken_pipe(&error) => {
                terminal::error(&error);
                Ok(ExitCode::from(INCOMPARABLE))
            }
            result => result,
        }
    }

    fn compare(&self) -> anyhow::Result<ExitCode> {
        let have = self.map.open_listing(&self.have)?;
        let want = Listing::open(&self.want)?;
        let diff = Diff::new(&have.catalog, &want.catalog);
        let values =
            self.values.then(|| Values::compare((&have, &want), &diff, self.tolerance)).transpose()?;
        let sides = Sides { have: &self.have, want: &self.want, map: &self.map };
        let mut commands = trial::commands(&sides, &diff, &have, &want);
        let least = commands.iter().map(|tried| tried.restored.0).max().unwrap_or(0);
        let by_map = (!diff.is_fit()).then(|| by_map(&sides, &have, &want, least)).flatten();
        if let Some(ByMap { line, python, restored }) = by_map {
            let remark = python.map_or_else(String::new, |line| format!("then {line}"));
            commands.insert(0, Tried { map: self.map.clone(), line, restored, remark });
        }
        let report = Report { have: &have, want: &want, diff: &diff, values, commands };
        if self.json {
            json::print(&report)?
        } else {
            text::print(&report)?
        }
        Ok(if report.is_equal() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

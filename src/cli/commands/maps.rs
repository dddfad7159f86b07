//! `ckptfs maps`: lists or prints the bundled maps.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::builder::StyledStr;
use serde_json::json;

use crate::cli::output::reference;
use crate::map::builtin::{BUILTIN_MAPS, BuiltinMap};

/// List the bundled maps, for --map @NAME, or print one
///
/// To write a map of your own, start with `ckptfs maps show NAME > own.toml`. The map language is explained below.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_long_help = help())]
pub(crate) struct Args {
    /// Print a JSON array of objects
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

const EXAMPLES: &str = "Examples:
  $ ckptfs maps
  $ ckptfs maps show @bert-to-modelgarden > own.toml
  $ ckptfs check bert/model.ckpt --map @bert-to-modelgarden

";

/// Returns the examples, with the reference of the map language below them.
fn help() -> StyledStr {
    let mut help = StyledStr::from(EXAMPLES);
    let _ = write!(help, "{}", reference::for_terminal().ansi());
    help
}

#[derive(clap::Subcommand)]
enum Action {
    /// Print a map, which begins with comments on its input and output
    #[command(after_long_help = "Examples:
  $ ckptfs maps show ddp
  $ ckptfs maps show @bert-to-modelgarden > own.toml")]
    Show {
        /// The map's name, with or without the @
        name: String,
    },
}

impl Args {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let mut out = BufWriter::new(io::stdout().lock());
        match &self.action {
            Some(Action::Show { name }) => out.write_all(BuiltinMap::by_name(name)?.text.as_bytes())?,
            None if self.json => json(&mut out)?,
            None => list(&mut out)?,
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn list(out: &mut impl Write) -> io::Result<()> {
    let width = BUILTIN_MAPS.iter().map(|map| map.name.len()).max().unwrap_or(0);
    BUILTIN_MAPS.iter().try_for_each(|map| writeln!(out, "@{:width$}  {}", map.name, map.summary()))
}

fn json(out: &mut impl Write) -> io::Result<()> {
    let maps: Vec<_> =
        BUILTIN_MAPS.iter().map(|map| json!({ "name": map.name, "summary": map.summary() })).collect();
    writeln!(out, "{:#}", json!(maps))
}

//! `ckptfs suggest`: writes the map that gives one checkpoint the names of another.

mod json;
mod report;
mod table;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::catalog::Catalog;
use crate::cli::flags::listing::Listing;
use crate::cli::flags::map_flags::{MapFlags, command_line};
use crate::cli::output::page::Page;
use crate::cli::output::terminal::warning;
use crate::export;
use crate::export::{CopyMode, Output};
use crate::extent::VirtualFile;
use crate::source::word;
use crate::suggest::map::{SuggestedMap, map};
use crate::suggest::toml::Sides;
use crate::suggest::{Confidence, Item, Suggestion, items, originals, suggest};
use crate::transform::Transform;

/// Write the map that gives one checkpoint the names of another
///
/// Compares names, shapes and numbers of two lists of variables. HAVE and WANT are anything that lists variables: a
/// checkpoint, a .meta file of TF1, or a table (ls --tsv). No values are read. Only sure pairs become rules; the others
/// stand in comments, each with the reason for the doubt. Exits with 1 if a wanted weight is not sure.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  $ ckptfs suggest old/ckpt-9 wanted.tsv
  $ ckptfs suggest old/ckpt-9 new/model.weights.h5 -o fix.toml
  $ ckptfs suggest have.tsv want.tsv --tsv | grep -v 'sure$'")]
pub(crate) struct Args {
    /// The checkpoint that has the values, or a table of its variables
    have: PathBuf,
    /// The checkpoint or table that has the names that a program wants
    want: PathBuf,
    /// Write the map to a file; `-` writes it to standard output, instead of the report
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long, requires = "out")]
    force: bool,
    /// Print a tab-separated table of all wanted variables: want, have, ops, confidence
    #[arg(long, group = "form")]
    tsv: bool,
    /// Print a JSON object with all pairs, the reasons, and the map
    #[arg(long, group = "form")]
    json: bool,
    #[command(flatten)]
    map: MapFlags,
}

/// The two sides, and all that is suggested about them.
pub(super) struct Suggested {
    pub(super) have: Vec<Item>,
    pub(super) want: Vec<Item>,
    pub(super) found: Suggestion,
    pub(super) map: SuggestedMap,
}

impl Args {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let (transform, have) = (self.map.transform()?, Listing::open(&self.have)?);
        let want = Listing::open(&self.want)?;
        let has_values = have.has_values;
        let suggested = self.suggested(have.catalog, &want.catalog, &transform)?;
        let is_written = self.write(&suggested.map)?;
        let mut page = Page::standard_output();
        match self {
            Self { tsv: true, .. } => table::write(&suggested, &mut page)?,
            Self { json: true, .. } => json::write(&suggested, &mut page)?,
            _ if self.is_piped() => page.write_all(suggested.map.text.as_bytes())?,
            _ => report::write(&suggested, &self.commands(&suggested, has_values, is_written), &mut page)?,
        }
        page.flush()?;
        let mut weights =
            suggested.want.iter().zip(&suggested.found.pairs).filter(|(item, _)| item.state.is_none());
        let is_sure = weights.all(|(_, pair)| pair.confidence == Confidence::Sure);
        Ok(if is_sure { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Args {
    /// Suggests a map. The flags act on HAVE before the comparison; the map acts on HAVE as it is.
    fn suggested(&self, base: Catalog, want: &Catalog, transform: &Transform) -> anyhow::Result<Suggested> {
        let mut have = base.clone();
        let (transformed, _) = transform.apply_to_damaged(&mut have)?;
        let warnings = transformed.overlays.warnings.iter().chain(&transformed.warnings);
        warnings.chain(&transformed.salvaged).for_each(warning);
        transformed.report.warnings.iter().for_each(warning);
        let (compared, want) = (items(&have), items(want));
        let mut found = suggest(&compared, &want);
        let (have_name, want_name) = (self.have.to_string_lossy(), self.want.to_string_lossy());
        let sides = Sides { have: &have_name, want: &want_name };
        let have = originals(&have);
        let map = map(&base, &have, &want, sides, &mut found);
        Ok(Suggested { have, want, found, map })
    }

    /// Writes the map to the file that `--out` names. Returns true if there is one.
    fn write(&self, map: &SuggestedMap) -> anyhow::Result<bool> {
        let Some(path) = self.out.clone().filter(|_| !self.is_piped()) else { return Ok(false) };
        let output = Output { path, file: VirtualFile::from(map.text.clone().into_bytes()) };
        export::write(&[output], &CopyMode { link: false, replace: self.force, progress: &|_| true })?;
        Ok(true)
    }

    fn is_piped(&self) -> bool {
        self.out.as_deref() == Some(Path::new("-"))
    }

    /// Returns the commands that use the map. A map that no flags can replace needs a file first.
    fn commands(&self, suggested: &Suggested, has_values: bool, is_written: bool) -> Vec<String> {
        if !suggested.map.is_of_use {
            return vec![];
        }
        let have = if has_values { word(&self.have) } else { "CHECKPOINT".to_owned() };
        let file = self.out.as_deref().unwrap_or(Path::new("fix.toml"));
        let map = match &suggested.map.flags {
            Some(flags) if !is_written => flags.iter().map(|flag| flag.words()).collect::<Vec<_>>().join(" "),
            _ => format!("--map {}", word(file)),
        };
        let write = format!("{} -o {}", command_line(), word(file));
        let needs_file = !is_written && suggested.map.flags.is_none();
        let uses = ["check", "mount"].map(|verb| match verb {
            "mount" => format!("ckptfs mount {have} m {map}"),
            verb => format!("ckptfs {verb} {have} {map}"),
        });
        needs_file.then_some(write).into_iter().chain(uses).collect()
    }
}

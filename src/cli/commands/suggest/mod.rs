//! `ckptfs suggest`: writes the map that gives one checkpoint the names of another.

mod table;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::flags::listing::Listing;
use crate::cli::flags::map_flags::MapFlags;
use crate::suggest::{Confidence, items, suggest};

/// Write the map that gives one checkpoint the names of another
///
/// HAVE and WANT are anything that lists variables: a checkpoint, a `.meta` file of TF1, or a table (`ls --tsv`).
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The checkpoint whose values there are
    have: PathBuf,
    /// The checkpoint or table whose names the program wants
    want: PathBuf,
    /// Print a tab-separated table of all wanted variables: want, have, ops, confidence
    #[arg(long)]
    tsv: bool,
    #[command(flatten)]
    map: MapFlags,
}

impl Args {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let transform = self.map.transform()?;
        let mut have = Listing::open(&self.have)?;
        let (transformed, _) = transform.apply_to_damaged(&mut have.catalog)?;
        let _ = transformed;
        let want = Listing::open(&self.want)?;
        let (have, want) = (items(&have.catalog), items(&want.catalog));
        let found = suggest(&have, &want);
        let mut out = BufWriter::new(io::stdout().lock());
        table::write(&have, &want, &found, &mut out)?;
        out.flush()?;
        let is_sure = found.pairs.iter().all(|pair| pair.confidence == Confidence::Sure);
        Ok(if is_sure { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

//! The commands that a report ends with. Each is tried in memory: the flags are read as a command line is, and applied to HAVE;
//! then TensorFlow must take each value as the evidence says.

use std::path::Path;

use crate::cli::flags::listing::Listing;
use crate::cli::flags::map_flags::MapFlags;
use crate::diff::Diff;
use crate::diff::commands::{Attempt, attempts};
use crate::diff::restore::Effect;
use crate::mounted_source::newest::open_newest;
use crate::name::{flag, is_printable};
use crate::source;

/// The two sides of a trial, as a command line gives them.
pub(crate) struct Sides<'a> {
    pub(crate) have: &'a Path,
    pub(crate) want: &'a Path,
    /// The flags for HAVE, without `--like`.
    pub(crate) map: &'a MapFlags,
}

/// A command that was tried.
pub(crate) struct Tried {
    /// The flags for HAVE.
    pub(crate) map: MapFlags,
    /// The line, quoted for a shell.
    pub(crate) line: String,
    /// The number of wanted variables that get a value of HAVE, and of all.
    pub(crate) restored: (usize, usize),
    pub(crate) remark: String,
}

/// The maximum number of attempts that are tried.
const TRIED: usize = 16;
/// The same for a checkpoint of more than [`MANY`] variables, because each attempt reads its index.
const TRIED_OF_MANY: usize = 3;
const MANY: usize = 20_000;
/// The maximum number of commands that are printed.
const PRINTED: usize = 4;

/// Returns the commands that make HAVE fit.
pub(crate) fn commands(sides: &Sides<'_>, diff: &Diff<'_>, have: &Listing, want: &Listing) -> Vec<Tried> {
    if diff.is_fit() || sides.map.has_like() || !have.has_values {
        return vec![];
    }
    let Some(wanted) = sides.want.to_str() else { return vec![] };
    let tried = if diff.have.names.len().max(diff.want.names.len()) > MANY { TRIED_OF_MANY } else { TRIED };
    let mut found: Vec<Tried> = Vec::new();
    for attempt in attempts(diff, wanted, want.has_values).iter().take(tried) {
        let is_known = found.iter().any(|tried| tried.remark == attempt.remark);
        let is_late = attempt.is_last && !found.is_empty();
        if found.len() < PRINTED && !is_known && !is_late {
            let tried = attempted(sides, want, attempt);
            let is_new = |tried: &Tried| found.iter().all(|other| other.line != tried.line);
            found.extend(tried.filter(is_new));
        }
    }
    found
}

/// Tries an attempt. Returns its command if the values come out right.
fn attempted(sides: &Sides<'_>, want: &Listing, attempt: &Attempt) -> Option<Tried> {
    let word = |(flag, value): &(&str, String)| match value.is_empty() {
        true => format!("--{flag}"),
        false => format!("--{flag}={value}"),
    };
    let words: Vec<_> = attempt.flags.iter().map(word).collect();
    let map = sides.map.with(&words).ok()?;
    let transform = map.transform().ok()?;
    let opened = open_newest(&source::candidates(sides.have).ok()?, &transform).ok()?;
    let (catalog, likeness) = (&opened.checkpoint.catalog, opened.transformed.likeness);
    let diff = Diff::new(catalog, &want.catalog);
    let restore = diff.restore.as_ref()?;
    let takes = restore.effects.iter().filter(|effect| matches!(effect, Effect::Takes(_))).count();
    let filled = likeness.map_or(0, |likeness| likeness.filled.len());
    let is_fit = takes > filled && restore.stops().next().is_none() && diff.silent.is_empty();
    let written = |(name, value): &(&str, String)| flag(name, value);
    let flags: Vec<_> = sides.map.typed().iter().cloned().chain(attempt.flags.iter().map(written)).collect();
    let line = format!("{} {}", command(sides.have), flags.join(" "));
    // A name that a terminal cannot show can be neither read nor copied.
    let restored = (takes - filled, restore.effects.len());
    (is_fit && is_printable(&line)).then(|| Tried { map, line, restored, remark: attempt.remark.clone() })
}

/// Returns the command that serves HAVE.
fn command(have: &Path) -> String {
    let path = source::word(have);
    if cfg!(feature = "fuse") { format!("ckptfs mount {path} m") } else { format!("ckptfs check {path}") }
}

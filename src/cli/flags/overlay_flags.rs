//! `--overlay` and `--take`: values from other checkpoints. This module opens those checkpoints and summarizes the
//! result.

use std::collections::HashMap;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;

use anyhow::anyhow;
use clap::{Arg, ArgAction, ArgMatches};

use crate::cli::output::terminal::{counted, warning};
use crate::map::Map;
use crate::source;
use crate::transform::Transform;
use crate::transform::overlay::summary::OverlaySummary;
use crate::transform::overlay::{Overlay, Overlays, Take};

pub(crate) const OVERLAY: &str = "overlay";
pub(crate) const TAKE: &str = "take";

/// The other checkpoints on a command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct OverlayFlags {
    whole: Vec<PathBuf>,
    takes: Vec<Taken>,
}

/// The parsed value of `--take`: `NAME=SOURCE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    name: String,
    source: PathBuf,
}

/// The maximum number of names that are listed of one source.
const LISTED: usize = 20;

/// Returns the flags.
pub(crate) fn args(heading: &'static str) -> [Arg; 2] {
    let arg = |name: &'static str, value: &'static str| {
        Arg::new(name).long(name).value_name(value).action(ArgAction::Append).help_heading(heading)
    };
    [
        arg(OVERLAY, "SOURCE").value_parser(clap::value_parser!(PathBuf)).help("Take variables from another checkpoint").long_help(
            "Before the map, replace variables with those of the same name in another checkpoint, and add those that are \
             missing here; the last of several overlays wins",
        ),
        arg(TAKE, "NAME=SOURCE").value_parser(Taken::parse).help("Take one variable from another checkpoint").long_help(
            "After the overlays, take one variable from another checkpoint, for example a damaged one from the previous \
             step; shape and dtype must be the same",
        ),
    ]
}

impl Taken {
    /// Parses `NAME=SOURCE`, split at the first `=` without a backslash before it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.match_indices('=').map(|(at, _)| at);
        let at = parts.find(|&at| !text[..at].ends_with('\\'));
        let (name, source) = at.map_or((text, ""), |at| (&text[..at], &text[at + 1..]));
        match at.is_some() && !name.is_empty() && !source.is_empty() {
            true => Ok(Self { name: name.replace("\\=", "="), source: source.into() }),
            false => Err("it is NAME=SOURCE: a variable and the checkpoint to take it from".into()),
        }
    }
}

impl OverlayFlags {
    pub(crate) fn update(&mut self, matches: &ArgMatches) {
        self.whole.extend(matches.get_many::<PathBuf>(OVERLAY).into_iter().flatten().cloned());
        self.takes.extend(matches.get_many::<Taken>(TAKE).into_iter().flatten().cloned());
    }

    /// Returns true if there is an `--overlay`.
    #[cfg(feature = "fuse")]
    pub(crate) fn has_whole(&self) -> bool {
        !self.whole.is_empty()
    }

    #[cfg(feature = "fuse")]
    pub(crate) fn add_overlay(&mut self, path: PathBuf) {
        self.whole.push(path);
    }

    #[cfg(feature = "fuse")]
    pub(crate) fn add_take(&mut self, text: &str) -> Result<(), String> {
        self.takes.push(Taken::parse(text)?);
        Ok(())
    }

    /// Opens all of these checkpoints, each one once. `salvages` leaves out what is damaged in them.
    ///
    /// # Errors
    /// One message for all checkpoints that cannot be opened.
    pub(crate) fn open(&self, salvages: bool) -> anyhow::Result<Overlays> {
        let mut opened: HashMap<&Path, Option<Arc<Overlay>>> = HashMap::new();
        let mut faults = Vec::new();
        let mut open = |path, flag: String| {
            let open =
                || overlay(path, salvages).map_err(|error| faults.push(format!("{flag}: {error:#}"))).ok();
            opened.entry(path).or_insert_with(open).clone()
        };
        let whole = self.whole.iter().map(|path| open(path, format!("--{OVERLAY}")));
        let whole: Vec<_> = whole.collect::<Vec<_>>().into_iter().flatten().collect();
        let takes = self.takes.iter().filter_map(|Taken { name, source }| {
            Some(Take { name: name.clone(), from: open(source, format!("--{TAKE} {name}"))? })
        });
        let takes = takes.collect();
        match faults.as_slice() {
            [] => Ok(Overlays { whole, takes }),
            faults => Err(anyhow!("{}", faults.join("\n"))),
        }
    }
}

fn overlay(path: &Path, salvages: bool) -> anyhow::Result<Arc<Overlay>> {
    // The path must be absolute, because a process that has left this directory reads the values.
    let source::Checkpoint { prefix, mut catalog, stamp, warnings } = source::open(&absolute(path)?)?;
    warnings.iter().for_each(warning);
    if salvages && catalog.lost().next().is_some() {
        let salvaged = Transform::from(Map::salvage()).apply(&mut catalog)?.salvaged;
        salvaged.iter().for_each(|what| warning(format_args!("{}: {what}", path.display())));
    }
    let (name, path) = (path.display().to_string(), prefix.path().display().to_string().into());
    Ok(Arc::new(Overlay { name, path, stamp, catalog }))
}

/// Returns the result of the overlays: a line for each source, followed by the names that it replaced.
pub(crate) fn summary(overlaid: &OverlaySummary) -> Vec<String> {
    let mut lines = Vec::new();
    for from in &overlaid.from {
        let (replaced, added) = (&from.replaced, from.added.len());
        let all = counted(replaced.len() + added, "variable");
        lines.push(format!("  {}: {all}, {} replaced, {added} new", from.flag, replaced.len()));
        lines.extend(replaced.iter().take(LISTED).map(|name| format!("    {name}")));
        let more = replaced.len().saturating_sub(LISTED);
        lines.extend((more > 0).then(|| format!("    … and {more} more")));
    }
    if !lines.is_empty() {
        lines.push(format!("  {} as they were", counted(overlaid.own, "variable")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_take_is_split_at_its_first_plain_equals_sign() {
        let parse = |text| Taken::parse(text).map(|taken| (taken.name, taken.source));
        assert_eq!(parse("a/b=train/ckpt-8"), Ok(("a/b".into(), "train/ckpt-8".into())));
        assert_eq!(parse("a=x=y"), Ok(("a".into(), "x=y".into())));
        assert_eq!(parse(r"a\=b=x"), Ok(("a=b".into(), "x".into())));
        for wrong in ["", "a", "a=", "=x", r"a\=x"] {
            assert!(parse(wrong).unwrap_err().contains("NAME=SOURCE"), "{wrong}");
        }
    }
}

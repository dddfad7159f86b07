//! `--like` and the flags that decide what it leaves open. This module opens WANTED and summarizes the result.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches};

use crate::cli::flags::listing::Listing;
use crate::cli::output::terminal::counted;
use crate::transform::like::options::{FIT as FITS, MISSING as MISSINGS, Pair, Rule, Selector};
use crate::transform::like::{Choices, Likeness, Wanted};

pub(crate) const LIKE: &str = "like";
pub(crate) const MISSING: &str = "missing";
pub(crate) const FIT: &str = "fit";
pub(crate) const PAIR: &str = "pair";
pub(crate) const NEW: &str = "new";

/// The flags about WANTED on a command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct LikeFlags {
    wanted: Option<PathBuf>,
    choices: Choices,
}

/// Returns the flags.
pub(crate) fn args(heading: &'static str) -> [Arg; 5] {
    // A test compares the words with the tables.
    let arg = |name: &'static str| Arg::new(name).long(name).help_heading(heading);
    let many = |name: &'static str, value: &'static str| {
        arg(name).value_name(value).action(ArgAction::Append).requires(LIKE)
    };
    [
        arg(LIKE)
            .value_name("WANTED")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Take names, order and object graph from WANTED")
            .long_help(
                "After the map, take names, order and object graph from WANTED: a checkpoint that the restoring program \
                 wrote, a SavedModel, a graph of TF1 (.meta), or a table from ls --tsv",
            ),
        many(MISSING, "[PATTERN=]zeros|like")
            .value_parser(|text: &str| Rule::parse(text, MISSINGS).map(|_| text.to_owned()))
            .help("Fill variables that only WANTED has: 'head/**=like'")
            .long_help(
                "Fill variables that only WANTED has: with WANTED's values (like), or with neutral values (zeros: ones \
                 for gamma and variances). PATTERN selects WANTED's variables; the first that matches counts. Without \
                 PATTERN it is refused if fewer than half of the wanted weights have a source",
            ),
        many(FIT, "[PATTERN=]like")
            .value_parser(|text: &str| Rule::parse(text, FITS).map(|_| text.to_owned()))
            .help("Fill the rest of a short axis with WANTED's: emb=like")
            .long_help(
                "Fill the rest of a short axis with WANTED's values. Without PATTERN, only new rows of embeddings are \
                 filled; PATTERN selects others",
            ),
        many(PAIR, "HAVE=WANTED")
            .value_parser(|text: &str| Pair::parse(text).map(|_| text.to_owned()))
            .help("Pair a variable or a layer with one of WANTED"),
        many(NEW, "NAME")
            .value_parser(|text: &str| Selector::parse(text).map(|_| text.to_owned()))
            .help("A variable or a layer that only WANTED has")
            .long_help("A variable or a layer of WANTED that the source does not have; it takes WANTED's own values"),
    ]
}

impl LikeFlags {
    pub(crate) fn update(&mut self, matches: &ArgMatches) {
        self.wanted = matches.get_one::<PathBuf>(LIKE).cloned().or_else(|| self.wanted.take());
        for name in [MISSING, FIT, PAIR, NEW] {
            // The values are valid: their parsers have accepted them.
            let values = matches.get_many::<String>(name).into_iter().flatten();
            values.for_each(|value| _ = self.set(name, value));
        }
    }

    /// Sets a flag from its text.
    ///
    /// # Errors
    /// The form of the value, if it is invalid.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            LIKE => self.wanted = Some(value.into()),
            MISSING => self.choices.missing.push(Rule::parse(value, MISSINGS)?),
            FIT => self.choices.fit.push(Rule::parse(value, FITS)?),
            PAIR => self.choices.pairs.push(Pair::parse(value)?),
            _ => self.choices.new.push(Selector::parse(value)?),
        }
        Ok(())
    }

    /// Takes WANTED out of the flags.
    pub(crate) fn take_wanted(&mut self) -> Option<PathBuf> {
        self.wanted.take()
    }

    /// Returns true if `--like` is given.
    pub(crate) fn is_given(&self) -> bool {
        self.wanted.is_some()
    }

    /// Returns an error message if a flag requires `--like`, which is missing.
    #[cfg(feature = "fuse")]
    pub(crate) fn lacks(&self) -> Option<String> {
        let is_alone = self.wanted.is_none() && !self.choices.is_empty();
        is_alone.then(|| format!("{MISSING}, {FIT}, {PAIR} and {NEW} need {LIKE}=…"))
    }

    /// Opens WANTED. `None` if the flag is not given.
    pub(crate) fn open(&self) -> anyhow::Result<Option<(Wanted, Choices)>> {
        let open = |path: &Path| Listing::open(path).with_context(|| format!("--like {}", path.display()));
        let wanted = self.wanted.as_deref().map(open).transpose()?.map(Listing::into_wanted);
        Ok(wanted.map(|wanted| (wanted, self.choices.clone())))
    }

    /// Returns the result of `--like`: a line for each kind of variables, followed by their names.
    pub(crate) fn summary(&self, likeness: &Likeness) -> Vec<String> {
        let wanted = self.wanted.as_deref().unwrap_or(Path::new("WANTED"));
        summary(likeness, &wanted.display().to_string())
    }
}

/// The maximum number of names that are listed of one kind.
const LISTED: usize = 20;

/// Returns the result of `--like`: a line for each kind of variables, followed by their names.
fn summary(likeness: &Likeness, wanted: &str) -> Vec<String> {
    let Likeness { found, by_position, filled, fitted, extra } = likeness;
    let counted_so = if *by_position > 0 {
        format!(", {by_position} of them by number or position")
    } else {
        String::new()
    };
    let found = counted(*found, "variable");
    let mut lines = vec![format!("  --like {wanted}: {found} with the source's values{counted_so}")];
    for (names, what) in
        [(fitted, "with the rest of WANTED's"), (filled, "filled in"), (extra, "of the source's left out")]
    {
        if !names.is_empty() {
            lines.push(format!("  {} {what}:", names.len()));
            lines.extend(names.iter().take(LISTED).map(|name| format!("    {name}")));
            lines.extend((names.len() > LISTED).then(|| format!("    … and {} more", names.len() - LISTED)));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_choice_are_those_of_its_table() {
        let joined = |words: Vec<&str>| format!("[PATTERN=]{}", words.join("|"));
        let tables = [
            (MISSING, joined(MISSINGS.iter().map(|(word, _)| *word).collect())),
            (FIT, joined(FITS.iter().map(|(word, _)| *word).collect())),
        ];
        for (name, words) in tables {
            let arg = args("Map").into_iter().find(|arg| arg.get_id() == name).unwrap();
            assert_eq!(arg.get_value_names().unwrap()[0].as_str(), words);
        }
    }
}

//! The summary of overlays: the origin of each value.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::name::Name;
use crate::transform::overlay::Overlay;
use crate::transform::overlay::error::LISTED;

/// The result of overlays on a base checkpoint.
#[derive(Clone, Debug, Default)]
pub struct OverlaySummary {
    /// For each flag, the variables whose final values come from it.
    pub from: Vec<From>,
    /// The number of variables that kept the base's values.
    pub own: usize,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// The values from one other checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct From {
    /// The flag that requested it.
    pub(crate) flag: String,
    /// Variables that the base has too.
    pub replaced: Vec<Name>,
    /// Variables that the base does not have.
    pub added: Vec<Name>,
    /// The number of variables that are not taken because they always stay the base's.
    pub left: usize,
}

/// The kind of a note about a replaced variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// The new value has another shape or dtype.
    Different,
    /// The variables have one path, which contains a number, but different full names.
    Counted,
}

/// The text of each note, for one variable and for several.
const NOTES: &[(Note, [&str; 2])] = &[
    (Note::Different, ["variable is of another shape or dtype", "variables are of another shape or dtype"]),
    (
        Note::Counted,
        [
            "path that only counts leads to another full name",
            "paths that only count lead to other full names",
        ],
    ),
];

/// The origin of each value so far.
pub(crate) struct Ledger {
    flags: Vec<(String, usize)>,
    /// The last flag and checkpoint that set each variable's value, and true if the base has the variable.
    last: BTreeMap<Name, (usize, bool, Arc<str>)>,
    notes: Vec<(String, Note, String)>,
    base: usize,
}

impl Ledger {
    pub(crate) fn new(base: &Catalog) -> Self {
        Self { flags: vec![], last: BTreeMap::new(), notes: vec![], base: base.variables.len() }
    }

    /// Records that a checkpoint is laid over the base; `left` of its variables are not taken.
    pub(crate) fn opened(&mut self, flag: String, left: usize) {
        self.flags.push((flag, left));
    }

    pub(crate) fn replaced(&mut self, name: Name, flag: String, from: &Overlay) {
        let is_bases = self.last.get(&name).is_none_or(|(_, is_bases, _)| *is_bases);
        self.put(name, flag, from, is_bases);
    }

    pub(crate) fn added(&mut self, name: Name, flag: String, from: &Overlay) {
        self.put(name, flag, from, false);
    }

    /// Records a note about a variable.
    pub(crate) fn note(&mut self, flag: &str, note: Note, what: String) {
        self.notes.push((flag.to_owned(), note, what));
    }

    fn put(&mut self, name: Name, flag: String, from: &Overlay, is_bases: bool) {
        let known = self.flags.iter().rposition(|(other, _)| *other == flag);
        let at = known.unwrap_or_else(|| {
            self.flags.push((flag, 0));
            self.flags.len() - 1
        });
        self.last.insert(name, (at, is_bases, from.path.clone()));
    }

    /// Records in the catalog the origin of each value, and returns the summary.
    pub(crate) fn close(self, catalog: &mut Catalog) -> OverlaySummary {
        let blank = |(flag, left): (String, usize)| From { flag, left, ..From::default() };
        let mut overlaid = OverlaySummary { warnings: self.warnings(), ..OverlaySummary::default() };
        overlaid.from = self.flags.into_iter().map(blank).collect();
        let mut paths = HashMap::new();
        for (name, (at, is_bases, path)) in self.last {
            let from = &mut overlaid.from[at];
            if is_bases { &mut from.replaced } else { &mut from.added }.push(name.clone());
            paths.insert(name, path);
        }
        overlaid.own = self.base - overlaid.from.iter().map(|from| from.replaced.len()).sum::<usize>();
        catalog.overlaid = Some(Arc::new(paths));
        overlaid
    }

    fn warnings(&self) -> Vec<String> {
        let of = |(flag, left): &(String, usize)| {
            let notes = NOTES.iter().map(|(note, texts)| self.warning(flag, *note, *texts));
            let plural = if *left == 1 { "variable stays" } else { "variables stay" };
            let left = (*left > 0).then(|| {
                format!("{flag}: {left} {plural} the base's: optimizer state, save_counter, configurations")
            });
            notes.chain([left]).flatten().collect::<Vec<_>>()
        };
        self.flags.iter().flat_map(of).collect()
    }

    /// Formats all notes of one kind about one flag.
    fn warning(&self, flag: &str, kind: Note, [one, several]: [&str; 2]) -> Option<String> {
        let all: Vec<_> = self.notes.iter().filter(|(of, note, _)| of == flag && *note == kind).collect();
        let lines: String = all.iter().take(LISTED).map(|(_, _, what)| format!("\n  {what}")).collect();
        let rest = match all.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!("\n  and {more} more"),
        };
        let plural = if all.len() == 1 { one } else { several };
        (!all.is_empty()).then(|| format!("{flag}: {} {plural}{lines}{rest}", all.len()))
    }
}

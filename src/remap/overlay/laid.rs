//! What came from where.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Overlay;
use crate::catalog::Catalog;
use crate::name::Name;

/// What came of laying checkpoints over one.
#[derive(Clone, Debug, Default)]
pub struct Laid {
    /// For each flag, what is its in the end.
    pub from: Vec<From>,
    /// Variables that stayed the base's.
    pub own: usize,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// What came from one other checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct From {
    /// The flag that asked for it.
    pub flag: String,
    /// Variables that the base has too.
    pub replaced: Vec<Name>,
    /// Variables that it does not have.
    pub added: Vec<Name>,
    /// Variables that stay the base's whatever the other has.
    pub left: usize,
}

/// What came from where so far.
pub(super) struct Ledger {
    flags: Vec<(String, usize)>,
    /// The last that gave a variable its value, and whether the base has it.
    last: BTreeMap<Name, (usize, bool, Arc<str>)>,
    unlike: Vec<(String, String)>,
    base: usize,
}

impl Ledger {
    pub(super) fn new(base: &Catalog) -> Self {
        Self { flags: vec![], last: BTreeMap::new(), unlike: vec![], base: base.variables.len() }
    }

    /// A checkpoint is laid over, `left` variables of which are not.
    pub(super) fn opened(&mut self, flag: String, left: usize) {
        self.flags.push((flag, left));
    }

    pub(super) fn replaced(&mut self, name: Name, flag: String, from: &Overlay) {
        let is_bases = self.last.get(&name).is_none_or(|(_, is_bases, _)| *is_bases);
        self.put(name, flag, from, is_bases);
    }

    pub(super) fn added(&mut self, name: Name, flag: String, from: &Overlay) {
        self.put(name, flag, from, false);
    }

    /// A value is of another shape or dtype than it was.
    pub(super) fn unlike(&mut self, flag: &str, what: String) {
        self.unlike.push((flag.to_owned(), what));
    }

    fn put(&mut self, name: Name, flag: String, from: &Overlay, is_bases: bool) {
        let known = self.flags.iter().rposition(|(other, _)| *other == flag);
        let at = known.unwrap_or_else(|| {
            self.flags.push((flag, 0));
            self.flags.len() - 1
        });
        self.last.insert(name, (at, is_bases, from.path.clone()));
    }

    /// Notes in the catalog where values come from, and sums up.
    pub(super) fn close(self, catalog: &mut Catalog) -> Laid {
        let blank = |(flag, left): (String, usize)| From { flag, left, ..From::default() };
        let mut laid = Laid { warnings: self.warnings(), ..Laid::default() };
        laid.from = self.flags.into_iter().map(blank).collect();
        let mut paths = HashMap::new();
        for (name, (at, is_bases, path)) in self.last {
            let from = &mut laid.from[at];
            if is_bases { &mut from.replaced } else { &mut from.added }.push(name.clone());
            paths.insert(name, path);
        }
        laid.own = self.base - laid.from.iter().map(|from| from.replaced.len()).sum::<usize>();
        catalog.overlaid = Some(Arc::new(paths));
        laid
    }

    fn warnings(&self) -> Vec<String> {
        let of = |flag: &String| {
            let all: Vec<_> = self.unlike.iter().filter(|(other, _)| other == flag).collect();
            let lines = all.iter().take(super::LISTED).map(|(_, what)| format!("\n  {what}"));
            let more = all.len().saturating_sub(super::LISTED);
            let rest = if more > 0 { format!("\n  and {more} more") } else { String::new() };
            let plural = if all.len() == 1 { "variable is" } else { "variables are" };
            let head = format!("{flag}: {} {plural} of another shape or dtype", all.len());
            (!all.is_empty()).then(|| head + &lines.collect::<String>() + &rest)
        };
        let left = |(flag, left): &(String, usize)| {
            let plural = if *left == 1 { "variable stays" } else { "variables stay" };
            (*left > 0).then(|| {
                format!("{flag}: {left} {plural} the base's: optimizer state, save_counter, configurations")
            })
        };
        self.flags.iter().flat_map(|flag| [of(&flag.0), left(flag)]).flatten().collect()
    }
}

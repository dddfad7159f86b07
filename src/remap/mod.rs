//! The map: which variables a checkpoint shows, and under which names.
//!
//! ```text
//! flags ─► flags.rs ─┐                            ┌─ selection.rs   who stays: drop, keep
//!                    ├─► rules ─► survey.rs ─────►├─ naming.rs      what they are called: rename, alias, slots
//! files ─► map_file ─┘   (pattern.rs,  who is     │                 grouping.rs: join
//!                         template.rs,  meant     ├─ steps.rs       what is done to their values: ops, convert
//!                         ops; scope.rs)          ├─ collision.rs   one name, one variable
//!                                                 └─ report.rs      what each rule did
//! ```
//!
//! bundled.rs has maps that come along with the program, vars.rs the numbers that flags change.
//!
//! Rules see the source's own names, all at once; the result of one never feeds another. Names go in, a [`Plan`] comes out,
//! or every mistake there is; apply.rs and values.rs hold it against tensors, whose dtypes and shapes are looked at and
//! whose data are not.

mod apply;
mod bundled;
mod collision;
mod creation;
mod division;
mod error;
mod escape;
mod expression;
mod flags;
mod grouping;
pub mod like;
mod map_file;
mod matching;
mod misfit;
mod named;
mod naming;
mod nearest;
mod objects;
mod ops;
mod options;
pub mod overlay;
mod pattern;
mod place;
#[cfg(test)]
mod real_maps;
mod recipe;
mod reference;
mod report;
mod rule;
mod scope;
mod selection;
mod slots;
mod steps;
mod survey;
mod table;
mod target;
mod template;
#[cfg(test)]
mod trial;
mod values;
mod vars;

use std::{collections::BTreeMap, fmt};

use flags::FlagRules;
use map_file::{MapFile, Var};
use options::Options;
use report::Draft;
use steps::Derived;
use table::Table;

pub use apply::{add, apply};
pub use bundled::{BUNDLED, Bundled, SIGN, UnknownMap};
pub use error::{Error, Errors, Kind};
pub use matching::matching;
pub use named::{Unnamed, named};
pub use nearest::near_names;
pub use place::Place;
pub use recipe::{Outcome, Recipe, Unmade};
pub use reference::REFERENCE;
pub use report::{Example, Lost, Report, RuleReport, Status};
pub use rule::{MatchOn, Rule, Verb};
pub use target::{TARGETS, Target, retarget};

/// One flag of the command line, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flag {
    /// `--rename FROM=TO`, split at the first `=` that is neither escaped by `\` nor inside `{}`.
    Rename(String),
    /// `--alias FROM=TO`, split likewise.
    Alias(String),
    /// `--drop PATTERN`
    Drop(String),
    /// `--keep PATTERN`
    Keep(String),
    /// `--cast PATTERN=DTYPE`, split likewise: a `convert` of one op.
    Cast(String),
    /// `--strip-prefix P`: takes the text P off every name that begins with it. A rename in its place among the flags.
    StripPrefix(String),
    /// `--add-prefix P`: puts P in front of every name that no rename takes, and of what `--strip-prefix` leaves of a
    /// name: strip, then add. It takes last of all, after the files' rules.
    AddPrefix(String),
    /// `--drop-optimizer`: drops slots of existing variables, averages apart, and the optimizer's own numbers.
    DropOptimizer,
    /// `--collision first`
    CollisionFirst,
    /// `--var NAME=NUMBER`: a number of `[vars]`, whatever files say.
    Var(String),
}

/// A map file's text and the name that messages give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapText {
    /// The file's name.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// A rule of a map: its place in the order in which rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(u32);

impl RuleId {
    fn at(index: usize) -> Self {
        Self(index as u32)
    }

    /// The rule's position in [`Report::rules`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A map: parsed, compiled, and not yet held against a checkpoint. The default is the empty map.
#[derive(Clone, Debug, Default)]
pub struct Map {
    rules: Vec<Rule>,
    options: Options,
    tables: Vec<Table>,
    vars: BTreeMap<String, Var>,
}

impl Map {
    /// Flags first, then files. The errors are every mistake of every flag and file at once.
    pub fn parse(flags: &[Flag], files: &[MapText]) -> Result<Self, Errors> {
        let (mut map, mut errors) = (Self::default(), Errors::default());
        let files: Vec<_> = files.iter().filter_map(|file| MapFile::parse(file, &mut errors)).collect();
        map.vars = vars::given(flags, &mut errors);
        vars::check_known(&map.vars, &files, &mut errors);
        for file in &files {
            file.read_settings(&mut map.options, &mut map.tables, &mut map.vars, &mut errors);
        }
        let flags = FlagRules::parse(flags, &map.tables, &mut map.options, &mut errors);
        map.rules = flags.before_files;
        for file in &files {
            map.rules.extend(file.rules(&map.tables, &map.vars, &mut errors));
        }
        map.rules.extend(flags.after_files);
        errors.sort();
        if errors.is_empty() { Ok(map) } else { Err(errors) }
    }

    /// Whether nothing can change: no rule at all, and options that need none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.options.are_default()
    }

    /// A rule, to show its place and text.
    pub fn rule(&self, id: RuleId) -> &Rule {
        &self.rules[id.index()]
    }

    /// All rules, in the order of a report.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// A number of `[vars]`.
    pub fn var(&self, name: &str) -> Option<i64> {
        self.vars.get(name).map(|var| var.value)
    }

    /// Holds the map against a checkpoint. `names` are its variables' own names: sorted bytewise, each once.
    pub fn plan(&self, names: &[&[u8]]) -> Result<Plan, Unfit> {
        let map = &*scope::with_scopes(self, names);
        Draft::new(map, names, &[]).conclude(map, names)
    }

    fn ids(&self) -> impl Iterator<Item = RuleId> {
        (0..self.rules.len()).map(RuleId::at)
    }
}

/// What a map makes of a checkpoint's names.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Sorted by new name; no name twice.
    pub variables: Vec<Planned>,
    /// How it came to be.
    pub report: Report,
}

/// One variable under its new name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The new name; the old one if nothing renames it.
    pub name: Vec<u8>,
    /// The source's variable, as an index into the names that were planned; of several that are joined the first. None
    /// for what a rule makes of nothing.
    pub source: Option<usize>,
    /// The rule that gave the name; none if it is the old one.
    pub rule: Option<RuleId>,
    /// How its value is made; none: it is the source's.
    value: Option<Box<Derived>>,
}

/// A map that does not fit a checkpoint: everything that is wrong, and what the rules did all the same.
#[derive(Clone, Debug)]
pub struct Unfit {
    /// All misfits at once.
    pub errors: Errors,
    /// What each rule did.
    pub report: Box<Report>,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.errors.fmt(f)
    }
}

impl std::error::Error for Unfit {}

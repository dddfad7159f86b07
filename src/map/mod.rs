//! The map language: text becomes a [`Map`].

pub(crate) mod builtin;
pub(crate) mod diagnose;
pub(crate) mod diagnostic;
pub(crate) mod escape;
pub(crate) mod filter;
pub(crate) mod flags;
pub(crate) mod lookup;
pub(crate) mod ops;
pub(crate) mod options;
pub(crate) mod pattern;
pub(crate) mod reference;
pub(crate) mod rule;
pub(crate) mod scope;
pub(crate) mod span;
pub(crate) mod suggest;
pub(crate) mod template;
#[cfg(test)]
pub(crate) mod test_util;
pub(crate) mod toml;
pub(crate) mod vars;

use std::collections::BTreeMap;

pub(crate) use diagnostic::Errors;
pub use flags::Flag;
pub use rule::{MatchOn, Rule, RuleId, Verb};

use crate::map::flags::FlagRules;
use crate::map::lookup::Table;
use crate::map::options::Options;
use crate::map::rule::Matcher;
pub use crate::map::toml::file::MapText;
use crate::map::toml::file::{MapFile, Var};

/// A map that is parsed and compiled, but not yet checked against a checkpoint. The default is the empty map.
///
/// # Examples
///
/// ```
/// use ckptfs::map::{Flag, Map, MapText};
/// use ckptfs::{remap, source};
///
/// let file = MapText { name: "fix.toml".into(), text: "[[rule]]\ndrop = '**/bias'".into() };
/// let map = Map::parse(&[Flag::Rename("module.{x:**}={x}".into())], &[file]).expect("a valid map");
///
/// let mut catalog = source::open("tests/fixtures/tf-2.21/ddp/ckpt-9".as_ref())?.catalog;
/// remap::apply(&map, &mut catalog).expect("the map fits");
/// assert!(catalog.variable(b"encoder/kernel").is_some());
/// assert!(catalog.variable(b"encoder/bias").is_none());
/// # Ok::<(), source::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Map {
    pub(crate) rules: Vec<Rule>,
    pub(crate) options: Options,
    pub(crate) tables: Vec<Table>,
    pub(crate) vars: BTreeMap<String, Var>,
}

impl Map {
    /// Parses flags first, then files. The errors are all mistakes of all flags and files at once.
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

    /// Returns true if the map cannot change anything: it has no rules, and its options keep unmatched variables.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.options.are_default()
    }

    /// Returns the map that drops only the variables without values.
    pub(crate) fn salvage() -> Self {
        Self::parse(&[Flag::Salvage], &[]).unwrap_or_default()
    }

    /// Returns true if a rule drops the variables without values.
    pub(crate) fn salvages(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.matcher, Matcher::Damaged(_)))
    }

    /// Returns a rule, to show its place and text.
    pub(crate) fn rule(&self, id: RuleId) -> &Rule {
        &self.rules[id.index()]
    }

    /// Iterates over all rules, in the order of a report.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// Returns a number of `[vars]`.
    #[cfg(test)]
    pub(crate) fn var(&self, name: &str) -> Option<i64> {
        self.vars.get(name).map(|var| var.value)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = RuleId> {
        (0..self.rules.len()).map(RuleId::at)
    }
}

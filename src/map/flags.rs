//! Flags as rules.
//!
//! `--rename` and `--alias` take `FROM=TO`, split at the first `=` that is neither escaped by `\` nor inside `{}`.
//! They apply in the order given, before the rules of files.
//!
//! `--strip-prefix P` removes the text P, with or without a slash, from every name that begins with it. It acts as a
//! rename at its position among the flags. `--add-prefix P` puts P in front of every name that no rename takes, and
//! in front of the rest of a name after `--strip-prefix`. The two therefore compose as they read: strip, then add.
//! `--add-prefix` applies last, after the files' rules, because otherwise it would leave nothing for them to match.

use std::sync::Arc;

use crate::dtype::Dtype;
use crate::map::diagnostic::{Error, Errors, Kind};
use crate::map::escape::escape;
use crate::map::lookup::Table;
use crate::map::ops::{CAST, WrittenOp};
use crate::map::options::{Choice, Collision, Options};
use crate::map::pattern::Pattern;
use crate::map::rule::{OPS, Rule, RuleFlags, Verb};
use crate::map::span::{Source, Span, SpannedStr};
use crate::map::toml::value_reader::near_dtype;
use crate::name::flag;

/// The rules from flags.
pub(crate) struct FlagRules {
    pub(crate) before_files: Vec<Rule>,
    pub(crate) after_files: Vec<Rule>,
}

impl FlagRules {
    pub(crate) fn parse(
        flags: &[Flag],
        tables: &[Table],
        options: &mut Options,
        errors: &mut Errors,
    ) -> Self {
        let added = added_prefix(flags, errors);
        let stripped = flags.iter().any(|flag| matches!(flag, Flag::StripPrefix(_)));
        let mut before_files = vec![];
        for flag in flags {
            let source = source(flag);
            before_files.extend(match flag {
                Flag::Rename(_) => from_to(Verb::Rename, &source, tables, errors),
                Flag::Alias(_) => from_to(Verb::Alias, &source, tables, errors),
                Flag::Drop(_) => pattern(Verb::Drop, &source, tables, errors),
                Flag::Keep(_) => pattern(Verb::Keep, &source, tables, errors),
                Flag::Cast(_) => cast(&source, errors),
                Flag::StripPrefix(prefix) => strip(prefix, added.as_ref(), &source, errors),
                Flag::DropOptimizer => {
                    Some(Rule::drop_optimizer(SpannedStr::in_flag(&source, 0..0), RuleFlags::default()))
                }
                Flag::Salvage => {
                    Some(Rule::drop_damaged(SpannedStr::in_flag(&source, 0..0), RuleFlags::default()))
                }
                // `[vars]` are read before any rule.
                Flag::AddPrefix(_) | Flag::Var(_) => None,
                Flag::CollisionFirst => {
                    let place = Span::new(&source, 0..0);
                    options.collision.set(
                        "collision",
                        Choice { value: Collision::First, span: place },
                        errors,
                    );
                    None
                }
            });
        }
        let after_files = added.and_then(|(prefix, source)| add(prefix, &source, stripped, errors));
        Self { before_files, after_files: after_files.into_iter().collect() }
    }
}

impl Flag {
    /// Returns the flag as words of a command line, quoted for a shell.
    pub(crate) fn words(&self) -> String {
        let (name, text) = self.name_and_text();
        flag(name.trim_start_matches("--"), text)
    }

    /// Returns the name of the flag and its value, which is empty if it takes none.
    pub(crate) fn name_and_text(&self) -> (&'static str, &str) {
        match self {
            Self::Rename(text) => ("--rename", text.as_str()),
            Self::Alias(text) => ("--alias", text.as_str()),
            Self::Drop(text) => ("--drop", text.as_str()),
            Self::Keep(text) => ("--keep", text.as_str()),
            Self::Cast(text) => ("--cast", text.as_str()),
            Self::StripPrefix(text) => ("--strip-prefix", text.as_str()),
            Self::AddPrefix(text) => ("--add-prefix", text.as_str()),
            Self::DropOptimizer => ("--drop-optimizer", ""),
            Self::Salvage => ("--salvage", ""),
            Self::CollisionFirst => ("--collision", "first"),
            Self::Var(text) => ("--var", text.as_str()),
        }
    }
}

/// Returns the flag as messages show it.
fn source(flag: &Flag) -> Arc<Source> {
    let (name, text) = flag.name_and_text();
    Arc::new(Source { name: name.to_owned(), text: text.to_owned(), is_flag: true })
}

fn from_to(verb: Verb, source: &Arc<Source>, tables: &[Table], errors: &mut Errors) -> Option<Rule> {
    let text = &source.text;
    let Some(equals) = equals_sign(text) else {
        errors.push(no_equals_sign(source, "FROM=TO", "'old/**=new/**'"));
        return None;
    };
    let from = SpannedStr::in_flag(source, 0..equals);
    let to = SpannedStr::in_flag(source, equals + 1..text.len());
    Rule::new(verb, from, vec![to], RuleFlags::default(), tables, errors)
}

/// Parses `PATTERN=DTYPE`.
fn cast(source: &Arc<Source>, errors: &mut Errors) -> Option<Rule> {
    let text = &source.text;
    let Some(equals) = equals_sign(text) else {
        errors.push(no_equals_sign(source, "PATTERN=DTYPE", "'**=bfloat16'"));
        return None;
    };
    let (from, name) = (SpannedStr::in_flag(source, 0..equals), &text[equals + 1..]);
    let rule = Rule::new(Verb::Convert, from, vec![], RuleFlags::default(), &[], errors);
    let place = Span::new(source, equals + 1..text.len());
    let Some(dtype) = Dtype::written(name) else {
        let error = Error::new(Kind::Key, &place, format!("unknown dtype `{name}`"));
        errors.push(error.help(near_dtype(name)));
        return None;
    };
    let op = toml::Table::from_iter([(CAST.to_owned(), name.to_owned().into())]);
    let (ops, given) = (vec![WrittenOp::cast(dtype, place)], vec![(OPS, vec![toml::Value::from(op)].into())]);
    Some(Rule { ops, given, text: format!("cast '{}' to {dtype}", &text[..equals]), ..rule? })
}

/// Returns the error for a missing `=`. If a brace is never closed, it hides the `=`, so the error reports the brace
/// instead.
fn no_equals_sign(source: &Arc<Source>, form: &str, example: &str) -> Error {
    let all = SpannedStr::in_flag(source, 0..source.text.len());
    if let (Err(fault), true) = (Pattern::parse(&all.text, false), all.text.contains('=')) {
        return fault.place_in(&all);
    }
    Error::new(Kind::Pattern, &all.span, format!("`{}` needs {form}", source.name))
        .label("an unescaped `=` is missing")
        .help(format!("as in {} {example}", source.name))
}

/// Returns the position of the first `=` that is neither escaped nor inside braces.
fn equals_sign(text: &str) -> Option<usize> {
    let (mut chars, mut depth) = (text.char_indices(), 0usize);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => _ = chars.next(),
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '=' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

fn pattern(verb: Verb, source: &Arc<Source>, tables: &[Table], errors: &mut Errors) -> Option<Rule> {
    let from = SpannedStr::in_flag(source, 0..source.text.len());
    Rule::new(verb, from, vec![], RuleFlags::default(), tables, errors)
}

/// Returns the rule for `--strip-prefix P`: `P**` becomes `**`, with the added prefix in front if there is one.
fn strip(
    prefix: &str,
    added: Option<&(&str, Arc<Source>)>,
    source: &Arc<Source>,
    errors: &mut Errors,
) -> Option<Rule> {
    let added = added.map_or("", |(added, _)| added);
    let (pattern, target) = (format!("{}**", escape(prefix)), format!("{}**", escape(added)));
    prefix_rule(prefix, pattern, target, source, RuleFlags::default(), errors)
}

/// Returns the rule for `--add-prefix P`: `**` becomes `P**`. After `--strip-prefix` the rule is optional, because
/// there may be nothing left for it to take.
fn add(prefix: &str, source: &Arc<Source>, stripped: bool, errors: &mut Errors) -> Option<Rule> {
    let manner = RuleFlags { optional: stripped, ..RuleFlags::default() };
    prefix_rule(prefix, "**".into(), format!("{}**", escape(prefix)), source, manner, errors)
}

fn prefix_rule(
    prefix: &str,
    pattern: String,
    target: String,
    source: &Arc<Source>,
    manner: RuleFlags,
    errors: &mut Errors,
) -> Option<Rule> {
    let place = Span::new(source, 0..source.text.len());
    if prefix.is_empty() {
        errors.push(Error::new(Kind::Pattern, &place, format!("`{}` needs a prefix", source.name)));
        return None;
    }
    let (pattern, target) = (SpannedStr::made(pattern, place.clone()), SpannedStr::made(target, place));
    let rule = Rule::new(Verb::Rename, pattern, vec![target], manner, &[], errors)?;
    Some(Rule { text: format!("{} '{prefix}'", source.name.trim_start_matches('-')), ..rule })
}

/// Returns the prefix of `--add-prefix`. Giving the flag twice is an error.
fn added_prefix<'a>(flags: &'a [Flag], errors: &mut Errors) -> Option<(&'a str, Arc<Source>)> {
    let mut added: Option<(&str, Arc<Source>)> = None;
    for flag in flags {
        let Flag::AddPrefix(prefix) = flag else { continue };
        let source = source(flag);
        match &added {
            None => added = Some((prefix, source)),
            Some((_, first)) => errors.push(
                Error::new(
                    Kind::Conflict,
                    &Span::new(&source, 0..prefix.len()),
                    "`--add-prefix` is given twice",
                )
                .related(&Span::new(first, 0..first.text.len()), "first here")
                .help("write the whole prefix in one"),
            ),
        }
    }
    added
}

/// One flag of the command line, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flag {
    /// `--rename FROM=TO`, split at the first `=` that is neither escaped by `\` nor inside `{}`.
    Rename(String),
    /// `--alias FROM=TO`, split like `--rename`.
    Alias(String),
    /// `--drop PATTERN`
    Drop(String),
    /// `--keep PATTERN`
    Keep(String),
    /// `--cast PATTERN=DTYPE`, split like `--rename`: a `convert` with one op.
    Cast(String),
    /// `--strip-prefix P`: removes the text P from every name that begins with it. It acts as a rename at its
    /// position among the flags.
    StripPrefix(String),
    /// `--add-prefix P`: puts P in front of every name that no rename takes, and in front of the rest of a name after
    /// `--strip-prefix`: strip, then add. It applies last, after the files' rules.
    AddPrefix(String),
    /// `--drop-optimizer`: drops the slots of existing variables, except averages, and the optimizer's own numbers.
    DropOptimizer,
    /// `--salvage`: drops the variables without values, which are damaged or whose data files are missing.
    Salvage,
    /// `--collision first`
    CollisionFirst,
    /// `--var NAME=NUMBER`: a number of `[vars]`. It overrides the value in files.
    Var(String),
}

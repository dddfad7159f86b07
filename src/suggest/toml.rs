//! The text of a suggested map: rules with examples, and in comments what is not sure and what is missing.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::map::escape::escape;
use crate::name::printable;
use crate::suggest::ops::ops;
use crate::suggest::rule::Rule;
use crate::suggest::rules::Renames;
use crate::suggest::{CONFIDENCES, Confidence, Item};

/// The names of the two sides, for the first comment.
#[derive(Clone, Copy)]
pub(crate) struct Sides<'n> {
    pub(crate) have: &'n str,
    pub(crate) want: &'n str,
}

/// Writes a map.
pub(crate) fn text(renames: &Renames<'_>, rules: &[Rule], drops: &[String], sides: Sides<'_>) -> String {
    let tables = Tables::new(rules);
    let mut text = head(renames, sides);
    text.push_str(&tables.text());
    rules.iter().for_each(|rule| text.push_str(&one(renames, rule, &tables)));
    for name in drops {
        let drop = quoted(&escape(name));
        _ = write!(
            text,
            "\n# Nothing shows that WANT means this variable by the name.\n[[rule]]\ndrop = {drop}\n"
        );
    }
    text.push_str(&unsure(renames));
    text
}

fn head(renames: &Renames<'_>, sides: Sides<'_>) -> String {
    let (sure, all) = (renames.sure().count(), renames.want.len());
    let [have, want] = [sides.have, sides.want].map(|side| printable(side.as_bytes()));
    format!("# Gives {have} the names of {want}: {sure} of {all} wanted variables.\nversion = 1\n")
}

fn one(renames: &Renames<'_>, rule: &Rule, tables: &Tables<'_>) -> String {
    let mut text = String::new();
    let example = rule.members.first().map(|want| example(renames, *want)).unwrap_or_default();
    _ = writeln!(text, "\n# {}: {example}", counted(rule.members.len()));
    let (from, to) = (quoted(&rule.pattern()), quoted(&rule.target(|table| tables.name(table))));
    _ = writeln!(text, "[[rule]]\nrename = {from}\nto     = {to}");
    if let Some(ops) = &rule.ops {
        _ = writeln!(text, "ops    = {ops}");
    }
    text
}

/// Returns a pair as an example: `old [2, 3] -> new [3, 2]`.
pub(crate) fn example(renames: &Renames<'_>, want: usize) -> String {
    let shown = |item: &Item| format!("{} {}", printable(item.name.as_bytes()), item.shape);
    let have = renames.pairs[want].have.map_or_else(|| "nothing".to_owned(), |at| shown(&renames.have[at]));
    format!("{have} -> {}", shown(&renames.want[want]))
}

fn counted(count: usize) -> String {
    format!("{count} variable{}", if count == 1 { "" } else { "s" })
}

/// Writes the pairs that are not sure and the missing variables, in comments.
fn unsure(renames: &Renames<'_>) -> String {
    let mut text = String::new();
    let of = |trust: Confidence| {
        renames.pairs.iter().enumerate().filter(move |(_, pair)| pair.confidence == trust)
    };
    for trust in [Confidence::Likely, Confidence::Ambiguous] {
        let word = CONFIDENCES.iter().find(|(_, known)| *known == trust).map_or("", |(word, _)| *word);
        for (want, pair) in of(trust) {
            let Some(have) = pair.have else { continue };
            let (from, to) = (&renames.have[have].name, &renames.want[want].name);
            _ = write!(text, "\n# {word}: {}\n", pair.reason);
            pair.others.iter().take(OTHERS).for_each(|at| {
                _ = writeln!(text, "#   or {}", printable(renames.have[*at].name.as_bytes()));
            });
            _ = writeln!(
                text,
                "# [[rule]]\n# rename = {}\n# to     = {}",
                quoted(&escape(from)),
                quoted(&escape(to))
            );
            if let Some(change) = &pair.change {
                let ops = ops(change, &renames.have[have].shape, &renames.want[want].shape);
                _ = writeln!(text, "# ops    = {ops}");
            }
        }
    }
    let missing: Vec<_> = of(Confidence::Missing).collect();
    if !missing.is_empty() {
        text.push_str("\n# Missing: nothing in HAVE is the source of these.\n");
        for (want, _) in missing {
            let Item { name, shape, .. } = &renames.want[want];
            _ = writeln!(text, "#   {} {shape}", printable(name.as_bytes()));
        }
    }
    text
}

/// The greatest number of other sources that are listed.
const OTHERS: usize = 5;

/// The tables of all rules. Equal ones are one.
pub(crate) struct Tables<'r>(BTreeMap<&'r BTreeMap<String, String>, String>);

impl<'r> Tables<'r> {
    pub(crate) fn new(rules: &'r [Rule]) -> Self {
        let mut names = BTreeMap::new();
        for table in rules.iter().flat_map(Rule::tables) {
            let count = names.len() + 1;
            names.entry(table).or_insert_with(|| format!("word{count}"));
        }
        Self(names)
    }

    /// Returns the name of a table.
    pub(crate) fn name(&self, table: &BTreeMap<String, String>) -> String {
        self.0.get(table).cloned().unwrap_or_default()
    }

    fn text(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let mut tables: Vec<_> = self.0.iter().map(|(table, name)| (name, table)).collect();
        tables.sort_by_key(|(name, _)| (name.len(), name.as_str()));
        let line = |(name, table): (&String, &&BTreeMap<String, String>)| {
            let entries: Vec<_> =
                table.iter().map(|(key, value)| format!("{} = {}", quoted(key), quoted(value))).collect();
            format!("{name} = {{ {} }}\n", entries.join(", "))
        };
        format!("\n[tables]\n{}", tables.into_iter().map(line).collect::<String>())
    }
}

/// Returns a text as a TOML string of one line, so that it can stand in a comment too.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => _ = write!(quoted, "\\u{:04x}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

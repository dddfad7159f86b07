//! The rules of a suggested map: patterns and targets in pieces, which the writer puts together.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::map::escape::escape;

/// A rule that renames some variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) from: Vec<Piece>,
    pub(crate) to: Vec<Target>,
    /// The ops, in the syntax of the map.
    pub(crate) ops: Option<String>,
    /// The wanted variables, by their indexes.
    pub(crate) members: Vec<usize>,
}

/// A piece of a pattern. The place among the pieces identifies a capture.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Piece {
    Text(String),
    /// A number. `None` stands for any.
    Number(Option<Vec<String>>),
    /// One of several words.
    Word(Vec<String>),
    /// All that follows.
    Rest,
}

/// A piece of a new name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Text(String),
    /// The captured text; a number plus another one.
    Capture {
        at: usize,
        add: i128,
    },
    /// The entry of a table for the captured text.
    Entry {
        at: usize,
        table: BTreeMap<String, String>,
    },
    /// All that follows.
    Rest,
}

/// The names of numbers in a pattern.
const NUMBERS: &[&str] = &["i", "j", "k", "l", "m", "n"];

impl Rule {
    /// Returns the pattern, as a map has it.
    pub(crate) fn pattern(&self) -> String {
        let mut text = String::new();
        for (at, piece) in self.from.iter().enumerate() {
            match piece {
                Piece::Text(literal) => text.push_str(&plain(&text, literal)),
                Piece::Number(None) => _ = write!(text, "{{{}:int}}", self.name(at)),
                Piece::Number(Some(words)) | Piece::Word(words) => {
                    _ = write!(text, "{{{}:{}}}", self.name(at), words.join("|"));
                }
                Piece::Rest => text.push_str("**"),
            }
        }
        text
    }

    /// Returns the new name, as a map has it. `table` returns the name of a table.
    pub(crate) fn target(&self, table: impl Fn(&BTreeMap<String, String>) -> String) -> String {
        let mut text = String::new();
        for piece in &self.to {
            match piece {
                Target::Text(literal) => text.push_str(&plain(&text, literal)),
                Target::Capture { at, add: 0 } => _ = write!(text, "{{{}}}", self.name(*at)),
                Target::Capture { at, add } => _ = write!(text, "{{{}{add:+}}}", self.name(*at)),
                Target::Entry { at, table: entries } => {
                    _ = write!(text, "{{{}[{}]}}", table(entries), self.name(*at))
                }
                Target::Rest => text.push_str("**"),
            }
        }
        text
    }

    /// Returns the tables that the new name looks up.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &BTreeMap<String, String>> {
        self.to.iter().filter_map(|piece| match piece {
            Target::Entry { table, .. } => Some(table),
            _ => None,
        })
    }

    /// Returns true if the pattern is a name.
    pub(crate) fn is_single(&self) -> bool {
        self.from.iter().all(|piece| matches!(piece, Piece::Text(_)))
    }

    /// Returns the name of a capture: letters for numbers, `leaf` for the last component, `part` for others.
    fn name(&self, at: usize) -> String {
        let before =
            |is_one: fn(&Piece) -> bool| self.from[..at].iter().filter(|piece| is_one(piece)).count();
        let is_number = |piece: &Piece| matches!(piece, Piece::Number(_));
        if is_number(&self.from[at]) {
            let count = before(is_number);
            return NUMBERS.get(count).map_or_else(|| format!("i{count}"), |name| (*name).to_owned());
        }
        match (at + 1 == self.from.len(), before(|piece| matches!(piece, Piece::Word(_)))) {
            (true, _) => "leaf".to_owned(),
            (false, 0) => "part".to_owned(),
            (false, count) => format!("part{}", count + 1),
        }
    }
}

/// Escapes a text that stands after others in a pattern.
fn plain(before: &str, text: &str) -> String {
    // Only at the beginning, `re:` means a regular expression.
    match before.is_empty() {
        true => escape(text),
        false => escape(&format!("/{text}")).split_off(1),
    }
}

impl Rule {
    /// Returns the new name of a variable: `None` if the rule does not match it, `Some(None)` if it can build no name.
    /// The rule has only texts and numbers.
    pub(crate) fn rename(&self, name: &str) -> Option<Option<String>> {
        let (mut rest, mut captures) = (name, vec![""; self.from.len()]);
        for (piece, capture) in self.from.iter().zip(&mut captures) {
            let len = match piece {
                Piece::Text(text) => rest.starts_with(text.as_str()).then_some(text.len())?,
                Piece::Number(only) => {
                    let len = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                    let is_one =
                        only.as_ref().is_none_or(|only| only.iter().any(|number| *number == rest[..len]));
                    (len > 0 && is_one).then_some(len)?
                }
                Piece::Word(_) | Piece::Rest => return None,
            };
            (*capture, rest) = rest.split_at(len);
        }
        let target = |piece: &Target| match piece {
            Target::Text(text) => Some(text.clone()),
            Target::Capture { at, add: 0 } => Some(captures[*at].to_owned()),
            Target::Capture { at, add } => Some((captures[*at].parse::<i128>().ok()? + add).to_string()),
            Target::Entry { at, table } => table.get(captures[*at]).cloned(),
            Target::Rest => None,
        };
        rest.is_empty().then(|| self.to.iter().map(target).collect())
    }
}

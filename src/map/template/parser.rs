//! The parser that turns a target's text into pieces.

use std::ops::Range;

use crate::map::diagnostic::counted;
use crate::map::escape::{escape, find_unescaped};
use crate::map::lookup::Table;
use crate::map::pattern::{Capture, Fault, Kind, Pattern, is_name};
use crate::map::suggest::did_you_mean;
use crate::map::template::{Fill, Piece};

/// A parser of targets. It reads from left to right, and continues after a fault.
pub(crate) struct Parser<'a> {
    text: &'a str,
    at: usize,
    pattern: &'a Pattern,
    tables: &'a [Table],
    stars: usize,
    /// The first star that has no counterpart in the pattern.
    surplus: Option<Range<usize>>,
    pieces: Vec<Piece>,
    faults: Vec<Fault>,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str, pattern: &'a Pattern, tables: &'a [Table]) -> Self {
        Self { text, at: 0, pattern, tables, stars: 0, surplus: None, pieces: vec![], faults: vec![] }
    }

    /// Returns the pieces, or all faults.
    pub(crate) fn parse(mut self) -> Result<Vec<Piece>, Vec<Fault>> {
        self.parse_pieces();
        self.faults.extend(self.surplus.clone().map(|at| self.surplus_stars(at)));
        if self.faults.is_empty() { Ok(self.pieces) } else { Err(self.faults) }
    }

    fn parse_pieces(&mut self) {
        while let Some(c) = self.rest().chars().next() {
            let start = self.at;
            self.at += c.len_utf8();
            let fault =
                match c {
                    '*' => {
                        self.star(start);
                        Ok(())
                    }
                    '{' => self.braces(start),
                    '}' => Err(Fault::new(start..self.at, "`}` without `{`")
                        .help("write `\\}` for a brace in a name")),
                    '\\' => self.escaped(start),
                    '$' if self.rest().starts_with(|c: char| c == '{' || c.is_ascii_digit()) => {
                        Err(self.group_reference(start))
                    }
                    c => {
                        self.literal(c);
                        Ok(())
                    }
                };
            self.faults.extend(fault.err());
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn literal(&mut self, c: char) {
        match self.pieces.last_mut() {
            Some(Piece::Literal(text)) => text.push(c),
            _ => self.pieces.push(Piece::Literal(c.into())),
        }
    }

    fn escaped(&mut self, start: usize) -> Result<(), Fault> {
        let Some(c) = self.rest().chars().next() else {
            let fault = Fault::new(start..self.at, "`\\` with nothing after it");
            return Err(fault.help("write `\\\\` for a backslash in a name"));
        };
        if c.is_ascii_digit() {
            return Err(self.group_reference(start));
        }
        self.at += c.len_utf8();
        self.literal(c);
        Ok(())
    }

    /// Returns the fault for `\1`, `$1`, `${1}` or `${x}`, the syntax of other languages for a group's match.
    fn group_reference(&mut self, start: usize) -> Fault {
        let rest = self.rest();
        let len = match find_unescaped(rest, '}').filter(|_| rest.starts_with('{')) {
            Some(closing) => closing + 1,
            None => rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()).max(1),
        };
        self.at += len;
        let written = &self.text[start..self.at];
        let fault =
            Fault::new(start..self.at, format!("`{written}` does not stand for what a group matched"));
        let help = "name the group in the pattern, `(?<x>…)`, and write `{x}` for what it matched";
        match written.strip_prefix('$') {
            Some(_) => fault.help(format!("{help}; write `\\$` for a dollar sign in a name")),
            None => fault.help(help),
        }
    }

    fn star(&mut self, start: usize) {
        self.at += usize::from(self.rest().starts_with('*'));
        let mut stars = self.pattern.stars();
        self.stars += 1;
        match stars.nth(self.stars - 1) {
            Some(capture) => {
                let fill = Fill::plain(capture, self.pattern, start..self.at);
                self.pieces.push(Piece::Fill(fill));
            }
            None => _ = self.surplus.get_or_insert(start..self.at),
        }
    }

    fn surplus_stars(&self, first: Range<usize>) -> Fault {
        let (text, pattern) = (self.text, &self.pattern.text);
        let [in_target, in_pattern] =
            [self.stars, self.pattern.stars().count()].map(|n| counted(n, "wildcard"));
        let fault = Fault::new(
            first,
            format!("`{text}` has {in_target}, but the pattern `{pattern}` has {in_pattern}"),
        );
        fault.help(match self.pattern.literal() {
            Some(scope) => {
                format!("write `{}/**` for all that is in that scope", escape(scope.trim_end_matches('/')))
            }
            None if pattern.starts_with("re:") => {
                "name a group of the regular expression, `(?<x>…)`, and write `{x}` for what it matched"
                    .into()
            }
            None => {
                "the n-th `*` or `**` stands for the n-th of the pattern, and `{x}` for what `{x}` matched; \
                     write `\\*` for a star in a name"
                    .into()
            }
        })
    }

    fn braces(&mut self, open: usize) -> Result<(), Fault> {
        let Some(len) = find_unescaped(self.rest(), '}') else {
            self.at = self.text.len();
            let fault = Fault::new(open..self.at, "`{` is never closed");
            return Err(fault.help("write `\\{` for a brace in a name"));
        };
        let inside = self.at..self.at + len;
        self.at += len + 1;
        let fill = self.fill(inside, open..self.at)?;
        self.pieces.push(Piece::Fill(fill));
        Ok(())
    }

    /// Parses `x` or `table[x]`, with an optional `+n` or `-n` after the hole's name, then `:0n` and `|lower`.
    fn fill(&self, inside: Range<usize>, span: Range<usize>) -> Result<Fill, Fault> {
        let text = &self.text[inside.clone()];
        let value_end = text.find([':', '|']).unwrap_or(text.len());
        let value = &text[..value_end];
        let (table, hole_start, hole_text) = match value.split_once('[') {
            None => (None, 0, value),
            Some((table, rest)) => {
                let capture = rest.strip_suffix(']').ok_or_else(|| {
                    Fault::new(span.clone(), "`[` is never closed").help("a look-up is written `{table[x]}`")
                })?;
                (Some(self.table(table, inside.start)?), table.len() + 1, capture)
            }
        };
        let name_end = hole_text.find(['+', '-']).unwrap_or(hole_text.len());
        let (name, sum) = hole_text.split_at(name_end);
        let hole_start = inside.start + hole_start;
        let mut fill = Fill::plain(self.capture(name, hole_start, &span)?, self.pattern, span.clone());
        fill.table = table;
        let sum_span = hole_start + name_end..hole_start + hole_text.len();
        fill.add_sum(sum, sum_span)
            .and_then(|()| fill.add_suffixes(&text[value_end..], inside.start + value_end))?;
        let capture = &self.pattern.captures[fill.capture];
        match fill.is_number && !capture.may_be_number() {
            true => Err(not_a_number(name, span)),
            false => Ok(fill),
        }
    }

    fn table(&self, name: &str, start: usize) -> Result<usize, Fault> {
        self.tables.iter().position(|table| table.name == name).ok_or_else(|| {
            let names = self.tables.iter().map(|table| table.name.as_str());
            let help = did_you_mean(name, names)
                .unwrap_or("tables are written under [tables], in this file or in another --map".into());
            Fault::new(start..start + name.len(), format!("unknown table `{name}`")).help(help)
        })
    }

    fn capture(&self, name: &str, start: usize, span: &Range<usize>) -> Result<usize, Fault> {
        let span = if name.is_empty() { span.clone() } else { start..start + name.len() };
        if !is_name(name) {
            let help =
                "`{x}` stands for what `{x}` captures in the pattern; write `\\{` for a brace in a name";
            return Err(Fault::new(span, format!("`{name}` is not a name")).help(help));
        }
        let captures = &self.pattern.captures;
        captures.iter().position(|capture| capture.name.as_deref() == Some(name)).ok_or_else(|| {
            let names: Vec<_> = captures.iter().filter_map(|capture| capture.name.as_deref()).collect();
            let fault = Fault::new(span, format!("the pattern does not capture `{name}`"));
            fault.help(did_you_mean(name, names.iter().copied()).unwrap_or_else(|| catches(&names)))
        })
    }
}

fn catches(names: &[&str]) -> String {
    let list: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match list.is_empty() {
        true => "it names no part: write `{x}` in the pattern to capture one".into(),
        false => format!("it catches {}", list.join(", ")),
    }
}

fn not_a_number(name: &str, span: Range<usize>) -> Fault {
    let what = format!("`{name}` need not be a number");
    Fault::new(span, what).help(format!("capture digits with `{{{name}:int}}` in the pattern"))
}

impl Capture {
    fn may_be_number(&self) -> bool {
        match &self.kind {
            Kind::Int | Kind::Group => true,
            Kind::OneOf(choices) => {
                choices.iter().all(|c| !c.is_empty() && c.bytes().all(|b| b.is_ascii_digit()))
            }
            _ => false,
        }
    }
}

impl Fill {
    fn plain(capture: usize, pattern: &Pattern, span: Range<usize>) -> Self {
        let whole_component = pattern.captures[capture].kind == Kind::Components;
        Self { capture, whole_component, add: 0, width: 0, is_number: false, lower: false, table: None, span }
    }

    fn add_sum(&mut self, sum: &str, span: Range<usize>) -> Result<(), Fault> {
        if sum.is_empty() {
            return Ok(());
        }
        let digits = sum[1..].bytes().all(|byte| byte.is_ascii_digit());
        let number = sum.parse::<i64>().ok().filter(|_| digits);
        let number = number.ok_or_else(|| {
            Fault::new(span, format!("`{sum}` is not a sum")).help("write a number, as in `{x+1}` or `{x-1}`")
        })?;
        (self.add, self.is_number) = (number.into(), true);
        Ok(())
    }

    fn add_suffixes(&mut self, text: &str, start: usize) -> Result<(), Fault> {
        let mut at = 0;
        while at < text.len() {
            let end = text[at + 1..].find([':', '|']).map_or(text.len(), |len| at + 1 + len);
            self.add_suffix(&text[at..end], start + at..start + end)?;
            at = end;
        }
        Ok(())
    }

    /// Adds a suffix: `:02` or `|lower`.
    fn add_suffix(&mut self, suffix: &str, span: Range<usize>) -> Result<(), Fault> {
        let width = suffix.strip_prefix(":0").and_then(|width| width.parse::<u8>().ok());
        match (suffix, width) {
            ("|lower", _) => self.lower = true,
            (_, Some(width @ 1..=64)) => {
                self.width = width.into();
                self.is_number |= self.table.is_none();
            }
            _ => {
                let help = "there are `{x:02}` (zeros in front, to 64 digits at most) and `{x|lower}`";
                return Err(Fault::new(span, format!("unknown suffix `{suffix}`")).help(help));
            }
        }
        Ok(())
    }
}

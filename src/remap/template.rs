//! Targets: what a name becomes, with the parts that its pattern caught.
//!
//! `{x}` as caught, `{x+1}` and `{x-1}` the number more or less, `{x:02}` padded with zeros, `{x|lower}` in small
//! letters, `{table[x]}` looked up; these combine (`{x+1:02}`, `{op[x]|lower}`). The n-th bare `*` or `**`, counted
//! together, stands for the n-th of the pattern. `\` takes the next character as it is.

use std::ops::Range;

use super::{
    escape::find_unescaped,
    nearest::did_you_mean,
    pattern::{Caught, Fault, Hole, Kind, Pattern, is_name},
    table::Table,
};

/// A target, parsed against the pattern whose parts it uses.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(String),
    Fill(Fill),
}

/// A place in the target that a caught part fills.
#[derive(Clone, Debug)]
struct Fill {
    hole: usize,
    /// The first hole of `**/` may have caught no component at all; then its slash goes too.
    whole_component: bool,
    add: i128,
    width: usize,
    /// Reckoned with or padded, so it must be a number.
    is_number: bool,
    lower: bool,
    table: Option<usize>,
    span: Range<usize>,
}

impl Template {
    pub(super) fn parse(text: &str, pattern: &Pattern, tables: &[Table]) -> Result<Self, Vec<Fault>> {
        if text.is_empty() {
            return Err(vec![
                Fault::new(0..0, "the target is empty").help("use `drop` to leave a variable out"),
            ]);
        }
        let mut parser = Parser { text, at: 0, pattern, tables, stars: 0, pieces: vec![], faults: vec![] };
        parser.parse();
        match parser.faults.is_empty() {
            true => Ok(Self { pieces: parser.pieces }.with_components()),
            false => Err(parser.faults),
        }
    }

    /// The new name; or which part of the target could not be filled, and why.
    pub(super) fn fill(
        &self,
        caught: &Caught<'_>,
        tables: &[Table],
    ) -> Result<Vec<u8>, (Range<usize>, String)> {
        let (mut name, mut slash_goes) = (vec![], false);
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => {
                    let cut = slash_goes && text.starts_with('/');
                    name.extend_from_slice(&text.as_bytes()[usize::from(cut)..]);
                    slash_goes = false;
                }
                Piece::Fill(fill) => match caught[fill.hole] {
                    Some(part) => {
                        name.extend(fill.value(part, tables).map_err(|what| (fill.span.clone(), what))?);
                        slash_goes = false;
                    }
                    None => slash_goes |= fill.whole_component,
                },
            }
        }
        if slash_goes && name.ends_with(b"/") {
            name.pop();
        }
        Ok(name)
    }

    /// Marks the fills that stand alone between slashes.
    fn with_components(mut self) -> Self {
        for at in 0..self.pieces.len() {
            let before = at.checked_sub(1).map(|before| &self.pieces[before]);
            let starts =
                before.is_none_or(|piece| matches!(piece, Piece::Literal(text) if text.ends_with('/')));
            let after = self.pieces.get(at + 1);
            let ends =
                after.is_none_or(|piece| matches!(piece, Piece::Literal(text) if text.starts_with('/')));
            if let Piece::Fill(fill) = &mut self.pieces[at] {
                fill.whole_component &= starts && ends;
            }
        }
        self
    }
}

impl Fill {
    fn value(&self, part: &[u8], tables: &[Table]) -> Result<Vec<u8>, String> {
        let mut value = match (self.table, self.is_number) {
            (Some(table), true) => {
                let key = self.number(part, 0)?;
                tables[table].look_up(&key, self.width)?
            }
            (Some(table), false) => tables[table].look_up(part, self.width)?,
            (None, true) => self.number(part, self.width)?,
            (None, false) => part.to_vec(),
        };
        if self.lower {
            value = lowercase(value);
        }
        Ok(value)
    }

    fn number(&self, part: &[u8], width: usize) -> Result<Vec<u8>, String> {
        let text =
            std::str::from_utf8(part).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(number) = text.and_then(|text| text.parse::<i128>().ok()) else {
            return Err(format!("`{}` is not a number that can be reckoned with", super::error::shown(part)));
        };
        match number.checked_add(self.add) {
            Some(sum) if sum >= 0 => Ok(format!("{sum:0width$}").into_bytes()),
            _ => Err(format!("{number} - {} is negative", -self.add)),
        }
    }
}

/// Bytes that are no text keep their ASCII letters small and the rest as it is.
fn lowercase(value: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(value) {
        Ok(text) => text.to_lowercase().into_bytes(),
        Err(error) => error.into_bytes().to_ascii_lowercase(),
    }
}

/// Reads a target from left to right, and on after a fault.
struct Parser<'a> {
    text: &'a str,
    at: usize,
    pattern: &'a Pattern,
    tables: &'a [Table],
    stars: usize,
    pieces: Vec<Piece>,
    faults: Vec<Fault>,
}

impl<'a> Parser<'a> {
    fn parse(&mut self) {
        while let Some(c) = self.rest().chars().next() {
            let start = self.at;
            self.at += c.len_utf8();
            let fault =
                match c {
                    '*' => self.star(start),
                    '{' => self.braces(start),
                    '}' => Err(Fault::new(start..self.at, "`}` without `{`")
                        .help("write `\\}` for a brace in a name")),
                    '\\' => self.escaped(start),
                    c => Ok(self.literal(c)),
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
        self.at += c.len_utf8();
        self.literal(c);
        Ok(())
    }

    fn star(&mut self, start: usize) -> Result<(), Fault> {
        self.at += usize::from(self.rest().starts_with('*'));
        let holes = self.pattern.holes.iter().enumerate().filter(|(_, hole)| hole.is_star);
        let stars: Vec<usize> = holes.map(|(at, _)| at).collect();
        self.stars += 1;
        let hole = *stars.get(self.stars - 1).ok_or_else(|| self.surplus_star(start, stars.len()))?;
        let fill = Fill::plain(hole, self.pattern, start..self.at);
        self.pieces.push(Piece::Fill(fill));
        Ok(())
    }

    fn surplus_star(&self, start: usize, stars: usize) -> Fault {
        let had = match stars {
            0 => "no star".to_owned(),
            n => format!("only {}", super::error::counted(n, "star")),
        };
        let what = format!("star {} of the target, but the pattern has {had}", self.stars);
        Fault::new(start..self.at, what)
            .help("`{x}` stands for what `{x}` caught; write `\\*` for a star in a name")
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

    /// `x`, `table[x]`, each with `+n` or `-n` on the hole; then `:0n` and `|lower`.
    fn fill(&self, inside: Range<usize>, span: Range<usize>) -> Result<Fill, Fault> {
        let text = &self.text[inside.clone()];
        let value_end = text.find([':', '|']).unwrap_or(text.len());
        let value = &text[..value_end];
        let (table, hole_start, hole_text) = match value.split_once('[') {
            None => (None, 0, value),
            Some((table, rest)) => {
                let hole = rest.strip_suffix(']').ok_or_else(|| {
                    Fault::new(span.clone(), "`[` is never closed").help("a look-up is written `{table[x]}`")
                })?;
                (Some(self.table(table, inside.start)?), table.len() + 1, hole)
            }
        };
        let name_end = hole_text.find(['+', '-']).unwrap_or(hole_text.len());
        let (name, sum) = hole_text.split_at(name_end);
        let hole_start = inside.start + hole_start;
        let mut fill = Fill::plain(self.hole(name, hole_start, &span)?, self.pattern, span.clone());
        fill.table = table;
        let sum_span = hole_start + name_end..hole_start + hole_text.len();
        fill.add_sum(sum, sum_span)
            .and_then(|()| fill.add_suffixes(&text[value_end..], inside.start + value_end))?;
        let hole = &self.pattern.holes[fill.hole];
        match fill.is_number && !hole.may_be_number() {
            true => Err(not_a_number(name, span)),
            false => Ok(fill),
        }
    }

    fn table(&self, name: &str, start: usize) -> Result<usize, Fault> {
        self.tables.iter().position(|table| table.name == name).ok_or_else(|| {
            let names = self.tables.iter().map(|table| table.name.as_str());
            let help = did_you_mean(name, names).unwrap_or("tables are written under [tables]".into());
            Fault::new(start..start + name.len(), format!("there is no table `{name}`")).help(help)
        })
    }

    fn hole(&self, name: &str, start: usize, span: &Range<usize>) -> Result<usize, Fault> {
        let span = if name.is_empty() { span.clone() } else { start..start + name.len() };
        if !is_name(name) {
            let help = "`{x}` stands for what `{x}` caught in the pattern; write `\\{` for a brace in a name";
            return Err(Fault::new(span, format!("`{name}` is not a name")).help(help));
        }
        let holes = &self.pattern.holes;
        holes.iter().position(|hole| hole.name.as_deref() == Some(name)).ok_or_else(|| {
            let names: Vec<_> = holes.iter().filter_map(|hole| hole.name.as_deref()).collect();
            let fault = Fault::new(span, format!("the pattern catches no `{name}`"));
            fault.help(did_you_mean(name, names.iter().copied()).unwrap_or_else(|| catches(&names)))
        })
    }
}

fn catches(names: &[&str]) -> String {
    let list: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match list.is_empty() {
        true => "it names no part: write `{x}` in the pattern to catch one".into(),
        false => format!("it catches {}", list.join(", ")),
    }
}

fn not_a_number(name: &str, span: Range<usize>) -> Fault {
    let what = format!("`{name}` need not be a number");
    Fault::new(span, what).help(format!("catch digits with `{{{name}:int}}` in the pattern"))
}

impl Hole {
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
    fn plain(hole: usize, pattern: &Pattern, span: Range<usize>) -> Self {
        let whole_component = pattern.holes[hole].kind == Kind::Components;
        Self { hole, whole_component, add: 0, width: 0, is_number: false, lower: false, table: None, span }
    }

    fn add_sum(&mut self, sum: &str, span: Range<usize>) -> Result<(), Fault> {
        if sum.is_empty() {
            return Ok(());
        }
        let digits = sum[1..].bytes().all(|byte| byte.is_ascii_digit());
        let number = sum.parse::<i64>().ok().filter(|_| digits);
        let number = number.ok_or_else(|| {
            Fault::new(span, format!("`{sum}` is no sum")).help("write a number, as in `{x+1}` or `{x-1}`")
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

    /// `:02` or `|lower`.
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
                return Err(Fault::new(span, format!("nothing is called `{suffix}` here")).help(help));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> Vec<Table> {
        vec![Table::of("op", &[("0", "1"), ("1", "3")]), Table::of("ln", &[("gamma", "Weight")])]
    }

    fn filled(pattern: &str, target: &str, name: &str) -> Result<String, String> {
        let pattern = Pattern::parse(pattern, false).unwrap();
        let template = Template::parse(target, &pattern, &tables()).unwrap();
        let caught = pattern.captures(name.as_bytes()).unwrap();
        let name = template.fill(&caught, &tables()).map_err(|(_, what)| what)?;
        Ok(String::from_utf8(name).unwrap())
    }

    #[track_caller]
    fn gives(pattern: &str, target: &str, name: &str, new: &str) {
        assert_eq!(filled(pattern, target, name).as_deref(), Ok(new), "{pattern} -> {target} on {name}");
    }

    fn fault(pattern: &str, target: &str) -> (Range<usize>, String) {
        let pattern = Pattern::parse(pattern, false).unwrap();
        let fault = Template::parse(target, &pattern, &tables()).unwrap_err().swap_remove(0);
        (fault.at, fault.what)
    }

    #[test]
    fn caught_parts_stand_where_the_target_wants_them() {
        gives("a/{x}/{y}", "b/{y}/{x}/{x}", "a/1/2", "b/2/1/1");
        gives("bert/**", "encoder/**", "bert/a/b", "encoder/a/b");
        gives("*/**/{x}", "**/{x}/*", "a/b/c/d", "a/d/b/c");
        gives("{a|b}/*", "x/*", "a/c", "x/c");
        gives("x{y}", "\\*\\{\\}\\\\{y}", "x1", "*{}\\1");
    }

    #[test]
    fn numbers_are_reckoned_and_padded() {
        gives("l{i:int}", "{i}", "l007", "007");
        gives("l{i:int}", "{i+1}", "l007", "8");
        gives("l{i:int}", "{i-1}", "l10", "9");
        gives("l{i:int}", "{i:02}", "l7", "07");
        gives("l{i:int}", "{i:02}", "l123", "123");
        gives("l{i:int}", "{i+1:03}", "l9", "010");
        gives("l{i:0|1}", "{i+1}", "l1", "2");
        gives("re:l(?<i>.*)", "{i+1}", "l4", "5");
    }

    #[test]
    fn numbers_that_cannot_be_are_refused() {
        assert_eq!(filled("l{i:int}", "{i-2}", "l1"), Err("1 - 2 is negative".into()));
        let huge = format!("l{}", "9".repeat(60));
        assert!(filled("l{i:int}", "{i+1}", &huge).unwrap_err().contains("not a number"));
        assert!(filled("re:l(?<i>.*)", "{i+1}", "lx").unwrap_err().contains("`x` is not a number"));
    }

    #[test]
    fn tables_and_small_letters() {
        gives("l{i:int}", "{op[i]}", "l1", "3");
        gives("l{i:int}", "{op[i-1]:02}", "l1", "01");
        gives("{l}", "{ln[l]|lower}", "gamma", "weight");
        gives("{l}", "{l|lower}", "GaMMa", "gamma");
        assert_eq!(filled("l{i:int}", "{op[i]}", "l7"), Err("table `op` has nothing for `7`".into()));
    }

    #[test]
    fn no_component_takes_a_slash_along() {
        gives("a/**/b", "x/**/y", "a/b", "x/y");
        gives("a/**/b", "x/**/y", "a/c/b", "x/c/y");
        gives("a/**/b", "x/**/y", "a//b", "x//y");
        gives("{v:**}/b", "{v}/y", "b", "y");
        gives("{v:**}/b", "y/{v}", "b", "y");
        gives("{v:**}/b", "y/{v}z", "b", "y/z");
        gives("{v:**}/{w:**}/b", "x/{v}/{w}/b", "b", "x/b");
        gives("{v:**}/b", "{v}", "b", "");
    }

    #[test]
    fn faults_say_what_and_where() {
        assert_eq!(fault("a", ""), (0..0, "the target is empty".into()));
        assert_eq!(fault("{layer}", "x/{layr}"), (3..7, "the pattern catches no `layr`".into()));
        assert_eq!(
            fault("a/*", "*/**"),
            (2..4, "star 2 of the target, but the pattern has only 1 star".into())
        );
        assert_eq!(fault("{x}", "{x+1}"), (0..5, "`x` need not be a number".into()));
        assert_eq!(fault("{x}", "{x:02}").1, "`x` need not be a number");
        assert_eq!(fault("{x}", "{opp[x]}"), (1..4, "there is no table `opp`".into()));
        assert_eq!(fault("{x:int}", "{x+a}"), (2..4, "`+a` is no sum".into()));
        assert_eq!(fault("{x:int}", "{x+-1}").1, "`+-1` is no sum");
        assert_eq!(fault("{x:int}", "{x:2}"), (2..4, "nothing is called `:2` here".into()));
        assert_eq!(fault("{x}", "{x|upper}").1, "nothing is called `|upper` here");
        assert_eq!(fault("{x}", "a{x").1, "`{` is never closed");
        assert_eq!(fault("{x}", "{}").1, "`` is not a name");
        assert_eq!(fault("{x}", "x}").1, "`}` without `{`");
        assert_eq!(fault("{x}", "x\\").1, "`\\` with nothing after it");
        assert_eq!(fault("{x}", "{op[x}").1, "`[` is never closed");
    }
}

//! Targets: templates for new names, which use the parts that a pattern captured.
//!
//! * `{x}` is the captured text.
//! * `{x+1}` and `{x-1}` are the number plus or minus a number.
//! * `{x:02}` is padded with zeros.
//! * `{x|lower}` is in lower case.
//! * `{table[x]}` is looked up in a table.
//!
//! These combine: `{x+1:02}`, `{op[x]|lower}`. The n-th bare `*` or `**`, counted together, is replaced by the match
//! of the n-th star in the pattern. `\` makes the next character literal.

mod parser;

use std::ops::Range;

use crate::map::lookup::Table;
use crate::map::pattern::{Captures, Fault, Pattern};
use crate::map::template::parser::Parser;

/// A target, parsed for the pattern whose captures it uses.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(String),
    Fill(Fill),
}

/// A place in the target that captured text fills.
#[derive(Clone, Debug)]
struct Fill {
    capture: usize,
    /// True if it is alone between slashes and its capture is a `**/`. If that captures no component, the slash goes
    /// too.
    whole_component: bool,
    add: i128,
    width: usize,
    /// True if it is padded or computed with, so the captured text must be a number.
    is_number: bool,
    lower: bool,
    table: Option<usize>,
    span: Range<usize>,
}

impl Template {
    pub(crate) fn parse(text: &str, pattern: &Pattern, tables: &[Table]) -> Result<Self, Vec<Fault>> {
        if text.is_empty() {
            return Err(vec![
                Fault::new(0..0, "the target is empty").help("use `drop` to leave a variable out"),
            ]);
        }
        let pieces = Parser::new(text, pattern, tables).parse()?;
        Ok(Self { pieces }.with_components())
    }

    /// Returns the new name. The error is the part of the target that cannot be filled, and the reason.
    pub(crate) fn fill(
        &self,
        captures: &Captures<'_>,
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
                Piece::Fill(fill) => match captures[fill.capture] {
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

    /// Returns the target without its final `/**`, if that is filled by `capture` and nothing else is. This is the
    /// new path of the object whose whole content the hole captures. It is empty if the content goes to the root.
    pub(crate) fn container(&self, capture: usize) -> Option<Self> {
        let (last, before) = self.pieces.split_last()?;
        let is_it = |piece: &Piece| matches!(piece, Piece::Fill(fill) if fill.capture == capture);
        let is_plain = matches!(last, Piece::Fill(fill) if fill.is_plain());
        if !is_it(last) || !is_plain || before.iter().any(is_it) {
            return None;
        }
        let mut pieces = before.to_vec();
        match pieces.pop() {
            None => {}
            Some(Piece::Literal(text)) => pieces.push(Piece::Literal(text.strip_suffix('/')?.to_owned())),
            Some(Piece::Fill(_)) => return None,
        }
        Some(Self { pieces })
    }

    /// Returns the new name if it does not depend on captures.
    pub(crate) fn literal(&self) -> Option<String> {
        let text = |piece: &Piece| match piece {
            Piece::Literal(text) => Some(text.clone()),
            Piece::Fill(_) => None,
        };
        self.pieces.iter().map(text).collect()
    }

    /// Returns true if the target uses the match of this hole.
    pub(crate) fn has(&self, capture: usize) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Fill(fill) if fill.capture == capture))
    }

    /// Marks the fills that are alone between slashes.
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
    /// Returns true if the captured text is written unchanged.
    fn is_plain(&self) -> bool {
        !self.is_number && !self.lower && self.table.is_none()
    }

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
            return Err(format!("`{}` is not a number of at most 38 digits", crate::name::printable(part)));
        };
        match number.checked_add(self.add) {
            Some(sum) if sum >= 0 => Ok(format!("{sum:0width$}").into_bytes()),
            _ => Err(format!("{number} - {} is negative", -self.add)),
        }
    }
}

/// Converts to lower case. If the bytes are not valid UTF-8, only ASCII letters change.
fn lowercase(value: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(value) {
        Ok(text) => text.to_lowercase().into_bytes(),
        Err(error) => error.into_bytes().to_ascii_lowercase(),
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
        let captures = pattern.captures(name.as_bytes()).unwrap();
        let name = template.fill(&captures, &tables()).map_err(|(_, what)| what)?;
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
    fn captured_parts_are_placed_where_the_target_refers_to_them() {
        gives("a/{x}/{y}", "b/{y}/{x}/{x}", "a/1/2", "b/2/1/1");
        gives("bert/**", "encoder/**", "bert/a/b", "encoder/a/b");
        gives("*/**/{x}", "**/{x}/*", "a/b/c/d", "a/d/b/c");
        gives("{a|b}/*", "x/*", "a/c", "x/c");
        gives("x{y}", "\\*\\{\\}\\\\{y}", "x1", "*{}\\1");
    }

    #[test]
    fn numbers_are_computed_and_padded() {
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
    fn invalid_numbers_are_refused() {
        assert_eq!(filled("l{i:int}", "{i-2}", "l1"), Err("1 - 2 is negative".into()));
        let huge = format!("l{}", "9".repeat(60));
        assert!(filled("l{i:int}", "{i+1}", &huge).unwrap_err().contains("not a number"));
        assert!(filled("re:l(?<i>.*)", "{i+1}", "lx").unwrap_err().contains("`x` is not a number"));
    }

    #[test]
    fn tables_and_lower_case() {
        gives("l{i:int}", "{op[i]}", "l1", "3");
        gives("l{i:int}", "{op[i-1]:02}", "l1", "01");
        gives("{l}", "{ln[l]|lower}", "gamma", "weight");
        gives("{l}", "{l|lower}", "GaMMa", "gamma");
        assert_eq!(filled("l{i:int}", "{op[i]}", "l7"), Err("table `op` has no entry for `7`".into()));
    }

    #[test]
    fn a_hole_without_components_removes_its_slash() {
        gives("a/**/b", "x/**/y", "a/b", "x/y");
        gives("a/**/b", "x/**/y", "a/c/b", "x/c/y");
        gives("a/**/b", "x/**/y", "a//b", "x//y");
        gives("{v:**}/b", "{v}/y", "b", "y");
        gives("{v:**}/b", "y/{v}", "b", "y");
        gives("{v:**}/b", "y/{v}z", "b", "y/z");
        gives("{v:**}/{w:**}/b", "x/{v}/{w}/b", "b", "x/b");
        gives("{v:**}/b", "{v}", "b", "");
    }

    fn help(pattern: &str, target: &str) -> String {
        let pattern = Pattern::parse(pattern, false).unwrap();
        let faults = Template::parse(target, &pattern, &[]).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults.into_iter().find_map(|fault| fault.help).unwrap()
    }

    #[test]
    fn more_wildcards_than_the_pattern_has_are_one_fault_and_fewer_are_none() {
        assert!(help("bert", "encoder/**").contains("`bert/**`"));
        assert!(help("re:bert/(.*)", "x/*/*").contains("`(?<x>…)`"));
        assert!(help("*/{x}", "*/*").contains("the n-th of the pattern"));
        gives("*/**", "x", "a/b", "x");
        gives("*/*/*", "*/*", "a/b/c", "a/b");
    }

    #[test]
    fn references_to_groups_by_number_are_refused_with_the_right_syntax() {
        assert_eq!(fault("re:(a)(b)", r"x\1y").0, 1..3);
        assert_eq!(fault("re:(a)(b)", "x$12y").0, 1..4);
        assert_eq!(
            fault("re:(?<x>a)", "${x}/y"),
            (0..4, "`${x}` does not stand for what a group matched".into())
        );
        for target in [r"\1", "$1", "${1}", "${"] {
            let help = help("re:(a)", target);
            assert!(help.contains("`(?<x>…)`") && help.contains("`{x}`"), "{help}");
        }
        gives("a", r"\$1$x", "a", "$1$x");
        gives("a", &crate::map::escape::escape("$1/${x}"), "a", "$1/${x}");
    }

    #[test]
    fn faults_say_what_and_where() {
        assert_eq!(fault("a", ""), (0..0, "the target is empty".into()));
        assert_eq!(fault("{layer}", "x/{layr}"), (3..7, "the pattern does not capture `layr`".into()));
        assert_eq!(
            fault("a/*", "*/**/*"),
            (2..4, "`*/**/*` has 3 wildcards, but the pattern `a/*` has 1 wildcard".into())
        );
        assert_eq!(fault("{x}", "{x+1}"), (0..5, "`x` need not be a number".into()));
        assert_eq!(fault("{x}", "{x:02}").1, "`x` need not be a number");
        assert_eq!(fault("{x}", "{opp[x]}"), (1..4, "unknown table `opp`".into()));
        assert_eq!(fault("{x:int}", "{x+a}"), (2..4, "`+a` is not a sum".into()));
        assert_eq!(fault("{x:int}", "{x+-1}").1, "`+-1` is not a sum");
        assert_eq!(fault("{x:int}", "{x:2}"), (2..4, "unknown suffix `:2`".into()));
        assert_eq!(fault("{x}", "{x|upper}").1, "unknown suffix `|upper`");
        assert_eq!(fault("{x}", "a{x").1, "`{` is never closed");
        assert_eq!(fault("{x}", "{}").1, "`` is not a name");
        assert_eq!(fault("{x}", "x}").1, "`}` without `{`");
        assert_eq!(fault("{x}", "x\\").1, "`\\` with nothing after it");
        assert_eq!(fault("{x}", "{op[x}").1, "`[` is never closed");
    }
}

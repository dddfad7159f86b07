//! Reasons why a pattern matched nothing.

use crate::map::diagnostic::{Error, Kind, counted};
use crate::map::pattern::{Pattern, Token};
use crate::map::rule::Rule;
use crate::map::suggest::near_patterns;
use crate::name::near_names;

/// Returns the error for a rule whose pattern matches nothing, with a hint at what the pattern may have meant.
pub(crate) fn unused(rule: &Rule, names: &[&[u8]], total: usize) -> Error {
    let Some(pattern) = rule.patterns().first() else {
        let what = format!("no optimizer state among {}", counted(total, "variable"));
        return Error::new(Kind::Unused, rule.span(), what).help("there is nothing to drop: leave it out");
    };
    let what = format!("`{}` matched none of {}", pattern.text, counted(total, "variable"));
    let error = Error::new(Kind::Unused, &rule.from().part(0..rule.from().text.len()), what).label(nearest(
        pattern,
        names,
        rule.may_be_scope(),
    ));
    let error = error.helps(ordinary_characters(pattern));
    match rule.is_flag() {
        true => error,
        false => {
            error.helps(other_case(pattern, names)).help("a rule that need not match says `optional = true`")
        }
    }
}

fn nearest(pattern: &Pattern, names: &[&[u8]], scopes: bool) -> String {
    let patterns =
        near_patterns(pattern, names, scopes).into_iter().map(|(text, hits)| format!("`{text}` ({hits})"));
    let mut near: Vec<_> = patterns.collect();
    if near.is_empty() {
        near = near_names(&pattern.text, names).into_iter().map(|name| format!("`{name}`")).collect();
    }
    match near.is_empty() {
        true => String::new(),
        false => format!("nearest: {}", near.join(", ")),
    }
}

fn ordinary_characters(pattern: &Pattern) -> Option<String> {
    let help = "`?` and `[...]` are ordinary characters here; `*`, `{x}`, `{a|b}` and `re:` are not";
    let meant = |token: &Token| matches!(token, Token::Literal(text) if text.contains(['?', '[']));
    pattern.tokens.iter().any(meant).then(|| help.to_owned())
}

fn other_case(pattern: &Pattern, names: &[&[u8]]) -> Option<String> {
    let folded = Pattern::parse(&pattern.text, true).ok()?;
    let hits = names.iter().filter(|name| folded.is_match(name)).count();
    let help = || format!("ignoring case, it matches {hits}: `ignore_case = true`");
    (hits > 0).then(help)
}

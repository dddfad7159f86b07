//! The map of a suggestion: the shortest of several forms that gives every sure pair its name and shape on HAVE.

use std::collections::HashSet;

use crate::catalog::Catalog;
use crate::map::Flag;
use crate::suggest::merge::merged;
use crate::suggest::replay::{Failure, with_values};
use crate::suggest::rule::{Piece, Rule, Target};
use crate::suggest::rules::Renames;
use crate::suggest::toml::{self, Sides};
use crate::suggest::{Confidence, Item, Suggestion, replay};

/// A map that was tried on HAVE.
pub(crate) struct SuggestedMap {
    pub(crate) rules: Vec<Rule>,
    /// The variables of HAVE that the map leaves out, because their names mean something else in WANT.
    pub(crate) drops: Vec<String>,
    /// True if a program gets more with the map than without it.
    pub(crate) is_of_use: bool,
    /// The text of a map file.
    pub(crate) text: String,
    /// The same as flags, if a few suffice.
    pub(crate) flags: Option<Vec<Flag>>,
}

/// The greatest number of flags that are better than a file.
const FEW: usize = 3;

/// Writes the map of the sure pairs. A pair that the map cannot make is no longer sure after that, and says why.
pub(crate) fn map(
    catalog: &Catalog,
    have: &[Item],
    want: &[Item],
    sides: Sides<'_>,
    found: &mut Suggestion,
) -> SuggestedMap {
    let catalog = &with_values(catalog);
    loop {
        match attempt(catalog, have, want, sides, found) {
            Ok(map) => return map,
            Err(failure) if demote(found, &failure) => {}
            // Nothing is sure any more, so the map has no rules.
            Err(_) => {
                let text = toml::text(&Renames { have, want, pairs: &found.pairs }, &[], &[], sides);
                return SuggestedMap { rules: vec![], drops: vec![], is_of_use: false, text, flags: None };
            }
        }
    }
}

/// Tries the forms of a map, the shortest first. The error is that of the longest form.
fn attempt(
    catalog: &Catalog,
    have: &[Item],
    want: &[Item],
    sides: Sides<'_>,
    found: &Suggestion,
) -> Result<SuggestedMap, Failure> {
    let renames = Renames { have, want, pairs: &found.pairs };
    let templates = renames.templates();
    let merged = merged(templates.clone());
    let scopes = renames.scopes().filter(|scopes| scopes.len() <= merged.len().max(1));
    let drops = drops(catalog, &renames);
    let mut failure = Failure::Pairs(vec![]);
    for rules in scopes.into_iter().chain([merged, templates, renames.singles()]) {
        let text = toml::text(&renames, &rules, &drops, sides);
        match replay::file(&text, catalog, &renames) {
            Ok(()) => {
                let flags = flags(&rules).filter(|_| drops.is_empty());
                let flags = flags.filter(|flags| replay::flags(flags, catalog, &renames).is_ok());
                let is_of_use = renames.sure().next().is_some() && !(rules.is_empty() && drops.is_empty());
                return Ok(SuggestedMap { rules, drops, is_of_use, text, flags });
            }
            Err(other) => failure = other,
        }
    }
    Err(failure)
}

/// Returns the variables of HAVE that would keep a name that means another variable in WANT, or one that is not sure.
fn drops(catalog: &Catalog, renames: &Renames<'_>) -> Vec<String> {
    let sources: HashSet<&str> = renames.sure().map(|(_, have)| renames.have[have].name.as_str()).collect();
    let wanted: HashSet<&str> = renames.want.iter().map(|item| item.name.as_str()).collect();
    let names = catalog.variables.iter().filter_map(|variable| str::from_utf8(variable.name.as_bytes()).ok());
    names.filter(|name| wanted.contains(name) && !sources.contains(name)).map(str::to_owned).collect()
}

/// Makes the pairs that failed likely, or all pairs if the map as a whole failed. Returns false if none was sure.
fn demote(found: &mut Suggestion, failure: &Failure) -> bool {
    let (failed, reason) = match failure {
        Failure::Pairs(failed) if !failed.is_empty() => {
            (failed.clone(), "no rule of a map gives it this name and shape".to_owned())
        }
        Failure::Map(error) => ((0..found.pairs.len()).collect(), first_line(error)),
        Failure::Pairs(_) | Failure::Unsure => {
            ((0..found.pairs.len()).collect(), "another variable would get a wanted name".to_owned())
        }
    };
    let mut is_less_sure = false;
    for at in failed {
        let pair = &mut found.pairs[at];
        if pair.confidence == Confidence::Sure {
            (pair.confidence, pair.reason) = (Confidence::Likely, reason.clone());
            is_less_sure = true;
        }
    }
    is_less_sure
}

fn first_line(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    format!("no map makes it: {}", line.trim_start_matches("error: "))
}

/// Returns the rules as flags, if they are few and need neither tables nor ops.
fn flags(rules: &[Rule]) -> Option<Vec<Flag>> {
    let is_short = |rule: &Rule| rule.ops.is_none() && rule.tables().next().is_none();
    (rules.len() <= FEW && rules.iter().all(is_short)).then(|| rules.iter().map(flag).collect())
}

fn flag(rule: &Rule) -> Flag {
    match (rule.from.as_slice(), rule.to.as_slice()) {
        ([Piece::Text(prefix), Piece::Rest], [Target::Rest]) => Flag::StripPrefix(prefix.clone()),
        ([Piece::Rest], [Target::Text(prefix), Target::Rest]) => Flag::AddPrefix(prefix.clone()),
        _ => Flag::Rename(format!("{}={}", rule.pattern(), rule.target(|_| String::new()))),
    }
}

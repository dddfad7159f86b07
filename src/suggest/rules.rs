//! Sure pairs become rules: first those of two templates, then rules that differ in one word become one.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::suggest::ops::ops;
use crate::suggest::rule::{Piece, Rule, Target};
use crate::suggest::words::{NUMBER, Parts};
use crate::suggest::{Confidence, Item, Pair};

/// The sure pairs that a map must make.
pub(crate) struct Renames<'s> {
    pub(crate) have: &'s [Item],
    pub(crate) want: &'s [Item],
    pub(crate) pairs: &'s [Pair],
}

/// A sure pair: the wanted variable and its source.
type Sure = (usize, usize);

impl Renames<'_> {
    /// Iterates over the sure pairs.
    pub(crate) fn sure(&self) -> impl Iterator<Item = Sure> {
        let sure = self.pairs.iter().enumerate().filter(|(_, pair)| pair.confidence == Confidence::Sure);
        sure.filter_map(|(want, pair)| Some((want, pair.have?)))
    }

    /// Iterates over the sure pairs that need a rule.
    fn changed(&self) -> impl Iterator<Item = Sure> {
        self.sure().filter(|(want, have)| {
            self.have[*have].name != self.want[*want].name || self.pairs[*want].change.is_some()
        })
    }

    fn ops(&self, (want, have): Sure) -> Option<String> {
        self.pairs[want]
            .change
            .as_ref()
            .map(|change| ops(change, &self.have[have].shape, &self.want[want].shape))
    }

    /// Returns a rule for each pair.
    pub(crate) fn singles(&self) -> Vec<Rule> {
        self.changed().map(|pair| self.single(pair)).collect()
    }

    fn single(&self, (want, have): Sure) -> Rule {
        Rule {
            from: vec![Piece::Text(self.have[have].name.clone())],
            to: vec![Target::Text(self.want[want].name.clone())],
            ops: self.ops((want, have)),
            members: vec![want],
        }
    }

    /// Returns a rule for each two scopes whose names differ only before them: `model/**` and `net/**`. `None` if a pair
    /// needs more than that.
    pub(crate) fn scopes(&self) -> Option<Vec<Rule>> {
        let (mut scopes, mut singles) = (BTreeMap::<(&str, &str), Vec<usize>>::new(), Vec::new());
        for (want, have) in self.changed() {
            if self.pairs[want].change.is_some() {
                return None;
            }
            match scope(&self.have[have].name, &self.want[want].name) {
                Some(scope) => scopes.entry(scope).or_default().push(want),
                None => singles.push(self.single((want, have))),
            }
        }
        let mut rules: Vec<_> = scopes.into_iter().collect();
        // The first rule that matches takes a variable, so the longer beginning comes first.
        rules.sort_by_key(|((from, _), _)| std::cmp::Reverse(from.len()));
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let rule = |((from, to), members): ((&str, &str), Vec<usize>)| Rule {
            from: text(from).map(Piece::Text).into_iter().chain([Piece::Rest]).collect(),
            to: text(to).map(Target::Text).into_iter().chain([Target::Rest]).collect(),
            ops: None,
            members,
        };
        Some(singles.into_iter().chain(rules.into_iter().map(rule)).collect())
    }

    /// Returns a rule for each two templates, and single rules for what has none.
    pub(crate) fn templates(&self) -> Vec<Rule> {
        let parts = |items: &[Item]| items.iter().map(|item| Parts::of(&item.name)).collect::<Vec<_>>();
        let (old, new) = (parts(self.have), parts(self.want));
        let mut groups: BTreeMap<(&str, &str, Option<String>), Vec<Sure>> = BTreeMap::new();
        for pair in self.changed() {
            let key = (old[pair.1].template.as_str(), new[pair.0].template.as_str(), self.ops(pair));
            groups.entry(key).or_default().push(pair);
        }
        let mut alike: HashMap<&str, Vec<usize>> = HashMap::new();
        old.iter().enumerate().for_each(|(at, parts)| alike.entry(&parts.template).or_default().push(at));
        let wanted: HashSet<&str> = self.want.iter().map(|item| item.name.as_str()).collect();
        let taken: HashSet<usize> = self.sure().map(|(_, have)| have).collect();
        let mut rules = Vec::new();
        for ((template, _, ops), pairs) in groups {
            let draft = Draft { old: &old, new: &new, pairs: &pairs };
            let is_harmful = |rule: &Rule| {
                let own: HashSet<usize> = pairs.iter().map(|(_, have)| *have).collect();
                let others = alike[template].iter().filter(|at| !own.contains(at));
                let mut others = others.filter_map(|at| Some((*at, rule.rename(&self.have[*at].name)?)));
                others.any(|(at, name)| {
                    taken.contains(&at) || name.is_none_or(|name| wanted.contains(name.as_str()))
                })
            };
            let is_right = |(want, have): &Sure, rule: &Rule| {
                rule.rename(&self.have[*have].name) == Some(Some(self.want[*want].name.clone()))
            };
            let fits = |rule: &Rule| pairs.iter().all(|pair| is_right(pair, rule)) && !is_harmful(rule);
            let rule = [false, true]
                .into_iter()
                .filter_map(|is_closed| draft.rule(ops.clone(), is_closed))
                .find(fits);
            match rule {
                Some(rule) if pairs.len() > 1 => rules.push(rule),
                _ => rules.extend(pairs.iter().map(|pair| self.single_in_pieces(*pair, &draft))),
            }
        }
        rules
    }

    /// Returns the rule for one pair, in pieces that can be compared with those of others.
    fn single_in_pieces(&self, pair: Sure, draft: &Draft<'_>) -> Rule {
        let (text, target) = (&self.have[pair.1].name, &self.want[pair.0].name);
        let rule = Draft { pairs: &[pair], ..*draft }.rule(self.ops(pair), false);
        rule.filter(|rule| rule.rename(text).flatten().as_ref() == Some(target))
            .unwrap_or_else(|| self.single(pair))
    }
}

/// Returns what the names begin with before they are equal. `None` if not even their last components are.
fn scope<'n>(have: &'n str, want: &'n str) -> Option<(&'n str, &'n str)> {
    let starts = have.match_indices(['/', '.']).map(|(at, _)| at + 1);
    for start in [0].into_iter().chain(starts) {
        let Some(before) = want.strip_suffix(&have[start..]) else { continue };
        if before.is_empty() || before.ends_with(['/', '.']) {
            return Some((&have[..start], before));
        }
    }
    None
}

/// The pairs of two templates, on the way to a rule.
#[derive(Clone, Copy)]
struct Draft<'d> {
    old: &'d [Parts],
    new: &'d [Parts],
    pairs: &'d [Sure],
}

impl Draft<'_> {
    /// Returns the rule. A closed rule matches only the numbers of its pairs.
    fn rule(&self, ops: Option<String>, is_closed: bool) -> Option<Rule> {
        let (want, have) = self.pairs.first()?;
        let (source, wanted) = (&self.old[*have], &self.new[*want]);
        let captured: Vec<usize> = (0..source.numbers.len()).filter(|at| !self.is_constant(*at)).collect();
        let mut from = pieces(&source.template, |at| match captured.contains(&at) {
            true => Err(Piece::Number(is_closed.then(|| self.values(at)))),
            false => Ok(source.numbers[at].to_string()),
        });
        let places: Vec<usize> =
            (0..from.len()).filter(|at| matches!(from[*at], Err(Piece::Number(_)))).collect();
        let mut origins = Vec::new();
        for at in 0..wanted.numbers.len() {
            origins.push(self.origin(at, &captured, &places)?);
        }
        for origin in &origins {
            if let Target::Entry { at, table } = origin {
                let mut numbers: Vec<String> = table.keys().cloned().collect();
                numbers.sort_by_key(|number| number.parse::<u64>().ok());
                from[*at] = Err(Piece::Number(Some(numbers)));
            }
        }
        let to = pieces(&wanted.template, |at| match &origins[at] {
            Target::Text(text) => Ok(text.clone()),
            other => Err(other.clone()),
        });
        let from = from.into_iter().map(|piece| piece.map_or_else(|piece| piece, Piece::Text)).collect();
        let to = to.into_iter().map(|piece| piece.map_or_else(|piece| piece, Target::Text)).collect();
        Some(Rule { from, to, ops, members: self.pairs.iter().map(|(want, _)| *want).collect() })
    }

    fn is_constant(&self, at: usize) -> bool {
        let mut numbers = self.pairs.iter().map(|(_, have)| self.old[*have].numbers[at]);
        let first = numbers.next();
        numbers.all(|number| Some(number) == first)
    }

    fn values(&self, at: usize) -> Vec<String> {
        let mut values: Vec<u64> = self.pairs.iter().map(|(_, have)| self.old[*have].numbers[at]).collect();
        values.sort_unstable();
        values.dedup();
        values.into_iter().map(|value| value.to_string()).collect()
    }

    /// Returns the origin of a number of the wanted names: a constant, a number of the source, or a table.
    fn origin(&self, at: usize, captured: &[usize], places: &[usize]) -> Option<Target> {
        let numbers = |slot: usize| {
            self.pairs
                .iter()
                .map(move |(want, have)| (self.old[*have].numbers[slot], self.new[*want].numbers[at]))
        };
        let wanted = |(want, _): &Sure| self.new[*want].numbers[at];
        let first = wanted(self.pairs.first()?);
        if self.pairs.iter().all(|pair| wanted(pair) == first) {
            return Some(Target::Text(first.to_string()));
        }
        let offset = |slot: usize| {
            let mut offsets = numbers(slot).map(|(old, new)| i128::from(new) - i128::from(old));
            let first = offsets.next()?;
            offsets.all(|offset| offset == first).then_some(first)
        };
        let slots = || captured.iter().zip(places);
        let shifted = slots().filter_map(|(slot, place)| Some((offset(*slot)?, *place)));
        if let Some((add, at)) = shifted.min_by_key(|(add, _)| add.abs()) {
            return Some(Target::Capture { at, add });
        }
        slots().find_map(|(slot, place)| {
            let mut table: BTreeMap<String, String> = BTreeMap::new();
            let is_function = numbers(*slot).all(|(old, new)| {
                *table.entry(old.to_string()).or_insert_with(|| new.to_string()) == new.to_string()
            });
            is_function.then_some(Target::Entry { at: *place, table })
        })
    }
}

/// Splits a template at its components. A number is text, or a piece of its own.
fn pieces<P>(template: &str, number: impl Fn(usize) -> Result<String, P>) -> Vec<Result<String, P>> {
    let (mut pieces, mut text, mut count) = (Vec::new(), String::new(), 0);
    let end = |text: &mut String, pieces: &mut Vec<Result<String, P>>| {
        pieces.extend(Some(std::mem::take(text)).filter(|text| !text.is_empty()).map(Ok));
    };
    for c in template.chars() {
        match c {
            NUMBER => {
                match number(count) {
                    Ok(digits) => text.push_str(&digits),
                    Err(piece) => {
                        end(&mut text, &mut pieces);
                        pieces.push(Err(piece));
                    }
                }
                count += 1;
            }
            '/' | '.' => {
                end(&mut text, &mut pieces);
                pieces.push(Ok(c.to_string()));
            }
            c => text.push(c),
        }
    }
    end(&mut text, &mut pieces);
    pieces
}

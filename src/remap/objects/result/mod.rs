//! The result: renamed variables and the counts of each rule.

pub(crate) mod counts;
mod trained;
pub(crate) mod values;

use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};
use smol_str::SmolStr;

use crate::catalog::{Objects, Origin, Variable};
use crate::format::object_graph::NodeId;
use crate::graph::edit::{Rekeyed, Rewrite};
use crate::graph::{NameRole, PathCursor};
use crate::map::diagnostic::Errors;
use crate::map::options::Unmatched;
use crate::map::rule::RuleId;
use crate::name::Name;
use crate::remap::counts::RuleCounts;
use crate::remap::judge::conclude;
use crate::remap::objects::edit::ObjectEdit;
use crate::remap::objects::graph_tensor::objects;
use crate::remap::objects::matching::Matches;
use crate::remap::objects::plan::aliases::Aliases;
use crate::remap::objects::plan::moves::Moves;
use crate::remap::objects::plan::new_values::NewValues;
use crate::remap::objects::plan::selection::Selected;
use crate::remap::objects::plan::subtree::Subtree;
use crate::remap::objects::result::values::Steps;
use crate::remap::plan::MapMismatch;
use crate::remap::rejected_names::without_rule;
use crate::remap::report::{Lost, Report};
use crate::remap::values::{Values, described};

/// Applies `unmatched` to the variables that no rule matches by any of their names.
pub(crate) fn unmatched(matches: &Matches<'_>, selected: &mut Selected, errors: &mut Errors) {
    let options = &matches.map.options.unmatched;
    let unmatched = options.or(Unmatched::Keep);
    if unmatched == Unmatched::Keep {
        return;
    }
    let mut cover = Subtree::new(matches);
    let mut matched: HashSet<usize> = HashSet::new();
    for of_rule in &matches.by_rule {
        of_rule.found.iter().for_each(|found| cover.add(found, of_rule.meaning, |_| false));
        matched.extend(&of_rule.entries);
    }
    matched.extend(cover.entries());
    let is_judged = |entry: &usize| {
        let node = matches.entries[*entry].node;
        !matched.contains(entry) && !matches.is_slot(*entry) && node.is_some() && node != matches.counter()
    };
    let left: Vec<_> = (0..matches.entries.len()).filter(is_judged).collect();
    match (unmatched, &options.0) {
        (Unmatched::Error, Some(option)) if !left.is_empty() => {
            let names: Vec<_> = left.iter().map(|entry| matches.entries[*entry].visible).collect();
            errors.push(without_rule(option, &names));
        }
        (Unmatched::Drop, _) => left.iter().for_each(|entry| selected.drop_entry(matches, *entry, None)),
        _ => {}
    }
}

pub(crate) struct MappedObjects<'a> {
    pub(crate) matches: &'a Matches<'a>,
    pub(crate) moves: &'a Moves<'a>,
    pub(crate) aliases: &'a Aliases,
    pub(crate) new_values: &'a NewValues,
    edit: &'a ObjectEdit<'a>,
    rewrite: Option<Rewrite>,
    /// The values of the source, and their copies, under their new names.
    pub(crate) shown: Vec<Shown>,
    /// The new values. `Shown::entry` is then an index into the new values.
    pub(crate) made: Vec<Shown>,
    /// The new name of each entry, or the name of the new value that it is a part of. `None` if the entry is dropped.
    pub(crate) names: Vec<Option<Name>>,
}

/// A value under its new name.
pub(crate) struct Shown {
    pub(crate) entry: usize,
    pub(crate) key: Name,
    pub(crate) name: Name,
    pub(crate) full_name: Option<Name>,
    /// The rule that made this copy. `None` if it is not a copy.
    pub(crate) copied_by: Option<RuleId>,
}

impl<'a> MappedObjects<'a> {
    pub(crate) fn new(
        matches: &'a Matches<'a>,
        moves: &'a Moves<'a>,
        (aliases, new_values): (&'a Aliases, &'a NewValues),
        edit: &'a ObjectEdit<'a>,
        rewrite: Option<Rewrite>,
    ) -> Self {
        let (shown, made, names) = Default::default();
        let mut outcome = Self { matches, moves, aliases, new_values, edit, rewrite, shown, made, names };
        outcome.name();
        outcome
    }

    /// Returns the report, the variables and their graph.
    pub(crate) fn conclude(
        self,
        mut counts: RuleCounts,
        mut errors: Errors,
        mut warnings: Errors,
    ) -> Result<(Report, Vec<Variable>, Objects), MapMismatch> {
        let by_drop = self.count_drops(&mut counts);
        self.refuse_trained(&mut errors);
        self.count_renames(&mut counts);
        self.count_aliases(&mut counts);
        self.count_made(&mut counts);
        let steps = Steps::new(self.matches, self.moves);
        steps.count(&self.names, &by_drop, &mut counts);
        let mut values = Values::new(self.matches.map, self.matches.variables);
        let variables = self.variables(&steps, &mut values, &mut warnings);
        let casts = values.finish(&mut errors, &mut warnings);
        let candidates = if counts.any_unused() { self.candidates() } else { BTreeSet::new() };
        let candidates: Vec<_> = candidates.iter().map(|name| name.as_slice()).collect();
        let gone = self.names.iter().enumerate().filter(|(_, name)| name.is_none());
        let dropped = gone.map(|(entry, _)| (entry, by_drop.get(&entry).copied())).collect();
        let total = self.matches.entries.len();
        let report = Report { dropped, lost: self.lost(), total, warnings, casts, ..Report::default() };
        let report = conclude(self.matches.map, counts, &candidates, report, errors)?;
        let rewrite = self.rewrite.expect("without an error there is a graph");
        Ok((report, variables, objects(rewrite.graph, &rewrite.graph_bytes)))
    }

    /// Finds the new names of all values. A path that a rule gave to a variable takes precedence over its other
    /// paths.
    fn name(&mut self) {
        let entries = &self.matches.entries;
        let Some(rewrite) = &self.rewrite else {
            self.names = entries.iter().map(|entry| Some(entry.visible.into())).collect();
            return;
        };
        let mut guide = PathCursor::new(&rewrite.graph);
        let mut preferred = HashMap::new();
        for (node, _, path) in self.edit.chosen_names.in_order() {
            if guide.resolve(path) == Some(node) {
                preferred.insert(node, path.clone());
            }
        }
        preferred.extend(self.paths_of_copies(rewrite));
        let all = || rewrite.keys.iter().chain(&rewrite.aliases).chain(&rewrite.made);
        let keys: Vec<_> = all().map(|rekeyed| (&rekeyed.key[..], rekeyed.node)).collect();
        let names = rewrite.graph.names_with(&keys, &preferred);
        self.names = vec![None; entries.len()];
        let (copies, made) = (rewrite.keys.len(), rewrite.keys.len() + rewrite.aliases.len());
        for (at, (Rekeyed { from: entry, key, .. }, name)) in all().zip(names).enumerate() {
            let is_copy = at >= copies && at < made;
            let copied_by = is_copy.then(|| self.copier(key)).flatten();
            let (name, full_name) = (Name::from(name.visible), name.full_name.map(Name::from));
            if at < copies {
                self.names[*entry] = Some(name.clone());
            }
            let shown = Shown { entry: *entry, key: key.as_slice().into(), name, full_name, copied_by };
            if at < made { self.shown.push(shown) } else { self.made.push(shown) }
        }
        self.name_inputs();
    }

    /// Gives each input of a new value the name of that value, so that it does not count as dropped.
    fn name_inputs(&mut self) {
        self.made.retain_mut(|shown| match self.edit.value_of(shown.entry) {
            Some(value) => {
                shown.entry = value;
                true
            }
            None => false,
        });
        for shown in &self.made {
            for &input in &self.new_values.values[shown.entry].inputs {
                self.names[input].get_or_insert_with(|| shown.name.clone());
            }
        }
    }

    /// Returns the path of each copy, which is the path in the alias rule.
    fn paths_of_copies(&self, rewrite: &Rewrite) -> Vec<(NodeId, SmolStr)> {
        let asked =
            self.aliases.copies.iter().filter_map(|copy| Some((rewrite.graph.resolve(&copy.to)?, &copy.to)));
        asked
            .filter(|(node, _)| rewrite.copies.contains_key(node))
            .map(|(node, to)| (node, to.as_str().into()))
            .collect()
    }

    /// Returns the rule that made a copy with this key: the rule of the longest copied path that the key begins with.
    fn copier(&self, key: &[u8]) -> Option<RuleId> {
        let ends = key.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let copy = |end: usize| self.aliases.copies.iter().find(|copy| copy.to.as_bytes() == &key[..end]);
        ends.collect::<Vec<_>>().into_iter().rev().find_map(copy).map(|copy| copy.rule)
    }

    /// Returns the variables. A variable whose value is impossible is left out, and the error is recorded in
    /// `values`.
    fn variables(&self, steps: &Steps<'_>, values: &mut Values<'_>, warnings: &mut Errors) -> Vec<Variable> {
        let places: Vec<Arc<str>> =
            self.matches.map.rules.iter().map(|rule| rule.span().to_string().as_str().into()).collect();
        let variable = |shown: &Shown| {
            let source = &self.matches.variables[shown.entry];
            let derived = steps.value_plan(shown.entry, shown.copied_by, warnings);
            let tensor = match &derived {
                Some(derived) => values.tensor(derived)?,
                None => source.tensor.clone(),
            };
            let named_by = shown.copied_by.or_else(|| self.renamer(shown));
            let rule = named_by.or_else(|| Some(derived.as_ref()?.inputs.first()?.steps.first()?.rule));
            let done =
                derived.as_ref().map(|derived| described(self.matches.map, derived, self.matches.variables));
            let origin = rule.map(|rule| Origin {
                name: source.name.clone(),
                rule: places[rule.index()].clone(),
                value: done.map(|done| done.as_str().into()),
            });
            Some(Variable {
                name: shown.name.clone(),
                key: Some(shown.key.clone()),
                // A variable that no rule renames keeps its key for readers without a graph.
                plain_key: source.plain_key.clone().filter(|_| named_by.is_none()),
                full_name: shown.full_name.clone(),
                tensor,
                origin: origin.or_else(|| source.origin.clone()),
            })
        };
        let mut variables = Vec::with_capacity(self.shown.len() + self.made.len());
        variables.extend(self.shown.iter().filter_map(variable));
        let made = self.made.iter().filter_map(|shown| self.new_variable(shown, steps, values, &places));
        variables.extend(made);
        variables.sort_by(|a, b| a.name.cmp(&b.name));
        variables
    }

    fn new_variable(
        &self,
        shown: &Shown,
        steps: &Steps<'_>,
        values: &mut Values<'_>,
        places: &[Arc<str>],
    ) -> Option<Variable> {
        let (matches, value) = (self.matches, &self.new_values.values[shown.entry]);
        let derived = steps.made(value);
        let name =
            value.inputs.first().map_or(Name::from(""), |input| matches.variables[*input].name.clone());
        let done = described(matches.map, &derived, matches.variables);
        let origin =
            Origin { name, rule: places[value.rule.index()].clone(), value: Some(done.as_str().into()) };
        Some(Variable {
            name: shown.name.clone(),
            key: Some(shown.key.clone()),
            plain_key: None,
            full_name: shown.full_name.clone(),
            tensor: values.tensor(&derived)?,
            origin: Some(origin),
        })
    }

    /// Returns the rule that changed the name of a value: its own rule, or the rule of its variable. `None` if the
    /// name is unchanged.
    fn renamer(&self, shown: &Shown) -> Option<RuleId> {
        let entry = &self.matches.entries[shown.entry];
        if entry.visible == shown.name.as_bytes() {
            return None;
        }
        let of = match entry.role {
            NameRole::Slot { of: Some(of) } => self.matches.entries[of].node,
            _ => entry.node,
        };
        let claimed = self.edit.chosen_names.get(of?).map(|(rule, _)| *rule);
        claimed.or_else(|| self.moves.takes.iter().map(|take| take.rule).min())
    }

    /// Returns every name that a pattern may have meant: the names of values and of the objects above them.
    fn candidates(&self) -> BTreeSet<Vec<u8>> {
        let mut names = BTreeSet::new();
        for entry in &self.matches.entries {
            let ends = entry.visible.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
            for end in ends.chain([entry.visible.len()]) {
                if !names.contains(&entry.visible[..end]) {
                    names.insert(entry.visible[..end].to_vec());
                }
            }
        }
        names
    }

    fn lost(&self) -> Vec<Lost> {
        let lost = self.rewrite.iter().flat_map(|rewrite| &rewrite.lost);
        let entry = |node: &NodeId| self.matches.of_node.get(*node).first().copied();
        let rule_of = |from: &str, to: &str| {
            self.moves.takes.iter().find(|take| take.path == from && take.to == to).map(|take| take.rule)
        };
        let row = |lost: &crate::graph::edit::Lost| {
            let rule = lost.from.as_ref().and_then(|from| rule_of(from, &lost.to));
            let (source, to) = (entry(&lost.node)?, entry(&lost.other)?);
            Some(Lost { source, name: lost.to.clone().into_bytes(), rule, to })
        };
        lost.filter_map(row).collect()
    }
}

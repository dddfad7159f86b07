//! The conversion of moves, aliases and drops to one edit of the graph.

pub(crate) mod chosen_names;

use foldhash::HashMap;

use crate::graph::edit;
use crate::graph::edit::{Edit, Rewrite};
use crate::graph::key::escape;
use crate::map::diagnostic::{Error, Errors, Kind};
use crate::map::options::Collision;
use crate::map::rule::{Rule, RuleId};
use crate::remap::objects::edit::chosen_names::{ChosenNames, by_rule, respelled};
use crate::remap::objects::matching::Matches;
use crate::remap::objects::matching::search::Edge;
use crate::remap::objects::plan::aliases::Aliases;
use crate::remap::objects::plan::moves::{How, Move, Moves};
use crate::remap::objects::plan::new_values::{NewValuePlace, NewValues, as_full_name};
use crate::remap::objects::plan::selection::Selected;
use crate::remap::objects::plan::targets::join_paths;

/// The number of faults of one kind that an error shows before "and N more".
const EXAMPLES: usize = 3;

/// The edit, and the rule of each change in it.
pub(crate) struct ObjectEdit<'g> {
    edit: Edit<'g>,
    /// The rules, by the path in the source and the new path.
    rules: HashMap<(String, String), RuleId>,
    pub(crate) chosen_names: ChosenNames,
    /// The number of each new value in the edit.
    made: Vec<Option<usize>>,
}

impl<'g> ObjectEdit<'g> {
    pub(crate) fn new(
        matches: &Matches<'g>,
        moves: &Moves<'_>,
        aliases: &Aliases,
        new_values: &NewValues,
        errors: &mut Errors,
    ) -> Self {
        let (rules, made) = Default::default();
        let chosen_names = ChosenNames::new(matches.graph.objects().nodes.len());
        let mut edit = Self { edit: Edit::new(matches.graph), rules, chosen_names, made };
        if matches.map.options.collision.or(Collision::Error) == Collision::First {
            edit.edit.first_wins();
        }
        edit.drop(matches, moves.selected);
        edit.take_inputs(matches, moves);
        for take in &moves.takes {
            match take.how {
                How::Along => {}
                How::Moves => {
                    let paths = (take.path.as_str(), take.to.as_str());
                    let is_spelled =
                        matches.map.rule(take.rule).pattern().is_some_and(|p| p.captures.is_empty());
                    edit.rename(matches, take.rule, paths, !is_spelled, errors);
                }
                How::Empties => edit.empty(matches, moves, take, errors),
            }
        }
        for copy in &aliases.copies {
            edit.copy(matches, copy.rule, &copy.path, &copy.to, errors);
        }
        edit.add_new_values(matches, new_values, errors);
        edit.full_names(matches, moves, aliases, errors);
        edit.chosen_names.visible(matches, moves);
        edit.chosen_names.moved(matches, moves);
        edit.hand_on_names(matches);
        edit
    }

    /// Returns the edited graph, or `None` if there are errors.
    pub(crate) fn finish(&self, matches: &Matches<'_>, errors: &mut Errors) -> Option<Rewrite> {
        let keys: Vec<_> = matches.entries.iter().map(|entry| (entry.key, entry.node)).collect();
        match self.edit.finish_owned(&keys) {
            Ok(rewrite) => Some(rewrite),
            Err(faults) => {
                self.groups(&faults)
                    .iter()
                    .for_each(|(rule, group)| errors.push(error(matches, *rule, group)));
                None
            }
        }
    }

    fn drop(&mut self, matches: &Matches<'_>, selected: &Selected) {
        for &(node, child) in selected.cut.keys() {
            self.edit.drop_edge(node, &matches.node(node).children[child].local_name);
        }
        selected.objects.keys().for_each(|node| self.edit.drop_values(*node));
        selected.slots.keys().for_each(|slot| self.edit.drop_slot(*slot));
    }

    fn take_inputs(&mut self, matches: &Matches<'_>, moves: &Moves<'_>) {
        for &(node, child) in moves.used.keys() {
            self.edit.take_edge(node, &matches.node(node).children[child].local_name);
        }
        moves.used_up.keys().for_each(|node| self.edit.drop_values(*node));
    }

    fn add_new_values(&mut self, matches: &Matches<'_>, new_values: &NewValues, errors: &mut Errors) {
        for value in &new_values.values {
            let made = match &value.place {
                NewValuePlace::Path(path) => {
                    self.rules.insert((String::new(), path.clone()), value.rule);
                    let made = self.edit.add_variable(path, &as_full_name(path));
                    made.map_err(|fault| errors.push(misspelled(matches, value.rule, &fault))).ok()
                }
                NewValuePlace::Slot { of, optimizer, name } => {
                    self.made[*of].map(|of| self.edit.add_slot_variable(of, *optimizer, name))
                }
            };
            self.made.push(made);
        }
        for (rule, made, path) in &new_values.links {
            self.rules.insert((String::new(), path.clone()), *rule);
            if let Some(Err(fault)) = self.made[*made].map(|made| self.edit.link_made(made, path)) {
                errors.push(misspelled(matches, *rule, &fault));
            }
        }
    }

    /// Returns the index of the new value that has the number `made` in the edit.
    pub(crate) fn value_of(&self, made: usize) -> Option<usize> {
        self.made.iter().position(|other| *other == Some(made))
    }

    fn rename(
        &mut self,
        matches: &Matches<'_>,
        rule: RuleId,
        (from, to): (&str, &str),
        merges: bool,
        errors: &mut Errors,
    ) {
        match if merges { self.edit.merge(from, to) } else { self.edit.rename(from, to) } {
            Ok(()) => drop(self.rules.insert((from.to_owned(), to.to_owned()), rule)),
            Err(fault) => errors.push(misspelled(matches, rule, &fault)),
        }
    }

    fn copy(&mut self, matches: &Matches<'_>, rule: RuleId, from: &str, to: &str, errors: &mut Errors) {
        let copied = match matches.map.rule(rule).follow_slots {
            true => self.edit.alias(from, to),
            false => self.edit.alias_without_slots(from, to),
        };
        match copied {
            Ok(()) => drop(self.rules.insert((from.to_owned(), to.to_owned()), rule)),
            Err(fault) => errors.push(misspelled(matches, rule, &fault)),
        }
    }

    /// Moves the contents of an object, and leaves the object.
    fn empty(&mut self, matches: &Matches<'_>, moves: &Moves<'_>, take: &Move, errors: &mut Errors) {
        let place = matches.map.rule(take.rule).span();
        if !matches.node(take.node).slots.is_empty() {
            let what = format!("the optimizer {} cannot become {}", shown(&take.path), shown(&take.to));
            errors.push(Error::new(Kind::Name, place, what).note("its slots cannot go without it"));
            return;
        }
        for (child, edge) in matches.node(take.node).children.iter().enumerate() {
            let (at, name): (Edge, _) = ((take.node, child), escape(&edge.local_name));
            let (path, to) = (join_paths(&take.path, &name), join_paths(&take.to, &name));
            if !moves.has_own_path(at) && !matches.is_counter(at) {
                self.rename(matches, take.rule, (&path, &to), true, errors);
            }
        }
    }

    /// Renames full names. A changed full name also becomes a path to the variable, and the variable's name.
    fn full_names(
        &mut self,
        matches: &Matches<'_>,
        moves: &Moves<'_>,
        aliases: &Aliases,
        errors: &mut Errors,
    ) {
        let mut renamed: Vec<_> = moves.full_names.iter().collect();
        renamed.sort();
        for (&entry, (rule, full_name)) in renamed {
            let Some(node) = matches.entries[entry].node else { continue };
            if matches.entries[entry].full_name == Some(full_name.as_bytes()) {
                continue;
            }
            self.edit.rename_full_name(node, full_name);
            let Some(from) = matches.graph.path(node).filter(|_| !matches.is_slot(entry)) else { continue };
            let to = as_path(full_name);
            match self.edit.link(&from, &to) {
                Ok(()) => {
                    self.chosen_names.insert(node, *rule, to.clone());
                    self.rules.insert((from, to), *rule);
                }
                Err(fault) => errors.push(misspelled(matches, *rule, &fault)),
            }
        }
        for (rule, entry, full_name) in &aliases.full_names {
            let from = matches.entries[*entry].node.and_then(|node| matches.graph.path(node));
            if let Some(from) = from.filter(|_| !matches.is_slot(*entry)) {
                self.copy(matches, *rule, &from, &as_path(full_name), errors);
            }
        }
    }

    /// Passes the claims to the edit. If the old full name was the old path, or the end of it, the full name changes
    /// with the path. It also changes if the rule's pattern matches it.
    fn hand_on_names(&mut self, matches: &Matches<'_>) {
        for (node, rule, to) in self.chosen_names.in_order() {
            self.edit.claim(node, to.clone());
            let Some(&entry) = matches.of_node.get(node).first() else { continue };
            let full_name = matches.entries[entry].full_name.and_then(|name| std::str::from_utf8(name).ok());
            let Some((path, full_name)) = matches.visible_path(entry).zip(full_name) else { continue };
            if let Some(new) = respelled(path, to, full_name).or_else(|| by_rule(matches, rule, full_name)) {
                self.edit.rename_full_name(node, &new);
            }
        }
    }

    /// Groups faults of one kind that one rule caused.
    fn groups<'e>(&self, faults: &'e [edit::Error]) -> Vec<(Option<RuleId>, Vec<&'e edit::Error>)> {
        let (mut groups, mut known) = (vec![], HashMap::default());
        for fault in faults {
            let rule = self.rule_of(fault);
            let at = *known.entry((rule, std::mem::discriminant(fault))).or_insert(groups.len());
            if at == groups.len() {
                groups.push((rule, vec![]));
            }
            groups[at].1.push(fault);
        }
        groups
    }

    fn rule_of(&self, fault: &edit::Error) -> Option<RuleId> {
        let rule = match fault {
            edit::Error::Taken { from, to } => {
                // In a merge, the fault's path is below the path of the change.
                let ends = to.match_indices('/').map(|(at, _)| at).chain([to.len()]);
                let mut wished = ends.map(|end| to[..end].to_owned());
                wished.find_map(|to| self.rules.get(&(from.clone(), to)))
            }
            edit::Error::Occupied { path } => self.rules.get(&(String::new(), path.clone())),
            edit::Error::RegisteredSaver { path, .. } => {
                let of_path = self.rules.iter().filter(|((from, _), _)| from == path);
                of_path.map(|(_, rule)| rule).min()
            }
            _ => None,
        };
        rule.copied()
    }
}

/// Returns one error for faults of one kind that one rule caused.
fn error(matches: &Matches<'_>, rule: Option<RuleId>, faults: &[&edit::Error]) -> Error {
    let rule = rule.or_else(|| matches.map.ids().next()).map(|rule| matches.map.rule(rule));
    let rule = rule.expect("without a rule nothing changes");
    let (first, more) = (faults[0], faults.len().saturating_sub(EXAMPLES));
    let error = match faults {
        [fault] => Error::new(kind(fault), rule.span(), fault.to_string()),
        _ => {
            let what = format!("{} variables cannot be renamed", faults.len());
            let examples = faults.iter().take(EXAMPLES).map(|fault| fault.to_string());
            let more = (more > 0).then(|| format!("and {more} more like these"));
            examples.chain(more).fold(Error::new(kind(first), rule.span(), what), Error::note)
        }
    };
    match first {
        edit::Error::Taken { .. } => error.helps(with_content(rule)).help(
            "drop or rename the other, or let the first win: `collision = \"first\"`, `--collision first`",
        ),
        edit::Error::Occupied { .. } => error.help("drop the other, or give it another name"),
        _ => error,
    }
}

/// Suggests a target that keeps the match of a final `**`, if the rule leaves that out.
fn with_content(rule: &Rule) -> Option<String> {
    let ([(template, to)], Some(pattern)) = (rule.targets.as_slice(), rule.pattern()) else { return None };
    let is_deep = pattern.text == "**" || pattern.text.ends_with("/**");
    template.literal().filter(|_| is_deep)?;
    Some(format!("to keep what `**` matches write `{}/**`", to.text.trim_end_matches('/')))
}

fn kind(fault: &edit::Error) -> Kind {
    match fault {
        edit::Error::Taken { .. } | edit::Error::Occupied { .. } | edit::Error::Collision { .. } => {
            Kind::Collision
        }
        _ => Kind::Name,
    }
}

/// Returns the error for a new path that is not valid.
fn misspelled(matches: &Matches<'_>, rule: RuleId, fault: &edit::Error) -> Error {
    let rule = matches.map.rule(rule);
    let place = rule.targets.first().map_or(rule.span(), |(_, written)| &written.span);
    let error = Error::new(Kind::Name, place, fault.to_string());
    match fault {
        edit::Error::Impossible { why, .. } if why.contains("escaped") => {
            error.help("in the path of an object a dot in a name is written `..`, and a slash in one `.S`")
        }
        _ => error,
    }
}

fn shown(path: &str) -> String {
    if path.is_empty() { "the root".into() } else { format!("`{path}`") }
}

/// Converts a name with slashes to a path.
fn as_path(name: &str) -> String {
    name.split('/').map(escape).collect::<Vec<_>>().join("/")
}

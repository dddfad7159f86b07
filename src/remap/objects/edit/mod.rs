//! From what rules take, copy and drop to one edit of the graph.

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
use crate::remap::objects::plan::new_values::{NewValues, NewValuePlace, as_full_name};
use crate::remap::objects::plan::selection::Selected;
use crate::remap::objects::plan::targets::join_paths;

/// Faults of one sort that an error shows before "and N more".
const EXAMPLES: usize = 3;

/// The edit, and which rule wished for what.
pub(crate) struct ObjectEdit<'g> {
    edit: Edit<'g>,
    /// By the path in the source and the new one.
    rules: HashMap<(String, String), RuleId>,
    pub(crate) claims: ChosenNames,
    /// For each new value its number in the edit.
    made: Vec<Option<usize>>,
}

impl<'g> ObjectEdit<'g> {
    pub(crate) fn new(
        survey: &Matches<'g>,
        taking: &Moves<'_>,
        copying: &Aliases,
        making: &NewValues,
        errors: &mut Errors,
    ) -> Self {
        let (rules, made) = Default::default();
        let claims = ChosenNames::new(survey.graph.objects().nodes.len());
        let mut wishes = Self { edit: Edit::new(survey.graph), rules, claims, made };
        if survey.map.options.collision.or(Collision::Error) == Collision::First {
            wishes.edit.first_wins();
        }
        wishes.drop(survey, taking.selected);
        wishes.take_inputs(survey, taking);
        for take in &taking.takes {
            match take.how {
                How::Along => {}
                How::Moves => {
                    let paths = (take.path.as_str(), take.to.as_str());
                    let is_spelled = survey.map.rule(take.rule).pattern().is_some_and(|p| p.captures.is_empty());
                    wishes.rename(survey, take.rule, paths, !is_spelled, errors);
                }
                How::Empties => wishes.empty(survey, taking, take, errors),
            }
        }
        for copy in &copying.copies {
            wishes.copy(survey, copy.rule, &copy.path, &copy.to, errors);
        }
        wishes.make(survey, making, errors);
        wishes.full_names(survey, taking, copying, errors);
        wishes.claims.visible(survey, taking);
        wishes.claims.moved(survey, taking);
        wishes.hand_on_claims(survey);
        wishes
    }

    /// The edited graph, unless something is wrong.
    pub(crate) fn finish(&self, survey: &Matches<'_>, errors: &mut Errors) -> Option<Rewrite> {
        let keys: Vec<_> = survey.entries.iter().map(|entry| (entry.key, entry.node)).collect();
        match self.edit.finish_owned(&keys) {
            Ok(rewrite) => Some(rewrite),
            Err(faults) => {
                self.groups(&faults)
                    .iter()
                    .for_each(|(rule, group)| errors.push(error(survey, *rule, group)));
                None
            }
        }
    }

    fn drop(&mut self, survey: &Matches<'_>, selected: &Selected) {
        for &(node, child) in selected.cut.keys() {
            self.edit.drop_edge(node, &survey.node(node).children[child].local_name);
        }
        selected.objects.keys().for_each(|node| self.edit.drop_values(*node));
        selected.slots.keys().for_each(|slot| self.edit.drop_slot(*slot));
    }

    fn take_inputs(&mut self, survey: &Matches<'_>, taking: &Moves<'_>) {
        for &(node, child) in taking.used.keys() {
            self.edit.take_edge(node, &survey.node(node).children[child].local_name);
        }
        taking.used_up.keys().for_each(|node| self.edit.drop_values(*node));
    }

    fn make(&mut self, survey: &Matches<'_>, making: &NewValues, errors: &mut Errors) {
        for value in &making.values {
            let made = match &value.place {
                NewValuePlace::Path(path) => {
                    self.rules.insert((String::new(), path.clone()), value.rule);
                    let made = self.edit.add_variable(path, &as_full_name(path));
                    made.map_err(|fault| errors.push(misspelled(survey, value.rule, &fault))).ok()
                }
                NewValuePlace::Slot { of, optimizer, name } => {
                    self.made[*of].map(|of| self.edit.add_slot_variable(of, *optimizer, name))
                }
            };
            self.made.push(made);
        }
        for (rule, made, path) in &making.links {
            self.rules.insert((String::new(), path.clone()), *rule);
            if let Some(Err(fault)) = self.made[*made].map(|made| self.edit.link_made(made, path)) {
                errors.push(misspelled(survey, *rule, &fault));
            }
        }
    }

    /// Which of the new values has this number in the edit.
    pub(crate) fn value_of(&self, made: usize) -> Option<usize> {
        self.made.iter().position(|other| *other == Some(made))
    }

    fn rename(
        &mut self,
        survey: &Matches<'_>,
        rule: RuleId,
        (from, to): (&str, &str),
        merges: bool,
        errors: &mut Errors,
    ) {
        match if merges { self.edit.merge(from, to) } else { self.edit.rename(from, to) } {
            Ok(()) => drop(self.rules.insert((from.to_owned(), to.to_owned()), rule)),
            Err(fault) => errors.push(misspelled(survey, rule, &fault)),
        }
    }

    fn copy(&mut self, survey: &Matches<'_>, rule: RuleId, from: &str, to: &str, errors: &mut Errors) {
        let copied = match survey.map.rule(rule).follow_slots {
            true => self.edit.alias(from, to),
            false => self.edit.alias_without_slots(from, to),
        };
        match copied {
            Ok(()) => drop(self.rules.insert((from.to_owned(), to.to_owned()), rule)),
            Err(fault) => errors.push(misspelled(survey, rule, &fault)),
        }
    }

    /// Moves what is in an object, and leaves the object.
    fn empty(&mut self, survey: &Matches<'_>, taking: &Moves<'_>, take: &Move, errors: &mut Errors) {
        let place = survey.map.rule(take.rule).place();
        if !survey.node(take.node).slots.is_empty() {
            let what = format!("the optimizer {} cannot become {}", shown(&take.path), shown(&take.to));
            errors.push(Error::new(Kind::Name, place, what).note("its slots cannot go without it"));
            return;
        }
        for (child, edge) in survey.node(take.node).children.iter().enumerate() {
            let (at, name): (Edge, _) = ((take.node, child), escape(&edge.local_name));
            let (path, to) = (join_paths(&take.path, &name), join_paths(&take.to, &name));
            if !taking.has_its_own_way(at) && !survey.is_counter(at) {
                self.rename(survey, take.rule, (&path, &to), true, errors);
            }
        }
    }

    /// A full name that changes is a path too: the variable can be had by it, and is called so.
    fn full_names(
        &mut self,
        survey: &Matches<'_>,
        taking: &Moves<'_>,
        copying: &Aliases,
        errors: &mut Errors,
    ) {
        let mut renamed: Vec<_> = taking.full_names.iter().collect();
        renamed.sort();
        for (&entry, (rule, full_name)) in renamed {
            let Some(node) = survey.entries[entry].node else { continue };
            if survey.entries[entry].full_name == Some(full_name.as_bytes()) {
                continue;
            }
            self.edit.rename_full_name(node, full_name);
            let Some(from) = survey.graph.path(node).filter(|_| !survey.is_slot(entry)) else { continue };
            let to = as_path(full_name);
            match self.edit.link(&from, &to) {
                Ok(()) => {
                    self.claims.insert(node, *rule, to.clone());
                    self.rules.insert((from, to), *rule);
                }
                Err(fault) => errors.push(misspelled(survey, *rule, &fault)),
            }
        }
        for (rule, entry, full_name) in &copying.full_names {
            let from = survey.entries[*entry].node.and_then(|node| survey.graph.path(node));
            if let Some(from) = from.filter(|_| !survey.is_slot(*entry)) {
                self.copy(survey, *rule, &from, &as_path(full_name), errors);
            }
        }
    }

    /// Hands the claims on. A full name that spelled the old path, or the end of it, spells the new one; so does one that
    /// the rule's pattern matches too.
    fn hand_on_claims(&mut self, survey: &Matches<'_>) {
        for (node, rule, to) in self.claims.in_order() {
            self.edit.claim(node, to.clone());
            let Some(&entry) = survey.of_node.get(node).first() else { continue };
            let full_name = survey.entries[entry].full_name.and_then(|name| std::str::from_utf8(name).ok());
            let Some((path, full_name)) = survey.visible_path(entry).zip(full_name) else { continue };
            if let Some(new) = respelled(path, to, full_name).or_else(|| by_rule(survey, rule, full_name)) {
                self.edit.rename_full_name(node, &new);
            }
        }
    }

    /// Faults of one sort that one rule made.
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
                // Within a merge the path is one below that of the wish.
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

/// Faults of one sort that one rule made are one error.
fn error(survey: &Matches<'_>, rule: Option<RuleId>, faults: &[&edit::Error]) -> Error {
    let rule = rule.or_else(|| survey.map.ids().next()).map(|rule| survey.map.rule(rule));
    let rule = rule.expect("without a rule nothing changes");
    let (first, more) = (faults[0], faults.len().saturating_sub(EXAMPLES));
    let error = match faults {
        [fault] => Error::new(kind(fault), rule.place(), fault.to_string()),
        _ => {
            let what = format!("{} new names cannot be given", faults.len());
            let examples = faults.iter().take(EXAMPLES).map(|fault| fault.to_string());
            let more = (more > 0).then(|| format!("and {more} more like these"));
            examples.chain(more).fold(Error::new(kind(first), rule.place(), what), Error::note)
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

/// The target that keeps what a final `**` matches, where a rule leaves that out.
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

/// A new path that cannot be one.
fn misspelled(survey: &Matches<'_>, rule: RuleId, fault: &edit::Error) -> Error {
    let rule = survey.map.rule(rule);
    let place = rule.targets.first().map_or(rule.place(), |(_, written)| &written.place);
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

/// A name with slashes as a path.
fn as_path(name: &str) -> String {
    name.split('/').map(escape).collect::<Vec<_>>().join("/")
}

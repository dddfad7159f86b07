//! The source as the rules see it: the matches of each rule in the object graph.
//!
//! Patterns match paths, which are escaped as `ls` shows them. If a pattern matches no path, it is tried on the full
//! names. The checkpoint's own `save_counter` is not part of the program. Only a rule that contains its name applies
//! to it.

pub(crate) mod automaton;
pub(crate) mod scopes;
pub(crate) mod search;
pub(crate) mod slot_values;

use std::cell::OnceCell;

use foldhash::HashMap;

use crate::catalog::Variable;
use crate::format::object_graph::{Node, NodeId, Slot};
use crate::graph::{Graph, NameRole, ROOT, key};
use crate::map::Map;
use crate::map::diagnostic::{Error, Errors, Kind};
use crate::map::pattern::Pattern;
use crate::map::rule::{MatchOn, Matcher, Rule, RuleId, Verb};
use crate::remap::objects::matching::automaton::TooComplex;
use crate::remap::objects::matching::search::{Edge, Meaning, PathMatch, search};
use crate::remap::objects::matching::slot_values::SlotValues;

const COUNTER: &str = "save_counter";

/// A value of the bundle.
pub(crate) struct Entry<'a> {
    /// The name that is shown to users.
    pub(crate) visible: &'a [u8],
    pub(crate) key: &'a [u8],
    pub(crate) full_name: Option<&'a [u8]>,
    /// The object that has the value. `None` if the graph does not have the key.
    pub(crate) node: Option<NodeId>,
    pub(crate) role: NameRole,
    pub(crate) optimizer_state: bool,
}

/// Everything that is known before any rule applies.
pub(crate) struct Matches<'a> {
    pub(crate) map: &'a Map,
    pub(crate) graph: &'a Graph,
    pub(crate) variables: &'a [Variable],
    /// The values, in the order of the catalog.
    pub(crate) entries: Vec<Entry<'a>>,
    /// The entries of each object.
    pub(crate) of_node: EntriesByNode,
    pub(crate) slot_values: SlotValues,
    /// The matches of each rule.
    pub(crate) by_rule: Vec<RuleMatches>,
    counter: Option<usize>,
    /// The slots of each variable: the optimizer, and the index of the slot in it. Computed on first use.
    slots: OnceCell<HashMap<NodeId, Vec<(NodeId, usize)>>>,
}

/// The entries of each object, in one list.
pub(crate) struct EntriesByNode {
    starts: Vec<usize>,
    entries: Vec<usize>,
}

impl EntriesByNode {
    fn new(nodes: usize, entries: &[Entry<'_>]) -> Self {
        let mut owned: Vec<_> =
            entries.iter().enumerate().filter_map(|(at, entry)| Some((entry.node?, at))).collect();
        owned.sort_unstable();
        let mut starts = Vec::with_capacity(nodes + 1);
        for node in 0..=nodes {
            let from = starts.last().copied().unwrap_or(0);
            starts.push(from + owned[from..].iter().take_while(|(owner, _)| *owner < node).count());
        }
        Self { starts, entries: owned.into_iter().map(|(_, at)| at).collect() }
    }

    pub(crate) fn get(&self, node: NodeId) -> &[usize] {
        match self.starts.get(node..node + 2) {
            Some(&[start, end]) => &self.entries[start..end],
            // The edit created this object.
            _ => &[],
        }
    }

    pub(crate) fn has(&self, node: NodeId) -> bool {
        !self.get(node).is_empty()
    }
}

/// The matches of one rule.
pub(crate) struct RuleMatches {
    pub(crate) meaning: Meaning,
    /// The matching paths, shorter paths first.
    pub(crate) found: Vec<PathMatch>,
    /// The entries that the rule selects by full name, by role, or by a key that is not a path.
    pub(crate) entries: Vec<usize>,
}

impl RuleMatches {
    /// Adds the matches of another pattern of the same rule.
    fn with(mut self, other: Self) -> Self {
        self.found.extend(other.found);
        self.entries.extend(other.entries);
        self
    }
}

impl<'a> Matches<'a> {
    pub(crate) fn new(
        map: &'a Map,
        graph: &'a Graph,
        variables: &'a [Variable],
        errors: &mut Errors,
    ) -> Self {
        let keys: Vec<_> = variables.iter().map(|variable| variable.key().as_bytes()).collect();
        let roles = graph.roles(&keys);
        let entry = |(variable, role): (&'a Variable, crate::graph::Known)| Entry {
            visible: variable.name.as_bytes(),
            key: variable.key().as_bytes(),
            full_name: variable.full_name.as_ref().map(|name| name.as_bytes()),
            node: role.node,
            role: role.role,
            optimizer_state: role.optimizer_state,
        };
        let entries: Vec<_> = variables.iter().zip(roles).map(entry).collect();
        let of_node = EntriesByNode::new(graph.objects().nodes.len(), &entries);
        let slot_values = SlotValues::new(graph, entries.iter().map(|entry| (entry.key, entry.node)));
        let (of_rule, counter, slots) = (Vec::new(), graph.child_at(ROOT, COUNTER), OnceCell::new());
        let mut matches =
            Self { map, graph, variables, entries, of_node, slot_values, by_rule: of_rule, counter, slots };
        matches.by_rule = map.rules.iter().map(|rule| matches.matches_of(rule, errors)).collect();
        matches
    }

    pub(crate) fn all_rules(&self) -> impl Iterator<Item = (RuleId, &'a Rule, &RuleMatches)> {
        let all = self.map.ids().zip(&self.map.rules).zip(&self.by_rule);
        all.map(|((id, rule), of_rule)| (id, rule, of_rule))
    }

    pub(crate) fn rules(&self, verb: Verb) -> impl Iterator<Item = (RuleId, &'a Rule, &RuleMatches)> {
        self.all_rules().filter(move |(_, rule, _)| rule.verb == verb)
    }

    pub(crate) fn node(&self, node: NodeId) -> &'a Node {
        &self.graph.objects().nodes[node]
    }

    /// Returns the object at the end of an edge.
    pub(crate) fn child(&self, (node, child): Edge) -> NodeId {
        self.node(node).children[child].node
    }

    /// Returns true for the edge to the save counter. Rules ignore it unless they contain its name.
    pub(crate) fn is_counter(&self, edge: Edge) -> bool {
        edge.0 == ROOT && Some(edge.1) == self.counter
    }

    pub(crate) fn counter(&self) -> Option<NodeId> {
        Some(self.child((ROOT, self.counter?)))
    }

    /// Returns the edges along an escaped path.
    pub(crate) fn edges(&self, path: &str) -> Option<Vec<Edge>> {
        let (mut way, mut node) = (Vec::new(), ROOT);
        for component in path.split('/').filter(|_| !path.is_empty()) {
            let child = self.graph.child_at(node, &key::unescape(component)?)?;
            way.push((node, child));
            node = self.child((node, child));
        }
        Some(way)
    }

    /// Returns the path by which an entry is shown. `None` if it is not shown by a path.
    pub(crate) fn visible_path(&self, entry: usize) -> Option<&'a str> {
        let visible = std::str::from_utf8(self.entries[entry].visible).ok()?;
        Some(key::split_text(visible).map_or(visible, |(path, _)| path)).filter(|path| !path.is_empty())
    }

    /// Returns the value of the variable at the end of a path. `None` if that is not a variable.
    pub(crate) fn variable_at(&self, found: &PathMatch) -> Option<usize> {
        let entries = if found.leaf.is_some() { &[][..] } else { self.of_node.get(found.node) };
        entries.iter().copied().find(|entry| self.entries[*entry].role == NameRole::Variable)
    }

    /// Returns the object that has a value.
    pub(crate) fn node_of(&self, entry: usize) -> Option<NodeId> {
        self.entries[entry].node
    }

    /// Returns the slots that optimizers keep for a variable.
    pub(crate) fn slots_of(&self, variable: NodeId) -> impl Iterator<Item = (NodeId, &'a Slot)> {
        let all = self.slots.get_or_init(|| {
            let mut slots: HashMap<NodeId, Vec<(NodeId, usize)>> = HashMap::default();
            for (optimizer, node) in self.graph.objects().nodes.iter().enumerate() {
                for (at, slot) in node.slots.iter().enumerate() {
                    slots.entry(slot.original).or_default().push((optimizer, at));
                }
            }
            slots
        });
        let slots = all.get(&variable).into_iter().flatten();
        slots.map(|&(optimizer, at)| (optimizer, &self.node(optimizer).slots[at]))
    }

    /// Returns true if an entry is a slot.
    pub(crate) fn is_slot(&self, entry: usize) -> bool {
        matches!(self.entries[entry].role, NameRole::Slot { .. })
    }

    fn matches_of(&self, rule: &'a Rule, errors: &mut Errors) -> RuleMatches {
        let none = RuleMatches { meaning: Meaning::Paths, found: vec![], entries: vec![] };
        let all = 0..self.entries.len();
        let pattern = match &rule.matcher {
            Matcher::Pattern(pattern) => pattern,
            Matcher::Optimizer => {
                let entries = all.filter(|&at| self.entries[at].optimizer_state).collect();
                return RuleMatches { entries, ..none };
            }
            Matcher::Damaged(entries) => return RuleMatches { entries: entries.clone(), ..none },
            Matcher::Members(patterns) => {
                let each = patterns.iter().map(|pattern| self.matches_of_pattern(rule, pattern, errors));
                return each.fold(none, RuleMatches::with);
            }
            Matcher::Nothing => return none,
        };
        self.matches_of_pattern(rule, pattern, errors)
    }

    fn matches_of_pattern(&self, rule: &'a Rule, pattern: &Pattern, errors: &mut Errors) -> RuleMatches {
        let none = RuleMatches { meaning: Meaning::Paths, found: vec![], entries: vec![] };
        let all = 0..self.entries.len();
        if let Some(MatchOn::Key) = rule.match_on {
            return self.by_key(pattern);
        }
        let by_full_name =
            |at: &usize| self.entries[*at].full_name.is_some_and(|name| pattern.is_match(name));
        let full_names = || all.filter(by_full_name).collect::<Vec<_>>();
        if let Some(MatchOn::FullName) = rule.match_on {
            return RuleMatches { entries: full_names(), ..none };
        }
        let found = match meaning(rule, pattern) {
            Meaning::Containers => match self.search(rule, pattern, Meaning::Containers) {
                // The values below a variable are not the content of an object.
                Ok(found) if found.is_empty() => {
                    self.search(rule, pattern, Meaning::Paths).map(|f| (Meaning::Paths, f))
                }
                found => found.map(|found| (Meaning::Containers, found)),
            },
            Meaning::Paths => self.search(rule, pattern, Meaning::Paths).map(|found| (Meaning::Paths, found)),
        };
        let Ok((meaning, found)) = found else {
            let error =
                Error::new(Kind::Pattern, rule.span(), "the pattern is too complex for an object graph");
            errors.push(error.help("write it as several rules"));
            return none;
        };
        let entries = if found.is_empty() && rule.match_on.is_none() { full_names() } else { vec![] };
        RuleMatches { meaning, found, entries }
    }

    fn search(&self, rule: &Rule, pattern: &Pattern, meaning: Meaning) -> Result<Vec<PathMatch>, TooComplex> {
        let mut found = search(self.graph, &self.slot_values, pattern, meaning)?;
        let spells = rule.from().text.contains(COUNTER);
        found.retain(|found| spells || !found.edges.first().is_some_and(|edge| self.is_counter(*edge)));
        found.retain(|found| meaning == Meaning::Paths || self.has_content(rule.verb, found.node));
        Ok(found)
    }

    /// Returns the entries whose keys match. An entry is returned as a path if its key is a path that leads to it.
    fn by_key(&self, pattern: &Pattern) -> RuleMatches {
        let (mut found, mut entries) = (Vec::new(), Vec::new());
        for (at, entry) in self.entries.iter().enumerate() {
            let stem = key::stem(entry.key);
            if !pattern.is_match(stem) {
                continue;
            }
            let path = key::split(entry.key).and_then(|(path, _)| std::str::from_utf8(path).ok());
            let way = path.and_then(|path| Some((path, self.edges(path)?)));
            match way.filter(|(_, way)| way.last().map(|edge| self.child(*edge)) == entry.node) {
                Some((path, way)) if stem == path.as_bytes() => {
                    let node = entry.node.unwrap_or(ROOT);
                    found.push(PathMatch { path: path.to_owned(), edges: way, node, leaf: None });
                }
                _ => entries.push(at),
            }
        }
        found.sort_by_key(|found| found.edges.len());
        RuleMatches { meaning: Meaning::Paths, found, entries }
    }

    /// Returns true if an object has content that a rule for its whole content can select.
    fn has_content(&self, verb: Verb, node: NodeId) -> bool {
        let Node { children, slots, .. } = self.node(node);
        let mut slot_values = self.slot_values.below(node).iter();
        let moves = matches!(verb, Verb::Rename | Verb::Alias);
        !children.is_empty() || !slots.is_empty() || slot_values.any(|leaf| !moves || leaf.slot.is_none())
    }
}

/// Returns `Containers` if a rule selects the whole content of objects and moves it unchanged, otherwise `Paths`.
fn meaning(rule: &Rule, pattern: &Pattern) -> Meaning {
    let last = pattern.captures.len().wrapping_sub(1);
    let as_it_is = rule.targets.iter().all(|(template, _)| template.container(last).is_some());
    match pattern.container() {
        // Variables have values, objects do not.
        Some(_) if matches!(rule.verb, Verb::Convert | Verb::Join | Verb::Split) => Meaning::Paths,
        Some(_) if as_it_is => Meaning::Containers,
        _ => Meaning::Paths,
    }
}

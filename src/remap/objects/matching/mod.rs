//! The source as the rules see it: what each of them matches in the object graph.
//!
//! Patterns are held against paths, escaped as `ls` shows them. One that means no path is tried on the full names. The
//! checkpoint's own `save_counter` is no part of the program: only a rule that spells it concerns it.

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

/// One value of the bundle.
pub(crate) struct Entry<'a> {
    /// What it is called.
    pub(crate) visible: &'a [u8],
    pub(crate) key: &'a [u8],
    pub(crate) full_name: Option<&'a [u8]>,
    /// The object that has it, if the graph knows the key.
    pub(crate) node: Option<NodeId>,
    pub(crate) role: NameRole,
    pub(crate) optimizer_state: bool,
}

/// Everything that is known before any rule acts.
pub(crate) struct Matches<'a> {
    pub(crate) map: &'a Map,
    pub(crate) graph: &'a Graph,
    pub(crate) variables: &'a [Variable],
    /// In the order of the catalog.
    pub(crate) entries: Vec<Entry<'a>>,
    /// The entries that each object has.
    pub(crate) of_node: EntriesByNode,
    pub(crate) slot_values: SlotValues,
    /// What each rule matches.
    pub(crate) by_rule: Vec<RuleMatches>,
    counter: Option<usize>,
    /// The slots of each variable: the optimizer, and which of its slots. Made when first asked for.
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
            // An object that the edit made.
            _ => &[],
        }
    }

    pub(crate) fn has(&self, node: NodeId) -> bool {
        !self.get(node).is_empty()
    }
}

/// What one rule matches.
pub(crate) struct RuleMatches {
    pub(crate) meaning: Meaning,
    /// Shorter paths first.
    pub(crate) found: Vec<PathMatch>,
    /// Entries that it means by their full names, or by what they are.
    pub(crate) entries: Vec<usize>,
}

impl RuleMatches {
    /// With what another pattern of the same rule matches.
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

    /// The object at the end of an edge.
    pub(crate) fn child(&self, (node, child): Edge) -> NodeId {
        self.node(node).children[child].node
    }

    /// The edge to the save counter, which rules pass by unless they spell it.
    pub(crate) fn is_counter(&self, edge: Edge) -> bool {
        edge.0 == ROOT && Some(edge.1) == self.counter
    }

    pub(crate) fn counter(&self) -> Option<NodeId> {
        Some(self.child((ROOT, self.counter?)))
    }

    /// The edges along an escaped path.
    pub(crate) fn edges(&self, path: &str) -> Option<Vec<Edge>> {
        let (mut way, mut node) = (Vec::new(), ROOT);
        for component in path.split('/').filter(|_| !path.is_empty()) {
            let child = self.graph.child_at(node, &key::unescape(component)?)?;
            way.push((node, child));
            node = self.child((node, child));
        }
        Some(way)
    }

    /// The path of the graph that an entry is called by, if it is called by one.
    pub(crate) fn visible_path(&self, entry: usize) -> Option<&'a str> {
        let visible = std::str::from_utf8(self.entries[entry].visible).ok()?;
        Some(key::split_text(visible).map_or(visible, |(path, _)| path)).filter(|path| !path.is_empty())
    }

    /// The value of the variable that a path leads to, if it leads to one.
    pub(crate) fn variable_at(&self, found: &PathMatch) -> Option<usize> {
        let entries = if found.leaf.is_some() { &[][..] } else { self.of_node.get(found.node) };
        entries.iter().copied().find(|entry| self.entries[*entry].role == NameRole::Variable)
    }

    /// The object that has a value.
    pub(crate) fn node_of(&self, entry: usize) -> Option<NodeId> {
        self.entries[entry].node
    }

    /// What optimizers keep for a variable.
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

    /// The slots among the entries.
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
                // What is below a variable is no object's content.
                Ok(found) if found.is_empty() => {
                    self.search(rule, pattern, Meaning::Paths).map(|f| (Meaning::Paths, f))
                }
                found => found.map(|found| (Meaning::Containers, found)),
            },
            Meaning::Paths => self.search(rule, pattern, Meaning::Paths).map(|found| (Meaning::Paths, found)),
        };
        let Ok((meaning, found)) = found else {
            let error =
                Error::new(Kind::Pattern, rule.place(), "the pattern is too complex for an object graph");
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

    /// The entries whose keys match: by their keys' paths where those lead there.
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

    /// Whether there is anything in an object that a rule for its whole content could mean.
    fn has_content(&self, verb: Verb, node: NodeId) -> bool {
        let Node { children, slots, .. } = self.node(node);
        let mut slot_values = self.slot_values.below(node).iter();
        let moves = matches!(verb, Verb::Rename | Verb::Alias);
        !children.is_empty() || !slots.is_empty() || slot_values.any(|leaf| !moves || leaf.slot.is_none())
    }
}

/// Whether a rule means all that is in an object, and takes it somewhere as it is.
fn meaning(rule: &Rule, pattern: &Pattern) -> Meaning {
    let last = pattern.captures.len().wrapping_sub(1);
    let as_it_is = rule.targets.iter().all(|(template, _)| template.container(last).is_some());
    match pattern.container() {
        // Values are variables', not objects'.
        Some(_) if matches!(rule.verb, Verb::Convert | Verb::Join | Verb::Split) => Meaning::Paths,
        Some(_) if as_it_is => Meaning::Containers,
        _ => Meaning::Paths,
    }
}

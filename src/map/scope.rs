//! Scopes. A pattern without wildcards that is not a variable's name may be a scope: a part before a `/` that names
//! begin with. It then selects everything in that scope, so `bert=encoder` means `bert/**=encoder/**`.

use std::borrow::Cow;

use crate::map::Map;
use crate::map::escape::escape;
use crate::map::pattern::Pattern;
use crate::map::rule::{Matcher, Rule, Verb};
use crate::map::span::SpannedStr;
use crate::map::template::Template;

/// The verbs whose patterns may name a scope.
const VERBS: &[Verb] = &[Verb::Rename, Verb::Alias, Verb::Drop, Verb::Keep];

/// Returns the map with scopes expanded for these names. `names` must be sorted.
pub(crate) fn with_scopes<'m>(map: &'m Map, names: &[&[u8]]) -> Cow<'m, Map> {
    replaced(map, |_, rule| rule.of_scope(names))
}

/// Returns the map with every rule replaced for which `other` returns a rule.
pub(crate) fn replaced(map: &Map, other: impl Fn(usize, &Rule) -> Option<Rule>) -> Cow<'_, Map> {
    let mut replaced = Cow::Borrowed(map);
    for (at, rule) in map.rules.iter().enumerate() {
        if let Some(rule) = other(at, rule) {
            replaced.to_mut().rules[at] = rule;
        }
    }
    replaced
}

impl Rule {
    /// Returns true if the rule's pattern may name a scope.
    pub(crate) fn may_be_scope(&self) -> bool {
        VERBS.contains(&self.verb)
    }

    /// Returns the rule for everything in a scope. `None` if the pattern does not name a scope of `names`, which must
    /// be sorted.
    pub(crate) fn of_scope(&self, names: &[&[u8]]) -> Option<Self> {
        let pattern = self.pattern().filter(|_| self.may_be_scope())?;
        let below = Pattern::parse(&in_scope(pattern.literal()?), pattern.ignore_case).ok()?;
        let is_scope =
            !has_match(pattern, pattern.literal()?, names) && has_match(&below, below.literal_head(), names);
        if is_scope { self.within(below, "") } else { None }
    }

    /// Returns the rule for everything in a layer, which full names have after the name of the model: `dense_1` means
    /// `sequential/dense_1/**`. `None` if the pattern does not name exactly one layer of `names`.
    pub(crate) fn of_layer(&self, names: &[&[u8]]) -> Option<Self> {
        let pattern = self.pattern().filter(|_| self.may_be_scope())?;
        let layer = pattern.literal()?.trim_end_matches('/');
        let mut models: Vec<_> =
            names.iter().filter_map(|name| model_of(str::from_utf8(name).ok()?, layer)).collect();
        models.sort_unstable();
        models.dedup();
        let &[model] = models.as_slice() else { return None };
        let below = Pattern::parse(&in_scope(&format!("{model}{layer}")), pattern.ignore_case).ok()?;
        self.within(below, model)
    }

    /// Returns the rule with another pattern, whose targets begin with `prefix` and get everything below.
    fn within(&self, below: Pattern, prefix: &str) -> Option<Self> {
        let target = |(template, written): &(Template, SpannedStr)| {
            let text = in_scope(&format!("{prefix}{}", template.literal()?));
            let template = Template::parse(&text, &below, &[]).ok()?;
            Some((template, SpannedStr::made(text, written.span.clone())))
        };
        let targets = self.targets.iter().map(target).collect::<Option<Vec<_>>>()?;
        let from = vec![SpannedStr::made(below.text.clone(), self.span().clone())];
        Some(Self { matcher: Matcher::Pattern(below), ..self.clone() }.spelled(from, targets))
    }
}

/// Returns the part of a full name before a layer, with the slash: `sequential/` for `sequential/dense_1/kernel`.
fn model_of<'n>(name: &'n str, layer: &str) -> Option<&'n str> {
    let starts = name.match_indices('/').map(|(at, _)| at + 1);
    let is_layer =
        |start: &usize| name[*start..].strip_prefix(layer).is_some_and(|rest| rest.starts_with('/'));
    starts.into_iter().find(is_layer).map(|start| &name[..start])
}

/// Returns the pattern or the target for everything in a scope. For the scope with an empty name this is `**`.
fn in_scope(scope: &str) -> String {
    match scope.trim_end_matches('/') {
        "" => "**".into(),
        scope => format!("{}/**", escape(scope)),
    }
}

/// Returns true if the pattern matches a name. All its matches begin with `head`, unless it ignores case. `names`
/// must be sorted.
fn has_match(pattern: &Pattern, head: &str, names: &[&[u8]]) -> bool {
    if pattern.ignore_case {
        return names.iter().any(|name| pattern.is_match(name));
    }
    let first = names.partition_point(|name| *name < head.as_bytes());
    names.get(first).is_some_and(|name| pattern.is_match(name))
}

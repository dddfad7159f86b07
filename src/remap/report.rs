//! The whole of a plan, and what each rule did in it.

use super::{
    Map, Plan, Planned, RuleId, Unfit,
    collision::settle,
    error::{Error, Errors, Kind, counted},
    grouping::Joined,
    naming::{Named, name},
    nearest::{near_names, near_patterns},
    options::Unused,
    pattern::{Pattern, Token},
    rule::{Rule, Verb},
    selection::{Fate, select},
    steps::{Derived, End, Input, Stepper},
    survey::Survey,
};
use crate::name::printable;
use crate::tensor::Shape;

/// How a plan came to be.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What each rule did, in the order in which rules apply: flags, then files.
    pub rules: Vec<RuleReport>,
    /// Variables that are left out, in the order of their names: by a `drop`; without a rule, because no `keep` matched
    /// or under `unmatched = "drop"`.
    pub dropped: Vec<(usize, Option<RuleId>)>,
    /// Names that variables did not get because another had more right to them.
    pub lost: Vec<Lost>,
    /// What is odd, but no reason to refuse.
    pub warnings: Errors,
    /// How many variables the source has.
    pub total: usize,
}

/// A name that went to another variable, under `collision = "first"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The variable that did not get it.
    pub source: usize,
    /// The name.
    pub name: Vec<u8>,
    /// The rule that would have given it; none: its own name.
    pub rule: Option<RuleId>,
    /// The variable that has it.
    pub to: usize,
}

/// What one rule did.
#[derive(Clone, Debug)]
pub struct RuleReport {
    /// `fix.toml:12` or `--rename`
    pub place: String,
    /// `rename 'a/**' -> 'b/**'`
    pub text: String,
    /// Variables whose own names it matched, and that it acted on.
    pub hits: usize,
    /// Slots that followed their variables by it.
    pub followed: usize,
    /// One of them.
    pub example: Option<Example>,
    /// Whether it was of use.
    pub status: Status,
}

/// What a rule did to one variable, or to those that it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The old names; none for a `create`.
    pub from: Vec<Vec<u8>>,
    /// The new names; none for a `drop`.
    pub to: Vec<Vec<u8>>,
}

impl Example {
    fn new(from: &[&[u8]], to: &[&[u8]]) -> Self {
        let names = |names: &[&[u8]]| {
            names.iter().filter(|name| !name.is_empty()).map(|name| name.to_vec()).collect::<Vec<_>>()
        };
        Self { from: names(from), to: names(to) }
    }
}

/// Whether a rule was of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It acted on something.
    Used,
    /// It matched nothing.
    Unused,
    /// It matched nothing, and says that it may.
    Optional,
    /// It matched only what others had taken or dropped.
    Shadowed {
        /// The rule that took the first of them.
        by: Option<RuleId>,
    },
}

/// What rules do, counted while they do it.
pub(super) struct Tallies(Vec<Tally>);

#[derive(Clone, Debug, Default)]
struct Tally {
    matched: usize,
    hits: usize,
    followed: usize,
    example: Option<Example>,
    shadowed_by: Option<RuleId>,
}

impl Tallies {
    pub(super) fn new(map: &Map) -> Self {
        Self(vec![Tally::default(); map.rules.len()])
    }

    /// Whether some pattern matches nothing.
    pub(super) fn any_unused(&self) -> bool {
        self.0.iter().any(|tally| tally.matched == 0)
    }

    /// The pattern matches one more name, whatever comes of it.
    pub(super) fn matched(&mut self, rule: RuleId) {
        self.0[rule.index()].matched += 1;
    }

    pub(super) fn hit(&mut self, rule: RuleId, old: &[u8], new: &[u8]) {
        self.hit_all(rule, &[old], &[new]);
    }

    /// It made these of those.
    pub(super) fn hit_all(&mut self, rule: RuleId, old: &[&[u8]], new: &[&[u8]]) {
        let tally = &mut self.0[rule.index()];
        if tally.hits == 0 {
            tally.example = Some(Example::new(old, new));
        }
        tally.hits += old.len().max(1);
    }

    pub(super) fn follow(&mut self, rule: RuleId, old: &[u8], new: &[u8]) {
        self.follow_all(rule, &[old], &[new]);
    }

    pub(super) fn follow_all(&mut self, rule: RuleId, old: &[&[u8]], new: &[&[u8]]) {
        let tally = &mut self.0[rule.index()];
        tally.example.get_or_insert_with(|| Example::new(old, new));
        tally.followed += old.len();
    }

    pub(super) fn shadowed(&mut self, rule: RuleId, by: Option<RuleId>) {
        let tally = &mut self.0[rule.index()];
        tally.shadowed_by = tally.shadowed_by.or(by);
    }
}

/// What comes of names, before it is known whether all of it can be.
pub(super) struct Draft {
    pub(super) variables: Vec<Planned>,
    pub(super) errors: Errors,
    pub(super) warnings: Errors,
    report: Report,
    tallies: Tallies,
}

impl Draft {
    /// Holds a map against names, and the shapes of what they name where those are known.
    pub(super) fn new(map: &Map, names: &[&[u8]], shapes: &[&Shape]) -> Self {
        debug_assert!(names.is_sorted_by(|a, b| a < b), "names come sorted, each once");
        let survey = Survey::new(map, names, shapes);
        let (mut tallies, mut errors, mut warnings) =
            (Tallies::new(map), Errors::default(), Errors::default());
        let fates = select(&survey, &mut tallies);
        let (named, joined) = name(&survey, &fates, &mut tallies, &mut errors, &mut warnings);
        let dropped = dropped(&fates, &named);
        let takers: Vec<_> = named.iter().map(|named| named.taker).collect();
        let stepper = Stepper::new(&survey, &takers);
        let mut wanted = wanted(&stepper, named, &mut tallies, &mut warnings);
        wanted.extend(joined.into_iter().map(|joined| of_group(&stepper, joined, &mut tallies)));
        wanted.extend(created(map, &mut tallies));
        let (variables, lost) = settle(&survey, wanted, &mut errors);
        let report = Report { lost, dropped, total: names.len(), ..Report::default() };
        Self { variables, errors, warnings, report, tallies }
    }

    /// The plan, unless something is wrong.
    pub(super) fn conclude(self, map: &Map, names: &[&[u8]]) -> Result<Plan, Unfit> {
        let Self { variables, errors, warnings, report, tallies } = self;
        let report = conclude(map, tallies, names, Report { warnings, ..report }, errors)?;
        Ok(Plan { variables, report })
    }
}

/// The report with what the rules did in it, unless something is wrong. `names` are those a pattern may have meant.
pub(super) fn conclude(
    map: &Map,
    tallies: Tallies,
    names: &[&[u8]],
    mut report: Report,
    mut errors: Errors,
) -> Result<Report, Unfit> {
    for (id, tally) in map.ids().zip(tallies.0) {
        let (rule, total) = (map.rule(id), report.total);
        judge(map, rule, &tally, (names, total), &mut errors, &mut report.warnings);
        report.rules.push(rule_report(rule, tally));
    }
    match errors.is_empty() {
        true => Ok(report),
        false => Err(Unfit { errors, report: Box::new(report) }),
    }
}

/// Every name that some variable is to have.
fn wanted(
    stepper: &Stepper<'_>,
    named: Vec<Named>,
    tallies: &mut Tallies,
    warnings: &mut Errors,
) -> Vec<Planned> {
    let mut wanted = Vec::with_capacity(named.len());
    for (variable, Named { name, aliases, parts, taker, .. }) in named.into_iter().enumerate() {
        let mut planned = |name: Vec<u8>, rule, value| {
            wanted.push(Planned { name, source: Some(variable), rule, value });
        };
        if let Some((name, rule)) = name {
            let steps = stepper.possible(variable, stepper.steps(variable, None), warnings);
            stepper.count(variable, &steps, &name, tallies);
            planned(name, rule, Derived::whole(variable, steps));
            stepper.warn_of_torn(variable, warnings);
        }
        if let (false, Some(rule)) = (parts.is_empty(), taker) {
            let steps = stepper.steps(variable, None);
            stepper.count(variable, &steps, &parts[0], tallies);
            for (at, part) in parts.into_iter().enumerate() {
                let inputs = vec![Input { source: variable, steps: steps.clone() }];
                planned(part, Some(rule), Some(Box::new(Derived { inputs, end: End::Part(rule, at) })));
            }
        }
        for (name, rule) in aliases {
            let steps = stepper.possible(variable, stepper.steps(variable, Some(rule)), warnings);
            planned(name, Some(rule), Derived::whole(variable, steps));
        }
    }
    wanted
}

fn of_group(stepper: &Stepper<'_>, joined: Joined, tallies: &mut Tallies) -> Planned {
    let Joined { name, rule, members, .. } = joined;
    let mut input = |&source: &usize| {
        let steps = stepper.steps(source, None);
        stepper.count(source, &steps, &name, tallies);
        Input { source, steps }
    };
    let inputs: Vec<_> = members.iter().map(&mut input).collect();
    let value = Some(Box::new(Derived { inputs, end: End::Joined(rule) }));
    Planned { name, source: members.first().copied(), rule: Some(rule), value }
}

/// What rules make of nothing.
fn created(map: &Map, tallies: &mut Tallies) -> Vec<Planned> {
    let creates = map.ids().filter(|id| map.rule(*id).verb == Verb::Create);
    let mut planned = |id: RuleId| {
        let name = map.rule(id).from().text.clone().into_bytes();
        tallies.matched(id);
        tallies.hit_all(id, &[], &[&name]);
        let value = Some(Box::new(Derived { inputs: vec![], end: End::Created(id) }));
        Planned { name, source: None, rule: Some(id), value }
    };
    creates.map(&mut planned).collect()
}

fn dropped(fates: &[Fate], named: &[Named]) -> Vec<(usize, Option<RuleId>)> {
    let gone = |(source, (fate, named)): (usize, (&Fate, &Named))| match fate {
        Fate::Goes(rule) => Some((source, *rule)),
        Fate::Stays => named.is_gone().then_some((source, None)),
    };
    fates.iter().zip(named).enumerate().filter_map(gone).collect()
}

fn rule_report(rule: &Rule, tally: Tally) -> RuleReport {
    let status = status(rule, &tally);
    let Tally { hits, followed, example, .. } = tally;
    RuleReport {
        place: rule.place().to_string(),
        text: rule.text().to_owned(),
        hits,
        followed,
        example,
        status,
    }
}

fn status(rule: &Rule, tally: &Tally) -> Status {
    match tally {
        Tally { hits: 0, followed: 0, matched: 0, .. } if rule.optional => Status::Optional,
        Tally { hits: 0, followed: 0, matched: 0, .. } => Status::Unused,
        Tally { hits: 0, followed: 0, shadowed_by, .. } => Status::Shadowed { by: *shadowed_by },
        _ => Status::Used,
    }
}

/// Says what is wrong or odd about what a rule did.
fn judge(
    map: &Map,
    rule: &Rule,
    tally: &Tally,
    (names, total): (&[&[u8]], usize),
    errors: &mut Errors,
    warnings: &mut Errors,
) {
    match status(rule, tally) {
        Status::Unused if rule.is_flag() || map.options.unused.or(Unused::Error) == Unused::Error => {
            errors.push_with(Kind::Unused, || unused(rule, names, total));
        }
        Status::Unused => warnings.push_with(Kind::Unused, || unused(rule, names, total).warning()),
        Status::Shadowed { by } if !rule.optional => warnings.push(shadowed(map, rule, tally, by)),
        _ => {}
    }
    if let Some(Example { from, to }) = &tally.example
        && let (Some(old), Some(new)) = (from.first(), to.first())
        && has_empty_component(new)
        && !has_empty_component(old)
    {
        warnings.push(empty_component(rule, old, new));
    }
}

/// A rule whose pattern matches nothing, and what it may have meant.
pub(super) fn unused(rule: &Rule, names: &[&[u8]], total: usize) -> Error {
    let Some(pattern) = rule.patterns().first() else {
        let what = format!("no optimizer state among {}", counted(total, "variable"));
        return Error::new(Kind::Unused, rule.place(), what).help("there is nothing to drop: leave it out");
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
    let help =
        || format!("with upper and lower case taken for the same it matches {hits}: `ignore_case = true`");
    (hits > 0).then(help)
}

fn shadowed(map: &Map, rule: &Rule, tally: &Tally, by: Option<RuleId>) -> Error {
    let matched = counted(tally.matched, "variable");
    let what = format!("`{}` matched {matched}, but other rules had them all", rule.from().text);
    let error = Error::new(Kind::Shadowed, rule.place(), what).warning();
    match by {
        Some(by) => error.related(map.rule(by).place(), "this one was first"),
        None => error,
    }
}

fn has_empty_component(name: &[u8]) -> bool {
    name.starts_with(b"/") || name.windows(2).any(|pair| pair == b"//")
}

fn empty_component(rule: &Rule, old: &[u8], new: &[u8]) -> Error {
    let what = format!("`{}` becomes `{}`, which has a slash too many", printable(old), printable(new));
    Error::new(Kind::Name, rule.place(), what)
        .help("prefixes and components end in their own slash")
        .warning()
}

#[cfg(test)]
mod tests;

//! The whole of a plan, and what each rule did in it.

use super::{
    Map, Plan, Planned, RuleId, Unfit,
    collision::settle,
    error::{Error, Errors, Kind, counted, shown},
    naming::{Named, name},
    nearest::{near_names, near_patterns},
    options::Unused,
    pattern::{Pattern, Token},
    rule::Rule,
    selection::{Fate, select},
    survey::Survey,
};

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
    /// One of them: the old name and the new; the new is empty for a `drop`.
    pub example: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether it was of use.
    pub status: Status,
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
    example: Option<(Vec<u8>, Vec<u8>)>,
    shadowed_by: Option<RuleId>,
}

impl Tallies {
    /// The pattern matches one more name, whatever comes of it.
    pub(super) fn matched(&mut self, rule: RuleId) {
        self.0[rule.index()].matched += 1;
    }

    pub(super) fn hit(&mut self, rule: RuleId, old: &[u8], new: &[u8]) {
        let tally = &mut self.0[rule.index()];
        if tally.hits == 0 {
            tally.example = Some((old.to_vec(), new.to_vec()));
        }
        tally.hits += 1;
    }

    pub(super) fn follow(&mut self, rule: RuleId, old: &[u8], new: &[u8]) {
        let tally = &mut self.0[rule.index()];
        tally.example.get_or_insert_with(|| (old.to_vec(), new.to_vec()));
        tally.followed += 1;
    }

    pub(super) fn shadowed(&mut self, rule: RuleId, by: Option<RuleId>) {
        let tally = &mut self.0[rule.index()];
        tally.shadowed_by = tally.shadowed_by.or(by);
    }
}

/// Holds a map against names.
pub(super) fn plan(map: &Map, names: &[&[u8]]) -> Result<Plan, Unfit> {
    debug_assert!(names.is_sorted_by(|a, b| a < b), "names come sorted, each once");
    let survey = Survey::new(map, names);
    let (mut tallies, mut errors) = (Tallies(vec![Tally::default(); map.rules.len()]), Errors::default());
    let fates = select(&survey, &mut tallies);
    let named = name(&survey, &fates, &mut tallies, &mut errors);
    let (variables, lost) = settle(&survey, wanted(&named), &mut errors);
    let mut report =
        Report { lost, dropped: dropped(&fates, &named), total: names.len(), ..Report::default() };
    for (id, tally) in map.ids().zip(tallies.0) {
        let rule = map.rule(id);
        judge(map, rule, &tally, names, &mut errors, &mut report.warnings);
        report.rules.push(rule_report(rule, tally));
    }
    match errors.is_empty() {
        true => Ok(Plan { variables, report }),
        false => Err(Unfit { errors, report }),
    }
}

/// Every name that some variable is to have.
fn wanted(named: &[Named]) -> Vec<Planned> {
    let mut wanted = vec![];
    for (source, Named { name, aliases }) in named.iter().enumerate() {
        wanted.extend(name.iter().map(|(name, rule)| Planned { name: name.clone(), source, rule: *rule }));
        wanted.extend(aliases.iter().map(|(name, rule)| Planned {
            name: name.clone(),
            source,
            rule: Some(*rule),
        }));
    }
    wanted
}

fn dropped(fates: &[Fate], named: &[Named]) -> Vec<(usize, Option<RuleId>)> {
    let gone = |(source, (fate, named)): (usize, (&Fate, &Named))| match fate {
        Fate::Goes(rule) => Some((source, *rule)),
        Fate::Stays => named.name.is_none().then_some((source, None)),
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
fn judge(map: &Map, rule: &Rule, tally: &Tally, names: &[&[u8]], errors: &mut Errors, warnings: &mut Errors) {
    match status(rule, tally) {
        Status::Unused if rule.is_flag() || map.options.unused.or(Unused::Error) == Unused::Error => {
            errors.push_with(Kind::Unused, || unused(rule, names));
        }
        Status::Unused => warnings.push_with(Kind::Unused, || unused(rule, names).warning()),
        Status::Shadowed { by } if !rule.optional => warnings.push(shadowed(map, rule, tally, by)),
        _ => {}
    }
    if let Some((old, new)) = &tally.example {
        if new.starts_with(b"/") && !old.starts_with(b"/") {
            warnings.push(leading_slash(rule, old, new));
        }
    }
}

/// A rule whose pattern matches nothing, and what it may have meant.
pub(super) fn unused(rule: &Rule, names: &[&[u8]]) -> Error {
    let Some(pattern) = rule.pattern() else {
        let what = format!("no optimizer state among {}", counted(names.len(), "variable"));
        return Error::new(Kind::Unused, rule.place(), what)
            .help("there is nothing to drop: leave the flag out");
    };
    let what = format!("`{}` matched none of {}", pattern.text, counted(names.len(), "variable"));
    let error = Error::new(Kind::Unused, &rule.from.part(0..rule.from.text.len()), what)
        .label(nearest(pattern, names));
    let error = error.helps(ordinary_characters(pattern)).helps(other_case(pattern, names));
    match rule.is_flag() {
        true => error,
        false => error.help("a rule that need not match says `optional = true`"),
    }
}

fn nearest(pattern: &Pattern, names: &[&[u8]]) -> String {
    let patterns = near_patterns(pattern, names).into_iter().map(|(text, hits)| format!("`{text}` ({hits})"));
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
    let what = format!("`{}` matched {matched}, but other rules had them all", rule.from.text);
    let error = Error::new(Kind::Shadowed, rule.place(), what).warning();
    match by {
        Some(by) => error.related(map.rule(by).place(), "this one was first"),
        None => error,
    }
}

fn leading_slash(rule: &Rule, old: &[u8], new: &[u8]) -> Error {
    let what = format!("`{}` becomes `{}`, which begins with a slash", shown(old), shown(new));
    Error::new(Kind::Name, rule.place(), what).warning()
}

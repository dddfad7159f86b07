//! Collisions: two variables that would get one name. A collision is an error, or the first variable wins. The order
//! is: variables with a rule before variables without, then rule order, then name.

use std::collections::{BTreeMap, BTreeSet};

use crate::map::diagnostic::{Error, Errors, Kind, counted};
use crate::map::escape::{find_unescaped, split_unescaped};
use crate::map::lookup::Table;
use crate::map::options::Collision;
use crate::map::pattern::{Pattern, is_name};
use crate::map::rule::RuleId;
use crate::map::template::Template;
use crate::name::printable;
use crate::remap::names::matching::Matches;
use crate::remap::plan::Planned;
use crate::remap::report::Lost;

/// The number of names, and of variables for each name, that a message shows before "and N more".
const EXAMPLES: usize = 3;

/// A name that two variables would have. The first variable always has a rule, because the names in the source are
/// unique.
#[derive(Clone, Debug)]
struct Clash {
    name: Vec<u8>,
    first: Option<usize>,
    second: Option<usize>,
}

/// The clashes, grouped by the rules that give the names. The second rule is `None` if the second variable already
/// has the name.
type Clashes = BTreeMap<(RuleId, Option<RuleId>), Vec<Clash>>;

/// Leaves each name to one variable. `wanted` may have any order. The result is sorted by name.
pub(crate) fn resolve_collisions(
    matches: &Matches<'_>,
    wanted: Vec<Planned>,
    errors: &mut Errors,
) -> (Vec<Planned>, Vec<Lost>) {
    let first_wins = matches.map.options.collision.or(Collision::Error) == Collision::First;
    let (mut variables, mut lost) = (in_rank(wanted), vec![]);
    let mut clashes = Clashes::new();
    // The list is changed in place because it may be very long.
    variables.dedup_by(|next, winner| {
        let collide = winner.name == next.name;
        if !collide || winner.source == next.source && winner.value == next.value {
            return collide;
        }
        let name = std::mem::take(&mut next.name);
        match (first_wins, next.source, winner.source, winner.rule) {
            // A created variable must not hide a trained one, so this is an error even if the first variable wins.
            (true, Some(source), Some(to), _) => lost.push(Lost { source, name, rule: next.rule, to }),
            (.., Some(rule)) => {
                let clash = Clash { name, first: winner.source, second: next.source };
                clashes.entry((rule, next.rule)).or_default().push(clash);
            }
            (.., None) => {}
        }
        true
    });
    clashes.iter().for_each(|(rules, clashes)| errors.push(collision(matches, *rules, clashes)));
    (variables, lost)
}

/// Sorts by name, and for the same name by precedence.
fn in_rank(mut wanted: Vec<Planned>) -> Vec<Planned> {
    let rank = |planned: &Planned| (planned.rule.is_none(), planned.rule, planned.source);
    wanted.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| rank(a).cmp(&rank(b))));
    wanted
}

/// Returns one error for all clashes between two rules, or within one rule.
fn collision(matches: &Matches<'_>, (first, second): (RuleId, Option<RuleId>), clashes: &[Clash]) -> Error {
    let names = sharers(matches, clashes);
    let (place, other) = (matches.rule(first).span(), second.map(|rule| matches.rule(rule).span()));
    let at = other.unwrap_or(place);
    let error = Error::new(Kind::Collision, at, sentence(&names));
    let [old, others] = labels(matches, clashes);
    let error = match other {
        None => {
            let note = match clashes {
                [_] => format!("{others} has that name already, and no rule renames it"),
                _ => format!("{others} have these names already, and no rule renames them"),
            };
            error.label(format!("{old} by this rule")).note(note)
        }
        Some(same) if same == place => error.label(match clashes {
            [_] => format!("{old} and {others} both"),
            _ => "this rule gives them".to_owned(),
        }),
        Some(_) => {
            error.label(format!("{others} by this rule")).related(place, format!("{old} by this rule"))
        }
    };
    let error = if clashes.len() == 1 { error } else { examples(&names).fold(error, Error::note) };
    let error = match second == Some(first) {
        true => error.helps(left_out(matches, first, clashes)),
        false => error,
    };
    error.help(match clashes.iter().all(|clash| clash.first.and(clash.second).is_some()) {
        true => {
            "drop or rename one of them, or let the first win: `collision = \"first\"`, `--collision first`"
        }
        false => "drop the old one, or give one of them another name",
    })
}

/// The names, each with the old names of the variables that would have it.
type Sharers<'a> = BTreeMap<&'a [u8], Vec<String>>;

fn sharers<'a>(matches: &Matches<'_>, clashes: &'a [Clash]) -> Sharers<'a> {
    let mut names = Sharers::new();
    for Clash { name, first, second } in clashes {
        let sharers = names.entry(name).or_insert_with(|| vec![described(matches, *first)]);
        sharers.push(described(matches, *second));
    }
    names
}

fn described(matches: &Matches<'_>, source: Option<usize>) -> String {
    source.map_or("a new one".into(), |source| format!("`{}`", printable(matches.names[source])))
}

fn sentence(names: &Sharers<'_>) -> String {
    let sharing: usize = names.values().map(Vec::len).sum();
    match names.keys().next() {
        Some(name) if names.len() == 1 && sharing == 2 => {
            format!("two variables would be called `{}`", printable(name))
        }
        Some(name) if names.len() == 1 => {
            format!("{sharing} variables would be called `{}`", printable(name))
        }
        _ => format!("{sharing} variables would share {} names", names.len()),
    }
}

/// Returns the labels of the two rules: the variable, or the number of variables.
fn labels(matches: &Matches<'_>, clashes: &[Clash]) -> [String; 2] {
    match clashes {
        [Clash { first, second, .. }] => [*first, *second].map(|source| described(matches, source)),
        _ => {
            let count =
                |of: fn(&Clash) -> Option<usize>| clashes.iter().map(of).collect::<BTreeSet<_>>().len();
            [count(|clash| clash.first), count(|clash| clash.second)].map(|n| counted(n, "variable"))
        }
    }
}

/// Returns notes about the first names, and a note with the number of further names.
fn examples(names: &Sharers<'_>) -> impl Iterator<Item = String> {
    let alone = names.len() == 1;
    let line = move |(name, sharers): (&&[u8], &Vec<String>)| {
        let more = sharers.len().saturating_sub(EXAMPLES);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let sharers = sharers[..sharers.len().min(EXAMPLES)].join(", ");
        if alone { sharers + &more } else { format!("`{}`: {sharers}{more}", printable(name)) }
    };
    let more = names.len().saturating_sub(EXAMPLES);
    let more = (more > 0).then(|| format!("and {more} more name{}", if more == 1 { "" } else { "s" }));
    names.iter().take(EXAMPLES).map(line).chain(more).collect::<Vec<_>>().into_iter()
}

/// Suggests a target that gives the variables of a rule different names, if there is one. Otherwise says which
/// captures the present target leaves out.
fn left_out(matches: &Matches<'_>, rule: RuleId, clashes: &[Clash]) -> Option<String> {
    let rule = matches.rule(rule);
    let sources: BTreeSet<_> =
        clashes.iter().flat_map(|clash| [clash.first, clash.second]).flatten().collect();
    let names: Vec<_> = sources.into_iter().map(|source| matches.names[source]).collect();
    let ([(template, to)], Some(pattern)) = (rule.targets.as_slice(), rule.pattern()) else { return None };
    let holes = pattern.captures.iter().enumerate().filter(|(at, _)| !template.has(*at));
    let unused: Vec<_> = holes.map(|(_, hole)| format!("`{}`", hole.text())).collect();
    let wider = template.literal().and_then(|_| wider(pattern, &to.text, &matches.map.tables, &names));
    match (wider, unused.is_empty()) {
        (Some(wider), _) => Some(format!("to keep what {} matches write `{wider}`", unused.join(", "))),
        (None, false) => Some(format!("`{}` leaves out what {} matches", to.text, unused.join(", "))),
        (None, true) => None,
    }
}

/// Returns the target with the variable part of the pattern appended, if this gives each of these names a different
/// new name.
fn wider(pattern: &Pattern, target: &str, tables: &[Table], names: &[&[u8]]) -> Option<String> {
    let components: Vec<_> =
        split_unescaped(&pattern.text, '/').into_iter().map(|at| &pattern.text[at]).collect();
    let varies = |component: &&str| ['*', '{'].iter().any(|c| find_unescaped(component, *c).is_some());
    let tail = components[components.iter().position(varies)?..].join("/");
    let wider = format!("{}/{}", target.trim_end_matches('/'), without_kinds(&tail)?);
    let template = Template::parse(&wider, pattern, tables).ok()?;
    let fill = |name: &&[u8]| template.fill(&pattern.captures(name)?, tables).ok();
    // A slot that follows its variable may not match the pattern.
    let new: Vec<_> = names.iter().filter_map(fill).collect();
    let differ = new.iter().collect::<BTreeSet<_>>().len() == new.len();
    (differ && new.len() > 1).then_some(wider)
}

/// Converts a pattern to a target: `{x:int}` becomes `{x}`. `None` if it has a choice without a name, which a target
/// cannot use.
fn without_kinds(pattern: &str) -> Option<String> {
    let Some(open) = find_unescaped(pattern, '{') else { return Some(pattern.to_owned()) };
    let close = open + find_unescaped(&pattern[open..], '}')?;
    let inside = &pattern[open + 1..close];
    let name = &inside[..inside.find(':').unwrap_or(inside.len())];
    let rest = without_kinds(&pattern[close + 1..])?;
    is_name(name).then(|| format!("{}{{{name}}}{rest}", &pattern[..open]))
}

#[cfg(test)]
mod tests {
    use crate::map::flags::Flag;
    use crate::remap::test_util::{mismatch, plan, planned};

    const TWO_TO_ONE: &str = "[[rule]]\nrename = 'b'\nto = 'x'\n[[rule]]\nrename = 'a'\nto = 'x'\n";

    #[test]
    fn a_collision_names_both_variables_and_both_rules() {
        let errors = mismatch(&[], TWO_TO_ONE, &["a", "b"]).errors;
        assert_eq!(errors.len(), 1);
        assert_eq!(
            errors.to_string(),
            "\
error: two variables would be called `x`
 --> fix.toml:5:10
  |
2 | rename = 'b'
  |          --- `b` by this rule
...
5 | rename = 'a'
  |          ^^^ `a` by this rule
  |
  = help: drop or rename one of them, or let the first win: `collision = \"first\"`, `--collision first`"
        );
    }

    #[test]
    fn a_name_that_exists_already_collides_too() {
        let message = mismatch(&[Flag::Rename("a=b".into())], "", &["a", "b"]).to_string();
        assert!(message.contains("`b` has that name already, and no rule renames it"), "{message}");
        let message = mismatch(&[Flag::Rename("{x:a|b}=c".into())], "", &["a", "b"]).to_string();
        assert!(message.contains("`a` and `b` both"), "{message}");
    }

    #[test]
    fn variables_with_a_rule_win_then_rule_order_then_name() {
        let first = [Flag::CollisionFirst];
        assert_eq!(planned(&first, TWO_TO_ONE, &["a", "b", "x"]), ["x <- b"]);
        assert_eq!(planned(&first, "[[rule]]\nrename = '{p:a|b}'\nto = 'x'", &["a", "b"]), ["x <- a"]);
        let lost = plan(&first, TWO_TO_ONE, &["a", "b", "x"]).unwrap().report.lost;
        assert_eq!(lost.iter().map(|lost| (lost.source, lost.to)).collect::<Vec<_>>(), [(0, 1), (2, 1)]);
    }

    fn alone(flag: &str, names: &[&str]) -> String {
        let errors = mismatch(&[Flag::Rename(flag.into())], "", names).errors;
        assert_eq!(errors.len(), 1, "{errors}");
        errors.to_string()
    }

    #[test]
    fn one_rule_that_gives_many_variables_one_name_is_one_error_with_a_working_target() {
        let names: Vec<String> = (0..139).map(|i| format!("bert/l{i:03}/w")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(
            alone("bert/**=encoder", &names),
            "\
error: 139 variables would be called `encoder`
 |
 | --rename 'bert/**=encoder'
 |           ^^^^^^^ this rule gives them
 |
 = note: `bert/l000/w`, `bert/l001/w`, `bert/l002/w` and 136 more
 = help: to keep what `**` matches write `encoder/**`
 = help: drop or rename one of them, or let the first win: `collision = \"first\"`, `--collision first`"
        );
        assert!(alone("**=a", &names).contains("write `a/**`"));
        assert!(alone("bert/l{i:int}/{x}=e", &names).contains("write `e/l{i}/{x}`"));
        assert!(alone("{bert|cls}/**=e", &names).contains("`e` leaves out what `{bert|cls}`, `**` matches"));
    }

    #[test]
    fn many_shared_names_are_one_error_with_three_examples_and_a_count() {
        let names: Vec<String> = (0..5).flat_map(|i| ["a", "b"].map(|x| format!("{x}/w{i}"))).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let message = alone("*/{x}=c/{x}", &names);
        for part in [
            "10 variables would share 5 names",
            "`c/w0`: `a/w0`, `b/w0`",
            "and 2 more names",
            "`c/{x}` leaves out what `*` matches",
        ] {
            assert!(message.contains(part), "{message}");
        }
        assert!(!message.contains("`c/w3`"), "{message}");
    }

    #[test]
    fn names_that_exist_already_are_one_error() {
        let names: Vec<String> = (0..5).flat_map(|i| ["a", "b"].map(|x| format!("{x}/w{i}"))).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let message = alone("a=b", &names);
        for part in ["10 variables would share 5 names", "5 variables by this rule", "`b/w0`: `a/w0`, `b/w0`"]
        {
            assert!(message.contains(part), "{message}");
        }
    }
}

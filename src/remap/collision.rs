//! Collisions: two variables that would have one name. An error, or the first wins: ruled beats unruled, then rule order,
//! then name.

use super::{
    Planned, RuleId,
    error::{Error, Errors, Kind, shown},
    options::Collision,
    report::Lost,
    survey::Survey,
};

/// Leaves each name to one variable. `wanted` comes in any order and leaves sorted by name.
pub(super) fn settle(
    survey: &Survey<'_>,
    wanted: Vec<Planned>,
    errors: &mut Errors,
) -> (Vec<Planned>, Vec<Lost>) {
    let first_wins = survey.map.options.collision.or(Collision::Error) == Collision::First;
    let mut variables: Vec<Planned> = vec![];
    let mut lost = vec![];
    for next in in_rank(wanted) {
        match variables.last().filter(|winner| winner.name == next.name) {
            None => variables.push(next),
            Some(winner) if winner.source == next.source => {}
            Some(winner) if first_wins => {
                lost.push(Lost { source: next.source, name: next.name, rule: next.rule, to: winner.source });
            }
            Some(winner) => errors.push_with(Kind::Collision, || collision(survey, winner, &next)),
        }
    }
    (variables, lost)
}

/// By name; of one name the one that has most right to it first.
fn in_rank(mut wanted: Vec<Planned>) -> Vec<Planned> {
    let rank = |planned: &Planned| (planned.rule.is_none(), planned.rule, planned.source);
    wanted.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| rank(a).cmp(&rank(b))));
    wanted
}

/// The winner always has a rule: no two variables of the source have one name.
fn collision(survey: &Survey<'_>, first: &Planned, second: &Planned) -> Error {
    let what = format!("two variables would be called `{}`", shown(&first.name));
    let [old, other] = [first, second].map(|planned| format!("`{}`", shown(survey.names[planned.source])));
    let place = |rule: Option<RuleId>| rule.map(|rule| survey.rule(rule).place());
    let error = match (place(first.rule), place(second.rule)) {
        (Some(place), Some(same)) if place == same => {
            Error::new(Kind::Collision, place, what).label(format!("{old} and {other} both"))
        }
        (Some(place), Some(second)) => Error::new(Kind::Collision, second, what)
            .label(format!("{other} by this"))
            .related(place, format!("{old} by this")),
        (Some(place), None) | (None, Some(place)) => {
            let error = Error::new(Kind::Collision, place, what).label(format!("{old} by this"));
            error.note(format!("{other} has that name already, and no rule renames it"))
        }
        (None, None) => unreachable!("the source has each name once"),
    };
    error.help(
        "drop or rename one of them, or let the first win: `collision = \"first\"`, `--collision first`",
    )
}

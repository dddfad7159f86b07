//! Collisions: two variables that would have one name. An error, or the first wins: ruled beats unruled, then rule order,
//! then name.

use super::{
    Planned, RuleId,
    error::{Error, Errors, Kind},
    options::Collision,
    report::Lost,
    survey::Survey,
};
use crate::name::printable;

/// Leaves each name to one variable. `wanted` comes in any order and leaves sorted by name.
pub(super) fn settle(
    survey: &Survey<'_>,
    wanted: Vec<Planned>,
    errors: &mut Errors,
) -> (Vec<Planned>, Vec<Lost>) {
    let first_wins = survey.map.options.collision.or(Collision::Error) == Collision::First;
    let (mut variables, mut lost) = (in_rank(wanted), vec![]);
    // In place: there may be very many.
    variables.dedup_by(|next, winner| {
        let collide = winner.name == next.name;
        if !collide || winner.source == next.source && winner.value == next.value {
            return collide;
        }
        match (first_wins, next.source, winner.source, winner.rule) {
            // What is made of nothing must not hide what was trained.
            (true, Some(source), Some(to), _) => {
                lost.push(Lost { source, name: std::mem::take(&mut next.name), rule: next.rule, to });
            }
            (.., Some(rule)) => {
                errors.push_with(Kind::Collision, || collision(survey, winner, rule, next));
            }
            (.., None) => {}
        }
        true
    });
    (variables, lost)
}

/// By name; of one name the one that has most right to it first.
fn in_rank(mut wanted: Vec<Planned>) -> Vec<Planned> {
    let rank = |planned: &Planned| (planned.rule.is_none(), planned.rule, planned.source);
    wanted.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| rank(a).cmp(&rank(b))));
    wanted
}

/// The winner always has a rule, for no two variables of the source have one name.
fn collision(survey: &Survey<'_>, first: &Planned, by: RuleId, second: &Planned) -> Error {
    let what = format!("two variables would be called `{}`", printable(&first.name));
    let [old, other] = [first, second].map(|planned| match planned.source {
        Some(source) => format!("`{}`", printable(survey.names[source])),
        None => "a new one".to_owned(),
    });
    let place = survey.rule(by).place();
    let error = match second.rule.map(|rule| survey.rule(rule).place()) {
        None => Error::new(Kind::Collision, place, what)
            .label(format!("{old} by this rule"))
            .note(format!("{other} has that name already, and no rule renames it")),
        Some(same) if same == place => {
            Error::new(Kind::Collision, place, what).label(format!("{old} and {other} both"))
        }
        Some(second) => Error::new(Kind::Collision, second, what)
            .label(format!("{other} by this rule"))
            .related(place, format!("{old} by this rule")),
    };
    error.help(match first.source.and(second.source) {
        Some(_) => {
            "drop or rename one of them, or let the first win: `collision = \"first\"`, `--collision first`"
        }
        None => "drop the old one, or give one of them another name",
    })
}

#[cfg(test)]
mod tests {
    use super::super::{
        Flag,
        trial::{plan, planned, unfit},
    };

    const TWO_TO_ONE: &str = "[[rule]]\nrename = 'b'\nto = 'x'\n[[rule]]\nrename = 'a'\nto = 'x'\n";

    #[test]
    fn a_collision_names_both_variables_and_both_rules() {
        let errors = unfit(&[], TWO_TO_ONE, &["a", "b"]).errors;
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
    fn a_name_that_is_taken_already_collides_too() {
        let message = unfit(&[Flag::Rename("a=b".into())], "", &["a", "b"]).to_string();
        assert!(message.contains("`b` has that name already, and no rule renames it"), "{message}");
        let message = unfit(&[Flag::Rename("{x:a|b}=c".into())], "", &["a", "b"]).to_string();
        assert!(message.contains("`a` and `b` both"), "{message}");
    }

    #[test]
    fn ruled_beats_unruled_then_rule_order_then_name() {
        let first = [Flag::CollisionFirst];
        assert_eq!(planned(&first, TWO_TO_ONE, &["a", "b", "x"]), ["x <- b"]);
        assert_eq!(planned(&first, "[[rule]]\nrename = '{p:a|b}'\nto = 'x'", &["a", "b"]), ["x <- a"]);
        let lost = plan(&first, TWO_TO_ONE, &["a", "b", "x"]).unwrap().report.lost;
        assert_eq!(lost.iter().map(|lost| (lost.source, lost.to)).collect::<Vec<_>>(), [(0, 1), (2, 1)]);
    }

    #[test]
    fn of_many_collisions_twenty_are_shown_and_the_rest_counted() {
        let names: Vec<String> = (0..50).map(|i| format!("w{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let errors = unfit(&[Flag::Rename("w*=x".into())], "", &names).errors;
        assert_eq!((errors.len(), errors.iter().count()), (49, 20));
        assert!(errors.to_string().ends_with("... and 29 more collisions"));
    }
}

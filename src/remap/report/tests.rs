use crate::map::Map;
use crate::map::flags::Flag;
use crate::map::rule::RuleId;
use crate::map::test_util::map;
use crate::remap::report::*;
use crate::remap::test_util::{mismatch, plan, planned, statuses};

fn shadowed_by(index: usize) -> Status {
    Status::Shadowed { by: Some(RuleId::at(index)) }
}

#[test]
fn an_empty_map_changes_nothing() {
    let map = map(&[], "version = 1\n[vars]\nheads = 12");
    assert!(map.is_empty() && Map::default().is_empty());
    assert_eq!(map.var("heads"), Some(12));
    assert_eq!(planned(&[], "", &["a", "b/Adam"]), ["a <- a", "b/Adam <- b/Adam"]);
}

#[test]
fn a_rule_that_matches_nothing_gets_the_nearest_pattern_as_a_hint() {
    let message =
        mismatch(&[Flag::Rename("ber/**=encoder/**".into())], "", &["bert/a", "bert/b", "cls"]).to_string();
    assert_eq!(
        message,
        "\
error: `ber/**` matched none of 3 variables
 |
 | --rename 'ber/**=encoder/**'
 |           ^^^^^^ nearest: `bert/**` (2)"
    );
}

#[test]
fn unused_rules_are_an_error_a_warning_or_allowed() {
    let rule = "[[rule]]\ndrop = 'x'\n";
    assert_eq!(mismatch(&[], rule, &["a"]).errors.len(), 1);
    let warn = format!("[options]\nunused = 'warn'\n{rule}");
    assert_eq!(plan(&[], &warn, &["a"]).unwrap().report.warnings.len(), 1);
    assert_eq!(mismatch(&[Flag::Drop("y".into())], &warn, &["a"]).errors.len(), 1);
    let optional = format!("{rule}optional = true");
    assert!(plan(&[], &optional, &["a"]).unwrap().report.warnings.is_empty());
    assert_eq!(statuses(&optional, &["a"]), [Status::Optional]);
    assert_eq!(statuses(rule, &["a"]), [Status::Unused]);
}

#[test]
fn a_rule_whose_variables_other_rules_took_is_shadowed_not_unused() {
    let text = "[[rule]]\nrename = '**'\nto = 'm/**'\n[[rule]]\nrename = 'a'\nto = 'b'\n[[rule]]\nalias = 'c'\nto = 'd'\n\
                [[rule]]\ndrop = 'c'\n";
    assert_eq!(statuses(text, &["a", "c"]), [Status::Used, shadowed_by(0), shadowed_by(3), Status::Used]);
    let warnings = plan(&[], text, &["a", "c"]).unwrap().report.warnings;
    assert_eq!(warnings.iter().map(|warning| warning.line()).collect::<Vec<_>>(), [5, 8]);
}

#[test]
fn the_report_counts_hits_and_slots_that_followed_with_an_example() {
    let report = plan(&[Flag::Rename("{x}=m/{x}".into())], "", &["v", "w", "w/Adam"]).unwrap().report;
    let rule = &report.rules[0];
    assert_eq!((rule.place.as_str(), rule.text.as_str()), ("--rename", "rename '{x}' -> 'm/{x}'"));
    assert_eq!((rule.hits, rule.followed, report.total), (2, 1, 3));
    assert_eq!(rule.example, Some(Example::new(&[b"v"], &[b"m/v"])));
    let report = plan(&[], "[[rule]]\ndrop = 'w'", &["v", "w", "w/Adam"]).unwrap().report;
    assert_eq!(report.rules[0].place, "fix.toml:2");
    assert_eq!(report.dropped, [(1, Some(RuleId::at(0))), (2, Some(RuleId::at(0)))]);
}

#[test]
fn question_marks_and_brackets_are_explained_if_they_match_nothing() {
    let help = "are ordinary characters";
    assert!(mismatch(&[Flag::Drop("w?".into())], "", &["w1"]).to_string().contains(help));
    assert!(mismatch(&[Flag::Drop("w[0-9]".into())], "", &["w1"]).to_string().contains(help));
    assert!(!mismatch(&[Flag::Drop("re:v[0-9]".into())], "", &["w1"]).to_string().contains(help));
}

#[test]
fn an_extra_slash_is_a_warning() {
    let report = plan(&[Flag::StripPrefix("bert".into())], "", &["bert/w"]).unwrap().report;
    assert!(report.warnings.to_string().contains("`bert/w` becomes `/w`, which has a slash too many"));
}

#[test]
fn dropping_a_missing_optimizer_is_an_error() {
    let message = mismatch(&[Flag::DropOptimizer], "", &["w"]).to_string();
    assert!(
        message.contains("no optimizer state among 1 variable") && message.contains("| --drop-optimizer")
    );
}

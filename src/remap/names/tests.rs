use proptest::prelude::*;

use crate::map::Map;
use crate::map::flags::Flag;
use crate::map::test_util::file;
use crate::remap::names::plan_names;
use crate::remap::plan::{Plan, Planned};
use crate::remap::test_util::{mismatch, plan, planned};

const BERT: &[&str] = &["bert/a/w", "bert/a/w/Adam", "bert/b", "bert.c", "bertx/d", "step"];

#[track_caller]
fn same(short: &[Flag], long: &[Flag]) {
    assert_eq!(planned(short, "", BERT), planned(long, "", BERT));
    let text = |flags| plan(flags, "", BERT).unwrap().report.rules.swap_remove(0).text;
    assert_eq!(text(short), text(long));
}

#[test]
fn a_scope_selects_all_that_is_in_it_and_the_report_says_so() {
    for verb in [Flag::Rename, Flag::Alias] {
        same(&[verb("bert=encoder".into())], &[verb("bert/**=encoder/**".into())]);
        same(&[verb("bert/=m/encoder/".into())], &[verb("bert/**=m/encoder/**".into())]);
    }
    same(&[Flag::Rename("bert/a=a".into())], &[Flag::Rename("bert/a/**=a/**".into())]);
    same(&[Flag::Drop("bert".into())], &[Flag::Drop("bert/**".into())]);
    same(&[Flag::Keep("bert/".into())], &[Flag::Keep("bert/**".into())]);
    let report = plan(&[Flag::Rename("bert=encoder".into())], "", BERT).unwrap().report;
    assert_eq!(report.rules[0].text, "rename 'bert/**' -> 'encoder/**'");
}

#[test]
fn a_scope_in_a_file_means_the_same_and_each_target_is_a_scope() {
    let text = "[[rule]]\nalias = 'BERT'\nto = ['x', 'y/z']\nignore_case = true\n[[rule]]\nkeep = 'bert/b'\n";
    assert_eq!(planned(&[], text, BERT), ["bert/b <- bert/b", "x/b <- bert/b", "y/z/b <- bert/b"]);
}

#[test]
fn slots_follow_a_variable_that_is_renamed_by_its_scope() {
    let names = ["Adam/net/w/m", "net/w", "net/w/Adam"];
    assert_eq!(
        planned(&[Flag::Rename("net=model".into())], "", &names),
        ["Adam/model/w/m <- Adam/net/w/m", "model/w <- net/w", "model/w/Adam <- net/w/Adam"]
    );
}

#[test]
fn a_variable_with_the_name_of_a_scope_wins() {
    let names = ["dense", "dense/Adam", "dense/kernel"];
    assert_eq!(
        planned(&[Flag::Rename("dense=v".into())], "", &names),
        ["dense/kernel <- dense/kernel", "v <- dense", "v/Adam <- dense/Adam"]
    );
}

#[test]
fn escaped_special_characters_stay_literal() {
    assert_eq!(
        planned(&[Flag::Rename(r"a\*\{=\*$2".replace("$2", r"\$2"))], "", &["a*{/w"]),
        ["*$2/w <- a*{/w"]
    );
}

#[test]
fn the_beginning_of_a_component_is_not_a_scope_and_other_verbs_have_none() {
    for flag in [Flag::Drop("ber".into()), Flag::Drop("re:bert".into()), Flag::Cast("bert=half".into())] {
        assert!(mismatch(&[flag], "", BERT).to_string().contains("matched none of 6 variables"));
    }
}

/// Returns the effect of a map, without the rules that caused it.
fn meaning(plan: &Plan) -> (Vec<Planned>, usize, usize) {
    let unruled = |planned: &Planned| Planned { rule: None, ..planned.clone() };
    (plan.variables.iter().map(unruled).collect(), plan.report.dropped.len(), plan.report.lost.len())
}

fn flag() -> impl Strategy<Value = Flag> {
    let name = || "[ab]{1,2}(/[ab*]{1,2}){0,2}";
    prop_oneof![
        (name(), "[abx]{1,2}(/[abx]{1,2}){0,2}").prop_map(|(from, to)| Flag::Rename(format!("{from}={to}"))),
        Just(Flag::Rename("a/**=x/**".into())),
        (name(), "[cd]{1,2}").prop_map(|(from, to)| Flag::Alias(format!("{from}={to}"))),
        (name(), "float16|int8").prop_map(|(from, to)| Flag::Cast(format!("{from}={to}"))),
        name().prop_map(Flag::Drop),
        name().prop_map(Flag::Keep),
        "[ab]/?".prop_map(Flag::StripPrefix),
        Just(Flag::AddPrefix("p{}".into())),
        Just(Flag::DropOptimizer),
        Just(Flag::CollisionFirst),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_written_map_has_the_same_plan_as_the_map(
        flags in proptest::collection::vec(flag(), 0..4),
        names in proptest::collection::btree_set("[ab]{1,2}(/[ab]{1,2}){0,2}(/Adam)?", 1..12),
        unmatched in prop::sample::select(vec!["keep", "drop"]),
    ) {
        let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
        let options = format!("[options]\nunmatched = '{unmatched}'\n[[rule]]\nrename = 'b/{{x}}'\nto = 'y/{{x}}'\noptional = true");
        if let Ok(map) = Map::parse(&flags, &[file(&options)]) {
            let written = Map::parse(&[], &[file(&map.to_toml())]).map_err(|errors| TestCaseError::fail(errors.to_string()))?;
            match plan_names(&map, &names) {
                Ok(plan) => prop_assert_eq!(meaning(&plan), meaning(&plan_names(&written, &names).map_err(|mismatch| TestCaseError::fail(mismatch.to_string()))?)),
                Err(_) => prop_assert!(plan_names(&written, &names).is_err()),
            }
        }
    }
}

const VALID: &str = r#"version = 1
[vars]
heads = 12
[tables]
op = { 0 = 1, 1 = 'x' }
[options]
unmatched = "keep"
[[rule]]
rename = 'a/{i:int}/**/{k:x|y}'
to = "b/{op[i]}/**/{k|lower}"
optional = true
[[rule]]
alias = 're:(?<s>.+)/é'
to = ['{s}', 'x/{s}']
[[rule]]
drop = '**/\{*'
"#;

proptest! {
    #[test]
    fn any_text_is_a_map_or_errors_that_can_be_shown(text in "\\PC*", flag in "\\PC{0,12}") {
        try_it(&text, &flag);
    }

    #[test]
    fn a_valid_map_with_parts_changed_is_a_map_or_errors_that_can_be_shown(
        cuts in proptest::collection::vec((0..VALID.len(), 0usize..4, "[\\]\\[{}'\"\\\\=*/:|a0é\n]{0,3}"), 1..4),
    ) {
        let mut text: Vec<char> = VALID.chars().collect();
        for (at, len, new) in cuts {
            let start = at.min(text.len());
            text.splice(start..(start + len).min(text.len()), new.chars());
        }
        try_it(&text.into_iter().collect::<String>(), "a{x=b");
    }
}

/// Parses and plans a map, and renders all messages.
fn try_it(text: &str, flag: &str) {
    let names: [&[u8]; 4] = [b"a/0/x", b"a/1/b/y", b"q/\xc3\xa9", b"z"];
    for flags in [vec![], vec![Flag::Rename(flag.into())], vec![Flag::Drop(flag.into()), Flag::DropOptimizer]]
    {
        match Map::parse(&flags, &[file(text)]) {
            Err(errors) => {
                assert!(!errors.to_string().is_empty() && !errors.to_colored_string().is_empty())
            }
            Ok(map) => _ = plan_names(&map, &names).map_err(|mismatch| mismatch.to_string()),
        }
    }
}

use std::sync::Arc;

use super::*;
use crate::tensor::Tensor;

/// Returns a catalog of variables of one element.
fn catalog(names: &[&str]) -> Catalog {
    let mut names: Vec<_> = names.to_vec();
    names.sort_unstable();
    let variable = |name: &&str| {
        let tensor =
            Arc::new(Tensor::new(Dtype::Float32, Shape::default(), vec![vec![0_u8; 4].into()], None));
        Variable { name: (*name).into(), key: None, plain_key: None, full_name: None, tensor, origin: None }
    };
    Catalog { variables: names.iter().map(variable).collect(), ..Catalog::default() }
}

fn missing(names: &[&str]) -> Vec<MissingName> {
    let one = |name: &&str| MissingName { name: (*name).into(), dtype: None, shape: None };
    names.iter().map(one).collect()
}

/// Returns the proposals: their flags in one line, and the confidence.
fn inferred(have: &[&str], wanted: &[&str]) -> Vec<(String, Confidence)> {
    let flag = |flag: &Flag| format!("{flag:?}");
    let line = |proposal: &Proposal| proposal.flags.iter().map(flag).collect::<Vec<_>>().join(" ");
    infer(&catalog(have), &missing(wanted)).iter().map(|found| (line(found), found.confidence)).collect()
}

#[track_caller]
fn is_sure(have: &[&str], wanted: &[&str], flags: &str) {
    assert_eq!(inferred(have, wanted), [(flags.to_owned(), Confidence::Sure)]);
}

#[track_caller]
fn is_likely(have: &[&str], wanted: &[&str], flags: &str) {
    assert_eq!(inferred(have, wanted), [(flags.to_owned(), Confidence::Likely)]);
}

#[track_caller]
fn is_ambiguous(have: &[&str], wanted: &[&str]) {
    let found = inferred(have, wanted);
    assert!(found.len() > 1 && found.iter().all(|(_, trust)| *trust == Confidence::Ambiguous), "{found:?}");
}

const MODEL: &[&str] =
    &["model/dense/kernel", "model/dense/bias", "model/dense_1/kernel", "model/dense_1/bias", "global_step"];

#[test]
fn another_scope_is_found_by_the_end_of_the_name() {
    is_sure(MODEL, &["net/dense/bias"], r#"Rename("model/**=net/**")"#);
    is_sure(
        &["bert/a/k", "bert/b/k", "bert/pooler/dense/k"],
        &["encoder/pooler/dense/k"],
        r#"Rename("bert/**=encoder/**")"#,
    );
    is_sure(
        &["enc/pool/dense/k", "enc/x/k"],
        &["enc/pooler/dense/k"],
        r#"Rename("enc/pool/**=enc/pooler/**")"#,
    );
}

#[test]
fn a_prefix_is_stripped_or_added() {
    is_sure(MODEL, &["dense/bias"], r#"StripPrefix("model/")"#);
    is_sure(&["module.a/k", "module.a/b"], &["a/k"], r#"StripPrefix("module.")"#);
    is_sure(&["a/k", "a/b", "step"], &["net/a/b"], r#"AddPrefix("net/")"#);
    is_sure(&["a/k", "global_step"], &["net/a/k"], r#"Rename("global_step=global_step") AddPrefix("net/")"#);
}

#[test]
fn slots_follow_and_are_counted() {
    let have = catalog(&[
        "model/dense/kernel",
        "model/dense/kernel/Adam",
        "model/dense/kernel/Adam_1",
        "beta1_power",
    ]);
    let found = infer(&have, &missing(&["net/dense/kernel"]));
    assert_eq!((found[0].variables, found[0].slots), (1, 2));
    assert_eq!(
        found[0].evidence,
        "net/dense/kernel is not there; model/dense/kernel [] is, its last two components"
    );
    assert!(inferred(&["w", "w/Adam"], &["x/Adam"]).is_empty(), "a slot is not what a program wants");
}

#[test]
fn other_separators_case_and_spelling_are_found() {
    let dotted = ["module.model.dense.bias", "module.model.dense.kernel", "module.model.out.x.k"];
    let found = inferred(&dotted, &["model/dense/bias"]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1, Confidence::Sure);
    is_sure(MODEL, &["model/Dense/bias"], r#"Rename("model/dense{x:**}=model/Dense{x}")"#);
    is_sure(
        &["model/dense/b", "model/densenet/b"],
        &["model/Dense/b"],
        r#"Rename("re:model/dense(?<x>(?:_?\\d+)?(?:[/.].*)?)=model/Dense{x}")"#,
    );
    is_sure(&["Net/Dense/b", "Net/Out/b"], &["net/dense/b"], r#"Rename("{x:**}={x|lower}")"#);
    is_sure(&["dense_layer1/b", "o/b"], &["denseLayer1/b"], r#"Rename("dense_layer1{x:**}=denseLayer1{x}")"#);
}

#[test]
fn layers_that_count_from_another_number_are_likely_or_ambiguous() {
    let rules = r#"Rename("model/dense/{x:**}=model/dense_12/{x}") Rename("model/dense_{i:int}/{x:**}=model/dense_{i+12}/{x}")"#;
    is_likely(MODEL, &["model/dense_12/bias"], rules);
    is_likely(
        &["dense_12/b", "dense_13/b"],
        &["dense/b"],
        r#"Rename("dense_12/{x:**}=dense/{x}") Rename("dense_{i:int}/{x:**}=dense_{i-12}/{x}")"#,
    );
    // The first by the alphabet is `dense_10` also for 9, 10, 11.
    is_ambiguous(&["dense/b", "dense_1/b", "dense_2/b"], &["dense_10/b"]);
    // A new layer, or all layers by one, two or three more.
    is_ambiguous(&["dense/b", "dense_1/b", "dense_2/b"], &["dense_3/b"]);
    is_likely(
        &["layer_0/b", "layer_1/b"],
        &["layer_4/b", "layer_5/b"],
        r#"Rename("layer_{i:int}/{x:**}=layer_{i+4}/{x}")"#,
    );
}

#[test]
fn what_fits_several_variables_is_ambiguous() {
    is_ambiguous(&["a/dense/k", "b/dense/k"], &["c/dense/k"]);
    is_ambiguous(&["m/fc1/k", "m/out/k"], &["m/hidden/k"]);
    is_likely(&["a/dense/k", "b/out/k", "c/dense/k"], &["c/out/k"], r#"Rename("b/**=c/**")"#);
}

#[test]
fn synonyms_and_averages_are_found_if_nothing_else_fits() {
    is_likely(&["dense/weights", "dense/biases"], &["dense/bias"], r#"Rename("{x:**}/biases={x}/bias")"#);
    is_sure(&["w/ExponentialMovingAverage"], &["w"], r#"Rename("{x:**}/ExponentialMovingAverage={x}")"#);
    is_likely(
        &["w", "b"],
        &["w/ExponentialMovingAverage"],
        r#"Alias("{x:**}={x}/ExponentialMovingAverage")"#,
    );
    assert!(inferred(&["a/k"], &["b/other"]).is_empty());
    assert!(inferred(&["a/k"], &["a/k"]).is_empty());
}

#[test]
fn shapes_decide_where_they_are_known() {
    let mut have = catalog(&["a/dense/k", "b/dense/k"]);
    let tensor =
        Arc::new(Tensor::new(Dtype::Float32, Shape(Box::new([2])), vec![vec![0_u8; 8].into()], None));
    have.variables[1].tensor = tensor;
    let wanted = MissingName { name: "c/dense/k".into(), dtype: None, shape: Some(Shape(Box::new([2]))) };
    let found = infer(&have, &[wanted]);
    assert_eq!(found[0].flags, [Flag::Rename("b/**=c/**".into())]);
}

#[test]
fn several_missing_names_are_given_together() {
    let have = ["enc/x/k", "enc/y/k", "dec/z/k", "dec/q/k"];
    is_sure(&have, &["e/x/k", "d/z/k"], r#"Rename("dec/**=d/**") Rename("enc/**=e/**")"#);
    let found = infer(&catalog(&have), &missing(&["e/x/k", "nothing/like/this"]));
    assert_eq!(found[0].confidence, Confidence::Likely);
    assert!(found[0].doubt.as_deref().unwrap().contains("nothing/like/this"));
}

#[test]
fn names_with_signs_of_the_map_language_are_escaped() {
    is_sure(&["a*{b}=c/x/k"], &["q=$1*/x/k"], r#"Rename("a\\*\\{b\\}\\=c/**=q\\=\\$1\\*/**")"#);
    is_sure(&["--a b/x/k", "--a b/y/k"], &["'; touch x; '/x/k"], r#"Rename("--a b/**='; touch x; '/**")"#);
}

mod random_models;
mod states;

use std::sync::Arc;

use crate::cache::Cache;
use crate::catalog::Origin;
use crate::dtype::Dtype;
use crate::format::crc::Masked;
use crate::tensor::{Shape, Tensor};
use crate::transform::kind::{Target, convert_kind};
use crate::transform::like::options::{FIT, MISSING, Pair, Rule, Selector};
use crate::transform::like::problem::Fitting;
use crate::transform::like::*;

fn variable(name: &str, dims: &[u64], fill: u8) -> Variable {
    let shape = Shape(dims.into());
    let bytes = vec![fill; shape.num_elements().unwrap() as usize];
    let crc32c = Some(Masked::of(&bytes));
    let tensor = Arc::new(Tensor::new(Dtype::Uint8, shape, vec![bytes.into()], crc32c));
    Variable { name: name.into(), key: None, plain_key: None, full_name: None, tensor, origin: None }
}

fn plain(variables: &[(&str, &[u64], u8)]) -> Catalog {
    let mut variables: Vec<_> =
        variables.iter().map(|(name, dims, fill)| variable(name, dims, *fill)).collect();
    variables.sort_by(|a, b| a.name.cmp(&b.name));
    Catalog { variables, ..Catalog::default() }
}

/// Builds an object-based catalog. Full names are `full/<path>` unless they are set.
fn object(variables: &[(&str, &[u64], u8)]) -> Catalog {
    let mut catalog = plain(variables);
    convert_kind(&mut catalog, Target::Object);
    catalog.variables.retain(|variable| variable.name.as_bytes() != b"save_counter");
    for variable in &mut catalog.variables {
        variable.plain_key = None;
        variable.full_name = Some([b"full/", variable.name.as_bytes()].concat().into());
    }
    catalog
}

fn call(catalog: &mut Catalog, name: &str, full_name: &str) {
    let variable = catalog.variables.iter_mut().find(|variable| variable.name == name.into());
    variable.unwrap().full_name = Some(full_name.into());
}

fn wanted(catalog: Catalog) -> Wanted {
    Wanted::checkpoint("wanted".into(), catalog)
}

/// Names and values.
type Values = Vec<(String, Vec<u8>)>;

/// Parses flags: `missing zeros`, `fit a=like`, `pair a=b`, `new a`, `match name`.
fn flags(flags: &[&str]) -> (Choices, Option<Matching>) {
    let (mut choices, mut matching) = (Choices::default(), None);
    for flag in flags {
        let (name, value) = flag.split_once(' ').unwrap();
        match name {
            "missing" => choices.missing.push(Rule::parse(value, MISSING).unwrap()),
            "fit" => choices.fit.push(Rule::parse(value, FIT).unwrap()),
            "pair" => choices.pairs.push(Pair::parse(value).unwrap()),
            "new" => choices.new.push(Selector::parse(value).unwrap()),
            "match" if value == "name" => matching = Some(Matching::Name),
            _ => matching = Some(Matching::Position),
        }
    }
    (choices, matching)
}

fn made(source: &Catalog, wanted: &Wanted, given: &[&str]) -> Result<(Values, Likeness), LikeMismatch> {
    let (mut catalog, (choices, matching)) = (source.clone(), flags(given));
    let likeness = like(&mut catalog, wanted, &choices, matching)?;
    let value = |variable: &Variable| {
        let mut bytes = vec![0; variable.tensor.len() as usize];
        variable.tensor.file().read_at(&Cache::new(0), &mut bytes, 0).unwrap();
        (variable.name.to_string(), bytes)
    };
    Ok((catalog.variables.iter().map(value).collect(), likeness))
}

fn values(source: &Catalog, wanted: Catalog) -> Values {
    values_with(source, wanted, &[])
}

fn values_with(source: &Catalog, goal: Catalog, given: &[&str]) -> Values {
    made(source, &wanted(goal), given).unwrap_or_else(|mismatch| panic!("{mismatch}")).0
}

fn problems(source: &Catalog, goal: Catalog) -> Vec<Problem> {
    problems_with(source, goal, &[])
}

fn problems_with(source: &Catalog, goal: Catalog, given: &[&str]) -> Vec<Problem> {
    made(source, &wanted(goal), given).unwrap_err().problems().to_vec()
}

fn shown(values: &[(&str, &[u8])]) -> Values {
    values.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect()
}

#[test]
fn plain_names_match_by_path_and_get_wanteds_graph() {
    let source = plain(&[("dense/kernel", &[2], 1), ("dense/a.b", &[1], 2), ("other", &[1], 9)]);
    let wanted = wanted(object(&[("dense/kernel", &[2], 0), ("dense/a.b", &[1], 0)]));
    let mut catalog = source.clone();
    let likeness = like(&mut catalog, &wanted, &Choices::default(), None).unwrap();
    assert_eq!((likeness.found, likeness.extra), (2, vec!["other".into()]));
    assert_eq!(
        catalog.variables[1].key().as_bytes(),
        wanted.catalog.variables[1].key().as_bytes(),
        "WANTED's keys"
    );
    let (made, wanted) = (catalog.objects.unwrap().tensor, &wanted.catalog.objects.as_ref().unwrap().tensor);
    assert!(Arc::ptr_eq(&made, wanted));
}

#[test]
fn full_names_match_variables_at_other_paths() {
    let source = plain(&[("hidden/kernel", &[1], 1), ("out/kernel", &[1], 2)]);
    let mut wanted = object(&[("model/layer-1/k", &[1], 0), ("model/layer-0/k", &[1], 0)]);
    call(&mut wanted, "model/layer-0/k", "hidden/kernel");
    call(&mut wanted, "model/layer-1/k", "out/kernel");
    assert_eq!(values(&source, wanted), shown(&[("model/layer-0/k", &[1]), ("model/layer-1/k", &[2])]));
}

#[test]
fn positions_decide_only_what_names_leave_open() {
    let source = object(&[("m/0/w", &[1], 1), ("m/1/w", &[1], 2)]);
    let same = object(&[("m/0/w", &[1], 0), ("m/1/w", &[1], 0)]);
    assert_eq!(values(&source, same), shown(&[("m/0/w", &[1]), ("m/1/w", &[2])]));

    // WANTED has an additional layer, so the full names shift by one position.
    let mut source = source;
    let mut longer = object(&[("m/0/w", &[1], 0), ("m/1/w", &[1], 0), ("m/2/w", &[1], 0)]);
    for (catalog, names) in
        [(&mut source, &["first/w", "last/w"][..]), (&mut longer, &["first/w", "new/w", "last/w"])]
    {
        for (at, name) in names.iter().enumerate() {
            call(catalog, &format!("m/{at}/w"), name);
        }
    }
    let found = problems(&source, longer);
    assert!(matches!(&found[..], [Problem::Missing { path, .. }] if *path == "m/1/w".into()), "{found:?}");
}

#[test]
fn a_name_and_a_position_that_disagree_are_ambiguous() {
    let pair = |first: &str, second: &str| {
        let mut catalog = object(&[("m/0/w", &[1], 1), ("m/1/w", &[1], 2)]);
        call(&mut catalog, "m/0/w", first);
        call(&mut catalog, "m/1/w", second);
        catalog
    };
    let (source, goal) = (pair("left/w", "right/w"), || pair("right/w", "left/w"));
    let found = problems(&source, goal());
    let Problem::Ambiguous { name, candidates } = &found[0] else { panic!("{found:?}") };
    let candidates: Vec<_> = candidates.iter().map(|(name, how)| (name.to_string(), *how)).collect();
    assert_eq!(name, &"right/w".into());
    assert_eq!(candidates, [("right/w".into(), "by full name"), ("left/w".into(), "by position")]);
    let values = |given: &str| values_with(&source, goal(), &[given]).into_iter().map(|(_, value)| value[0]);
    assert!(values("match name").eq([2, 1]));
    assert!(values("match position").eq([1, 2]));
}

#[test]
fn one_value_for_two_variables_is_rejected() {
    let source = plain(&[("a", &[1], 1)]);
    let mut wanted = object(&[("a", &[1], 0), ("b", &[1], 0)]);
    call(&mut wanted, "b", "a");
    assert!(
        matches!(&problems(&source, wanted)[..], [Problem::Twice { source, .. }] if *source == "a".into())
    );
}

#[test]
fn all_mismatches_are_reported_together() {
    let source = plain(&[("a", &[2], 1), ("b", &[2, 2], 1), ("dense/kernel", &[1], 1)]);
    let mut want =
        plain(&[("a", &[3], 0), ("b", &[2], 0), ("dense/kernels", &[1], 0), ("dense/kernel", &[1], 0)]);
    let kernel = want.variables.iter_mut().find(|v| v.name == "dense/kernel".into()).unwrap();
    let mut tensor = (*kernel.tensor).clone();
    tensor.dtype = Dtype::Int8;
    kernel.tensor = Arc::new(tensor);
    let mismatch = made(&source, &wanted(want), &[]).unwrap_err();
    assert_eq!(
        mismatch.to_string(),
        "\
the source is not like wanted
  missing, 1 of 4:
    dense/kernels  uint8 [1]
  help: --missing 'dense/kernels=like' fills them with WANTED's own values
  of another shape, 2 of 4:
    a  uint8 [3], but a is [2]
    b  uint8 [2], but b is [2, 2], which cannot be made to fit
  help: --drop a --drop b --missing 'a=like' --missing 'b=like' takes WANTED's own values, for a new head
  help: `ckptfs maps --help` has slice, pad and transpose for values that are the same otherwise
  of another dtype, 1 of 4:
    dense/kernel  int8, but dense/kernel is uint8
  help: --cast 'dense/kernel=int8' converts them; check then says which values can overflow"
    );
}

#[test]
fn suggestions_come_from_unused_variables() {
    let source = plain(&[("bert/pooler/kernel", &[1], 1)]);
    let mismatch = made(&source, &wanted(plain(&[("bert/poolers/kernel", &[1], 0)])), &[]).unwrap_err();
    assert!(
        mismatch.to_string().contains("bert/poolers/kernel  uint8 [1]  nearest: bert/pooler/kernel"),
        "{mismatch}"
    );
}

#[test]
fn missing_variables_are_filled_and_short_ones_extended() {
    let source = plain(&[("a", &[1, 2], 1)]);
    let wanted = wanted(plain(&[("a", &[2, 3], 7), ("b", &[2], 8)]));
    let (values, likeness) = made(&source, &wanted, &["missing b=zeros", "fit a=like"]).unwrap();
    assert_eq!(values, shown(&[("a", &[1, 1, 7, 7, 7, 7]), ("b", &[0, 0])]));
    assert_eq!((likeness.filled, likeness.fitted), (vec!["b".into()], vec!["a".into()]));
    let (values, _) = made(&source, &wanted, &["missing **=like", "fit **=like"]).unwrap();
    assert_eq!(values[1], ("b".into(), vec![8, 8]));
}

#[test]
fn fit_without_a_pattern_adds_rows_to_embeddings_only() {
    let source = plain(&[("emb", &[1, 2], 1), ("head", &[1, 2], 2), ("x", &[1], 3)]);
    let goal = || plain(&[("emb", &[2, 2], 7), ("head", &[1, 3], 8), ("x", &[1], 9)]);
    let found = problems_with(&source, goal(), &["fit like"]);
    assert!(
        matches!(&found[..], [Problem::Shape { name, fit: Fitting::Axes, .. }] if *name == "head".into()),
        "{found:?}"
    );
    let values = values_with(&source, goal(), &["fit head=like", "fit like"]);
    assert_eq!(values, shown(&[("emb", &[1, 1, 7, 7]), ("head", &[2, 2, 8]), ("x", &[3])]));
}

#[test]
fn a_flag_without_a_pattern_needs_a_source_for_half_of_the_weights() {
    let source = plain(&[("a", &[1], 1), ("b", &[1], 2)]);
    let goal = |names: &[&str]| plain(&names.iter().map(|name| (*name, &[1u64][..], 9)).collect::<Vec<_>>());
    let few = |names: &[&str], given: &[&str]| {
        made(&source, &wanted(goal(names)), given).err().map(|mismatch| mismatch.to_string())
    };
    assert_eq!(few(&["a", "x"], &["missing like"]), None);
    let said = few(&["a", "x", "y"], &["missing like"]).unwrap();
    assert!(said.contains("1 of 3 wanted weights have a source"), "{said}");
    assert!(said.contains("--missing 'x=like' --missing 'y=like'"), "{said}");
    // Weights that a pattern names do not count, nor do those that --new names.
    assert_eq!(few(&["a", "x", "y"], &["missing y=like", "missing like"]), None);
    assert_eq!(few(&["a", "x", "y"], &["new x", "missing like"]), None);
    assert_eq!(few(&["x", "y"], &["missing **=like"]), None);
    assert!(few(&["x", "y"], &["missing like"]).unwrap().contains("0 of 2"));
    // Only the embeddings, or only the encoder, are wanted.
    assert_eq!(few(&["b"], &["missing like"]), None);
}

#[test]
fn the_refusal_of_few_weights_shows_the_rename_that_would_match_them() {
    let source = plain(&[("model/a/w", &[1], 1), ("model/b/w", &[1], 2)]);
    let goal = plain(&[("net/a/w", &[1], 8), ("net/b/w", &[1], 9)]);
    let said = made(&source, &wanted(goal), &["missing like"]).unwrap_err().to_string();
    assert!(said.contains("--rename 'model/**=net/**' matches 2 of them"), "{said}");
    assert!(said.contains("--missing 'net/**=like'"), "{said}");
}

#[test]
fn zeros_are_filled_in_only_where_zero_is_neutral() {
    let source = plain(&[("d/kernel", &[1], 1), ("e/kernel", &[1], 1)]);
    let goal = |more: &str| plain(&[("d/kernel", &[1], 0), ("e/kernel", &[1], 0), (more, &[2], 9)]);
    let filled = |more: &str, given: &str| {
        made(&source, &wanted(goal(more)), &[given]).map(|made| made.0[0].1.clone())
    };
    assert_eq!(filled("a/bias", "missing zeros").unwrap(), [0, 0]);
    for name in ["a/kernel", "a/embeddings"] {
        let mismatch = filled(name, "missing zeros").unwrap_err();
        assert!(matches!(mismatch.problems(), [Problem::NotNeutral { .. }]), "{mismatch}");
        assert_eq!(filled(name, "missing a/**=zeros").unwrap(), [0, 0]);
    }
}

#[test]
fn a_checkpoint_without_weights_is_refused_on_either_side() {
    let (weights, mut none) = (plain(&[("w", &[1], 1)]), plain(&[("x", &[1], 0)]));
    convert_kind(&mut none, Target::Object);
    none.variables.retain(|variable| variable.name.as_bytes() == b"save_counter");
    for (source, goal) in [(&weights, none.clone()), (&none, weights.clone())] {
        let found = problems_with(source, goal, &["missing **=like"]);
        assert!(found.iter().any(|problem| matches!(problem, Problem::NoWeights { .. })), "{found:?}");
    }
}

#[test]
fn names_that_only_count_are_no_evidence_if_the_counts_differ() {
    let source = plain(&[("dense/kernel", &[1], 1), ("dense_1/kernel", &[1], 2)]);
    let goal =
        || plain(&[("dense/kernel", &[1], 7), ("dense_1/kernel", &[1], 8), ("dense_2/kernel", &[1], 9)]);
    let found = problems_with(&source, goal(), &["missing **=like"]);
    assert!(matches!(&found[..], [Problem::Group { variables: 3, .. }]), "{found:?}");
    let said = made(&source, &wanted(goal()), &[]).unwrap_err().to_string();
    assert!(said.contains("2 in the source, 3 wanted: which is new cannot be known"), "{said}");
    // Each of the flags decides.
    let values = |given: &[&str]| values_with(&source, goal(), given).into_iter().map(|(_, value)| value[0]);
    assert!(values(&["new dense_1"]).eq([1, 8, 2]));
    assert!(values(&["new dense/kernel"]).eq([7, 1, 2]));
    assert!(values(&["pair dense=dense_1", "pair dense_1=dense_2", "missing like"]).eq([7, 1, 2]));
    assert!(values(&["match position", "missing like"]).eq([1, 2, 9]));
    assert!(values(&["match name", "missing like"]).eq([1, 2, 9]));
    // A layer is gone.
    let found = problems(&goal(), plain(&[("dense/kernel", &[1], 0), ("dense_1/kernel", &[1], 0)]));
    assert!(matches!(&found[..], [Problem::Group { variables: 2, .. }]), "{found:?}");
}

#[test]
fn a_number_that_a_rule_wrote_is_taken_as_said() {
    let goal = || plain(&[("n/dense/w", &[1], 7), ("n/dense_1/w", &[1], 8), ("n/dense_2/w", &[1], 9)]);
    let renamed = |old: &str| {
        let mut source = plain(&[("n/dense/w", &[1], 1), ("n/dense_2/w", &[1], 2)]);
        source.variables[1].origin = Some(Origin { name: old.into(), rule: "--rename".into(), value: None });
        source
    };
    let values = values_with(&renamed("m/dense_1/w"), goal(), &["missing like"]);
    assert_eq!(values.iter().map(|(_, value)| value[0]).collect::<Vec<_>>(), [1, 8, 2]);
    // A rule that only renames the scope says nothing about the number.
    let found = problems_with(&renamed("m/dense_2/w"), goal(), &["missing like"]);
    assert!(matches!(&found[..], [Problem::Group { .. }]), "{found:?}");
}

#[test]
fn the_models_name_in_full_names_may_be_on_one_side_only() {
    let saved = |path: &str, names: [&str; 2]| {
        let mut catalog = object(&[(&format!("{path}/1/w"), &[1], 1), (&format!("{path}/2/w"), &[2], 2)]);
        for (at, name) in names.iter().enumerate() {
            call(&mut catalog, &format!("{path}/{}/w", at + 1), name);
        }
        catalog
    };
    let keras2 = saved("layer", ["dense/w", "dense_1/w"]);
    let keras3 = saved("operations", ["sequential_4/dense_7/w", "sequential_4/dense_8/w"]);
    for (source, goal) in [(keras2.clone(), keras3.clone()), (keras3, keras2)] {
        let values = values_with(&source, goal, &[]);
        assert_eq!(values.iter().map(|(_, value)| value[0]).collect::<Vec<_>>(), [1, 2]);
    }
    // The name of another scope is no model's name.
    let encoder = plain(&[("encoder/dense/w", &[1], 1)]);
    let found = problems(&encoder, plain(&[("dense/w", &[1], 0)]));
    assert!(matches!(&found[..], [Problem::Missing { .. }]), "{found:?}");
}

#[test]
fn members_that_missing_names_may_be_missing() {
    let source = plain(&[("dense/w", &[1], 1), ("dense_1/w", &[1], 2)]);
    let goal = || plain(&[("dense/w", &[1], 7), ("dense_1/w", &[1], 8), ("dense_2/w", &[1], 9)]);
    let values = values_with(&source, goal(), &["missing dense_2=like"]);
    assert_eq!(values.iter().map(|(_, value)| value[0]).collect::<Vec<_>>(), [1, 2, 9]);
    // A pattern that names all members says nothing about any of them.
    assert!(matches!(&problems_with(&source, goal(), &["missing **=like"])[..], [Problem::Group { .. }]));
}

#[test]
fn the_shapes_of_one_layers_variables_tell_which_is_missing() {
    let source = plain(&[("d/vars/0", &[2, 3], 1)]);
    let values =
        values_with(&source, plain(&[("d/vars/0", &[2, 3], 7), ("d/vars/1", &[3], 9)]), &["missing like"]);
    assert_eq!(values.iter().map(|(_, value)| value[0]).collect::<Vec<_>>(), [1, 9]);
    // A normalization without its scale has the same shapes in other places.
    let source = plain(&[("d/vars/0", &[3], 1), ("d/vars/1", &[3], 2)]);
    let goal = plain(&[("d/vars/0", &[3], 7), ("d/vars/1", &[3], 8), ("d/vars/2", &[3], 9)]);
    assert!(matches!(&problems_with(&source, goal, &["missing like"])[..], [Problem::Group { .. }]));
}

#[test]
fn names_that_count_from_another_number_match_in_their_order() {
    let source = plain(&[("m/dense/w", &[1], 1), ("m/dense_1/w", &[2], 2), ("m/dense_2/w", &[3], 3)]);
    let goal = plain(&[("m/dense_12/w", &[1], 0), ("m/dense_13/w", &[2], 0), ("m/dense_14/w", &[3], 0)]);
    let (values, likeness) = made(&source, &wanted(goal), &[]).unwrap();
    assert_eq!(values.iter().map(|(_, value)| value[0]).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(likeness.by_position, 3);
}

#[test]
fn one_member_of_another_shape_between_matching_ones_is_of_another_shape() {
    let source = object(&[("m/0/w", &[1], 1), ("m/1/w", &[2], 2), ("m/2/w", &[3], 3)]);
    let mut goal = object(&[("m/0/w", &[1], 0), ("m/1/w", &[9], 0), ("m/2/w", &[3], 0)]);
    goal.variables.iter_mut().for_each(|variable| variable.full_name = None);
    let found = problems(&source, goal);
    assert!(matches!(&found[..], [Problem::Shape { .. }]), "{found:?}");
    // Two neighbors of other shapes are no evidence for each other.
    let mut goal = object(&[("m/0/w", &[4], 0), ("m/1/w", &[9], 0), ("m/2/w", &[3], 0)]);
    goal.variables.iter_mut().for_each(|variable| variable.full_name = None);
    let found = problems(&source, goal);
    assert!(matches!(&found[..], [Problem::Group { variables: 3, .. }]), "{found:?}");
}

#[test]
fn a_full_name_that_means_something_decides_where_positions_do_not_count_alike() {
    let source = object(&[("m/0/w", &[1], 1), ("m/1/w", &[1], 2)]);
    let mut goal = object(&[("m/0/w", &[1], 7), ("m/1/w", &[1], 8), ("m/2/w", &[1], 9)]);
    call(&mut goal, "m/0/w", "full/m/0/w");
    call(&mut goal, "m/1/w", "new");
    call(&mut goal, "m/2/w", "other/w");
    let mut named = source.clone();
    call(&mut named, "m/0/w", "first/w");
    call(&mut named, "m/1/w", "other/w");
    call(&mut goal, "m/0/w", "first/w");
    let values: Vec<_> =
        values_with(&named, goal, &["missing like"]).into_iter().map(|(_, value)| value[0]).collect();
    assert_eq!(values, [1, 8, 2]);
}

#[test]
fn an_unknown_name_in_a_flag_is_reported_with_its_side() {
    let (source, goal) = (plain(&[("a", &[1], 1)]), plain(&[("a", &[1], 0)]));
    let given = ["pair b=a", "new c", "missing d=like", "fit e=like"];
    let said = made(&source, &wanted(goal), &given).unwrap_err().to_string();
    for part in [
        "--pair b=a: nothing in the source is called b",
        "--new c: nothing in WANTED is called c",
        "--missing d: nothing in WANTED is called d",
        "--fit e: nothing",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_table_gives_names_but_no_values() {
    let source = plain(&[("a", &[2], 1)]);
    let wanted = Wanted::valueless(
        "w.tsv".into(),
        table::decode("w.tsv", b"name\tdtype\tshape\na\tuint8\t2\nb\tuint8\t3\n").unwrap(),
    );
    assert_eq!(
        made(&source, &wanted, &["missing b=zeros"]).unwrap().0,
        shown(&[("a", &[1, 1]), ("b", &[0, 0, 0])])
    );
    for flag in ["missing b=like", "fit **=like"] {
        let mismatch = made(&source, &wanted, &[flag]).unwrap_err();
        assert!(mismatch.problems().contains(&Problem::NoValues));
    }
}

#[test]
fn a_missing_save_counter_is_taken_from_wanted() {
    let source = plain(&[("w", &[1], 1)]);
    let mut want = plain(&[("w", &[1], 0)]);
    convert_kind(&mut want, Target::Object);
    let (values, likeness) = made(&source, &wanted(want), &[]).unwrap();
    assert_eq!(values, shown(&[("save_counter", &[0; 8]), ("w", &[1])]));
    assert_eq!(likeness.filled, ["save_counter".into()]);
}

#[test]
fn values_that_exceed_a_files_size_are_rejected() {
    let source = plain(&[("w", &[1], 1)]);
    let rows: String = (0..3).map(|i| format!("v{i}\tuint8\t{}\n", 1u64 << 62)).collect();
    let wanted = Wanted::valueless(
        "w.tsv".into(),
        table::decode("w.tsv", format!("name\tdtype\tshape\n{rows}").as_bytes()).unwrap(),
    );
    let mismatch = made(&source, &wanted, &["missing **=zeros"]).unwrap_err();
    assert!(
        mismatch.problems().iter().any(|problem| matches!(problem, Problem::TooLarge { .. })),
        "{mismatch}"
    );
}

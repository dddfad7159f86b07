use std::collections::HashSet;
use std::sync::Arc;

use proptest::prelude::*;

use crate::catalog::Variable;
use crate::dtype::Dtype;
use crate::name::Name;
use crate::tensor::{Shape, Tensor};
use crate::transform::kind::*;

fn tensor(dtype: Dtype, dims: &[u64]) -> Arc<Tensor> {
    Arc::new(Tensor::new(dtype, Shape(dims.into()), vec![], None))
}

/// Builds a name-based catalog, in which `global_step` can count steps.
fn catalog(names: &[&str]) -> Catalog {
    let mut names: Vec<_> = names.to_vec();
    names.sort();
    let variable = |name: &&str| {
        let tensor = match *name {
            "global_step" => tensor(Dtype::Int64, &[]),
            _ => tensor(Dtype::Float32, &[2, 3]),
        };
        Variable { name: (*name).into(), key: None, plain_key: None, full_name: None, tensor, origin: None }
    };
    Catalog { variables: names.iter().map(variable).collect(), ..Catalog::default() }
}

fn object(names: &[&str]) -> Catalog {
    let mut catalog = catalog(names);
    convert_kind(&mut catalog, Target::Object);
    catalog
}

fn names(catalog: &Catalog) -> Vec<String> {
    catalog.variables.iter().map(|variable| variable.name.to_string()).collect()
}

fn plain(catalog: &Catalog, name: &str) -> Option<String> {
    catalog.variable(name.as_bytes()).unwrap().plain_key.as_ref().map(Name::to_string)
}

#[test]
fn adam_becomes_an_optimizer_that_counts_by_the_global_step() {
    let catalog = object(&["w", "w/Adam", "w/Adam_1", "beta1_power", "beta2_power", "global_step"]);
    let expected = [
        "beta1_power",
        "beta2_power",
        "global_step",
        "optimizer/iter",
        "save_counter",
        "w",
        "w/.OPTIMIZER_SLOT/optimizer/m",
        "w/.OPTIMIZER_SLOT/optimizer/v",
    ];
    assert_eq!(names(&catalog), expected);
    assert_eq!(plain(&catalog, "w").as_deref(), Some("w"));
    assert_eq!(plain(&catalog, "w/.OPTIMIZER_SLOT/optimizer/v").as_deref(), Some("w/Adam_1"));
    for (name, plain_key) in [("optimizer/iter", None), ("save_counter", None)] {
        assert_eq!(plain(&catalog, name).as_deref(), plain_key);
    }
    let graph = catalog.graph().unwrap();
    assert_eq!(graph.resolve("beta1_power"), None);
    assert!(catalog.variable(b"beta1_power").unwrap().key.is_none());
    let optimizer = &graph.objects().nodes[graph.resolve("optimizer").unwrap()];
    assert_eq!(optimizer.slots.iter().map(|slot| slot.name.as_str()).collect::<Vec<_>>(), ["m", "v"]);
    let iterations = catalog.variable(b"optimizer/iter").unwrap();
    assert!(Arc::ptr_eq(&iterations.tensor, &catalog.variable(b"global_step").unwrap().tensor));
}

#[test]
fn variables_unknown_to_tf2_stay_out_of_the_graph_and_keep_their_names() {
    let names = ["w", "w/Shampoo", "w/ExponentialMovingAverage", "a//b", "x/.ATTRIBUTES/y", "w/Adam_2"];
    let catalog = object(&names);
    for name in &names[1..] {
        let variable = catalog.variable(name.as_bytes()).unwrap();
        assert_eq!((variable.key(), &variable.plain_key), (&variable.name, &None), "{name}");
    }
    let values = catalog.graph().unwrap().objects().nodes.iter().map(|node| node.attributes.len());
    assert_eq!(values.sum::<usize>(), 2);
    assert_eq!(catalog.graph().unwrap().resolve("optimizer"), None);
}

#[test]
fn two_optimizers_have_two_names() {
    let catalog = object(&["a", "a/Adam", "b", "b/Momentum", "global_step"]);
    let graph = catalog.graph().unwrap();
    assert_eq!(graph.resolve("optimizer"), None);
    for path in ["optimizer_adam/iter", "optimizer_momentum/iter"] {
        assert!(graph.resolve(path).is_some(), "{path}");
    }
}

#[test]
fn keras_numbers_and_slots_belong_to_its_optimizer() {
    let catalog = object(&["w", "training/Adam/w/m", "training/Adam/w/v", "training/Adam/iter"]);
    assert_eq!(
        names(&catalog),
        [
            "save_counter",
            "training/Adam/iter",
            "w",
            "w/.OPTIMIZER_SLOT/optimizer/m",
            "w/.OPTIMIZER_SLOT/optimizer/v"
        ]
    );
    let key = catalog.variable(b"training/Adam/iter").unwrap().key();
    assert_eq!(key, &"optimizer/iter/.ATTRIBUTES/VARIABLE_VALUE".into());
}

#[test]
fn an_existing_save_counter_stays() {
    let catalog = object(&["save_counter", "w"]);
    assert_eq!(names(&catalog), ["save_counter", "w"]);
    assert_eq!(catalog.variable(b"save_counter").unwrap().tensor.dtype, Dtype::Float32);
}

#[test]
fn only_unique_full_names_become_plain_names() {
    let mut catalog = object(&["a/kernel", "b/kernel", "c/bias"]);
    for (name, full_name) in [("a/kernel", "kernel"), ("b/kernel", "kernel"), ("c/bias", "the_bias")] {
        let at = catalog.variables.iter().position(|v| v.name == name.into()).unwrap();
        catalog.variables[at].full_name = Some(full_name.into());
    }
    convert_kind(&mut catalog, Target::Name);
    assert_eq!(names(&catalog), ["a/kernel", "b/kernel", "save_counter", "the_bias"]);
    assert!(catalog.objects.is_none() && catalog.variables.iter().all(|v| v.key.is_none()));
}

#[test]
fn slots_are_named_after_their_variables_plain_names() {
    let mut catalog = object(&["w", "w/Momentum"]);
    convert_kind(&mut catalog, Target::Name);
    assert_eq!(names(&catalog), ["save_counter", "w", "w/momentum"]);
}

#[test]
fn a_catalog_of_the_target_kind_stays_unchanged() {
    let mut catalog = catalog(&["w"]);
    convert_kind(&mut catalog, Target::Name);
    assert_eq!(names(&catalog), ["w"]);
    let mut catalog = object(&["w"]);
    let before = catalog.objects.as_ref().unwrap().tensor.clone();
    convert_kind(&mut catalog, Target::Object);
    assert!(Arc::ptr_eq(&before, &catalog.objects.unwrap().tensor));
}

proptest! {
    #[test]
    fn keys_are_unique_and_every_name_is_still_a_key(
        names in prop::collection::btree_set(
            "([ab.]{0,2}/){0,2}(w|x[.]|Adam|Adam_1|adam_m|Ftrl|global_step|optimizer|iter|[.]ATTRIBUTES|VARIABLE_VALUE)", 0..20),
    ) {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let catalog = object(&names);
        let keys: Vec<_> = catalog.variables.iter().flat_map(|v| [Some(v.key()), v.plain_key.as_ref()]).flatten().collect();
        let distinct: HashSet<_> = keys.iter().collect();
        prop_assert_eq!(distinct.len(), keys.len());
        for name in &names {
            prop_assert!(distinct.contains(&&Name::from(*name)), "{} is gone", name);
        }
        prop_assert!(catalog.variables.is_sorted_by(|a, b| a.name < b.name));
        let mut back = catalog.clone();
        convert_kind(&mut back, Target::Name);
        prop_assert_eq!(back.variables.len(), catalog.variables.len());
        prop_assert!(back.variables.is_sorted_by(|a, b| a.name < b.name));
    }
}

#[test]
fn slots_that_only_legacy_optimizers_restore_are_a_warning() {
    let warning = |names: &[&str]| convert_kind(&mut catalog(names), Target::Object);
    let said = warning(&["w", "w/Adam", "w/Adam_1", "v", "v/Momentum"]).unwrap();
    assert!(said.contains("tf.keras.optimizers.legacy can restore the 3 slots of Adam, Momentum;"), "{said}");
    assert!(said.contains("--like WANTED") && said.contains("--drop-optimizer"), "{said}");
    assert_eq!(warning(&["w", "beta1_power", "w/ExponentialMovingAverage"]), None, "no slot is placed");
    assert_eq!(convert_kind(&mut object(&["w", "w/Adam"]), Target::Object), None, "it is not converted");
    assert_eq!(convert_kind(&mut object(&["w", "w/Adam"]), Target::Name), None);
}

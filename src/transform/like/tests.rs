use crate::cache::Cache;
use crate::dtype::Dtype;
use crate::format::crc::Masked;
use crate::tensor::Shape;
use crate::transform::kind::{Target, convert_kind};
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

fn made(source: &Catalog, wanted: &Wanted, filling: Filling) -> Result<(Values, Likeness), LikeMismatch> {
    let mut catalog = source.clone();
    let likeness = like(&mut catalog, wanted, filling)?;
    let value = |variable: &Variable| {
        let mut bytes = vec![0; variable.tensor.len() as usize];
        variable.tensor.file().read_at(&Cache::new(0), &mut bytes, 0).unwrap();
        (variable.name.to_string(), bytes)
    };
    Ok((catalog.variables.iter().map(value).collect(), likeness))
}

fn values(source: &Catalog, wanted: Catalog) -> Values {
    made(source, &crate::transform::like::tests::wanted(wanted), Filling::default())
        .unwrap_or_else(|mismatch| panic!("{mismatch}"))
        .0
}

fn problems(source: &Catalog, wanted: Catalog) -> Vec<Problem> {
    made(source, &crate::transform::like::tests::wanted(wanted), Filling::default())
        .unwrap_err()
        .problems()
        .to_vec()
}

fn shown(values: &[(&str, &[u8])]) -> Values {
    values.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect()
}

#[test]
fn plain_names_match_by_path_and_get_wanteds_graph() {
    let source = plain(&[("dense/kernel", &[2], 1), ("dense/a.b", &[1], 2), ("other", &[1], 9)]);
    let wanted = wanted(object(&[("dense/kernel", &[2], 0), ("dense/a.b", &[1], 0)]));
    let mut catalog = source.clone();
    let likeness = like(&mut catalog, &wanted, Filling::default()).unwrap();
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
    let mut longer = object(&[("m/0/w", &[1], 0), ("m/1/w", &[1], 0), ("m/2/w", &[1], 0)]);
    call(&mut longer, "m/1/w", "new");
    call(&mut longer, "m/2/w", "full/m/1/w");
    let found = problems(&source, longer);
    assert!(matches!(&found[..], [Problem::Missing { name, .. }] if *name == "m/1/w".into()), "{found:?}");
}

#[test]
fn a_name_and_a_position_that_disagree_are_ambiguous() {
    let source = object(&[("m/0/w", &[1], 1), ("m/1/w", &[1], 2)]);
    let mut wanted = object(&[("m/0/w", &[1], 0)]);
    call(&mut wanted, "m/0/w", "full/m/1/w");
    let found = problems(&source, wanted);
    let Problem::Ambiguous { name, candidates } = &found[0] else { panic!("{found:?}") };
    let candidates: Vec<_> = candidates.iter().map(|(name, how)| (name.to_string(), *how)).collect();
    assert_eq!(name, &"m/0/w".into());
    assert_eq!(candidates, [("m/1/w".into(), "by full name"), ("m/0/w".into(), "by position")]);
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
    let mismatch = made(&source, &wanted(want), Filling::default()).unwrap_err();
    assert_eq!(
        mismatch.to_string(),
        "\
the source is not like wanted
  missing, 1 of 4:
    dense/kernels  uint8 [1]
  help: --missing zeros fills them, --missing like takes WANTED's own values; or a --rename brings a name closer
  of another shape, 2 of 4:
    a  uint8 [3], but a is [2]
    b  uint8 [2], but b is [2, 2], which cannot be made to fit
  help: --fit like takes the rest of an axis that is too short from WANTED's rows
  of another dtype, 1 of 4:
    dense/kernel  int8, but dense/kernel is uint8
  help: WANTED must have the source's dtypes: nothing is cast here"
    );
}

#[test]
fn suggestions_come_from_unused_variables() {
    let source = plain(&[("bert/pooler/kernel", &[1], 1)]);
    let mismatch =
        made(&source, &wanted(plain(&[("bert/poolers/kernel", &[1], 0)])), Filling::default()).unwrap_err();
    assert!(
        mismatch.to_string().contains("bert/poolers/kernel  uint8 [1]  nearest: bert/pooler/kernel"),
        "{mismatch}"
    );
}

#[test]
fn missing_variables_are_filled_and_short_ones_extended() {
    let source = plain(&[("a", &[1, 2], 1)]);
    let wanted = wanted(plain(&[("a", &[2, 3], 7), ("b", &[2], 8)]));
    let fill = |missing| Filling { missing: Some(missing), fit: true };
    let (values, likeness) = made(&source, &wanted, fill(Missing::Zeros)).unwrap();
    assert_eq!(values, shown(&[("a", &[1, 1, 7, 7, 7, 7]), ("b", &[0, 0])]));
    assert_eq!((likeness.filled, likeness.fitted), (vec!["b".into()], vec!["a".into()]));
    let (values, _) = made(&source, &wanted, fill(Missing::Like)).unwrap();
    assert_eq!(values[1], ("b".into(), vec![8, 8]));
}

#[test]
fn a_table_gives_names_but_no_values() {
    let source = plain(&[("a", &[2], 1)]);
    let wanted = Wanted::table("w.tsv".into(), b"name\tdtype\tshape\na\tuint8\t2\nb\tuint8\t3\n").unwrap();
    let zeros = Filling { missing: Some(Missing::Zeros), fit: false };
    assert_eq!(made(&source, &wanted, zeros).unwrap().0, shown(&[("a", &[1, 1]), ("b", &[0, 0, 0])]));
    for filling in
        [Filling { missing: Some(Missing::Like), fit: false }, Filling { missing: None, fit: true }]
    {
        let mismatch = made(&source, &wanted, filling).unwrap_err();
        assert!(mismatch.problems().contains(&Problem::NoValues));
    }
}

#[test]
fn a_missing_save_counter_is_taken_from_wanted() {
    let source = plain(&[("w", &[1], 1)]);
    let mut want = plain(&[("w", &[1], 0)]);
    convert_kind(&mut want, Target::Object);
    let (values, likeness) = made(&source, &wanted(want), Filling::default()).unwrap();
    assert_eq!(values, shown(&[("save_counter", &[0; 8]), ("w", &[1])]));
    assert_eq!(likeness.filled, ["save_counter".into()]);
}

#[test]
fn values_that_exceed_a_files_size_are_rejected() {
    let source = plain(&[("w", &[1], 1)]);
    let rows: String = (0..3).map(|i| format!("v{i}\tuint8\t{}\n", 1u64 << 62)).collect();
    let wanted = Wanted::table("w.tsv".into(), format!("name\tdtype\tshape\n{rows}").as_bytes()).unwrap();
    let zeros = Filling { missing: Some(Missing::Zeros), fit: false };
    let mismatch = made(&source, &wanted, zeros).unwrap_err();
    assert!(matches!(mismatch.problems(), [Problem::TooLarge { .. }]), "{mismatch}");
}

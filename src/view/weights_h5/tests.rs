//! Tests with generated catalogs; an independent crate reads the files.

use hdf5_reader::Hdf5File;
use proptest::prelude::*;

use crate::cache::Cache;
use crate::dtype::Dtype;
use crate::format::string_tensor;
use crate::tensor::{Shape, Tensor};
use crate::view::weights_h5::*;

fn variable(name: &[u8], dtype: Dtype, shape: &[u64], data: Extent) -> Variable {
    let tensor = Arc::new(Tensor::new(dtype, Shape(shape.into()), vec![data], None));
    Variable { name: name.into(), key: None, plain_key: None, full_name: None, tensor, origin: None }
}

/// Returns a variable with one element, whose bytes are those of its name.
fn one(name: &str, dtype: Dtype) -> Variable {
    let width = dtype.width().unwrap() as usize;
    let bytes: Vec<u8> = name.bytes().cycle().take(width).collect();
    variable(name.as_bytes(), dtype, &[1], bytes.into())
}

fn floats(names: &[&str]) -> Vec<Variable> {
    names.iter().map(|name| one(name, Dtype::Float32)).collect()
}

fn catalog(mut variables: Vec<Variable>, h5_layout: H5Layout) -> Arc<Catalog> {
    variables.sort_by(|a, b| a.name.cmp(&b.name));
    Arc::new(Catalog { variables, h5_layout, ..Catalog::default() })
}

fn read(catalog: &Arc<Catalog>) -> Hdf5File {
    let file = file(catalog);
    let mut bytes = vec![0; file.len() as usize];
    assert_eq!(file.read_at(&Cache::new(1 << 20), &mut bytes, 0).unwrap(), bytes.len());
    Hdf5File::from_vec(bytes).unwrap()
}

fn list(file: &Hdf5File, group: &str, attribute: &str) -> Vec<String> {
    let group = if group == "/" { file.root_group() } else { file.group(group) };
    group.unwrap().attribute(attribute).map_or(vec![], |list| list.read_strings().unwrap())
}

#[test]
fn each_variable_is_a_dataset_and_the_impossible_ones_are_listed() {
    let (strings, _) = string_tensor::encode(&["ab", "c"]);
    let variables = vec![
        one("a/b", Dtype::Float32),
        one("a/b/Adam", Dtype::Float32),
        one("a/small", Dtype::Float8E5m2),
        one("half", Dtype::Bfloat16),
        one("a//x", Dtype::Int8),
        one("./y", Dtype::Int8),
        variable(b"caf\xe9", Dtype::Int8, &[1], vec![1].into()),
        variable(b"none", Dtype::Float64, &[0, 4], vec![].into()),
        variable(b"scalar", Dtype::Bool, &[], vec![1].into()),
        variable(b"words", Dtype::String, &[2], strings.into()),
    ];
    let file = read(&catalog(variables, H5Layout::Keras3));
    let bytes = |name: &str| file.dataset(name).unwrap().read_raw_bytes().unwrap();
    assert_eq!(
        (bytes("a/b"), bytes("half"), bytes("scalar"), bytes("words")),
        (b"a/ba".into(), b"ha".into(), vec![1], b"abc\0".into())
    );
    assert_eq!(file.dataset("none").unwrap().shape(), [0, 4]);
    let component = "its name has a component that is empty or `.`";
    let wanted = [
        format!("./y: {component}"),
        format!("a//x: {component}"),
        "a/b/Adam: a dataset and a group would have one name".into(),
        "a/small: HDF5 has no float8_e5m2".into(),
        "caf\\xe9: its name is not UTF-8".into(),
    ];
    assert_eq!(list(&file, "/", LEFT_OUT), wanted);
}

/// A value that must not be computed.
struct Untouched;

impl Decode for Untouched {
    fn identity(&self) -> Identity {
        Identity { of: 0, to: "untouched" }
    }

    fn decode(&self, _at: u64, _len: usize) -> io::Result<Vec<u8>> {
        panic!("a value was computed")
    }
}

#[test]
fn the_length_and_the_image_are_known_without_any_value() {
    let len = 1 << 40;
    let data = Extent::Decoded { data: Arc::new(Untouched), len };
    let file = file(&catalog(vec![variable(b"w", Dtype::Float32, &[1 << 38], data)], H5Layout::Keras3));
    let mut image = vec![0; (file.len() - len) as usize];
    assert_eq!(file.read_at(&Cache::new(0), &mut image, 0).unwrap(), image.len());
    assert!(image.starts_with(b"\x89HDF") && image.len() < 4096);
}

#[test]
fn an_empty_checkpoint_is_an_empty_file_of_either_layout() {
    for layout in [H5Layout::Keras3, H5Layout::Legacy] {
        let file = read(&catalog(vec![], layout));
        assert!(file.root_group().unwrap().member_names().unwrap().0.is_empty());
    }
}

#[test]
fn a_layer_lists_its_weights_in_the_order_of_keras_with_an_output_suffix() {
    let names = ["norm/bn/beta", "norm/bn/gamma", "norm/bn/moving_mean:0", "norm/bn/moving_variance"];
    let file = read(&catalog(floats(&names), H5Layout::Legacy));
    let listed = ["norm/bn/gamma:0", "norm/bn/beta:0", "norm/bn/moving_mean:0", "norm/bn/moving_variance:0"];
    assert_eq!(list(&file, "norm", "weight_names"), listed);
    assert_eq!(list(&file, "/", "layer_names"), ["norm"]);
    let weight = |name: &str| file.dataset(&format!("norm/{name}")).unwrap().read_raw_bytes().unwrap();
    assert_eq!(listed.map(weight), [b"norm"; 4].map(Vec::from));
}

#[test]
fn without_a_graph_layers_are_loaded_by_name_only() {
    let file = read(&catalog(floats(&["a/kernel", "b/bias", "b/kernel"]), H5Layout::Legacy));
    assert_eq!(list(&file, "/", "layer_names"), ["a", "b", "load_by_name"]);
    let [weight] = list(&file, "load_by_name", "weight_names").try_into().unwrap();
    assert_eq!(file.dataset(&format!("load_by_name/{weight}")).unwrap().shape(), [0]);
}

#[test]
fn variables_without_a_layer_or_a_known_order_are_listed_as_left_out() {
    let names = ["a/kernel", "a/kernel/Adam", "b/one", "b/two", "c/l/kernel", "c/r/kernel", "d/only", "step"];
    let file = read(&catalog(floats(&names), H5Layout::Legacy));
    let unknown = "the order of its layer's weights is not known";
    let wanted = [
        "a/kernel/Adam: it is below the variable a/kernel".into(),
        "step: it is in no layer, for its name has no slash".into(),
        format!("b/one: {unknown}"),
        format!("b/two: {unknown}"),
        format!("c/l/kernel: {unknown}"),
        format!("c/r/kernel: {unknown}"),
    ];
    assert_eq!(list(&file, "/", LEFT_OUT), wanted);
    assert_eq!(list(&file, "/", "layer_names"), ["a", "d", "load_by_name"]);
}

#[test]
fn a_long_list_of_left_out_variables_is_split() {
    let variables = (0..3000).map(|i| one(&format!("variable_{i:04}/./x"), Dtype::Int8)).collect();
    let file = read(&catalog(variables, H5Layout::Keras3));
    let parts =
        (0..).map(|i| list(&file, "/", &format!("{LEFT_OUT}{i}"))).take_while(|part| !part.is_empty());
    assert_eq!(parts.flatten().count(), 3000);
}

#[test]
fn a_name_with_very_many_components_is_left_out() {
    let deep = "a/".repeat(100_000) + "b";
    for layout in [H5Layout::Keras3, H5Layout::Legacy] {
        let file = read(&catalog(floats(&[&deep, "x/kernel"]), layout));
        assert!(list(&file, "/", LEFT_OUT)[0].starts_with("a/a/"));
    }
}

proptest! {
    #[test]
    fn every_variable_is_read_back_or_listed_as_left_out(
        names in proptest::collection::btree_set("[ab]{1,2}(/[ab.]{0,2}){0,3}", 0..30),
        legacy: bool,
    ) {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let layout = if legacy { H5Layout::Legacy } else { H5Layout::Keras3 };
        let file = read(&catalog(floats(&names), layout));
        let lacking = list(&file, "/", LEFT_OUT);
        for name in names {
            let path = if legacy { format!("{}/{name}:0", name.split('/').next().unwrap()) } else { name.to_owned() };
            let is_named = lacking.iter().any(|line| line.starts_with(&format!("{name}: ")));
            match file.dataset(&path) {
                Ok(dataset) if !is_named => {
                    let wanted: Vec<_> = name.bytes().cycle().take(4).collect();
                    prop_assert_eq!(dataset.read_raw_bytes().unwrap(), wanted);
                }
                found => prop_assert!(is_named && (found.is_err() || name.contains("//") || name.contains('.') || name.ends_with('/')), "{}", name),
            }
        }
    }
}

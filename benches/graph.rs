//! The time to read an object graph of 100,000 nodes, and to rename variables in it: `cargo bench --bench graph`.

use std::sync::Arc;

use ckptfs::catalog::{Catalog, Variable};
use ckptfs::dtype::Dtype;
use ckptfs::graph::Graph;
use ckptfs::map::{Flag, Map};
use ckptfs::remap;
use ckptfs::tensor::{Shape, Tensor};
use ckptfs::transform::{self, Target};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

const NODES: usize = 100_000;

/// Returns the names of layers with 16 heads each. A head is a node with one variable, for which Adam keeps two
/// slots. Together with their parents, these are [`NODES`] nodes.
fn names() -> Vec<String> {
    let heads = 0..24_240;
    let kernel = |i| format!("model/decoder/layer_{:04}/attention/head_{:02}/kernel", i / 16, i % 16);
    let mut names: Vec<_> =
        heads.map(kernel).flat_map(|k| [k.clone(), k.clone() + "/Adam", k + "/Adam_1"]).collect();
    names.extend(["beta1_power".into(), "beta2_power".into()]);
    names.sort();
    names
}

fn catalog() -> Catalog {
    let tensor = Arc::new(Tensor::new(Dtype::Float32, Shape::default(), vec![], None));
    let variable = |name: String| Variable {
        name: name.as_str().into(),
        key: None,
        plain_key: None,
        full_name: None,
        tensor: tensor.clone(),
        origin: None,
    };
    let mut catalog =
        Catalog { variables: names().into_iter().map(variable).collect(), ..Catalog::default() };
    transform::convert_kind(&mut catalog, Target::Object);
    let nodes = catalog.graph().expect("it has one now").objects().nodes.len();
    eprintln!("{nodes} nodes, {} variables", catalog.variables.len());
    catalog
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn read(bencher: Bencher) {
    let catalog = catalog();
    let bytes = ckptfs::format::object_graph::encode(catalog.graph().unwrap().objects());
    bencher.counter(ItemsCount::new(NODES)).bench_local(|| Graph::decode(black_box(&bytes)).unwrap());
}

#[divan::bench(sample_count = 10, sample_size = 1, args = [
    "--rename model/decoder=moved/x",
    "--rename model/**/kernel=model/**/weight",
    "--drop optimizer/**",
])]
fn remap(bencher: Bencher, flags: &str) {
    let (flag, text) = flags.split_once(' ').unwrap();
    let text = text.to_owned();
    let flag = if flag == "--drop" { Flag::Drop(text) } else { Flag::Rename(text) };
    let (map, catalog) = (Map::parse(&[flag], &[]).unwrap(), catalog());
    bencher.counter(ItemsCount::new(NODES)).with_inputs(|| catalog.clone()).bench_local_values(
        |mut catalog| {
            remap::apply(&map, &mut catalog).unwrap();
            catalog
        },
    );
}

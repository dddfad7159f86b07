//! Tests that read images, with data after them, with another project's HDF5 library.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test may panic"
)]

use std::collections::BTreeMap;

use hdf5_reader::Hdf5File;
use hdf5_reader::messages::datatype::Datatype as Read;
use proptest::prelude::*;

use crate::format::hdf5_image::*;

/// Returns a file of these datasets, each with different bytes.
fn file(root: &Group, lens: &BTreeMap<usize, u64>) -> Vec<u8> {
    let image = encode(root);
    let mut file = image.metadata;
    for (id, at) in image.places {
        assert_eq!(at % ALIGNMENT, 0);
        assert!(at >= file.len() as u64, "data {id} overlaps what is before it");
        file.resize(at as usize, 0);
        file.extend(data(id, lens[&id]));
    }
    assert_eq!(file.len() as u64, image.len);
    file
}

fn data(id: usize, len: u64) -> Vec<u8> {
    (0..len).map(|i| (id as u64 * 31 + i * 7) as u8).collect()
}

fn dataset(id: usize, datatype: Datatype, shape: &[u64]) -> Dataset {
    let len = shape.iter().product::<u64>() * u64::from(datatype.size());
    Dataset { id, datatype, shape: shape.to_vec(), len, attributes: vec![] }
}

fn composed(datasets: &[(&str, Datatype, &[u64])]) -> Hdf5File {
    let (mut root, mut lens) = (Group::default(), BTreeMap::new());
    for (id, (path, datatype, shape)) in datasets.iter().enumerate() {
        let dataset = dataset(id, *datatype, shape);
        lens.insert(id, dataset.len);
        root.insert(path, dataset).unwrap();
    }
    Hdf5File::from_vec(file(&root, &lens)).unwrap()
}

fn datatypes() -> Vec<Datatype> {
    let integers = [1, 2, 4, 8].into_iter().flat_map(|size| [integer(size, true), integer(size, false)]);
    let others = [FLOAT16, FLOAT32, FLOAT64, COMPLEX64, COMPLEX128, BOOL, BFLOAT16, fixed_string(5)];
    integers.chain(others).collect()
}

#[test]
fn every_datatype_is_read_back() {
    for datatype in datatypes() {
        let file = composed(&[("x", datatype, &[2, 3])]);
        let dataset = file.dataset("x").unwrap();
        let size = u64::from(datatype.size());
        assert_eq!(dataset.read_raw_bytes().unwrap(), data(0, 6 * size), "{datatype:?}");
        match (datatype, dataset.dtype()) {
            (Datatype::Integer { size, signed }, Read::FixedPoint { size: read, signed: sign, .. }) => {
                assert_eq!((u32::from(size), signed), (u32::from(*read), *sign));
            }
            (Datatype::Float(float), Read::FloatingPoint { size, .. }) => {
                assert_eq!(u32::from(float.size), u32::from(*size));
            }
            (Datatype::Complex(_), Read::Compound { fields, .. }) => {
                let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
                assert_eq!(names, ["r", "i"]);
            }
            (Datatype::Bool, Read::Enum { members, .. }) => {
                let names: Vec<_> =
                    members.iter().map(|member| (member.name.as_str(), &*member.value)).collect();
                assert_eq!(names, [("FALSE", &[0][..]), ("TRUE", &[1][..])]);
            }
            (Datatype::Opaque(2), Read::Opaque { size: 2, .. }) => {}
            (Datatype::String(5), Read::String { .. }) => {}
            (written, read) => panic!("{written:?} is read as {read:?}"),
        }
    }
}

#[test]
fn scalars_and_arrays_without_elements_keep_their_shapes() {
    let file = composed(&[("none", FLOAT32, &[3, 0]), ("one", FLOAT64, &[]), ("two", FLOAT32, &[2])]);
    let shape = |name| file.dataset(name).unwrap().shape().to_vec();
    assert_eq!((shape("none"), shape("one"), shape("two")), (vec![3, 0], vec![], vec![2]));
    assert_eq!(file.dataset("one").unwrap().read_raw_bytes().unwrap(), data(1, 8));
    assert_eq!(file.dataset("two").unwrap().read_raw_bytes().unwrap(), data(2, 8));
}

#[test]
fn groups_of_every_size_up_to_three_levels_keep_all_their_members() {
    for count in (0..70).chain([256, 257, 1025]) {
        let names: Vec<_> = (0..count).map(|i| format!("g/{i}")).collect();
        let datasets: Vec<_> = names.iter().map(|name| (name.as_str(), FLOAT32, &[1u64][..])).collect();
        let file = composed(&[&[("a", FLOAT32, &[][..])], datasets.as_slice()].concat());
        let mut wanted: Vec<_> = (0..count).map(|i| i.to_string()).collect();
        wanted.sort();
        if count > 0 {
            assert_eq!(file.group("g").unwrap().member_names().unwrap(), (vec![], wanted));
        }
        for (id, name) in names.iter().enumerate().step_by(13) {
            assert_eq!(file.dataset(name).unwrap().read_raw_bytes().unwrap(), data(id + 1, 4), "{name}");
        }
    }
}

#[test]
fn attributes_are_read_back() {
    let mut root = Group::default();
    let mut marked = dataset(0, BFLOAT16, &[2]);
    marked.attributes.push(Attribute::text("dtype", "bfloat16"));
    root.insert("a/x", marked.clone()).unwrap();
    root.insert("a/y", Dataset { id: 1, ..marked }).unwrap();
    root.attributes.push(Attribute::bytes("backend", "tensorflow"));
    root.attributes.extend(Attribute::list("layer_names", ["a", "größer"].map(String::from)));
    let file = Hdf5File::from_vec(file(&root, &[(0, 4), (1, 4)].into())).unwrap();
    let root = file.root_group().unwrap();
    assert_eq!(root.attribute("backend").unwrap().read_string().unwrap(), "tensorflow");
    assert_eq!(root.attribute("layer_names").unwrap().read_strings().unwrap(), ["a", "größer"]);
    for name in ["a/x", "a/y"] {
        let dtype = file.dataset(name).unwrap().attribute("dtype").unwrap();
        assert_eq!(dtype.read_string().unwrap(), "bfloat16");
    }
}

#[test]
fn a_list_too_long_for_a_message_is_split_as_keras_does() {
    let names: Vec<_> = (0..9000).map(|i| format!("layer_{i:05}")).collect();
    let mut root = Group { attributes: Attribute::list("layer_names", names.clone()), ..Group::default() };
    root.attributes.extend(Attribute::list("one", ["x".repeat(MAX_STRING + 9)]));
    root.attributes.extend(Attribute::list("none", []));
    let file = Hdf5File::from_vec(encode(&root).metadata).unwrap();
    let root = file.root_group().unwrap();
    assert!(root.attribute("layer_names").is_err());
    let parts = (0..).map_while(|i| root.attribute(&format!("layer_names{i}")).ok());
    let read: Vec<_> = parts.flat_map(|part| part.read_strings().unwrap()).collect();
    assert_eq!(read, names);
    assert_eq!(root.attribute("one").unwrap().read_strings().unwrap(), ["x".repeat(MAX_STRING)]);
    assert_eq!(root.attribute("none").unwrap().shape, [0]);
}

#[test]
fn invalid_members_are_refused_and_leave_the_file_unchanged() {
    let mut root = Group::default();
    let insert = |root: &mut Group, path: &str| root.insert(path, dataset(0, FLOAT32, &[]));
    insert(&mut root, "a/b").unwrap();
    let before = encode(&root);
    for path in ["", "/a", "a/", "a//b", "./a", "a/.", "a\0b", "a", "a/b", "a/b/c/d", &"x/".repeat(MAX_DEPTH)]
    {
        assert!(insert(&mut root, path).is_err(), "{path:?}");
    }
    assert!(insert(&mut root, &["x"; MAX_DEPTH + 1].join("/")).is_err());
    assert!(root.insert("c", dataset(0, FLOAT32, &[1; MAX_RANK + 1])).is_err());
    assert_eq!(encode(&root), before);
    for path in ["..", "a/..", "größe", " ", &["x"; MAX_DEPTH].join("/")] {
        insert(&mut root, path).unwrap();
    }
}

proptest! {
    #[test]
    fn every_value_of_any_tree_is_at_its_place(
        wanted in proptest::collection::btree_map(
            "[a-c]{1,2}(/[a-d:0-9é]{1,3}){0,3}",
            (0..16usize, proptest::collection::vec(0..5u64, 0..4)),
            0..60,
        )
    ) {
        let (mut root, mut lens, mut kept) = (Group::default(), BTreeMap::new(), BTreeMap::new());
        for (id, (path, (datatype, shape))) in wanted.iter().enumerate() {
            let datatype = datatypes()[*datatype];
            let dataset = dataset(id, datatype, shape);
            let len = dataset.len;
            let taken = kept.keys().any(|other: &String| path.starts_with(&format!("{other}/")) || other.starts_with(&format!("{path}/")));
            prop_assert_eq!(root.insert(path, dataset).is_err(), taken);
            if !taken {
                lens.insert(id, len);
                kept.insert(path.clone(), (id, shape.clone()));
            }
        }
        let file = Hdf5File::from_vec(file(&root, &lens)).unwrap();
        for (path, (id, shape)) in kept {
            let read = file.dataset(&path).unwrap();
            prop_assert_eq!(read.shape(), shape.as_slice());
            if lens[&id] > 0 {
                prop_assert_eq!(read.read_raw_bytes().unwrap(), data(id, lens[&id]));
            }
        }
    }
}

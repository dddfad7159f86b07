//! `model.safetensors`: the whole checkpoint as one file, which the safetensors package and transformers load.
//!
//! A header is made, and the tensors follow it, unchanged and as lazy as they are, those of the widest elements first and
//! then by name, as the reference implementation writes them: so each is aligned to its elements, without gaps.
//!
//! The metadata has `format`, which transformers insists on, and where it says something:
//!
//! | key | a JSON object of |
//! |---|---|
//! | `ckptfs.left_out` | variables that the format cannot hold, each with the reason |
//! | `ckptfs.dtypes` | variables that are there as another type of the same bytes, each with its own: `qint8` as `I8` |

use std::cmp::Reverse;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::catalog::{Catalog, Variable};
use crate::extent::{Extent, VirtualFile};
use crate::format::safetensors::{Entry, Header, Kind, MAX_HEADER, METADATA, encode};
use crate::tensor::Tensor;
use crate::view::form::CheckpointView;

pub(super) const WHOLE: CheckpointView =
    CheckpointView { name: "model.safetensors", is_there, file, left_out };

/// Bytes of a header that holds no name yet.
const FIXED: u64 = 200;
/// Bytes of an entry besides its name and shape: types, the longest offsets, punctuation, the reason if it is left out.
const AROUND: u64 = 140;
/// Bytes of a dimension, with the comma.
const DIM: u64 = 21;

/// Not where the header would surely or possibly be longer than any reader takes.
fn is_there(catalog: &Catalog) -> bool {
    // In an object that is itself a text of the metadata, a control character takes seven bytes.
    let name = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|&byte| if byte < b' ' || byte == b'"' || byte == b'\\' || byte > b'~' { 7 } else { 1 })
            .sum::<u64>()
    };
    let entry = |variable: &Variable| {
        let twice = variable.tensor.dtype.safetensors().is_none_or(|(_, same)| !same);
        let name = name(variable.name.as_bytes()) * if twice { 2 } else { 1 };
        name + variable.tensor.shape.0.len() as u64 * DIM + AROUND
    };
    FIXED + catalog.variables.iter().map(entry).sum::<u64>() <= MAX_HEADER
}

fn file(catalog: &Arc<Catalog>) -> VirtualFile {
    let (mut held, mut left_out, mut dtypes) = (Vec::new(), Map::new(), Map::new());
    for variable in &catalog.variables {
        match held_as(variable) {
            Ok((name, kind, same)) => {
                held.push((name, kind, &variable.tensor));
                if !same {
                    dtypes.insert(name.into(), variable.tensor.dtype.name().into());
                }
            }
            Err(why) => _ = left_out.insert(variable.name.to_string(), why.into()),
        }
    }
    held.sort_by_key(|&(name, kind, _)| (Reverse(kind), name));
    let tensors = entries(&held);
    let header = Extent::from(encode(&Header { metadata: metadata(left_out, dtypes), tensors }));
    let data = held.into_iter().flat_map(|(_, _, tensor)| tensor.data.iter().cloned());
    [header].into_iter().chain(data).collect()
}

fn left_out(catalog: &Catalog) -> Vec<String> {
    let why = |variable: &Variable| held_as(variable).err().map(|why| format!("{}: {why}", variable.name));
    catalog.variables.iter().filter_map(why).collect()
}

/// A variable's name and type in the file, and whether that is its own type; or why it is not there.
fn held_as(variable: &Variable) -> Result<(&str, Kind, bool), String> {
    let Ok(name) = str::from_utf8(variable.name.as_bytes()) else {
        return Err("its name is not UTF-8".into());
    };
    if name == METADATA {
        return Err("the format has this name for itself".into());
    }
    let dtype = variable.tensor.dtype;
    let held = dtype.safetensors().and_then(|(kind, same)| Some((name, Kind::named(kind)?, same)));
    held.ok_or_else(|| format!("the format has no {dtype}"))
}

fn entries(held: &[(&str, Kind, &Arc<Tensor>)]) -> Vec<Entry> {
    let mut end = 0;
    let entry = |&(name, kind, tensor): &(&str, Kind, &Arc<Tensor>)| {
        let start = end;
        end += tensor.len();
        Entry { name: name.into(), kind, shape: tensor.shape.0.to_vec(), start, end }
    };
    held.iter().map(entry).collect()
}

fn metadata(left_out: Map<String, Value>, dtypes: Map<String, Value>) -> Vec<(String, String)> {
    let ours = [("ckptfs.left_out", left_out), ("ckptfs.dtypes", dtypes)].into_iter();
    let ours = ours.filter(|(_, object)| !object.is_empty());
    let ours = ours.map(|(key, object)| (key.to_owned(), Value::from(object).to_string()));
    [("format".to_owned(), "pt".to_owned())].into_iter().chain(ours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use crate::dtype::Dtype;
    use crate::format::safetensors::{decode, head_len};
    use crate::tensor::Shape;

    fn variable(name: &[u8], dtype: Dtype, bytes: &[u8]) -> Variable {
        let shape = Shape([bytes.len() as u64 / dtype.width().unwrap_or(1)].into());
        let tensor = Arc::new(Tensor::new(dtype, shape, vec![bytes.to_vec().into()], None));
        Variable { name: name.into(), key: None, plain_key: None, full_name: None, tensor, origin: None }
    }

    fn catalog(variables: Vec<Variable>) -> Arc<Catalog> {
        Arc::new(Catalog { variables, ..Catalog::default() })
    }

    fn read(catalog: &Arc<Catalog>) -> (Header, Vec<u8>) {
        let file = (WHOLE.file)(catalog);
        let mut bytes = vec![0; file.len() as usize];
        file.read_at(&Cache::new(0), &mut bytes, 0).unwrap();
        let header = decode(&bytes, file.len()).unwrap();
        let data = bytes.split_off(head_len(&bytes, file.len()).unwrap() as usize);
        (header, data)
    }

    #[test]
    fn the_widest_come_first_each_aligned_and_none_apart() {
        let variables = vec![
            variable(b"a", Dtype::Bool, &[1, 0, 1]),
            variable(b"b", Dtype::Float16, &[2; 2]),
            variable(b"c", Dtype::Int64, &[3; 16]),
            variable(b"d", Dtype::Float32, &[]),
            variable(b"e", Dtype::Float32, &[4; 4]),
        ];
        let (header, data) = read(&catalog(variables));
        let shown: Vec<_> =
            header.tensors.iter().map(|entry| (&*entry.name, entry.kind.name(), entry.start)).collect();
        assert_eq!(
            shown,
            [("c", "I64", 0), ("d", "F32", 16), ("e", "F32", 16), ("b", "F16", 20), ("a", "BOOL", 22)]
        );
        assert_eq!(data, [&[3; 16][..], &[4; 4], &[2; 2], &[1, 0, 1]].concat());
        assert_eq!(header.metadata, [("format".to_owned(), "pt".to_owned())]);
    }

    #[test]
    fn what_the_format_lacks_is_named_with_the_reason() {
        let variables = vec![
            variable(b"__metadata__", Dtype::Uint8, &[1]),
            variable(b"c", Dtype::Complex128, &[0; 16]),
            variable(b"q", Dtype::Qint8, &[7]),
            variable(b"s", Dtype::String, b"x"),
            variable(b"\xff", Dtype::Uint8, &[1]),
        ];
        let (header, data) = read(&catalog(variables));
        let shown: Vec<_> = header.tensors.iter().map(|entry| (&*entry.name, entry.kind.name())).collect();
        assert_eq!((shown, data), (vec![("q", "I8")], vec![7]));
        let metadata: Vec<_> = header.metadata.iter().map(|(key, value)| (&**key, &**value)).collect();
        let left_out = r#"{"__metadata__":"the format has this name for itself","c":"the format has no complex128","s":"the format has no string","\\xff":"its name is not UTF-8"}"#;
        assert_eq!(
            metadata,
            [("format", "pt"), ("ckptfs.left_out", left_out), ("ckptfs.dtypes", r#"{"q":"qint8"}"#)]
        );
    }

    #[test]
    fn a_header_that_no_reader_takes_is_not_made_and_what_is_made_is_within_the_bound() {
        let odd: Vec<u8> = (0..=0x7f).chain("é".bytes()).collect();
        for dtype in [Dtype::Uint8, Dtype::Qint8, Dtype::Complex128, Dtype::Float8E4m3b11fnuz] {
            let (header, _) = read(&catalog(vec![variable(&odd, dtype, &[0; 16])]));
            assert!(encode(&header).len() as u64 <= FIXED + AROUND + DIM + 7 * odd.len() as u64 * 2);
        }
        let long = catalog(vec![variable(&vec![b'n'; MAX_HEADER as usize], Dtype::Uint8, &[0])]);
        assert!(!(WHOLE.is_there)(&long));
        assert!((WHOLE.is_there)(&catalog(vec![variable(b"n", Dtype::Uint8, &[0])])));
    }
}

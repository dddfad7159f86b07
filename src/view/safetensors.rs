//! The `model.safetensors` file: the whole checkpoint as one file, which the safetensors package and transformers
//! load.
//!
//! The header is generated. The unchanged tensors follow it, sorted by element width (widest first) and then by name,
//! as in the reference implementation: so each is aligned to its element width, without gaps.
//!
//! The metadata contains `format`, which transformers requires, and two more keys if they are not empty:
//!
//! | key | a JSON object of |
//! |---|---|
//! | `ckptfs.left_out` | variables that the format cannot hold, each with the reason |
//! | `ckptfs.dtypes` | variables stored as another dtype of the same bytes, with their own dtype: `qint8` as `I8` |

use std::cmp::Reverse;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::catalog::{Catalog, Variable};
use crate::extent::{Extent, VirtualFile};
use crate::format::safetensors::{Entry, Header, Kind, MAX_HEADER, METADATA, encode};
use crate::tensor::Tensor;
use crate::view::form::CheckpointView;

pub(super) const WHOLE: CheckpointView =
    CheckpointView { name: "model.safetensors", is_there, file, reads_values: true, left_out };

/// The length of a header without names in bytes.
const FIXED: u64 = 200;
/// The length of an entry in bytes without its name and shape: dtypes, the longest offsets, punctuation, the reason
/// if it is left out.
const AROUND: u64 = 140;
/// The maximum length of a dimension in bytes, with the comma.
const DIM: u64 = 21;

/// Returns true if the header is certainly not longer than readers accept.
fn is_there(catalog: &Catalog) -> bool {
    // In a JSON object that is itself a JSON string, a control character takes seven bytes.
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

/// Returns a variable's name and dtype in the file, and true if that is its own dtype. The error is the reason why it
/// is left out.
fn held_as(variable: &Variable) -> Result<(&str, Kind, bool), String> {
    let Ok(name) = str::from_utf8(variable.name.as_bytes()) else {
        return Err("its name is not UTF-8".into());
    };
    if name == METADATA {
        return Err("the format has this name for itself".into());
    }
    let dtype = variable.tensor.dtype;
    let held = dtype.safetensors().and_then(|(kind, same)| Some((name, Kind::from_name(kind)?, same)));
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
    fn tensors_are_sorted_by_width_aligned_and_without_gaps() {
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
    fn variables_that_the_format_lacks_are_listed_with_the_reason() {
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
    fn a_header_that_is_too_long_is_not_written_and_a_written_one_is_within_the_bound() {
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

//! The tensors that the files of a checkpoint hold together. Each file's list is checked against its slices and
//! against the lists of the other files.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::format::v1::{self, Coding, Saved, Slice};
use crate::format::{bundle, slice_key, string_tensor};
use crate::name::Name;
use crate::source::v1::block;
use crate::source::v1::block::at_file_offset;
use crate::source::v1::decoder::{Decoder, NumberRun};
use crate::source::v1::error::FileError;
use crate::source::v1::file::{File, ValueRange};
use crate::source::v1::sparse_reader::SparseReader;
use crate::tensor::slices::Part;
use crate::tensor::{Damage, Shape, Tensor};

/// The tensors by name, and warnings for the user.
type Gathered = (Vec<(Name, Tensor)>, Vec<String>);

/// A tensor, as far as the files that were read contain it.
struct WholeTensor {
    dtype: Dtype,
    shape: Shape,
    parts: Vec<Part>,
}

/// Returns the tensors of the files. Those with a fault are damaged.
pub(super) fn gather(files: &[File]) -> Gathered {
    let (mut wholes, mut tensors) = (BTreeMap::new(), BTreeMap::new());
    for file in files {
        for saved in &file.meta.tensors {
            if let Err(what) = add(&mut wholes, file, saved) {
                tensors.entry(Name::from(saved.name.clone())).or_insert_with(|| lost(saved, &what));
            }
        }
    }
    for (name, whole) in wholes {
        tensors.entry(name).or_insert_with(|| whole.tensor());
    }
    (tensors.into_iter().collect(), files.iter().filter_map(unlisted).collect())
}

/// Returns the damaged tensor of a row.
fn lost(saved: &Saved, what: &str) -> Tensor {
    match Dtype::of_stored(saved.dtype) {
        Ok(dtype) => {
            Tensor::damaged(dtype, Shape(saved.shape.as_slice().into()), Damage::described(what, None))
        }
        Err(_) => Tensor::undescribed(what),
    }
}

fn add(wholes: &mut BTreeMap<Name, WholeTensor>, file: &File, saved: &Saved) -> Result<(), String> {
    let dtype = Dtype::of_stored(saved.dtype)?;
    let shape = Shape(saved.shape.as_slice().into());
    shape.num_elements().ok_or_else(|| format!("shape {shape} has too many elements"))?;
    let name = Name::from(saved.name.clone());
    let parts = saved
        .slices
        .iter()
        .map(|slice| Ok(Part { slice: slice.clone(), tensor: Arc::new(part(file, saved, dtype, slice)?) }));
    let parts = parts.collect::<Result<Vec<_>, String>>()?;
    let whole =
        wholes.entry(name).or_insert_with(|| WholeTensor { dtype, shape: shape.clone(), parts: Vec::new() });
    if (whole.dtype, &whole.shape) != (dtype, &shape) {
        let WholeTensor { dtype: other, shape: others, .. } = whole;
        return Err(format!("{dtype} {shape} in {}, {other} {others} in another file", file.shard.name()));
    }
    whole.parts.extend(parts);
    Ok(())
}

/// Returns the tensor of one slice.
fn part(file: &File, saved: &Saved, dtype: Dtype, slice: &bundle::Slice) -> Result<Tensor, String> {
    let shape = shape(&saved.shape, slice)?;
    let key = slice_key::encode(&saved.name, slice);
    let missing = || format!("listed in {}, which does not hold its values", file.shard.name());
    let place = file.place(&key).ok_or_else(missing)?;
    let fault = |trouble| match at_file_offset(trouble, &place.block) {
        FileError::Io(error) => format!("{}: {error}", file.shard.name()),
        FileError::Malformed(error) => format!("{error} of {}", file.shard.name()),
        FileError::Foreign(what) => what.into(),
    };
    let elements = shape.num_elements().ok_or_else(|| format!("shape {shape} has too many elements"))?;
    let mut pages = SparseReader::of(file.skim(&place.block).map_err(fault)?);
    let stored = Slice::locate(&mut pages, place.value.clone()).map_err(fault)?;
    if (&stored.name, &stored.extents) != (&saved.name, slice) {
        let at = place.block.place(place.value.start);
        return Err(format!("the values under its key are another's, at byte {at} of {}", file.shard.name()));
    }
    if dtype == Dtype::String {
        return strings(place, stored.tensor, shape, elements).map_err(fault)?;
    }
    let coding = Coding::of(saved.dtype).ok_or_else(|| format!("{dtype}, which this format cannot hold"))?;
    let (run, form) = stored.run(&mut pages, coding).map_err(fault)?;
    let run = NumberRun { range: run, form, coding, elements };
    let data = Decoder::extent(stored.name.into(), place.block.clone(), run)?;
    Ok(Tensor::new(dtype, shape, vec![data], None))
}

/// Reads a tensor of strings, and converts it to the form that a bundle has.
fn strings(
    place: &ValueRange,
    tensor: Range<u64>,
    shape: Shape,
    elements: u64,
) -> Result<Result<Tensor, String>, FileError> {
    let contents = place.block.contents()?;
    let bytes = block::read(&contents, tensor.start, tensor.end - tensor.start)?;
    let strings = v1::strings(&bytes, tensor.start)?;
    if strings.len() as u64 != elements {
        let (at, file) = (place.block.place(tensor.start), place.block.shard.name());
        let found = strings.len();
        return Ok(Err(format!(
            "its shape has {elements} elements, but {found} strings are at byte {at} of {file}"
        )));
    }
    let (bytes, crc32c) = string_tensor::encode(&strings);
    Ok(Ok(Tensor::new(Dtype::String, shape, vec![Extent::from(bytes)], Some(crc32c))))
}

/// Returns the shape of a slice of a tensor.
fn shape(whole: &[u64], slice: &bundle::Slice) -> Result<Shape, String> {
    if whole.len() != slice.len() {
        return Err(format!("a slice of {} dimensions, where the tensor has {}", slice.len(), whole.len()));
    }
    let dim = |(&size, extent): (&u64, &bundle::Extent)| match extent.length {
        None => Ok(size),
        Some(length) => {
            let end = extent.start.checked_add(length).and_then(|end| u64::try_from(end).ok());
            let fits = end.is_some_and(|end| end <= size);
            fits.then_some(length.cast_unsigned())
                .ok_or_else(|| format!("a slice {}+{length} of a dimension of {size}", extent.start))
        }
    };
    whole.iter().zip(slice).map(dim).collect::<Result<_, _>>().map(Shape)
}

impl WholeTensor {
    fn tensor(self) -> Tensor {
        let (dtype, shape) = (self.dtype, self.shape.clone());
        self.joined().unwrap_or_else(|what| Tensor::damaged(dtype, shape, Damage::described(&what, None)))
    }

    fn joined(self) -> Result<Tensor, String> {
        let Self { dtype, shape, mut parts } = self;
        match parts.len() {
            0 => Err("listed without any slice".into()),
            1 if parts[0].tensor.shape == shape => Ok(Arc::unwrap_or_clone(parts.swap_remove(0).tensor)),
            // The slices are not in a file that could be served, so there is no reason to keep them separate.
            _ => {
                let Tensor { dtype, shape, data, crc32c, .. } = Tensor::sliced(dtype, shape, parts)?;
                Ok(Tensor::new(dtype, shape, data.into_vec(), crc32c))
            }
        }
    }
}

/// Returns a warning for a file that holds more slices than it lists.
fn unlisted(file: &File) -> Option<String> {
    let listed: usize = file.meta.tensors.iter().map(|saved| saved.slices.len()).sum();
    let more = file.num_slices().saturating_sub(listed);
    (more > 0).then(|| {
        format!(
            "{}: {more} slices that its list of tensors does not have are left out",
            file.shard.path().display()
        )
    })
}

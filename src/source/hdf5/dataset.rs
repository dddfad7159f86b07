//! A dataset as a tensor: the shape, the type and the location of the values according to its header.
//!
//! Values that are contiguous and stored in the form in which they are shown are a range of the file. All other
//! values are decoded when they are read. Only strings are read at once, because nothing else tells their length.

use std::sync::Arc;

use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::dataspace::{DataspaceMessage, DataspaceType};
use hdf5_reader::messages::filter_pipeline::FilterPipelineMessage;
use hdf5_reader::messages::layout::DataLayout;
use hdf5_reader::object_header::ObjectHeader;
use hdf5_reader::{Dataset, Hdf5File, Storage};

use crate::dtype::Dtype;
use crate::extent::Extent;
use crate::format::hdf5_type::{self, Type};
use crate::source::hdf5::chunks::{Chunks, DataFile};
use crate::source::hdf5::decoders::{Fill, Swapped, swap};
use crate::source::hdf5::error::DatasetError;
use crate::source::hdf5::links::defined;
use crate::source::hdf5::storage::{FileStorage, MAX_READ};
use crate::source::hdf5::walk::FoundDataset;
use crate::source::hdf5::{filters, strings};
use crate::tensor::{Shape, Tensor};

/// The state for reading the datasets of a file.
pub(super) struct Reading {
    pub(super) file: Hdf5File,
    pub(super) storage: FileStorage,
    /// The same file, for values that are read later.
    pub(super) later: Arc<DataFile>,
    /// The number of bytes of strings that may still be read.
    pub(super) budget: u64,
    /// The number of bytes so far of values that the file does not store as they are shown.
    pub(super) claimed: u64,
}

/// The values of a dataset, and the range of the file that they occupy if they are contiguous and unchanged.
pub(super) struct Placed {
    pub(super) tensor: Tensor,
    pub(super) range: Option<(u64, u64)>,
}

/// The maximum number of bytes that one compressed byte expands to: about a thousand for deflate.
const MOST_OF_A_BYTE: u64 = 1100;
/// The limit for values that the file does not store, because they are all the fill value. Real files have few of
/// them.
const MOST_OF_NOTHING: u64 = 16 << 30;

/// The messages of a dataset's header.
struct Header<'a> {
    space: &'a DataspaceMessage,
    layout: &'a DataLayout,
    fill: Option<&'a [u8]>,
    filters: Option<&'a FilterPipelineMessage>,
    external: bool,
}

/// The type, shape and size of a dataset of numbers.
struct NumberLayout {
    dtype: Dtype,
    /// The number of bytes of one component, if its bytes must be swapped.
    swapped: Option<usize>,
    width: u64,
    shape: Shape,
    len: u64,
}

impl Reading {
    /// Returns the tensor of a dataset.
    pub(super) fn tensor(&mut self, found: &FoundDataset) -> Result<Placed, DatasetError> {
        let file = self.file.clone();
        let header = file.get_or_parse_header(found.address)?;
        let header = Header::of(&header)?;
        let dataset = file.dataset(&found.path)?;
        if dataset.address() != found.address {
            return Err(DatasetError::Damaged("two links have this name".into()));
        }
        let shape = header.shape()?;
        let dtype = match hdf5_type::decode(&dataset.raw_datatype()?)? {
            Type::Number { name, width, big_endian } => {
                (Dtype::from_name(name), (big_endian && width > 1).then_some(width))
            }
            Type::Opaque { size } => (opaque(&dataset, size)?, None),
            Type::Other(what) => return Err(DatasetError::LeftOut(format!("its elements are {what}"))),
            text => {
                let tensor = strings::tensor(&dataset, &text, shape, self.storage.len(), &mut self.budget)?;
                return Ok(Placed { tensor, range: None });
            }
        };
        let numbers = NumberLayout::new(dtype, shape)?;
        self.place(&header, &dataset, found, numbers)
    }

    fn place(
        &mut self,
        header: &Header,
        dataset: &Dataset,
        found: &FoundDataset,
        numbers: NumberLayout,
    ) -> Result<Placed, DatasetError> {
        let data = match header.layout {
            DataLayout::Contiguous { address, size } if defined(&self.file, *address) && *size > 0 => {
                check_len(numbers.len, *size)?;
                return self.in_one_piece(*address, numbers);
            }
            DataLayout::Compact { data } => {
                check_len(numbers.len, data.len() as u64)?;
                let mut data = data.clone();
                swap(&mut data, numbers.swapped);
                Extent::from(data)
            }
            DataLayout::Contiguous { .. } => self.filled(header, &numbers)?,
            DataLayout::Chunked { address, .. } if !defined(&self.file, *address) => {
                self.filled(header, &numbers)?
            }
            DataLayout::Chunked { .. } => self.chunks(header, dataset, found, &numbers)?,
        };
        Ok(Placed { tensor: numbers.tensor(data), range: None })
    }

    /// Places contiguous values. They are a range of the file, unless their bytes must be swapped.
    fn in_one_piece(&self, address: u64, numbers: NumberLayout) -> Result<Placed, DatasetError> {
        let (bytes, len) = (self.storage.clone(), numbers.len);
        let at = self.file.superblock().base_address.checked_add(address);
        let found = at.and_then(|at| Some((at, bytes.extent(at, len)?)));
        let (at, extent) = found.ok_or_else(|| self.past_the_end(address, len))?;
        let data = match numbers.swapped {
            None => extent,
            Some(width) => Swapped { storage: bytes, at, width }.extent(len),
        };
        Ok(Placed { tensor: numbers.tensor(data), range: Some((at, at + len)) })
    }

    fn past_the_end(&self, address: u64, len: u64) -> DatasetError {
        let file = self.storage.len();
        DatasetError::Damaged(format!("bytes {address}+{len} past the end of the file ({file} bytes)"))
    }

    /// Returns the extent of values that were never written.
    fn filled(&mut self, header: &Header, numbers: &NumberLayout) -> Result<Extent, DatasetError> {
        self.check_claim(numbers.len)?;
        if numbers.len == 0 {
            return Ok(self.storage.extent(0, 0).unwrap_or_else(|| Extent::from(vec![])));
        }
        let mut element = match header.fill {
            Some(fill) if fill.len() as u64 == numbers.width => fill.to_vec(),
            Some(fill) => return Err(wrong_fill(fill, numbers)),
            None => vec![0; numbers.width as usize],
        };
        swap(&mut element, numbers.swapped);
        Ok(Fill { element }.extent(numbers.len))
    }

    /// Adds to the claimed bytes, or rejects a dataset that claims more bytes than a file of this length can hold.
    /// This keeps checksums from being computed over them.
    fn check_claim(&mut self, len: u64) -> Result<(), DatasetError> {
        let file = self.storage.len();
        let claimed = self.claimed.saturating_add(len);
        if claimed <= MOST_OF_NOTHING.max(file.saturating_mul(MOST_OF_A_BYTE)) {
            self.claimed = claimed;
            return Ok(());
        }
        Err(DatasetError::LeftOut(format!("claims {len} bytes, in a file of {file}")))
    }

    fn chunks(
        &mut self,
        header: &Header,
        dataset: &Dataset,
        found: &FoundDataset,
        numbers: &NumberLayout,
    ) -> Result<Extent, DatasetError> {
        filters::check(header.filters)?;
        self.check_claim(numbers.len)?;
        match header.fill {
            Some(fill) if fill.len() as u64 != numbers.width => return Err(wrong_fill(fill, numbers)),
            // The library would use this attribute as the fill value. That is a convention of netCDF, not of HDF5.
            None if dataset.attribute("_FillValue").is_ok() => {
                return Err(DatasetError::LeftOut("chunks with a fill value of netCDF".into()));
            }
            _ => {}
        }
        let chunk = chunk_shape(dataset, numbers)?;
        let chunks = Chunks {
            file: self.later.clone(),
            path: found.path.clone(),
            shape: numbers.shape.clone(),
            chunk,
            width: numbers.width,
            swapped: numbers.swapped,
        };
        Ok(Extent::Decoded { data: Arc::new(chunks), len: numbers.len })
    }
}

impl<'a> Header<'a> {
    fn of(header: &'a ObjectHeader) -> Result<Self, DatasetError> {
        let (mut space, mut layout, mut fill, mut filters, mut external) = (None, None, None, None, false);
        for message in &header.messages {
            match message {
                HdfMessage::Dataspace(message) => space = Some(message),
                HdfMessage::DataLayout(message) => layout = Some(&message.layout),
                // The fill value is also used if the header says never to write it: values that were never written
                // are undefined then.
                HdfMessage::FillValue(message) => {
                    fill = message.value.as_deref().filter(|value| !value.is_empty()).or(fill);
                }
                HdfMessage::FilterPipeline(message) => filters = Some(message),
                HdfMessage::ExternalFiles(_) => external = true,
                _ => {}
            }
        }
        let missing = |what: &str| DatasetError::Damaged(format!("its header has no {what}"));
        let (space, layout) =
            (space.ok_or_else(|| missing("dataspace"))?, layout.ok_or_else(|| missing("layout"))?);
        Ok(Self { space, layout, fill, filters, external })
    }

    fn shape(&self) -> Result<Shape, DatasetError> {
        if self.external {
            return Err(DatasetError::LeftOut("its values are in other files".into()));
        }
        match self.space.dataspace_type {
            DataspaceType::Null => Err(DatasetError::LeftOut("it has no shape (an empty dataspace)".into())),
            DataspaceType::Scalar => Ok(Shape::default()),
            DataspaceType::Simple => Ok(Shape(self.space.dims.as_slice().into())),
        }
    }
}

impl NumberLayout {
    fn new((dtype, swapped): (Option<Dtype>, Option<usize>), shape: Shape) -> Result<Self, DatasetError> {
        let dtype =
            dtype.ok_or_else(|| DatasetError::LeftOut("its type has no name in TensorFlow".into()))?;
        let width = dtype.width().unwrap_or(0);
        let elements = shape.num_elements();
        let len =
            elements.and_then(|elements| elements.checked_mul(width)).filter(|&len| len <= i64::MAX as u64);
        let len = len.ok_or_else(|| DatasetError::Damaged(format!("shape {shape} has too many elements")))?;
        Ok(Self { dtype, swapped, width, shape, len })
    }

    fn tensor(self, data: Extent) -> Tensor {
        Tensor::new(self.dtype, self.shape, vec![data], None)
    }
}

/// Returns the type that Keras records in an attribute, for elements that h5py could only write as bytes.
fn opaque(dataset: &Dataset, size: u32) -> Result<Option<Dtype>, DatasetError> {
    let noted = dataset.attribute("dtype").ok().and_then(|attribute| attribute.read_string().ok());
    let dtype =
        noted.as_deref().and_then(Dtype::from_name).filter(|dtype| dtype.width() == Some(size.into()));
    match (dtype, noted) {
        (Some(dtype), _) => Ok(Some(dtype)),
        (None, Some(noted)) => Err(DatasetError::LeftOut(format!(
            "its elements are opaque, {size} bytes each, said to be {noted}"
        ))),
        (None, None) => Err(DatasetError::LeftOut(format!(
            "its elements are opaque, {size} bytes each, and no attribute dtype says what they are"
        ))),
    }
}

fn check_len(wanted: u64, stored: u64) -> Result<(), DatasetError> {
    match wanted == stored {
        true => Ok(()),
        false => Err(DatasetError::Damaged(format!("{stored} bytes, but its shape and type take {wanted}"))),
    }
}

fn wrong_fill(fill: &[u8], numbers: &NumberLayout) -> DatasetError {
    let (len, width) = (fill.len(), numbers.width);
    DatasetError::Damaged(format!("its fill value has {len} bytes, its elements {width}"))
}

/// Returns the shape of a chunk. It must have the dataset's rank, and a chunk must fit in memory.
fn chunk_shape(dataset: &Dataset, numbers: &NumberLayout) -> Result<Vec<u64>, DatasetError> {
    let chunk: Vec<u64> = dataset.chunks().unwrap_or_default().into_iter().map(u64::from).collect();
    if chunk.len() != numbers.shape.0.len() || chunk.contains(&0) {
        return Err(DatasetError::Damaged(format!("chunks of {chunk:?} for a shape of {}", numbers.shape)));
    }
    let len = chunk.iter().try_fold(numbers.width, |len, &dim| len.checked_mul(dim));
    match len.filter(|&len| len <= MAX_READ as u64) {
        Some(_) => Ok(chunk),
        None => Err(DatasetError::LeftOut(format!(
            "chunks of {chunk:?}, of which one does not fit memory; `h5repack` makes smaller ones"
        ))),
    }
}

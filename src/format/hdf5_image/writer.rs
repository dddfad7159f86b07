//! The writer of an image. It writes from the leaves up: when it writes an object, the addresses of the object's
//! members are known. The addresses of the data are only known after all metadata is written, so they are inserted at
//! the end.
//!
//! ```text
//! superblock := magic  0 0 0 0 0  8 8  0  entries: u16  children: u16  0: u32     version 0; offsets and lengths of 8 bytes
//!               0: u64  no free space: u64  end of file: u64  no driver: u64  entry of the root group
//! ```

use std::collections::BTreeMap;

use crate::format::hdf5_image::group::{HALF_CHILDREN, HALF_ENTRIES};
use crate::format::hdf5_image::object_header::{
    ATTRIBUTE, DATASPACE, DATATYPE, FILL_VALUE, LAYOUT, Messages, NO_FILL_VALUE, SYMBOL_TABLE, UNDEFINED,
    dataspace,
};
use crate::format::hdf5_image::{ALIGNMENT, Attribute, Dataset, Group, Image, Member, group};

pub(super) struct Writer {
    bytes: Vec<u8>,
    /// For each dataset with data: its id, the position at which its address must be inserted, and the offset of its
    /// data behind the metadata.
    data: Vec<(usize, usize, u64)>,
    /// The end of the data so far.
    data_len: u64,
    /// The texts of attributes, and the addresses of the heaps that hold them.
    texts: BTreeMap<String, u64>,
}

const SUPERBLOCK_LEN: usize = 96;
/// The offset of the address in the body of a layout message.
const ADDRESS_AT: usize = 2;
/// The minimum length of a heap of texts.
const MIN_HEAP_LEN: usize = 4096;

impl Writer {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; SUPERBLOCK_LEN], data: vec![], data_len: 0, texts: BTreeMap::new() }
    }

    /// Writes a group and all its members. Returns its address, as the methods below do.
    pub(super) fn group(&mut self, group: &Group) -> u64 {
        let mut members: Vec<group::Entry<'_>> = Vec::with_capacity(group.members.len());
        for (name, member) in &group.members {
            let address = match member {
                Member::Group(group) => self.group(group),
                Member::Dataset(dataset) => self.dataset(dataset),
            };
            members.push((name, address));
        }
        let table = group::write(&mut self.bytes, &members);
        let mut messages = Messages::default();
        messages.push(SYMBOL_TABLE, &[table.tree, table.heap].map(u64::to_le_bytes).concat());
        self.attributes(&mut messages, &group.attributes);
        self.append(&messages.encode())
    }

    fn dataset(&mut self, dataset: &Dataset) -> u64 {
        let mut messages = Messages::default();
        messages.push(DATASPACE, &dataspace(&dataset.shape));
        messages.push(DATATYPE, &dataset.datatype.encode());
        messages.push(FILL_VALUE, NO_FILL_VALUE);
        let contiguous = [3, 1].into_iter().chain(UNDEFINED.to_le_bytes()).chain(dataset.len.to_le_bytes());
        let layout = messages.push(LAYOUT, &contiguous.collect::<Vec<_>>());
        self.attributes(&mut messages, &dataset.attributes);
        let header = self.bytes.len();
        let address = self.append(&messages.encode());
        if dataset.len > 0 {
            let begin = self.data_len.next_multiple_of(ALIGNMENT);
            self.data.push((dataset.id, header.saturating_add(layout).saturating_add(ADDRESS_AT), begin));
            self.data_len = begin.saturating_add(dataset.len);
        }
        address
    }

    fn attributes(&mut self, messages: &mut Messages, attributes: &[Attribute]) {
        for attribute in attributes {
            let body = attribute.encode(|text| self.text(text));
            messages.push(ATTRIBUTE, &body);
        }
    }

    /// Writes a heap that holds a text as its object 1. The rest of the heap is free.
    fn text(&mut self, text: &str) -> u64 {
        if let Some(heap) = self.texts.get(text) {
            return *heap;
        }
        let object_len = text.len().next_multiple_of(8);
        let used = object_len.saturating_add(32);
        let len = used.saturating_add(16).max(MIN_HEAP_LEN);
        let free = len.saturating_sub(used);
        let mut heap = b"GCOL\x01\0\0\0".to_vec();
        heap.extend((len as u64).to_le_bytes());
        heap.extend([1, 0, 1, 0, 0, 0, 0, 0]);
        heap.extend((text.len() as u64).to_le_bytes());
        heap.extend(text.as_bytes());
        heap.resize(used, 0);
        heap.extend([0; 8]);
        heap.extend((free as u64).to_le_bytes());
        heap.resize(len, 0);
        let address = self.append(&heap);
        self.texts.insert(text.to_owned(), address);
        address
    }

    fn append(&mut self, bytes: &[u8]) -> u64 {
        let address = self.bytes.len() as u64;
        self.bytes.extend(bytes);
        address
    }

    /// Returns the image, after writing the superblock and the addresses of the data.
    pub(super) fn finish(mut self, root: u64) -> Image {
        let data_at = (self.bytes.len() as u64).next_multiple_of(ALIGNMENT);
        let len = match self.data.is_empty() {
            true => self.bytes.len() as u64,
            false => data_at.saturating_add(self.data_len),
        };
        self.put(0, &superblock(root, len));
        let data = std::mem::take(&mut self.data).into_iter();
        let placed = data.map(|(id, at, begin)| {
            let begin = data_at.saturating_add(begin);
            self.put(at, &begin.to_le_bytes());
            (id, begin)
        });
        let places = placed.collect();
        Image { metadata: self.bytes, places, len }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes.iter_mut().skip(at).zip(bytes).for_each(|(place, byte)| *place = *byte);
    }
}

fn superblock(root: u64, len: u64) -> Vec<u8> {
    let mut out = b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0".to_vec();
    out.extend([HALF_ENTRIES, HALF_CHILDREN, 0, 0].map(u16::to_le_bytes).concat());
    out.extend([0, UNDEFINED, len, UNDEFINED, 0, root].map(u64::to_le_bytes).concat());
    out.resize(SUPERBLOCK_LEN, 0);
    out
}

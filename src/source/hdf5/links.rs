//! The links of a group: their names and targets.
//!
//! A group stores its links in one of three ways: a symbol table (a B-tree of nodes, with the names in a heap; Keras
//! writes this), link messages in its own header (a few links of a newer file), or link messages in a heap with a
//! B-tree (many links). The library that reads the format hides links that it does not follow. This module sees every
//! link, so that each one can be reported.

use hdf5_reader::error::{Error, Result};
use hdf5_reader::fractal_heap::{FractalHeap, FractalHeapDirectBlockCache};
use hdf5_reader::io::Cursor;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::link::{self, LinkMessage, LinkTarget};
use hdf5_reader::messages::link_info::LinkInfoMessage;
use hdf5_reader::messages::symbol_table_msg::SymbolTableMessage;
use hdf5_reader::symbol_table::{SymbolTableEntry, SymbolTableNode};
use hdf5_reader::{Hdf5File, Storage, btree_v1, btree_v2, local_heap};

/// A link of a group.
pub(super) struct Link {
    pub(super) name: String,
    pub(super) target: Target,
}

/// The target of a link.
pub(super) enum Target {
    /// The address of an object.
    Hard(u64),
    /// A path in this file.
    Soft(String),
    /// A path in another file.
    External(String),
}

/// The `cache_type` of an entry that is a symbolic link.
const SYMBOLIC: u32 = 2;

/// Calls `each` with each link of the group at `address`, until `each` fails.
pub(super) fn visit(file: &Hdf5File, address: u64, each: &mut dyn FnMut(Link) -> Result<()>) -> Result<()> {
    for message in &file.get_or_parse_header(address)?.messages {
        match message {
            HdfMessage::SymbolTable(table) => symbols(file, table, each)?,
            HdfMessage::Link(link) => each(link.clone().into())?,
            HdfMessage::LinkInfo(info) if defined(file, info.fractal_heap_address) => {
                dense(file, info, each)?
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns true if an address is defined, and is not the value for "no address".
pub(super) fn defined(file: &Hdf5File, address: u64) -> bool {
    !Cursor::is_undefined_offset(address, file.superblock().offset_size)
}

fn symbols(
    file: &Hdf5File,
    table: &SymbolTableMessage,
    each: &mut dyn FnMut(Link) -> Result<()>,
) -> Result<()> {
    let (storage, offset, length) = sizes(file);
    let heap = local_heap::LocalHeap::parse_at_storage(storage, table.heap_address, offset, length)?;
    let nodes = btree_v1::collect_btree_v1_leaves_storage(
        storage,
        table.btree_address,
        offset,
        length,
        None,
        &[],
        None,
    )?;
    if nodes.is_empty() {
        return Ok(());
    }
    let names = usize::try_from(heap.data_segment_size).map_err(|_| Error::InvalidLocalHeapSignature)?;
    let names = storage.read_range(heap.data_segment_address, names)?;
    for (_, node) in nodes {
        for entry in entries(file, node)? {
            each(symbol(&entry, &names)?)?;
        }
    }
    Ok(())
}

fn sizes(file: &Hdf5File) -> (&dyn Storage, u8, u8) {
    (file.storage(), file.superblock().offset_size, file.superblock().length_size)
}

/// Returns the entries of a node. The first eight bytes of the node contain their number.
fn entries(file: &Hdf5File, node: u64) -> Result<Vec<SymbolTableEntry>> {
    let (storage, offset, length) = sizes(file);
    let head = storage.read_range(node, 8)?;
    let count = usize::from(u16::from_le_bytes([head[6], head[7]]));
    let bytes = storage.read_range(node, 8 + count * (2 * usize::from(offset) + 24))?;
    Ok(SymbolTableNode::parse(&mut Cursor::new(&bytes), offset, length)?.entries)
}

fn symbol(entry: &SymbolTableEntry, names: &[u8]) -> Result<Link> {
    let [a, b, c, d, ..] = entry.scratch;
    let target = match entry.cache_type {
        SYMBOLIC => Target::Soft(text(names, u32::from_le_bytes([a, b, c, d]).into())?),
        _ => Target::Hard(entry.object_header_address),
    };
    Ok(Link { name: text(names, entry.link_name_offset)?, target })
}

/// Returns the text at an offset of a heap, up to its NUL.
fn text(heap: &[u8], at: u64) -> Result<String> {
    let rest = usize::try_from(at).ok().and_then(|at| heap.get(at..)).ok_or(Error::OffsetOutOfBounds(at))?;
    let end = rest.iter().position(|&byte| byte == 0);
    let end = end.ok_or_else(|| Error::InvalidData(format!("the name at {at} of its heap has no end")))?;
    String::from_utf8(rest[..end].to_vec())
        .map_err(|_| Error::InvalidData(format!("the name at {at} of its heap is not UTF-8")))
}

fn dense(file: &Hdf5File, info: &LinkInfoMessage, each: &mut dyn FnMut(Link) -> Result<()>) -> Result<()> {
    let (storage, offset, length) = sizes(file);
    let heap = FractalHeap::parse_at_storage(storage, info.fractal_heap_address, offset, length)?;
    let tree =
        btree_v2::BTreeV2Header::parse_at_storage(storage, info.btree_name_index_address, offset, length)?;
    let records =
        btree_v2::collect_btree_v2_records_storage(storage, &tree, offset, length, None, &[], None)?;
    let mut blocks = FractalHeapDirectBlockCache::default();
    for record in &records {
        let btree_v2::BTreeV2Record::LinkNameHash { heap_id, .. } = record else { continue };
        let message = heap.get_object_storage_cached(heap_id, storage, offset, length, &mut blocks)?;
        each(link::parse(&mut Cursor::new(&message), offset, length, message.len())?.into())?;
    }
    Ok(())
}

impl From<LinkMessage> for Link {
    fn from(link: LinkMessage) -> Self {
        let target = match link.target {
            LinkTarget::Hard { address } => Target::Hard(address),
            LinkTarget::Soft { path } => Target::Soft(path),
            LinkTarget::External { filename, path } => Target::External(format!("{filename}:{path}")),
        };
        Self { name: link.name, target }
    }
}

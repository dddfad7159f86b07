//! The lookup structures of a group's members: a heap of their names, nodes of entries, and a B-tree over these
//! nodes, version 1.
//!
//! ```text
//! heap  := "HEAP" 0 0 0 0  length: u64  no free block: u64 = 1  address: u64  "" name…    NUL-terminated, to eight bytes
//! node  := "SNOD" 1 0  entries: u16  entry…                                               room for ENTRIES
//! entry := name's offset in the heap: u64  header: u64  nothing cached: 24 bytes
//! tree  := "TREE" 0  level: u8  children: u16  left: u64  right: u64  key (child key)…    room for CHILDREN
//! ```
//!
//! A key is the offset of a name in the heap: the name of the last entry before the key. So a child holds the names
//! after the key on its left, up to the key on its right. The nodes of one level are adjacent.

use crate::format::hdf5_image::object_header::UNDEFINED;

/// Half of the capacity of a node, as the superblock stores it.
pub(super) const HALF_ENTRIES: u16 = 2;
pub(super) const HALF_CHILDREN: u16 = 2;

const ENTRIES: usize = 4;
const CHILDREN: usize = 4;
const ENTRY_LEN: usize = 40;
const NODE_LEN: usize = 168;
const TREE_LEN: usize = 96;
const HEAP_LEN: usize = 32;
/// The offset of the empty name, which is the first key.
const EMPTY_NAME: u64 = 0;

/// A member: its name and the address of its header.
pub(super) type Entry<'a> = (&'a str, u64);

/// The addresses of the structures that were written for a group.
pub(super) struct Table {
    pub(super) tree: u64,
    pub(super) heap: u64,
}

/// A node of entries or of the tree, and the offset of the last name in it.
struct Node {
    address: u64,
    last: u64,
}

/// Appends the heap, the entries and the tree of a group. Its members are sorted by name.
pub(super) fn write(out: &mut Vec<u8>, members: &[Entry<'_>]) -> Table {
    let heap = out.len() as u64;
    let places = write_heap(out, members);
    let entries: Vec<_> =
        places.into_iter().zip(members).map(|(place, (_, header))| (place, *header)).collect();
    let mut nodes: Vec<_> = entries.chunks(ENTRIES).map(|entries| write_entries(out, entries)).collect();
    let mut level = 0;
    loop {
        nodes = write_level(out, level, &nodes);
        if let [root] = nodes.as_slice() {
            return Table { tree: root.address, heap };
        }
        level = level.saturating_add(1);
    }
}

/// Appends the heap of names. Returns the offset of each name in it.
fn write_heap(out: &mut Vec<u8>, members: &[Entry<'_>]) -> Vec<u64> {
    let mut names = vec![0; 8];
    let place = |(name, _): &Entry<'_>| {
        let at = names.len();
        names.extend(name.as_bytes());
        names.push(0);
        names.resize(names.len().next_multiple_of(8), 0);
        at as u64
    };
    let places = members.iter().map(place).collect();
    let address = out.len().saturating_add(HEAP_LEN);
    out.extend(b"HEAP\0\0\0\0");
    out.extend([names.len() as u64, 1, address as u64].map(u64::to_le_bytes).concat());
    out.extend(names);
    places
}

fn write_entries(out: &mut Vec<u8>, entries: &[(u64, u64)]) -> Node {
    let at = out.len();
    out.extend(b"SNOD\x01\0");
    out.extend(count(entries).to_le_bytes());
    for (name, header) in entries {
        let end = out.len().saturating_add(ENTRY_LEN);
        out.extend([*name, *header].map(u64::to_le_bytes).concat());
        out.resize(end, 0);
    }
    out.resize(at.saturating_add(NODE_LEN), 0);
    Node { address: at as u64, last: entries.last().map_or(EMPTY_NAME, |(name, _)| *name) }
}

/// Appends a level of the tree over the nodes below it. It has one node even if there are none below, because an
/// empty group has a tree too.
fn write_level(out: &mut Vec<u8>, level: u8, below: &[Node]) -> Vec<Node> {
    let first = out.len();
    let width = below.len().div_ceil(CHILDREN).max(1);
    let address = |i: usize| first.saturating_add(i.saturating_mul(TREE_LEN)) as u64;
    let mut key = EMPTY_NAME;
    let node = |i: usize| {
        let children = below.chunks(CHILDREN).nth(i).unwrap_or_default();
        let left = i.checked_sub(1).map_or(UNDEFINED, address);
        let right = Some(i.saturating_add(1)).filter(|i| *i < width).map_or(UNDEFINED, address);
        out.extend([b"TREE\0".as_slice(), &[level], &count(children).to_le_bytes()].concat());
        out.extend([left, right, key].map(u64::to_le_bytes).concat());
        for child in children {
            out.extend([child.address, child.last].map(u64::to_le_bytes).concat());
            key = child.last;
        }
        out.resize(first.saturating_add(TREE_LEN.saturating_mul(i.saturating_add(1))), 0);
        Node { address: address(i), last: key }
    };
    (0..width).map(node).collect()
}

fn count<T>(items: &[T]) -> u16 {
    u16::try_from(items.len()).unwrap_or(u16::MAX)
}

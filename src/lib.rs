//! ckptfs: TensorFlow checkpoints as files, under the names that a program expects.
//!
//! ```text
//!         source             transform                 view               tree            fuse
//! path ──► Catalog ──► Catalog with new names ──► virtual files ──► names, inodes ──► kernel
//!          │              overlay → map → kind → like          │
//!          └─ Tensor { dtype, shape, data: [Extent] }          └─ read: inode → extents → memory | pread | decoder, cache
//! ```
//!
//! Every file that is shown is a [virtual file](extent::VirtualFile): an ordered list of extents. An extent is inline bytes, a
//! range of a source file, or bytes that are decoded on first use through the [cache].
//!
//! * [source] turns a path into a [catalog]: variables with their [tensors](tensor), whose extents say where the bytes are. It
//!   opens files through a directory's descriptor and through [source_file], which detects changes.
//! * [transform] applies what the flags ask for, in order: overlays, the map, the kind of checkpoint, `--like`. [map] is the
//!   language, [remap] applies it to a catalog, [op] computes new values, [graph] edits object graphs.
//! * `suggest`, `diff`, `failure` and `doctor` look at catalogs, texts and files, and find the flags for a transform. They change
//!   nothing.
//! * [view] lays extents out as files. It reads no data.
//! * [tree] names the files, and the kernel adapter `fuse` serves them. They know names and extents, and nothing about tensors.
//! * [mounted_source] joins these rooms: it holds a source directory open, and opens and transforms a checkpoint when the tree
//!   asks for it. An export writes virtual files to disk, on systems without FUSE.
//! * [mod@format] holds pure codecs, which import no other room.
//!
//! The length of every file is known before any data are read, and nothing is stored per file: a mount reads only indexes. The
//! [checksums] that a new index lacks are computed in the background, or when the index is read.

// Without the kernel adapter, what only a mount uses is dead.
#![cfg_attr(not(feature = "fuse"), allow(dead_code, unused_imports))]

pub mod cache;
pub mod catalog;
pub mod checksums;
pub mod cli;
pub(crate) mod diff;
pub(crate) mod directory;
pub(crate) mod doctor;
pub mod dtype;
pub(crate) mod export;
pub mod extent;
pub(crate) mod failure;
pub mod format;
#[cfg(feature = "fuse")]
pub mod fuse;
pub mod graph;
pub mod map;
pub(crate) mod minifloat;
#[cfg(feature = "fuse")]
pub mod mount;
pub mod mounted_source;
pub mod name;
pub mod op;
pub mod remap;
pub(crate) mod slot_names;
pub mod source;
pub mod source_file;
pub(crate) mod suggest;
pub mod tensor;
pub mod transform;
pub mod tree;
pub mod view;

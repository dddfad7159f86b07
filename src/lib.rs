//! ckptfs: TensorFlow checkpoints as files, under the names a program wants.
//!
//! ```text
//!         source                remap                 view                tree           fuse
//! path ──► Catalog ──► Catalog under new names ──► virtual files ──► names, inodes ──► kernel
//!          └─ Tensor { dtype, shape, data: [Extent] }           │
//!                                                               └─ read: inode → extents → memory | pread | decoder, cache
//! ```
//!
//! Everything that is shown is a [virtual file](extent::VirtualFile): an ordered list of extents, each of them bytes we
//! made, a range of a source's file, or bytes decoded on first use through the [cache]. A [source] says where a tensor's
//! bytes are, the [map](remap) what it is called and, by [operations](op), what is made of it, a [view] in what order to present
//! it. The [tree] names the files and the
//! kernel adapter serves them; they know names and extents and nothing of tensors. A [mirror] stands between: it holds a
//! directory of the source open, and opens and maps a checkpoint when the tree asks for it. Formats are pure codecs in
//! [mod@format], which sees nothing else; the [graph] is what object-based checkpoints keep their names in. An [export]
//! writes virtual files to disk, where a mount is not to be had.
//!
//! The length of every file is known before any data is read, and nothing is stored for a file that is not asked for: to
//! mount is to read an index. The checksums that a new index lacks are [summed](sums) when somebody reads it, or before, when
//! nobody has anything better to do.

// Without the kernel adapter, what only a mount uses is dead.
#![cfg_attr(not(feature = "fuse"), allow(dead_code, unused_imports))]

pub mod cache;
pub mod catalog;
pub mod checksums;
pub mod cli;
pub(crate) mod directory;
pub mod dtype;
pub(crate) mod export;
pub mod extent;
pub mod format;
pub mod graph;
pub mod map;
pub(crate) mod minifloat;
pub mod mounted_source;
pub mod name;
pub mod op;
pub mod remap;
pub(crate) mod slot_names;
pub mod source;
pub mod source_file;
pub mod tensor;
pub mod transform;
pub mod tree;
pub mod view;

#[cfg(feature = "fuse")]
pub mod fuse;
#[cfg(feature = "fuse")]
pub mod mount;

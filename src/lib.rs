//! ckptfs: TensorFlow checkpoints as files, under the names a program wants.

#[cfg(feature = "fuse")]
pub mod fuse;
#[cfg(feature = "fuse")]
pub mod mount;

pub mod cache;
pub mod catalog;
pub mod cli;
pub mod dtype;
pub mod extent;
pub mod folder;
pub mod format;
pub mod graph;
pub mod minifloat;
pub mod mirror;
pub mod name;
pub mod remap;
pub mod shard;
pub mod source;
pub mod tensor;
pub mod tree;
pub mod view;

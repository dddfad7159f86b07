//! ckptfs: TensorFlow checkpoints as files, under the names a program wants.

pub mod format;
pub mod graph;

//! The two messages in the index of a bundle: the header under the empty key, and an entry under each variable's name.
//!
//! ```text
//! Header  { 1 num_shards, 2 endianness, 3 version { 1 producer, 2 min_consumer, 3 bad_consumers* } }
//! Entry   { 1 dtype, 2 shape, 3 shard, 4 offset, 5 size, 6 crc32c (fixed32), 7 slice* }
//! shape   { 2 dim* { 1 size, 2 name }, 3 unknown_rank }
//! slice   { 1 extent* { 1 start, 2 length (absent: the whole dimension) } }
//! ```
//!
//! Fields are written in field order, without defaults, which is what TensorFlow writes. Only `shape` is always
//! written. The decoder is stricter than protobuf: a known field with the wrong wire type or a number out of range is
//! malformed, because TensorFlow would read it as something else or abort.

pub(super) mod entry;
mod header;

pub use entry::{Entry, Extent, Slice};
pub use header::{Endianness, Header, Incompatible, Version};

#[cfg(test)]
mod tests;

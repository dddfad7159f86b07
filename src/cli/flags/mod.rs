//! The flags that several commands share, their completion, and advice for invalid command lines.

pub(crate) mod completer;
#[cfg(test)]
pub(crate) mod examples;
pub(crate) mod like_flags;
pub(crate) mod listing;
pub(crate) mod map_flags;
pub(crate) mod other_words;
pub(crate) mod overlay_flags;
#[cfg(feature = "fuse")]
pub(crate) mod parse;

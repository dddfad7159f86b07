//! Object headers, version 1. The length of each message is a multiple of eight.
//!
//! ```text
//! header  := 1 0  messages: u16  references: u32  length: u32  0: u32  message…
//! message := type: u16  length: u16  flags: u8  0 0 0  body
//! ```

/// The messages of a header, encoded.
#[derive(Default)]
pub(super) struct Messages {
    count: u16,
    bytes: Vec<u8>,
}

/// The types of messages.
pub(super) const DATASPACE: u16 = 0x01;
pub(super) const DATATYPE: u16 = 0x03;
pub(super) const FILL_VALUE: u16 = 0x05;
pub(super) const LAYOUT: u16 = 0x08;
pub(super) const ATTRIBUTE: u16 = 0x0c;
pub(super) const SYMBOL_TABLE: u16 = 0x11;

/// The body of a fill value message, version 2: storage is allocated late, and there is no fill value.
pub(super) const NO_FILL_VALUE: &[u8] = &[2, 2, 2, 1, 0, 0, 0, 0];
/// The address of a structure that does not exist.
pub(super) const UNDEFINED: u64 = u64::MAX;

impl Messages {
    /// Adds a message. Returns the offset of its body in the header.
    pub(super) fn push(&mut self, kind: u16, body: &[u8]) -> usize {
        let len = body.len().next_multiple_of(8);
        self.count = self.count.saturating_add(1);
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes());
        self.bytes.extend([0; 4]);
        let at = self.bytes.len();
        self.bytes.extend(body);
        self.bytes.resize(at.saturating_add(len), 0);
        at.saturating_add(PREFIX)
    }

    /// Encodes the header.
    pub(super) fn encode(self) -> Vec<u8> {
        let mut out = vec![1, 0];
        out.extend(self.count.to_le_bytes());
        out.extend(1u32.to_le_bytes());
        out.extend(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend([0; 4]);
        out.extend(self.bytes);
        out
    }
}

/// The number of bytes before the first message.
const PREFIX: usize = 16;

/// Encodes a dataspace, version 1: the number of dimensions, and their sizes. A scalar has no dimensions.
pub(super) fn dataspace(shape: &[u64]) -> Vec<u8> {
    let rank = u8::try_from(shape.len()).unwrap_or(u8::MAX);
    let sizes = shape.iter().flat_map(|dim| dim.to_le_bytes());
    [1, rank, 0, 0, 0, 0, 0, 0].into_iter().chain(sizes).collect()
}

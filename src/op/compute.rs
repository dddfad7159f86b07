//! Tensors whose bytes are computed: the common part of all operations' decoders.
//!
//! A decoder fills any range of bytes independently, and reads only the parts of its inputs that the range needs. So
//! a chain of operations needs no cache between its links and computes nothing twice; only a block of the last link
//! is cached. If a small part costs nearly as much as the whole (a transpose), all later links are decoded in bands
//! too.

use std::hash::{Hash, Hasher};
use std::io;
use std::sync::{Arc, LazyLock};

use crate::cache::{Cache, Decode, Identity};
use crate::extent::{Extent, VirtualFile};
use crate::tensor::Tensor;

/// A computation of bytes from the bytes of other tensors, or from nothing.
pub(super) trait Compute: Send + Sync + 'static {
    /// The name of the computation in the cache.
    const NAME: &'static str;

    /// Fills `buf` with the bytes of the result from `at` on. The range is within the result.
    fn fill(&self, buf: &mut [u8], at: u64) -> io::Result<()>;

    /// Hashes into `to` everything that determines the result, except the inputs.
    fn fingerprint(&self, to: &mut dyn Hasher);

    /// Returns the inputs.
    fn inputs(&self) -> &[Input] {
        &[]
    }

    /// Like [`Decode::skip_cache`].
    fn skip_cache(&self) -> bool {
        false
    }

    /// Returns true if a small part takes nearly as long as a large one.
    fn reads_whole_bands(&self) -> bool {
        self.inputs().iter().any(Input::reads_whole_bands)
    }
}

/// Returns the extents of `len` bytes that are computed when they are read.
pub(super) fn computed(compute: impl Compute, len: u64) -> Vec<Extent> {
    match len {
        0 => vec![Extent::from(vec![])],
        len => vec![Extent::Decoded { data: Arc::new(Computed(compute)), len }],
    }
}

struct Computed<C>(C);

impl<C: Compute> Decode for Computed<C> {
    fn identity(&self) -> Identity {
        Identity { of: std::ptr::from_ref(self).addr(), to: C::NAME }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        self.decode_into(Vec::new(), at, len)
    }

    fn decode_into(&self, mut room: Vec<u8>, at: u64, len: usize) -> io::Result<Vec<u8>> {
        match room.capacity() {
            has if (len..=2 * len).contains(&has) => room.resize(len, 0),
            _ => room = vec![0; len],
        }
        self.0.fill(&mut room, at)?;
        Ok(room)
    }

    fn verify(&self) -> io::Result<()> {
        self.0.inputs().iter().try_for_each(|input| input.0.verify())
    }

    fn fingerprint(&self, mut to: &mut dyn Hasher) -> Option<()> {
        (C::NAME, self.0.inputs().len()).hash(&mut to);
        self.0.fingerprint(to);
        self.0.inputs().iter().try_for_each(|input| input.0.fingerprint(to))
    }

    fn reads_whole_bands(&self) -> bool {
        self.0.reads_whole_bands()
    }

    fn skip_cache(&self) -> bool {
        self.0.skip_cache()
    }

    /// Returns the block length: as much as the kernel requests at once, so that one thread computes the next block
    /// while another returns this one.
    fn block_len(&self) -> u64 {
        if self.reads_whole_bands() { 4 << 20 } else { 1 << 20 }
    }

    fn read(&self, _: u64, buf: &mut [u8], at: u64) -> io::Result<()> {
        self.0.fill(buf, at)
    }
}

/// The bytes of a tensor, as the input of a computation.
#[derive(Clone)]
pub(super) struct Input(VirtualFile);

impl Input {
    pub(super) fn new(tensor: &Tensor) -> Self {
        Self(tensor.file())
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len()
    }

    /// Like [`Decode::skip_cache`].
    pub(super) fn skip_cache(&self) -> bool {
        self.0.skip_cache()
    }

    /// Returns true if a few large reads are better than many small ones.
    pub(super) fn reads_whole_bands(&self) -> bool {
        self.0.reads_whole_bands()
    }

    /// Returns the number of bytes that are worth reading at a time.
    pub(super) fn reach(&self) -> usize {
        if self.reads_whole_bands() { 64 << 20 } else { 1 << 20 }
    }

    pub(super) fn read(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        static NONE: LazyLock<Cache> = LazyLock::new(|| Cache::new(0));
        match self.0.read_at(&NONE, buf, at)? {
            len if len == buf.len() => Ok(()),
            len => Err(io::Error::other(format!("{len} bytes at {at} where {} were planned", buf.len()))),
        }
    }
}

/// Fills `buf` by calling `fill`, which produces whole units. `fill` gets the number of the first unit.
pub(super) fn in_units(
    buf: &mut [u8],
    at: u64,
    unit: u64,
    fill: impl FnOnce(&mut [u8], u64) -> io::Result<()>,
) -> io::Result<()> {
    let before = (at % unit) as usize;
    let len = (before + buf.len()).next_multiple_of(unit as usize);
    if len == buf.len() {
        return fill(buf, at / unit);
    }
    let mut whole = vec![0; len];
    fill(&mut whole, at / unit)?;
    buf.copy_from_slice(&whole[before..before + buf.len()]);
    Ok(())
}

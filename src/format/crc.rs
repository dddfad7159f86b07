//! CRC-32C (Castagnoli). It is stored masked, that is rotated and offset, so that the checksum of bytes that contain
//! checksums stays effective.

const DELTA: u32 = 0xa282_ead8;

/// A checksum in the form in which it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Masked(pub u32);

impl Masked {
    /// Computes the checksum of `bytes`, masked.
    pub fn of(bytes: &[u8]) -> Self {
        Self::mask(crc32c::crc32c(bytes))
    }

    /// Masks a plain checksum.
    pub(crate) fn mask(crc: u32) -> Self {
        Self(crc.rotate_right(15).wrapping_add(DELTA))
    }

    /// Returns the plain checksum.
    pub fn unmask(self) -> u32 {
        self.0.wrapping_sub(DELTA).rotate_left(15)
    }

    /// Returns the checksum of the bytes that this one covers, followed by `bytes`.
    pub(crate) fn extend(self, bytes: &[u8]) -> Self {
        Self::mask(crc32c::crc32c_append(self.unmask(), bytes))
    }

    /// Returns the checksum of the bytes that this one covers, followed by the `len` bytes that `next` covers. It
    /// reads neither.
    pub(crate) fn join(self, next: Self, len: usize) -> Self {
        Self::mask(crc32c::crc32c_combine(self.unmask(), next.unmask(), len))
    }

    /// Returns the checksum of `times` repetitions of the `len` bytes that this one covers. It does not read them.
    pub fn repeated(self, mut len: usize, mut times: u64) -> Self {
        let (mut sum, mut power) = (Self::of(b""), self);
        while times > 0 {
            if times & 1 == 1 {
                sum = sum.join(power, len);
            }
            power = power.join(power, len);
            (times, len) = (times >> 1, len.wrapping_mul(2));
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_of_nothing_is_the_delta() {
        assert_eq!(Masked::of(b""), Masked(DELTA));
    }

    #[test]
    fn the_castagnoli_check_value_holds() {
        assert_eq!(Masked::of(b"123456789").unmask(), 0xe306_9283);
    }

    proptest! {
        #[test]
        fn masking_is_undone_by_unmasking(crc: u32) {
            prop_assert_eq!(Masked::mask(crc).unmask(), crc);
        }

        #[test]
        fn repeating_equals_the_checksum_of_the_whole(a: Vec<u8>, times in 0usize..20) {
            let whole = Masked::of(&a.repeat(times));
            prop_assert_eq!(Masked::of(&a).repeated(a.len(), times as u64), whole);
        }

        #[test]
        fn extending_and_joining_equal_the_checksum_of_the_whole(a: Vec<u8>, b: Vec<u8>) {
            let whole = Masked::of(&[&a[..], &b].concat());
            prop_assert_eq!(Masked::of(&a).extend(&b), whole);
            prop_assert_eq!(Masked::of(&a).join(Masked::of(&b), b.len()), whole);
        }
    }
}

//! The range of each dtype, and the loss of range by a cast, which needs no values.

use crate::dtype::Dtype;

/// The numbers that a dtype can hold.
struct Range {
    dtype: Dtype,
    low: f64,
    high: f64,
    /// The smallest positive number with all digits. `None` for integers.
    normal: Option<f64>,
}

const fn float(dtype: Dtype, high: f64, normal: f64) -> Range {
    Range { dtype, low: -high, high, normal: Some(normal) }
}

const fn signed(dtype: Dtype, bits: u32) -> Range {
    let half = (1u64 << (bits - 1)) as f64;
    Range { dtype, low: -half, high: half - 1.0, normal: None }
}

const fn unsigned(dtype: Dtype, bits: u32) -> Range {
    Range { dtype, low: 0.0, high: ((1u128 << bits) - 1) as f64, normal: None }
}

#[rustfmt::skip]
const RANGES: &[Range] = &[
    float(Dtype::Float32, f32::MAX as f64, f32::MIN_POSITIVE as f64),
    float(Dtype::Complex64, f32::MAX as f64, f32::MIN_POSITIVE as f64),
    float(Dtype::Float64, f64::MAX, f64::MIN_POSITIVE),
    float(Dtype::Complex128, f64::MAX, f64::MIN_POSITIVE),
    float(Dtype::Bfloat16, 3.389_531_389_251_535_5e38, f32::MIN_POSITIVE as f64),
    float(Dtype::Float16, 65504.0, 1.0 / 16_384.0),
    float(Dtype::Float8E5m2, 57344.0, 1.0 / 16_384.0),
    float(Dtype::Float8E5m2fnuz, 57344.0, 1.0 / 32_768.0),
    float(Dtype::Float8E4m3fn, 448.0, 1.0 / 64.0),
    float(Dtype::Float8E4m3fnuz, 240.0, 1.0 / 128.0),
    float(Dtype::Float8E4m3b11fnuz, 30.0, 1.0 / 1024.0),
    float(Dtype::Float4E2m1fn, 6.0, 1.0),
    signed(Dtype::Int64, 64),
    signed(Dtype::Int32, 32),
    signed(Dtype::Qint32, 32),
    signed(Dtype::Int16, 16),
    signed(Dtype::Qint16, 16),
    signed(Dtype::Int8, 8),
    signed(Dtype::Qint8, 8),
    signed(Dtype::Int4, 4),
    signed(Dtype::Int2, 2),
    unsigned(Dtype::Uint64, 64),
    unsigned(Dtype::Uint32, 32),
    unsigned(Dtype::Uint16, 16),
    unsigned(Dtype::Quint16, 16),
    unsigned(Dtype::Uint8, 8),
    unsigned(Dtype::Quint8, 8),
    unsigned(Dtype::Uint4, 4),
    unsigned(Dtype::Uint2, 2),
    unsigned(Dtype::Bool, 1),
];

/// A loss of range by a cast: a number that the source dtype reaches, and the last one that the new dtype holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RangeLoss {
    /// A float that can become infinite, or the largest number.
    #[allow(missing_docs, reason = "as above")]
    Overflow { reaches: f64, holds: f64 },
    /// A float that can become 0.
    #[allow(missing_docs, reason = "as above")]
    Underflow { reaches: f64, holds: f64 },
    /// A number that an integer type cannot hold.
    #[allow(missing_docs, reason = "as above")]
    OutOfRange { reaches: f64, holds: f64 },
}

impl Dtype {
    /// Returns the possible losses of range by a cast. Lost digits do not count: a float32 and a bfloat16 have one
    /// range. A cast to bool has no range.
    pub(crate) fn range_losses(self, to: Self) -> Vec<RangeLoss> {
        let (Some(from), Some(into)) = (self.range(), to.range().filter(|_| to != Self::Bool)) else {
            return vec![];
        };
        let beyond = match (from.normal, into.normal) {
            (Some(_), Some(_)) => exponent(from.high) > exponent(into.high),
            _ => from.high > into.high,
        };
        let (reaches, holds) = if beyond { (from.high, into.high) } else { (from.low, into.low) };
        let is_lost = beyond || into.normal.is_none() && from.low < into.low;
        let lost = is_lost.then_some(match into.normal {
            Some(_) => RangeLoss::Overflow { reaches, holds },
            None => RangeLoss::OutOfRange { reaches, holds },
        });
        let small = from.normal.zip(into.normal).filter(|(reaches, holds)| reaches < holds);
        let small = small.map(|(reaches, holds)| RangeLoss::Underflow { reaches, holds });
        lost.into_iter().chain(small).collect()
    }

    fn range(self) -> Option<&'static Range> {
        RANGES.iter().find(|range| range.dtype == self)
    }
}

/// Returns the exponent of a positive number, with its bias.
fn exponent(number: f64) -> u64 {
    number.to_bits() >> 52
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::Value;

    /// Returns the finite numbers of a dtype of one or two bytes.
    fn numbers(dtype: Dtype) -> Vec<f64> {
        let (value, width) = (dtype.value(), dtype.component_width());
        let bits = match dtype {
            Dtype::Int4 | Dtype::Uint4 | Dtype::Float4E2m1fn => 4,
            Dtype::Int2 | Dtype::Uint2 => 2,
            Dtype::Bool => 1,
            _ => 8 * width,
        };
        let number = |code: u32| match value(&code.to_le_bytes()[..width]) {
            Value::Float32(x) => x.into(),
            Value::Float64(x) => x,
            Value::Signed(x) => x as f64,
            Value::Unsigned(x) => x as f64,
            Value::Bool(x) => f64::from(x),
        };
        (0..1 << bits).map(number).filter(|x| x.is_finite()).collect()
    }

    #[test]
    fn a_range_is_that_of_all_values() {
        for Range { dtype, low, high, normal } in RANGES.iter().filter(|range| range.dtype.width() <= Some(2))
        {
            let numbers = numbers(*dtype);
            assert_eq!(numbers.iter().copied().fold(f64::MAX, f64::min), *low, "{dtype}");
            assert_eq!(numbers.iter().copied().fold(f64::MIN, f64::max), *high, "{dtype}");
            // From the smallest normal number on, twice a number is a number.
            if let Some(normal) = normal {
                assert!(numbers.contains(normal), "{dtype}");
                let above = numbers.iter().filter(|x| **x > *normal && **x < 2.0 * *normal).count();
                let below = numbers.iter().filter(|x| **x > 0.0 && **x < *normal).count();
                assert_eq!(above, below, "{dtype}");
            }
        }
    }

    #[test]
    fn every_numeric_dtype_has_a_range() {
        for dtype in (1..40).filter_map(Dtype::from_tensorflow) {
            assert_eq!(dtype.range().is_some(), dtype.width().is_some(), "{dtype}");
        }
    }

    #[test]
    fn a_cast_loses_range_if_the_new_dtype_reaches_less_far() {
        use Dtype::*;
        use RangeLoss::*;
        let kinds = |from: Dtype, to: Dtype| {
            let kind = |loss: RangeLoss| match loss {
                Overflow { .. } => 'o',
                Underflow { .. } => 'u',
                OutOfRange { .. } => 'r',
            };
            from.range_losses(to).into_iter().map(kind).collect::<std::string::String>()
        };
        for (from, to, lost) in [
            (Float32, Float16, "ou"),
            (Float32, Bfloat16, ""),
            (Bfloat16, Float16, "ou"),
            (Float16, Float8E5m2, ""),
            (Float16, Float32, ""),
            (Float64, Float32, "ou"),
            (Float8E4m3b11fnuz, Float8E4m3fn, "u"),
            (Complex128, Complex64, "ou"),
            (Int64, Int32, "r"),
            (Int64, Uint64, "r"),
            (Uint64, Int64, "r"),
            (Int8, Uint64, "r"),
            (Uint8, Int16, ""),
            (Int64, Float32, ""),
            (Uint16, Float16, "o"),
            (Float32, Int64, "r"),
            (Float32, Bool, ""),
            (Bool, Int2, ""),
            (String, Int8, ""),
        ] {
            assert_eq!(kinds(from, to), lost, "{from} to {to}");
        }
        assert_eq!(Int8.range_losses(Uint64), [OutOfRange { reaches: -128.0, holds: 0.0 }]);
        assert_eq!(Uint16.range_losses(Float16), [Overflow { reaches: 65535.0, holds: 65504.0 }]);
    }
}

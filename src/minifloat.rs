//! Floating-point formats of sixteen bits and fewer, as float32, which holds each of them without loss.
//!
//! `sign | exponent | mantissa`, right-aligned. The formats differ in widths, bias, and what the top codes mean (IEEE 754,
//! and the OCP and ml_dtypes definitions of the 8- and 4-bit kinds).

/// A layout of sign, exponent and mantissa.
pub struct Minifloat {
    exponent: u32,
    mantissa: u32,
    bias: i32,
    specials: Specials,
}

enum Specials {
    /// All-ones exponents are infinities and NaNs.
    Ieee,
    /// Only all-ones exponent and mantissa is NaN; no infinities.
    Finite,
    /// Only minus zero is NaN; no infinities.
    FiniteUnsignedZero,
    /// Every code is a number.
    None,
}

const fn format(exponent: u32, mantissa: u32, bias: i32, specials: Specials) -> Minifloat {
    Minifloat { exponent, mantissa, bias, specials }
}

/// IEEE 754 binary16.
pub const FLOAT16: Minifloat = format(5, 10, 15, Specials::Ieee);
/// OCP 8-bit, five bits of exponent.
pub const FLOAT8_E5M2: Minifloat = format(5, 2, 15, Specials::Ieee);
/// OCP 8-bit, four bits of exponent, no infinities.
pub const FLOAT8_E4M3FN: Minifloat = format(4, 3, 7, Specials::Finite);
/// Four bits of exponent, no infinities, no minus zero.
pub const FLOAT8_E4M3FNUZ: Minifloat = format(4, 3, 8, Specials::FiniteUnsignedZero);
/// The same with bias 11.
pub const FLOAT8_E4M3B11FNUZ: Minifloat = format(4, 3, 11, Specials::FiniteUnsignedZero);
/// Five bits of exponent, no infinities, no minus zero.
pub const FLOAT8_E5M2FNUZ: Minifloat = format(5, 2, 16, Specials::FiniteUnsignedZero);
/// OCP 4-bit.
pub const FLOAT4_E2M1FN: Minifloat = format(2, 1, 1, Specials::None);

/// bfloat16 is the upper half of a float32.
pub fn bfloat16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

impl Minifloat {
    /// The number that the low bits of `bits` stand for. A NaN keeps its sign.
    pub fn decode(&self, bits: u16) -> f32 {
        let bits = u32::from(bits);
        let sign = if bits >> (self.exponent + self.mantissa) & 1 == 1 { -1.0 } else { 1.0 };
        let exponent = bits >> self.mantissa & ((1 << self.exponent) - 1);
        let mantissa = bits & ((1 << self.mantissa) - 1);
        if let Some(special) = self.special(sign < 0.0, exponent, mantissa) {
            return special.copysign(sign);
        }
        let scale = (exponent.max(1) as i32) - self.bias - self.mantissa as i32;
        let implied = if exponent == 0 { 0 } else { 1 << self.mantissa };
        sign * (mantissa + implied) as f32 * 2f32.powi(scale)
    }

    fn special(&self, negative: bool, exponent: u32, mantissa: u32) -> Option<f32> {
        let (top, full) = ((1 << self.exponent) - 1, (1 << self.mantissa) - 1);
        match self.specials {
            Specials::Ieee if exponent == top => Some(if mantissa == 0 { f32::INFINITY } else { f32::NAN }),
            Specials::Finite if exponent == top && mantissa == full => Some(f32::NAN),
            Specials::FiniteUnsignedZero if negative && exponent == 0 && mantissa == 0 => Some(f32::NAN),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corners_of_each_format_are_where_their_definitions_put_them() {
        for (format, bits, want) in [
            (&FLOAT16, 0x3c00, 1.0),
            (&FLOAT16, 0x7bff, 65504.0),
            (&FLOAT16, 0x0001, 2f32.powi(-24)),
            (&FLOAT16, 0xfc00, f32::NEG_INFINITY),
            (&FLOAT8_E5M2, 0x7b, 57344.0),
            (&FLOAT8_E4M3FN, 0x7e, 448.0),
            (&FLOAT8_E4M3FN, 0x01, 2f32.powi(-9)),
            (&FLOAT8_E4M3FNUZ, 0x7f, 240.0),
            (&FLOAT8_E4M3B11FNUZ, 0x7f, 30.0),
            (&FLOAT8_E5M2FNUZ, 0x7f, 57344.0),
            (&FLOAT4_E2M1FN, 0x07, 6.0),
            (&FLOAT4_E2M1FN, 0x0f, -6.0),
        ] {
            assert_eq!(format.decode(bits), want, "{bits:#x}");
        }
        assert!(FLOAT8_E4M3FN.decode(0x7f).is_nan() && FLOAT8_E4M3FNUZ.decode(0x80).is_nan());
        assert!(FLOAT8_E5M2.decode(0x7e).is_nan() && bfloat16(0x7fc0).is_nan());
    }
}

//! Floating-point formats of 16 bits and fewer, converted to and from float32, which holds all their values without
//! loss.
//!
//! The layout is `sign | exponent | mantissa`, right-aligned. The formats differ in the widths, the bias and the
//! meaning of the top codes (IEEE 754; OCP and ml_dtypes for the 8-bit and 4-bit formats).

/// A floating-point format with a sign, an exponent and a mantissa.
pub(crate) struct Minifloat {
    exponent: u32,
    mantissa: u32,
    bias: i32,
    specials: Specials,
}

enum Specials {
    /// Infinities and NaNs have an exponent of all ones.
    Ieee,
    /// NaN has an exponent and a mantissa of all ones. There are no infinities.
    Finite,
    /// NaN has the code of minus zero. There are no infinities.
    FiniteUnsignedZero,
    /// Every code is a number.
    None,
}

const fn format(exponent: u32, mantissa: u32, bias: i32, specials: Specials) -> Minifloat {
    Minifloat { exponent, mantissa, bias, specials }
}

/// IEEE 754 binary16.
pub(crate) const FLOAT16: Minifloat = format(5, 10, 15, Specials::Ieee);
/// OCP 8-bit format, five exponent bits.
pub(crate) const FLOAT8_E5M2: Minifloat = format(5, 2, 15, Specials::Ieee);
/// OCP 8-bit format, four exponent bits, no infinities.
pub(crate) const FLOAT8_E4M3FN: Minifloat = format(4, 3, 7, Specials::Finite);
/// 8-bit format, four exponent bits, no infinities, no minus zero.
pub(crate) const FLOAT8_E4M3FNUZ: Minifloat = format(4, 3, 8, Specials::FiniteUnsignedZero);
/// Like [`FLOAT8_E4M3FNUZ`], with bias 11.
pub(crate) const FLOAT8_E4M3B11FNUZ: Minifloat = format(4, 3, 11, Specials::FiniteUnsignedZero);
/// 8-bit format, five exponent bits, no infinities, no minus zero.
pub(crate) const FLOAT8_E5M2FNUZ: Minifloat = format(5, 2, 16, Specials::FiniteUnsignedZero);
/// OCP 4-bit format.
pub(crate) const FLOAT4_E2M1FN: Minifloat = format(2, 1, 1, Specials::None);

/// Converts a bfloat16, which is the upper half of a float32.
pub(crate) fn bfloat16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Returns the nearest bfloat16, ties to even. A NaN keeps only its sign.
#[inline(always)]
pub(crate) fn to_bfloat16(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    let nan = bits >> 16 & 0x8000 | 0x7fc0;
    (if value.is_nan() { nan } else { rounded }) as u16
}

/// Rounds to odd: if `value` is not exact in float32, returns the neighbor whose last bit is set. Rounding that to
/// fewer bits gives the same result as rounding `value` itself.
pub(crate) fn to_odd(value: f64) -> f32 {
    let near = value as f32;
    let bits = near.to_bits();
    let exact = f64::from(near) == value || value.is_nan();
    match exact || bits & 1 == 1 {
        true => near,
        false if f64::from(near).abs() > value.abs() => f32::from_bits(bits - 1),
        false => f32::from_bits(bits + 1),
    }
}

impl Minifloat {
    /// Returns the code of the nearest number, ties to even. A value above the largest number becomes infinity if the
    /// format has one, otherwise NaN if it has one, otherwise the largest number. A NaN keeps its sign. If the format
    /// has no NaN, it becomes a zero. All this is as in ml_dtypes.
    #[inline(always)]
    pub(crate) fn encode(&self, value: f32) -> u16 {
        let (sign_at, bits) = (self.exponent + self.mantissa, value.to_bits());
        let (sign, magnitude) = (bits >> 31 << sign_at, bits & 0x7fff_ffff);
        let code = self.magnitude(magnitude);
        let (largest, beyond, nan) = self.top();
        let finite = if code > largest { beyond } else { code };
        let signed = match self.specials {
            Specials::FiniteUnsignedZero if finite == 0 || finite == nan => finite,
            _ => finite | sign,
        };
        let nan = match self.specials {
            Specials::FiniteUnsignedZero => nan,
            Specials::None => sign ^ nan,
            _ => nan | sign,
        };
        (if value.is_nan() { nan } else { signed }) as u16
    }

    /// Returns the code of a float32 without its sign, as if the exponent were unlimited.
    #[inline(always)]
    fn magnitude(&self, bits: u32) -> u32 {
        let shift = 23 - self.mantissa;
        let rounded = bits + ((1 << (shift - 1)) - 1) + (bits >> shift & 1);
        let rebias = (127 - self.bias) as u32;
        let normal = (rounded >> shift).wrapping_sub(rebias << self.mantissa);
        // Adding `unit` rounds off the bits below the last bit of a subnormal.
        let unit = (rebias + 1 + shift) << 23;
        let subnormal = (f32::from_bits(bits) + f32::from_bits(unit)).to_bits().wrapping_sub(unit);
        if bits < (rebias + 1) << 23 { subnormal } else { normal }
    }

    /// Returns the codes of the largest number, of values beyond it, and of NaN.
    #[inline(always)]
    fn top(&self) -> (u32, u32, u32) {
        let end = 1 << (self.exponent + self.mantissa);
        let infinity = end - (1 << self.mantissa);
        match self.specials {
            Specials::Ieee => (infinity - 1, infinity, infinity | 1 << (self.mantissa - 1)),
            Specials::Finite => (end - 2, end - 1, end - 1),
            Specials::FiniteUnsignedZero => (end - 1, end, end),
            // There is no NaN. Like ml_dtypes, `encode` makes it a zero of the opposite sign.
            Specials::None => (end - 1, end - 1, end),
        }
    }

    /// Returns the number of a code in the low bits of `bits`. A NaN keeps its sign.
    pub(crate) fn decode(&self, bits: u16) -> f32 {
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
    fn extreme_codes_match_the_formats_definitions() {
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

    const ALL: [(&Minifloat, u32); 7] = [
        (&FLOAT16, 16),
        (&FLOAT8_E5M2, 8),
        (&FLOAT8_E4M3FN, 8),
        (&FLOAT8_E4M3FNUZ, 8),
        (&FLOAT8_E4M3B11FNUZ, 8),
        (&FLOAT8_E5M2FNUZ, 8),
        (&FLOAT4_E2M1FN, 4),
    ];

    #[test]
    fn every_code_survives_a_round_trip() {
        for (format, bits) in ALL {
            for code in (0..1u32 << bits).map(|code| code as u16) {
                let value = format.decode(code);
                let back = format.encode(value);
                assert!(back == code || value.is_nan() && format.decode(back).is_nan(), "{bits}: {code:#x}");
            }
        }
    }

    #[test]
    fn ties_round_to_even_and_their_neighbors_to_the_nearest() {
        for (format, bits) in ALL {
            for code in (0..(1u32 << (bits - 1)) - 1).map(|code| code as u16) {
                let (low, high) = (format.decode(code), format.decode(code + 1));
                if !low.is_finite() || !high.is_finite() {
                    continue;
                }
                let middle = (low + high) / 2.0;
                assert_eq!(format.encode(middle), code + (code & 1), "{bits}: {code:#x}");
                assert_eq!(format.encode(middle.next_down()), code, "{bits}: {code:#x}");
                assert_eq!(format.encode(middle.next_up()), code + 1, "{bits}: {code:#x}");
                let between = f64::from(middle).next_up();
                assert_eq!(format.encode(to_odd(between)), code + 1, "{bits}: {code:#x}");
                assert_eq!(format.encode(to_odd(f64::from(middle).next_down())), code, "{bits}: {code:#x}");
            }
        }
    }
}

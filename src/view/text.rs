//! The `text/` directory: each variable as text, one element per line, row-major, all lines of the same length.
//!
//! The format of float32, and of dtypes widened to it, is `%15.8e`; that of float64 is `%24.16e`. Integers have a
//! width of 20 and bools of 1; a complex element is two numbers. Strings have lines of different lengths, and
//! unprintable characters are escaped.

use std::fmt::Write;

use crate::catalog::Variable;
use crate::dtype::{Dtype, Numpy, Value};
use crate::extent::VirtualFile;
use crate::view::elementwise::Elementwise;
use crate::view::form::{Format, no_form};
use crate::view::strings;

pub(super) const FORMAT: Format = Format { name: "text", suffix: ".txt", link: "values.txt", file };

fn file(variable: &Variable) -> Result<VirtualFile, String> {
    let tensor = &variable.tensor;
    let dtype = tensor.dtype;
    match dtype.numpy() {
        Numpy::Strings => return strings::text(variable),
        Numpy::Absent => return Err(no_form(dtype)),
        Numpy::Same(_) | Numpy::Widened(_) => {}
    }
    let put = if dtype.components() == 2 { put_part } else { put_line };
    let lines = Elementwise { tensor: tensor.clone(), width: line_len(dtype), put };
    Ok([lines.extent()].into_iter().collect())
}

/// Returns the length of a line in bytes, including the newline.
fn line_len(dtype: Dtype) -> u64 {
    let component = dtype.width().unwrap_or(0) / dtype.components().max(1);
    let sample = (dtype.value())(&vec![0; component as usize]);
    let mut line = Vec::new();
    put_line(sample, &mut line);
    line.len() as u64 * dtype.components()
}

fn put_line(value: Value, out: &mut Vec<u8>) {
    out.extend(number(value).bytes());
    out.push(b'\n');
}

/// Appends a part of a complex number. A space follows the real part, a newline the imaginary part. The number of
/// parts already written determines which one this is.
fn put_part(value: Value, out: &mut Vec<u8>) {
    let number = number(value);
    let written = out.len() / (number.len() + 1);
    out.extend(number.bytes());
    out.push(if written.is_multiple_of(2) { b' ' } else { b'\n' });
}

/// Formats a number with the fixed width of its type.
pub(super) fn number(value: Value) -> String {
    match value {
        Value::Float32(x) => format!("{:>15}", exponential(format!("{x:.8e}"))),
        Value::Float64(x) => format!("{:>24}", exponential(format!("{x:.16e}"))),
        Value::Signed(x) => format!("{x:>20}"),
        Value::Unsigned(x) => format!("{x:>20}"),
        Value::Bool(x) => u8::from(x).to_string(),
    }
}

/// Converts Rust's `1.5e-7` to C's spelling: a signed exponent of at least two digits, and `nan` and `inf` in lower
/// case.
fn exponential(rust: String) -> String {
    let Some((mantissa, exponent)) = rust.split_once('e') else { return rust.to_lowercase() };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    let mut c = String::with_capacity(rust.len() + 2);
    let _ = write!(c, "{mantissa}e{sign}{digits:0>2}");
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_formatted_as_in_c() {
        assert_eq!(number(Value::Float32(1.0)), " 1.00000000e+00");
        assert_eq!(number(Value::Float32(-f32::EPSILON)), "-1.19209290e-07");
        assert_eq!(number(Value::Float32(f32::NAN)), "            nan");
        assert_eq!(number(Value::Float32(f32::NEG_INFINITY)), "           -inf");
        assert_eq!(number(Value::Float64(-f64::MIN_POSITIVE)), "-2.2250738585072014e-308");
        assert_eq!(number(Value::Signed(i64::MIN)), "-9223372036854775808");
        assert_eq!(number(Value::Bool(true)), "1");
    }

    #[test]
    fn all_numbers_of_a_dtype_have_the_same_width() {
        for x in [0.0, -0.0, f32::MIN_POSITIVE / 8.0, f32::MAX, f32::MIN, f32::NAN, f32::INFINITY] {
            assert_eq!(number(Value::Float32(x)).len(), 15);
        }
        for x in [0.0, -5e-324, f64::MAX, f64::MIN, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(number(Value::Float64(x)).len(), 24);
        }
        assert_eq!(number(Value::Unsigned(u64::MAX)).len(), 20);
    }
}

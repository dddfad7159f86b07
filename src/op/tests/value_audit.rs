//! The audit of values, compared with counts of known numbers.

use crate::op::tests::*;
use crate::op::value_audit::{CastAudit, Losses, ValueAudit, audit_values, audited_len};

fn floats(numbers: &[f32]) -> Arc<Tensor> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    Arc::new(Tensor::new(Dtype::Float32, Shape([numbers.len() as u64].into()), vec![bytes.into()], None))
}

fn integers(numbers: &[i64]) -> Arc<Tensor> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    Arc::new(Tensor::new(Dtype::Int64, Shape([numbers.len() as u64].into()), vec![bytes.into()], None))
}

fn cast(tensor: &Arc<Tensor>, dtype: Dtype, saturate: bool) -> Arc<Tensor> {
    Arc::new(Op::Cast { dtype, saturate }.apply(tensor).unwrap())
}

fn audited(tensor: &Arc<Tensor>) -> ValueAudit {
    audit_values(std::slice::from_ref(tensor), &|_| ()).remove(0)
}

fn lost(tensor: &Arc<Tensor>) -> [u64; 3] {
    let [CastAudit { losses: Losses { overflow, underflow, out_of_range }, .. }] = audited(tensor).casts[..]
    else {
        panic!("it is one cast")
    };
    [overflow, underflow, out_of_range]
}

#[test]
fn numbers_that_are_not_finite_are_counted() {
    let audit = audited(&floats(&[1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0]));
    assert_eq!((audit.nan, audit.infinite, audit.casts.len()), (1, 2, 0));
    let audit = audited(&integers(&[i64::MAX, i64::MIN]));
    assert_eq!((audit.nan, audit.infinite), (0, 0));
}

#[test]
fn only_what_the_cast_itself_loses_is_a_loss() {
    let numbers = floats(&[1.0, 65519.0, 65520.0, -1e6, f32::INFINITY, f32::NAN, 1e-8, -1e-9, 0.0, 6e-8]);
    let half = cast(&numbers, Dtype::Float16, false);
    assert_eq!(lost(&half), [2, 2, 0]);
    let audit = audited(&half);
    assert_eq!((audit.nan, audit.infinite), (1, 3), "of the result");
    assert_eq!(lost(&cast(&numbers, Dtype::Bfloat16, false)), [0, 0, 0]);
    assert_eq!(lost(&cast(&floats(&[100.0, 5.0]), Dtype::Float4E2m1fn, false)), [1, 0, 0], "it becomes 6");
    assert_eq!(lost(&cast(&integers(&[70_000, 65_504]), Dtype::Float16, false)), [1, 0, 0]);
    assert_eq!(lost(&cast(&floats(&[0.5, 2.0]), Dtype::Bool, false)), [0, 0, 0]);
}

#[test]
fn integers_out_of_range_are_counted_exactly_unless_the_cast_saturates() {
    let numbers = integers(&[1 << 40, i64::from(i32::MAX), i64::from(i32::MAX) + 1, -1]);
    let narrow = cast(&numbers, Dtype::Int32, false);
    assert_eq!(lost(&narrow), [0, 0, 2]);
    assert_eq!(audited(&narrow).error.unwrap().raw_os_error(), Some(libc::ERANGE));
    assert_eq!(lost(&cast(&numbers, Dtype::Int32, true)), [0, 0, 0]);
    assert_eq!(lost(&cast(&floats(&[f32::NAN, 0.5, 128.0, 127.9]), Dtype::Int8, false)), [0, 0, 2]);
    assert_eq!(lost(&cast(&integers(&[i64::MAX]), Dtype::Uint64, false)), [0, 0, 0]);
}

#[test]
fn every_cast_below_other_operations_is_found() {
    let halves = cast(&floats(&[1e6, 1.0]), Dtype::Float16, false);
    let bytes = cast(&integers(&[1, 2]), Dtype::Float16, false);
    let joined = Arc::new(join(&[halves, bytes], 0, &Layout::Blocked).unwrap());
    let back = cast(&joined, Dtype::Float32, false);
    let casts = audited(&back).casts;
    let shown: Vec<_> = casts.iter().map(|cast| (cast.from, cast.to, cast.losses.overflow)).collect();
    let expected = [
        (Dtype::Float16, Dtype::Float32, 0),
        (Dtype::Float32, Dtype::Float16, 1),
        (Dtype::Int64, Dtype::Float16, 0),
    ];
    assert_eq!(shown, expected);
    assert_eq!(casts[0].numbers, 4);
}

#[test]
fn ranges_on_all_threads_count_every_number_once() {
    let len = (34 << 20) / 4 + 5;
    let mut numbers = vec![1.0; len];
    for at in [0, 1 << 20, len - 1] {
        (numbers[at], numbers[at / 2 + 1]) = (1e9, f32::NAN);
    }
    let half = [cast(&floats(&numbers), Dtype::Float16, false)];
    let read = AtomicU64::new(0);
    let audit = audit_values(&half, &|n| _ = read.fetch_add(n, Ordering::Relaxed)).remove(0);
    assert_eq!((audit.nan, audit.casts[0].losses.overflow), (3, 3));
    assert_eq!(read.into_inner(), audited_len(&half));
    assert_eq!(audited_len(&half), half[0].len() * 3);
}

#[test]
fn complex_numbers_count_as_two() {
    let bytes: Vec<u8> = [1e300, f64::NAN].iter().flat_map(|x: &f64| x.to_le_bytes()).collect();
    let number = Tensor::new(Dtype::Complex128, Shape::default(), vec![bytes.into()], None);
    let audit = audited(&cast(&Arc::new(number), Dtype::Complex64, false));
    assert_eq!((audit.nan, audit.infinite, audit.casts[0].numbers), (1, 1, 2));
    assert_eq!(audit.casts[0].losses.overflow, 1);
}

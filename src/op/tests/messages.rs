//! Error messages, which name the shapes. The checks read no data.

use crate::op::tests::*;

fn unreadable(dtype: Dtype, dims: &[u64]) -> Arc<Tensor> {
    struct Never;
    impl Decode for Never {
        fn identity(&self) -> Identity {
            Identity { of: 0, to: "never" }
        }

        fn decode(&self, _: u64, _: usize) -> io::Result<Vec<u8>> {
            panic!("read")
        }
    }
    let shape = Shape(dims.into());
    let len = shape.num_elements().unwrap() * dtype.width().unwrap_or(1);
    Arc::new(Tensor::new(dtype, shape, vec![Extent::Decoded { data: Arc::new(Never), len }], None))
}

#[test]
fn every_mistake_has_its_message() {
    let cast = |dtype| Op::Cast { dtype, saturate: false };
    let gather = |axis, row| Op::Gather { axis, rows: [Some(row)].into(), fill: Fill::Mean };
    let pad = |dims: &[u64], fill| Op::Pad { shape: Shape(dims.into()), fill };
    let (f32, i32, c64) = (Dtype::Float32, Dtype::Int32, Dtype::Complex64);
    for (dtype, op, said) in [
        (f32, Op::Transpose([1, 0].into()), "transpose [1, 0] of a tensor with 3 axes, [2, 3, 4]"),
        (f32, Op::Transpose([1, 0, 1].into()), "transpose [1, 0, 1] of [2, 3, 4]: axis 2 is not among them"),
        (
            f32,
            Op::Reshape(Shape([5, 5].into())),
            "reshape of [2, 3, 4] (24 elements) to [5, 5] (25 elements)",
        ),
        (
            f32,
            Op::Slice([0..1, 0..1].into()),
            "slice [0..1, 0..1] has 2 ranges for a tensor with 3 axes, [2, 3, 4]",
        ),
        (f32, Op::Slice([0..1, 0..9, 0..1].into()), "slice 0..9 of axis 1 of [2, 3, 4], which has 3"),
        (f32, pad(&[2, 2, 4], Fill::Mean), "pad of [2, 3, 4] to [2, 2, 4]: axis 1 would shrink from 3 to 2"),
        (f32, pad(&[2, 3], Fill::Mean), "pad of [2, 3, 4] to [2, 3], which has another number of axes"),
        (i32, pad(&[2, 5, 4], Fill::Mean), "mean of int32: not supported for that dtype; cast first"),
        (i32, pad(&[2, 5, 4], Fill::Value(0.5)), "0.5 is not a number that int32 holds"),
        (
            i32,
            pad(&[2, 5, 4], Fill::Normal { std: 1.0, seed: 1 }),
            "normal of int32: not supported for that dtype",
        ),
        (f32, gather(3, 0), "gather along axis 3 of a tensor with 3 axes, [2, 3, 4]"),
        (f32, gather(1, 3), "gather of row 3 along axis 1 of [2, 3, 4], which has 3"),
        (f32, Op::Flip(7), "flip along axis 7 of a tensor with 3 axes, [2, 3, 4]"),
        (f32, cast(Dtype::String), "cast of float32 to string: only numbers are cast"),
        (c64, cast(f32), "cast of complex64 to float32: complex numbers are cast to complex numbers only"),
        (f32, cast(c64), "cast of float32 to complex64: complex numbers are cast to complex numbers only"),
        (i32, Op::Scale(0.5), "scale 0.5: the elements are int32, which takes a whole number; cast first"),
        (Dtype::Bool, Op::Add(1.0), "add of bool: not supported for that dtype"),
        (Dtype::Variant, Op::Flip(0), "elements of dtype variant vary in size"),
    ] {
        assert_eq!(op.apply(&unreadable(dtype, &[2, 3, 4])).err().as_deref(), Some(said));
    }
}

#[test]
fn invalid_joins_and_splits_give_the_reason() {
    let (a, b) = (unreadable(Dtype::Float32, &[4, 3]), unreadable(Dtype::Float32, &[4, 2]));
    let said = |axis, parts: &[&Arc<Tensor>], layout| {
        join(&parts.iter().map(|&part| part.clone()).collect::<Vec<_>>(), axis, &layout).err().unwrap()
    };
    assert_eq!(
        said(0, &[&a, &b], Layout::Blocked),
        "join along axis 0 of float32 [4, 3] and float32 [4, 2], which differ in more than that axis"
    );
    assert_eq!(said(2, &[&a], Layout::Blocked), "join along axis 2 of a tensor with 2 axes, [4, 3]");
    assert_eq!(
        said(1, &[&a, &b], Layout::Interleaved { heads: 3 }),
        "interleaved by 3 heads: 2 is not a multiple of 3"
    );
    assert_eq!(
        said(1, &[&a, &a, &b], Layout::Grouped { heads: 6, groups: 2 }),
        "grouped, 6 heads in 2 groups: sizes 3, 3 and 2 are not as 6 to 2 to 2"
    );
    let error = split(&a, 1, &[1, 1], &Layout::Blocked).err().unwrap();
    assert_eq!(error, "split of [4, 3] along axis 1 into [1, 1]: the axis has 3");
}

#[test]
fn no_data_is_read_before_the_result_is() {
    let from = unreadable(Dtype::Float32, &[4, 6]);
    for op in [
        Op::Cast { dtype: Dtype::Bfloat16, saturate: false },
        Op::Transpose([1, 0].into()),
        Op::Slice([0..2, 1..3].into()),
        Op::Pad { shape: Shape([9, 9].into()), fill: Fill::Mean },
        Op::Gather { axis: 1, rows: [None, Some(3)].into(), fill: Fill::Mean },
        Op::Flip(1),
        Op::Scale(2.0),
    ] {
        op.apply(&from).unwrap();
    }
    join(&[from.clone(), from.clone()], 1, &Layout::Interleaved { heads: 2 }).unwrap();
}

#[test]
fn data_whose_length_does_not_match_the_shape_is_rejected() {
    let short = Tensor::new(Dtype::Float32, Shape([3].into()), vec![vec![0; 8].into()], None);
    assert_eq!(
        Op::Scale(2.0).apply(&Arc::new(short)).err().unwrap(),
        "float32 [3] takes 12 bytes, but there are 8"
    );
}

#[test]
fn sizes_that_overflow_are_rejected() {
    let from = unreadable(Dtype::Float32, &[4, 1]);
    let pad = Op::Pad { shape: Shape([1 << 40, 1 << 40].into()), fill: Fill::Value(0.0) };
    assert!(pad.apply(&from).err().unwrap().contains("too many elements"));
    let made = create(Dtype::Float64, &Shape([1 << 62].into()), &Create::Value(Literal::Integer(0)));
    assert_eq!(made.err().unwrap(), "too many bytes");
}

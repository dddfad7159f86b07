//! Tests of operations that move elements.

use crate::op::tests::*;

fn replaced(index: &[u64], axis: usize, i: u64) -> Vec<u64> {
    let mut index = index.to_vec();
    index[axis] = i;
    index
}

proptest! {
    #[test]
    fn a_transpose_matches_loops(
        (dims, axes) in dims().prop_flat_map(|dims| {
            let axes: Vec<_> = (0..dims.len()).collect();
            (Just(dims), Just(axes).prop_shuffle())
        }),
        dtype in dtype(), salt: u8, range in range(),
    ) {
        let from = tensor(dtype, &dims, salt);
        let made = apply(&Op::Transpose(axes.clone().into()), &from);
        let bytes = whole(&from);
        let want = loops(&made.shape.0, |index| {
            let mut source = vec![0; axes.len()];
            axes.iter().zip(index).for_each(|(&axis, &i)| source[axis] = i);
            at(&bytes, &from, &source)
        });
        holds(&made, &want, range)?;
    }

    #[test]
    fn a_slice_matches_loops(
        cuts in prop::collection::vec((0u64..6, 0u64..6, 0u64..6), 0..=4),
        dtype in dtype(), salt: u8, range in range(),
    ) {
        let dims: Vec<_> = cuts.iter().map(|cut| cut.0.max(cut.1).max(cut.2)).collect();
        let ranges: Vec<_> = cuts.iter().map(|cut| cut.0.min(cut.1)..cut.0.max(cut.1)).collect();
        let from = tensor(dtype, &dims, salt);
        let made = apply(&Op::Slice(ranges.clone().into()), &from);
        let bytes = whole(&from);
        let want = loops(&made.shape.0, |index| {
            let source: Vec<_> = index.iter().zip(&ranges).map(|(i, range)| range.start + i).collect();
            at(&bytes, &from, &source)
        });
        holds(&made, &want, range)?;
    }

    #[test]
    fn a_pad_matches_loops(
        sizes in prop::collection::vec((0u64..5, 0u64..3), 0..=4),
        dtype in dtype(), salt: u8, range in range(),
    ) {
        let dims: Vec<_> = sizes.iter().map(|size| size.0).collect();
        let shape = Shape(sizes.iter().map(|size| size.0 + size.1).collect());
        let from = tensor(dtype, &dims, salt);
        let made = apply(&Op::Pad { shape: shape.clone(), fill: Fill::Value(1.0) }, &from);
        let (bytes, one) = (whole(&from), Literal::Integer(1).encode(dtype).unwrap());
        let want = loops(&shape.0, |index| {
            let inside = index.iter().zip(&dims).all(|(i, dim)| i < dim);
            if inside { at(&bytes, &from, index) } else { &one }
        });
        prop_assert_eq!(&made.shape, &shape);
        holds(&made, &want, range)?;
    }

    #[test]
    fn a_gather_matches_loops(
        (dims, axis) in with_axis(),
        rows in prop::collection::vec(prop::option::of(any::<prop::sample::Index>()), 0..9),
        dtype in dtype(), salt: u8, range in range(),
    ) {
        let from = tensor(dtype, &dims, salt);
        let row = |i: Option<prop::sample::Index>| Some(i.filter(|_| dims[axis] > 0)?.index(dims[axis] as usize) as u64);
        let rows: Vec<_> = rows.into_iter().map(row).collect();
        let made = apply(&Op::Gather { axis, rows: rows.clone().into(), fill: Fill::Value(0.0) }, &from);
        let (bytes, zero) = (whole(&from), vec![0; dtype.width().unwrap() as usize]);
        let want = loops(&made.shape.0, |index| match rows[index[axis] as usize] {
            Some(row) => at(&bytes, &from, &replaced(index, axis, row)),
            None => &zero,
        });
        prop_assert_eq!(made.shape.0[axis], rows.len() as u64);
        holds(&made, &want, range)?;
    }

    #[test]
    fn a_flip_matches_loops((dims, axis) in with_axis(), dtype in dtype(), salt: u8, range in range()) {
        let from = tensor(dtype, &dims, salt);
        let made = apply(&Op::Flip(axis), &from);
        let bytes = whole(&from);
        let want = loops(&dims, |index| at(&bytes, &from, &replaced(index, axis, dims[axis] - 1 - index[axis])));
        holds(&made, &want, range)?;
    }

    #[test]
    fn a_chain_equals_its_links_applied_in_order(
        dims in prop::collection::vec(1u64..6, 2..=4),
        ops in prop::collection::vec(0u8..6, 1..6),
        dtype in prop::sample::select(vec![Dtype::Float32, Dtype::Float16, Dtype::Int32]),
        salt: u8, range in range(),
    ) {
        let mut lazy = tensor(dtype, &dims, salt);
        let mut eager = lazy.clone();
        for op in ops {
            let (dims, rank) = (lazy.shape.0.clone(), lazy.shape.0.len());
            let op = match op {
                0 => Op::Transpose((0..rank).rev().collect()),
                1 => Op::Flip(rank - 1),
                2 => Op::Slice(dims.iter().map(|&dim| dim / 4..dim).collect()),
                3 => Op::Pad { shape: Shape(dims.iter().map(|dim| dim + 1).collect()), fill: Fill::Value(2.0) },
                4 => Op::Cast { dtype: Dtype::Float64, saturate: false },
                _ => Op::Reshape(Shape([dims[..1].to_vec(), vec![dims[1..].iter().product()]].concat().into())),
            };
            lazy = apply(&op, &lazy);
            let made = op.apply(&eager).unwrap();
            let data = vec![whole(&made).into()];
            eager = Arc::new(Tensor::new(made.dtype, made.shape, data, None));
        }
        prop_assert_eq!(&lazy.shape, &eager.shape);
        holds(&lazy, &whole(&eager), range)?;
    }
}

#[test]
fn operations_that_keep_the_byte_order_reuse_extents() {
    let from = tensor(Dtype::Float32, &[6, 4], 2);
    let given = |extent: &Extent| match extent {
        Extent::Decoded { data, .. } | Extent::Part { data, .. } => data.identity().to == "given",
        _ => false,
    };
    let own = |made: &Tensor| made.data.iter().all(given);
    let reshaped = apply(&Op::Reshape(Shape([4, 6].into())), &from);
    assert!(own(&reshaped) && reshaped.crc32c == from.crc32c);
    assert!(own(&apply(&Op::Slice([1..4, 0..4].into()), &from)));
    assert!(own(&apply(&Op::Slice([1..2, 1..3].into()), &from)));
    assert!(own(&apply(&Op::Transpose([1, 0].into()), &apply(&Op::Reshape(Shape([1, 24].into())), &from))));
    assert!(own(&apply(&Op::Gather { axis: 0, rows: [3, 4, 0].map(Some).into(), fill: Fill::Mean }, &from)));
    let joined = join(&[from.clone(), from.clone()], 0, &Layout::Blocked).unwrap();
    assert!(own(&joined) && joined.crc32c == Some(Masked::of(&whole(&joined))));
    assert!(split(&from, 0, &[2, 4], &Layout::Blocked).unwrap().iter().all(own));
    let padded = apply(&Op::Pad { shape: Shape([9, 4].into()), fill: Fill::Value(0.0) }, &from);
    assert!(given(&padded.data[0]) && padded.data.len() == 2);
    assert_eq!(padded.crc32c, Some(Masked::of(&whole(&padded))));
}

/// A matrix that fits in one band, read in small parts.
#[test]
fn a_transpose_reads_the_tensor_at_most_once_for_each_band() {
    let (rows, columns) = (2048u64, 1024u64);
    let bytes: Vec<u8> = (0..rows * columns * 2).map(|i| (i * 31 + i / 253) as u8).collect();
    let (len, given) = (bytes.len() as u64, Arc::new(Given::new(bytes)));
    let data = vec![Extent::Decoded { data: given.clone(), len }];
    let from = Arc::new(Tensor::new(Dtype::Float16, Shape([rows, columns].into()), data, None));
    let made = apply(&Op::Transpose([1, 0].into()), &from);
    // A band is half of the cache, 4 MiB here: the whole tensor.
    let cache = Cache::new(8 << 20);
    for at in (0..len).step_by(128 << 10) {
        part(&made, &cache, at, 128 << 10).unwrap();
    }
    let read = given.read.load(Ordering::Relaxed);
    assert!(read <= len + len / 8, "{read} bytes of {len}");
}

#[test]
fn bands_are_half_the_cache_up_to_the_maximum() {
    let made = apply(&Op::Transpose([1, 0].into()), &tensor(Dtype::Float16, &[3, 5], 0));
    let Extent::Decoded { data, .. } = &made.data[0] else { panic!("not decoded") };
    for (budget, band) in [(0, 4), (1, 4), (8, 4), (64, 32), (256, 64), (1024, 64)] {
        assert_eq!(Cache::new(budget << 20).block_len(data.as_ref()), band << 20);
    }
    let cast = apply(&Op::Cast { dtype: Dtype::Float32, saturate: false }, &made);
    let Extent::Decoded { data, .. } = &cast.data[0] else { panic!("not decoded") };
    assert!(data.reads_whole_bands(), "what is made of a transpose costs as much in parts");
}

#[test]
fn large_tensors_are_transposed_in_parts_and_bands() {
    // Longer than a part (4 MiB), with a unit of two elements, and read across bands.
    let from = tensor(Dtype::Uint8, &[700, 3, 1100, 2], 0);
    let made = apply(&Op::Transpose([2, 1, 0, 3].into()), &from);
    let bytes = whole(&from);
    let want = loops(&[5], |_| &[]);
    assert!(want.is_empty());
    let read = part(&made, &Cache::new(8 << 20), 0, usize::MAX).unwrap();
    assert_eq!(read.len(), bytes.len());
    for (a, b, c) in [(0, 0, 0), (1099, 2, 699), (1, 0, 0), (500, 1, 3), (17, 2, 650)] {
        let (to, at) = (((a * 3 + b) * 700 + c) * 2, ((c * 3 + b) * 1100 + a) * 2);
        assert_eq!(read[to..to + 2], bytes[at..at + 2]);
    }
    let twice = apply(&Op::Transpose([2, 1, 0, 3].into()), &made);
    assert!(part(&twice, &Cache::new(64 << 20), 0, usize::MAX).unwrap() == bytes);
}

#[test]
fn a_part_of_a_long_unit_does_not_read_the_whole_unit() {
    let bytes: Vec<u8> = (0..6u64 << 20).map(|i| (i * 31 + i / 253) as u8).collect();
    let (len, given) = (bytes.len() as u64, Arc::new(Given::new(bytes)));
    let data = vec![Extent::Decoded { data: given.clone(), len }];
    let from = Arc::new(Tensor::new(Dtype::Uint8, Shape([2, 3, 1 << 20].into()), data, None));
    let made = apply(&Op::Transpose([1, 0, 2].into()), &from);
    let read = part(&made, &Cache::new(0), (1 << 20) + 5, 1000).unwrap();
    assert_eq!(read, given.bytes[(3 << 20) + 5..][..1000]);
    assert!(given.read.load(Ordering::Relaxed) < 2000);
}

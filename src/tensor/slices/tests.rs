use proptest::collection::vec;
use proptest::prelude::*;

use crate::cache::Cache;
use crate::format::{bundle, string_tensor};
use crate::tensor::slices::*;

const NUMBERS: [Dtype; 5] =
    [Dtype::Uint8, Dtype::Float16, Dtype::Float32, Dtype::Complex64, Dtype::Complex128];

/// A box within a shape, repeatedly cut in two: the pieces have uneven sizes and form no grid.
#[derive(Clone, Debug)]
struct Cut {
    shape: Vec<u64>,
    boxes: Vec<SlicePlace>,
}

fn cut(axes: std::ops::Range<usize>) -> impl Strategy<Value = Cut> {
    let cuts = vec((any::<prop::sample::Index>(), axes, any::<prop::sample::Index>()), 0..8);
    (vec(0u64..6, 0..4), cuts).prop_map(|(shape, cuts)| {
        let mut boxes = vec![shape.iter().map(|&dim| 0..dim).collect::<SlicePlace>()];
        for (which, axis, at) in cuts {
            let mut left = boxes.swap_remove(which.index(boxes.len()));
            let mut right = left.clone();
            if let Some(range) = left.get(axis).cloned() {
                let at = range.start + at.index((range.end - range.start) as usize + 1) as u64;
                (left[axis].end, right[axis].start) = (at, at);
                boxes.push(right);
            }
            boxes.push(left);
        }
        // An empty slice has a neighbor at the same place, and may have the same key; bundles have no such slices.
        match shape.contains(&0) {
            true => boxes.truncate(1),
            false => boxes.retain(|place| place.iter().all(|range| !range.is_empty())),
        }
        Cut { shape, boxes }
    })
}

impl Cut {
    fn shape(&self) -> Shape {
        Shape(self.shape.as_slice().into())
    }

    /// Returns the indices in the whole tensor of the elements of a box.
    fn elements(&self, place: &SlicePlace) -> Vec<usize> {
        place.iter().zip(&self.shape).fold(vec![0], |elements, (range, &dim)| {
            let along = |at: usize| range.clone().map(move |i| at * dim as usize + i as usize);
            elements.into_iter().flat_map(along).collect()
        })
    }

    fn slice(&self, place: &SlicePlace) -> Slice {
        let extent = |(range, &dim): (&Range<u64>, &u64)| match *range == (0..dim) {
            true => bundle::Extent { start: 0, length: None },
            false => extent(range.start, range.end - range.start),
        };
        place.iter().zip(&self.shape).map(extent).collect()
    }

    /// Returns the parts of a tensor with these elements.
    fn parts(&self, dtype: Dtype, element: impl Fn(usize) -> Vec<u8>) -> Vec<Part> {
        let part = |place: &SlicePlace| {
            let elements: Vec<_> = self.elements(place).into_iter().map(&element).collect();
            let shape = Shape(place.iter().map(|range| range.end - range.start).collect());
            Part { slice: self.slice(place), tensor: Arc::new(whole(dtype, shape, &elements)) }
        };
        self.boxes.iter().map(part).collect()
    }

    fn whole(&self, dtype: Dtype, element: impl Fn(usize) -> Vec<u8>) -> Tensor {
        let count = self.shape.iter().product::<u64>() as usize;
        whole(dtype, self.shape(), &(0..count).map(element).collect::<Vec<_>>())
    }
}

fn extent(start: u64, length: u64) -> bundle::Extent {
    bundle::Extent { start: start as i64, length: Some(length as i64) }
}

/// Returns the tensor with these elements, as a bundle stores it.
fn whole(dtype: Dtype, shape: Shape, elements: &[Vec<u8>]) -> Tensor {
    let (bytes, crc32c) = match dtype {
        Dtype::String => string_tensor::encode(elements),
        _ => (elements.concat(), Masked::of(&elements.concat())),
    };
    Tensor::new(dtype, shape, vec![bytes.into()], Some(crc32c))
}

/// Returns a function that generates distinct bytes for each element.
fn number(width: u64) -> impl Fn(usize) -> Vec<u8> {
    move |i| (i as u128 * 0x0103_0507_1113_1719 + 1).to_le_bytes()[..width as usize].to_vec()
}

fn read(tensor: &Tensor, range: Range<u64>) -> Vec<u8> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    let n = tensor.file().read_at(&Cache::new(1 << 20), &mut bytes, range.start).unwrap();
    assert_eq!(n, bytes.len());
    bytes
}

proptest! {
    #[test]
    fn a_range_of_the_assembled_tensor_is_that_of_the_original(
        cut in cut(0..4),
        dtype in prop::sample::select(NUMBERS.as_slice()),
        from: prop::sample::Index,
        to: prop::sample::Index,
    ) {
        let element = number(dtype.width().unwrap());
        let sliced = Tensor::sliced(dtype, cut.shape(), cut.parts(dtype, &element)).unwrap();
        let expected = cut.whole(dtype, &element);
        let ends = [from, to].map(|end| end.index(expected.len() as usize + 1) as u64);
        let range = ends[0].min(ends[1])..ends[0].max(ends[1]);
        prop_assert_eq!(sliced.len(), expected.len());
        prop_assert_eq!(read(&sliced, range.clone()), read(&expected, range));
        prop_assert!(sliced.crc32c.is_none_or(|crc| Some(crc) == expected.crc32c));
        prop_assert_eq!(sliced.parts().map(|parts| parts.len()), Some(cut.boxes.len()));
    }

    /// This test uses blocks of a few bytes, so that runs begin and end on both sides of block boundaries.
    #[test]
    fn any_block_is_assembled_separately(cut in cut(0..4), at: prop::sample::Index, len in 0usize..40) {
        let element = number(4);
        let parts: Arc<[Part]> = cut.parts(Dtype::Int32, &element).into();
        let runs = cut.boxes.iter().map(|place| Runs::new(place, &cut.shape(), 4)).collect();
        let Extent::Decoded { data, len: whole } = assembled::extent(&parts, runs) else { panic!() };
        let at = at.index(whole as usize + 1) as u64;
        let len = len.min((whole - at) as usize);
        let expected = cut.whole(Dtype::Int32, &element);
        prop_assert_eq!(data.decode(at, len).unwrap(), read(&expected, at..at + len as u64));
    }

    #[test]
    fn contiguous_rows_are_not_copied_and_their_checksums_are_combined(cut in cut(0..1)) {
        let element = number(4);
        let sliced = Tensor::sliced(Dtype::Int32, cut.shape(), cut.parts(Dtype::Int32, &element)).unwrap();
        prop_assert!(sliced.data.iter().all(|extent| matches!(extent, Extent::Inline(_))));
        prop_assert_eq!(sliced.crc32c, cut.whole(Dtype::Int32, &element).crc32c);
    }

    #[test]
    fn strings_are_joined_as_in_the_original(cut in cut(0..4)) {
        let element = |i: usize| vec![i as u8; i * i % 300];
        let sliced = Tensor::sliced(Dtype::String, cut.shape(), cut.parts(Dtype::String, element)).unwrap();
        let expected = cut.whole(Dtype::String, element);
        prop_assert_eq!(sliced.len(), expected.len());
        prop_assert_eq!(read(&sliced, 0..sliced.len()), read(&expected, 0..expected.len()));
    }

    #[test]
    fn a_missing_or_duplicate_slice_is_an_error(cut in cut(0..4), which: prop::sample::Index) {
        let mut parts = cut.parts(Dtype::Uint8, number(1));
        prop_assume!(!cut.shape.contains(&0));
        let which = which.index(parts.len());
        parts.push(parts[which].clone());
        let twice = Tensor::sliced(Dtype::Uint8, cut.shape(), parts.clone()).err().unwrap();
        prop_assert!(twice.starts_with("overlapping slices: "), "{}", twice);
        let twice = parts.pop().unwrap().slice;
        parts.retain(|part| part.slice != twice);
        let few = Tensor::sliced(Dtype::Uint8, cut.shape(), parts).err().unwrap();
        prop_assert!(few.starts_with("does not have sufficient slices: "), "{}", few);
    }
}

/// A slice, and the shape of its tensor.
type Given<'a> = (&'a [bundle::Extent], &'a [u64]);

fn refusal(dtype: Dtype, shape: &[u64], slices: &[Given]) -> String {
    let part = |(slice, shape): &Given| Part {
        slice: slice.to_vec(),
        tensor: Arc::new(Tensor::new(
            Dtype::Uint8,
            Shape((*shape).into()),
            vec![vec![0; shape.iter().product::<u64>().min(100) as usize].into()],
            None,
        )),
    };
    let parts = slices.iter().map(part).collect();
    Tensor::sliced(dtype, Shape(shape.into()), parts).err().unwrap()
}

#[test]
fn errors_about_slices_name_the_slices() {
    let all = bundle::Extent { start: 0, length: None };
    let cases: [(&[u64], &[Given], &str); 7] = [
        (
            &[4],
            &[(&[extent(0, 3)], &[3]), (&[extent(2, 2)], &[2])],
            "overlapping slices: existing slice = 0,3, new slice = 2,2",
        ),
        (
            &[5, 2],
            &[(&[extent(0, 3), all], &[3, 2])],
            "does not have sufficient slices: 0,3:- cover 6 of 10 elements of shape [5, 2]",
        ),
        (&[4], &[(&[extent(2, 3)], &[3])], "slice 2,3 is not within shape [4]"),
        (&[4], &[(&[all, all], &[4])], "slice -:- is not within shape [4]"),
        (&[4], &[(&[extent(0, 4)], &[3])], "slice 0,4 holds uint8 [3] instead of uint8 [4]"),
        (
            &[4],
            &[(&[extent(i64::MAX as u64, i64::MAX as u64)], &[4])],
            "slice 9223372036854775807,9223372036854775807 is not within shape [4]",
        ),
        (&[1 << 62], &[(&[all], &[1 << 62])], "slice - has 100 bytes instead of 4611686018427387904"),
    ];
    for (shape, slices, what) in cases {
        assert_eq!(refusal(Dtype::Uint8, shape, slices), what);
    }
    let other = refusal(Dtype::Int8, &[4], &[(&[all], &[4])]);
    assert_eq!(other, "slice - holds uint8 [4] instead of int8 [4]");
}

#[test]
fn slices_that_are_contiguous_across_columns_are_not_copied() {
    let cut = Cut { shape: vec![1, 4, 2], boxes: vec![vec![0..1, 3..4, 0..2], vec![0..1, 0..3, 0..2]] };
    let sliced = Tensor::sliced(Dtype::Int32, cut.shape(), cut.parts(Dtype::Int32, number(4))).unwrap();
    assert_eq!((sliced.data.len(), sliced.crc32c), (2, cut.whole(Dtype::Int32, number(4)).crc32c));
}

#[test]
fn a_flipped_bit_in_a_string_slice_is_detected() {
    let cut = Cut { shape: vec![2], boxes: vec![vec![0..1], vec![1..2]] };
    let mut parts = cut.parts(Dtype::String, |i| vec![i as u8; 3]);
    let Extent::Inline(bytes) = parts[1].tensor.data[0].clone() else { panic!() };
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let tensor =
            Tensor::new(Dtype::String, Shape([1].into()), vec![bytes.into()], parts[1].tensor.crc32c);
        parts[1].tensor = Arc::new(tensor);
        let sliced = Tensor::sliced(Dtype::String, cut.shape(), parts.clone()).unwrap();
        let error = sliced.file().read_at(&Cache::new(0), &mut vec![0; sliced.len() as usize], 0);
        assert!(error.is_err(), "bit {bit}");
    }
}

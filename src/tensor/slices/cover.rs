//! The check that slices cover a tensor exactly. If they do not, TensorFlow aborts or restores nothing.

use std::collections::HashSet;

use crate::tensor::Shape;
use crate::tensor::slices::{Part, SlicePlace, text};

/// The maximum number of slices in an error about missing elements.
const NAMED: usize = 8;

/// Checks that every element is in exactly one slice.
pub(super) fn check(parts: &[Part], places: &[SlicePlace], shape: &Shape) -> Result<(), String> {
    let all = shape.num_elements().ok_or_else(|| format!("shape {shape} has too many elements"))?;
    if let Some((a, b)) = overlap(places, shape.0.len()) {
        let (a, b) = (text(&parts[a].slice), text(&parts[b].slice));
        return Err(format!("overlapping slices: existing slice = {a}, new slice = {b}"));
    }
    let covered: u64 = places.iter().map(elements).sum();
    match covered == all {
        true => Ok(()),
        false => Err(format!(
            "does not have sufficient slices: {} cover {covered} of {all} elements of shape {shape}",
            list_parts(parts)
        )),
    }
}

/// Returns two slices with a common element, if there are any. Processes the slices in their order along the axis
/// with the most distinct starts, so that a slice is compared only with those that extend past its start.
fn overlap(places: &[SlicePlace], rank: usize) -> Option<(usize, usize)> {
    let starts = |axis: &usize| places.iter().map(|place| place[*axis].start).collect::<HashSet<_>>().len();
    let axis = (0..rank).max_by_key(starts);
    let along = |i: &usize| axis.map_or(0..1, |axis| places[*i][axis].clone());
    let mut order: Vec<_> = (0..places.len()).filter(|&i| elements(&places[i]) > 0).collect();
    order.sort_by_key(|i| along(i).start);
    let mut open: Vec<usize> = Vec::new();
    for new in order {
        open.retain(|old| along(old).end > along(&new).start);
        if let Some(&old) = open.iter().find(|&&old| meet(&places[old], &places[new])) {
            return Some((old, new));
        }
        open.push(new);
    }
    None
}

fn meet(a: &SlicePlace, b: &SlicePlace) -> bool {
    a.iter().zip(b).all(|(a, b)| a.start.max(b.start) < a.end.min(b.end))
}

/// Returns the number of elements in a slice, which is at most that of the whole tensor.
fn elements(place: &SlicePlace) -> u64 {
    match place.iter().any(|range| range.is_empty()) {
        true => 0,
        false => place.iter().map(|range| range.end - range.start).product(),
    }
}

fn list_parts(parts: &[Part]) -> String {
    let named: Vec<_> = parts.iter().take(NAMED).map(|part| text(&part.slice)).collect();
    let more = parts.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(" "))
}

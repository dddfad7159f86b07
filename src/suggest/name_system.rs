//! The systems of names that a side has: its names, and the names that its variables had in the program.

use crate::suggest::Item;
use crate::suggest::keras_vars::decoded;

/// Returns the names of each item in every system. The first system is that of the names themselves.
pub(crate) fn systems(items: &[Item]) -> Vec<Vec<String>> {
    let own: Vec<&str> = items.iter().map(|item| item.name.as_str()).collect();
    let plain = decoded(&own);
    let full = items.iter().zip(&plain).map(|(item, plain)| match &item.full_name {
        Some(full) => full_name(full, &item.name, plain),
        None => plain.clone(),
    });
    let full: Vec<String> = full.collect();
    let known = items.iter().filter(|item| item.full_name.is_some()).count();
    let is_of_use = known * 2 > items.len() && full != plain;
    [plain].into_iter().chain(is_of_use.then_some(full)).collect()
}

/// Returns a full name. The number in `dense/0` gets the word that the path's class gives it.
fn full_name(full: &str, name: &str, plain: &str) -> String {
    let leaf = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    match full.rsplit_once('/') {
        Some((layer, number)) if name != plain && leaf(name) == number => format!("{layer}/{}", leaf(plain)),
        _ => full.to_owned(),
    }
}

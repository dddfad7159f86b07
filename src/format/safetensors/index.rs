//! `model.safetensors.index.json`: the map from each tensor to the file that holds it.
//!
//! ```text
//! {"metadata": {"total_size": 8}, "weight_map": {NAME: "model-00001-of-00002.safetensors", …}}
//! ```

use crate::format::safetensors::json;
use crate::format::{Malformed, Result};

/// The index. Its other members are ignored.
#[derive(serde::Deserialize)]
struct Index {
    weight_map: json::Texts,
}

/// Returns the names of the tensors, which are unique, each with the name of its file, in the order of the text.
pub fn decode(file: &[u8]) -> Result<Vec<(String, String)>> {
    let text = str::from_utf8(file).map_err(|error| Malformed::new("not UTF-8", error.valid_up_to()))?;
    json::parse::<Index>(text).map(|index| index.weight_map.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_is_read_and_other_members_are_ignored() {
        let text =
            br#"{"metadata": {"total_size": 8, "x": [1.5]}, "weight_map": {"b": "2", "a": "1"}, "y": null}"#;
        assert_eq!(decode(text), Ok(vec![("b".into(), "2".into()), ("a".into(), "1".into())]));
    }

    #[test]
    fn an_invalid_index_is_reported_with_its_offset() {
        let fault = |text: &[u8]| decode(text).map(drop).map_err(|fault| fault.to_string());
        for (text, told) in [
            (&br#"{}"#[..], "missing field `weight_map` at byte 2"),
            (br#"{"weight_map": {"a": 1}}"#, "invalid type: integer `1`, expected a string at byte 22"),
            (br#"{"weight_map": {"a": "1", "a": "2"}}"#, "\"a\" a second time at byte 29"),
            (b"{\n\"weight_map\": []}", "invalid type: sequence, expected an object at byte 16"),
            (b"\xff", "not UTF-8 at byte 0"),
        ] {
            assert_eq!(fault(text), Err(told.to_owned()));
        }
    }
}

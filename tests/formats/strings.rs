//! String tensors that TensorFlow wrote, as `.npy` files, as text and as raw bytes.

use std::path::Path;

use ckptfs::cache::Cache;
use ckptfs::catalog::Catalog;
use ckptfs::{source, view};

fn catalog() -> Catalog {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tf-2.21/strings/ckpt-9");
    source::open(&path).unwrap().catalog
}

/// Returns the bytes of a variable's file in a format.
fn bytes(catalog: &Catalog, format: &str, name: &str) -> Result<Vec<u8>, String> {
    let file = (view::format(format).unwrap().file)(catalog.variable(name.as_bytes()).unwrap())?;
    let mut bytes = vec![0; file.len() as usize];
    assert_eq!(file.read_at(&Cache::new(0), &mut bytes, 0).unwrap(), bytes.len());
    Ok(bytes)
}

#[test]
fn string_arrays_equal_those_that_numpy_saves() {
    let catalog = catalog();
    let descr = |file: &[u8]| String::from_utf8_lossy(&file[10..128]).split_once(", }").unwrap().0.to_owned();
    for (name, header, data) in [
        (
            "vocabulary",
            "{'descr': '|S5', 'fortran_order': False, 'shape': (4,)",
            &b"the\0\0quickbrownfox\0\0"[..],
        ),
        ("scalar", "{'descr': '|S3', 'fortran_order': False, 'shape': ()", b"one"),
        ("none", "{'descr': '|S1', 'fortran_order': False, 'shape': (0,)", b""),
    ] {
        let file = bytes(&catalog, "npy", name).unwrap();
        assert_eq!((descr(&file).as_str(), &file[128..]), (header, data), "{name}");
    }
}

#[test]
fn strings_that_npy_cannot_hold_are_in_text_and_raw_only() {
    let catalog = catalog();
    let long = "c".repeat(300);
    assert!(bytes(&catalog, "npy", "awkward").is_err_and(|why| why.contains("NUL")));
    let text = format!("hello\n\nx\\u{{0}}\n\\xff\\xfe\nключ\n{long}\n");
    assert_eq!(String::from_utf8(bytes(&catalog, "text", "awkward").unwrap()).unwrap(), text);
    let raw = bytes(&catalog, "raw", "awkward").unwrap();
    assert!(raw.starts_with(b"\x05\0\x02\x02\x08\xac\x02"), "the lengths come first");
    assert_eq!(raw[11..], [b"hellox\0\xff\xfe", "ключ".as_bytes(), long.as_bytes()].concat());
}

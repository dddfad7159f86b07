use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use crate::cache::Cache;
use crate::catalog::Catalog;
use crate::dtype::Dtype;
use crate::format::crc::Masked;
use crate::format::string_tensor;
use crate::tensor::Shape;
use crate::view::strings::*;

fn stored(shape: &[u64], data: Extent, crc32c: Masked) -> Variable {
    let tensor = Tensor::new(Dtype::String, Shape(shape.into()), vec![data], Some(crc32c));
    Variable {
        name: "s".into(),
        key: None,
        plain_key: None,
        full_name: None,
        tensor: Arc::new(tensor),
        origin: None,
    }
}

fn variable(shape: &[u64], elements: &[&[u8]]) -> Variable {
    let (bytes, crc32c) = string_tensor::encode(elements);
    stored(shape, bytes.into(), crc32c)
}

fn all(file: &VirtualFile) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; file.len() as usize];
    let n = file.read_at(&Cache::new(1 << 20), &mut bytes, 0)?;
    assert_eq!(n, bytes.len());
    Ok(bytes)
}

fn array(shape: &[u64], elements: &[&[u8]]) -> (String, Vec<u8>) {
    let bytes = all(&npy(&variable(shape, elements)).unwrap()).unwrap();
    let (header, data) = bytes.split_at(128);
    (String::from_utf8_lossy(&header[10..]).trim_end().to_owned(), data.to_vec())
}

#[test]
fn an_array_pads_each_string_to_the_longest() {
    let (header, data) = array(&[2, 2], &[b"the", b"quick", b"", b"f\0x"]);
    assert_eq!(header, "{'descr': '|S5', 'fortran_order': False, 'shape': (2, 2), }");
    assert_eq!(data, b"the\0\0quick\0\0\0\0\0f\0x\0\0");
}

#[test]
fn scalars_empty_arrays_and_empty_strings_are_as_in_numpy() {
    let header =
        |descr, shape| format!("{{'descr': '|S{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    assert_eq!(array(&[], &[b"one"]), (header(3, "()"), b"one".to_vec()));
    assert_eq!(array(&[0], &[]), (header(1, "(0,)"), vec![]));
    assert_eq!(array(&[3, 0], &[]), (header(1, "(3, 0)"), vec![]));
    assert_eq!(array(&[2], &[b"", b""]), (header(1, "(2,)"), vec![0, 0]));
}

#[test]
fn text_is_an_escaped_line_for_each_string() {
    let lines = |shape: &[u64], elements: &[&[u8]]| {
        String::from_utf8(all(&text(&variable(shape, elements)).unwrap()).unwrap()).unwrap()
    };
    let elements: [&[u8]; 5] = [b"two words", b"", b"a\nb\\", b"\xff\0", "ключ".as_bytes()];
    assert_eq!(lines(&[5], &elements), "two words\n\na\\nb\\\\\n\\xff\\u{0}\nключ\n");
    assert_eq!((lines(&[], &[b"one"]), lines(&[0], &[])), ("one\n".into(), String::new()));
}

#[test]
fn there_is_no_array_if_it_would_lose_a_final_nul() {
    let why = npy(&variable(&[2], &[b"a", b"b\0"])).err().unwrap();
    assert!(why.contains("NUL"), "{why}");
    let variables = vec![variable(&[2], &[b"a", b"b\0"])];
    let catalog = Catalog { variables, ..Catalog::default() };
    assert_eq!(crate::view::info(&catalog, &catalog.variables[0])["absent"]["npy"], why);
    assert!(text(&variable(&[2], &[b"a", b"b\0"])).is_ok());
}

#[test]
fn the_files_of_a_damaged_tensor_have_its_length_and_cannot_be_read() {
    let (bytes, crc32c) = string_tensor::encode(&["the", "quick"]);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        let variable = stored(&[2], damaged.into(), crc32c);
        for file in [npy(&variable).unwrap(), text(&variable).unwrap()] {
            assert_eq!(file.len(), bytes.len() as u64);
            assert_eq!(all(&file).unwrap_err().raw_os_error(), Some(libc::EIO), "byte {at}");
        }
    }
}

/// A source that counts its reads.
struct Counted(Vec<u8>, AtomicUsize);

impl Decode for Counted {
    fn identity(&self) -> Identity {
        Identity { of: self as *const Self as usize, to: "counted" }
    }

    fn decode(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Ok(self.0[at as usize..][..len].to_vec())
    }
}

#[test]
fn a_tensor_is_read_once_even_if_it_is_damaged() {
    let (bytes, crc32c) = string_tensor::encode(&["the", "quick"]);
    for crc32c in [crc32c, Masked(0)] {
        let source = Arc::new(Counted(bytes.clone(), AtomicUsize::new(0)));
        let data = Extent::Decoded { data: source.clone(), len: bytes.len() as u64 };
        let variable = stored(&[2], data, crc32c);
        let looks: Vec<_> =
            (0..9).map(|_| (npy(&variable).unwrap().len(), text(&variable).unwrap().len())).collect();
        assert!(looks.iter().all(|look| *look == looks[0]));
        assert_eq!(source.1.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn a_tensor_in_a_missing_file_allocates_no_memory() {
    let shard = Arc::new(crate::source_file::SourceFile::open("/nonexistent/ckpt.data-00000-of-00001"));
    let data = Extent::Range { file: shard, offset: 0, len: 1 << 60 };
    let file = text(&stored(&[4], data, Masked(0))).unwrap();
    assert_eq!(file.len(), 1 << 60);
    assert!(file.read_at(&Cache::new(0), &mut [0; 8], 0).is_err());
}

/// Returns enough elements for several groups.
fn many() -> Vec<Vec<u8>> {
    (0..9000usize).map(|i| vec![if i % 7 == 0 { 0xff } else { b'x' }; i % 97]).collect()
}

#[test]
fn overlong_encodings_of_lengths_are_read() {
    let elements = many();
    let mut bytes: Vec<u8> = elements.iter().flat_map(|e| [e.len() as u8 | 0x80, 0]).collect();
    let (written, crc32c) = string_tensor::encode(&elements);
    bytes.extend(&written[elements.len()..]);
    let lines: String = elements.iter().map(|element| line(element)).collect();
    assert!(all(&text(&stored(&[9000], bytes.into(), crc32c)).unwrap()).unwrap() == lines.as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_part_of_a_file_has_the_bytes_of_its_range(at in 0.0..1.0, len in 1usize..5000) {
        let elements = many();
        let refs: Vec<_> = elements.iter().map(Vec::as_slice).collect();
        let variable = variable(&[90, 100], &refs);
        let (tensor, strings) = (variable.tensor.clone(), variable.tensor.strings(&variable.name).unwrap().clone());
        let padded: Vec<u8> = elements.iter().flat_map(|e| [e.clone(), vec![0; 96 - e.len()]].concat()).collect();
        let lines: String = elements.iter().map(|element| line(element)).collect();
        prop_assert!(lines.len() > 2 << 18);
        let files: [(Box<dyn Decode>, &[u8]); 2] = [
            (Box::new(Padded { tensor: tensor.clone(), strings: strings.clone(), width: 96 }), &padded),
            (Box::new(Lines { tensor, strings }), lines.as_bytes()),
        ];
        for (file, whole) in files {
            let at = (at * whole.len() as f64) as usize;
            let len = len.min(whole.len() - at);
            prop_assert!(file.decode(at as u64, len).unwrap() == whole[at..at + len]);
        }
    }
}

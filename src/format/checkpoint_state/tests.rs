#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use proptest::collection::vec;
use proptest::prelude::*;

use crate::format::checkpoint_state::*;

const USUAL: &[u8] = b"model_checkpoint_path: \"ckpt-9\"
all_model_checkpoint_paths: \"ckpt-8\"
all_model_checkpoint_paths: \"ckpt-9\"
all_model_checkpoint_timestamps: 1700000000.25
all_model_checkpoint_timestamps: 1700000010.0
last_preserved_timestamp: 1699999990.5
";

fn usual() -> State {
    State {
        model_checkpoint_path: b"ckpt-9".to_vec(),
        all_model_checkpoint_paths: vec![b"ckpt-8".to_vec(), b"ckpt-9".to_vec()],
        all_model_checkpoint_timestamps: vec![1_700_000_000.25, 1_700_000_010.0],
        last_preserved_timestamp: 1_699_999_990.5,
    }
}

/// Returns the path of the newest checkpoint.
fn newest(text: &str) -> Result<Vec<u8>> {
    decode(text.as_bytes()).map(|state| state.model_checkpoint_path)
}

fn fault(text: &str) -> String {
    decode(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn the_usual_file_is_decoded_and_encoded() {
    assert_eq!(decode(USUAL), Ok(usual()));
    assert_eq!(encode(&usual()), USUAL);
}

#[test]
fn an_empty_file_names_no_checkpoint() {
    assert_eq!(decode(b""), Ok(State::default()));
    assert_eq!(decode(b" \t\r\n# nothing"), Ok(State::default()));
    assert_eq!(encode(&State::default()), b"");
}

/// The expected values are those of Python's protobuf 7.
#[test]
fn strings_are_read_as_protobuf_reads_them() {
    let cases: [(&str, &str); 17] = [
        (r#""a b#c""#, "a b#c"),
        ("''", ""),
        (r#"'a"b' "c'd""#, "a\"bc'd"),
        ("\"a\"\n  # why\n'b'\"c\"", "abc"),
        (r#""\n\t\r\\\"\'""#, "\n\t\r\\\"'"),
        (r#""\a\b\f\v""#, "\x07\x08\x0c\x0b"),
        (r#""\0\12\1012""#, "\0\nA2"),
        (r#""\303\251\xc3\xa9""#, "éé"),
        (r#""\x4z\x414""#, "\x04zA4"),
        (r#""\u00e9\u2603\U0001f600""#, "é☃😀"),
        (r#""é☃""#, "é☃"),
        (r#""\q\?\e\8""#, r"\q\?\e\8"),
        (r#""\\u00e9\\x41""#, r"\u00e9\x41"),
        ("'\t\r'", "\t\r"),
        (r#""/abs/ckpt-1","#, "/abs/ckpt-1"),
        (r#""a";"#, "a"),
        ("\"old\" model_checkpoint_path:\"new\"", "new"),
    ];
    for (text, path) in cases {
        assert_eq!(newest(&format!("model_checkpoint_path: {text}")), Ok(path.into()), "{text}");
    }
}

#[test]
fn a_path_need_not_be_utf_8() {
    assert_eq!(newest(r#"model_checkpoint_path: "\377/a""#), Ok(b"\xff/a".to_vec()));
    assert_eq!(decode(b"model_checkpoint_path: '\xff'").unwrap().model_checkpoint_path, b"\xff");
    let state = State { model_checkpoint_path: b"\xff\xc3\xa9\x01\x7f\"'\n".to_vec(), ..State::default() };
    let file = encode(&state);
    assert_eq!(file, b"model_checkpoint_path: \"\\377\xc3\xa9\\001\\177\\\"\\'\\n\"\n");
    assert_eq!(decode(&file), Ok(state));
}

/// The expected values are those of Python's protobuf 7.
#[test]
fn numbers_are_read_as_protobuf_reads_them() {
    let cases = [
        ("1", 1.0),
        ("-3.5", -3.5),
        ("+2", 2.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e5", 1e5),
        ("1E-5", 1e-5),
        ("1.0f", 1.0),
        ("2F", 2.0),
        ("0f", 0.0),
        ("0e1", 0.0),
        ("1.5ff", 1.5),
        ("inf", f64::INFINITY),
        ("-infinityf", f64::NEG_INFINITY),
        ("INF", f64::INFINITY),
        ("inff", f64::INFINITY),
        ("1e400", f64::INFINITY),
        ("-0.0", -0.0),
    ];
    for (text, value) in cases {
        let state = decode(format!("last_preserved_timestamp: {text}").as_bytes()).unwrap();
        assert_eq!(state.last_preserved_timestamp.to_bits(), f64::to_bits(value), "{text}");
    }
    assert!(decode(b"last_preserved_timestamp:nan").unwrap().last_preserved_timestamp.is_nan());
    for text in ["01", "00", "-01.5", "0x10", "abc", "1.2.3", "", "'1'", "- 1", "1e", "--1", "[1]"] {
        assert!(decode(format!("last_preserved_timestamp: {text}").as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn numbers_are_written_as_python_writes_them() {
    let cases = [
        (1.0, "1.0"),
        (1e300, "1e+300"),
        (5e-324, "5e-324"),
        (1e-5, "1e-05"),
        (1e16, "1e+16"),
        (123_456_789_012_345_678.0, "1.2345678901234568e+17"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
        (-0.0, "-0.0"),
    ];
    for (value, text) in cases {
        assert_eq!(literal::write_float(value), text);
    }
}

#[test]
fn a_repeated_field_may_be_a_list() {
    let file = b"all_model_checkpoint_paths: ['a' \"b\", 'c'], all_model_checkpoint_paths: 'd'
        all_model_checkpoint_paths: []; all_model_checkpoint_timestamps:[1,2.5]";
    let state = decode(file).unwrap();
    assert_eq!(state.all_model_checkpoint_paths, [&b"ab"[..], b"c", b"d"]);
    assert_eq!(state.all_model_checkpoint_timestamps, [1.0, 2.5]);
}

#[test]
fn garbage_is_refused_with_its_offset() {
    let cases = [
        ("model_checkpoint_path \"a\"", "':' expected at byte 22"),
        ("model_checkpoint_path: \"a\" x: 1", "unknown field x at byte 27"),
        ("Model_checkpoint_path: 'a'", "unknown field Model_checkpoint_path at byte 0"),
        ("1: 'a'", "a field's name expected at byte 0"),
        ("\u{7f}ELF", "a field's name expected at byte 0"),
        ("model_checkpoint_path: 'a';;", "a field's name expected at byte 27"),
        ("model_checkpoint_path: ckpt", "string expected at byte 23"),
        ("model_checkpoint_path:", "string expected at byte 22"),
        ("model_checkpoint_path: ['a']", "string expected at byte 23"),
        ("model_checkpoint_path: 'a\n'", "string without its closing quote at byte 23"),
        ("model_checkpoint_path: 'a\\", "string without its closing quote at byte 23"),
        ("model_checkpoint_path: 'a\\\n'", "string without its closing quote at byte 23"),
        ("model_checkpoint_path: 'a\"", "string without its closing quote at byte 23"),
        ("model_checkpoint_path: 'ab\\400'", "bad escape in a string at byte 26"),
        ("model_checkpoint_path: '\\xg'", "bad escape in a string at byte 24"),
        ("model_checkpoint_path: '\\u12'", "bad escape in a string at byte 24"),
        ("model_checkpoint_path: '\\ud800\\udc00'", "bad escape in a string at byte 24"),
        ("model_checkpoint_path: '\\U00110000'", "bad escape in a string at byte 24"),
        ("model_checkpoint_path: '\\u+041'", "bad escape in a string at byte 24"),
        ("model_checkpoint_path: '\\N{DASH}'", "bad escape in a string at byte 24"),
        ("all_model_checkpoint_paths: ['a',]", "string expected at byte 33"),
        ("all_model_checkpoint_paths: ['a'", "',' expected at byte 32"),
        ("all_model_checkpoint_timestamps: 1x", "not a number: 1x at byte 33"),
    ];
    for (text, error) in cases {
        assert_eq!(fault(text), error, "{text}");
    }
}

#[test]
fn a_truncated_or_flipped_file_is_decoded_or_refused() {
    for len in 0..USUAL.len() {
        let _ = decode(&USUAL[..len]);
        for bit in 0..8 {
            let mut file = USUAL.to_vec();
            file[len] ^= 1 << bit;
            let _ = decode(&file);
        }
    }
}

fn states() -> impl Strategy<Value = State> {
    let path = || vec(prop_oneof![any::<u8>(), b' '..0x7f], 0..12);
    let time = || any::<f64>().prop_filter("nan differs from itself", |time| !time.is_nan());
    (path(), vec(path(), 0..4), vec(time(), 0..4), time()).prop_map(|(newest, paths, times, preserved)| {
        State {
            model_checkpoint_path: newest,
            all_model_checkpoint_paths: paths,
            all_model_checkpoint_timestamps: times,
            last_preserved_timestamp: preserved,
        }
    })
}

proptest! {
    #[test]
    fn states_survive_a_round_trip(state in states()) {
        prop_assert_eq!(decode(&encode(&state)), Ok(state));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(noise in vec(any::<u8>(), 0..40), text in r#"[ a-z_:"'\\\[\],;#0-9ux.\n-]{0,40}"#) {
        let _ = decode(&noise);
        let _ = decode(text.as_bytes());
        let _ = decode(&[b"model_checkpoint_path: ", text.as_bytes()].concat());
    }
}

use proptest::prelude::*;

use super::*;

/// A text, the id of its row, and captured parts.
type Sample = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Texts that TensorFlow, Keras and PyTorch print.
#[rustfmt::skip]
const SAMPLES: &[Sample] = &[
    ("NotFoundError: {{function_node __wrapped__RestoreV2}} Key net/dense/bias not found in checkpoint [Op:RestoreV2]", "missing-key", &[("key", "net/dense/bias")]),
    ("Key a\nb not found in checkpoint", "missing-key", &[("key", "a\nb")]),
    ("Key net/'; touch x; ' not found in checkpoint [Op:RestoreV2]", "missing-key", &[("key", "net/'; touch x; '")]),
    ("Key _CHECKPOINTABLE_OBJECT_GRAPH not found in checkpoint", "no-object-graph", &[]),
    (r#"NotFoundError: Tensor name "dense/kernel" not found in checkpoint files train/model.ckpt-9"#, "missing-tensor", &[("key", "dense/kernel"), ("path", "train/model.ckpt-9")]),
    ("ValueError: Tensor a/k (k in a/) is not found in /tmp/x y/ck checkpoint", "missing-in-scope", &[("key", "a/k"), ("path", "/tmp/x y/ck")]),
    ("ValueError: Tensor foo/k is not found in /tmp/ck checkpoint {'net/k': [2, 3], 'g': []}", "missing-in-scope", &[("key", "foo/k"), ("path", "/tmp/ck")]),
    ("Existing variables not in the checkpoint: bar/w, bar/x", "missing-names", &[("names", "bar/w, bar/x")]),
    ("Variables names when this checkpoint was written which don't exist now: foo/w, save_counter", "other-names", &[("names", "foo/w, save_counter")]),
    (r#"	Missing key(s) in state_dict: "a.weight", "a.bias". "#, "torch-missing-keys", &[]),
    (r#"	Unexpected key(s) in state_dict: "module.a.weight". "#, "torch-unexpected-keys", &[]),
    ("WARNING:tensorflow:Value in checkpoint could not be found in the restored object: (root).m.w", "unexpected-value", &[("object", "m.w")]),
    ("AssertionError: Unresolved object in checkpoint (root).model._functional._operations.1._kernel: attributes {", "unresolved-object", &[("object", "model._functional._operations.1._kernel")]),
    ("AssertionError: Found 2 Python objects that were not bound to checkpointed values, likely due to changes in the Python program. Showing 2 of 2 unmatched objects: []", "unbound-objects", &[("want", "2")]),
    ("AssertionError: Some objects had attributes which were not restored: ", "not-restored", &[]),
    ("[<Variable path=sequential/dense_2/kernel, shape=(4, 4), dtype=float32, value=[[77. 77. 77. 77.]", "wanted-object", &[("key", "sequential/dense_2/kernel"), ("shape", "(4, 4)"), ("want", "float32")]),
    ("    <tf.Variable 'hidden/bias:0' shape=(4,) dtype=float32, numpy=array([], dtype=float32)>: ['hidden/bias']", "wanted-variable", &[("key", "hidden/bias:0"), ("shape", "(4,)")]),
    ("Layer 'my_scale' expected 2 variables, but received 1 variables during loading. Expected: ['gain', 'offset']", "layer-variables", &[("layer", "my_scale")]),
    ("ValueError: A total of 2 objects could not be loaded. Example error message for object <Dense name=dense_1, built=True>:", "layers-not-loaded", &[]),
    ("ValueError: Layer count mismatch when loading weights from file. Model expected 3 layers, found 2 saved layers.", "layer-count", &[("want", "3"), ("have", "2")]),
    ("You are loading weights into a model that has not yet been built. Try building the model first", "not-built", &[]),
    ("ValueError: Layer 'dense_1' expected 0 variables, but received 2 variables during loading. Expected: []", "layer-not-built", &[]),
    ("You are trying to restore a checkpoint from a legacy TF-Keras optimizer into a v2.11+ Optimizer, which can cause errors.", "legacy-optimizer", &[]),
    ("ValueError: Received incompatible tensor with shape (6, 3) when attempting to restore variable with shape (6, 5) and name sequential/dense_1/kernel:0.", "incompatible-tensor", &[("have", "(6, 3)"), ("shape", "(6, 5)"), ("key", "sequential/dense_1/kernel:0")]),
    ("Assign requires shapes of both tensors to match. lhs shape= [4,12] rhs shape= [4,10]", "assign-shape", &[("shape", "[4,12]"), ("have", "[4,10]")]),
    ("ValueError: Shape of variable net/k:0 ((2, 4)) doesn't match with shape of tensor net/k ([2, 3]) from checkpoint reader.", "variable-shape", &[("key", "net/k:0")]),
    ("The shape of the target variable and the shape of the target value in `variable.assign(value)` must match. variable.shape=(4, 5), Received: value.shape=(4, 2). Target variable: <Variable", "keras-assign-shape", &[("shape", "(4, 5)"), ("have", "(4, 2)")]),
    ("Cannot assign value to variable ' dense_1/kernel:0': Shape mismatch.The variable shape (4, 5), and the assigned value shape (4, 2) are incompatible.", "keras-variable-shape", &[("key", "dense_1/kernel:0"), ("shape", "(4, 5)")]),
    ("Shape mismatch in layer #1 (named dense_4)for weight sequential_2/dense_4/kernel. Weight expects shape (4, 5). Received saved weight with shape (4, 2)", "keras-layer-shape", &[("key", "sequential_2/dense_4/kernel"), ("have", "(4, 2)")]),
    ("	size mismatch for fc.weight: copying a param with shape torch.Size([2, 4]) from checkpoint, the shape in current model is torch.Size([5, 4]).", "torch-shape", &[("key", "fc.weight"), ("have", "[2, 4]"), ("shape", "[5, 4]")]),
    ("InvalidArgumentError: indices[0] = 11 is not in [0, 10)", "row-out-of-range", &[("want", "11"), ("have", "10")]),
    ("tensor_name = global_step; expected dtype int32 does not equal original dtype int64", "dtype", &[("key", "global_step"), ("want", "int32"), ("have", "int64")]),
    ("Unsuccessful TensorSliceReader constructor: Failed to find any matching files for /tmp/a b/ckpt-1", "no-files", &[("path", "/tmp/a b/ckpt-1")]),
    ("Failed to find any matching files for ckpt-1 [Op:RestoreV2]", "no-files", &[("path", "ckpt-1")]),
    ("ValueError: The passed save_path is not a valid checkpoint: /tmp/none", "no-checkpoint", &[("path", "/tmp/none")]),
    ("ValueError: Can't load save_path when it is None.", "no-path", &[]),
    ("AssertionError: No checkpoint specified (save_path=None); nothing is being restored.", "nothing-restored", &[]),
    ("ValueError: Couldn't find 'checkpoint' file or checkpoints in given directory /tmp/train", "no-state-file", &[("path", "/tmp/train")]),
    ("ERROR:tensorflow:Couldn't match files for checkpoint /tmp/gone-3", "state-target-gone", &[("path", "/tmp/gone-3")]),
    ("ValueError: Invalid checkpoint state loaded from /tmp/train", "empty-state-file", &[("path", "/tmp/train")]),
    ("WARNING:tensorflow:/tmp/train/checkpoint: Checkpoint ignored", "state-ignored", &[("path", "/tmp/train/checkpoint")]),
    ("OSError: SavedModel file does not exist at: sm/{saved_model.pbtxt|saved_model.pb}", "no-saved-model", &[("path", "sm")]),
    ("ValueError: File not found: filepath=/tmp/nope.keras. Please ensure the file is an accessible `.keras` zip file.", "no-keras-file", &[("path", "/tmp/nope.keras")]),
    ("OSError: No file or directory found at /tmp/nope.keras", "no-file", &[("path", "/tmp/nope.keras")]),
    ("FileNotFoundError: [Errno 2] Unable to synchronously open file (unable to open file: name = '/tmp/nope.weights.h5', errno = 2", "no-h5-file", &[("path", "/tmp/nope.weights.h5")]),
    ("DataLossError: Unable to open table file /tmp/train: FAILED_PRECONDITION: /tmp/train; Is a directory: perhaps your file is in a different file format and you need", "directory-as-prefix", &[("path", "/tmp/train")]),
    ("Unable to open table file c.data-00000-of-00001: DATA_LOSS: not an sstable (bad magic number): perhaps your file is in a different file format", "not-a-table", &[("path", "c.data-00000-of-00001")]),
    ("OpError: not an sstable (bad magic number)", "not-a-table", &[]),
    ("OpError: file is too short to be an sstable", "short-table", &[]),
    ("Unable to read file (/tmp/ckpt-3.index). Perhaps the file is corrupt or was produced by a newer version of TensorFlow with format changes (failed to seek to header entry): block checksum mismatch", "damaged-index", &[("path", "/tmp/ckpt-3.index")]),
    ("OpError: /tmp/ckpt-3.data-00000-of-00001; No such file or directory", "data-file", &[("path", "/tmp/ckpt-3")]),
    ("OpError: /tmp/ckpt-3.data-00000-of-00001; Permission denied", "data-file", &[("why", "Permission denied")]),
    ("IndexError: Read less bytes than requested", "short-data", &[]),
    ("TensorBundle at /tmp/ckpt-3 shard 0 (4800 bytes): Checksum does not match: stored 1152106365 vs. calculated on the restored bytes 1087599120", "checksum", &[("path", "/tmp/ckpt-3"), ("stored", "1152106365")]),
    ("PermissionDeniedError: m/ckpt-4_temp; Read-only file system [Op:SaveV2]", "read-only", &[("path", "m/ckpt-4_temp")]),
    ("PermissionDeniedError: m/ckpt-4_temp; Permission denied", "half-saved", &[("path", "m/ckpt-4")]),
    ("ValueError: The filename must end in `.weights.h5`. Received: filepath=x.foo", "weights-suffix", &[]),
    ("ValueError: File format not supported: filepath=kh/tfw. Keras 3 only supports V3 `.keras` files, `.weights.h5` files, legacy H5 format files", "format-keras-3", &[("path", "kh/tfw")]),
    ("File format not supported: filepath=/tmp/m. Keras 3 only supports V3 `.keras` files, legacy H5 format files (`.h5` extension). Note that the legacy SavedModel format is not supported by `load_model()` in Keras 3.", "saved-model-keras-3", &[("path", "/tmp/m")]),
    ("TypeError: <class 'keras.src.models.sequential.Sequential'> could not be deserialized properly. Please ensure", "unknown-object", &[]),
    ("ValueError: Unrecognized keyword arguments passed to LSTM: {'time_major': False}", "unknown-argument", &[("layer", "LSTM")]),
    ("AttributeError: 'CheckpointManager' object has no attribute 'restore'", "no-manager-restore", &[]),
];

#[test]
fn every_row_has_a_sample_and_every_sample_its_row() {
    for (text, id, parts) in SAMPLES {
        let found = recognize(text);
        let ids: Vec<_> = found.iter().map(|failure| failure.row.id).collect();
        assert_eq!(ids, [*id], "{text}");
        for (group, part) in *parts {
            assert_eq!(found[0].get(group), Some(*part), "{text}");
        }
    }
    let missing: Vec<_> = ROWS.iter().filter(|row| SAMPLES.iter().all(|(_, id, _)| *id != row.id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_ids_differ_and_all_groups_are_captured() {
    let ids: HashSet<_> = ROWS.iter().map(|row| row.id).collect();
    assert_eq!(ids.len(), ROWS.len());
    for row in ROWS {
        let pattern = Regex::new(row.pattern).unwrap();
        let groups: Vec<_> = pattern.capture_names().flatten().map(str::to_owned).collect();
        assert!(groups.iter().all(|group| GROUPS.contains(&group.as_str())), "{}: {groups:?}", row.id);
    }
}

#[test]
fn every_row_is_documented_with_its_meaning() {
    let documented = include_str!("../../docs/json.md");
    for Row { id, meaning, .. } in ROWS {
        assert!(documented.contains(&format!("| `{id}` | {meaning} |")), "{id}");
    }
}

#[test]
fn all_failures_of_a_text_are_found_once_and_without_colors() {
    let text = "\x1b[31mtensor_name = a; expected dtype half does not equal original dtype float\x1b[0m\n\
                tensor_name = b; expected dtype half does not equal original dtype float\n\
                tensor_name = a; expected dtype half does not equal original dtype float\n\
                Key \x1b[1mx/y\x1b[0m not found in checkpoint; Key z not found in checkpoint\n";
    let found = recognize(&clean(text.as_bytes()));
    let names: Vec<_> = found.iter().flat_map(Failure::variables).map(|named| named.name).collect();
    assert_eq!(names, ["a", "b", "x/y", "z"]);
}

#[test]
fn the_variables_of_a_failure_have_names_as_in_a_checkpoint_and_shapes() {
    let variables = |text: &str| recognize(text).iter().flat_map(Failure::variables).collect::<Vec<_>>();
    let named = |name: &str, shape: Option<&[u64]>| Named {
        name: name.into(),
        shape: shape.map(|sizes| Shape(sizes.into())),
    };
    let text = "Received incompatible tensor with shape (3,) when attempting to restore variable with shape (5,) and name dense_1/bias:0.";
    assert_eq!(variables(text), [named("dense_1/bias", Some(&[5]))]);
    assert_eq!(
        variables("Key model/fc/w/.ATTRIBUTES/VARIABLE_VALUE not found in checkpoint"),
        [named("model/fc/w", None)]
    );
    let text = r#"Missing key(s) in state_dict: "a.weight", "a.bias". "#;
    assert_eq!(variables(text), [named("a.weight", None), named("a.bias", None)]);
    assert_eq!(shape("()"), Some(Shape::default()));
    assert_eq!(shape("(None, 3)"), None);
}

#[test]
fn of_a_very_long_text_the_end_is_searched() {
    let key = "Key a not found in checkpoint\n";
    let filler = "x".repeat(99) + "\n";
    let long = |before: &str, after: &str| {
        format!("{before}{}{after}", filler.repeat(17 << 20).split_at(17 << 20).0)
    };
    for (text, found) in
        [(long(key, ""), 0), (long("", &format!("\n{key}")), 1), (format!("{key}{filler}"), 1)]
    {
        assert_eq!(recognize(&clean(text.as_bytes())).len(), found);
        assert_eq!(recognize(&clean(&read(text.as_bytes()).unwrap())).len(), found);
    }
    assert!(read(long("", "").as_bytes()).unwrap().len() <= 2 << 20);
}

#[test]
fn the_program_is_the_first_body_of_a_file_that_is_not_a_part_of_python() {
    let text = "Traceback (most recent call last):\n  File \"<frozen runpy>\", line 198, in <module>\n  \
                File \"/v/site-packages/pytest/__main__.py\", line 9, in <module>\n  \
                File \"run/eval.py\", line 3, in <module>\n    main()\n  File \"run/eval.py\", line 9, in main\n";
    assert_eq!(script(text), Some("run/eval.py"));
    assert_eq!(script("File \"<stdin>\", line 1, in <module>"), None);
}

proptest! {
    #[test]
    fn any_bytes_are_searched_without_a_panic(bytes: Vec<u8>) {
        let text = clean(&bytes);
        recognize(&text).iter().for_each(|failure| _ = failure.variables());
        script(&text);
    }

    /// The text is made of the words of the rows, so that many of them match in part.
    #[test]
    fn any_mixture_of_the_samples_is_searched_without_a_panic(parts: Vec<(usize, usize, usize)>) {
        let part = |(sample, from, len): &(usize, usize, usize)| {
            let text = SAMPLES[sample % SAMPLES.len()].0;
            let from = text.floor_char_boundary(from % text.len());
            text[from..text.floor_char_boundary(from + len % text.len())].to_owned()
        };
        let text: String = parts.iter().map(part).collect();
        recognize(&text).iter().for_each(|failure| _ = failure.variables());
    }
}

/// A search in quadratic time would take hours.
#[test]
fn a_text_of_repeated_beginnings_is_searched_in_linear_time() {
    for (words, _, _) in SAMPLES {
        let half = words.floor_char_boundary(words.len() / 2);
        let text = words[..half].repeat((1 << 16) / half.max(1)) + words;
        recognize(&text);
    }
}

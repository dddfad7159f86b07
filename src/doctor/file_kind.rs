//! The kinds of checkpoints that are not TensorFlow's bundles, by the suffix of their first file.

use crate::source::Prefix;

/// A kind of file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileKind {
    suffix: &'static str,
    /// The name for a message.
    pub(super) name: &'static str,
    /// The call that loads it, before and after the path. `None` if no single call does.
    pub(super) call: Option<(&'static str, &'static str)>,
}

const LOAD_WEIGHTS: Option<(&str, &str)> = Some(("model.load_weights(", ")"));

#[rustfmt::skip]
const FILE_KINDS: &[FileKind] = &[
    FileKind { suffix: ".h5", name: "HDF5 weights of Keras", call: LOAD_WEIGHTS },
    FileKind { suffix: ".hdf5", name: "HDF5 weights of Keras", call: LOAD_WEIGHTS },
    FileKind { suffix: ".keras", name: "a model of Keras 3", call: Some(("model = keras.saving.load_model(", ")")) },
    FileKind { suffix: ".safetensors", name: "safetensors", call: Some(("weights = safetensors.numpy.load_file(", ")")) },
    FileKind { suffix: ".json", name: "safetensors in several files", call: None },
];

/// Returns the kind of a checkpoint that is no bundle; `None` for the format of TensorFlow before V2.
pub(super) fn file_kind(prefix: &Prefix) -> Option<&'static FileKind> {
    let head = prefix.index();
    let head = head.as_os_str().as_encoded_bytes();
    FILE_KINDS.iter().find(|kind| head.ends_with(kind.suffix.as_bytes()))
}

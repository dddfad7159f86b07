//! The file extensions of other tools' formats. An export refuses them: it would write a bundle under a misleading
//! name.

use std::path::Path;

use crate::cli::commands::export::target;

/// The extensions and the owners of their formats.
const FOREIGN: &[(&[&str], &str)] = &[
    (&[".npz", ".npy"], "NumPy's"),
    (&[".onnx", ".ort"], "ONNX's"),
    (&[".pt", ".pth", ".bin", ".ptl", ".t7"], "PyTorch's"),
    (&[".pkl", ".pickle", ".joblib", ".dill"], "pickle's"),
    (&[".pb", ".pbtxt", ".tflite", ".lite"], "a graph of TensorFlow's"),
    (&[".keras", ".hdf5", ".hdf"], "Keras's"),
    (&[".gguf", ".ggml"], "llama.cpp's"),
    (&[".msgpack", ".flax", ".orbax"], "JAX's"),
    (&[".mlmodel", ".mlpackage", ".engine", ".plan", ".trt"], "an inference engine's"),
    (&[".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar"], "an archive's"),
    (&[".json", ".csv", ".tsv", ".txt", ".parquet", ".arrow", ".mat"], "a table's or a text's"),
    (&[".index", ".meta"], "that of one file of a bundle, whose name has no such ending"),
];

/// Refuses a name with the extension of another tool's format.
///
/// # Errors
/// A message with the extension, the supported formats, and the flag to write a bundle under this name.
pub(crate) fn refuse(out: &Path) -> Result<(), String> {
    let found = FOREIGN
        .iter()
        .find_map(|(endings, whose)| Some((endings.iter().find(|ending| target::ends(out, ending))?, whose)));
    let Some((ending, whose)) = found else { return Ok(()) };
    Err(format!(
        "{}: export does not write `{ending}`; this ending is {whose}\n  \
         help: export writes a bundle (PREFIX), NAME.safetensors, NAME.weights.h5 (Keras 3), NAME.h5 (Keras 2), \
         and a directory of .npy files (--format npy)\n  \
         help: for a bundle of this name add --format bundle",
        out.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_of_other_tools_are_refused_and_the_formats_listed() {
        let endings = [
            "npz", "npy", "onnx", "pt", "pth", "bin", "pkl", "pb", "tflite", "gguf", "msgpack", "zip", "tar",
            "tar.gz", "NPZ",
        ];
        for ending in endings {
            let said = refuse(Path::new(&format!("out/x.{ending}"))).unwrap_err();
            assert!(said.starts_with(&format!("out/x.{ending}: export does not write")), "{said}");
            for format in [".safetensors", ".weights.h5", ".h5", "--format npy", "--format bundle"] {
                assert!(said.contains(format), "{format}: {said}");
            }
        }
    }

    #[test]
    fn any_other_name_is_a_prefix() {
        for name in ["model.ckpt-1000", "model.ckpt", "bert.v2", "ckpt-9", "x.npz/ckpt-9", "npz", "a.b.c"] {
            assert_eq!(refuse(Path::new(name)), Ok(()), "{name}");
        }
    }
}

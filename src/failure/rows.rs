//! The table of failures: a stable id, the treatment, the words, and the meaning.

/// A kind of failure.
#[derive(Debug)]
pub(crate) struct Row {
    /// The id. It is stable: programs may compare it.
    pub(crate) id: &'static str,
    /// Words that stand in every line that the pattern matches.
    pub(crate) words: &'static str,
    /// The line, as a regular expression. Its groups are among those that a failure captures.
    pub(crate) pattern: &'static str,
    /// The explanation in one line.
    pub(crate) meaning: &'static str,
    pub(crate) treatment: Treatment,
}

/// The way in which a failure is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// Names that the checkpoint does not have: `key`, `names` or `quoted` are in the program only.
    MissingName,
    /// Another dtype: `key`, `want`, `have`.
    Dtype,
    /// Another shape, layer or object: only the variables that the program wants decide.
    Wanted,
    /// The path, the state file, the rights or the files, which `doctor` examines.
    Path,
    /// A checksum that does not match: `stored`.
    Checksum,
    /// An object graph that the checkpoint does not have.
    Graph,
    /// A file that this version of Keras does not load, but whose weights it can.
    Keras,
    /// A line of the program.
    Program(&'static str),
    /// A part of another failure, which decides nothing alone.
    Detail,
}

use Treatment::{Checksum, Detail, Dtype, Graph, Keras, MissingName, Path, Program, Wanted};

/// A line of the table: the id, the treatment, the words, the pattern, the meaning.
type Line = (&'static str, Treatment, &'static str, &'static str, &'static str);

const fn row((id, treatment, words, pattern, meaning): Line) -> Row {
    Row { id, words, pattern, meaning, treatment }
}

/// The line for a model without variables.
const BUILD: Treatment = Program("build the model first, model(x) or model.build([None, …]), and load then");

/// The failures. Of several rows that match the same words, the first counts.
#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    // Names.
    row(("no-object-graph", Graph, "not found in checkpoint",
        r"Key _CHECKPOINTABLE_OBJECT_GRAPH not found in checkpoint",
        "the checkpoint is name-based, and the program looks for an object graph")),
    row(("missing-key", MissingName, "not found in checkpoint",
        r"Key (?P<key>(?s:.)+?) not found in checkpoint",
        "TensorFlow names one missing variable, the first by the alphabet")),
    row(("missing-tensor", MissingName, "not found in checkpoint files",
        r#"Tensor name "(?P<key>[^"]+)" not found in checkpoint files (?P<path>\S+)"#,
        "an old TensorFlow names one missing variable")),
    row(("missing-in-scope", MissingName, "is not found in ",
        r"Tensor (?P<key>\S+) (?:\(.*?\) )?is not found in (?P<path>.+?) checkpoint",
        "init_from_checkpoint looks for a variable by this name")),
    row(("missing-names", MissingName, "Existing variables not in the checkpoint: ",
        r"Existing variables not in the checkpoint: (?P<names>.+)",
        "a Saver read an object-based checkpoint: all names that are not in it")),
    row(("other-names", Detail, "which don't exist now: ",
        r"Variables names when this checkpoint was written which don't exist now: (?P<names>.+)",
        "the names that are in the checkpoint and not in the program")),
    row(("torch-missing-keys", MissingName, "Missing key(s) in state_dict: ",
        r"Missing key\(s\) in state_dict: (?P<quoted>.+)",
        "PyTorch: the names that are not in the file")),
    row(("torch-unexpected-keys", Detail, "Unexpected key(s) in state_dict: ",
        r"Unexpected key\(s\) in state_dict: (?P<quoted>.+)",
        "PyTorch: the names that are in the file and not in the model")),
    // Objects.
    row(("unexpected-value", Wanted, "could not be found in the restored object: ",
        r"Value in checkpoint could not be found in the restored object: \(root\)\.(?P<object>\S+)",
        "the checkpoint has a value for which the program has no object")),
    row(("unresolved-object", Wanted, "Unresolved object in checkpoint (root).",
        r"Unresolved object in checkpoint \(root\)\.(?P<object>[^\s:]+)",
        "the checkpoint has an object that the program does not have, or has not built yet")),
    row(("unbound-objects", Wanted, "objects that were not bound to checkpointed values",
        r"Found (?P<want>\d+) Python objects that were not bound to checkpointed values",
        "the program has variables that the checkpoint does not have under their paths; they stay as initialized")),
    row(("not-restored", Wanted, "Some objects had attributes which were not restored",
        r"Some objects had attributes which were not restored",
        "a name-based checkpoint was restored into objects, and these variables were not found by their names")),
    row(("wanted-object", Detail, "<Variable path=",
        r"<Variable path=(?P<key>[^,\n]+), shape=(?P<shape>\([^)\n]*\)), dtype=(?P<want>\w+)",
        "a variable of Keras 3 that the program wants")),
    row(("wanted-variable", Detail, "<tf.Variable '",
        r"<tf\.Variable '(?P<key>[^'\n]+)' shape=(?P<shape>\([^)\n]*\)) dtype=(?P<want>\w+)",
        "a variable of TensorFlow that the program wants")),
    row(("layer-not-built", BUILD, "variables during loading",
        r"Layer '(?P<layer>[^']+)' expected 0 variables, but received \d+ variables",
        "the program's layer has no variables yet")),
    row(("layer-variables", Wanted, "variables during loading",
        r"Layer '(?P<layer>[^']+)' expected \d+ variables, but received \d+ variables during loading",
        "the layer has other variables than in the file: a layer is new, gone or moved, or it was changed")),
    row(("layers-not-loaded", Detail, "objects could not be loaded",
        r"A total of \d+ objects could not be loaded",
        "Keras lists the layers that it did not load; it has already overwritten others")),
    row(("layer-count", Wanted, "Layer count mismatch when loading weights from file. ",
        r"Layer count mismatch when loading weights from file\. Model expected (?P<want>\d+) layers, found (?P<have>\d+)",
        "the program has more or fewer layers than the file")),
    row(("not-built", BUILD, "You are loading weights into a model that has not yet been built",
        r"You are loading weights into a model that has not yet been built",
        "the program's model has no variables yet")),
    row(("legacy-optimizer", Wanted, "You are trying to restore a checkpoint from a legacy TF-Keras optimizer",
        r"You are trying to restore a checkpoint from a legacy TF-Keras optimizer into a v2\.11\+ Optimizer",
        "the checkpoint has the state of a legacy optimizer, which newer ones refuse")),
    // Shapes and dtypes.
    row(("incompatible-tensor", Wanted, "Received incompatible tensor with shape ",
        r"Received incompatible tensor with shape (?P<have>\(.*?\)) when attempting to restore variable with shape (?P<shape>\(.*?\)) and name (?P<key>\S+?)\.?(?:\s|$)",
        "the value at this place has another shape: a layer is new or gone, or its size changed")),
    row(("assign-shape", Wanted, "Assign requires shapes of both tensors to match. ",
        r"Assign requires shapes of both tensors to match\. lhs shape= ?(?P<shape>\[.*?\]) rhs shape= ?(?P<have>\[.*?\])",
        "a variable of the program has another shape")),
    row(("variable-shape", Wanted, "doesn't match with shape of tensor ",
        r"Shape of variable (?P<key>\S+) \((?P<shape>.*?)\) doesn't match with shape of tensor \S+ \((?P<have>.*?)\) from checkpoint reader",
        "init_from_checkpoint found the variable with another shape")),
    row(("keras-assign-shape", Wanted, "the shape of the target value in `variable.assign(value)` must match. ",
        r"The shape of the target variable and the shape of the target value in `variable\.assign\(value\)` must match\. variable\.shape=(?P<shape>\(.*?\)), Received: value\.shape=(?P<have>\(.*?\))",
        "a variable of the program has another shape than in the file")),
    row(("keras-variable-shape", Wanted, "Cannot assign value to variable '",
        r"Cannot assign value to variable ' ?(?P<key>[^']+)': Shape mismatch\. ?The variable shape (?P<shape>\(.*?\)), and the assigned value shape (?P<have>\(.*?\))",
        "a variable of the program has another shape than in the file")),
    row(("keras-layer-shape", Wanted, "Shape mismatch in layer #",
        r"Shape mismatch in layer #\d+ \(named [^)]+\) ?for weight (?P<key>\S+?)\. Weight expects shape (?P<shape>\(.*?\))\. Received saved weight with shape (?P<have>\(.*?\))",
        "a layer of the program has another shape than in the file")),
    row(("torch-shape", Wanted, "size mismatch for ",
        r"size mismatch for (?P<key>\S+): copying a param with shape torch\.Size\((?P<have>.*?)\) from checkpoint, the shape in current model is torch\.Size\((?P<shape>.*?)\)",
        "PyTorch: a variable of the model has another shape")),
    row(("row-out-of-range", Wanted, " is not in [0, ",
        r"indices\[[\d, ]*\] = (?P<want>\d+) is not in \[0, (?P<have>\d+)\)",
        "a table has fewer rows than the program looks up: a resource variable takes the old shape without a word")),
    row(("dtype", Dtype, "does not equal original dtype ",
        r"tensor_name = (?P<key>.+?); expected dtype (?P<want>\w+) does not equal original dtype (?P<have>\w+)",
        "the program wants another dtype; TensorFlow lists all such variables")),
    // Paths.
    row(("no-files", Path, "Failed to find any matching files for ",
        r"Failed to find any matching files for (?P<path>[^\n]+?)(?: \[Op:\w+\])?$",
        "no index has this prefix: the step, the directory or a right is missing, or a character is a pattern")),
    row(("no-checkpoint", Path, "The passed save_path is not a valid checkpoint: ",
        r"The passed save_path is not a valid checkpoint: (?P<path>.+)",
        "no index has this prefix")),
    row(("no-path", Path, "Can't load save_path when it is None",
        r"Can't load save_path when it is None",
        "latest_checkpoint found nothing and returned None")),
    row(("nothing-restored", Path, "No checkpoint specified (save_path=None)",
        r"No checkpoint specified \(save_path=None\)",
        "latest_checkpoint found nothing and returned None, and restore(None) does nothing")),
    row(("no-state-file", Path, "Couldn't find 'checkpoint' file or checkpoints in given directory ",
        r"Couldn't find 'checkpoint' file or checkpoints in given directory (?P<path>.+)",
        "the state file is missing, or its target is")),
    row(("state-target-gone", Path, "Couldn't match files for checkpoint ",
        r"Couldn't match files for checkpoint (?P<path>.+)",
        "the state file names a step that was moved or deleted")),
    row(("empty-state-file", Path, "Invalid checkpoint state loaded from ",
        r"Invalid checkpoint state loaded from (?P<path>.+)",
        "the state file is empty")),
    row(("state-ignored", Path, ": Checkpoint ignored",
        r"(?P<path>[^\s:]+): Checkpoint ignored",
        "the state file cannot be read or parsed")),
    row(("no-saved-model", Path, "SavedModel file does not exist at: ",
        r"SavedModel file does not exist at: (?P<path>.+?)/\{",
        "the path leads to no SavedModel")),
    row(("no-keras-file", Path, "File not found: filepath=",
        r"File not found: filepath=(?P<path>.+?)\. Please ensure",
        "the path leads to no file")),
    row(("no-file", Path, "No file or directory found at ",
        r"No file or directory found at (?P<path>.+)",
        "the path leads to no file")),
    row(("no-h5-file", Path, "open file (unable to open file: name = '",
        r"[Uu]nable to (?:synchronously )?open file \(unable to open file: name = '(?P<path>[^']+)'",
        "the path leads to no file")),
    // Files.
    row(("directory-as-prefix", Path, "Is a directory: perhaps your file is in a different file format",
        r"(?:Unable to open table file (?P<path>.+?): [^\n]*)?Is a directory: perhaps your file is in a different file format",
        "a directory was given for a prefix")),
    row(("not-a-table", Path, "not an sstable (bad magic number)",
        r"(?:Unable to open table file (?P<path>.+?): [^\n]*)?not an sstable \(bad magic number\)",
        "the file is not an index: it is another file, or the index was cut")),
    row(("short-table", Path, "file is too short to be an sstable",
        r"(?:Unable to open table file (?P<path>.+?): [^\n]*)?file is too short to be an sstable",
        "the index is empty, or is another file")),
    row(("damaged-index", Path, "block checksum mismatch",
        r"(?:Unable to read file \((?P<path>.+?)\)[^\n]*)?block checksum mismatch",
        "the index is damaged")),
    row(("data-file", Path, ".data-",
        r"(?P<path>[^\s;]+)\.data-\d{5}-of-\d{5}; (?P<why>No such file or directory|Permission denied)",
        "a data file is missing or cannot be read")),
    row(("short-data", Path, "Read less bytes than requested",
        r"Read less bytes than requested",
        "a data file is shorter than the index says: the copy stopped early, or it is a pointer of git-lfs")),
    row(("checksum", Checksum, "Checksum does not match: stored ",
        r"(?:TensorBundle at (?P<path>.+?) shard \d+ \(\d+ bytes\): )?Checksum does not match: stored (?P<stored>\d+) vs\. calculated",
        "the bytes of a variable are damaged; TensorFlow does not say of which")),
    row(("half-saved", Path, "_temp; ",
        r"(?P<path>\S+)_temp; (?P<why>No such file or directory|Permission denied)",
        "a save could not be written")),
    row(("read-only", Program("save into a directory that is not a mount: tf.train.CheckpointManager(checkpoint, 'new_directory', …)"), "; Read-only file system",
        r"(?P<path>\S+); Read-only file system",
        "a mount of ckptfs is read-only: the program saves into it")),
    // Keras.
    row(("weights-suffix", Program("model.save_weights('NAME.weights.h5'); a mount shows a file of that name, too"), "The filename must end in `.weights.h5`",
        r"The filename must end in `\.weights\.h5`",
        "Keras 3 wants this ending")),
    row(("saved-model-keras-3", Keras, "Keras 3 only supports",
        r"File format not supported: filepath=(?P<path>.+?)\. Keras 3 only supports .*legacy SavedModel format is not supported",
        "Keras 3 loads no SavedModel of Keras 2; its weights can be loaded into a new model")),
    row(("format-keras-3", Keras, "Keras 3 only supports",
        r"File format not supported: filepath=(?P<path>.+?)\. Keras 3 only supports V3 `\.keras` files, `\.weights\.h5` files",
        "Keras 3 does not read TensorFlow's format; a mount shows the weights as a file that it reads")),
    row(("unknown-object", Keras, "could not be deserialized properly",
        r"could not be deserialized properly",
        "load_model does not know a class of the model; the weights are there, and fit a model that the program builds")),
    row(("unknown-argument", Keras, "Unrecognized keyword arguments passed to ",
        r"Unrecognized keyword arguments passed to (?P<layer>\w+)",
        "the file was written by another version of Keras; the weights fit a model that the program builds")),
    // Calls.
    row(("no-manager-restore", Program("checkpoint.restore(manager.latest_checkpoint)  # or manager.restore_or_initialize()"), "'CheckpointManager' object has no attribute 'restore'",
        r"'CheckpointManager' object has no attribute 'restore'",
        "a CheckpointManager has no restore")),
];

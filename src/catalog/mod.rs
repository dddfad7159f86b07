//! The contents of a checkpoint: its variables by name, and the files that contain their bytes.

mod find;
pub(crate) mod keys;
mod truncated;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

pub(crate) use find::{UnknownVariable, find_variable};
pub use truncated::TruncatedFile;

use crate::checksums::ChecksumStore;
use crate::graph;
use crate::graph::Graph;
use crate::name::Name;
use crate::source_file::SourceFile;
use crate::tensor::Tensor;

/// A checkpoint's variables, under the names that ckptfs shows.
///
/// # Examples
///
/// ```
/// use ckptfs::dtype::Dtype;
/// use ckptfs::source;
///
/// let catalog = source::open("tests/fixtures/tf-2.21/ddp/ckpt-9".as_ref())?.catalog;
/// let kernel = catalog.variable(b"module.encoder/kernel").expect("the checkpoint has it");
/// assert_eq!(kernel.tensor.dtype, Dtype::Float32);
/// assert_eq!(kernel.tensor.shape.to_string(), "[2, 3]");
/// # Ok::<(), source::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Catalog {
    /// The variables, sorted by name. Each name occurs once.
    pub variables: Vec<Variable>,
    /// The object graph of an object-based checkpoint.
    pub objects: Option<Objects>,
    /// The source's own index; `None` if `variables` differ from it.
    pub index: Option<Arc<SourceFile>>,
    /// The format of the source if it is not TensorFlow's.
    pub native: Option<NativeFormat>,
    /// The source's data files, by shard number. Range extents of the variables refer to these.
    pub shards: Vec<Arc<SourceFile>>,
    /// The data files of the source that end too early.
    pub truncated: Vec<TruncatedFile>,
    /// The information about the program that saved the checkpoint.
    pub program: Option<Arc<SavedProgram>>,
    /// The layout of the checkpoint as an HDF5 file of weights.
    pub h5_layout: H5Layout,
    /// The checkpoints that overlaid values come from, by the names that the variables have before any map.
    pub overlaid: Option<Arc<HashMap<Name, Arc<str>>>>,
    /// The store for computed checksums; `None` if they are not kept.
    pub checksum_store: Option<Arc<dyn ChecksumStore>>,
}

/// The information that a program had about the variables that it saved; read on first use.
pub struct SavedProgram(LazyLock<HashMap<Name, VariableInit>, Read>);

type Read = Box<dyn FnOnce() -> HashMap<Name, VariableInit> + Send>;

/// The information about how a program created a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariableInit {
    /// The number of variables that the program had created before.
    pub(crate) created: usize,
    /// True if the program trains the variable.
    pub(crate) is_trainable: bool,
}

impl SavedProgram {
    /// Creates the information from `read`, which returns it by the names in the source.
    pub(crate) fn new(read: impl FnOnce() -> HashMap<Name, VariableInit> + Send + 'static) -> Self {
        Self(LazyLock::new(Box::new(read)))
    }
}

/// A checkpoint in a single file that is not in TensorFlow's format, which programs open by its name.
#[derive(Clone)]
pub struct NativeFormat {
    /// The suffix after the stem in the file name: `.weights.h5`.
    pub(crate) suffix: &'static str,
    /// The source's file; `None` if `variables` differ from it.
    pub(crate) file: Option<Arc<SourceFile>>,
}

/// The version of Keras that must be able to read an HDF5 file of weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum H5Layout {
    /// Keras 3: `model.weights.h5`.
    #[default]
    Keras3,
    /// Keras 2, which is tf_keras now: `model.h5`.
    Legacy,
}

/// The layouts and their names.
pub(crate) const H5_LAYOUTS: &[(&str, H5Layout)] =
    &[("keras3", H5Layout::Keras3), ("legacy", H5Layout::Legacy)];

/// The property of an object-based checkpoint: a graph that maps names to keys.
#[derive(Clone)]
pub struct Objects {
    /// The graph; `None` if its data file is missing.
    pub(crate) graph: Option<Arc<Graph>>,
    /// The tensor that contains the graph, a scalar string. It is in the bundle but is not a variable.
    pub(crate) tensor: Arc<Tensor>,
}

/// The place where TensorFlow looks up a variable's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The keys: the key is the name (`tf.compat.v1.train.Saver`).
    NameBased,
    /// An object graph, which maps the name to the key (`tf.train.Checkpoint`, Keras).
    ObjectBased,
}

/// A named tensor.
#[derive(Clone)]
pub struct Variable {
    /// The name that ckptfs shows.
    pub name: Name,
    /// The key in the bundle if it is not the name.
    pub key: Option<Name>,
    /// A second key of the same value, if a graph leads to the first key: the plain name that TF1 programs use.
    pub plain_key: Option<Name>,
    /// The name that the variable had in the program that saved it, if the source records one.
    pub full_name: Option<Name>,
    /// The value.
    pub tensor: Arc<Tensor>,
    /// The change by a map; `None` if no rule changed the name or the value.
    pub origin: Option<Origin>,
}

/// The origin of a variable whose name or value was changed by a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The name in the source; empty if a rule created the variable.
    pub(crate) name: Name,
    /// The rule and its location: `fix.toml:12`, `--rename`.
    pub(crate) rule: Arc<str>,
    /// The change of the value, in the syntax of the map.
    pub(crate) value: Option<Arc<str>>,
}

impl Variable {
    /// Returns the key in a bundle.
    pub fn key(&self) -> &Name {
        self.key.as_ref().unwrap_or(&self.name)
    }

    /// Returns the name before any map.
    pub(crate) fn name_before(&self) -> &Name {
        self.origin.as_ref().map_or(&self.name, |origin| &origin.name)
    }
}

impl Catalog {
    /// Returns the place of the names: the keys or an object graph.
    pub fn kind(&self) -> Kind {
        if self.objects.is_some() { Kind::ObjectBased } else { Kind::NameBased }
    }

    /// Records that `variables` now differ from the source's index or file.
    pub(crate) fn changed(&mut self) {
        self.index = None;
        if let Some(own) = &mut self.native {
            own.file = None;
        }
    }

    /// Returns the object graph; `None` if there is none or its data file is missing.
    pub fn graph(&self) -> Option<&Graph> {
        self.objects.as_ref()?.graph.as_deref()
    }

    /// Returns up to `limit` paths of the object graph that lead to the variable, shortest first. There are none if
    /// the checkpoint has no graph, or if the variable is not the child of an object, such as an optimizer slot.
    pub(crate) fn paths(&self, variable: &Variable, limit: usize) -> Vec<Name> {
        let found = self.graph().and_then(|graph| Some((graph, graph.owner(variable.key().as_bytes())?)));
        found.map_or_else(Vec::new, |(graph, node)| {
            graph.paths(node, limit).into_iter().filter(|path| !path.is_empty()).map(Name::from).collect()
        })
    }

    /// Returns the variable with a name.
    pub fn variable(&self, name: &[u8]) -> Option<&Variable> {
        let at = self.variables.binary_search_by(|v| v.name.as_bytes().cmp(name)).ok()?;
        self.variables.get(at)
    }

    /// Returns the information about the creation of a variable by the program that saved it, if it is known.
    pub fn variable_init(&self, variable: &Variable) -> Option<VariableInit> {
        self.program.as_ref()?.0.get(variable.name_before()).copied()
    }

    /// Returns the checkpoint that a variable's value comes from, if it is overlaid.
    pub fn other_source(&self, variable: &Variable) -> Option<&str> {
        self.overlaid.as_ref()?.get(variable.name_before()).map(|path| &**path)
    }

    /// Returns true if the creation of any variable is known.
    pub(crate) fn knows_program(&self) -> bool {
        self.program.as_ref().is_some_and(|program| !program.0.is_empty())
    }

    /// Returns true if every data file that a variable needs exists.
    pub fn is_complete(&self) -> bool {
        self.variables.iter().all(|variable| variable.tensor.is_there())
    }

    /// Returns all stored values: the variables, and the object graph under its key.
    pub(crate) fn stored(&self) -> Vec<Variable> {
        let graph = self.objects.iter().map(|objects| (graph::KEY.into(), objects.tensor.clone()));
        self.variables.iter().cloned().chain(graph.map(keys::name_based)).collect()
    }

    /// Returns the variables without values: they are damaged, or their data files are missing.
    pub(crate) fn lost(&self) -> impl Iterator<Item = &Variable> {
        self.variables.iter().filter(|variable| variable.tensor.is_lost())
    }

    /// Returns the object graph as a variable, if it is damaged.
    pub fn damaged_graph(&self) -> Option<Variable> {
        let tensor = &self.objects.as_ref()?.tensor;
        tensor.damage()?;
        Some(keys::name_based((graph::KEY.into(), tensor.clone())))
    }

    /// Returns the damaged variables, without the object graph.
    pub fn damaged(&self) -> impl Iterator<Item = &Variable> {
        self.variables.iter().filter(|variable| variable.tensor.damage().is_some())
    }

    /// Returns the total size of all variables in bytes. A value under two names counts twice.
    pub(crate) fn len(&self) -> u64 {
        self.variables.iter().map(|v| v.tensor.len()).sum()
    }

    /// Returns true if there are no variables.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }
}

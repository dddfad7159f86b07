//! What a checkpoint holds: its variables by name, and the files their bytes stand in.

mod find;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

pub(crate) use find::{UnknownVariable, find_variable};

use crate::checksums::ChecksumStore;
use crate::graph::Graph;
use crate::name::Name;
use crate::source_file::SourceFile;
use crate::tensor::Tensor;

/// A checkpoint's variables, under the names that ckptfs shows.
#[derive(Clone, Default)]
pub struct Catalog {
    /// Sorted by name, each name once.
    pub variables: Vec<Variable>,
    /// The object graph of an object-based checkpoint.
    pub objects: Option<Objects>,
    /// The source's own index, as long as it says what `variables` say.
    pub index: Option<Arc<SourceFile>>,
    /// The form that the source itself has, where that is not TensorFlow's.
    pub native: Option<NativeFormat>,
    /// The source's data files, by shard number. Range extents of the variables refer to these.
    pub shards: Vec<Arc<SourceFile>>,
    /// What is known of the program that saved it.
    pub program: Option<Arc<SavedProgram>>,
    /// How it is laid out when it is shown as an HDF5 file of weights.
    pub h5_layout: H5Layout,
    /// Where values come from that are another checkpoint's, by the names that the variables have before any map.
    pub overlaid: Option<Arc<HashMap<Name, Arc<str>>>>,
    /// Where checksums are kept that are computed for it, if they are.
    pub checksum_store: Option<Arc<dyn ChecksumStore>>,
}

/// What a program knew of the variables that it saved; read when it is first asked for.
pub struct SavedProgram(LazyLock<HashMap<Name, VariableInit>, Read>);

type Read = Box<dyn FnOnce() -> HashMap<Name, VariableInit> + Send>;

/// How a program made a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VariableInit {
    /// How many it had made before.
    pub(crate) created: usize,
    /// Whether it trains it.
    pub(crate) is_trainable: bool,
}

impl SavedProgram {
    /// What `read` gives, by the names of the source.
    pub(crate) fn new(read: impl FnOnce() -> HashMap<Name, VariableInit> + Send + 'static) -> Self {
        Self(LazyLock::new(Box::new(read)))
    }
}

/// A checkpoint in one file of another format than TensorFlow's, which programs ask for by its name.
#[derive(Clone)]
pub struct NativeFormat {
    /// What follows the stem in its name: `.weights.h5`.
    pub(crate) suffix: &'static str,
    /// The file, as long as it says what `variables` say.
    pub(crate) file: Option<Arc<SourceFile>>,
}

/// Which Keras is to read an HDF5 file of weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum H5Layout {
    /// Keras 3: `model.weights.h5`.
    #[default]
    Keras3,
    /// Keras 2, which is tf_keras now: `model.h5`.
    Legacy,
}

/// The layouts, as they are written.
pub(crate) const H5_LAYOUTS: &[(&str, H5Layout)] =
    &[("keras3", H5Layout::Keras3), ("legacy", H5Layout::Legacy)];

/// What makes a checkpoint object-based: a graph in which names lead to keys.
#[derive(Clone)]
pub struct Objects {
    /// The graph; `None` if its data file is missing.
    pub(crate) graph: Option<Arc<Graph>>,
    /// The tensor that holds it, a scalar string. It is in the bundle and is no variable.
    pub(crate) tensor: Arc<Tensor>,
}

/// Where TensorFlow looks a variable's name up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The key is the name (`tf.compat.v1.train.Saver`).
    NameBased,
    /// A graph of objects leads to the key (`tf.train.Checkpoint`, Keras).
    ObjectBased,
}

/// One named tensor.
#[derive(Clone)]
pub struct Variable {
    /// The name that ckptfs shows.
    pub name: Name,
    /// The key in the bundle, where that is not the name.
    pub key: Option<Name>,
    /// A second key of the same value, beside one that a graph leads to: the plain name by which TF1 programs ask.
    pub plain_key: Option<Name>,
    /// The name the variable had in the program that saved it, where the source records one.
    pub full_name: Option<Name>,
    /// What it holds.
    pub tensor: Arc<Tensor>,
    /// What a map made of it.
    pub origin: Option<Origin>,
}

/// Where a variable comes from, when a rule gave its name or changed its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its name in the source; empty for what a rule made of nothing.
    pub(crate) name: Name,
    /// The rule and its place: `fix.toml:12`, `--rename`.
    pub(crate) rule: Arc<str>,
    /// What was done to its value, in the words of the map.
    pub(crate) value: Option<Arc<str>>,
}

impl Variable {
    /// The key in a bundle.
    pub fn key(&self) -> &Name {
        self.key.as_ref().unwrap_or(&self.name)
    }

    /// The name before any map.
    pub(crate) fn name_before(&self) -> &Name {
        self.origin.as_ref().map_or(&self.name, |origin| &origin.name)
    }
}

impl Catalog {
    /// Whether names live in the keys or in an object graph.
    pub fn kind(&self) -> Kind {
        if self.objects.is_some() { Kind::ObjectBased } else { Kind::NameBased }
    }

    /// Notes that the source no longer says what `variables` say.
    pub(crate) fn changed(&mut self) {
        self.index = None;
        if let Some(own) = &mut self.native {
            own.file = None;
        }
    }

    /// The object graph, where there is one and its data file is there.
    pub fn graph(&self) -> Option<&Graph> {
        self.objects.as_ref()?.graph.as_deref()
    }

    /// Up to `limit` paths of the object graph that lead to the variable, shortest first; none for what has no graph or
    /// is no object's child, as slots are.
    pub(crate) fn paths(&self, variable: &Variable, limit: usize) -> Vec<Name> {
        let found = self.graph().and_then(|graph| Some((graph, graph.owner(variable.key().as_bytes())?)));
        found.map_or_else(Vec::new, |(graph, node)| {
            graph.paths(node, limit).into_iter().filter(|path| !path.is_empty()).map(Name::from).collect()
        })
    }

    /// The variable of that name.
    pub fn variable(&self, name: &[u8]) -> Option<&Variable> {
        let at = self.variables.binary_search_by(|v| v.name.as_bytes().cmp(name)).ok()?;
        self.variables.get(at)
    }

    /// How the program that saved a variable had made it, where that is known.
    pub fn made(&self, variable: &Variable) -> Option<VariableInit> {
        self.program.as_ref()?.0.get(variable.name_before()).copied()
    }

    /// The checkpoint that a variable's value comes from, if that is another.
    pub fn other_source(&self, variable: &Variable) -> Option<&str> {
        self.overlaid.as_ref()?.get(variable.name_before()).map(|path| &**path)
    }

    /// Whether it is known of any variable how it was made.
    pub(crate) fn knows_program(&self) -> bool {
        self.program.as_ref().is_some_and(|program| !program.0.is_empty())
    }

    /// Whether every data file that a variable needs is there.
    pub fn is_complete(&self) -> bool {
        self.variables.iter().all(|variable| variable.tensor.is_there())
    }

    /// Bytes of all variables together; one that stands under two names counts twice.
    pub(crate) fn len(&self) -> u64 {
        self.variables.iter().map(|v| v.tensor.len()).sum()
    }

    /// Whether there are no variables.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }
}

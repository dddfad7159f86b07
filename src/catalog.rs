//! What a checkpoint holds: its variables by name, and the files their bytes stand in.

use std::sync::Arc;

use crate::graph::Graph;
use crate::name::Name;
use crate::shard::Shard;
use crate::tensor::Tensor;

/// A checkpoint's variables, under the names that ckptfs shows.
#[derive(Clone)]
pub struct Catalog {
    /// Sorted by name, each name once.
    pub variables: Vec<Variable>,
    /// The object graph of an object-based checkpoint.
    pub objects: Option<Objects>,
    /// The source's own index, as long as it says what `variables` say.
    pub index: Option<Arc<Shard>>,
    /// The source's data files, by shard number. Range extents of the variables refer to these.
    pub shards: Vec<Arc<Shard>>,
}

/// What makes a checkpoint object-based: a graph in which names lead to keys.
#[derive(Clone)]
pub struct Objects {
    /// The graph; `None` if its data file is missing.
    pub graph: Option<Arc<Graph>>,
    /// The tensor that holds it, a scalar string. It is in the bundle and is no variable.
    pub tensor: Arc<Tensor>,
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
    pub name: Name,
    /// The rule and its place: `fix.toml:12`, `--rename`.
    pub rule: Arc<str>,
    /// What was done to its value, in the words of the map.
    pub value: Option<Arc<str>>,
}

impl Variable {
    /// The key in a bundle.
    pub fn key(&self) -> &Name {
        self.key.as_ref().unwrap_or(&self.name)
    }
}

impl Catalog {
    /// Whether names live in the keys or in an object graph.
    pub fn kind(&self) -> Kind {
        if self.objects.is_some() { Kind::ObjectBased } else { Kind::NameBased }
    }

    /// The object graph, where there is one and its data file is there.
    pub fn graph(&self) -> Option<&Graph> {
        self.objects.as_ref()?.graph.as_deref()
    }

    /// Up to `limit` paths of the object graph that lead to the variable, shortest first; none for what has no graph or
    /// is no object's child, as slots are.
    pub fn paths(&self, variable: &Variable, limit: usize) -> Vec<Name> {
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

    /// Whether every data file that a variable needs is there.
    pub fn is_complete(&self) -> bool {
        self.variables.iter().all(|variable| variable.tensor.is_there())
    }

    /// Bytes of all variables together; one that stands under two names counts twice.
    pub fn len(&self) -> u64 {
        self.variables.iter().map(|v| v.tensor.len()).sum()
    }

    /// Whether there are no variables.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }
}

"""The fixture of object graphs: those of small checkpoints, and their keys. Part of make_fixtures.py.

NAME.pb is the serialized TrackableObjectGraph as TensorFlow saved it, NAME.keys the bundle's other keys, sorted, one a line.
"""

import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
import tf_keras

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
INPUT, OUTPUT = np.ones((4, 8), np.float32), np.zeros((4, 1), np.float32)


def keras3_compiled():
    """The trained weights' keys are below the optimizer; the model reaches them as _functional/_operations/N."""
    model = keras.Sequential(
        [
            keras.Input((8,)),
            keras.layers.Dense(4, name="dense_a"),
            keras.layers.BatchNormalization(name="bn"),
            keras.layers.Dense(1, name="dense_b"),
        ],
        name="sequential",
    )
    model.compile(keras.optimizers.Adam(name="adam"), "mse")
    model.fit(INPUT, OUTPUT, verbose=0)
    return tf.train.Checkpoint(model=model, optimizer=model.optimizer)


def keras3_subclassed():
    """Layers in a list or dict have no edges of their own: only the optimizer leads to their weights."""

    class Sub(keras.Model):
        def __init__(self):
            super().__init__(name="sub")
            self.enc = keras.layers.Dense(4, name="enc")
            self.heads = [keras.layers.Dense(1, name="head_a"), keras.layers.Dense(1, name="head_b")]

        def call(self, x):
            x = self.enc(x)
            return self.heads[0](x) + self.heads[1](x)

    model = Sub()
    model.compile(keras.optimizers.SGD(name="sgd"), "mse")
    model.fit(INPUT, OUTPUT, verbose=0)
    return tf.train.Checkpoint(model)


def keras2_weights():
    """Two edges to each layer, a self-edge on the root, slots."""
    model = tf_keras.Sequential(
        [tf_keras.layers.Dense(4, name="dense_a", input_shape=(8,)), tf_keras.layers.Dense(1, name="dense_b")]
    )
    model.compile(tf_keras.optimizers.legacy.Adam(), "mse")
    model.fit(INPUT, OUTPUT, verbose=0)
    return tf.train.Checkpoint(model)


class Linear(tf.Module):
    def __init__(self, rows, columns):
        super().__init__()
        self.w = tf.Variable(tf.ones((rows, columns)), name="w")
        self.b = tf.Variable(tf.zeros((columns,)), name="b")


class Net(tf.Module):
    def __init__(self):
        super().__init__()
        self.layers = [Linear(8, 4), Linear(4, 1)]
        self.extra = {"a/b": Linear(1, 1), ".c": tf.Variable(1.0)}
        self.shared = self.layers[0]
        self.me = self


def modules():
    """A shared layer, a cycle, names with "/" and ".", a wrapped and a TF1 optimizer."""
    net = Net()
    scaled = tf_keras.mixed_precision.LossScaleOptimizer(tf_keras.optimizers.legacy.SGD(0.1, momentum=0.9))
    scaled.apply_gradients([(tf.ones((4, 1)), net.layers[1].w)])
    adam = tf.compat.v1.train.AdamOptimizer(0.1)
    adam.apply_gradients([(tf.ones((8, 4)), net.shared.w), (tf.ones((4,)), net.shared.b)])
    return tf.train.Checkpoint(net=net, optimizer=scaled, trainer=adam)


def containers():
    """Dicts, lists and tuples; tables and an iterator, whose checkpoint_key is not a key of the bundle."""
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    table.insert(["a"], [1])
    iterator = iter(tf.data.Dataset.range(10))
    next(iterator)
    nested = {"x": tf.Variable(1.0), "y": [tf.Variable(2.0), {"z": tf.Variable(3.0)}]}
    pair = (tf.Variable(1.0), tf.Variable(2.0))
    return tf.train.Checkpoint(table=table, iterator=iterator, nested=nested, pair=pair)


def root_variable():
    """The root itself is a variable: its key begins with the mark."""
    return tf.train.Checkpoint(tf.Variable(1.0, name="alone"))


def root_optimizer():
    """The root itself is an optimizer: its path in the slots' keys is empty."""
    variable = tf.Variable(1.0, name="v")
    optimizer = tf_keras.optimizers.legacy.SGD(0.1, momentum=0.9)
    optimizer.apply_gradients([(tf.constant(1.0), variable)])
    return tf.train.Checkpoint(optimizer, v=variable)


FIXTURES = [
    keras3_compiled,
    keras3_subclassed,
    keras2_weights,
    modules,
    containers,
    root_variable,
    root_optimizer,
]


def write(directory):
    """Writes the graphs and keys of all."""
    for make in FIXTURES:
        with tempfile.TemporaryDirectory() as scratch:
            reader = tf.train.load_checkpoint(make().write(os.path.join(scratch, "ckpt")))
            graph = reader.get_tensor(GRAPH)
            keys = sorted(set(reader.get_variable_to_shape_map()) - {GRAPH})
        (directory / f"{make.__name__}.pb").write_bytes(graph)
        (directory / f"{make.__name__}.keys").write_text("".join(f"{key}\n" for key in keys))

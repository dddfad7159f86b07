"""Programs that save and restore: Savers of TF1, and checkpoints and weights files of Keras 2 and Keras 3.

All of them give values as a dict by name. Before a restore they overwrite what they hold, so that a value that is not
restored is never the right one by accident. At the end are the models and the directories that they save.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from harness import same

v1 = tf.compat.v1
KERAS = [keras, tf_keras]


def floats(seed, **shapes):
    """Returns values by name. A double underscore in a keyword stands for a slash."""
    rng = np.random.default_rng(seed)
    return {name.replace("__", "/"): rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def like_these(values, seed):
    """Returns other values of the same names, dtypes and shapes."""
    rng = np.random.default_rng(seed)
    return {name: np.asarray(rng.normal(size=value.shape) * 10).astype(value.dtype) for name, value in values.items()}


def moved(values, moves):
    """Returns the values of layers under the names of other layers. What has no new layer is left out."""
    parted = {name: name.rpartition("/") for name in values}
    return {f"{moves[layer]}/{weight}": values[name] for name, (layer, _, weight) in parted.items() if layer in moves}


class Saver:
    """A program of TF1 that has variables of these names and values."""

    def __init__(self, values, resource=True):
        self.values, self.resource = values, resource

    def save(self, prefix, **options):
        with v1.Graph().as_default(), v1.Session() as session:
            variables = {name: self.variable(name, tf.constant(value)) for name, value in self.values.items()}
            session.run(v1.global_variables_initializer())
            return Path(v1.train.Saver(variables).save(session, str(prefix), **{"write_meta_graph": False} | options))

    def restore(self, prefix):
        with v1.Graph().as_default(), v1.Session() as session:
            other = like_these(self.values, 99)
            variables = {name: self.variable(name, tf.constant(other[name])) for name in other}
            session.run(v1.global_variables_initializer())
            v1.train.Saver(variables).restore(session, str(prefix))
            return session.run(variables)

    def variable(self, name, value):
        return v1.get_variable(name, initializer=value, use_resource=self.resource)


class Program:
    """A program that keeps a model, and its optimizer if it has one, in a `tf.train.Checkpoint`."""

    def __init__(self, model, optimizer=None):
        self.model, self.optimizer = model, optimizer
        self.checkpoint = tf.train.Checkpoint(model=model, **({} if optimizer is None else {"optimizer": optimizer}))

    def save(self, prefix):
        return Path(self.checkpoint.save(str(prefix)))

    def restore(self, prefix, status="assert_consumed"):
        for variable in self.variables().values():
            variable.assign(np.full(variable.shape, 77).astype(variable.numpy().dtype))
        getattr(self.checkpoint.restore(str(prefix)), status)()
        return self.values()

    def restore_partly(self, prefix):
        return self.restore(prefix, "expect_partial")

    def values(self):
        return {name: variable.numpy() for name, variable in self.variables().items()}

    def variables(self):
        weights = {short_name(weight): weight for weight in self.model.weights}
        return weights | {full_name(variable): variable for variable in self.slots()}

    def slots(self):
        return [] if self.optimizer is None else [v for v in self.optimizer.variables if v.dtype != "string"]


class WeightsFile(Program):
    """A program that keeps the weights of a model in an HDF5 file."""

    def save(self, path):
        self.model.save_weights(str(path))
        return Path(path)

    def restore(self, path, **options):
        for variable in self.model.weights:
            variable.assign(np.full(variable.shape, 77).astype(variable.numpy().dtype))
        self.model.load_weights(str(file_in(path)), **options)
        return self.values()


def file_in(path):
    """Returns the file of weights that a mount shows for a file of this path."""
    inside = path.parent / path.name.split(".")[0]
    return next((inside / name for name in ["model.weights.h5"] if (inside / name).exists()), path)


def full_name(variable):
    return getattr(variable, "path", variable.name).removesuffix(":0")


def short_name(variable):
    """Returns the name of a weight with its layer, without the model's name: dense_1/kernel."""
    return "/".join(full_name(variable).split("/")[-2:])


def fresh_process(library):
    """Makes Keras count from the start again, as in a fresh process."""
    (library.utils if library is keras else library.backend).clear_session()


def sequential(library, units, names=None, inputs=4, seed=1, fresh=True, **options):
    """Returns a built model of dense layers. Without names, Keras numbers them."""
    if fresh:
        fresh_process(library)
    names = names or [None] * len(units)
    dense = [library.layers.Dense(count, name=name, **options) for count, name in zip(units, names, strict=True)]
    return filled(library.Sequential([library.layers.Input([inputs]), *dense]), seed)


def filled(model, seed):
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=weight.shape).astype(np.float32) for weight in model.get_weights()])
    return model


def trained(model, optimizer, steps=1):
    """Trains a little, so that the optimizer has slots with values, and none of them is zero."""
    inputs = np.random.default_rng(3).normal(size=[8, *model.input_shape[1:]]).astype(np.float32)
    weights = model.trainable_variables
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((model(inputs) - 1.0) ** 2)
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
    return Program(model, optimizer)


def crossing(library, names, seed):
    """Returns a functional model with two layers side by side, in the order of their names."""
    fresh_process(library)
    entry = library.layers.Input([4])
    layers = [library.layers.Dense(4, name=name)(entry) for name in names]
    return filled(library.Model(entry, library.layers.Add()(layers)), seed)


def built(model, seed=1, inputs=4):
    model(np.ones([1, inputs], np.float32))
    return filled(model, seed)


def with_frozen(frozen, seed):
    """Returns a trained model of three layers, of which some were frozen."""
    model = sequential(keras, [4, 4, 4], ["a", "b", "c"], use_bias=False, seed=seed)
    for layer in model.layers:
        layer.trainable = layer.name not in frozen
    return trained(model, keras.optimizers.Adam(0.1))


class Blocks(keras.Model):
    """A model that keeps its layers in a list."""

    def __init__(self, names):
        super().__init__()
        self.blocks = [keras.layers.Dense(4, name=name) for name in names]

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class Steps:
    """A directory of checkpoints that a CheckpointManager writes, and the program that restores one."""

    def __init__(self, directory, count=3, **options):
        self.directory, self.kernels = directory, []
        self.kernel, self.bias = tf.Variable(tf.zeros([300, 4])), tf.Variable(tf.zeros([4]))
        self.checkpoint = tf.train.Checkpoint(kernel=self.kernel, bias=self.bias)
        self.manager = tf.train.CheckpointManager(self.checkpoint, str(directory), max_to_keep=9, **options)
        for step in range(1, count + 1):
            self.save(step)

    def save(self, seed):
        self.kernel.assign(floats(seed, kernel=(300, 4))["kernel"])
        self.kernels.append(self.kernel.numpy())
        return self.manager.save()

    def restore(self, path):
        """Returns the step whose values are restored."""
        self.kernel.assign(tf.fill([300, 4], 77.0))
        self.checkpoint.restore(None if path is None else str(path)).expect_partial()
        found = [step for step, kernel in enumerate(self.kernels, 1) if same(kernel, self.kernel)]
        return found[0] if found else None

    def __truediv__(self, name):
        return self.directory / name


def latest(directory):
    return tf.train.latest_checkpoint(str(directory))


def flip(file, at):
    data = bytearray(file.read_bytes())
    data[at] ^= 4
    file.write_bytes(data)


def adam_of_tf1(prefix, units):
    """Trains a program of TF1 with Adam. Returns its checkpoint and its values."""
    with v1.Graph().as_default(), v1.Session() as session:
        start = floats(1, kernel=(3, units), bias=units)
        with v1.variable_scope("net"):
            kernel, bias = (v1.get_variable(name, initializer=tf.constant(value)) for name, value in start.items())
        loss = tf.reduce_sum((tf.ones([1, 3]) @ kernel + bias) ** 2)
        train = v1.train.AdamOptimizer(0.01).minimize(loss, global_step=v1.train.get_or_create_global_step())
        session.run(v1.global_variables_initializer())
        for _ in range(7):
            session.run(train)
        path = v1.train.Saver().save(session, str(prefix), write_meta_graph=False)
        return Path(path), {variable.op.name: session.run(variable) for variable in v1.global_variables()}

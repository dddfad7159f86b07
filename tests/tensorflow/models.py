"""The models of the object-based fixtures: the fixture scripts save them, and the tests restore into fresh ones.

Each builder returns the tf.train.Checkpoint and the values to compare, in a fixed order. `fill` sets every value from a seed.
"""

import numpy as np
import tensorflow as tf


class Dense(tf.Module):
    def __init__(self, rows, columns):
        super().__init__()
        self.kernel = tf.Variable(tf.zeros([rows, columns]), name="kernel")
        self.bias = tf.Variable(tf.zeros([columns]), name="bias")

    def __call__(self, x):
        return x @ self.kernel + self.bias


class Net(tf.Module):
    """A module with children in a list and in a dict, a child on two paths, and a name that needs escaping."""

    def __init__(self):
        super().__init__()
        self.layers = [Dense(3, 4), Dense(4, 2)]
        self.head = self.layers[-1]
        self.heads = {"a/b.c": Dense(2, 1)}

    def __call__(self, x):
        for layer in [*self.layers, *self.heads.values()]:
            x = layer(x)
        return x


def module():
    """Builds a tf.Module with an optimizer that keeps slots on the variables (`.OPTIMIZER_SLOT` keys)."""
    net, optimizer = Net(), tf.compat.v1.train.AdamOptimizer(0.1)
    train_once(net, list(net.trainable_variables), optimizer, tf.ones([1, 3]))
    weights = list(net.trainable_variables)
    slots = [optimizer.get_slot(v, name) for v in weights for name in optimizer.get_slot_names()]
    step = tf.Variable(0, dtype=tf.int64, name="step")
    checkpoint = tf.train.Checkpoint(model=net, optimizer=optimizer, step=step)
    return checkpoint, [*weights, *slots, *optimizer.variables()[:2], step]


def keras2():
    """Builds a Keras 2 model and its legacy Adam."""
    import tf_keras

    model = tf_keras.Sequential(
        [tf_keras.layers.Dense(4, name="hidden"), tf_keras.layers.BatchNormalization(), tf_keras.layers.Dense(2, name="out")]
    )
    model.build([None, 3])
    optimizer = tf_keras.optimizers.legacy.Adam(0.1)
    train_once(model, model.trainable_variables, optimizer, tf.ones([2, 3]))
    return tf.train.Checkpoint(model=model, optimizer=optimizer), [*model.variables, *optimizer.variables()]


def keras3():
    """Builds a Keras 3 model and its Adam. The shortest paths of the weights lead through the optimizer."""
    import keras

    keras.utils.clear_session()
    model = keras.Sequential([keras.Input([3]), keras.layers.Dense(4, name="hidden"), keras.layers.BatchNormalization(name="norm")])
    model.compile(optimizer=keras.optimizers.Adam(0.1), loss="mse")
    model.optimizer.build(model.trainable_variables)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    return checkpoint, [v.value for v in [*model.variables, *model.optimizer.variables] if v.dtype != "string"]


OBJECT_MODELS = {"object_module": module, "object_keras2": keras2, "object_keras3": keras3}


def train_once(model, variables, optimizer, x):
    """Makes the optimizer create its slots."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(x) ** 2)
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))


def fill(variables, seed):
    """Sets every variable to different values."""
    rng = np.random.default_rng(seed)
    for variable in variables:
        variable.assign(tf.cast(rng.uniform(-1, 1, variable.shape) * 100, variable.dtype))

"""`model.weights.h5` and `model.h5`: h5py reads every value, and Keras 3 and tf_keras load their weights from a mount."""

import json

import h5py
import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tf_keras.src.saving.legacy import hdf5_format

from harness import ckptfs, fixture, same, values

H5 = "ckpt-9/model.weights.h5"
LEFT_OUT = "ckptfs_left_out"
FIXTURES = ["dtypes", "strings", "odd_names", "tf1_adam", "tf1_bert_tiny", "object_module", "object_keras2", "object_keras3"]


def datasets(path):
    """Returns every value of a file by its path, and the variables that the file names as left out."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, node: found.update({name: value(node)}) if isinstance(node, h5py.Dataset) else None)
        return found, left_out(file)


def value(dataset):
    """Returns a value. A bfloat16 is recognized by Keras's attribute, as in Keras."""
    array = dataset[()]
    return array.view(ml_dtypes.bfloat16) if dataset.attrs.get("dtype") == "bfloat16" else array


def left_out(file):
    """Returns the names and the reasons of what is left out. A long attribute is split."""
    names = [name for name in file.attrs if name.startswith(LEFT_OUT)]
    lines = [line.decode() for name in sorted(names, key=lambda name: (len(name), name)) for line in file.attrs[name]]
    return dict(line.rsplit(": ", 1) for line in lines)


def variables(source, *flags):
    run = ckptfs("ls", source, "--json", *flags)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("name", FIXTURES)
def test_h5py_reads_every_value_or_the_reason_why_it_is_left_out(plain, name):
    mount = plain(name)
    expected = values(mount / "ckpt-9")
    found, lacking = datasets(mount / H5)
    listed = variables(fixture(name))
    assert set(found) | set(lacking) == {variable["name"] for variable in listed} and not set(found) & set(lacking)
    different = [v["name"] for v in listed if v["name"] in found and not equal(found[v["name"]], expected[v["key"]])]
    assert found and not different


def equal(found, expected):
    """Compares values. Fixed strings come without their NUL padding, and quantized numbers as plain integers."""
    expected = np.asarray(expected, object if isinstance(expected, bytes) else None)
    if expected.dtype == object:
        return np.asarray(found).astype(object).tolist() == expected.tolist()
    if expected.dtype.names:
        expected = expected.view(expected.dtype[0])
    return same(found, expected)


def test_values_that_hdf5_cannot_hold_are_named_with_the_reason(plain):
    _, of_dtypes = datasets(plain("dtypes") / H5)
    assert {why for name, why in of_dtypes.items() if "float8" in name or "int4" in name} >= {"HDF5 has no float8_e5m2", "HDF5 has no int4"}
    _, of_adam = datasets(plain("tf1_adam") / H5)
    slots = [name for name in of_adam if name.endswith(("/Adam", "/Adam_1"))]
    assert slots and {of_adam[name] for name in slots} == {"a dataset and a group would have one name"}
    _, of_odd = datasets(plain("odd_names") / H5)
    assert "its name has a component that is empty or `.`" in of_odd.values()


# Keras 3 models, from the checkpoint that tf.train.Checkpoint wrote of the same model.


def functional():
    inputs = keras.Input([3])
    x = keras.layers.Dense(4, activation="relu", name="hidden")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Dropout(0.5)(x)
    return keras.Model(inputs, keras.layers.Dense(2)(x)), [4, 3]


def sequential():
    return keras.Sequential([keras.Input([6, 3]), keras.layers.LSTM(4), keras.layers.LayerNormalization(), keras.layers.Dense(2)]), [2, 6, 3]


def nested():
    inner = keras.Sequential([keras.Input([4]), keras.layers.Dense(4), keras.layers.BatchNormalization()], name="inner")
    inputs = keras.Input([4])
    return keras.Model(inputs, keras.layers.Dense(1)(inner(inner(inputs)))), [5, 4]


def convolutional():
    layers = [keras.Input([8, 8, 2]), keras.layers.SeparableConv2D(3, 3), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    return keras.Sequential(layers), [2, 8, 8, 2]


class Subclassed(keras.Model):
    """A model whose layers are attributes. Keras 3 does not report layers in its own lists to tf.train.Checkpoint."""

    def __init__(self):
        super().__init__()
        self.block = keras.layers.Dense(4)
        self.another = keras.layers.Dense(4)
        self.rnn = keras.layers.Bidirectional(keras.layers.GRU(3))
        self.head = keras.layers.Dense(1)
        self.scale = self.add_weight(shape=[1], name="scale")

    def call(self, x):
        return self.head(self.rnn(self.another(self.block(x)))) * self.scale


def subclassed():
    model = Subclassed()
    model(np.zeros([1, 5, 2], "float32"))
    return model, [3, 5, 2]


KINDS = [functional, sequential, nested, convolutional, subclassed]


def fresh(kind, seed):
    """Returns a model whose weights all differ, and an input for it."""
    keras.utils.clear_session()
    model, shape = kind()
    fill(model.weights, seed)
    return model, np.random.default_rng(0).normal(size=shape).astype("float32")


def fill(weights, seed):
    rng = np.random.default_rng(seed)
    for weight in weights:
        if "float" in weight.dtype:
            weight.assign(rng.uniform(0.1, 1, weight.shape))


def map_of(source, own, into):
    """Writes the map from the names that ckptfs shows to the names that Keras gives the same values in its own
    file."""
    names = {value.tobytes(): name for name, value in datasets(own)[0].items()}
    source_values = values(source)
    wanted = [(v["name"], names[np.asarray(source_values[v["key"]]).tobytes()]) for v in variables(source) if v["name"] not in TENSORFLOWS]
    assert len({new for _, new in wanted}) == len(wanted) == len(names)
    return write_map(wanted, into)


# The variables that tf.train.Checkpoint adds.
TENSORFLOWS = ["save_counter"]


def write_map(renames, into):
    rules = [f"[[rule]]\nrename = {json.dumps(old)}\nto = {json.dumps(new)}\n" for old, new in renames]
    into.write_text("version = 1\n" + "".join(rules))
    return into


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_keras_3_loads_its_model_from_a_tensorflow_checkpoint(mount, tmp_path, kind):
    model, x = fresh(kind, seed=1)
    expected = model.predict(x, verbose=0)
    tf.train.Checkpoint(model=model).write(str(tmp_path / "ckpt-9"))
    model.save_weights(tmp_path / "own.weights.h5")
    rules = map_of(tmp_path / "ckpt-9", tmp_path / "own.weights.h5", tmp_path / "map.toml")
    path = mount(tmp_path / "ckpt-9", "--map", rules) / H5
    other, _ = fresh(kind, seed=2)
    assert not np.array_equal(other.predict(x, verbose=0), expected)
    other.load_weights(path)
    np.testing.assert_array_equal(other.predict(x, verbose=0), expected)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_a_compiled_model_continues_the_training(mount, tmp_path, optimizer):
    model, x = trained(optimizer, seed=1, steps=3)
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(str(tmp_path / "ckpt-9"))
    model.save_weights(tmp_path / "own.weights.h5")
    rules = map_of(tmp_path / "ckpt-9", tmp_path / "own.weights.h5", tmp_path / "map.toml")
    path = mount(tmp_path / "ckpt-9", "--map", rules) / H5
    other, _ = trained(optimizer, seed=2, steps=1)
    other.load_weights(path)
    assert_equal(other, model)
    assert int(other.optimizer.iterations) == 3
    for each in [model, other]:
        each.train_on_batch(x, np.ones([len(x), 2]))
    assert_equal(other, model)


def trained(optimizer, seed, steps):
    model, x = fresh(lambda: (keras.Sequential([keras.Input([3]), keras.layers.Dense(4), keras.layers.Dense(2)]), [4, 3]), seed)
    made = keras.optimizers.SGD(0.1, momentum=0.9) if optimizer == "sgd" else keras.optimizers.get(optimizer)
    model.compile(made, "mse")
    for _ in range(steps):
        model.train_on_batch(x, np.ones([len(x), 2]))
    return model, x


def assert_equal(a, b):
    """Compares the weights and the state of the optimizer, bit for bit."""
    for one, other in zip([*a.weights, *a.optimizer.variables], [*b.weights, *b.optimizer.variables], strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy(), err_msg=one.path)


def test_a_bfloat16_model_loads(mount, tmp_path):
    def kind():
        return keras.Sequential([keras.Input([3]), keras.layers.Dense(4, dtype="bfloat16")]), [4, 3]

    model, x = fresh(kind, seed=1)
    tf.train.Checkpoint(model=model).write(str(tmp_path / "ckpt-9"))
    model.save_weights(tmp_path / "own.weights.h5")
    rules = map_of(tmp_path / "ckpt-9", tmp_path / "own.weights.h5", tmp_path / "map.toml")
    other, _ = fresh(kind, seed=2)
    other.load_weights(mount(tmp_path / "ckpt-9", "--map", rules) / H5)
    for one, wanted in zip(other.weights, model.weights, strict=True):
        assert one.dtype == "bfloat16" and one.numpy().tobytes() == wanted.numpy().tobytes()


# Keras 2 models.


def layers_of(library):
    """Returns one model for both Keras 2 and Keras 3."""
    return library.Sequential(
        [
            library.layers.InputLayer([6, 4]),
            library.layers.Conv1D(5, 2, name="conv"),
            library.layers.BatchNormalization(name="norm"),
            library.layers.LSTM(4, name="rnn"),
            library.layers.Dense(4, name="square"),
            library.layers.Dense(4, name="squarer"),
            library.layers.Dense(2, name="out"),
        ]
    )


def keras2(seed):
    tf_keras.backend.clear_session()
    model = layers_of(tf_keras)
    fill_keras2(model, seed)
    return model


def fill_keras2(model, seed):
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.1, 1, weight.shape) for weight in model.get_weights()])


X = np.random.default_rng(0).normal(size=[3, 6, 4]).astype("float32")

# The layers of Keras 2 in the order of its checkpoints: their names in Keras 3 files, their names in the model, and
# their weights.
LAYERS = [
    ("conv1d", "conv", ["kernel", "bias"]),
    ("batch_normalization", "norm", ["gamma", "beta", "moving_mean", "moving_variance"]),
    ("lstm/cell", "rnn", ["cell/kernel", "cell/recurrent_kernel", "cell/bias"]),
    ("dense", "square", ["kernel", "bias"]),
    ("dense_1", "squarer", ["kernel", "bias"]),
    ("dense_2", "out", ["kernel", "bias"]),
]


def test_keras_3_loads_a_tensorflow_checkpoint_of_keras_2(mount, tmp_path):
    source = keras2(seed=1)
    source.save_weights(tmp_path / "ckpt-9", save_format="tf")
    keras.utils.clear_session()
    target = layers_of(keras)
    with pytest.raises(ValueError, match="File format not supported"):
        target.load_weights(tmp_path / "ckpt-9")
    renames = [
        (f"layer_with_weights-{k}/{weight}", f"layers/{layer}/vars/{i}")
        for k, (layer, _, weights) in enumerate(LAYERS)
        for i, weight in enumerate(weights)
    ]
    rules = write_map(renames, tmp_path / "map.toml")
    target.load_weights(mount(tmp_path / "ckpt-9", "--map", rules) / H5)
    for one, wanted in zip(target.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(one, wanted)
    np.testing.assert_allclose(target.predict(X, verbose=0), source.predict(X, verbose=0), rtol=1e-5)


LEGACY = ["--h5-layout", "legacy"]


def legacy_map(into, order=1):
    """Writes the map in either order, so that the order of its rules cannot pass for that of the model."""
    renames = [(f"layer_with_weights-{k}/{weight}", f"{name}/{weight}") for k, (_, name, weights) in enumerate(LAYERS) for weight in weights]
    return write_map(renames[::order], into)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("library", [tf_keras, keras], ids=["tf_keras", "keras"])
def test_the_legacy_layout_loads_by_topology_and_by_name(mount, tmp_path, library, by_name, order):
    source = keras2(seed=1)
    source.save_weights(tmp_path / "ckpt-9", save_format="tf")
    m = mount(tmp_path / "ckpt-9", "--map", legacy_map(tmp_path / "map.toml", order), *LEGACY)
    assert not (m / H5).exists()
    library.backend.clear_session()
    target = layers_of(library)
    target.load_weights(str(m / "ckpt-9/model.h5"), by_name=by_name)
    for one, wanted in zip(target.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(one, wanted)
    np.testing.assert_allclose(target.predict(X, verbose=0), source.predict(X, verbose=0), rtol=1e-5)


def test_a_frozen_layer_keeps_its_position(mount, tmp_path):
    """Uses an optimizer, which lists only the other layers, so that they come first in the graph."""
    keras.utils.clear_session()
    layers = [keras.layers.Dense(3, name=name) for name in ["one", "two", "three"]]
    source = keras.Sequential([keras.Input([3]), *layers])
    layers[0].trainable = False
    source.compile("adam", "mse")
    fill(source.weights, seed=1)
    source.optimizer.build(source.trainable_variables)
    tf.train.Checkpoint(model=source, optimizer=source.optimizer).write(str(tmp_path / "ckpt-9"))
    renames = [flag for i, layer in enumerate(["z", "y", "x"]) for flag in ["--rename", f"model/_functional/_operations/{i + 1}={layer}"]]
    target = tf_keras.Sequential([tf_keras.layers.InputLayer([3]), *(tf_keras.layers.Dense(3) for _ in layers)])
    target.load_weights(str(mount(tmp_path / "ckpt-9", "--drop-optimizer", *renames, *LEGACY) / "ckpt-9/model.h5"))
    for one, wanted in zip(target.weights, source.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), wanted.numpy())


def test_a_nested_model_loads_by_topology(mount, tmp_path):
    """Keras 2 puts variables that are not trained last in the inner model, and its layers are at different depths
    of the graph."""
    source, target = [model_within(seed) for seed in [1, 2]]
    source.save_weights(tmp_path / "ckpt-9", save_format="tf")
    flags = ["--rename", "layer_with_weights-0=z_first", "--rename", "layer_with_weights-1=inner", "--rename", "layer_with_weights-2=a_last"]
    target.load_weights(str(mount(tmp_path / "ckpt-9", *flags, *LEGACY) / "ckpt-9/model.h5"))
    for one, wanted in zip(target.weights, source.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), wanted.numpy())


def model_within(seed):
    tf_keras.backend.clear_session()
    layers = tf_keras.layers
    inner = [layers.InputLayer([6, 4]), layers.LSTM(4, return_sequences=True), layers.BatchNormalization(), layers.Bidirectional(layers.GRU(2)), layers.Dense(4)]
    outer = [layers.InputLayer([6, 4]), layers.Dense(4, name="first"), tf_keras.Sequential(inner, name="inner"), layers.Dense(4, name="last")]
    model = tf_keras.Sequential(outer)
    fill_keras2(model, seed)
    return model


def test_the_legacy_layout_equals_that_of_keras_2(mount, tmp_path):
    source = keras2(seed=1)
    source.save_weights(tmp_path / "ckpt-9", save_format="tf")
    source.save_weights(tmp_path / "own.h5")
    m = mount(tmp_path / "ckpt-9", "--map", legacy_map(tmp_path / "map.toml"), "-o", "h5_layout=legacy")
    with h5py.File(m / "ckpt-9/model.h5") as ours, h5py.File(tmp_path / "own.h5") as own:
        with_weights = [name for name in names(own, "layer_names") if names(own[name], "weight_names")]
        assert names(ours, "layer_names") == with_weights
        for layer in with_weights:
            leaves = [[name.rsplit("/", 1)[-1] for name in names(file[layer], "weight_names")] for file in [ours, own]]
            assert leaves[0] == leaves[1]
            for ours_at, own_at in zip(names(ours[layer], "weight_names"), names(own[layer], "weight_names"), strict=True):
                np.testing.assert_array_equal(ours[layer][ours_at], own[layer][own_at])


def names(group, attribute):
    return [name.decode() if isinstance(name, bytes) else name for name in group.attrs[attribute]]


def test_without_a_known_order_layers_load_only_by_name(mount, tmp_path):
    """TF1's Saver stores no order, and in alphabetical order two layers of one shape would be exchanged."""
    source = keras2(seed=1)
    weights = {
        f"{name}/{weight.replace('cell', 'lstm_cell')}": value
        for (_, name, leaves), layer in zip(LAYERS, source.layers, strict=True)
        for weight, value in zip(leaves, layer.get_weights(), strict=True)
    }
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        made = {name: tf.compat.v1.Variable(value) for name, value in weights.items()}
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver(made).save(session, str(tmp_path / "ckpt-9"), write_meta_graph=False)
    for flags in [[], ["--target", "object"]]:
        path = str(mount(tmp_path / "ckpt-9", *LEGACY, *flags) / "ckpt-9/model.h5")
        tf_keras.backend.clear_session()
        target = layers_of(tf_keras)
        with pytest.raises(ValueError, match="Layer count mismatch"):
            target.load_weights(path)
        target.load_weights(path, by_name=True)
        np.testing.assert_array_equal(target.predict(X, verbose=0), source.predict(X, verbose=0))


def test_long_lists_of_layers_are_split_like_in_keras(mount, tmp_path):
    shown = [f"a_layer_with_a_name_as_long_as_those_of_large_models_are_{i:04}" for i in range(1500)]
    tf.train.Checkpoint(**{name: tf.train.Checkpoint(kernel=tf.Variable(float(i))) for i, name in enumerate(shown)}).write(str(tmp_path / "ckpt-9"))
    with h5py.File(mount(tmp_path / "ckpt-9", *LEGACY) / "ckpt-9/model.h5") as file:
        assert "layer_names0" in file.attrs and "layer_names" not in file.attrs
        assert hdf5_format.load_attributes_from_hdf5_group(file, "layer_names") == shown
        assert [file[name][name]["kernel:0"][()] for name in shown] == list(range(1500))


def test_sixty_thousand_variables_fit_in_one_group(mount, tmp_path):
    count = 60_000
    names = [f"group/{i}" for i in range(count)]
    numbers = np.arange(count, dtype="int32")
    tf.raw_ops.SaveV2(prefix=str(tmp_path / "ckpt-9"), tensor_names=names, shape_and_slices=[""] * count, tensors=[tf.constant(n) for n in numbers])
    path = mount(tmp_path / "ckpt-9") / H5
    with h5py.File(path) as file:
        group = file["group"]
        assert len(group) == count and set(group) == {str(i) for i in range(count)}
        assert [group[str(i)][()] for i in range(0, count, 7)] == list(numbers[::7])
    assert path.stat().st_size > count * 64

"""`--like WANTED`: the source's values with the names and the object graph of a checkpoint that the new program
saves."""

import numpy as np
import pytest
import tensorflow as tf

from harness import ROOT, assert_same, ckptfs, fixture, refused, values

X = np.random.default_rng(7).normal(size=(5, 3)).astype(np.float32)


def network(layers, inputs=3, hidden=4, middle=False):
    """Returns the same network in Keras 2 and Keras 3, with the full names `hidden/kernel`, `norm/gamma`, …"""
    entry = layers.Input([inputs])
    x = layers.Dense(hidden, activation="tanh", name="hidden")(entry)
    if middle:
        x = layers.Dense(hidden, activation="tanh", name="middle")(x)
    x = layers.BatchNormalization(name="norm")(x)
    return entry, layers.Dense(2, name="out")(x)


def keras2():
    import tf_keras

    model = tf_keras.Model(*network(tf_keras.layers))
    randomize(model)
    return model


def keras3(compiled=False, **size):
    import keras

    keras.utils.clear_session()
    model = keras.Model(*network(keras.layers, **size))
    if compiled:
        model.compile(optimizer=keras.optimizers.Adam(0.1), loss="mse")
        model.optimizer.build(model.trainable_variables)
    return model


def randomize(model, seed=1):
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.5, 2, weight.shape).astype(np.float32) for weight in model.get_weights()])


def predictions(model):
    return np.asarray(model(X, training=False))


@pytest.fixture
def from_keras2(tmp_path):
    """Saves a Keras 2 checkpoint. Returns its prefix, and the predictions of its model."""
    model = keras2()
    model.save_weights(str(tmp_path / "old"))
    return tmp_path / "old", predictions(model)


@pytest.fixture
def from_tf1(tmp_path):
    """Saves the same network as a TF1 program does, in its own scope."""
    model = keras2()
    weights = {f"net/{v.name.removesuffix(':0')}": v.numpy() for v in model.variables}
    with tf.compat.v1.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = {name: tf.compat.v1.Variable(value) for name, value in weights.items()}
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver(variables).save(session, str(tmp_path / "old"), write_meta_graph=False)
    return tmp_path / "old", predictions(model)


def wanted(model, tmp_path, **also):
    """Saves the checkpoint that the new program writes."""
    return tf.train.Checkpoint(model=model, **also).write(str(tmp_path / "wanted"))


def test_keras2_restores_in_keras3(mount, from_keras2, tmp_path):
    source, expected = from_keras2
    model = keras3()
    m = mount(source, "--like", wanted(model, tmp_path))
    assert not np.allclose(predictions(model), expected)
    tf.train.Checkpoint(model=model).read(str(m / "old")).assert_consumed()
    np.testing.assert_array_equal(predictions(model), predictions(keras3_of(model)))
    np.testing.assert_allclose(predictions(model), expected, rtol=1e-6)


def keras3_of(model):
    """Returns a fresh model with the same weights. Its predictions depend only on restored values."""
    fresh = keras3()
    fresh.set_weights(model.get_weights())
    return fresh


def test_a_name_based_checkpoint_restores_in_keras3_after_a_map(mount, from_tf1, tmp_path):
    source, expected = from_tf1
    model = keras3()
    checkpoint = tf.train.Checkpoint(model=model)
    # save() and not write(), because the program calls restore(), which expects a save counter.
    like = checkpoint.save(str(tmp_path / "wanted"))
    randomize(model, seed=2)
    m = mount(source, "--strip-prefix", "net/", "--like", like)
    checkpoint.restore(str(m / "old")).assert_consumed()
    np.testing.assert_allclose(predictions(model), expected, rtol=1e-6)


def test_a_compiled_model_takes_its_optimizer_from_wanted(mount, from_keras2, tmp_path):
    source, expected = from_keras2
    model = keras3(compiled=True)
    like = wanted(model, tmp_path, optimizer=model.optimizer)
    assert "missing, " in refused("ls", source, "--like", like)
    m = mount(source, "--like", like, "--missing", "like")
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).read(str(m / "old")).assert_consumed()
    np.testing.assert_allclose(predictions(model), expected, rtol=1e-6)
    # Zero is neutral for moments and counters, and not for a learning rate.
    assert "zero is not neutral for, 1 of" in refused("ls", source, "--like", like, "--missing", "zeros")
    zeros = mount(source, "--like", like, "--missing", "optimizer/_learning_rate=like", "--missing", "zeros")
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).read(str(zeros / "old")).assert_consumed()
    assert np.isclose(float(model.optimizer.learning_rate), 0.1) and np.allclose(predictions(model), expected)
    hidden = ckptfs("ls", source, "--like", like, "--missing", "like", "--json").stdout
    assert "optimizer/_trainable_variables/0/.ATTRIBUTES" in hidden


def test_a_layer_inserted_in_a_compiled_model_gets_no_value_by_position(mount, tmp_path):
    """Uses a longer model, in which positions mean other layers. The keys of the weights contain positions."""
    short = keras3(compiled=True)
    randomize(short)
    weights = {variable.path: variable.numpy() for variable in short.variables}
    source = tf.train.Checkpoint(model=short, optimizer=short.optimizer).write(str(tmp_path / "short"))
    long = keras3(compiled=True, middle=True)
    randomize(long, seed=3)
    weights |= {variable.path: variable.numpy() for variable in long.variables if "middle" in variable.path}
    checkpoint = tf.train.Checkpoint(model=long, optimizer=long.optimizer)
    like = checkpoint.write(str(tmp_path / "long"))
    message = refused("ls", source, "--like", like)
    assert "middle/kernel  float32 [4, 4]" in message and "missing, 2 of" in message
    # The slots stand at positions that mean other variables there.
    assert "of an optimizer, at positions that mean other values there" in message
    assert "--drop-optimizer --missing like" in message
    m = mount(source, "--like", like, "--missing", "like", "--match", "name")
    randomize(long, seed=4)
    checkpoint.read(str(m / "short")).assert_consumed()
    assert_same({variable.path: variable.numpy() for variable in long.variables}, weights)


def test_a_longer_vocabulary_keeps_the_new_rows(mount, tmp_path):
    old, new = {"emb": np.arange(12, dtype=np.float32).reshape(4, 3), "wide": np.ones([2, 3], np.float32)}, {}
    new["emb"], new["wide"] = -np.ones([6, 3], np.float32), np.full([3, 5], 7, np.float32)
    source = tf.train.Checkpoint(**{k: tf.Variable(v) for k, v in old.items()}).write(str(tmp_path / "old"))
    fresh = tf.train.Checkpoint(**{k: tf.Variable(v) for k, v in new.items()})
    like = fresh.write(str(tmp_path / "new"))
    (tmp_path / "none").mkdir()
    message = refused("mount", source, tmp_path / "none", "--like", like)
    assert "emb  float32 [6, 3], but emb is [4, 3]" in message and "--fit like" in message
    assert "wide  float32 [3, 5], but wide is [2, 3]" in refused("check", source, "--like", like, "--fit", "like")
    m = mount(source, "--like", like, "--fit", "like", "--fit", "wide=like")
    # TensorFlow verifies the index's checksums of values that come from two files.
    fresh.read(str(m / "old")).assert_consumed()
    np.testing.assert_array_equal(fresh.emb.numpy(), np.concatenate([old["emb"], new["emb"][4:]]))
    expected = new["wide"].copy()
    expected[:2, :3] = 1
    np.testing.assert_array_equal(fresh.wide.numpy(), expected)
    assert (m / "old.data-00000-of-00002").read_bytes() == (tmp_path / "old.data-00000-of-00001").read_bytes()


def test_a_table_is_enough_as_wanted_for_tf1(mount, tmp_path):
    listed = ckptfs("ls", fixture("tf1_adam"), "--tsv").stdout
    kept = [line for line in listed.splitlines() if "/Adam" not in line]
    table = tmp_path / "wanted.tsv"
    table.write_text("\n".join([*kept, "more/bias\tfloat32\t3\t12"]) + "\n")
    m = mount(fixture("tf1_adam"), "--like", table, "--missing", "zeros")
    source = values(fixture("tf1_adam"))
    expected = {line.split("\t")[0]: source[line.split("\t")[0]] for line in kept[1:]}
    assert_same(values(m / "ckpt-9"), expected | {"more/bias": np.zeros(3, np.float32)})


def test_check_lists_what_is_left_out_and_filled(from_keras2, tmp_path):
    source, _ = from_keras2
    like = wanted(keras3(), tmp_path, extra=tf.Variable(1.0))
    assert "extra  float32 []" in refused("check", source, "--like", like, "--missing", "zeros")
    run = ckptfs("check", source, "--like", like, "--missing", "extra=zeros")
    assert run.returncode == 0, run.stderr
    assert "8 variables with the source's values" in run.stdout
    assert "1 filled in:\n    extra" in run.stdout
    tf.train.Checkpoint(one=tf.Variable(1.0)).write(str(tmp_path / "one"))
    both = tf.train.Checkpoint(one=tf.Variable(1.0), two=tf.Variable(1.0)).write(str(tmp_path / "both"))
    assert "1 of the source's left out:\n    two" in ckptfs("check", both, "--like", tmp_path / "one").stdout


def test_all_mismatches_are_reported_at_once_with_the_nearest_names(from_tf1, tmp_path):
    source, _ = from_tf1
    like = wanted(keras3(hidden=5), tmp_path)
    message = refused("check", source, "--rename", "net/out/{x}=output/{x}", "--strip-prefix", "net/", "--like", like)
    assert "missing, 2 of 8" in message and "of another shape, 6 of 8" in message
    # A name that is near has the same shape.
    assert "out/bias  float32 [2]  (model/_operations/3/bias)  nearest: output/bias" in message
    assert "out/kernel  float32 [5, 2]  (model/_operations/3/_kernel)\n" in message


@pytest.mark.parametrize("wanted", ["keras-3.15/functional/model.weights.h5", "keras-3.15/archive/model.keras", "safetensors-0.8/dtypes/model.safetensors"])
def test_files_of_other_formats_can_be_wanted_too(tmp_path, wanted):
    wanted = ROOT / "tests" / "fixtures" / wanted
    under_other_names = tmp_path / "other"
    assert ckptfs("export", wanted, under_other_names, "--add-prefix", "other/").returncode == 0
    found = ckptfs("ls", "--long", under_other_names, "--strip-prefix", "other/", "--like", wanted)
    assert found.stdout == ckptfs("ls", "--long", wanted).stdout and found.stdout


def test_flags_that_need_like_are_usage_errors_without_it(tmp_path):
    refused("ls", fixture("tf1_adam"), "--missing", "zeros", code=2)
    refused("ls", fixture("tf1_adam"), "--fit", "like", code=2)
    refused("ls", fixture("tf1_adam"), "--pair", "a=b", code=2)
    refused("ls", fixture("tf1_adam"), "--new", "a", code=2)
    refused("ls", fixture("tf1_adam"), "--target", "objects", code=2)
    table = tmp_path / "t.tsv"
    table.write_text("name\tdtype\tshape\nx\tfloat31\t3\n")
    assert "t.tsv:2: \"float31\" is not a dtype" in refused("ls", fixture("tf1_adam"), "--like", table)
    table.write_text("name\tdtype\tshape\nx\tfloat32\t3\n")
    message = refused("ls", fixture("tf1_adam"), "--like", table, "--missing", "like")
    assert "a table has names and shapes, but no values to take" in message

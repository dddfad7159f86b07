"""Mounts without a map: every way in which TensorFlow reads a checkpoint returns the bytes of the source."""

import numpy as np
import pytest
import tensorflow as tf

import models
from harness import FIXTURES, array, assert_same, fixture, restored, same, values

v1 = tf.compat.v1

NAME_BASED = ["tf1_adam", "tf1_bert_tiny", "dtypes", "sharded", "odd_names", "ema", "strings", "ddp", "snappy", "two_steps"]
PREFIXES = ["ckpt-9", "ckpt-9/", "latest"]

# TensorFlow has no kernel that assigns these to a variable. RestoreV2 and the reader support them all.
NOT_FOR_VARIABLES = {"qint16", "quint16", "float8_e4m3b11fnuz", "float8_e4m3fnuz", "float8_e5m2fnuz"}


@pytest.mark.parametrize("name", [*NAME_BASED, "not_utf8", *models.OBJECT_MODELS])
def test_index_and_shards_equal_those_of_the_source(plain, name):
    m = plain(name)
    files = sorted(FIXTURES.joinpath(name).glob("ckpt-9.*"))
    assert len(files) >= 2
    for source in files:
        assert (m / source.name).read_bytes() == source.read_bytes()
        assert (m / source.name).stat().st_size == source.stat().st_size


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", NAME_BASED)
class TestNameBased:
    def test_load_checkpoint(self, plain, name, prefix):
        source = tf.train.load_checkpoint(str(fixture(name)))
        reader = tf.train.load_checkpoint(at(plain(name), prefix))
        assert reader.get_variable_to_shape_map() == source.get_variable_to_shape_map()
        assert reader.get_variable_to_dtype_map() == source.get_variable_to_dtype_map()
        names = source.get_variable_to_shape_map()
        assert_same({n: reader.get_tensor(n) for n in names}, {n: source.get_tensor(n) for n in names})

    def test_list_variables(self, plain, name, prefix):
        assert tf.train.list_variables(at(plain(name), prefix)) == tf.train.list_variables(str(fixture(name)))

    def test_load_variable(self, plain, name, prefix):
        for variable, _ in tf.train.list_variables(str(fixture(name)))[:3]:
            found = tf.train.load_variable(at(plain(name), prefix), variable)
            assert same(found, tf.train.load_variable(str(fixture(name)), variable))

    def test_restore_op(self, plain, name, prefix):
        dtypes = tf.train.load_checkpoint(str(fixture(name))).get_variable_to_dtype_map()
        assert_same(restored(at(plain(name), prefix), dtypes), restored(fixture(name), dtypes))

    def test_saver_restore(self, plain, name, prefix):
        expected = for_variables(name)
        with v1.Graph().as_default(), v1.Session() as session:
            variables = fresh_variables(name, expected)
            v1.train.Saver(variables).restore(session, at(plain(name), prefix))
            assert_same(session.run(variables), expected)

    def test_init_from_checkpoint(self, plain, name, prefix):
        # A trailing slash means a scope here, and strings have no initializer.
        expected = {n: v for n, v in for_variables(name).items() if not n.endswith("/") and array(v).dtype != object}
        with v1.Graph().as_default(), v1.Session() as session:
            variables = fresh_variables(name, expected)
            v1.train.init_from_checkpoint(at(plain(name), prefix), variables)
            session.run(v1.global_variables_initializer())
            assert_same(session.run(variables), expected)


@pytest.mark.parametrize("name", ["tf1_adam", "sharded", "two_steps", "object_module"])
def test_latest_checkpoint(plain, name):
    m = plain(name)
    assert tf.train.latest_checkpoint(str(m)) == f"{m}/ckpt-9"
    assert_same(values(tf.train.latest_checkpoint(str(m))), values(fixture(name)))
    inner = tf.train.latest_checkpoint(f"{m}/ckpt-9/")
    assert_same(values(inner), values(fixture(name)))


def test_a_directory_shows_all_its_checkpoints_and_the_newest_as_latest(mount):
    m = mount(FIXTURES / "two_steps")
    assert tf.train.get_checkpoint_state(str(m)).all_model_checkpoint_paths == [f"{m}/ckpt-8", f"{m}/ckpt-9"]
    assert tf.train.latest_checkpoint(str(m)) == f"{m}/ckpt-9"
    for prefix in ("ckpt-8", "ckpt-8/", "ckpt-9", "latest"):
        step = "ckpt-8" if prefix.startswith("ckpt-8") else "ckpt-9"
        assert_same(values(at(m, prefix)), values(FIXTURES / "two_steps" / step))
    assert (m / "vocab.txt").read_text() == (FIXTURES / "two_steps" / "vocab.txt").read_text()


@pytest.mark.parametrize("spelling", ["ckpt-9", "ckpt-9.index", "ckpt-9.data-00000-of-00001", "."])
def test_every_spelling_of_a_source_means_the_same_checkpoint(mount, spelling):
    m = mount(FIXTURES / "tf1_adam" / spelling)
    assert_same(values(at(m, "latest")), values(fixture("tf1_adam")))


def test_names_that_are_not_utf8_restore(plain):
    dtypes = {b"latin\xe9/kernel": tf.float32, b"\xff\xfe": tf.float32, b"plain": tf.float32}
    for prefix in PREFIXES:
        assert_same(restored(at(plain("not_utf8"), prefix), dtypes), restored(fixture("not_utf8"), dtypes))


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("name", models.OBJECT_MODELS)
def test_an_object_based_checkpoint_restores_completely_with_its_slots(plain, name, prefix):
    expected = restored_objects(name, str(fixture(name)))
    found = restored_objects(name, at(plain(name), prefix))
    assert any(value.any() for value in expected)
    assert [same(a, b) for a, b in zip(found, expected, strict=True)] == [True] * len(expected)


def restored_objects(name, prefix):
    """Returns the values of a fresh model after a complete restore."""
    checkpoint, variables = models.OBJECT_MODELS[name]()
    models.fill(variables, seed=1)
    checkpoint.restore(prefix).assert_consumed()
    return [variable.numpy() for variable in variables]


def for_variables(name):
    """Returns the values of the source that a TF1 graph can hold in variables."""
    found = values(fixture(name))
    return {n: v for n, v in found.items() if n.split("/")[0] not in NOT_FOR_VARIABLES}


def fresh_variables(name, like):
    """Returns variables with the dtypes and shapes of these values, by checkpoint key.

    Their graph names are plain.
    """
    dtypes = tf.train.load_checkpoint(str(fixture(name))).get_variable_to_dtype_map()
    return {
        key: v1.get_variable(f"v{n}", array(value).shape, dtypes[key], initializer=zeros, use_resource=True)
        for n, (key, value) in enumerate(like.items())
    }


def zeros(shape, dtype, partition_info=None):
    if dtype == tf.string:
        return tf.fill(shape, "")
    plain = tf.constant(np.zeros(shape, dtype.as_numpy_dtype))
    return plain if plain.dtype == dtype else tf.bitcast(plain, dtype)


def at(m, prefix):
    return f"{m}/{prefix}"

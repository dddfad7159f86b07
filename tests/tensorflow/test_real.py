"""Checkpoints of other writers: TensorFlow reads the same from the mount as from the source.

Skipped if they are missing.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from harness import OBJECT_GRAPH, array, assert_same, assert_widens_to, refused, stored_bytes, values
from test_views import by_key

# These are shown in little-endian byte order, so no file equals that of the source.
BIG_ENDIAN = ["generated/bigendian/be"]

IN_SCOPE = [
    "cloudml_babyweight_2shards/model.ckpt-0",
    "cloudml_babyweight_2shards/model.ckpt-1000",
    "generated/bigendian/be",
    "generated/maxshard_sliced/shard-1",
    "generated/strings/str",
    "generated/tf1_partitioned_adam/nb-1",
    "onnx_regression/model",
    "rust_regression/variables/variables",
    "serving_saved_model_tf2/variables/variables",
    "tf17_embedding_ckpt/embedding.ckpt",
    "tfdf_savedmodel_adult_rf/variables/variables",
    "tfjs_uint8/variables/variables",
    "tfkeras_lso_ckpt_2shards/ckpt",
    "tfx_chicago_estimator/model.ckpt-0",
    "tfx_chicago_estimator/model.ckpt-999",
    "tfx_chicago_estimator/model.ckpt-1000",
]


def test_every_index_is_listed(real):
    indexes = {str(path.relative_to(real).with_suffix("")) for path in real.rglob("*.index")}
    assert indexes == set(IN_SCOPE)


@pytest.mark.parametrize("prefix", IN_SCOPE)
def test_tensorflow_reads_the_same_from_the_mount(real, mount, prefix):
    source = real / prefix
    m = mount(source)
    for path in [*source.parent.glob(f"{source.name}.index"), *source.parent.glob(f"{source.name}.data-*")]:
        assert prefix in BIG_ENDIAN or (m / path.name).read_bytes() == path.read_bytes()
    for spelling in (source.name, f"{source.name}/", "latest"):
        through = f"{m}/{spelling}"
        assert tf.train.list_variables(through) == tf.train.list_variables(str(source))
        assert_same(values(through), values(source))
    assert tf.train.latest_checkpoint(str(m)) == f"{m}/{source.name}"


@pytest.mark.parametrize("prefix", IN_SCOPE)
def test_npy_and_raw_have_the_values_that_tensorflow_reads(real, mount, prefix):
    source = real / prefix
    found, expected = by_key(mount(source) / source.name), values(source)
    assert sorted(found) == sorted(expected)
    for key, value in expected.items():
        if array(value).dtype == object:
            assert_strings(found[key], array(value))
        else:
            assert_widens_to(np.load(found[key] / "array.npy", mmap_mode="r"), value)
            assert (found[key] / "raw").read_bytes() == stored_bytes(value)


@pytest.mark.parametrize("name", ["cloudml_babyweight_2shards", "tfx_chicago_estimator", "onnx_regression", "tfkeras_lso_ckpt_2shards"])
def test_a_directory_shows_all_its_checkpoints(real, mount, name):
    source, m = real / name, mount(real / name)
    newest = Path(tf.train.latest_checkpoint(str(source))).name
    assert tf.train.latest_checkpoint(str(m)) == f"{m}/{newest}"
    assert os.readlink(m / "latest") == newest
    for index in source.glob("*.index"):
        assert_same(values(m / index.stem), values(index.with_suffix("")))


def test_a_rename_of_everything_keeps_every_value(real, mount):
    for prefix in IN_SCOPE:
        dtypes = tf.train.load_checkpoint(str(real / prefix)).get_variable_to_dtype_map()
        if OBJECT_GRAPH not in dtypes:
            m = mount(real / prefix, "--rename", "**=renamed/**")
            expected = {f"renamed/{name}": value for name, value in values(real / prefix).items()}
            assert_same(values(f"{m}/latest"), expected)


def assert_strings(facts, value):
    """Checks NumPy's fixed-width bytes, which are missing if an element ends in a NUL that would be lost."""
    if any(element.endswith(b"\0") for element in value.flat):
        assert not (facts / "array.npy").exists()
    elif value.size:
        assert np.load(facts / "array.npy").tolist() == value.tolist()


def matches(words, said):
    return any(word.lower() in said.lower() for word in words.split("|"))

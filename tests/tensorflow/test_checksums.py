"""Checksums that a mount computes, checked by TensorFlow, which refuses a value with a wrong checksum."""

import os
import time

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from harness import PATIENCE, assert_same, values
from test_restore import at
from test_values import floats, save

# The matrices are large enough for a mount to keep their checksums, also after a cast to half.
SHAPES = {"embedding": (3000, 1500), "square": (2100, 2100), "bias": (7,)}
MAP = """
version = 1
[[rule]]
convert = "embedding"
ops = [{ transpose = [1, 0] }]
[[rule]]
convert = "**"
ops = [{ cast = "bfloat16" }]
"""


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("CKPTFS_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "checksums"


def settled(*files):
    """Sets old times on files: checksums are kept only for files that can no longer change without a new time."""
    for file in files:
        os.utime(file, (1_600_000_000, 1_600_000_000))


def wait_for(kept):
    end = time.monotonic() + PATIENCE
    while not list(kept.glob("*.sums")):
        assert time.monotonic() < end, "no checksums are kept"
        time.sleep(0.01)


def bfloat16(array):
    return np.asarray(array).astype(ml_dtypes.bfloat16)


@pytest.mark.parametrize("when", ["at once", "in the background", "with what was kept"])
def test_tensorflow_restores_computed_values(mount, tmp_path, kept, when):
    arrays = floats(SHAPES)
    source = save(tmp_path / "source", arrays)
    settled(*source.parent.iterdir())
    (tmp_path / "map.toml").write_text(MAP)
    if when == "with what was kept":
        mount(source, "--map", tmp_path / "map.toml")
        wait_for(kept)
    m = mount(source, "--map", tmp_path / "map.toml")
    if when == "in the background":
        wait_for(kept)
    expected = {name: bfloat16(array.T if name == "embedding" else array) for name, array in arrays.items()}
    assert_same(values(at(m, "ckpt-9")), expected)
    wait_for(kept)


@pytest.mark.parametrize("times", [1, 2])
def test_tensorflow_restores_values_of_a_format_without_checksums(mount, tmp_path, kept, times):
    arrays = floats(SHAPES)
    safetensors.numpy.save_file(arrays, tmp_path / "model.safetensors")
    settled(tmp_path / "model.safetensors")
    for _ in range(times):
        m = mount(tmp_path / "model.safetensors")
        assert_same(values(at(m, "model")), arrays)
        wait_for(kept)


def test_tensorflow_refuses_only_values_that_are_computed_from_damaged_bytes(mount, tmp_path, kept):
    arrays = floats(SHAPES)
    source = save(tmp_path / "source", arrays)
    data = source.with_name("ckpt-9.data-00000-of-00001")
    start = tf.train.load_checkpoint(str(source)).get_tensor("bias").tobytes()
    whole = bytearray(data.read_bytes())
    whole[whole.index(start)] ^= 1
    data.write_bytes(whole)
    settled(source.with_name("ckpt-9.index"), data)
    m = mount(source, "--cast", "**=bfloat16")
    reader = tf.train.load_checkpoint(at(m, "ckpt-9"))
    with pytest.raises(tf.errors.OpError, match="Checksum does not match"):
        reader.get_tensor("bias")
    square = reader.get_tensor("square")
    assert_same({"square": square}, {"square": bfloat16(arrays["square"])})
    assert not list(kept.glob("*")), "damage is to be found by every mount"

"""Checksums that a mount computes, judged by TensorFlow, which refuses a value whose checksum is wrong."""

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

# More bytes than are summed as fast as their checksums are found, also when they are cast to half.
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
    """Written long ago: of what may still be written without its time telling nothing is kept."""
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
def test_tensorflow_restores_what_another_format_has_no_checksums_of(mount, tmp_path, kept, times):
    arrays = floats(SHAPES)
    safetensors.numpy.save_file(arrays, tmp_path / "model.safetensors")
    settled(tmp_path / "model.safetensors")
    for _ in range(times):
        m = mount(tmp_path / "model.safetensors")
        assert_same(values(at(m, "model")), arrays)
        wait_for(kept)


def test_tensorflow_refuses_what_is_computed_of_damaged_bytes_and_nothing_else(mount, tmp_path, kept):
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

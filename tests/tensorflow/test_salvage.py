"""Damaged checkpoints: what TensorFlow can still restore is served bit by bit, and what is lost is in no index."""

import errno
import os

import h5py
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2, trackable_object_graph_pb2

import table
from harness import OBJECT_GRAPH, assert_same, ckptfs, copy_of, refused, restored, values

MISSING = 100


@pytest.fixture
def ten(tmp_path):
    """Returns the prefix of a checkpoint of ten variables whose copy stopped 100 bytes early, and the right values."""
    prefix = tmp_path / "train" / "ckpt-3"
    prefix.parent.mkdir()
    random = np.random.default_rng(1)
    right = {f"l{i}/w": random.normal(size=(64, 64)).astype(np.float32) for i in range(10)}
    save(prefix, right)
    save(prefix.with_name("ckpt-2"), {name: value + 1 for name, value in right.items()})
    data = prefix.with_name("ckpt-3.data-00000-of-00001")
    os.truncate(data, data.stat().st_size - MISSING)
    return prefix, right


def save(prefix, tensors):
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=list(tensors), shape_and_slices=[""] * len(tensors), tensors=list(tensors.values())
    )


def dtypes(tensors):
    return {name: tf.as_dtype(value.dtype) for name, value in tensors.items()}


class TestTruncated:
    def test_tensorflow_loses_one_variable_of_ten_and_so_does_a_salvaged_mount(self, mount, ten):
        prefix, right = ten
        sound = {name: value for name, value in right.items() if name != "l9/w"}
        with pytest.raises(tf.errors.OpError):
            restored(prefix, dtypes({"l9/w": right["l9/w"]}))
        assert_same(restored(prefix, dtypes(sound)), sound)

        m = mount(prefix, "--salvage")

        assert "l9/w: bytes" in m.stderr
        assert_same(values(m / "ckpt-3"), sound)
        with pytest.raises(tf.errors.NotFoundError, match="l9/w"):
            restored(m / "ckpt-3", dtypes(right))

    @pytest.mark.parametrize("flag", [("--drop", "l9/w"), ("--drop", "l9")])
    def test_a_dropped_variable_does_no_harm(self, mount, ten, flag):
        prefix, right = ten
        right.pop("l9/w")
        assert_same(values(mount(prefix, *flag) / "ckpt-3"), right)

    def test_a_variable_of_the_step_before_takes_the_place_of_the_damaged_one(self, mount, ten):
        prefix, right = ten
        right["l9/w"] = right["l9/w"] + 1
        m = mount(prefix, "--take", f"l9/w={prefix.with_name('ckpt-2')}")
        assert_same(values(m / "ckpt-3"), right)

    def test_an_export_has_the_nine_values(self, ten, tmp_path):
        prefix, right = ten
        assert ckptfs("export", prefix, tmp_path / "out").returncode == 1
        assert not list(tmp_path.glob("out*"))
        assert ckptfs("export", prefix, tmp_path / "out", "--salvage").returncode == 0
        right.pop("l9/w")
        assert_same(values(tmp_path / "out"), right)

    def test_without_a_flag_the_refusal_names_it(self, ten, tmp_path):
        prefix, _ = ten
        (tmp_path / "m").mkdir()
        said = refused("mount", prefix, tmp_path / "m")
        assert "1 of 10 variables is damaged; the other 9 are sound" in said
        assert f"163,740 bytes of 163,840: the copy stopped early ({MISSING} bytes are missing)" in said

    def test_a_directory_serves_the_step_before(self, mount, ten):
        prefix, right = ten
        m = mount(prefix.parent)
        assert tf.train.latest_checkpoint(str(m.path)) == str(m / "ckpt-2")
        assert_same(values(m / "ckpt-2"), {name: value + 1 for name, value in right.items()})
        assert "l9/w" in (m / "ckpt-3.error").read_text()


class TestObjects:
    def test_the_graph_of_a_salvaged_checkpoint_names_only_values_that_are_there(self, mount, tmp_path):
        source = copy_of("object_sharded", tmp_path / "source")
        right = values(source)
        shards = sorted(source.parent.glob("ckpt-9.data-*"))
        served = 0
        for shard in shards:
            whole = shard.read_bytes()
            os.truncate(shard, len(whole) // 2)
            if ckptfs("check", source, "--salvage").returncode == 0:
                m = mount(source, "--salvage")
                found = values(m / "ckpt-9")
                assert 0 < len(found) < len(right)
                assert_same(found, {key: right[key] for key in found})
                graph = trackable_object_graph_pb2.TrackableObjectGraph()
                graph.ParseFromString(tf.train.load_checkpoint(str(m / "ckpt-9")).get_tensor(OBJECT_GRAPH))
                keys = {attribute.checkpoint_key for node in graph.nodes for attribute in node.attributes}
                assert keys == set(found)
                nodes = range(len(graph.nodes))
                assert all(child.node_id in nodes for node in graph.nodes for child in node.children)
                assert all(slot.slot_variable_node_id in nodes for node in graph.nodes for slot in node.slot_variables)
                served += 1
            shard.write_bytes(whole)
        assert served, "every data file has a part of the graph"

    def test_a_lost_graph_is_that_of_the_step_before(self, mount, tmp_path):
        weights = {f"w{i}": tf.Variable(tf.random.normal([32, 32], seed=i)) for i in range(3)}
        checkpoint = tf.train.Checkpoint(**weights)
        older, prefix = (checkpoint.save(str(tmp_path / "train" / "ckpt")) for _ in range(2))
        right = {name: weight.numpy() for name, weight in weights.items()}
        data = f"{prefix}.data-00000-of-00001"
        os.truncate(data, os.path.getsize(data) - 1)
        with pytest.raises(Exception):  # noqa: B017 - TensorFlow raises IndexError or OpError
            tf.train.Checkpoint(**weights).restore(prefix)
        (tmp_path / "m").mkdir()
        said = refused("mount", prefix, tmp_path / "m")
        assert "its object graph is damaged, and all variables are sound" in said

        m = mount(prefix, "--take", f"{OBJECT_GRAPH}={older}")

        fresh = {name: tf.Variable(tf.zeros([32, 32])) for name in weights}
        tf.train.Checkpoint(**fresh).restore(str(m / "ckpt-2")).assert_consumed()
        assert_same({name: weight.numpy() for name, weight in fresh.items()}, right)

    def test_a_restore_of_a_salvaged_checkpoint_does_not_pass_for_a_whole_one(self, mount, tmp_path):
        weights = {f"w{i}": tf.Variable(tf.random.normal([32, 32], seed=i)) for i in range(3)}
        prefix = tmp_path / "ckpt-1"
        tf.train.Checkpoint(**weights).write(str(prefix))
        lost = "w1/.ATTRIBUTES/VARIABLE_VALUE"
        overwrite_entry(prefix, lost)

        m = mount(prefix, "--salvage")

        fresh = {name: tf.Variable(tf.zeros([32, 32])) for name in weights}
        status = tf.train.Checkpoint(**fresh).read(str(m / "ckpt-1"))
        with pytest.raises(AssertionError):
            status.assert_existing_objects_matched()
        status.expect_partial()
        for name in ("w0", "w2"):
            assert fresh[name].numpy().tobytes() == weights[name].numpy().tobytes()
        assert not fresh["w1"].numpy().any()


def overwrite_entry(prefix, key):
    """Moves the offset of a variable past the end of its data file, in an index that is otherwise as it was."""
    index = prefix.with_name(prefix.name + ".index")
    rows = dict(table.decode(index.read_bytes()))
    entry = tensor_bundle_pb2.BundleEntryProto.FromString(rows[key.encode()])
    entry.offset = 1 << 40
    rows[key.encode()] = entry.SerializeToString()
    index.write_bytes(table.encode(sorted(rows.items())))


class TestVerify:
    def test_no_file_of_a_verified_mount_has_a_flipped_bit(self, mount, ten):
        prefix, right = ten
        older = prefix.with_name("ckpt-2")
        data = older.with_name("ckpt-2.data-00000-of-00001")
        with open(data, "r+b") as file:
            file.seek(20000)
            byte = file.read(1)[0]
            file.seek(20000)
            file.write(bytes([byte ^ 1]))
        m = mount(older, "--verify")
        for name in ("model.weights.h5", "model.safetensors", "npy/l1/w.npy"):
            with pytest.raises(OSError) as error:
                (m / "ckpt-2" / name).read_bytes()
            assert error.value.errno == errno.EIO
        with pytest.raises(OSError):
            h5py.File(m / "ckpt-2/model.weights.h5")
        assert np.load(m / "ckpt-2/npy/l0/w.npy").tobytes() == (right["l0/w"] + 1).tobytes()
        assert ckptfs("export", older, m.path.parent / "copy").returncode == 1

"""Fixtures of what a bundle holds beyond tensors in one piece: slices in every arrangement, the other byte order, variants."""

import struct
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2 as bundle
from tensorflow.python.framework import dtypes as tf_dtypes

import table

# The dtypes whose byte order TensorFlow refuses to swap, although a single byte needs no swap.
NOT_SWAPPED = {
    *("int2", "uint2", "int4", "uint4", "float4_e2m1fn"),
    *("float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz"),
}


def sliced_dtypes(prefix):
    """slices of rows, of columns, and in a grid; float16, uint16 and strings, which TensorFlow itself cannot join"""
    numbers = {name: np.arange(30).reshape(5, 6).astype(name) for name in ("float16", "uint16", "float32", "int64", "complex64", "bool")}
    words = np.array([f"{'w' * n}{n}".encode() for n in range(30)], object).reshape(5, 6)
    deep = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    slices = []
    for name, value in (numbers | {"string": words}).items():
        slices += [(f"{name}/rows", value, [rows, None]) for rows in ((0, 2), (2, 2), (4, 1))]
        slices += [(f"{name}/columns", value, [None, columns]) for columns in ((4, 2), (0, 1), (1, 3))]
        slices += [(f"{name}/grid", value, [rows, columns]) for rows in ((0, 3), (3, 2)) for columns in ((0, 2), (2, 4))]
    slices += [("deep", deep, [first, None, last]) for first in ((0, 1), (1, 2)) for last in ((0, 3), (3, 2))]
    slices += [("deeper/middle", deep, [None, middle, None]) for middle in ((0, 1), (1, 3))]
    slices += [("whole", deep, None)]
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=[name for name, _, _ in slices],
        shape_and_slices=[spelt(value.shape, slice) for _, value, slice in slices],
        tensors=[tf.constant(cut(value, slice)) for _, value, slice in slices],
    )


def object_sharded(prefix):
    """object-based, saved with MaxShardSizePolicy: a variable and its slots in slices over several data files"""
    root = sharded_objects()
    for n, variable in enumerate(sharded_variables(root)):
        variable.assign(tf.reshape(tf.range(variable.shape.num_elements(), dtype=variable.dtype), variable.shape) + n * 100)
    root.save_counter.assign(8)
    policy = tf.train.experimental.MaxShardSizePolicy(max_shard_size=220)
    options = tf.train.CheckpointOptions(experimental_sharding_callback=policy)
    assert root.save(str(prefix.parent / "ckpt"), options=options) == str(prefix)
    assert len(list(prefix.parent.glob("*.data-*"))) > 2


def sharded_objects():
    """The program behind `object_sharded`, its values still zero."""
    net, optimizer = tf.Module(), tf.compat.v1.train.MomentumOptimizer(0.1, 0.9)
    net.big = tf.Variable(tf.zeros([13, 7]), name="big")
    net.small = tf.Variable(tf.zeros([3]), name="small")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(net.big) + tf.reduce_sum(net.small)
    optimizer.apply_gradients(zip(tape.gradient(loss, [net.big, net.small]), [net.big, net.small]))
    return tf.train.Checkpoint(net=net, optimizer=optimizer)


def sharded_variables(root):
    """Its weights and their slots."""
    weights = [root.net.big, root.net.small]
    return [*weights, *(root.optimizer.get_slot(weight, "momentum") for weight in weights)]


def variants(prefix):
    """variants, whose bytes only their program understands: a list of tensors, an empty one; and numbers"""
    lists = {
        "list": tf.raw_ops.TensorListFromTensor(tensor=tf.range(6.0), element_shape=tf.constant([], tf.int32)),
        "empty": tf.raw_ops.EmptyTensorList(element_shape=-1, max_num_elements=3, element_dtype=tf.float32),
        "weights": tf.constant([1.0, 2.0]),
    }
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=list(lists), shape_and_slices=[""] * 3, tensors=list(lists.values()))


def big_endian(prefix, *writers):
    """Writes with each of the writers, and the whole once more as a machine of the other byte order would have.

    TensorFlow's own reader is the judge: it must give the values of the one for the other.
    """
    parts = [prefix.parent / f"part-{n}" for n in range(len(writers))]
    for part, writer in zip(parts, writers):
        writer(part)
    little = prefix.parent / "little"
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=list(map(str, parts)), destination_prefix=str(little), delete_old_dirs=False)
    turn(little, prefix)
    compare(little, prefix)
    for file in prefix.parent.glob("little.*"):
        file.unlink()


def turn(little, big):
    """A bundle with the bytes of each value turned round."""
    entries = table.decode(little.with_name(f"{little.name}.index").read_bytes())
    header = bundle.BundleHeaderProto.FromString(entries[0][1])
    header.endianness = bundle.BundleHeaderProto.BIG
    shards = [bytearray(shard_path(little, n, header).read_bytes()) for n in range(header.num_shards)]
    turned = [(b"", header.SerializeToString(deterministic=True))]
    for key, value in entries[1:]:
        entry = bundle.BundleEntryProto.FromString(value)
        if not entry.slices:
            shard, end = shards[entry.shard_id], entry.offset + entry.size
            stored, entry.crc32c = turned_round(bytes(shard[entry.offset : end]), entry)
            shard[entry.offset : end] = stored
        turned.append((key, entry.SerializeToString(deterministic=True)))
    big.with_name(f"{big.name}.index").write_bytes(table.encode(turned))
    for n, shard in enumerate(shards):
        shard_path(big, n, header).write_bytes(shard)


def turned_round(stored, entry):
    """The bytes of a value in the other order, and their checksum."""
    dtype = tf_dtypes.as_dtype(entry.dtype)
    if dtype != tf.string:
        width = dtype.size // (2 if dtype.is_complex else 1)
        stored = b"".join(stored[at : at + width][::-1] for at in range(0, len(stored), width))
        return stored, table.mask(table.crc32c(stored))
    at, lengths = 0, []
    for _ in range(int(np.prod([dim.size for dim in entry.shape.dim], dtype=int))):
        length, at = table.varint(stored, at)
        lengths.append(length)
    integers = b"".join(struct.pack(">I", length) for length in lengths)
    checksum = struct.pack(">I", table.mask(table.crc32c(integers)))
    return stored[:at] + checksum + stored[at + 4 :], table.mask(table.crc32c(integers + checksum + stored[at + 4 :]))


def compare(little, big):
    """That TensorFlow reads the same from both, slice by slice where it cannot join them, and all but what it cannot swap."""
    for key, value in table.decode(little.with_name(f"{little.name}.index").read_bytes())[1:]:
        entry = bundle.BundleEntryProto.FromString(value)
        if key.startswith(b"\0"):
            continue
        shape = [dim.size for dim in entry.shape.dim]
        specs = [spelt(shape, [(e.start, e.length) if e.HasField("length") else None for e in s.extent]) for s in entry.slices]
        for spec in specs or [""]:
            try:
                a, b = (restore(prefix, key, spec, entry.dtype) for prefix in (little, big))
            except tf.errors.UnimplementedError:
                assert tf_dtypes.as_dtype(entry.dtype).name in NOT_SWAPPED, key
                continue
            assert a.shape == b.shape and (a.tolist() == b.tolist() if a.dtype == object else a.tobytes() == b.tobytes()), key


def restore(prefix, key, spec, dtype):
    dtypes = [tf_dtypes.as_dtype(dtype)]
    value = tf.raw_ops.RestoreV2(prefix=str(prefix), tensor_names=[key], shape_and_slices=[spec], dtypes=dtypes)[0].numpy()
    return np.asarray(value, object if isinstance(value, bytes) else None)


def shard_path(prefix, number, header):
    return Path(f"{prefix}.data-{number:05}-of-{header.num_shards:05}")


def spelt(shape, slice):
    """A slice as `SaveV2` is told it: `5 6 0,2:-`."""
    if slice is None:
        return ""
    return " ".join(map(str, shape)) + " " + ":".join("-" if extent is None else "{},{}".format(*extent) for extent in slice)


def cut(value, slices):
    ranges = slices or [None] * value.ndim
    return value[tuple(slice(None) if extent is None else slice(extent[0], sum(extent)) for extent in ranges)]

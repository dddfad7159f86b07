"""Memory that reading takes, source by source; run by scripts/memory. A measurement, not a test, but it fails past the bounds."""

import contextlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py  # noqa: E402
import numpy as np  # noqa: E402

from compare_rename import CKPTFS, daemon, memory  # noqa: E402

import table  # noqa: E402

MIB, GIB = 1 << 20, 1 << 30
CACHE = 64
# The limits in MiB in addition to the cache: for reading, including the checksums that are computed in the background
# meanwhile, and for computing values.
READING, COMPUTING = 48, 64
BLOCK = 1 << 20
WIDE = (1 << 14, 1 << 14)


def main():
    words = sys.argv[1:]
    print(f"{'source':34}{'file':>12}{'GiB':>6}{'seconds':>9}{'CPU':>7}{'GiB read':>10}{'anon MiB grown by':>20}{'at most':>9}")
    failed = [
        what
        for what, write, flags, files, beside in ROWS
        if not words or any(word in what for word in words)
        for file in files
        if not measured(what, write, flags, file, CACHE + beside)
    ]
    if failed:
        sys.exit(f"too much memory: {', '.join(failed)}")


def measured(what, write, flags, file, bound):
    """One reading from end to end in a mount of its own; whether it kept within the bound."""
    with source_of(write) as source, mounted(source, flags) as at:
        pid = daemon(at)
        path = sorted(at.glob(file))[-1]
        before, cpu, read = anonymous(pid), cpu_of(pid), read_by(pid)
        started = time.perf_counter()
        with sampled(pid) as peak:
            length = read_all(path)
        seconds = time.perf_counter() - started
        grown = peak[0] - before
        print(
            f"{what:34}{path.parent.name if path.parent != at else 'data file':>12}{length / GIB:6.1f}{seconds:9.1f}{cpu_of(pid) - cpu:7.1f}"
            f"{(read_by(pid) - read) / GIB:10.2f}{grown:20.1f}{bound:9}{'' if grown < bound else '  TOO MUCH'}",
            flush=True,
        )
        cache = json.loads((at / ".ckptfs/status.json").read_text())["cache"]
        assert cache["used"] <= CACHE * MIB, cache
        return grown < bound


# The sources, each `ckpt-9` in a directory: a path to give to ckptfs.


def bundle(directory, shape=WIDE, big_endian=False):
    from tensorflow.core.framework import versions_pb2
    from tensorflow.core.protobuf import tensor_bundle_pb2 as bundle

    header = bundle.BundleHeaderProto(num_shards=1, endianness=int(big_endian), version=versions_pb2.VersionDef(producer=1))
    entry = bundle.BundleEntryProto(dtype=1, size=4 * shape[0] * shape[1], crc32c=1)
    for dim in shape:
        entry.shape.dim.add(size=dim)
    hole(directory / "ckpt-9.data-00000-of-00001", entry.size)
    rows = [(b"", header.SerializeToString()), (b"w", entry.SerializeToString())]
    (directory / "ckpt-9.index").write_bytes(table.encode(rows))
    return directory / "ckpt-9"


def big_endian(directory):
    return bundle(directory, big_endian=True)


def partitioned(directory):
    import tensorflow as tf

    half = np.random.default_rng(1).random((WIDE[0], WIDE[1] // 2), np.float32)
    slices = [f"{WIDE[0]} {WIDE[1]} -:{start},{WIDE[1] // 2}" for start in (0, WIDE[1] // 2)]
    tf.raw_ops.SaveV2(prefix=str(directory / "ckpt-9"), tensor_names=["w", "w"], shape_and_slices=slices, tensors=[half, half])
    return directory / "ckpt-9"


def first_version(dtype, parts):
    """In so many slices: TensorFlow writes none of 2 GiB, and allows ten bytes for each integer."""

    def write(directory):
        import tensorflow as tf

        rows = WIDE[0] // parts
        part = np.random.default_rng(1).integers(0, 1 << 31, (rows, WIDE[1]), np.int32).astype(dtype)
        slices = [f"{WIDE[0]} {WIDE[1]} {n * rows},{rows}:-" for n in range(parts)]
        tf.raw_ops.SaveSlices(
            filename=str(directory / "ckpt-9"), tensor_names=["w"] * parts, shapes_and_slices=slices, data=[part] * parts
        )
        return directory / "ckpt-9"

    return write


def hdf5(directory):
    with h5py.File(directory / "ckpt-9.h5", "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        h5py.h5d.create(file.id, b"w", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(WIDE), properties)
    return directory / "ckpt-9.h5"


def chunked(chunk):
    def write(directory):
        with h5py.File(directory / "ckpt-9.h5", "w") as file:
            dataset = file.create_dataset("w", WIDE, np.float32, chunks=chunk, compression="gzip", compression_opts=1)
            rng = np.random.default_rng(1)
            values = [zlib.compress(rng.random(dataset.chunks, np.float32).tobytes(), 1) for _ in range(4)]
            grid = np.ndindex(*(-(-dim // size) for dim, size in zip(WIDE, dataset.chunks)))
            for n, at in enumerate(grid):
                dataset.id.write_direct_chunk(tuple(i * size for i, size in zip(at, dataset.chunks)), values[n % 4])
        return directory / "ckpt-9.h5"

    return write


def safetensors(directory):
    header = json.dumps({"w": {"dtype": "F32", "shape": WIDE, "data_offsets": [0, GIB]}}).encode()
    header += b" " * (-len(header) % 8)
    (directory / "ckpt-9.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    hole(directory / "ckpt-9.safetensors", 8 + len(header) + GIB)
    return directory / "ckpt-9.safetensors"


def four_gib(directory):
    return bundle(directory, (1 << 15, 1 << 15))


def two_gib(rows):
    return lambda directory: bundle(directory, (rows, (1 << 29) // rows))


def hole(path, length):
    with open(path, "ab") as file:
        file.truncate(length)


# Of the data files, the last is read: the first may be the source's own.
VALUES = ("ckpt-9*/npy/w.npy", "ckpt-9*/raw/w", "ckpt-9*.data-*")
CAST = ("--cast", "w=bfloat16")
TRANSPOSE = ("--map", "[[rule]]\nconvert = 'w'\nops = [{ transpose = [1, 0] }]\n")

# The name of the source, the function that writes it, the flags of the mount, the files that are read, and the limit
# in MiB in addition to the cache.
ROWS = [
    ("V2 float32", bundle, (), VALUES, READING),
    ("V2 partitioned by column", partitioned, (), VALUES, READING),
    ("V2 big-endian", big_endian, (), VALUES, READING),
    ("V1 float32", first_version(np.float32, 1), (), VALUES, READING),
    ("V1 int32", first_version(np.int32, 2), (), VALUES, READING),
    ("HDF5 in one piece", hdf5, (), VALUES, READING),
    ("HDF5 gzip, chunks of 16 KiB", chunked((64, 64)), (), VALUES, READING),
    ("HDF5 gzip, chunks of h5py", chunked(True), (), VALUES, READING),
    ("safetensors", safetensors, (), VALUES, READING),
    ("cast of 4 GiB to bfloat16", four_gib, CAST, VALUES, COMPUTING),
    ("transpose of 2 GiB, 16384 rows", two_gib(1 << 14), TRANSPOSE, VALUES[1:2], COMPUTING),
    ("transpose of 2 GiB, 524288 rows", two_gib(1 << 19), TRANSPOSE, VALUES[1:2], COMPUTING),
]


# The measurements.


@contextlib.contextmanager
def sampled(pid):
    """The most anonymous memory of a process meanwhile, in MiB."""
    peak, done = [anonymous(pid)], threading.Event()

    def sample():
        while not done.wait(0.002):
            peak[0] = max(peak[0], anonymous(pid))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def anonymous(pid):
    return memory(pid)["anonymous"]


def cpu_of(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read_by(pid):
    """Bytes that a process has read, the kernel's requests among them, which are few."""
    account = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(account["rchar"])


def read_all(path):
    length = 0
    with open(path, "rb", buffering=0) as file:
        block = bytearray(BLOCK)
        while count := file.readinto(block):
            length += count
    return length


@contextlib.contextmanager
def source_of(write):
    """One source at a time, the last one until another is wanted."""
    global _written
    if _written is None or _written[0] is not write:
        forget()
        directory = tempfile.TemporaryDirectory(prefix="ckptfs-memory-")
        _written = (write, directory, write(Path(directory.name)))
    yield _written[2]


_written = None


def forget():
    global _written
    if _written is not None:
        _written[1].cleanup()
        _written = None


@contextlib.contextmanager
def mounted(source, flags):
    with tempfile.TemporaryDirectory(prefix="ckptfs-memory-m-") as directory:
        at = Path(directory).resolve() / "m"
        at.mkdir()
        flags = list(flags)
        if "--map" in flags:
            (Path(directory) / "map.toml").write_text(flags[-1])
            flags[-1] = Path(directory) / "map.toml"
        command = [CKPTFS, "mount", source, at, "--cache-size", f"{CACHE}M", *flags]
        try:
            subprocess.run(list(map(str, command)), check=True, stdin=subprocess.DEVNULL)
            yield at
        finally:
            subprocess.run([CKPTFS, "umount", at], check=False) if os.path.ismount(at) else None
            subprocess.run(["umount", "-l", at], check=False) if os.path.ismount(at) else None


if __name__ == "__main__":
    try:
        main()
    finally:
        forget()

"""Broken sources: they are refused with a message before a mount appears.

If only values are lost, those are EIO and the rest works.
"""

import errno
import os
import re
import zipfile

import numpy as np
import pytest
from tensorflow.core.protobuf import tensor_bundle_pb2

import table
from harness import assert_same, ckptfs, copy_of, fixture, refused, values

GONE = (errno.EIO, errno.ESTALE)


class TestShards:
    def test_a_missing_shard_is_a_warning_and_its_values_are_eio(self, mount, tmp_path):
        source = copy_of("sharded", tmp_path / "source")
        lost = source.with_name("ckpt-9.data-00001-of-00003")
        mine, others = split_by_shard(source, 1)
        lost.unlink()

        m = mount(source)

        assert lost.name in m.stderr
        for name in mine:
            assert (m / "ckpt-9/vars" / name / "shape").read_text() == " ".join(map(str, mine[name].shape)) + "\n"
            assert fails_to_read(m / f"ckpt-9/npy/{name}.npy") == errno.EIO
            assert fails_to_read(m / f"ckpt-9/raw/{name}") == errno.EIO
        assert_same({name: np.load(m / f"ckpt-9/npy/{name}.npy") for name in others}, others)
        assert_same(values(m / "ckpt-9", others), others)

    def test_a_shard_truncated_under_the_mount_loses_only_its_own_values(self, mount, tmp_path):
        source = copy_of("sharded", tmp_path / "source")
        cut = source.with_name("ckpt-9.data-00001-of-00003")
        mine, others = split_by_shard(source, 1)
        m = mount(source)

        os.truncate(cut, 0)

        for name in mine:
            assert fails_to_read(m / f"ckpt-9/raw/{name}") in GONE
            assert (m / "ckpt-9/vars" / name / "dtype").read_text() == "float32\n"
        assert reads_short_or_fails(m / cut.name)
        assert_same({name: np.load(m / f"ckpt-9/npy/{name}.npy") for name in others}, others)
        assert_same(values(m / "ckpt-9", others), others)

    def test_a_deleted_shard_stays_readable_in_an_open_file(self, mount, tmp_path):
        source = copy_of("tf1_adam", tmp_path / "source")
        expected = values(source)["head/kernel"]
        m = mount(source)
        with open(m / "ckpt-9/vars/head/kernel/raw", "rb", buffering=0) as file:
            source.with_name("ckpt-9.data-00000-of-00001").unlink()
            assert file.read() == expected.tobytes()
        assert (m / "ckpt-9/vars/head/kernel/shape").read_text() == "3 4\n"

    def test_a_replaced_shard_is_never_served_as_the_old_one(self, mount, tmp_path):
        source = copy_of("tf1_adam", tmp_path / "source")
        m = mount(source)
        data = source.with_name("ckpt-9.data-00000-of-00001")
        other = tmp_path / "other"
        other.write_bytes(bytes(data.stat().st_size // 2))
        os.replace(other, data)
        assert fails_to_read(m / "ckpt-9/vars/head/kernel/raw") in GONE


class TestIndex:
    def test_a_truncated_index_is_refused_at_any_length(self, refuse, tmp_path):
        source = copy_of("tf1_adam", tmp_path / "source")
        index = source.with_name("ckpt-9.index")
        whole = index.read_bytes()
        for length in [1, 47, 48, len(whole) // 2, len(whole) - 48, len(whole) - 1]:
            index.write_bytes(whole[:length])
            assert names_file_and_offset(refuse(source), index)

    def test_a_flipped_bit_is_refused(self, refuse, tmp_path):
        source = copy_of("tf1_adam", tmp_path / "source")
        index = source.with_name("ckpt-9.index")
        whole = index.read_bytes()
        for at in [0, 100, len(whole) // 2, len(whole) - 60, len(whole) - 48, len(whole) - 1]:
            index.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
            assert names_file_and_offset(refuse(source), index)

    @pytest.mark.parametrize("fault", ["outside", "size", "huge", "negative", "dtype_0", "dtype_77", "shard", "garbage"])
    def test_an_invalid_entry_is_listed_with_a_warning_and_not_mounted(self, tmp_path, fault):
        source = copy_of("tf1_adam", tmp_path / "source")
        rewrite(source, lambda entries: [(key, spoil(value, fault) if key == b"head/kernel" else value) for key, value in entries])
        listed = ckptfs("ls", source)
        assert listed.returncode == 0 and "head/kernel: " in listed.stderr and "head/kernel\n" in listed.stdout
        (tmp_path / "m").mkdir()
        assert "head/kernel: " in refused("mount", source, tmp_path / "m")

    def test_keys_out_of_order_are_refused(self, refuse, tmp_path):
        source = copy_of("tf1_adam", tmp_path / "source")
        rewrite(source, lambda entries: [*entries[:-2], entries[-1], entries[-2]])
        assert "head/kernel/Adam" in refuse(source)

    def test_a_duplicate_key_is_refused(self, refuse, tmp_path):
        source = copy_of("tf1_adam", tmp_path / "source")
        rewrite(source, lambda entries: [*entries, entries[-1]])
        assert "head/kernel/Adam_1" in refuse(source)


# The content that replaces the checkpoint, and words of which one must be in the message.
IMPOSTORS = {
    "pytorch": (None, "PyTorch|zip"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 134\n", "LFS"),
    "html": (b"<!DOCTYPE html>\n<html><head><title>Not found</title></head></html>\n", "HTML"),
    "empty": (b"", "empty"),
}


@pytest.mark.parametrize("kind", IMPOSTORS)
@pytest.mark.parametrize("name", ["model.ckpt", "ckpt-9.index"])
def test_a_file_that_is_not_a_checkpoint_is_identified(refuse, tmp_path, kind, name):
    content, words = IMPOSTORS[kind]
    path = tmp_path / name
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02}q\0.")
    else:
        path.write_bytes(content)
    assert re.search(words, refuse(path), re.IGNORECASE)


def test_a_data_file_without_its_index_is_reported(refuse, tmp_path):
    source = copy_of("tf1_adam", tmp_path / "source")
    source.with_name("ckpt-9.index").unlink()
    for given in (source.with_name("ckpt-9.data-00000-of-00001"), source):
        assert "ckpt-9.index" in refuse(given)


def test_a_data_file_in_place_of_the_index_is_refused(refuse, tmp_path):
    source = copy_of("tf1_adam", tmp_path / "source")
    index, data = source.with_name("ckpt-9.index"), source.with_name("ckpt-9.data-00000-of-00001")
    index.write_bytes(data.read_bytes())
    assert "ckpt-9.index" in refuse(source)


def test_a_missing_prefix_suggests_the_nearest(refuse, tmp_path):
    source = copy_of("two_steps", tmp_path / "source")
    said = refuse(source.with_name("ckpt-7"))
    assert "ckpt-7" in said and "ckpt-8" in said


def test_a_directory_without_a_checkpoint_is_refused(refuse, tmp_path):
    (tmp_path / "nothing").mkdir()
    assert str(tmp_path / "nothing") in refuse(tmp_path / "nothing")


@pytest.fixture
def refuse(tmp_path):
    """Returns `refuse(SOURCE)`: the message of `mount`, which must fail, as must `ls`. Both need only the index."""
    at = tmp_path / "mountpoint"
    at.mkdir()

    def refuse(source):
        assert refused("ls", source).strip()
        said = refused("mount", source, at)
        assert said.strip() and not os.path.ismount(at)
        return said

    return refuse


def names_file_and_offset(said, path):
    return path.name in said and re.search(r"(byte|offset|at) \D{0,12}\d+", said)


def fails_to_read(path):
    """Returns the errno of reading a file, from open or from read."""
    try:
        path.read_bytes()
    except OSError as error:
        return error.errno
    return None


def reads_short_or_fails(path):
    try:
        return len(path.read_bytes()) == 0
    except OSError as error:
        return error.errno in GONE


def split_by_shard(source, shard):
    """Returns the values of one shard, and those of the others."""
    found = values(source)
    at = {key.decode(): decoded(value).shard_id for key, value in table.decode(source.with_name("ckpt-9.index").read_bytes()) if key}
    mine = {name: value for name, value in found.items() if at[name] == shard}
    assert mine and len(mine) < len(found)
    return mine, {name: value for name, value in found.items() if at[name] != shard}


def rewrite(source, change):
    index = source.with_name("ckpt-9.index")
    index.write_bytes(table.encode(change(table.decode(index.read_bytes()))))


def spoil(value, fault):
    entry = decoded(value)
    if fault == "outside":
        entry.offset = 1 << 40
    elif fault == "size":
        entry.size -= 4
    elif fault == "huge":
        entry.shape.dim[0].size = entry.shape.dim[1].size = 1 << 40
    elif fault == "negative":
        entry.shape.dim[0].size = -3
    elif fault == "shard":
        entry.shard_id = 7
    elif fault == "garbage":
        return b"\x08\x01\x12\xff\xff\xff\xff\x0f"
    else:
        entry.dtype = int(fault.removeprefix("dtype_"))
    return entry.SerializeToString()


def decoded(value):
    return tensor_bundle_pb2.BundleEntryProto.FromString(value)

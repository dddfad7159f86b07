"""Directories of checkpoints: state files of every kind, and directories that change while they are mounted."""

import os
import shutil
import time
from pathlib import Path

import pytest
import tensorflow as tf

from harness import FIXTURES, assert_same, ckptfs, copy_of, eventually, is_mounted, mounted, refused, unmount, values

TWO = FIXTURES / "two_steps"
v1 = tf.compat.v1


@pytest.fixture
def train(tmp_path):
    """Creates `train/` with ckpt-8, ckpt-9, vocab.txt and a state file as TensorFlow writes it."""
    shutil.copytree(TWO, tmp_path / "train")
    return tmp_path / "train"


def state(newest, *others):
    listed = "".join(f'all_model_checkpoint_paths: "{path}"\n' for path in (*others, newest))
    return f'model_checkpoint_path: "{newest}"\n{listed}'


STATE_FILES = {
    "missing": (None, "ckpt-9"),
    "empty": ("", "ckpt-9"),
    "garbled": ("\x7fELF not a state file", "ckpt-9"),
    "unknown field": ('model_checkpoint_path: "ckpt-8"\nsurprise: 1\n', "ckpt-9"),
    "relative": (state("ckpt-8", "ckpt-9"), "ckpt-8"),
    "with a dot": (state("./ckpt-8"), "ckpt-8"),
    "absolute after a move": (state("/home/user/run/ckpt-9", "/home/user/run/ckpt-8"), "ckpt-9"),
    "absolute, an older one": (state("/home/user/run/ckpt-8"), "ckpt-8"),
    "windows": (state(r"C:\\runs\\ckpt-8"), "ckpt-8"),
    "a rotated step": (state("ckpt-7", "ckpt-6"), "ckpt-9"),
    "a rotated step, its list from the end": (state("ckpt-7", "ckpt-9", "ckpt-8"), "ckpt-8"),
    "names no newest": ('all_model_checkpoint_paths: "ckpt-8"\n', "ckpt-8"),
    "other quotes and a comment": ("# by hand\nmodel_checkpoint_path: 'ckpt' \"-8\"  # the good one\n", "ckpt-8"),
    "a directory above": (state("../train/ckpt-8"), "ckpt-8"),
}


@pytest.mark.parametrize("case", STATE_FILES)
def test_the_state_file_is_generated_for_every_kind_of_source_state(train, mount, case):
    text, newest = STATE_FILES[case]
    (train / "checkpoint").unlink()
    if text is not None:
        (train / "checkpoint").write_text(text)
    for index, age in [("ckpt-8", 100), ("ckpt-9", 50)]:
        os.utime(train / f"{index}.index", (time.time() - age,) * 2)
    m = mount(train)
    assert tf.train.latest_checkpoint(str(m)) == f"{m}/{newest}"
    listed = tf.train.get_checkpoint_state(str(m)).all_model_checkpoint_paths
    assert sorted(listed) == [f"{m}/ckpt-8", f"{m}/ckpt-9"] and listed[-1] == f"{m}/{newest}"
    reader = tf.train.load_checkpoint(str(m))
    expected = values(train / newest)
    assert_same({name: reader.get_tensor(name) for name in expected}, expected)
    assert os.readlink(m / "latest") == newest
    assert_same(values(f"{m}/latest"), expected)


def test_a_state_file_of_a_gigabyte_is_not_read(train, mount):
    with open(train / "checkpoint", "r+b") as file:
        file.truncate(1 << 30)
    m = mount(train)
    assert (m / "checkpoint").stat().st_size < 1000
    assert tf.train.latest_checkpoint(str(m)) in (f"{m}/ckpt-8", f"{m}/ckpt-9")


def test_a_state_file_with_another_name_is_generated_too(train, mount):
    (train / "best").write_text(state("/elsewhere/ckpt-8", "/elsewhere/ckpt-3"))
    m = mount(train)
    assert tf.train.latest_checkpoint(str(m), "best") == f"{m}/ckpt-8"
    assert tf.train.get_checkpoint_state(str(m), "best").all_model_checkpoint_paths == [f"{m}/ckpt-8"]
    assert (m / "best").stat().st_size == len((m / "best").read_bytes())
    assert tf.train.latest_checkpoint(str(m)) == f"{m}/ckpt-9"


def test_a_saver_with_its_own_state_file_restores(tmp_path, mount):
    source = tmp_path / "run"
    source.mkdir()
    with v1.Graph().as_default(), v1.Session() as session:
        variable = v1.get_variable("w", initializer=[1.0, 2.0])
        session.run(v1.global_variables_initializer())
        v1.train.Saver([variable]).save(session, str(source / "model"), global_step=3, latest_filename="my_state")
    shutil.move(source, tmp_path / "moved")
    m = mount(tmp_path / "moved", "--rename", "w=v")
    found = tf.train.latest_checkpoint(str(m), "my_state")
    assert found == f"{m}/model-3"
    assert tf.train.list_variables(found) == [("v", [2])]
    assert (m / "model-3.meta").read_bytes() == (tmp_path / "moved" / "model-3.meta").read_bytes()


def test_the_times_in_the_state_file_are_kept(tmp_path, mount):
    source = tmp_path / "run"
    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    manager = tf.train.CheckpointManager(checkpoint, str(source), max_to_keep=2)
    for step in range(3):
        manager.save(step)
    expected = tf.train.get_checkpoint_state(str(source))
    m = mount(source)
    found = tf.train.get_checkpoint_state(str(m))
    assert list(found.all_model_checkpoint_timestamps) == list(expected.all_model_checkpoint_timestamps)
    assert found.last_preserved_timestamp == expected.last_preserved_timestamp
    assert found.all_model_checkpoint_paths == [path.replace(str(source), str(m)) for path in expected.all_model_checkpoint_paths]
    fresh = tf.train.Checkpoint(v=tf.Variable(0.0))
    restored = tf.train.CheckpointManager(fresh, str(m), max_to_keep=2).restore_or_initialize()
    assert restored == f"{m}/ckpt-2" and fresh.v.numpy() == 1.0


def test_an_incomplete_checkpoint_is_shown_but_never_as_the_newest(train, mount):
    (train / "ckpt-9.data-00000-of-00001").unlink()
    (train / "ckpt-10_temp").mkdir()
    (train / "ckpt-10_temp" / "part-00000-of-00001.index").write_bytes((train / "ckpt-8.index").read_bytes())
    (train / "checkpoint.tmp0123456789abcdef").write_text(state("ckpt-10"))
    m = mount(train)
    assert tf.train.latest_checkpoint(str(m)) == f"{m}/ckpt-8"
    assert tf.train.get_checkpoint_state(str(m)).all_model_checkpoint_paths == [f"{m}/ckpt-8"]
    assert tf.train.list_variables(f"{m}/ckpt-9") == tf.train.list_variables(f"{m}/ckpt-8")
    assert sorted(os.listdir(m / "ckpt-10_temp")) == ["part-00000-of-00001.index"]


def test_a_map_that_does_not_fit_an_older_checkpoint_gives_an_error_file(train, mount):
    shutil.copytree(FIXTURES / "tf1_adam", train, dirs_exist_ok=True, ignore=shutil.ignore_patterns("checkpoint", "*.meta"))
    for path in FIXTURES.joinpath("tf1_adam").glob("ckpt-9.*"):
        shutil.copy(path, train / path.name.replace("ckpt-9", "ckpt-3"))
    for path in TWO.glob("ckpt-9.*"):
        shutil.copy(path, train)
    m = mount(train, "--rename", "model/**=new/**")
    assert "ckpt-3.error" in os.listdir(m.path)
    assert not {"ckpt-3.index", "ckpt-3"} & set(os.listdir(m.path))
    assert not (m / "ckpt-3.index").exists()
    assert tf.io.gfile.glob(f"{m}/ckpt-3*") == [f"{m}/ckpt-3.error"]
    assert "model/**" in (m / "ckpt-3.error").read_text()
    assert all(name.startswith(("new/", "global_step")) for name, _ in tf.train.list_variables(f"{m}/ckpt-8"))
    assert f"{m}/ckpt-3" not in tf.train.get_checkpoint_state(str(m)).all_model_checkpoint_paths


def test_a_map_that_does_not_fit_the_newest_stops_the_mount(train, tmp_path):
    (tmp_path / "m").mkdir()
    assert "nonesuch" in refused("mount", train, tmp_path / "m", "--rename", "nonesuch/**=x/**")
    assert not is_mounted(tmp_path / "m")


def test_training_continues_in_a_mounted_directory(tmp_path, mount):
    source = tmp_path / "run"
    model = tf.train.Checkpoint(v=tf.Variable(0.0))
    manager = tf.train.CheckpointManager(model, str(source), max_to_keep=3)
    model.v.assign(1.0)
    manager.save(1)
    m = mount(source)
    first = open(m / "ckpt-1.data-00000-of-00001", "rb")
    stored = first.read()
    for step in range(2, 6):
        model.v.assign(float(step))
        manager.save(step)
        eventually(lambda: tf.train.latest_checkpoint(str(m)) == f"{m}/ckpt-{step}", "the new one is the newest")
        fresh = tf.train.Checkpoint(v=tf.Variable(0.0))
        fresh.restore(f"{m}/latest").assert_consumed()
        assert fresh.v.numpy() == float(step)
    eventually(lambda: "ckpt-1.index" not in os.listdir(m.path), "the oldest is gone")
    assert {"ckpt-3", "ckpt-4", "ckpt-5"} < set(os.listdir(m.path))
    assert not (m / "ckpt-1.index").exists() and not (m / "ckpt-1" / "vars").exists()
    first.seek(0)
    assert first.read() == stored
    first.close()


def test_an_overwritten_checkpoint_shows_its_new_values(tmp_path, mount):
    prefix = copy_of("two_steps", tmp_path / "run")
    m = mount(prefix.parent)
    before, inode = values(m / "ckpt-9"), os.stat(m / "ckpt-9" / "vars").st_ino
    for path in TWO.glob("ckpt-8.*"):
        shutil.copy(path, prefix.parent / path.name.replace("ckpt-8", "ckpt-9"))
    changed = values(prefix)
    assert any((changed[name] != before[name]).any() for name in before)
    eventually(lambda: os.stat(m / "ckpt-9" / "vars").st_ino != inode, "the new one is seen")
    assert_same(values(m / "ckpt-9"), changed)


def test_subdirectories_are_directories_of_checkpoints(train, mount):
    shutil.copytree(FIXTURES / "tf1_adam", train / "best")
    (train / "best" / "checkpoint").write_text(state("/gone/away/ckpt-9"))
    (train / "logs").mkdir()
    (train / "logs" / "events").write_text("event")
    m = mount(train)
    assert tf.train.latest_checkpoint(f"{m}/best") == f"{m}/best/ckpt-9"
    assert_same(values(tf.train.latest_checkpoint(f"{m}/best")), values(FIXTURES / "tf1_adam" / "ckpt-9"))
    assert (m / "best" / "latest" / "vars").is_dir()
    assert os.listdir(m / "logs") == ["events"] and (m / "logs" / "events").read_text() == "event"


def test_a_mount_over_its_own_source_shows_the_map(train):
    before = {path.name: path.read_bytes() for path in train.iterdir()}
    with mounted(train, train, "-o", "nonempty", "--rename", "model/**=new/**"):
        assert tf.train.latest_checkpoint(str(train)) == f"{train}/ckpt-9"
        for step in ("ckpt-8", "ckpt-9"):
            names = [name for name, _ in tf.train.list_variables(f"{train}/{step}")]
            assert any(name.startswith("new/") for name in names)
        assert (train / "vocab.txt").read_bytes() == before["vocab.txt"]
        assert (train / "ckpt-9.data-00000-of-00001").read_bytes() == before["ckpt-9.data-00000-of-00001"]
    assert {path.name: path.read_bytes() for path in train.iterdir()} == before


def test_a_damaged_checkpoint_under_a_mount_over_its_source_does_not_hang(train):
    (train / "ckpt-8.index").write_bytes(b"PK\x03\x04" + bytes(100))
    with mounted(train, train, "-o", "nonempty"):
        assert not (train / "ckpt-8.index").exists()
        assert "zip" in (train / "ckpt-8.error").read_text()
        assert tf.train.latest_checkpoint(str(train)) == f"{train}/ckpt-9"


def test_other_commands_use_the_newest_checkpoint_of_a_directory(train):
    run = ckptfs("ls", train)
    assert run.returncode == 0 and "using ckpt-9" in run.stderr

"""The ways in which a restore fails: each is reproduced with TensorFlow, and ckptfs never makes it worse.

A row is one way to fail, with the exact words of TensorFlow, or with the values that are wrong though nothing is raised.
All values are compared by their bytes.
"""

import contextlib
import functools
import importlib
import os
import shutil
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import verdicts
from harness import assert_same, binary, ckptfs, on_a_terminal, refused, same, values
from programs import (
    KERAS, Blocks, Program, Saver, Steps, WeightsFile, adam_of_tf1, built, crossing, filled, flip, floats, fresh_process, latest, moved, sequential, trained, v1,
    with_frozen,
)  # fmt: skip
from test_bundled_maps import run as run_program

# From the best to the worst: one obvious command, rules that the user has to know, neither, and wrong values served.
VERDICTS = ["solved", "expertise", "not solved", "worse"]

# The verdict of each row before ckptfs asked for evidence, as it was measured.
BEFORE = {
    "solved": [2, 6, 16, 17, 18, 19, 20, 21, 24, 26, 31, 34, 40, 52, 54, 55],
    "expertise": [1, 3, 4, 5, 11, 12, 13, 14, 15, 25, 28, 30, 32, 33, 35, 37, 41, 42, 44, 46, 47, 48, 51, 53, 60],
    "not solved": [22, 23, 36, 43, 49, 50, 56, 57, 58, 59, 61],
    "worse": [7, 8, 9, 10, 27, 29, 38, 39, 45],
}

# The verdicts that the tests of this module claim, and those that they have proved in this process.
CLAIMED, PROVED = {}, {}


def row(number, verdict):
    """Marks the test of a row. Its verdict is proved when it passes in all libraries; a test that fails proves "worse"."""
    CLAIMED[number] = verdict

    def mark(test):
        @functools.wraps(test)
        def run(*arguments, **named):
            before, PROVED[number] = PROVED.get(number, verdict), "worse"
            test(*arguments, **named)
            PROVED[number] = before

        return run

    return mark


both = pytest.mark.parametrize("library", KERAS, ids=["keras3", "keras2"])

MODEL = floats(
    1, model__dense__kernel=(3, 4), model__dense__bias=4, model__dense_1__kernel=(4, 4), model__dense_1__bias=4,
    model__dense_2__kernel=(4, 2), model__dense_2__bias=2,
)  # fmt: skip


def adam_of(weights):
    slots = {f"{name}/{slot}": weights[name] * factor for name in weights for slot, factor in [("Adam", 2), ("Adam_1", 3)]}
    return weights | slots | {"beta1_power": np.float32(0.9), "beta2_power": np.float32(0.99), "global_step": np.int64(1000)}


def replaced(weights, old, new):
    return {name.replace(old, new): value for name, value in weights.items()}


def wrong(found, right):
    """Returns the names whose values are not the right ones."""
    return sorted(name for name in right if not same(found[name], right[name]))


def raises(error, words):
    return pytest.raises(error, match=words)


def missing_key(name):
    return raises(tf.errors.NotFoundError, f"Key {name} not found in checkpoint")


NOT_BOUND = "Found 2 Python objects that were not bound to checkpointed values"
INCOMPATIBLE = "Received incompatible tensor with shape .* when attempting to restore variable with shape .* and name"

# Names of name-based checkpoints.


@row(1, "expertise")
def test_a_renamed_scope_is_a_missing_key(serves, tmp_path):
    source, program = Saver(adam_of(MODEL)).save(tmp_path / "ckpt"), Saver(replaced(MODEL, "model/", "net/"))
    with missing_key("net/dense/bias"):
        program.restore(source)
    serves(source, "--rename", "model/**=net/**", restore=program.restore, right=program.values)
    like = program.save(tmp_path / "wanted")
    for flags in [], ["--missing", "like"], ["--missing", "zeros"], ["--missing", "like", "--fit", "like"]:
        refused("check", source, "--like", like, *flags)
    serves(source, "--rename", "model/**=net/**", "--like", like, restore=program.restore, right=program.values)


@row(2, "solved")
def test_a_prefix_is_a_missing_key(serves, tmp_path):
    source, program = Saver(adam_of(MODEL)).save(tmp_path / "ckpt"), Saver(replaced(MODEL, "model/", ""))
    with missing_key("dense/bias"):
        program.restore(source)
    serves(source, "--strip-prefix", "model/", restore=program.restore, right=program.values)


@row(3, "expertise")
def test_dots_for_slashes_are_a_missing_key(serves, tmp_path):
    dotted = {f"module.{name.replace('/', '.')}": value for name, value in MODEL.items()}
    source, program = Saver(dotted).save(tmp_path / "ckpt"), Saver(MODEL)
    with missing_key("model/dense/bias"):
        program.restore(source)
    shown = ckptfs("ls", source, "--map", "@ddp").stdout.splitlines()
    assert "model.dense.bias" in shown
    rule = r"re:module\.(?<scope>\w+)\.(?<layer>\w+)\.(?<weight>\w+)={scope}/{layer}/{weight}"
    serves(source, "--rename", rule, restore=program.restore, right=program.values)


@row(4, "expertise")
def test_layers_numbered_from_12_are_a_missing_key(serves, never_wrong, tmp_path):
    moves = {f"model/{old}": f"model/dense_{i + 12}" for i, old in enumerate(["dense", "dense_1", "dense_2"])}
    source, program = Saver(MODEL).save(tmp_path / "ckpt"), Saver(moved(MODEL, moves))
    with missing_key("model/dense_12/bias"):
        program.restore(source)
    rules = ["--rename", "model/dense_{i:int}/{x}=model/dense_{i+12}/{x}", "--rename", "model/dense/{x}=model/dense_12/{x}"]
    serves(source, *rules, restore=program.restore, right=program.values)
    like = program.save(tmp_path / "wanted")
    serves(source, *rules, "--like", like, restore=program.restore, right=program.values)
    for flags in [], ["--missing", "like"], ["--missing", "like", "--fit", "like"]:
        never_wrong(source, "--like", like, *flags, restore=program.restore, right=program.values)


@row(5, "expertise")
def test_a_change_of_case_is_a_missing_key_for_a_saver(serves, tmp_path):
    source, program = Saver(MODEL).save(tmp_path / "ckpt"), Saver(replaced(MODEL, "dense", "Dense"))
    with missing_key("model/Dense/bias"):
        program.restore(source)
    serves(source, "--rename", "model/dense{x:**}=model/Dense{x}", restore=program.restore, right=program.values)


@row(6, "solved")
@both
def test_a_change_of_case_is_nothing_for_a_checkpoint_of_objects(serves, tmp_path, library):
    old = Program(sequential(library, [6, 3], names=["dense_layer1", "o"]))
    new = Program(sequential(library, [6, 3], names=["denseLayer1", "o"], seed=2))
    source, like = old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    right = replaced(old.values(), "dense_layer1", "denseLayer1")
    assert_same(new.restore(source), right)
    assert "5 variables with the source's values" in ckptfs("check", source, "--like", like).stdout
    serves(source, "--like", like, restore=new.restore, right=right)


# Layers inserted, removed and reordered.


@row(7, "expertise")
def test_a_layer_inserted_before_a_head_is_a_missing_key(serves, never_wrong, serves_by_rules, tmp_path):
    source, new = Saver(MODEL).save(tmp_path / "ckpt"), floats(2, model__dense_1__kernel=(4, 4), model__dense_1__bias=4)
    kept = {"model/dense": "model/dense", "model/dense_1": "model/dense_2", "model/dense_2": "model/dense_3"}
    program = Saver(new | moved(MODEL, kept))
    with missing_key("model/dense_3/bias"):
        program.restore(source)
    like = program_with(program.values, 3).save(tmp_path / "wanted")
    right = program.values | {name: values(like)[name] for name in new}
    for flags in [], ["--missing", "like"], ["--fit", "like"], ["--missing", "like", "--fit", "like"]:
        assert never_wrong(source, "--like", like, *flags, restore=program.restore, right=right), flags
    rule = "model/dense_{i:int}/{x}=model/dense_{i+1}/{x}"
    flags = ["--rename", rule, "--like", like, "--missing", "like"]
    serves_by_rules(source, *flags, match="name", restore=program.restore, right=right)
    serves(source, "--like", like, "--new", "model/dense_1", restore=program.restore, right=right)


def program_with(like, seed):
    """Returns a program of TF1 with the same variables, and values of its own."""
    return Saver({name: floats(seed, value=value.shape)["value"] for name, value in like.items()})


@row(8, "expertise")
def test_a_layer_inserted_among_layers_of_one_shape_is_a_missing_key(serves, never_wrong, tmp_path):
    layers = ["dense", "dense_1", "dense_2", "dense_3"]
    old = floats(1, **{f"{layer}__{x}": shape for layer in layers[:3] for x, shape in [("kernel", (4, 4)), ("bias", 4)]})
    own = floats(2, **{f"{layer}__{x}": shape for layer in layers for x, shape in [("kernel", (4, 4)), ("bias", 4)]})
    source, program, like = Saver(old).save(tmp_path / "ckpt"), Saver(own), Saver(own).save(tmp_path / "wanted")
    with missing_key("dense_3/bias"):
        program.restore(source)
    right = own | moved(old, {"dense": "dense", "dense_1": "dense_2", "dense_2": "dense_3"})
    for flags in [], ["--missing", "like"], ["--missing", "zeros"]:
        said = never_wrong(source, "--like", like, *flags, restore=program.restore, right=right)
        assert "--new" in said and "--pair" in said, flags
    pairs = ["--pair", "dense=dense", "--pair", "dense_1=dense_2", "--pair", "dense_2=dense_3"]
    for flags in ["--new", "dense_1"], [*pairs, "--new", "dense_1"]:
        serves(source, "--like", like, *flags, restore=program.restore, right=right)


# In a fresh process Keras counts from the start, so both programs call their first layer `dense`. In the same one it
# counts on.
numbered = pytest.mark.parametrize("fresh", [True, False], ids=["numbered_alike", "numbered_on"])


@row(9, "expertise")
@both
@numbered
def test_a_layer_inserted_before_a_head_is_an_incompatible_tensor(serves, never_wrong, serves_by_rules, tmp_path, library, fresh):
    old, new = Program(sequential(library, [6, 3])), Program(sequential(library, [6, 5, 3], seed=2, fresh=fresh))
    first, middle, last = [layer.name for layer in new.model.layers]
    own, like, source = new.values(), new.save(tmp_path / "wanted"), old.save(tmp_path / "ckpt")
    shapes = r"\(6, 3\) .* shape \(6, 5\)" if library is keras else r"\(3,\) .* shape \(5,\)"
    with raises(ValueError, f"Received incompatible tensor with shape {shapes} and name .*{middle}/"):
        new.restore(source)
    assert not wrong(new.values(), moved(old.values(), {"dense": first}))
    right = own | moved(old.values(), {"dense": first})
    for flags in [], ["--missing", "like"], ["--fit", "like"], ["--missing", "like", "--fit", "like"]:
        assert never_wrong(source, "--like", like, *flags, restore=new.restore, right=right), flags

    new = Program(sequential(library, [6, 6, 3], seed=2, fresh=fresh))
    first, middle, last = [layer.name for layer in new.model.layers]
    own, like = new.values(), new.save(tmp_path / "wanted")
    right = own | moved(old.values(), {"dense": first, "dense_1": last})
    for flags in [], ["--missing", "like"], ["--missing", "like", "--fit", "like"]:
        never_wrong(source, "--like", like, *flags, restore=new.restore, right=right)
    flags = [*rename_layer(library, 1, 2), "--like", like, "--missing", "like"]
    serves_by_rules(source, *flags, match="position", restore=new.restore, right=right)
    serves(source, "--like", like, "--new", middle, restore=new.restore, right=right)


def rename_layer(library, old, new):
    """Returns the rules that move a layer of a Sequential model with an input layer, counted from 0."""
    if library is keras:
        return ["--rename", f"model/_functional/_operations/{old + 1}=model/_functional/_operations/{new + 1}"]
    pairs = [f"model/layer_with_weights-{old}=model/layer_with_weights-{new}", f"model/layer-{old}=model/layer-{new}"]
    return [word for pair in pairs for word in ("--rename", pair)]


@row(10, "expertise")
@both
@numbered
def test_a_layer_inserted_among_layers_of_one_shape_shifts_the_others_silently(serves, never_wrong, serves_by_rules, tmp_path, library, fresh):
    old, new = Program(sequential(library, [4, 4])), Program(sequential(library, [4, 4, 4], seed=2, fresh=fresh))
    first, middle, last = [layer.name for layer in new.model.layers]
    own, like, source = new.values(), new.save(tmp_path / "wanted"), old.save(tmp_path / "ckpt")
    right = own | moved(old.values(), {"dense": first, "dense_1": last})
    assert {name.split("/")[0] for name in wrong(new.restore_partly(source), right)} == {middle, last}
    with raises(AssertionError, NOT_BOUND):
        new.restore(source)
    for flags in [], ["--missing", "like"], ["--missing", "like", "--fit", "like"]:
        assert never_wrong(source, "--like", like, *flags, restore=new.restore, right=right), flags
    flags = [*rename_layer(library, 1, 2), "--like", like, "--missing", "like"]
    serves_by_rules(source, *flags, match="position", restore=new.restore, right=right)
    serves(source, "--like", like, "--new", middle, restore=new.restore, right=right)


@row(11, "expertise")
@both
def test_layers_in_another_order_are_swapped_silently(serves, never_wrong, tmp_path, library):
    old, new = Program(crossing(library, ["left", "right"], 1)), Program(crossing(library, ["right", "left"], 2))
    source, like, right = old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted"), old.values()
    assert_same(new.restore(source), moved(right, {"left": "right", "right": "left"}))
    for flags in [], ["--missing", "like"], ["--missing", "like", "--fit", "like"]:
        said = never_wrong(source, "--like", like, *flags, restore=new.restore, right=right)
        assert "--match" in said
    serves(source, "--like", like, "--match", "name", restore=new.restore, right=right)


@row(11, "expertise")
def test_layers_in_another_order_are_swapped_silently_by_a_weights_file(serves, never_wrong, tmp_path):
    old, new = WeightsFile(crossing(keras, ["left", "right"], 1)), WeightsFile(crossing(keras, ["right", "left"], 2))
    source, like, right = old.save(tmp_path / "o.weights.h5"), new.save(tmp_path / "w.weights.h5"), old.values()
    assert_same(new.restore(source), moved(right, {"left": "right", "right": "left"}))
    never_wrong(source, "--like", like, restore=new.restore, right=right)
    serves(source, "--like", like, "--match", "name", restore=new.restore, right=right)


@row(12, "expertise")
@both
@pytest.mark.parametrize("units", [[4, 4, 3], [4, 4, 4]])
def test_a_removed_layer_is_an_incompatible_tensor_or_silent(never_wrong, serves_by_rules, tmp_path, library, units):
    old, new = Program(sequential(library, units)), Program(sequential(library, units[1:], seed=2))
    source, like = old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    right = moved(old.values(), {"dense": "dense", "dense_2": "dense_1"})
    if units[2] == 3:
        with raises(ValueError, INCOMPATIBLE):
            new.restore_partly(source)
    else:
        assert wrong(new.restore_partly(source), right) == ["dense_1/bias", "dense_1/kernel"]
    for flags in [], ["--missing", "like"], ["--missing", "like", "--fit", "like"]:
        never_wrong(source, "--like", like, *flags, restore=new.restore, right=right)
    flags = [*drop_layer(library, 1), *rename_layer(library, 2, 1), "--like", like]
    serves_by_rules(source, *flags, match="position", restore=new.restore, right=right)


def drop_layer(library, layer):
    paths = [f"model/_functional/_operations/{layer + 1}"]
    if library is tf_keras:
        paths = [f"model/layer_with_weights-{layer}", f"model/layer-{layer}"]
    return [word for path in paths for word in ("--drop", path)]


@row(12, "expertise")
def test_a_removed_layer_is_nothing_for_a_saver(tmp_path):
    source, program = Saver(MODEL).save(tmp_path / "ckpt"), Saver({k: v for k, v in MODEL.items() if "dense_1" not in k})
    assert_same(program.restore(source), program.values)


class Attribute(keras.Model):
    """A model with a layer in an attribute of any name."""

    def __init__(self, name):
        super().__init__()
        setattr(self, name, keras.layers.Dense(4))
        self.attribute, self.out = name, keras.layers.Dense(2)

    def call(self, x):
        return self.out(getattr(self, self.attribute)(x))


def attribute(name, seed):
    fresh_process(keras)
    return built(Attribute(name), seed)


@row(13, "expertise")
def test_a_renamed_attribute_restores_nothing_there(serves, never_wrong, tmp_path):
    old, new = Program(attribute("fc1", 1)), Program(attribute("hidden", 2))
    source, right = old.save(tmp_path / "ckpt"), old.values()
    assert wrong(new.restore_partly(source), right) == ["dense/bias", "dense/kernel"]
    with raises(AssertionError, NOT_BOUND):
        new.restore(source)
    serves(source, "--rename", "model/fc1=model/hidden", restore=new.restore, right=right)
    never_wrong(source, "--like", new.save(tmp_path / "wanted"), restore=new.restore, right=right)


class Scale(keras.layers.Layer):
    """A custom layer: a gain, and in its second version an offset."""

    def __init__(self, names, **options):
        super().__init__(**options)
        self.names = names
        for name in names:
            setattr(self, name[0], self.add_weight(name=name, shape=[4]))

    def call(self, x):
        return sum(getattr(self, name[0]) * x for name in self.names)


def scaled(*names, seed=1):
    fresh_process(keras)
    return filled(keras.Sequential([keras.Input([4]), Scale(names, name="my_scale"), keras.layers.Dense(2)]), seed)


@row(14, "expertise")
def test_a_changed_custom_layer_restores_nothing_there(serves_by_rules, tmp_path):
    old, new = Program(scaled("w")), Program(scaled("gain", "offset", seed=2))
    own, source, like = new.values(), old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    right = own | moved(old.values(), {"dense": "dense"}) | {"my_scale/gain": old.values()["my_scale/w"]}
    assert wrong(new.restore_partly(source), right) == ["my_scale/gain", "my_scale/offset"]
    with raises(AssertionError, NOT_BOUND):
        new.restore(source)
    file = WeightsFile(old.model).save(tmp_path / "o.weights.h5")
    with raises(ValueError, r"Layer 'my_scale' expected 2 variables, but received 1 variables during loading. Expected: \['gain', 'offset'\]"):
        new.model.load_weights(file)
    layer = "model/_functional/_operations/1"
    flags = ["--rename", f"{layer}/w={layer}/g", "--like", like, "--missing", "like"]
    serves_by_rules(source, *flags, match="position", restore=new.restore, right=right)


@row(15, "expertise")
def test_a_custom_object_that_load_model_does_not_know_is_a_type_error(mount, tmp_path):
    old, new = scaled("w"), WeightsFile(scaled("w", seed=2))
    old.save(tmp_path / "m.keras")
    with raises(TypeError, "could not be deserialized properly"):
        keras.saving.load_model(tmp_path / "m.keras")
    m = mount(tmp_path / "m.keras")
    assert_same(new.restore(m / "m/model.weights.h5"), Program(old).values())


# Paths and state files.


@pytest.fixture
def steps(tmp_path):
    """Returns a directory with ckpt-1, ckpt-2 and ckpt-3."""
    return Steps(tmp_path / "train")


NO_FILES = "Failed to find any matching files for"


@row(16, "solved")
def test_a_missing_step_is_no_matching_file(mount, steps):
    with raises(tf.errors.NotFoundError, NO_FILES):
        steps.restore(steps / "ckpt")
    said = refused("ls", steps / "ckpt")
    assert all(name in said for name in ("ckpt-1", "ckpt-2", "ckpt-3"))
    assert steps.restore(mount(steps / "ckpt-2") / "ckpt-2") == 2


@row(17, "solved")
def test_a_directory_as_a_prefix_is_data_loss(mount, steps):
    with raises(tf.errors.DataLossError, "Unable to open table file .*Is a directory"):
        steps.restore(steps.directory)
    m = mount(steps.directory)
    assert [steps.restore(m / name) for name in ("latest", "ckpt-3", "ckpt-1")] == [3, 3, 1]


@row(18, "solved")
def test_an_index_as_a_prefix_restores_nothing_silently_and_a_data_file_is_no_table(mount, steps):
    assert tf.train.load_checkpoint(str(steps / "ckpt-1.index")).get_variable_to_shape_map() == {}
    assert steps.restore(steps / "ckpt-1.index") is None
    with raises(AssertionError, "Some objects had attributes which were not restored"):
        steps.checkpoint.restore(str(steps / "ckpt-1.index")).assert_consumed()
    with raises(tf.errors.DataLossError, r"not an sstable \(bad magic number\)"):
        steps.restore(steps / "ckpt-1.data-00000-of-00001")
    for name in "ckpt-1.index", "ckpt-1.data-00000-of-00001":
        assert steps.restore(mount(steps / name) / "ckpt-1") == 1
    assert steps.restore(mount(steps / "checkpoint") / "ckpt-3") == 3


@row(19, "solved")
def test_a_moved_directory_with_an_absolute_state_file_has_no_latest(mount, steps, tmp_path):
    (steps / "checkpoint").write_text(f'model_checkpoint_path: "{steps / "ckpt-3"}"\nall_model_checkpoint_paths: "{steps / "ckpt-3"}"\n')
    steps.directory = steps.directory.rename(tmp_path / "moved")
    assert latest(steps.directory) is None
    with raises(ValueError, "Couldn't find 'checkpoint' file or checkpoints in given directory"):
        tf.train.load_checkpoint(str(steps.directory))
    assert steps.restore(latest(mount(steps.directory))) == 3


@row(20, "solved")
@pytest.mark.parametrize("state", ["missing", "garbled", "of a deleted step"])
def test_a_bad_state_file_has_no_latest(mount, steps, state):
    if state == "missing":
        (steps / "checkpoint").unlink()
    elif state == "garbled":
        (steps / "checkpoint").write_text("hello {")
    else:
        for file in steps.directory.glob("ckpt-3.*"):
            file.unlink()
    assert latest(steps.directory) is None
    assert steps.restore(latest(mount(steps.directory))) == (2 if "deleted" in state else 3)


@row(21, "solved")
def test_an_empty_state_file_is_a_value_error(mount, steps):
    (steps / "checkpoint").write_text("")
    with raises(ValueError, "Invalid checkpoint state loaded from"):
        latest(steps.directory)
    assert steps.restore(latest(mount(steps.directory))) == 3


@row(22, "not solved")
def test_restoring_none_is_silent(mount, tmp_path):
    steps = Steps(tmp_path / "elsewhere", count=0)
    steps.kernels = [steps.kernel.numpy() + 1]
    steps.kernel.assign(steps.kernels[0])
    prefix = steps.checkpoint.save(str(tmp_path / "training_checkpoints"))
    assert latest(tmp_path / "training_checkpoints") is None
    assert steps.restore(None) is None
    with raises(AssertionError, r"No checkpoint specified \(save_path=None\); nothing is being restored."):
        steps.checkpoint.restore(None).assert_consumed()
    with raises(ValueError, "Can't load save_path when it is None."):
        v1.train.Saver([steps.kernel]).restore(None, None)
    assert "training_checkpoints-1" in refused("ls", tmp_path / "training_checkpoints")
    assert steps.restore(mount(prefix) / "training_checkpoints-1") == 1


@row(23, "not solved")
def test_a_path_from_another_directory_is_no_matching_file(steps, monkeypatch):
    monkeypatch.chdir(steps.directory)
    assert steps.restore("ckpt-3") == 3
    for path in "./train/ckpt-3", "~/ckpt-3", "train\\ckpt-3":
        with raises(tf.errors.NotFoundError, NO_FILES):
            steps.restore(path)
        assert "no checkpoint" in refused("ls", path)
    assert ckptfs("ls", "./ckpt-3").returncode == 0


@row(24, "solved")
def test_brackets_in_a_path_are_a_pattern_for_tensorflow(mount, steps, tmp_path):
    steps.directory = steps.directory.rename(tmp_path / "run[1]")
    with raises(tf.errors.NotFoundError, NO_FILES):
        steps.restore(steps / "ckpt-3")
    assert steps.restore(mount(steps.directory) / "ckpt-3") == 3


@contextlib.contextmanager
def without_rights():
    """Makes this process an ordinary user, if it is root."""
    root = os.geteuid() == 0
    try:
        if root:
            os.setresuid(65534, 65534, 0)
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)


@pytest.fixture
def open_to_all(monkeypatch):
    """Returns a directory that all users may enter, with a ckptfs that all users may run."""
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        directory.chmod(0o755)
        monkeypatch.setenv("CKPTFS_BIN", str(shutil.copy(binary(), directory)))
        yield directory


@row(25, "expertise")
def test_missing_rights_are_no_matching_file_or_permission_denied(open_to_all):
    steps = Steps(open_to_all / "train", count=2)
    reading, directory = str(steps / "ckpt-2"), steps.directory
    (steps / "ckpt-2.data-00000-of-00001").chmod(0)
    with without_rights():
        with raises(tf.errors.OpError, "ckpt-2.data-00000-of-00001; Permission denied"):
            steps.restore(reading)
        assert "ckpt-2.data-00000-of-00001" in refused("check", reading)
    (steps / "checkpoint").chmod(0)
    with without_rights():
        assert latest(directory) is None
        assert ckptfs("ls", steps / "ckpt-1").returncode == 0
    directory.chmod(0)
    try:
        with without_rights():
            with raises(tf.errors.NotFoundError, NO_FILES):
                steps.restore(reading)
            assert "ermission denied" in refused("check", reading)
    finally:
        directory.chmod(0o755)


# Damaged and incomplete checkpoints.


@row(26, "solved")
def test_a_missing_data_file_is_no_such_file(mount, steps):
    (steps / "ckpt-3.data-00000-of-00001").unlink()
    with raises(tf.errors.OpError, "ckpt-3.data-00000-of-00001; No such file or directory"):
        steps.restore(steps / "ckpt-3")
    assert "ckpt-3.data-00000-of-00001" in ckptfs("ls", steps / "ckpt-3").stderr
    refused("check", steps / "ckpt-3")
    m = mount(steps.directory)
    assert [steps.restore(latest(m)), steps.restore(m / "latest"), steps.restore(m / "ckpt-1")] == [2, 2, 1]


@row(27, "expertise")
def test_a_truncated_data_file_loses_the_last_variable(serves, tmp_path):
    old = floats(1, **{f"l{i}__w": (64, 64) for i in range(10)})
    source, good = Saver(old).save(tmp_path / "ckpt"), Saver(floats(2, l9__w=(64, 64)))
    data, before = tmp_path / "ckpt.data-00000-of-00001", good.save(tmp_path / "before")
    os.truncate(data, data.stat().st_size - 100)
    with raises(IndexError, "Read less bytes than requested"):
        tf.train.load_checkpoint(str(source)).get_tensor("l9/w")
    with raises(tf.errors.OutOfRangeError, "Read less bytes than requested"):
        Saver(old).restore(source)
    whole = Saver({name: value for name, value in old.items() if name != "l9/w"})
    assert_same(whole.restore(source), whole.values)
    said = refused("check", source)
    assert "l9/w" in said and "163740 bytes" in said
    for flags in ["--drop", "l9/w"], ["--keep", "re:l[0-8]/w"], ["--salvage"]:
        serves(source, *flags, restore=values, right=whole.values)
    serves(source, "--take", f"l9/w={before}", restore=values, right=old | good.values)


@row(27, "expertise")
def test_an_export_of_a_truncated_data_file_has_what_is_sound(tmp_path):
    old = floats(1, **{f"l{i}__w": (64, 64) for i in range(3)})
    source, data = Saver(old).save(tmp_path / "ckpt"), tmp_path / "ckpt.data-00000-of-00001"
    os.truncate(data, data.stat().st_size - 100)
    refused("export", source, tmp_path / "none")
    assert not list(tmp_path.glob("none*"))
    run = ckptfs("export", source, tmp_path / "out", "--drop", "l2/w")
    assert run.returncode == 0, run.stderr
    assert_same(values(tmp_path / "out"), {name: old[name] for name in ("l0/w", "l1/w")})


@row(28, "expertise")
def test_a_flipped_bit_is_data_loss_without_a_name(mount, steps, tmp_path):
    data = steps / "ckpt-3.data-00000-of-00001"
    flip(data, data.read_bytes().index(steps.kernels[2].tobytes()) + 700)
    with raises(tf.errors.DataLossError, r"Checksum does not match: stored \d+ vs. calculated"):
        steps.restore(steps / "ckpt-3")
    assert "kernel" in refused("export", steps / "ckpt-3", tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()
    run = ckptfs("check", "--data", steps / "ckpt-3")
    assert run.returncode == 1 and "kernel" in run.stdout + run.stderr
    with pytest.raises(tf.errors.DataLossError):
        steps.restore(mount(steps / "ckpt-3") / "ckpt-3")
    assert steps.restore(mount(steps / "ckpt-3", "--take", f"kernel={steps / 'ckpt-2'}") / "ckpt-3") == 2


@row(29, "solved")
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda index: flip(index, 60), "block checksum mismatch"),
        (lambda index: os.truncate(index, 100), "not an sstable"),
        (lambda index: os.truncate(index, 0), "file is too short to be an sstable"),
    ],
    ids=["flipped", "cut", "empty"],
)
def test_a_damaged_index_of_the_newest_step_leaves_the_others(mount, steps, damage, words):
    damage(steps / "ckpt-3.index")
    with raises(tf.errors.OpError, words):
        steps.restore(steps / "ckpt-3")
    assert steps.restore(steps / "ckpt-2") == 2
    refused("check", steps / "ckpt-3")
    m = mount(steps.directory)
    assert "ckpt-3" in m.stderr
    assert [steps.restore(m / name) for name in ("ckpt-1", "ckpt-2", "latest")] == [1, 2, 2]
    assert steps.restore(latest(m)) == 2


LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 4816\n"


@row(30, "expertise")
@pytest.mark.parametrize(
    ("file", "text", "error", "words"),
    [
        ("ckpt-3.data-00000-of-00001", LFS_POINTER, IndexError, "Read less bytes than requested"),
        ("ckpt-3.index", "<!DOCTYPE html><html>404</html>", tf.errors.OpError, "file is too short to be an sstable"),
        ("ckpt-3.index", f"PK\3\4{'junk' * 20}", tf.errors.OpError, "not an sstable"),
    ],
    ids=["lfs", "html", "zip"],
)
def test_another_file_in_place_of_a_checkpoint_is_data_loss(mount, steps, file, text, error, words):
    (steps / file).write_text(text)
    with raises(error, words):
        steps.restore(steps / "ckpt-3")
    assert file.split(".")[0] in refused("check", steps / "ckpt-3")
    m = mount(steps.directory)
    assert [steps.restore(m / name) for name in ("ckpt-1", "ckpt-2", "latest")] == [1, 2, 2]


@row(31, "solved")
def test_a_half_written_step_is_no_matching_file(mount, steps):
    (steps / "ckpt-3.index").unlink()
    (steps / "ckpt-3_temp").mkdir()
    (steps / "ckpt-3.data-00000-of-00001").rename(steps / "ckpt-3_temp/part-00000-of-00001.data-00000-of-00001")
    with raises(tf.errors.NotFoundError, NO_FILES):
        steps.restore(steps / "ckpt-3")
    assert latest(steps.directory) is None
    m = mount(steps.directory)
    assert [steps.restore(latest(m)), steps.restore(m / "latest")] == [2, 2]


# Shapes and dtypes.


def grown(old, new):
    """Returns new values with the old ones in the corner."""
    grown = new.copy()
    grown[tuple(slice(size) for size in old.shape)] = old
    return grown


@row(32, "expertise")
@both
def test_other_units_are_an_incompatible_tensor(serves, never_wrong, serves_by_rules, tmp_path, library):
    old, new = Program(sequential(library, [6, 3])), Program(sequential(library, [8, 3], seed=2))
    own, source, like = new.values(), old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    with raises(ValueError, INCOMPATIBLE):
        new.restore_partly(source)
    right = {name: grown(old.values()[name], own[name]) for name in own}
    fresh = own | {"dense_1/bias": old.values()["dense_1/bias"]}
    for flags in [], ["--fit", "like"], ["--missing", "like", "--fit", "like"]:
        never_wrong(source, "--like", like, *flags, restore=new.restore, right=right)
    serves(source, "--like", like, "--fit", "**=like", restore=new.restore, right=right)
    if library is keras:
        hidden, kernel = "model/_functional/_operations/1", "model/_functional/_operations/2/_kernel"
    else:
        hidden, kernel = "model/layer_with_weights-0", "model/layer_with_weights-1/kernel"
    flags = ["--drop", f"{hidden}/**", "--drop", kernel, "--like", like, "--missing", f"{hidden}/**=like", "--missing", f"{kernel}=like"]
    serves_by_rules(source, *flags, match="position", restore=new.restore, right=fresh)


@row(32, "expertise")
def test_other_units_are_an_assignment_of_another_shape_in_tf1(serves, tmp_path):
    old, own = floats(1, dense__kernel=(4, 10), out__bias=3), floats(2, dense__kernel=(4, 12), out__bias=3)
    source, like, program = Saver(old).save(tmp_path / "ckpt"), Saver(own).save(tmp_path / "wanted"), Saver(own, resource=False)
    with raises(tf.errors.InvalidArgumentError, r"Assign requires shapes of both tensors to match. lhs shape= \[4,12\] rhs shape= \[4,10\]"):
        program.restore(source)
    right = {name: grown(old[name], own[name]) for name in own}
    serves(source, "--like", like, "--fit", "dense/kernel=like", restore=program.restore, right=right)


@row(33, "expertise")
@both
def test_another_number_of_classes_is_an_incompatible_tensor(serves, tmp_path, library):
    names = ["a", "b", "head"]
    old, new = Program(sequential(library, [4, 4, 2], names)), Program(sequential(library, [4, 4, 5], names, seed=2))
    own, source, like = new.values(), old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    with raises(ValueError, INCOMPATIBLE):
        new.restore_partly(source)
    right = own | moved(old.values(), {"a": "a", "b": "b"})
    for flags in ["--fit", "like"], ["--missing", "like", "--fit", "like"]:
        said = refused("check", source, "--like", like, *flags)
        assert "--fit like" not in said.partition("help:")[2]
    serves(source, *drop_layer(library, 2), "--like", like, "--missing", "like", restore=new.restore, right=right)


def words(library, count, seed):
    fresh_process(library)
    layers = library.layers
    return filled(library.Sequential([layers.Input([3]), layers.Embedding(count, 4), layers.Flatten(), layers.Dense(2)]), seed)


@row(34, "solved")
@both
def test_a_grown_vocabulary_is_an_incompatible_tensor(serves, tmp_path, library):
    old, new = Program(words(library, 10, 1)), Program(words(library, 12, 2))
    own, source, like = new.values(), old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    with raises(ValueError, INCOMPATIBLE):
        new.restore_partly(source)
    assert "--fit" in refused("check", source, "--like", like)
    right = {name: grown(old.values()[name], own[name]) for name in own}
    serves(source, "--like", like, "--fit", "like", restore=new.restore, right=right)


@row(34, "solved")
def test_a_grown_vocabulary_is_an_assignment_of_another_shape_in_tf1(serves, tmp_path):
    table = "bert/embeddings/word_embeddings"
    old, own = MODEL | {table: floats(1, t=(10, 4))["t"]}, MODEL | {table: floats(2, t=(12, 4))["t"]}
    source, like, program = Saver(old).save(tmp_path / "ckpt"), Saver(own).save(tmp_path / "wanted"), Saver(own, resource=False)
    with raises(tf.errors.InvalidArgumentError, r"lhs shape= \[12,4\] rhs shape= \[10,4\]"):
        program.restore(source)
    right = MODEL | {table: grown(old[table], own[table])}
    serves(source, "--like", like, "--fit", "like", restore=program.restore, right=right)


@row(35, "expertise")
def test_a_shrunk_vocabulary_and_a_transposed_kernel_are_of_another_shape(serves, tmp_path):
    old = floats(1, emb=(10, 4), out__kernel=(3, 4))
    right = {"emb": old["emb"][:6], "out/kernel": old["out/kernel"].T.copy()}
    source, like, program = Saver(old).save(tmp_path / "ckpt"), Saver(right).save(tmp_path / "wanted"), Saver(right, resource=False)
    with raises(tf.errors.InvalidArgumentError, r"lhs shape= \[6,4\] rhs shape= \[10,4\]|lhs shape= \[4,3\] rhs shape= \[3,4\]"):
        program.restore(source)
    for flags in [], ["--fit", "like"], ["--missing", "like", "--fit", "like"]:
        refused("check", source, "--like", like, *flags)
    (tmp_path / "fix.toml").write_text(
        'version = 1\n[[rule]]\nconvert = "emb"\nops = [{ slice = ["0:6", ":"] }]\n'
        '[[rule]]\nconvert = "out/kernel"\nops = [{ transpose = [1, 0] }]\n'
    )
    serves(source, "--map", tmp_path / "fix.toml", "--like", like, restore=program.restore, right=right)


@row(36, "not solved")
def test_a_resource_variable_takes_another_shape_silently(tmp_path):
    source, like = Saver(floats(1, emb=(10, 4))).save(tmp_path / "ckpt"), Saver(floats(2, emb=(12, 4))).save(tmp_path / "wanted")
    with v1.Graph().as_default(), v1.Session() as session:
        table, rows = v1.get_variable("emb", [12, 4], use_resource=True), v1.placeholder(tf.int32, [None])
        looked_up = tf.nn.embedding_lookup(table, rows)
        v1.train.Saver().restore(session, str(source))
        assert (table.shape, session.run(table).shape) == ([12, 4], (10, 4))
        with raises(tf.errors.InvalidArgumentError, r"indices\[0\] = 11 is not in \[0, 10\)"):
            session.run(looked_up, {rows: [11]})
    assert "emb" in refused("check", source, "--like", like)


@row(37, "expertise")
def test_other_dtypes_are_an_invalid_argument(serves, tmp_path):
    source = Saver(MODEL | {"global_step": np.int64(1000)}).save(tmp_path / "ckpt")
    program = Saver({name: value.astype(np.float16) for name, value in MODEL.items()} | {"global_step": np.int32(1000)})
    with raises(tf.errors.InvalidArgumentError, "tensor_name = global_step; expected dtype int32 does not equal original dtype int64"):
        program.restore(source)
    refused("check", source, "--like", program.save(tmp_path / "wanted"))
    casts = ["--cast", "**=float16", "--cast", "global_step=int32"]
    serves(source, *casts, restore=program.restore, right=program.values)
    serves(source, *casts, "--like", tmp_path / "wanted", restore=program.restore, right=program.values)


# Optimizers.


@row(38, "expertise")
@both
@pytest.mark.parametrize("units", [[4, 2], [4, 4]])
def test_another_optimizer_takes_the_slots_of_the_old_one(serves, tmp_path, library, units):
    square = {"use_bias": False} if units == [4, 4] else {}
    old = trained(sequential(library, units, **square), library.optimizers.Adam(0.1))
    new = trained(sequential(library, units, seed=2, **square), library.optimizers.SGD(0.2, momentum=0.9))
    own, source, like = new.values(), old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    if square:
        found = new.restore_partly(source)
        momentum, velocity = new.slots()[-1].numpy(), old.slots()[3 if library is keras else 2].numpy()
        assert same(momentum, velocity) and not wrong(found, weights_of(old))
    else:
        with raises(ValueError, INCOMPATIBLE):
            new.restore_partly(source)
    for flags in [], ["--missing", "like"], ["--match", "name"], ["--missing", "zeros"]:
        said = refused("check", source, "--like", like, *flags)
    assert "--drop-optimizer" in refused("check", source, "--like", like)
    right = own | weights_of(old)
    serves(source, "--drop-optimizer", "--like", like, "--missing", "like", restore=new.restore, right=right)


def weights_of(program):
    return Program(program.model).values()


@row(39, "expertise")
def test_an_unfrozen_layer_shifts_the_slots_silently(serves, never_wrong, tmp_path):
    old, new = with_frozen("a", 1), with_frozen("", 2)
    own, source, like = new.values(), old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    right = own | old.values()
    assert {name.removeprefix("adam/") for name in right} >= {"a/kernel", "sequential_a_kernel_momentum"}
    found = new.restore_partly(source)
    for name in "{}/kernel", "adam/sequential_{}_kernel_momentum", "adam/sequential_{}_kernel_velocity":
        assert same(found[name.format("a")], right[name.format("b")]) and same(found[name.format("b")], right[name.format("c")])
        assert (found[name.format("c")] == 77).all()
    for flags in [], ["--missing", "like"], ["--missing", "zeros"]:
        never_wrong(source, "--like", like, *flags, restore=new.restore, right=right)
    serves(source, "--like", like, "--match", "name", "--missing", "like", restore=new.restore, right=right)
    fresh = own | weights_of(old)
    serves(source, "--drop-optimizer", "--like", like, "--missing", "like", restore=new.restore, right=fresh)


@row(40, "solved")
def test_missing_slots_are_a_missing_key(serves, tmp_path):
    source, program = Saver(MODEL).save(tmp_path / "ckpt"), Saver(adam_of(floats(2, **{n.replace("/", "__"): v.shape for n, v in MODEL.items()})))
    with missing_key("beta1_power"):
        program.restore(source)
    like = program.save(tmp_path / "wanted")
    serves(source, "--like", like, "--missing", "like", restore=program.restore, right=program.values | MODEL)


@row(41, "expertise")
def test_a_partial_restore_is_silent(tmp_path):
    old, new = Program(sequential(keras, [4], ["a"])), Program(sequential(keras, [4, 2], ["a", "b"], seed=2))
    source, like = old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    assert (new.restore_partly(source)["b/kernel"] == 77).all()
    said = refused("check", source, "--like", like)
    assert "b/kernel" in said or "2/_kernel" in said
    assert "left out" in ckptfs("check", like, "--like", source).stdout + ckptfs("check", like, "--like", source).stderr


# From one way of saving to another.


@row(42, "expertise")
@both
def test_a_checkpoint_of_tf1_restores_nothing_into_objects(serves, tmp_path, library):
    old = floats(1, net__hidden__kernel=(4, 4), net__hidden__bias=4, net__out__kernel=(4, 2), net__out__bias=2)
    source = Saver(old | {"global_step": np.int64(5)}).save(tmp_path / "ckpt")
    new = Program(sequential(library, [4, 2], ["hidden", "out"], seed=2))
    own, right = new.values(), replaced(old, "net/", "")
    new.checkpoint.restore(str(source)).expect_partial()
    assert_same(new.values(), own)
    with raises(AssertionError, "Some objects had attributes which were not restored"):
        new.checkpoint.restore(str(source)).assert_existing_objects_matched()
    like = new.save(tmp_path / "wanted")
    rule = ["--rename", f"net/**={new.model.name}/**"] if library is keras else ["--strip-prefix", "net/"]
    serves(source, *rule, "--like", like, restore=new.restore, right=right)


class Net(tf.Module):
    def __init__(self, name=None):
        super().__init__(name)
        self.kernel, self.bias = tf.Variable(tf.ones([3, 3]), name="kernel"), tf.Variable(tf.ones(3), name="bias")


@pytest.fixture
def adam(tmp_path):
    return adam_of_tf1(tmp_path / "ckpt", units=3)


@row(43, "not solved")
def test_adam_of_tf1_fits_only_the_legacy_adam_of_keras(mount, adam):
    source, old = adam
    m = mount(source, "--target", "object")
    net, optimizer = Net(), tf_keras.optimizers.legacy.Adam(0.01)
    optimizer.apply_gradients([(tf.zeros([3, 3]), net.kernel), (tf.zeros(3), net.bias)])
    tf.train.Checkpoint(net=net, optimizer=optimizer).read(str(m / "ckpt")).expect_partial()
    found = {"kernel": net.kernel, "Adam": optimizer.get_slot(net.kernel, "m"), "Adam_1": optimizer.get_slot(net.kernel, "v")}
    right = {"kernel": old["net/kernel"], "Adam": old["net/kernel/Adam"], "Adam_1": old["net/kernel/Adam_1"]}
    assert_same({name: value.numpy() for name, value in found.items()}, right)
    assert optimizer.iterations.numpy() == 7

    net, optimizer = Net(), tf_keras.optimizers.Adam(0.01)
    optimizer.build([net.kernel, net.bias])
    with raises(ValueError, "restore a checkpoint from a legacy TF-Keras optimizer into a v2.11"):
        tf.train.Checkpoint(net=net, optimizer=optimizer).read(str(m / "ckpt"))

    net, optimizer = Net(), keras.optimizers.Adam(0.01)
    optimizer.build([keras.Variable(net.kernel), keras.Variable(net.bias)])
    tf.train.Checkpoint(net=net, optimizer=optimizer).read(str(m / "ckpt")).expect_partial()
    assert same(net.kernel, old["net/kernel"]) and optimizer.iterations.numpy() == 0
    assert all(not variable.numpy().any() for variable in optimizer.variables[2:])
    assert "legacy" in ckptfs("check", source, "--target", "object").stdout


@row(43, "not solved")
def test_adam_of_tf1_is_never_wrong_in_keras_3(never_wrong, adam, tmp_path):
    source, old = adam
    fresh_process(keras)
    new = trained(filled(keras.Sequential([keras.Input([3]), keras.layers.Dense(3, name="net")], name="m"), 2), keras.optimizers.Adam(0.1))
    own, like = new.values(), new.save(tmp_path / "wanted")
    weights = {name: old[name] for name in ("net/kernel", "net/bias")}
    slots = {
        f"adam/m_net_{name}_{ours}": old[f"net/{name}/{theirs}"]
        for name in ("kernel", "bias")
        for ours, theirs in [("momentum", "Adam"), ("velocity", "Adam_1")]
    }
    flags = ["--rename", "net/**=m/net/**", "--like", like]
    never_wrong(source, *flags, "--missing", "like", restore=weights_and_slots(new), right=weights | slots)
    fresh = own | weights
    never_wrong(source, *flags, "--drop-optimizer", "--missing", "like", restore=new.restore, right=fresh)


def weights_and_slots(program):
    """Returns a restore without the counters and the learning rate."""
    return lambda prefix: {name: value for name, value in program.restore(prefix).items() if value.ndim}


@row(44, "expertise")
def test_loading_by_name_leaves_a_renamed_layer_silently(mount, tmp_path):
    old, new = sequential(tf_keras, [4, 4], ["a", "b"]), WeightsFile(sequential(keras, [4, 4], ["a", "zz"], seed=2))
    old.save_weights(tmp_path / "legacy.h5")
    right = moved(Program(old).values(), {"a": "a", "b": "zz"})
    assert wrong(new.restore(tmp_path / "legacy.h5", by_name=True), right) == ["zz/bias", "zz/kernel"]
    m = mount(tmp_path / "legacy.h5", "--h5-layout", "legacy", "--rename", "b/**=zz/**")
    assert_same(new.restore(m / "legacy/model.h5", by_name=True), right)


@row(45, "expertise")
def test_a_layer_inserted_is_a_layer_without_weights_in_a_weights_file(serves, never_wrong, tmp_path):
    old, new = WeightsFile(sequential(keras, [4, 4])), WeightsFile(sequential(keras, [4, 4, 4], seed=2))
    own, source, like = new.values(), old.save(tmp_path / "o.weights.h5"), new.save(tmp_path / "w.weights.h5")
    right = own | moved(old.values(), {"dense": "dense", "dense_1": "dense_2"})
    with raises(ValueError, "Layer 'dense_2' expected 2 variables, but received 0 variables"):
        new.restore(source)
    overwritten = [name for name, value in new.values().items() if not (value == 77).all()]
    assert overwritten == ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]
    assert wrong(new.restore(source, skip_mismatch=True), right) == ["dense_1/bias", "dense_1/kernel", "dense_2/bias", "dense_2/kernel"]
    table = tmp_path / "w.tsv"
    table.write_text(ckptfs("ls", like, "--tsv").stdout)
    for flags in [like], [like, "--missing", "like"], [table], [table, "--missing", "zeros"]:
        assert never_wrong(source, "--like", *flags, restore=new.restore, right=right), flags
    serves(source, "--like", like, "--new", "dense_1", restore=new.restore, right=right)


@row(45, "expertise")
def test_a_named_layer_inserted_is_served_by_names_or_refused(never_wrong, tmp_path):
    old, new = WeightsFile(sequential(keras, [4, 4], ["a", "b"])), WeightsFile(sequential(keras, [4, 4, 4], ["a", "new", "b"], seed=2))
    right, source, like = new.values() | old.values(), old.save(tmp_path / "o.weights.h5"), new.save(tmp_path / "w.weights.h5")
    for flags in [], ["--missing", "like"], ["--match", "name", "--missing", "like"]:
        never_wrong(source, "--like", like, *flags, restore=new.restore, right=right)


@row(46, "expertise")
def test_weights_in_tensorflows_format_are_not_supported_by_keras_3(mount, tmp_path, monkeypatch):
    old, new = sequential(tf_keras, [4, 4]), WeightsFile(sequential(keras, [4, 4], seed=2))
    old.save_weights(str(tmp_path / "w"))
    with raises(ValueError, "File format not supported: .* Keras 3 only supports V3 `.keras` files"):
        new.model.load_weights(str(tmp_path / "w"))
    table_of_layers(old, tmp_path, monkeypatch)
    m = mount(tmp_path / "w", "--map", "@keras2-to-keras3", "--map", tmp_path / "layers.toml")
    assert_same(new.restore(m / "w/model.weights.h5"), Program(old).values())


def table_of_layers(model, directory, monkeypatch):
    """Writes layers.toml with the program in the map's comment."""
    run_program("keras2-to-keras3", "import re", model, directory, monkeypatch)


@row(47, "expertise")
def test_a_checkpoint_of_keras_2_restores_nothing_into_keras_3(serves, never_wrong, tmp_path):
    old, new = Program(sequential(tf_keras, [4, 2])), Program(sequential(keras, [4, 2], seed=2))
    source, like, right = old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted"), old.values()
    assert wrong(new.restore_partly(source), right) == sorted(right)
    for flags in [], ["--missing", "like"]:
        never_wrong(source, "--like", like, *flags, restore=new.restore, right=right)
    old, new = (Program(crossing(library, ["left", "right"], seed)) for library, seed in [(tf_keras, 1), (keras, 2)])
    source, like, right = old.save(tmp_path / "named"), new.save(tmp_path / "named_like"), old.values()
    assert wrong(new.restore_partly(source), right) == sorted(right)
    serves(source, "--like", like, restore=new.restore, right=right)


@row(48, "expertise")
def test_an_h5_model_of_keras_2_has_arguments_that_keras_3_does_not_know(mount, tmp_path):
    def model(library, seed):
        fresh_process(library)
        layers = library.layers
        return filled(library.Sequential([layers.Input([3, 4]), layers.LSTM(2, name="lstm"), layers.Dense(2, name="out")]), seed)

    old, new = model(tf_keras, 1), WeightsFile(model(keras, 2))
    old.save(tmp_path / "old.h5")
    with raises(ValueError, r"Unrecognized keyword arguments passed to LSTM: \{'time_major': False\}"):
        keras.saving.load_model(tmp_path / "old.h5")
    m = mount(tmp_path / "old.h5", "--h5-layout", "legacy")
    new.restore(m / "old/model.h5", by_name=True)
    assert all(same(a, b) for a, b in zip(new.model.get_weights(), old.get_weights(), strict=True))


@row(49, "not solved")
def test_a_saved_model_in_another_directory_does_not_exist(tmp_path):
    model = Program(sequential(tf_keras, [4, 2]))
    (tmp_path / "sm").mkdir()
    tf.saved_model.save(model.model, str(tmp_path / "sm/m"))
    model.save(tmp_path / "train/ckpt")
    for directory in "sm", "train":
        with raises(OSError, r"SavedModel file does not exist at: .*\{saved_model.pbtxt\|saved_model.pb\}"):
            tf.saved_model.load(str(tmp_path / directory))
    assert "no checkpoints in this directory" in refused("check", tmp_path / "sm")
    assert ckptfs("check", tmp_path / "sm/m").returncode == 0


@row(50, "not solved")
def test_a_saved_model_restores_nothing_into_a_checkpoint_with_another_root(never_wrong, tmp_path):
    old, new = sequential(tf_keras, [4, 2]), Program(sequential(tf_keras, [4, 2], seed=2))
    tf.saved_model.save(old, str(tmp_path / "m"))
    right = Program(old).values()
    assert wrong(new.restore_partly(tmp_path / "m"), right) == sorted(right)
    for program in new, Program(sequential(keras, [4, 2], seed=2)):
        for flags in [], ["--missing", "like"]:
            like = program.save(tmp_path / "wanted")
            never_wrong(tmp_path / "m", "--like", like, *flags, restore=saved_model_restore(program), right=right)


def saved_model_restore(program):
    """Returns the restore from a mounted SavedModel, whose checkpoint is in the mount's root."""
    return lambda at: program.restore(at.parent / "remapped")


@row(51, "expertise")
def test_a_saved_model_of_keras_2_is_not_supported_by_keras_3(mount, tmp_path, monkeypatch):
    old, new = sequential(tf_keras, [4, 2]), WeightsFile(sequential(keras, [4, 2], seed=2))
    tf.saved_model.save(old, str(tmp_path / "m"))
    with raises(ValueError, r"legacy SavedModel format is not supported by `load_model\(\)` in Keras 3"):
        keras.saving.load_model(str(tmp_path / "m"))
    table_of_layers(old, tmp_path, monkeypatch)
    m = mount(tmp_path / "m", "--map", "@keras2-to-keras3", "--map", tmp_path / "layers.toml")
    assert_same(new.restore(m / "remapped/model.weights.h5"), Program(old).values())


# Averages, many checkpoints, many files.


@row(52, "solved")
def test_averages_of_tf1_are_not_restored_silently(serves, tmp_path):
    averages = {f"{name}/ExponentialMovingAverage": value * 2 for name, value in MODEL.items()}
    source = Saver(MODEL | averages).save(tmp_path / "ckpt")
    program = Saver({name: value * 2 for name, value in MODEL.items()})
    assert wrong(program.restore(source), program.values) == sorted(MODEL)
    with missing_key("model/dense/bias/ExponentialMovingAverage"):
        Saver(averages).restore(Saver(MODEL).save(tmp_path / "raw"))
    serves(source, "--map", "@averages", restore=program.restore, right=program.values)


@row(53, "expertise")
def test_averages_of_keras_are_not_restored_silently(mount, tmp_path):
    old = trained(sequential(keras, [2]), keras.optimizers.Adam(0.1, use_ema=True, ema_momentum=0.5), steps=3)
    new, source = Program(sequential(keras, [2], seed=2)), old.save(tmp_path / "ckpt")
    averages = [variable.numpy() for variable in old.optimizer._model_variables_moving_average]
    right = dict(zip(new.values(), averages, strict=True))
    assert wrong(new.restore_partly(source), right) == sorted(right)
    assert ckptfs("check", source, "--map", "@averages").returncode == 1
    average, layer = "optimizer/_model_variables_moving_average", "model/_functional/_operations/1"
    rules = ["--rename", f"{average}/0={layer}/_kernel", "--rename", f"{average}/1={layer}/bias", "--collision", "first"]
    assert_same(new.restore_partly(mount(source, *rules) / "ckpt-1"), right)


@row(54, "solved")
def test_of_many_checkpoints_the_state_file_names_the_latest(mount, tmp_path):
    steps = Steps(tmp_path / "train", checkpoint_name="my_custom")
    steps.kernel.assign(tf.zeros([300, 4]))
    steps.checkpoint.write(str(steps / "best"))
    assert Path(latest(steps.directory)).name == "my_custom-3"
    m = mount(steps.directory)
    assert [steps.restore(latest(m)), steps.restore(m / "latest"), steps.restore(m / "my_custom-1")] == [3, 3, 1]
    assert_same(values(m / "best"), values(steps / "best"))


@row(55, "solved")
def test_shards_and_partitions_are_one_checkpoint(mount, tmp_path):
    expected = floats(1, **{f"v{i}": (50, 4) for i in range(6)})
    module = tf.train.Checkpoint(**{name: tf.Variable(value) for name, value in expected.items()})
    small = tf.train.CheckpointOptions(experimental_sharding_callback=tf.train.experimental.MaxShardSizePolicy(900))
    source = module.save(str(tmp_path / "ckpt"), options=small)
    assert len(list(tmp_path.glob("ckpt-1.data*"))) > 1
    other = tf.train.Checkpoint(**{f"w{name}": tf.Variable(tf.zeros([50, 4])) for name in expected})
    m = mount(source, "--rename", "v{i:int}=wv{i}")
    other.restore(str(m / "ckpt-1")).assert_consumed()
    assert_same({name: getattr(other, f"w{name}").numpy() for name in expected}, expected)

    whole = floats(7, emb=(10, 4))["emb"]
    with v1.Graph().as_default(), v1.Session() as session:
        table = v1.get_variable("emb", initializer=tf.constant(whole), partitioner=v1.fixed_size_partitioner(3), use_resource=False)
        session.run(v1.global_variables_initializer())
        v1.train.Saver([table], sharded=True).save(session, str(tmp_path / "parts"), write_meta_graph=False)
    program = Saver({"net/emb": whole})
    with missing_key("net/emb"):
        program.restore(tmp_path / "parts")
    assert_same(program.restore(mount(tmp_path / "parts", "--rename", "emb=net/emb") / "parts"), program.values)


# Models that are not built, or not saved.


@row(56, "not solved")
def test_a_deferred_restore_needs_the_checkpoint_until_the_model_is_built(fuse, tmp_path):
    old = Program(sequential(keras, [4, 2]))
    source = old.save(tmp_path / "ckpt")

    def unbuilt():
        fresh_process(keras)
        return keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(2)])

    with raises(AssertionError, r"Unresolved object in checkpoint \(root\).model._functional"):
        tf.train.Checkpoint(model=unbuilt()).restore(str(source)).assert_consumed()
    model = unbuilt()
    tf.train.Checkpoint(model=model).restore(str(source))
    model.build([None, 4])
    assert_same(Program(model).values(), old.values())

    (tmp_path / "m").mkdir()
    assert "built" in on_a_terminal("mount", source, tmp_path / "m")
    model = unbuilt()
    tf.train.Checkpoint(model=model).restore(str(tmp_path / "m/ckpt-1"))
    assert ckptfs("umount", tmp_path / "m").returncode == 0
    with pytest.raises(tf.errors.NotFoundError):
        model.build([None, 4])


def says_that_nothing_is_in_it(source, like, mount):
    check = ckptfs("check", source)
    for said in ckptfs("ls", source).stderr, check.stdout + check.stderr, mount(source).stderr:
        assert "no weights in it" in said
    for have, wanted in (source, like), (like, source):
        for flags in [], ["--missing", "like"], ["--missing", "zeros"]:
            refused("check", have, "--like", wanted, *flags)


@row(57, "not solved")
@both
def test_an_unbuilt_model_is_saved_without_its_weights_silently(mount, tmp_path, library):
    fresh_process(library)
    old = Program(library.Sequential([library.layers.Dense(4), library.layers.Dense(2)]))
    source, new = old.save(tmp_path / "ckpt"), Program(sequential(library, [4, 2]))
    assert list(values(source)) == ["save_counter/.ATTRIBUTES/VARIABLE_VALUE"]
    like = new.save(tmp_path / "wanted")
    assert all((value == 77).all() for value in new.restore_partly(source).values())
    old.checkpoint.restore(str(source)).assert_consumed()
    says_that_nothing_is_in_it(source, like, mount)


@row(58, "not solved")
def test_a_list_of_layers_is_saved_without_its_weights_silently(mount, tmp_path):
    old, new = Program(built(Blocks("ab"))), Program(built(Blocks("ab"), 2))
    source, like = old.save(tmp_path / "ckpt"), Program(sequential(keras, [4, 4], "ab")).save(tmp_path / "wanted")
    assert list(values(source)) == ["save_counter/.ATTRIBUTES/VARIABLE_VALUE"]
    assert all((value == 77).all() for value in new.restore(source).values())
    says_that_nothing_is_in_it(source, like, mount)


# Managers.


@row(59, "not solved")
def test_a_manager_has_no_restore(mount, steps):
    with raises(AttributeError, "'CheckpointManager' object has no attribute 'restore'"):
        steps.manager.restore(latest(steps.directory))
    assert steps.restore(mount(steps.directory) / "latest") == 3


@row(60, "expertise")
def test_saving_into_a_mount_is_a_read_only_file_system(mount, steps):
    m = mount(steps.directory)
    manager = tf.train.CheckpointManager(steps.checkpoint, str(m), max_to_keep=9)
    assert Path(manager.restore_or_initialize()).name == "ckpt-3"
    with raises(tf.errors.PermissionDeniedError, "ckpt-4_temp; Read-only file system"):
        manager.save()
    assert steps.restore(m / "latest") == 3


@row(61, "not solved")
def test_a_second_manager_deletes_the_steps_of_the_first_silently(mount, steps):
    tf.train.CheckpointManager(steps.checkpoint, str(steps.directory), max_to_keep=1).save()
    assert [file.stem for file in steps.directory.glob("*.index")] == ["ckpt-4"]
    m = mount(steps.directory)
    assert sorted(file.stem for file in m.path.glob("*.index")) == ["ckpt-4", "latest"]
    assert steps.restore(m / "latest") == 3


def test_no_row_is_worse_than_before_and_none_is_made_worse():
    """Counts the verdicts. A row is proved by the tests above, so this test comes last."""
    before = {number: verdict for verdict, numbers in BEFORE.items() for number in numbers}
    assert sorted(before) == sorted(CLAIMED) == list(range(1, 62))
    rank = VERDICTS.index
    assert not [number for number in CLAIMED if rank(CLAIMED[number]) > rank(before[number])]
    assert not [number for number, verdict in PROVED.items() if verdict == "worse"]


def test_every_row_is_mended_by_a_printed_line_or_says_why_not():
    """Counts the rows that the tests of the sister modules mend. Those modules import this one, so they come here."""
    for sister in "test_fix", "test_doctor", "test_diff":
        importlib.import_module(sister)
    mended, chosen = set(verdicts.MENDED), set(verdicts.CHOSEN) - set(verdicts.MENDED)
    explained = set(verdicts.EXPLAINED)
    assert not explained & (mended | chosen)
    assert mended | chosen | explained == set(range(1, 62))
    assert (len(mended), len(chosen), len(explained)) == (48, 7, 6)

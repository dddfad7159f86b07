"""`ckptfs diff` against TensorFlow: what it calls silently wrong is restored wrongly, bit by bit, and nothing else is.

A variable may be called uncertain, where names only count and cannot say which layer is new. Then the values are right if
the other layer is. The printed commands are run: one of them restores all values rightly.
"""

import json
import shlex

import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from harness import assert_same, ckptfs, refused, same, values
from programs import (
    KERAS, Program, Saver, WeightsFile, built, crossing, floats, fresh_process, moved, sequential, trained, v1, with_frozen,
)  # fmt: skip
from verdicts import chosen, mended

both = pytest.mark.parametrize("library", KERAS, ids=["keras3", "keras2"])

INCOMPATIBLE = "Received incompatible tensor with shape"


class Report:
    """The JSON of `ckptfs diff`."""

    def __init__(self, have, want, *flags, code=1):
        run = ckptfs("diff", have, want, "--json", *flags)
        assert run.returncode == code, f"exit {run.returncode}: {run.stdout}{run.stderr}"
        self.have, self.json = have, json.loads(run.stdout)

    def wrong(self, certain=True):
        return {self.name(wrong): wrong for wrong in self.json["silent"] if wrong["certain"] == certain}

    def stops(self):
        return {self.name(stop): stop for stop in self.json["stops"]}

    def name(self, row):
        """Returns the name by which the programs of these tests know a variable: layer and weight, or a slot's full name."""
        parts = row["program_name"].split("/")
        is_slot = parts[0].lower().startswith(("adam", "sgd"))
        return row["program_name"] if len(parts) < 3 or is_slot else "/".join(parts[-2:])

    def judges(self, found, right):
        """Checks the verdicts against the values after TensorFlow's own restore. All of HAVE's values differ."""
        # tf_keras does not list the learning rate among an optimizer's variables.
        certain = {name: wrong for name, wrong in self.wrong().items() if name in right or name != "learning_rate"}
        uncertain = self.wrong(certain=False)
        different = {name for name in right if not same(found[name], right[name])}
        assert certain.keys() <= different <= certain.keys() | uncertain.keys()
        self.takes(found, certain | uncertain)
        return certain

    def takes(self, found, wrong):
        """Checks that a variable has the value that TensorFlow is said to take, or its own."""
        keys = {row["name"]: row["key"] for row in json.loads(ckptfs("ls", self.have, "--json").stdout)}
        stored = values_of(self.have)
        for name, row in wrong.items():
            if row["kind"] == "initialized":
                assert (np.asarray(found[name]) == 77).all(), name
            else:
                assert same(found[name], stored[keys[row["from"]]]), name


def values_of(path):
    """Returns the values of a checkpoint or of a file of weights by key."""
    if path.suffix != ".h5":
        return values(path)
    listed = ckptfs("ls", path).stdout.split()
    return {name: np.load(raw(path, name)) for name in listed}


def raw(path, name):
    import io

    return io.BytesIO(ckptfs("cat", path, name, "--as", "npy", text=False).stdout)


def restores_by_a_command(mount, report, restore, right, among=1):
    """Runs the printed commands. Exactly one of `among` that say different things restores all values rightly."""
    outcomes = []
    for row in report.json["commands"]:
        words = shlex.split(row["command"])
        assert words[:2] == ["ckptfs", "mount"] and words[3] == "m"
        m = mount(words[2], *words[4:])
        outcomes.append(not [name for name, value in right.items() if not same(restore(m / report.have.name)[name], value)])
    assert any(outcomes) and len(outcomes) <= among, report.json["commands"]


def scrambled(program, seed):
    """Gives the slots and numbers of an optimizer values that no other variable has."""
    rng = np.random.default_rng(seed)
    for variable in program.slots():
        variable.assign(np.asarray(rng.normal(size=variable.shape) * 1000).astype(np.asarray(variable.numpy()).dtype))
    return program


def weights_of(program):
    return Program(program.model).values()


@chosen(8)
def test_a_missing_key_is_an_error_and_not_silent(mount, tmp_path):
    layers = ["dense", "dense_1", "dense_2", "dense_3"]
    shapes = {f"{layer}__{x}": shape for layer in layers for x, shape in [("kernel", (4, 4)), ("bias", 4)]}
    old = {name: value for name, value in floats(1, **shapes).items() if "dense_3" not in name}
    own = floats(2, **shapes)
    source, program = Saver(old).save(tmp_path / "ckpt"), Saver(own)
    report = Report(source, program.save(tmp_path / "wanted"))
    assert set(report.stops()) == {"dense_3/kernel", "dense_3/bias"} and not report.json["silent"]
    with pytest.raises(tf.errors.NotFoundError, match="Key dense_3/bias not found"):
        program.restore(source)
    assert len(report.json["commands"]) == 4, "each of the layers may be the new one"
    right = own | moved(old, {"dense": "dense", "dense_1": "dense_2", "dense_2": "dense_3"})
    restores_by_a_command(mount, report, program.restore, right, among=4)


@chosen(7)
def test_a_layer_inserted_before_a_head_is_one_of_those_of_its_shape(mount, tmp_path):
    layers = {"dense": (3, 4), "dense_1": (4, 4), "dense_2": (4, 4), "dense_3": (4, 2)}
    own = floats(2, **{f"{layer}__{x}": shape for layer, kernel in layers.items() for x, shape in [("kernel", kernel), ("bias", kernel[1])]})
    kept = {"dense": "dense", "dense_1": "dense_2", "dense_2": "dense_3"}
    old = {f"{layer}/{x}": own[f"{kept[layer]}/{x}"] * 3 for layer in kept for x in ("kernel", "bias")}
    source, program = Saver(old).save(tmp_path / "ckpt"), Saver(own)
    report = Report(source, program.save(tmp_path / "wanted"))
    with pytest.raises(tf.errors.NotFoundError, match="Key dense_3/bias not found"):
        program.restore(source)
    restores_by_a_command(mount, report, program.restore, own | moved(old, kept), among=4)


@both
def test_an_inserted_layer_of_another_shape_is_an_error(mount, tmp_path, library):
    old, new = Program(sequential(library, [6, 3])), Program(sequential(library, [6, 5, 3], seed=2))
    own, source, like = new.values(), old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    report = Report(source, like)
    with pytest.raises(ValueError, match=INCOMPATIBLE) as error:
        new.restore(source)
    assert any(name in str(error.value) for name in report.stops()) and not report.json["silent"]
    assert set(report.stops()) == {"dense_1/kernel", "dense_1/bias"}
    right = own | moved(old.values(), {"dense": "dense"})
    restores_by_a_command(mount, report, new.restore, right)


@chosen(10)
@both
@pytest.mark.parametrize("fresh", [True, False], ids=["numbered_alike", "numbered_on"])
def test_an_inserted_layer_of_one_shape_is_silent(mount, tmp_path, library, fresh):
    old, new = Program(sequential(library, [4, 4])), Program(sequential(library, [4, 4, 4], seed=2, fresh=fresh))
    first, middle, last = [layer.name for layer in new.model.layers]
    own, like, source = new.values(), new.save(tmp_path / "wanted"), old.save(tmp_path / "ckpt")
    right = own | moved(old.values(), {"dense": first, "dense_1": last})
    report = Report(source, like)
    wrong = report.judges(new.restore_partly(source), right)
    assert set(wrong) == {f"{last}/kernel", f"{last}/bias"} and len(report.wrong(certain=False)) == 4
    restores_by_a_command(mount, report, new.restore, right, among=3)


@both
def test_layers_in_another_order_are_swapped(mount, tmp_path, library):
    old, new = Program(crossing(library, ["left", "right"], 1)), Program(crossing(library, ["right", "left"], 2))
    source, like, right = old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted"), old.values()
    report = Report(source, like)
    assert set(report.judges(new.restore(source), right)) == set(right)
    assert report.json["assert_consumed"] is True
    restores_by_a_command(mount, report, new.restore, right)


def test_layers_in_another_order_are_swapped_by_a_weights_file(mount, tmp_path):
    old, new = WeightsFile(crossing(keras, ["left", "right"], 1)), WeightsFile(crossing(keras, ["right", "left"], 2))
    source, like, right = old.save(tmp_path / "o.weights.h5"), new.save(tmp_path / "w.weights.h5"), old.values()
    report = Report(source, like)
    assert len(report.wrong()) == 4 and not report.wrong(certain=False)
    by_layer = {"left/0": "left/kernel", "left/1": "left/bias", "right/0": "right/kernel", "right/1": "right/bias"}
    found = new.restore(source)
    report.takes({number: found[name] for number, name in by_layer.items()}, report.wrong())
    restores_by_a_command(mount, report, new.restore, right)


@chosen(12)
@both
@pytest.mark.parametrize("units", [[4, 4, 3], [4, 4, 4]])
def test_a_removed_layer_is_an_error_or_silent(mount, tmp_path, library, units):
    old, new = Program(sequential(library, units)), Program(sequential(library, units[1:], seed=2))
    source, like = old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    right, report = moved(old.values(), {"dense": "dense", "dense_2": "dense_1"}), Report(source, like)
    if units[2] == 3:
        assert set(report.stops()) == {"dense_1/kernel", "dense_1/bias"} and not report.json["silent"]
        with pytest.raises(ValueError, match=INCOMPATIBLE):
            new.restore_partly(source)
    else:
        assert not report.judges(new.restore_partly(source), right) and len(report.wrong(certain=False)) == 4
    restores_by_a_command(mount, report, new.restore, right, among=3)


def test_a_removed_layer_of_a_saver_with_names_of_its_own_is_right(tmp_path):
    old = floats(1, **{f"dense{n}__{x}": shape for n in ["", "_1", "_2"] for x, shape in [("kernel", (4, 4)), ("bias", 4)]})
    kept = {name: value for name, value in old.items() if "dense_1" not in name}
    source, program = Saver(old).save(tmp_path / "ckpt"), Saver(kept)
    report = Report(source, program.save(tmp_path / "wanted"))
    assert not report.json["silent"] and not report.json["stops"]
    assert_same(program.restore(source), kept)


class Attribute(keras.Model):
    def __init__(self, name):
        super().__init__()
        setattr(self, name, keras.layers.Dense(4))
        self.head, self.first = keras.layers.Dense(2), name

    def call(self, x):
        return self.head(getattr(self, self.first)(x))


def test_a_renamed_attribute_stays_as_it_was_initialized(tmp_path):
    old, new = Program(built(Attribute("fc1"))), Program(built(Attribute("hidden"), seed=2))
    source, like = old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    report = Report(source, like)
    assert set(report.wrong()) == {"hidden/_kernel", "hidden/bias"}
    found = new.restore_partly(source)
    stays = {name for name, value in found.items() if (value == 77).all()}
    assert len(stays) == 2
    assert "--rename 'model/fc1/**=model/hidden/**'" in report.json["commands"][0]["command"]


@mended(36)
def test_a_resource_variable_takes_another_shape(mount, tmp_path):
    old, own = floats(1, emb=(10, 4), out__bias=3), floats(2, emb=(12, 4), out__bias=3)
    source, like = Saver(old).save(tmp_path / "ckpt"), Saver(own).save(tmp_path / "wanted")
    report = Report(source, like)
    assert {name: wrong["kind"] for name, wrong in report.wrong().items()} == {"emb": "shape"}
    assert report.json["other_shape"][0]["meaning"] == "2 rows more"
    with v1.Graph().as_default(), v1.Session() as session:
        variables = {name: v1.get_variable(name, value.shape, use_resource=True) for name, value in own.items()}
        v1.train.Saver(variables).restore(session, str(source))
        assert_same(session.run(variables), old)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="Assign requires shapes of both tensors to match"):
        Saver(own, resource=False).restore(source)
    right = old | {"emb": np.concatenate([old["emb"], own["emb"][10:]])}
    restores_by_a_command(mount, report, Saver(own).restore, right)


def test_other_dtypes_are_an_error(mount, tmp_path):
    old = floats(1, model__kernel=(3, 4), model__bias=4) | {"global_step": np.int64(1000)}
    program = Saver({name: value.astype(np.float16) for name, value in old.items()} | {"global_step": np.int32(1000)})
    source = Saver(old).save(tmp_path / "ckpt")
    report = Report(source, program.save(tmp_path / "wanted"))
    assert set(report.stops()) == set(old) == {row["program_name"] for row in report.json["other_dtype"]}
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected dtype"):
        program.restore(source)
    restores_by_a_command(mount, report, program.restore, program.values)


@both
@pytest.mark.parametrize("units", [[4, 2], [4, 4]])
def test_another_optimizer_takes_the_slots_of_the_old_one(mount, tmp_path, library, units):
    square = {"use_bias": False} if units == [4, 4] else {}
    old = scrambled(trained(sequential(library, units, **square), library.optimizers.Adam(0.1)), 5)
    new = trained(sequential(library, units, seed=2, **square), library.optimizers.SGD(0.2, momentum=0.9))
    own, source, like = new.values(), old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    right, report = own | weights_of(old), Report(source, like)
    if square:
        wrong = report.judges(new.restore_partly(source), right)
        assert any("momentum" in name or "/m/" in name for name in wrong), wrong
    else:
        with pytest.raises(ValueError, match=INCOMPATIBLE):
            new.restore_partly(source)
        assert report.stops() and not report.json["silent"]
    restores_by_a_command(mount, report, new.restore, right)


@chosen(39)
def test_an_unfrozen_layer_shifts_weights_and_slots(mount, tmp_path):
    old, new = scrambled(with_frozen("a", 1), 5), with_frozen("", 2)
    own, source, like = new.values(), old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    right, report = own | old.values(), Report(source, like)
    wrong = report.judges(new.restore_partly(source), right)
    assert len(wrong) == 9 and not report.wrong(certain=False)
    restores_by_a_command(mount, report, new.restore, right, among=2)


@mended(41)
@both
def test_a_partial_restore_leaves_the_rest(mount, tmp_path, library):
    old, new = Program(sequential(library, [4], ["a"])), Program(sequential(library, [4, 2], ["a", "b"], seed=2))
    own, source, like = new.values(), old.save(tmp_path / "ckpt"), new.save(tmp_path / "wanted")
    report = Report(source, like)
    assert set(report.judges(new.restore_partly(source), own | old.values())) == {"b/kernel", "b/bias"}
    restores_by_a_command(mount, report, new.restore, own | old.values())


@both
def test_a_checkpoint_of_tf1_is_taken_by_full_name_but_not_by_keras_3(tmp_path, library):
    new = Program(sequential(library, [4], ["a"], seed=2))
    scope = f"{new.model.name}/" if library is keras else ""
    old = {"a/kernel": (4, 4), "a/bias": 4}
    old = {name: floats(seed, x=shape)["x"] for seed, (name, shape) in enumerate(old.items())}
    source = Saver({scope + name: value for name, value in old.items()}).save(tmp_path / "ckpt")
    report, found = Report(source, new.save(tmp_path / "wanted")), new.restore_partly(source)
    report.judges(found, old)
    assert bool(report.wrong()) == (library is keras)


@chosen(45)
def test_a_layer_inserted_is_left_by_skip_mismatch(mount, tmp_path):
    old, new = WeightsFile(sequential(keras, [4, 4])), WeightsFile(sequential(keras, [4, 4, 4], seed=2))
    own, source, like = new.values(), old.save(tmp_path / "o.weights.h5"), new.save(tmp_path / "w.weights.h5")
    report = Report(source, like)
    assert set(report.wrong()) == {"dense_2/0", "dense_2/1"} and len(report.wrong(certain=False)) == 4
    found = new.restore(source, skip_mismatch=True)
    assert {name for name, value in found.items() if (value == 77).all()} == {"dense_2/kernel", "dense_2/bias"}
    by_number = {f"{layer}/{number}": found[f"{layer}/{name}"] for layer in ["dense", "dense_1"] for number, name in enumerate(["kernel", "bias"])}
    report.takes(by_number, report.wrong(certain=False))
    right = own | moved(old.values(), {"dense": "dense", "dense_1": "dense_2"})
    restores_by_a_command(mount, report, new.restore, right, among=3)


@pytest.mark.parametrize("units", [[4, 5], [5, 4]])
def test_a_weights_file_of_other_units_is_left_by_skip_mismatch_from_the_first_variable_on(tmp_path, units):
    old, new = WeightsFile(sequential(keras, [4, 4], ["a", "b"])), WeightsFile(sequential(keras, units, ["a", "b"], seed=2))
    source, like = old.save(tmp_path / "o.weights.h5"), new.save(tmp_path / "w.weights.h5")
    report = Report(source, like)
    found = new.restore(source, skip_mismatch=True)
    stays = {name for name, value in found.items() if (value == 77).all()}
    numbers = {"kernel": "0", "bias": "1"}
    assert set(report.wrong()) == {f"{name.split('/')[0]}/{numbers[name.split('/')[1]]}" for name in stays}


@mended(50)
@both
def test_a_saved_model_restores_nothing_under_another_root(mount, tmp_path, library):
    old, new = sequential(tf_keras, [4, 2]), Program(sequential(library, [4, 2], seed=2))
    tf.saved_model.save(old, str(tmp_path / "m"))
    report = Report(tmp_path / "m", new.save(tmp_path / "wanted"))
    found = new.restore_partly(tmp_path / "m" / "variables" / "variables")
    assert set(report.wrong()) == set(found) and all((value == 77).all() for value in found.values())
    assert {wrong["kind"] for wrong in report.wrong().values()} == {"initialized"}
    restores_by_a_command(mount, report, lambda at: new.restore(at.parent / "remapped"), Program(old).values())


@both
def test_two_steps_of_one_training_have_equal_names_and_other_values(tmp_path, library):
    program = trained(sequential(library, [4, 2]), library.optimizers.Adam(0.1))
    first, old = program.save(tmp_path / "ckpt"), program.values()
    scrambled(program, 5)
    program.model.layers[0].kernel.assign(program.model.layers[0].kernel + 1)
    second = program.save(tmp_path / "ckpt")
    Report(first, first, "--values", code=0)
    Report(first, second, code=0)
    report = Report(first, second, "--values")
    changed = {name for name, value in program.values().items() if not same(value, old[name])}
    names = {row["name"]: row for row in json.loads(ckptfs("ls", first, "--json").stdout)}
    unequal = [row["name"] for row in report.json["values"]["variables"] if row["share_equal"] < 1]
    full = {names[name]["full_name"] or name for name in unequal} - {"save_counter"}
    assert {name for name in changed if any(other.endswith(name) for other in full)} == changed and len(full) == len(changed)


# Values, against NumPy.

RNG = np.random.default_rng(3)
DTYPES = [
    np.float32, np.float64, np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e5m2, np.complex64, np.complex128, np.int8, np.int64, np.uint8,
    np.uint64, np.bool_,
]  # fmt: skip


def numbers(dtype, count=3000):
    if np.issubdtype(dtype, np.complexfloating):
        return (RNG.normal(size=count) + 1j * RNG.normal(size=count)).astype(dtype)
    if np.dtype(dtype) == np.bool_:
        return RNG.integers(0, 2, count).astype(bool)
    if np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        return RNG.integers(info.min, info.max, count, dtype=dtype, endpoint=True)
    return RNG.normal(size=count).astype(dtype)


def saved(prefix, tensors):
    """Saves tensors of any dtype under their names."""
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=list(tensors), shape_and_slices=[""] * len(tensors), tensors=list(tensors.values()))
    return prefix


def parts(array):
    """Returns the numbers of an array as float64, those of a complex number one by one."""
    array = np.asarray(array)
    if np.iscomplexobj(array):
        return array.view(np.float32 if array.dtype == np.complex64 else np.float64).astype(np.float64)
    return array.astype(np.float64)


def words(array):
    """Returns the bytes of each number."""
    array = np.asarray(array)
    width = array.dtype.itemsize // (2 if np.iscomplexobj(array) else 1)
    return array.view(np.uint8).reshape(-1, width)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_values_are_measured_as_by_numpy(tmp_path, dtype):
    have, want = numbers(dtype), numbers(dtype)
    want[::3] = have[::3]
    if np.dtype(dtype).kind in "fcV":
        have[:4], want[:4] = [np.nan, np.nan, 1, np.inf], [np.nan, 1, np.nan, np.inf]
    pair = {"w": tf.constant(have)}, {"w": tf.constant(want)}
    report = Report(saved(tmp_path / "a", pair[0]), saved(tmp_path / "b", pair[1]), "--values")
    found, (x, y) = report.json["values"], (parts(have), parts(want))
    equal = (words(have) == words(want)).all(1)
    with np.errstate(all="ignore"):
        distance = np.where(equal, 0, np.abs(x - y))
        finite = np.isfinite(x) & np.isfinite(y)
        norm = np.sqrt((distance[finite] ** 2).sum() / (y[finite] ** 2).sum())
    assert found["elements"] == x.size and found["share_equal"] == pytest.approx(equal.mean())
    assert [found["nan_have"], found["nan_want"]] == [np.isnan(x).sum(), np.isnan(y).sum()]
    assert found["max_abs"] == pytest.approx(np.nanmax(distance), rel=1e-12)
    assert found["relative_norm"] == pytest.approx(norm, rel=1e-9)
    tolerant = Report(tmp_path / "a", tmp_path / "b", "--values", "--tolerance", "0.5").json["values"]
    with np.errstate(all="ignore"):
        near = equal | (np.isfinite(distance) & (distance <= 0.5 * np.abs(y)))
    assert tolerant["share_equal"] == pytest.approx(near.mean())


def test_nan_equals_nan_of_the_same_bits_only(tmp_path):
    nan = np.array([0x7FC00000, 0x7FC00001, 0xFFC00000], np.uint32).view(np.float32)
    other = np.array([0x7FC00000, 0x7FC00002, 0x7FC00000], np.uint32).view(np.float32)
    a, b = saved(tmp_path / "a", {"w": tf.constant(nan)}), saved(tmp_path / "b", {"w": tf.constant(other)})
    Report(a, a, "--values", code=0)
    found = Report(a, b, "--values", "--tolerance", "1").json["values"]
    assert found["share_equal"] == pytest.approx(1 / 3) and found["max_abs"] == 0
    zeros = saved(tmp_path / "c", {"w": tf.constant([0.0, 1.0])}), saved(tmp_path / "d", {"w": tf.constant([-0.0, 1.0])})
    assert Report(*zeros, "--values").json["values"]["share_equal"] == 0.5
    Report(*zeros, "--values", "--tolerance", "0", code=0)


def test_strings_are_compared_by_their_bytes(tmp_path):
    a = saved(tmp_path / "a", {"w": tf.constant([b"", b"a\0", b"\xff" * 300])})
    b = saved(tmp_path / "b", {"w": tf.constant([b"", b"a", b"\xff" * 300])})
    Report(a, a, "--values", code=0)
    found = Report(a, b, "--values", "--tolerance", "9").json["values"]
    assert found["elements"] == 3 and found["share_equal"] == pytest.approx(2 / 3)


def test_exact_distances_of_large_integers(tmp_path):
    large = np.array([2**62, 2**62 + 1], np.int64)
    a, b = saved(tmp_path / "a", {"w": tf.constant(large)}), saved(tmp_path / "b", {"w": tf.constant(large[::-1].copy())})
    assert Report(a, b, "--values").json["values"]["max_abs"] == 1


def test_one_model_in_two_formats_has_equal_values(tmp_path):
    source = Saver(floats(1, model__kernel=(3, 4), model__bias=4)).save(tmp_path / "ckpt")
    assert ckptfs("export", source, tmp_path / "out.safetensors").returncode == 0
    Report(source, tmp_path / "out.safetensors", "--values", code=0)
    Report(tmp_path / "out.safetensors", source, "--values", code=0)
    Report(source, tmp_path / "out.safetensors", "--values", "--cast", "**=float16")


def test_a_table_has_no_values(tmp_path):
    source, table = Saver(floats(1, w=(3, 4))).save(tmp_path / "ckpt"), tmp_path / "w.tsv"
    table.write_text(ckptfs("ls", source, "--tsv").stdout)
    Report(source, table, code=0)
    assert "no values to compare" in refused("diff", source, table, "--values", code=2)
    assert "no values to compare" in refused("diff", table, source, "--values", code=2)

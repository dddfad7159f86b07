"""Commands that once said yes though the numbers were wrong. Now each is refused, or warns, or serves the right values."""

import os
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import table
from harness import assert_same, ckptfs, refused, same, values
from programs import (
    Blocks, Program, Saver, Steps, WeightsFile, built, crossing, flip, floats, fresh_process, latest, moved, sequential, trained, v1, with_frozen,
)  # fmt: skip


def succeeds(*arguments):
    """Runs a command that must succeed, and returns all that it prints."""
    run = ckptfs(*arguments)
    assert run.returncode == 0, f"{run.stdout}{run.stderr}"
    return run.stdout + run.stderr


@pytest.mark.parametrize("missing", ["like", "zeros"])
def test_no_variable_has_a_source(serves, tmp_path, missing):
    """T1"""
    program = Saver(floats(2, b__w=(3, 3)))
    source, like = Saver(floats(1, a__w=(3, 3))).save(tmp_path / "old"), program.save(tmp_path / "wanted")
    for command in ["check", source], ["mount", source, tmp_path / "refused"], ["ls", source], ["export", source, tmp_path / "out"]:
        (tmp_path / "refused").mkdir(exist_ok=True)
        said = refused(*command, "--like", like, "--missing", missing)
        assert "b/w" in said and "--missing" in said
    assert not list(tmp_path.glob("out*"))
    right = program.values if missing == "like" else {"b/w": np.zeros([3, 3], np.float32)}
    serves(source, "--like", like, "--missing", f"**={missing}", restore=program.restore, right=right)


def test_fewer_than_half_of_the_weights_have_a_source(serves, tmp_path):
    """X1"""
    old, own = floats(1, a__w=(3, 3)), floats(2, a__w=(3, 3), b__w=(3, 3), b__b=3, c__w=(3, 3))
    source, like, program = Saver(old).save(tmp_path / "old"), Saver(own).save(tmp_path / "wanted"), Saver(own)
    assert re.search("--missing '?[bc*]", refused("check", source, "--like", like, "--missing", "like"))
    right = own | old
    for pattern in ["b/**", "c/**"], ["**"]:
        flags = [word for name in pattern for word in ("--missing", f"{name}=like")]
        serves(source, "--like", like, *flags, restore=program.restore, right=right)
    # The first pattern that matches counts, and the step and the slots of an optimizer are no weights.
    half = floats(1, a__w=(3, 3), b__w=(3, 3), b__b=3)
    source = Saver(half).save(tmp_path / "half")
    flags = ["--missing", "c/*=zeros", "--missing", "**=like"]
    serves(source, "--like", like, *flags, restore=program.restore, right=half | {"c/w": np.zeros([3, 3], np.float32)})
    serves(source, "--like", like, "--missing", "like", restore=program.restore, right=own | half)


BODY = floats(1, encoder__kernel=(6, 6), encoder__bias=6, table=(8, 6), norm__gamma=6)
LORA = floats(2, encoder__lora_a=(6, 2), encoder__lora_b=(2, 6), table_lora_a=(8, 2), table_lora_b=(2, 6))
ADAM = {f"{name}/{slot}": value for slot in ("Adam", "Adam_1") for name, value in floats(3, table=(8, 6), norm__gamma=6).items()}
HEAD = floats(4, head__kernel=(6, 900), head__bias=900)


@pytest.mark.parametrize(
    "own",
    [{"table": BODY["table"]}, {name: BODY[name] for name in BODY if "encoder" in name}, BODY | LORA, BODY | HEAD, BODY | ADAM],
    ids=["only the embeddings", "only the encoder", "adapters", "a head with most parameters", "an optimizer"],
)
def test_half_of_the_weights_have_a_source(serves, tmp_path, own):
    """X1, the other way round: the new variables are few, or are the optimizer's state"""
    source = Saver(BODY).save(tmp_path / "old")
    program = Saver({name: value * 2 for name, value in own.items()})
    like = program.save(tmp_path / "wanted")
    right = program.values | {name: BODY[name] for name in own if name in BODY}
    serves(source, "--like", like, "--missing", "like", restore=program.restore, right=right)


def test_more_adapters_than_weights_need_a_pattern(serves, tmp_path):
    """X1"""
    more = BODY | LORA | floats(5, norm__lora_a=6)
    source, program = Saver(BODY).save(tmp_path / "old"), Saver({name: value * 2 for name, value in more.items()})
    like, right = program.save(tmp_path / "wanted"), program.values | BODY
    refused("check", source, "--like", like, "--missing", "like")
    serves(source, "--like", like, "--missing", "**lora_{x}=like", restore=program.restore, right=right)


def unbuilt():
    fresh_process(keras)
    return keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(2)])


def test_an_unbuilt_model_is_the_source_or_is_wanted(mount, tmp_path):
    """T1b, T2"""
    empty = Program(unbuilt()).save(tmp_path / "unbuilt")
    whole = Program(sequential(keras, [4, 2])).save(tmp_path / "built")
    for source, like in (empty, whole), (whole, empty):
        for flags in [], ["--missing", "like"], ["--missing", "zeros"]:
            assert "no weights in it" in refused("check", source, "--like", like, *flags)
    assert "no weights in it" in mount(empty).stderr
    for command in "ls", "check":
        assert "no weights in it" in succeeds(command, empty)
        assert "no weights in it" not in succeeds(command, whole)


@pytest.mark.parametrize("missing", [[], ["--missing", "like"], ["--missing", "zeros"]])
def test_layers_of_one_shape_are_numbered_on_the_wanted_side(tmp_path, missing):
    """T3, T4, and with names from a table"""
    shapes = {"kernel": (4, 4), "bias": 4}
    old, own = (
        floats(seed, **{f"{layer}__{x}": shape for layer in layers for x, shape in shapes.items()})
        for seed, layers in [(1, ["dense", "dense_1", "dense_2"]), (2, ["dense", "dense_1", "dense_2", "dense_3"])]
    )
    source, like = Saver(old).save(tmp_path / "old"), Saver(own).save(tmp_path / "wanted")
    assert "--new" in refused("check", source, "--like", like, *missing)
    for library in keras, tf_keras:
        source = Program(sequential(library, [4, 4])).save(tmp_path / library.__name__)
        like = Program(sequential(library, [4, 4, 4])).save(tmp_path / "wanted")
        assert "--new" in refused("check", source, "--like", like, *missing)
        names = tmp_path / "wanted.tsv"
        names.write_text(succeeds("ls", like, "--tsv"))
        if missing != ["--missing", "like"]:
            refused("check", source, "--like", names, *missing)


def test_the_optimizer_is_another_one(never_wrong, tmp_path):
    """T5"""
    adam = trained(sequential(keras, [4, 4], use_bias=False), keras.optimizers.Adam(0.1))
    sgd = trained(sequential(keras, [4, 4], use_bias=False, seed=2), keras.optimizers.SGD(0.1, momentum=0.9))
    source, like = adam.save(tmp_path / "old"), sgd.save(tmp_path / "wanted")
    for flags in [], ["--missing", "like"]:
        said = refused("check", source, "--like", like, *flags)
        assert "--drop-optimizer --missing like" in said and "dam" in said and "sgd" in said.lower()


def test_the_slots_belong_to_other_variables(never_wrong, tmp_path):
    """T6"""
    old, new = with_frozen("a", 1), with_frozen("", 2)
    own, source, like = new.values(), old.save(tmp_path / "old"), new.save(tmp_path / "wanted")
    never_wrong(source, "--like", like, "--missing", "like", restore=new.restore, right=own | old.values())


def test_zeros_would_end_the_training(serves, tmp_path):
    """T7"""
    old, new = Program(sequential(keras, [2])), trained(sequential(keras, [2], seed=2), keras.optimizers.Adam(0.01))
    own, source, like = new.values(), old.save(tmp_path / "old"), new.save(tmp_path / "wanted")
    assert "learning_rate" in refused("check", source, "--like", like, "--missing", "zeros")
    right = {name: np.zeros_like(value) for name, value in own.items()} | old.values() | {"adam/learning_rate": own["adam/learning_rate"]}
    flags = ["--missing", "**/*learning_rate=like", "--missing", "zeros"]
    serves(source, "--like", like, *flags, restore=new.restore, right=right)


@pytest.mark.parametrize(
    ("name", "dtype", "wide"), [("logits", "float16", "float32"), ("ticks", "int32", "int64")], ids=["floats", "integers"]
)
def test_a_cast_overflows(mount, tmp_path, name, dtype, wide):
    """T8, T17"""
    stored = {"logits": np.array([1e6, 1e-9, np.nan, 1], np.float32), "ticks": np.array([2**40, 5], np.int64)}
    source = Saver(stored).save(tmp_path / "old")
    said = succeeds("check", source, "--cast", f"{name}={dtype}")
    assert "warning" in said and dtype in said, "plain check says that the cast can overflow"
    run = ckptfs("check", "--data", source, "--cast", f"{name}={dtype}")
    assert run.returncode == 1 and name in run.stdout + run.stderr, "the values do overflow"
    assert "warning" not in succeeds("check", source, "--cast", f"{name}={wide}")

    small = {"logits": np.array([1, 0.5, -2], np.float32), "ticks": np.array([7, -5], np.int64)}
    source = Saver(small).save(tmp_path / "small")
    succeeds("check", "--data", source, "--cast", f"{name}={dtype}")
    m = mount(source, "--cast", f"{name}={dtype}")
    assert_same(values(m / "small"), small | {name: small[name].astype(dtype)})


def test_a_drop_of_the_optimizer_takes_weights_along(mount, tmp_path):
    """T9: a compiled Keras 3 model shows the layers of a list only through its optimizer"""
    model = Blocks("abc")
    built(model)
    program = trained_blocks(model)
    source = program.save(tmp_path / "old")
    assert "6 weights have no other path" in refused("check", source, "--drop", "optimizer/**")
    kept = values(mount(source, "--drop-optimizer") / "old-1")
    weights = [name for name in kept if "save_counter" not in name]
    assert len(weights) == 6
    stored = values(source)
    assert all(same(kept[name], stored[name]) for name in weights)
    shapes = sorted(value.tobytes() for value in (kept[name] for name in weights))
    assert shapes == sorted(weight.tobytes() for weight in model.get_weights())


def trained_blocks(model):
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build(model.trainable_variables)
    return Program(model, optimizer)


def test_only_a_list_of_layers_is_saved(tmp_path):
    """T10"""
    source = Program(built(Blocks("ab"))).save(tmp_path / "list")
    for command in "ls", "check":
        assert "no weights in it" in succeeds(command, source)
    # With another layer beside the list, nothing in the file tells that weights are missing.
    model = Blocks("ab")
    model.head = keras.layers.Dense(4)
    model.blocks.append(model.head)
    source = Program(built(model)).save(tmp_path / "head")
    assert len(values(source)) == 3
    assert "no weights in it" not in succeeds("check", source)


@pytest.fixture
def missing_slice(tmp_path):
    """Saves a partitioned variable without one of its slices, and a whole variable."""
    with v1.Graph().as_default(), v1.Session() as session:
        parts = v1.fixed_size_partitioner(3)
        edge = v1.get_variable("edge", initializer=tf.ones([6, 2]), partitioner=parts, use_resource=False)
        whole = v1.get_variable("a/whole", initializer=tf.fill([2, 2], 3.0))
        session.run(v1.global_variables_initializer())
        v1.train.Saver([edge, whole]).save(session, str(tmp_path / "sl"), write_meta_graph=False)
    index = tmp_path / "sl.index"
    entries = table.decode(index.read_bytes())
    slices = [key for key, _ in entries if key.startswith(b"\0") and b"edge" in key]
    assert len(slices) == 3
    index.write_bytes(table.encode([entry for entry in entries if entry[0] != slices[1]]))
    return tmp_path / "sl"


def test_a_slice_is_missing_of_a_variable_that_is_left_out(serves, missing_slice):
    """T11"""
    assert "edge" in refused("check", missing_slice)
    right = {"a/whole": np.full([2, 2], 3, np.float32)}
    for flags in ["--drop", "edge*"], ["--keep", "a/*"], ["--salvage"]:
        serves(missing_slice, *flags, restore=values, right=right)


def test_a_variable_that_is_left_out_is_past_the_end(serves, tmp_path):
    """T12"""
    old = floats(1, **{f"l{i}__w": (64, 64) for i in range(10)})
    source, data = Saver(old).save(tmp_path / "c"), tmp_path / "c.data-00000-of-00001"
    os.truncate(data, data.stat().st_size - 100)
    right = {name: value for name, value in old.items() if name != "l9/w"}
    serves(source, "--drop", "l9/w", restore=values, right=right)
    said = serves(source, "--salvage", restore=values, right=right).stderr
    assert "l9/w" in said, "--salvage names what it leaves out"


def test_the_newest_step_of_a_directory_is_truncated(mount, tmp_path):
    """T13"""
    steps = Steps(tmp_path / "train")
    os.truncate(steps / "ckpt-3.data-00000-of-00001", 100)
    said = succeeds("ls", steps.directory)
    assert "ckpt-3" in said and "ckpt-2" in said
    m = mount(steps.directory)
    assert "ckpt-3" in m.stderr and "ckpt-2" in m.stderr
    assert [steps.restore(m / name) for name in ("ckpt-1", "ckpt-2", "latest")] == [1, 2, 2]
    assert steps.restore(latest(m)) == 2
    assert "ckpt-3.data-00000-of-00001" in (m / "ckpt-3.error").read_text()


def test_a_head_of_other_classes_is_fitted(tmp_path):
    """T14"""
    source = Saver(floats(1, head__kernel=(4, 2), head__bias=2)).save(tmp_path / "old")
    like = Saver(floats(2, head__kernel=(4, 5), head__bias=5)).save(tmp_path / "wanted")
    for flags in ["--fit", "like"], ["--fit", "like", "--missing", "like"]:
        assert "--fit like" not in refused("check", source, "--like", like, *flags).partition("help:")[2]


def test_a_layer_of_one_shape_was_removed(serves_by_rules, tmp_path):
    """T15"""
    old, new = Program(sequential(tf_keras, [4, 4, 4])), Program(sequential(tf_keras, [4, 4], seed=2))
    old.model.save_weights(str(tmp_path / "old"))
    new.model.save_weights(str(tmp_path / "wanted"))
    assert "--pair" in refused("check", tmp_path / "old", "--like", tmp_path / "wanted")
    drops = ["--drop", "layer_with_weights-1", "--drop", "layer-1"]
    rules = [*drops, "--rename", "layer_with_weights-2=layer_with_weights-1", "--rename", "layer-2=layer-1"]

    def restore(prefix):
        new.model.load_weights(str(prefix)).assert_consumed()
        return new.values()

    right = moved(old.values(), {"dense": "dense", "dense_2": "dense_1"})
    serves_by_rules(tmp_path / "old", *rules, "--like", tmp_path / "wanted", match="position", restore=restore, right=right)


def test_an_overlay_counts_other_layers(mount, tmp_path):
    """T16"""
    base, over = WeightsFile(sequential(keras, [4] * 4, ["new", "a", "b", "c"])), WeightsFile(sequential(keras, [4] * 3, ["a", "b", "c"], seed=2))
    source, adapter = base.save(tmp_path / "w.weights.h5"), over.save(tmp_path / "o.weights.h5")
    assert "--match position" in refused("check", source, "--overlay", adapter)
    (tmp_path / "refused").mkdir()
    refused("mount", source, tmp_path / "refused", "--overlay", adapter)
    right = base.values() | moved(over.values(), {"a": "new", "b": "a", "c": "b"})
    m = mount(source, "--overlay", adapter, "--match", "position")
    assert_same(base.restore(m / "w/model.weights.h5"), right)


def test_a_square_kernel_is_transposed(mount, tmp_path):
    """T18"""
    old = floats(1, q__kernel=(4, 4), r__kernel=(3, 4))
    source, rules = Saver({"q/kernel": old["q/kernel"]}).save(tmp_path / "c"), tmp_path / "m.toml"
    rule = '[[rule]]\nconvert = "{}"\nops = [{{ transpose = [1, 0] }}]\n'
    rules.write_text("version = 1\n" + rule.format("q/kernel"))
    (tmp_path / "w.tsv").write_text("name\tdtype\tshape\nq/kernel\tfloat32\t4 4\n")
    said = succeeds("check", source, "--map", rules, "--like", tmp_path / "w.tsv")
    assert re.search("warning.*square", said)
    assert_same(values(mount(source, "--map", rules) / "c"), {"q/kernel": old["q/kernel"].T})

    # Another kernel under the same rule is not square, so its shape proves the rule.
    source = Saver(old).save(tmp_path / "both")
    rules.write_text("version = 1\n" + rule.format("{x}/kernel"))
    (tmp_path / "w.tsv").write_text("name\tdtype\tshape\nq/kernel\tfloat32\t4 4\nr/kernel\tfloat32\t4 3\n")
    assert "warning" not in succeeds("check", source, "--map", rules, "--like", tmp_path / "w.tsv")


def test_full_names_on_one_side_and_paths_on_the_other(tmp_path):
    """T20"""
    old, new = Program(sequential(tf_keras, [4, 4])), Program(sequential(tf_keras, [4, 4, 4], fresh=False))
    source, like = old.save(tmp_path / "old"), new.save(tmp_path / "wanted")
    rule = ["--rename", "model/layer_with_weights-1/**=model/layer_with_weights-2/**"]
    refused("check", source, "--target", "name", *rule, "--like", like, "--missing", "like")


def test_zeros_only_where_zero_is_neutral(serves, tmp_path):
    """T21"""
    old = floats(1, k=(3, 3), w=(3, 3))
    source = Saver(old).save(tmp_path / "old")
    neutral = {"bn/beta": 0, "bn/moving_mean": 0, "fc/bias": 0, "k/Adam": 0, "k/Momentum": 0, "bn/gamma": 1, "bn/moving_variance": 1}
    shapes = {name: (3, 3) if name.startswith("k/") else (3,) for name in neutral}
    program = Saver(old | {name: np.full(shapes[name], value, np.float32) for name, value in neutral.items()} | {"global_step": np.int64(0)})
    like = program.save(tmp_path / "wanted")
    names = tmp_path / "w.tsv"
    names.write_text(succeeds("ls", like, "--tsv"))
    serves(source, "--like", names, "--missing", "bn/*=zeros", "--missing", "zeros", restore=program.restore, right=program.values)
    for name in "learning_rate", "beta1_power", "k/RMSProp", "k/Adagrad", "out/kernel", "word_embeddings":
        names.write_text(f"name\tdtype\tshape\nk\tfloat32\t3 3\nw\tfloat32\t3 3\n{name}\tfloat32\t3 3\n")
        assert name in refused("check", source, "--like", names, "--missing", "zeros")
        zeros = Saver(old | {name: np.zeros([3, 3], np.float32)})
        serves(source, "--like", names, "--missing", f"{name}=zeros", restore=zeros.restore, right=zeros.values)


def test_a_head_is_fitted_beside_a_vocabulary(serves_by_rules, tmp_path):
    """T22"""
    both = floats(1, dense__kernel=(3, 4), dense__bias=4, dense_1__kernel=(4, 4), dense_1__bias=4)
    old = both | floats(2, emb=(10, 4), dense_2__kernel=(4, 2), dense_2__bias=2)
    own = floats(3, **{name.replace("/", "__"): value.shape for name, value in both.items()})
    own |= floats(4, emb=(12, 4), dense_2__kernel=(4, 5), dense_2__bias=5)
    source, like, program = Saver(old).save(tmp_path / "old"), Saver(own).save(tmp_path / "wanted"), Saver(own)
    for flags in ["--fit", "like"], ["--fit", "like", "--missing", "like"]:
        assert "dense_2/kernel" in refused("check", source, "--like", like, *flags)
    right = own | both | {"emb": np.concatenate([old["emb"], own["emb"][10:]])}
    flags = ["--fit", "emb=like", "--drop", "dense_2/**", "--missing", "like"]
    serves_by_rules(source, "--like", like, *flags, match="name", restore=program.restore, right=right)


def test_damage_is_guarded_in_every_view(mount, tmp_path):
    """X12"""
    old = floats(1, w=(200, 4), v=(3,))
    source, data = Saver(old).save(tmp_path / "c"), tmp_path / "c.data-00000-of-00001"
    flip(data, data.read_bytes().index(old["w"].tobytes()) + 100)
    m = mount(source, "--verify")
    for view in "npy/w.npy", "raw/w", "model.safetensors", "model.weights.h5":
        with pytest.raises(OSError, match="Input/output error"):
            (m / "c" / view).read_bytes()
    for out, flags in ("x.safetensors", []), ("x.weights.h5", []), ("x", []), ("x", ["--cast", "w=float64"]):
        assert re.search(r"\bw\b", refused("export", source, tmp_path / out, *flags))
        assert not list(tmp_path.glob("x*"))
    succeeds("export", source, tmp_path / "sound", "--drop", "w")
    assert_same(values(tmp_path / "sound"), {"v": old["v"]})


def test_a_table_of_layers_from_a_model_built_in_another_order(never_wrong, tmp_path):
    """X15"""
    old, new = Program(crossing(tf_keras, ["left", "right"], 1)), WeightsFile(crossing(keras, ["right", "left"], 2))
    old.model.save_weights(tmp_path / "old.h5")
    like = new.save(tmp_path / "new.weights.h5")
    (tmp_path / "layers.toml").write_text("[tables.layer]\nleft = 'dense'\nright = 'dense_1'\n")
    maps = ["--map", "@keras2-h5-to-keras3-h5", "--map", tmp_path / "layers.toml", "--h5-layout", "keras3"]
    assert "names that only count" in refused("check", tmp_path / "old.h5", *maps, "--like", like)
    never_wrong(tmp_path / "old.h5", *maps, "--like", like, restore=new.restore, right=old.values())


def test_layers_inserted_among_names_that_mean_something(serves, never_wrong, tmp_path):
    """X3: names decide"""
    for library in keras, tf_keras:
        old = Program(sequential(library, [4] * 3, ["a", "b", "c"]))
        new = Program(sequential(library, [4] * 4, ["a", "new", "b", "c"], seed=2))
        own, source = new.values(), old.save(tmp_path / library.__name__)
        like, right = new.save(tmp_path / "wanted"), own | old.values()
        never_wrong(source, "--like", like, "--missing", "like", restore=new.restore, right=right)
        serves(source, "--like", like, "--match", "name", "--missing", "like", restore=new.restore, right=right)

"""Object-based checkpoints with a map: the new program restores, with TensorFlow's assertions, and continues
training like the old one."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tensorflow.core.protobuf import trackable_object_graph_pb2 as protobuf
from tensorflow.python.trackable.autotrackable import AutoTrackable

from harness import OBJECT_GRAPH, ckptfs, refused, values

v1 = tf.compat.v1

X = np.linspace(-1, 1, 32, dtype=np.float32).reshape(4, 8)
Y = np.ones((4, 1), np.float32)


class Dense(tf.Module):
    def __init__(self, rows, columns, seed=None):
        super().__init__()
        rng = np.random.default_rng(seed)
        value = (lambda *shape: np.zeros(shape)) if seed is None else (lambda *shape: rng.normal(size=shape))
        self.w = tf.Variable(value(rows, columns), dtype=tf.float32, name="w")
        self.b = tf.Variable(value(columns), dtype=tf.float32, name="b")

    def __call__(self, x):
        return x @ self.w + self.b


def module(**children):
    made = tf.Module()
    for name, child in children.items():
        setattr(made, name, child)
    return made


def step(optimizer, layers):
    """Does one training step. Returns the weights."""
    weights = [weight for layer in layers for weight in (layer.w, layer.b)]
    with tf.GradientTape() as tape:
        x = X
        for layer in layers:
            x = layer(x)
        loss = tf.reduce_sum(x**2)
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
    return weights


def assert_equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()


def assert_restores(checkpoint, prefix):
    status = checkpoint.restore(str(prefix))
    status.assert_consumed()
    status.assert_existing_objects_matched()
    return status


def saved(tmp_path, **objects):
    return tf.train.Checkpoint(**objects).save(str(tmp_path / "old" / "ckpt"))


def at(mounted):
    return f"{mounted}/ckpt-1"


OPTIMIZERS = {
    "legacy adam": lambda: tf_keras.optimizers.legacy.Adam(0.1),
    "legacy momentum": lambda: tf_keras.optimizers.legacy.SGD(0.1, momentum=0.9),
    "tf1 adam": lambda: v1.train.AdamOptimizer(0.1),
    "scaled": lambda: tf_keras.mixed_precision.LossScaleOptimizer(tf_keras.optimizers.legacy.Adam(0.1)),
    "tf_keras adam": lambda: tf_keras.optimizers.Adam(0.1),
}


@pytest.fixture(params=OPTIMIZERS)
def optimizer(request):
    return OPTIMIZERS[request.param]


def trained(tmp_path, optimizer, first=(8, 4), second=(4, 1)):
    """Creates an old program after one training step: its layers, its optimizer and its checkpoint."""
    a, b, old = Dense(*first, seed=1), Dense(*second, seed=2), optimizer()
    step(old, [a, b])
    return a, b, old, saved(tmp_path, net=module(first=a, second=b), optimizer=old)


def assert_trains_on(layers, old, new_layers, new, checkpoint, prefix):
    """Checks the restored weights. Then checks that one more step is the same in both programs, slots included."""
    status = checkpoint.restore(str(prefix))
    assert_equal([w for layer in new_layers for w in (layer.w, layer.b)], [w for layer in layers for w in (layer.w, layer.b)])
    assert_equal(step(new, new_layers), step(old, layers))
    status.assert_consumed()
    status.assert_existing_objects_matched()
    assert state(new) == state(old)


def state(optimizer):
    """Returns the sorted values of an optimizer: restored slots are created in another order."""
    variables = optimizer.variables() if callable(optimizer.variables) else optimizer.variables
    return sorted((tuple(v.shape), v.numpy().tobytes()) for v in variables)


RENAMES = [
    ("net/first", "net/encoder"),
    ("net/first/**", "net/encoder/**"),
    ("net/first", "net/stack/deep/first"),
    ("net/first/**", "tail/**"),
    ("net/**", "model/**"),
    ("net/first/{x}", "net/encoder/{x}"),
    (r"re:net/first/(?<x>.*)", "net/encoder/{x}"),
]


@pytest.mark.parametrize("rename", RENAMES, ids=lambda rename: rename[0])
def test_renamed_and_moved_objects_restore_and_continue_training(tmp_path, mount, optimizer, rename):
    a, b, old, source = trained(tmp_path, optimizer)
    (new_a, new_b), new = (Dense(8, 4), Dense(4, 1)), optimizer()
    programs = {
        "net/encoder": {"net": module(encoder=new_a, second=new_b)},
        "net/stack": {"net": module(stack=module(deep=module(first=new_a)), second=new_b)},
        "tail/**": {"tail": new_a, "net": module(second=new_b)},
        "model/**": {"model": module(first=new_a, second=new_b)},
    }
    program = next(objects for to, objects in programs.items() if rename[1].startswith(to))
    m = mount(source, "--rename", "=".join(rename))
    assert_trains_on([a, b], old, [new_a, new_b], new, tf.train.Checkpoint(**program, optimizer=new), at(m))


@pytest.mark.parametrize("rename", ["optimizer=state/opt", "optimizer/**=state/opt/**", "opt{x}/**=state/opt/**"])
def test_a_renamed_optimizer_keeps_its_slots(tmp_path, mount, optimizer, rename):
    a, b, old, source = trained(tmp_path, optimizer)
    (new_a, new_b), new = (Dense(8, 4), Dense(4, 1)), optimizer()
    checkpoint = tf.train.Checkpoint(net=module(first=new_a, second=new_b), state=module(opt=new))
    m = mount(source, "--rename", rename)
    assert_trains_on([a, b], old, [new_a, new_b], new, checkpoint, at(m))


@pytest.mark.parametrize("swap", [("net/first=net/second", "net/second=net/first"), ("net/first/**=net/second/**", "net/second/**=net/first/**")])
def test_two_layers_swap_names(tmp_path, mount, optimizer, swap):
    a, b, old, source = trained(tmp_path, optimizer, (8, 8), (8, 8))
    (new_a, new_b), new = (Dense(8, 8), Dense(8, 8)), optimizer()
    checkpoint = tf.train.Checkpoint(net=module(first=new_b, second=new_a), optimizer=new)
    m = mount(source, *(flag for rename in swap for flag in ("--rename", rename)))
    assert_trains_on([a, b], old, [new_a, new_b], new, checkpoint, at(m))


def test_a_prefix_is_added_and_stripped(tmp_path, mount):
    source = saved(tmp_path, net=module(first=Dense(8, 4, seed=1)))
    expected = tf.train.load_checkpoint(source).get_tensor("net/first/w/.ATTRIBUTES/VARIABLE_VALUE")
    lifted, wrapped = Dense(8, 4), Dense(8, 4)
    assert_restores(tf.train.Checkpoint(first=lifted), at(mount(source, "--strip-prefix", "net/")))
    assert_restores(tf.train.Checkpoint(old=module(net=module(first=wrapped))), at(mount(source, "--add-prefix", "old/")))
    for layer in (lifted, wrapped):
        assert layer.w.numpy().tobytes() == expected.tobytes()


def test_both_names_of_an_alias_are_restored_with_separate_slots(tmp_path, mount, optimizer):
    a, b, old, source = trained(tmp_path, optimizer)
    first, other, second, new = Dense(8, 4), Dense(8, 4), Dense(4, 1), optimizer()
    checkpoint = tf.train.Checkpoint(net=module(first=first, other=other, second=second), optimizer=new)
    status = checkpoint.restore(at(mount(source, "--alias", "net/first=net/other")))
    assert_equal([first.w, first.b, other.w, other.b], [a.w, a.b, a.w, a.b])
    status.assert_existing_objects_matched()
    if hasattr(new, "get_slot"):
        weights, more = step(new, [first, second]), step(new, [other, second])
        status.assert_consumed()
        assert len(weights) == len(more)


def test_a_variable_with_aliases_is_restored_under_every_name(tmp_path, mount):
    source = saved(tmp_path, a=tf.Variable([1.0, 2.0]), n=tf.Variable(3))
    a, b, c, n = tf.Variable([0.0, 0.0]), tf.Variable([0.0, 0.0]), tf.Variable([0.0, 0.0]), tf.Variable(0)
    m = mount(source, "--alias", "a=b", "--alias", "a=deep/c", "--rename", "n=count")
    assert_restores(tf.train.Checkpoint(a=a, b=b, deep=module(c=c), count=n), at(m))
    assert [a.numpy().tolist(), b.numpy().tolist(), c.numpy().tolist(), n.numpy()] == [[1, 2]] * 3 + [3]


@pytest.mark.parametrize("drop", ["net/second", "net/second/**", "net/se{x}/{y}"])
def test_a_program_without_the_dropped_layer_restores(tmp_path, mount, optimizer, drop):
    a, _, old, source = trained(tmp_path, optimizer)
    layer, new = Dense(8, 4), optimizer()
    checkpoint = tf.train.Checkpoint(net=module(first=layer), optimizer=new)
    status = checkpoint.restore(at(mount(source, "--drop", drop)))
    assert_equal([layer.w, layer.b], [a.w, a.b])
    if hasattr(new, "get_slot"):
        slots = [old.get_slot(w, name).numpy() for w in (a.w, a.b) for name in old.get_slot_names()]
        step(new, [layer])
        status.assert_consumed()
        assert all(slot.any() for slot in slots)
    status.assert_existing_objects_matched()


@pytest.mark.parametrize("flag", [["--drop", "optimizer/**"], ["--drop", "optimizer"], ["--drop-optimizer"], ["--keep", "net/**", "--drop-optimizer"]])
def test_a_program_without_the_optimizer_restores(tmp_path, mount, optimizer, flag):
    a, b, _, source = trained(tmp_path, optimizer)
    new_a, new_b = Dense(8, 4), Dense(4, 1)
    assert_restores(tf.train.Checkpoint(net=module(first=new_a, second=new_b)), at(mount(source, *flag)))
    assert_equal([new_a.w, new_a.b, new_b.w, new_b.b], [a.w, a.b, b.w, b.b])


def test_unmatched_variables_can_be_dropped_but_not_the_save_counter(tmp_path, mount):
    source = saved(tmp_path, a=Dense(2, 2, seed=1), b=Dense(2, 2, seed=2))
    fix = tmp_path / "fix.toml"
    fix.write_text('[options]\nunmatched = "drop"\n[[rule]]\nrename = "a/**"\nto = "c/**"\n')
    assert_restores(tf.train.Checkpoint(c=Dense(2, 2)), at(mount(source, "--map", fix)))
    fix.write_text('[options]\nunmatched = "error"\n[[rule]]\nrename = "a/**"\nto = "c/**"\n')
    message = refused("check", source, "--map", fix)
    assert "2 variables without a rule" in message and "b/w" in message and "save_counter" not in message


def keras3(*layers, compiled=True):
    keras.utils.clear_session()
    model = keras.Sequential([keras.Input((8,)), *layers, keras.layers.Dense(1, name="out")])
    if compiled:
        model.compile(keras.optimizers.Adam(0.1), "mse")
    return model


def hidden(name="hidden"):
    return [keras.layers.Dense(4, name=name), keras.layers.BatchNormalization(name=name + "_norm")]


def old_keras3(tmp_path):
    model = keras3(*hidden())
    model.fit(X, Y, verbose=0)
    return model, saved(tmp_path, model=model, optimizer=model.optimizer)


def assert_same_model(new, model):
    np.testing.assert_array_equal(new.predict(X, verbose=0), model.predict(X, verbose=0))


def assert_same_optimizer(new, model):
    assert_equal([v.value for v in new.optimizer.variables], [v.value for v in model.optimizer.variables])


def test_a_keras_3_model_with_a_layer_inserted_restores(tmp_path, mount):
    model, source = old_keras3(tmp_path)
    new = keras3(keras.layers.Dropout(0.0), *hidden())
    new.optimizer.build(new.trainable_variables)
    # The paths are as `ls` shows them: the layers are operations of the functional model inside.
    flags = [flag for i in (1, 2, 3) for flag in ("--rename", f"model/_functional/_operations/{i}/**=model/_functional/_operations/{i + 1}/**")]
    m = mount(source, *flags)
    assert_restores(tf.train.Checkpoint(model=new, optimizer=new.optimizer), at(m))
    assert_same_model(new, model)
    assert_same_optimizer(new, model)
    for one in (new, model):
        one.fit(X, Y, shuffle=False, verbose=0)
    assert_same_model(new, model)
    assert_same_optimizer(new, model)


def test_one_rule_shifts_layers_for_a_new_keras_3_layer(tmp_path, mount):
    model, source = old_keras3(tmp_path)
    new = keras3(keras.layers.Dropout(0.0), *hidden(), compiled=False)
    rename = "model/_functional/_operations/{i:1|2|3}/{x}=model/_functional/_operations/{i+1}/{x}"
    m = mount(source, "--rename", rename, "--drop-optimizer")
    assert_restores(tf.train.Checkpoint(model=new), at(m))
    assert_same_model(new, model)


def test_a_renamed_keras_3_model_keeps_its_other_paths(tmp_path, mount):
    model, source = old_keras3(tmp_path)
    m = mount(source, "--rename", "model=net", "--rename", "optimizer=opt")
    new = keras3(*hidden())
    new.optimizer.build(new.trainable_variables)
    assert_restores(tf.train.Checkpoint(net=new, opt=new.optimizer), at(m))
    assert_same_model(new, model)
    assert_same_optimizer(new, model)
    listed = ckptfs("ls", source, "--rename", "model=net").stdout.split()
    assert "net/_functional/_operations/1/_kernel" in listed


class Subclassed(keras.Model):
    """A model whose layers are attributes, so that renaming one renames a path that a user sees."""

    def __init__(self, first):
        super().__init__()
        self.first = first
        setattr(self, first, keras.layers.Dense(4))
        self.out = keras.layers.Dense(1)

    def call(self, x):
        return self.out(getattr(self, self.first)(x))


def test_a_renamed_attribute_of_a_compiled_keras_3_model_restores(tmp_path, mount):
    def program(first):
        keras.utils.clear_session()
        model = Subclassed(first)
        model.compile(keras.optimizers.Adam(0.1), "mse")
        model.fit(X, Y, verbose=0)
        return model

    model = program("hidden")
    source = saved(tmp_path, model=model, optimizer=model.optimizer)
    listed = ckptfs("ls", source).stdout.split()
    assert "model/hidden/_kernel" in listed
    m = mount(source, "--rename", "model/hidden/**=model/encoder/**")
    new = program("encoder")
    assert_restores(tf.train.Checkpoint(model=new, optimizer=new.optimizer), at(m))
    assert_same_model(new, model)
    assert_same_optimizer(new, model)


@pytest.mark.parametrize("flag", [["--drop", "optimizer/**"], ["--drop-optimizer"]])
def test_a_keras_3_optimizer_is_dropped_and_the_weights_are_kept(tmp_path, mount, flag):
    model, source = old_keras3(tmp_path)
    new = keras3(*hidden(), compiled=False)
    assert_restores(tf.train.Checkpoint(model=new), at(mount(source, *flag)))
    assert_same_model(new, model)


@pytest.mark.parametrize("make", [tf_keras.optimizers.legacy.Adam, tf_keras.optimizers.Adam], ids=["legacy", "new"])
def test_the_weights_of_a_keras_2_model_are_renamed(tmp_path, mount, make):
    def program():
        tf_keras.utils.set_random_seed(int(make is tf_keras.optimizers.Adam))
        model = tf_keras.Sequential([tf_keras.layers.Dense(4, input_shape=(8,)), tf_keras.layers.Dense(1)])
        model.compile(make(0.1), "mse")
        model.fit(X, Y, verbose=0)
        return model

    model = program()
    (tmp_path / "old").mkdir()
    model.save_weights(str(tmp_path / "old" / "ckpt-1"))
    m = mount(tmp_path / "old" / "ckpt-1", "--rename", "layer_with_weights-0=encoder", "--rename", "optimizer=opt")
    new = program()
    new.layers[0].kernel.assign(tf.zeros([8, 4]))
    names = {"encoder": new.layers[0], "layer_with_weights-1": new.layers[1], "opt": new.optimizer}
    status = tf.train.Checkpoint(**names).read(at(m))
    status.assert_consumed()
    status.assert_existing_objects_matched()
    np.testing.assert_array_equal(new.predict(X, verbose=0), model.predict(X, verbose=0))
    # Keras's second path to the layer still leads to it.
    assert ckptfs("ls", tmp_path / "old" / "ckpt-1", "--rename", "layer-0=x").returncode == 0


def containers(value, filled):
    """Returns objects that are not plain variables: a table, an iterator, and variables in dicts, lists and nested
    modules."""
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
    iterator = iter(tf.data.Dataset.range(10).shuffle(3, seed=7))
    nested = {"x/y": tf.Variable(value), "list": [tf.Variable(value + 1), {"z.w": tf.Variable(value + 2)}], ".c": module(v=tf.Variable(value + 3))}
    if filled:
        table.insert(["a", "b"], [7, 8])
        next(iterator), next(iterator)
    return {"table": table, "iterator": iterator, "nested": nested}


def looked_at(table, iterator, nested):
    rest = [int(next(iterator)) for _ in range(3)]
    return [table.lookup(tf.constant(["a", "b", "c"])).numpy().tolist(), rest, *numbers(nested)]


def numbers(nested):
    return [nested["x/y"].numpy(), nested["list"][0].numpy(), nested["list"][1]["z.w"].numpy(), nested[".c"].v.numpy()]


def test_tables_iterators_dicts_and_lists_restore_unchanged_and_renamed(tmp_path, mount):
    old = containers(1.0, True)
    source = saved(tmp_path, **old)
    expected = looked_at(**old)
    same = containers(0.0, False)
    assert_restores(tf.train.Checkpoint(**same), at(mount(source)))
    assert looked_at(**same) == expected
    m = mount(source, "--rename", "table=lookup/words", "--rename", "iterator=input", "--rename", "nested/**=deep/er/**", "--alias", "nested=second")
    new, second = containers(0.0, False), containers(0.0, False)["nested"]
    names = {"lookup": module(words=new["table"]), "input": new["iterator"], "deep": module(er=new["nested"]), "second": second}
    assert_restores(tf.train.Checkpoint(**names), at(m))
    assert looked_at(**new) == expected
    assert numbers(second) == expected[2:]


def test_a_table_is_dropped_and_a_table_with_an_alias_is_restored_twice(tmp_path, mount):
    source = saved(tmp_path, **containers(1.0, True))
    without = containers(0.0, False)
    del without["table"]
    for drop in ("table", "table/**"):
        assert_restores(tf.train.Checkpoint(**without), at(mount(source, "--drop", drop)))
    two = containers(0.0, False)
    more = containers(0.0, False)["table"]
    assert_restores(tf.train.Checkpoint(**two, more=more), at(mount(source, "--alias", "table/**=more/**")))
    assert more.lookup(tf.constant(["a"])).numpy() == two["table"].lookup(tf.constant(["a"])).numpy() == [7]


def test_names_with_slashes_and_dots_are_given_as_ls_shows_them(tmp_path, mount):
    source = saved(tmp_path, heads={"a/b.c": Dense(2, 2, seed=1), "d": tf.Variable(4.0)})
    assert "heads/a.Sb..c/w" in ckptfs("ls", source).stdout.split()
    new, d = Dense(2, 2), tf.Variable(0.0)
    m = mount(source, "--rename", "heads/a.Sb..c=heads/x..y", "--rename", "heads/d=heads/d.Se")
    assert_restores(tf.train.Checkpoint(heads={"x.y": new, "d/e": d}), at(m))
    assert d.numpy() == 4 and new.w.numpy().any()
    message = refused("check", source, "--rename", "heads/d=heads/d.e")
    assert 'invalid path "heads/d.e"' in message and "written `..`" in message


def test_shared_layers_keep_the_paths_that_no_rule_matches(tmp_path, mount):
    def program():
        layer = Dense(4, 4)
        return layer, Dense(4, 4)

    layer, other = Dense(4, 4, seed=3), Dense(4, 4, seed=4)
    source = saved(tmp_path, net=module(layers=[layer, other], shared=layer))
    new, rest = program()
    m = mount(source, "--rename", "net/shared=tied/one")
    assert_restores(tf.train.Checkpoint(net=module(layers=[new, rest]), tied=module(one=new)), at(m))
    assert_equal([new.w, rest.w], [layer.w, other.w])
    new, rest = program()
    assert_restores(tf.train.Checkpoint(net=module(layers=[new, rest])), at(mount(source, "--drop", "net/shared")))
    assert_equal([new.w, rest.w], [layer.w, other.w])


def test_a_tf1_saver_and_a_tf2_checkpoint_read_the_same_files(tmp_path, mount):
    """Uses full names, which are renamed together with the paths that they spell."""
    first, second = module(w=tf.Variable([1.0, 2.0], name="layer/w")), module(w=tf.Variable([3.0], name="w"))
    source = saved(tmp_path, layer=first, other=second)
    m = mount(source, "--rename", "layer/**=encoder/dense/**", "--rename", "other=tail")
    new, tail = module(w=tf.Variable([0.0, 0.0])), module(w=tf.Variable([0.0]))
    assert_restores(tf.train.Checkpoint(encoder=module(dense=new), tail=tail), at(m))
    assert new.w.numpy().tolist() == [1, 2] and tail.w.numpy().tolist() == [3]
    with v1.Graph().as_default(), v1.Session() as session:
        variable = v1.get_variable("encoder/dense/w", [2], use_resource=True)
        v1.train.Saver([variable]).restore(session, at(m))
        assert session.run(variable).tolist() == [1, 2]


def test_a_pattern_without_a_matching_path_is_matched_with_the_full_names(tmp_path, mount):
    source = saved(tmp_path, net=module(w=tf.Variable([1.0, 2.0], name="scope/weights")))
    m = mount(source, "--rename", "scope/**=mine/**")
    same, by_name = module(w=tf.Variable([0.0, 0.0])), tf.Variable([0.0, 0.0])
    assert_restores(tf.train.Checkpoint(net=same), at(m))
    assert_restores(tf.train.Checkpoint(mine=module(weights=by_name)), at(m))
    assert same.w.numpy().tolist() == by_name.numpy().tolist() == [1, 2]
    with v1.Graph().as_default(), v1.Session() as session:
        variable = v1.get_variable("mine/weights", [2], use_resource=True)
        v1.train.Saver([variable]).restore(session, at(m))
        assert session.run(variable).tolist() == [1, 2]
    assert "mine/weights" in ckptfs("ls", source, "--rename", "scope/**=mine/**").stdout.split()


def test_the_data_files_are_unchanged_and_the_graph_is_in_an_added_file(tmp_path, mount):
    source = saved(tmp_path, net=module(first=Dense(8, 4, seed=1)))
    m = mount(source, "--rename", "net=model")
    data = tmp_path / "old" / "ckpt-1.data-00000-of-00001"
    assert (m / "ckpt-1.data-00000-of-00002").read_bytes() == data.read_bytes()
    graph = tf.train.load_checkpoint(at(m)).get_tensor(OBJECT_GRAPH)
    assert graph in (m / "ckpt-1.data-00001-of-00002").read_bytes()
    assert sorted(values(at(m))) == sorted(name.replace("net/", "model/") for name in values(source))


REFUSALS = {
    "--rename net/frist=net/x": ["`net/frist` matched none", "nearest: `net/first`"],
    "--rename net/first=net/second": ["already exists", "net/second"],
    "--rename net/first=net//x": ["a name is empty", "net//x"],
    "--rename net/first/w/.OPTIMIZER_SLOT/optimizer/m=net/first/w/m": ["a slot goes where its variable and its optimizer go"],
    "--rename net/{x}=same": ["already exists", "same"],
    "--rename net/first=net/x..ATTRIBUTES": ["TensorFlow cannot restore"],
}


@pytest.mark.parametrize("flags", REFUSALS)
def test_an_impossible_rename_is_refused_with_its_path(tmp_path, flags):
    *_, source = trained(tmp_path, OPTIMIZERS["legacy adam"])
    message = refused("check", source, *flags.split(" ", 1))
    assert all(word in message for word in REFUSALS[flags]), message
    at = tmp_path / "m"
    at.mkdir()
    refused("mount", source, at, *flags.split(" ", 1))


def test_the_first_of_two_objects_can_take_the_name(tmp_path, mount):
    *_, source = trained(tmp_path, OPTIMIZERS["legacy adam"], (8, 8), (8, 8))
    m = mount(source, "--rename", "net/first=net/second", "--collision", "first", "--drop-optimizer")
    layer = Dense(8, 8)
    assert_restores(tf.train.Checkpoint(net=module(second=layer)), at(m))
    expected = tf.train.load_checkpoint(source).get_tensor("net/first/w/.ATTRIBUTES/VARIABLE_VALUE")
    assert layer.w.numpy().tobytes() == expected.tobytes()


REAL = [
    "rust_regression/variables/variables",
    "serving_saved_model_tf2/variables/variables",
    "tfdf_savedmodel_adult_rf/variables/variables",
    "tfjs_uint8/variables/variables",
    "tfkeras_lso_ckpt_2shards/ckpt",
]


def mirror(prefix, rename):
    """Returns Python objects like those in a checkpoint's graph, except for one name of the root; and the
    variables by key."""
    reader = tf.train.load_checkpoint(str(prefix))
    graph = protobuf.TrackableObjectGraph.FromString(reader.get_tensor(OBJECT_GRAPH))
    shapes, dtypes = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    objects, variables = [AutoTrackable() for _ in graph.nodes], {}
    for at, node in enumerate(graph.nodes):
        for attribute in node.attributes:
            if attribute.name == "VARIABLE_VALUE" and attribute.checkpoint_key in shapes:
                key = attribute.checkpoint_key
                initial = tf.zeros(shapes[key], dtypes[key]) if dtypes[key] != tf.string else tf.fill(shapes[key], "")
                objects[at] = variables[key] = tf.Variable(initial)
    for at, node in enumerate(graph.nodes):
        for child in node.children:
            if not isinstance(objects[at], tf.Variable):
                objects[at]._track_trackable(objects[child.node_id], rename.get(child.local_name, child.local_name) if at == 0 else child.local_name)
    slots = {slot.slot_variable_node_id for node in graph.nodes for slot in node.slot_variables}
    slots = {attribute.checkpoint_key for at in slots for attribute in graph.nodes[at].attributes}
    return objects[0], {key: variable for key, variable in variables.items() if key not in slots}, [c.local_name for c in graph.nodes[0].children]


@pytest.mark.parametrize("prefix", REAL)
def test_a_renamed_child_of_the_root_of_a_real_checkpoint_restores(real, mount, prefix):
    source = real / prefix
    before = values(source)
    *_, children = mirror(source, {})
    for child in children:
        escaped = child.replace(".", "..").replace("/", ".S")
        root, variables, _ = mirror(source, {child: "renamed"})
        m = mount(source, "--rename", f"{escaped}=renamed")
        status = tf.train.Checkpoint(root).read(f"{m}/{source.name}")
        status.assert_existing_objects_matched()
        assert variables
        for key, variable in variables.items():
            assert np.asarray(variable.numpy()).tolist() == np.asarray(before[key]).tolist(), key
        after = values(f"{m}/{source.name}")
        assert sorted(map(repr, after.values())) == sorted(map(repr, before.values()))


@pytest.mark.parametrize("prefix", REAL)
def test_a_map_without_effect_does_not_change_a_real_checkpoint(real, mount, prefix):
    source = real / prefix
    name = ckptfs("ls", source).stdout.split()[0]
    m = mount(source, "--rename", f"{name}={name}")
    before, after = values(source), values(f"{m}/{source.name}")
    assert {name: repr(value) for name, value in after.items()} == {name: repr(value) for name, value in before.items()}


class Unseen(keras.Model):
    """A model that keeps two of its layers in a list, where TensorFlow does not see them."""

    def __init__(self):
        super().__init__()
        self.blocks = [keras.layers.Dense(4), keras.layers.Dense(4)]
        self.head = keras.layers.Dense(1)

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def test_a_drop_of_the_optimizer_that_would_take_weights_is_refused(tmp_path, mount):
    model = Unseen()
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    source = saved(tmp_path, model=model, optimizer=model.optimizer)
    said = refused("check", source, "--drop", "optimizer/**")
    assert "4 weights have no other path than the optimizer's list" in said and "--drop-optimizer" in said
    assert "--drop 'optimizer/_trainable_variables/**' takes them" in said
    kept = values(at(mount(source, "--drop-optimizer")))
    for weight in model.trainable_variables:
        equal = [value for value in kept.values() if np.array_equal(value, weight.numpy())]
        assert len(equal) == 1, weight.path
    taken = values(at(mount(source, "--drop", "optimizer/**", "--drop", "optimizer/_trainable_variables/**")))
    assert len(kept) - len(taken) == 4

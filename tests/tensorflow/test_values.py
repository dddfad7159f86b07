"""Values that a map changes, compared with the same operation in NumPy and ml_dtypes."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from safetensors.numpy import load_file

import bert
import slim
from harness import assert_same, assert_widens_to, ckptfs, refused, values
from test_restore import at

SIZE = bert.Size(vocab=10, positions=6, layers=12, hidden=24, inner=16)


def save(directory, arrays):
    """Writes a checkpoint of these arrays with TensorFlow. Returns its prefix."""
    directory.mkdir(exist_ok=True)
    names = sorted(arrays)
    tensors = [tf.constant(arrays[name]) for name in names]
    tf.raw_ops.SaveV2(prefix=str(directory / "ckpt-9"), tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)
    return directory / "ckpt-9"


def floats(shapes):
    random = np.random.default_rng(7)
    return {name: np.asarray(random.standard_normal(shape), np.float32) for name, shape in shapes.items()}


def assert_shown(m, expected):
    """Checks the values that TensorFlow restores, and those in `npy/`."""
    assert_same(values(at(m, "ckpt-9")), expected)
    for name, value in expected.items():
        assert_widens_to(np.load(m / "ckpt-9" / "npy" / f"{name}.npy"), value)


def mapped(mount, tmp_path, arrays, text, *flags):
    return mount(save(tmp_path / "source", arrays), "--map", write(tmp_path, text), *flags)


def write(tmp_path, text):
    path = tmp_path / "map.toml"
    path.write_text(text)
    return path


# The complete maps of real migrations, on all variables of their models. Sizes that a map does not fix are small here.

BERT_TO_MODEL_GARDEN = """
version = 1
[vars]
heads = 12
[[rule]]
drop = '**/{slot:adam_m|adam_v}'
[[rule]]
drop = 'global_step'
[[rule]]
rename = 'bert/embeddings/word_embeddings'
to   = 'word_embeddings/embeddings'
[[rule]]
rename = 'bert/embeddings/token_type_embeddings'
to   = 'type_embeddings/embeddings'
[[rule]]
rename = 'bert/embeddings/position_embeddings'
to   = 'position_embedding/embeddings'
[[rule]]
rename = 'bert/embeddings/LayerNorm/{leaf}'
to   = 'embeddings/layer_norm/{leaf}'
[[rule]]
rename = 'bert/encoder/layer_{i:int}/attention/self/{qkv}/kernel'
to   = 'transformer/layer_{i}/self_attention/{qkv}/kernel'
ops  = [{ reshape = ["d0", "heads", "d1/heads"] }]
[[rule]]
rename = 'bert/encoder/layer_{i:int}/attention/self/{qkv}/bias'
to   = 'transformer/layer_{i}/self_attention/{qkv}/bias'
ops  = [{ reshape = ["heads", "d0/heads"] }]
[[rule]]
rename = 'bert/encoder/layer_{i:int}/attention/output/dense/kernel'
to   = 'transformer/layer_{i}/self_attention/attention_output/kernel'
ops  = [{ reshape = ["heads", "d0/heads", "d1"] }]
[[rule]]
rename = 'bert/encoder/layer_{i:int}/attention/output/dense/bias'
to   = 'transformer/layer_{i}/self_attention/attention_output/bias'
[[rule]]
rename = 'bert/encoder/layer_{i:int}/attention/output/LayerNorm/{leaf}'
to   = 'transformer/layer_{i}/self_attention_layer_norm/{leaf}'
[[rule]]
rename = 'bert/encoder/layer_{i:int}/{part:intermediate|output}/dense/{leaf}'
to   = 'transformer/layer_{i}/{part}/{leaf}'
[[rule]]
rename = 'bert/encoder/layer_{i:int}/output/LayerNorm/{leaf}'
to   = 'transformer/layer_{i}/output_layer_norm/{leaf}'
[[rule]]
rename = 'bert/pooler/dense/{leaf}'
to   = 'pooler_transform/{leaf}'
"""


def bert_weights():
    return floats({**bert.with_slots(bert.shapes(SIZE)), "global_step": []})


def heads(source):
    """Returns the heads of pretraining, which these maps do not match."""
    return {name: value for name, value in source.items() if name.startswith("cls/") and "/adam_" not in name}


def test_bert_is_converted_for_the_model_garden(mount, tmp_path):
    source = bert_weights()
    m = mapped(mount, tmp_path, source, BERT_TO_MODEL_GARDEN)
    b = lambda name: source[f"bert/{name}"]  # noqa: E731
    expected = heads(source) | {
        "word_embeddings/embeddings": b("embeddings/word_embeddings"),
        "type_embeddings/embeddings": b("embeddings/token_type_embeddings"),
        "position_embedding/embeddings": b("embeddings/position_embeddings"),
        "pooler_transform/kernel": b("pooler/dense/kernel"),
        "pooler_transform/bias": b("pooler/dense/bias"),
    }
    for leaf in ("gamma", "beta"):
        expected[f"embeddings/layer_norm/{leaf}"] = b(f"embeddings/LayerNorm/{leaf}")
    for i in range(SIZE.layers):
        old, new = f"encoder/layer_{i}", f"transformer/layer_{i}"
        for part in ("query", "key", "value"):
            expected[f"{new}/self_attention/{part}/kernel"] = b(f"{old}/attention/self/{part}/kernel").reshape(24, 12, 2)
            expected[f"{new}/self_attention/{part}/bias"] = b(f"{old}/attention/self/{part}/bias").reshape(12, 2)
        expected[f"{new}/self_attention/attention_output/kernel"] = b(f"{old}/attention/output/dense/kernel").reshape(12, 2, 24)
        expected[f"{new}/self_attention/attention_output/bias"] = b(f"{old}/attention/output/dense/bias")
        for leaf in ("gamma", "beta"):
            expected[f"{new}/self_attention_layer_norm/{leaf}"] = b(f"{old}/attention/output/LayerNorm/{leaf}")
            expected[f"{new}/output_layer_norm/{leaf}"] = b(f"{old}/output/LayerNorm/{leaf}")
        for part, leaf in ((p, leaf) for p in ("intermediate", "output") for leaf in ("kernel", "bias")):
            expected[f"{new}/{part}/{leaf}"] = b(f"{old}/{part}/dense/{leaf}")
    assert_shown(m, expected)


BERT_TO_HF = """
version = 1
[tables]
ln = { gamma = 'weight', beta = 'bias' }
[[rule]]
drop = '**/{slot:adam_m|adam_v}'
[[rule]]
rename = 'bert/encoder/layer_{i:int}/attention/self/{qkv}/kernel'
to = 'bert.encoder.layer.{i}.attention.self.{qkv}.weight'
ops = [{ transpose = [1, 0] }]
[[rule]]
rename = 'bert/encoder/layer_{i:int}/attention/self/{qkv}/bias'
to = 'bert.encoder.layer.{i}.attention.self.{qkv}.bias'
[[rule]]
rename = 'bert/encoder/layer_{i:int}/attention/output/dense/kernel'
to = 'bert.encoder.layer.{i}.attention.output.dense.weight'
ops = [{ transpose = [1, 0] }]
[[rule]]
rename = 'bert/encoder/layer_{i:int}/attention/output/dense/bias'
to = 'bert.encoder.layer.{i}.attention.output.dense.bias'
[[rule]]
rename = 'bert/encoder/layer_{i:int}/attention/output/LayerNorm/{l:gamma|beta}'
to = 'bert.encoder.layer.{i}.attention.output.LayerNorm.{ln[l]}'
[[rule]]
rename = 'bert/encoder/layer_{i:int}/{part:intermediate|output}/dense/kernel'
to = 'bert.encoder.layer.{i}.{part}.dense.weight'
ops = [{ transpose = [1, 0] }]
[[rule]]
rename = 'bert/encoder/layer_{i:int}/{part:intermediate|output}/dense/bias'
to = 'bert.encoder.layer.{i}.{part}.dense.bias'
[[rule]]
rename = 'bert/encoder/layer_{i:int}/output/LayerNorm/{l:gamma|beta}'
to = 'bert.encoder.layer.{i}.output.LayerNorm.{ln[l]}'
[[rule]]
rename = 'bert/embeddings/{e:word_embeddings|position_embeddings|token_type_embeddings}'
to = 'bert.embeddings.{e}.weight'
[[rule]]
rename = 'bert/embeddings/LayerNorm/{l:gamma|beta}'
to = 'bert.embeddings.LayerNorm.{ln[l]}'
[[rule]]
rename = 'bert/pooler/dense/kernel'
to = 'bert.pooler.dense.weight'
ops = [{ transpose = [1, 0] }]
[[rule]]
rename = 'bert/pooler/dense/bias'
to = 'bert.pooler.dense.bias'
"""


def test_bert_is_converted_for_hugging_face(mount, tmp_path):
    source = bert_weights()

    def new(name):
        name = name.replace("layer_", "layer.").replace("/", ".")
        for old, called in ((".gamma", ".weight"), (".beta", ".bias"), (".kernel", ".weight")):
            name = name.replace(old, called)
        return f"{name}.weight" if name.endswith("_embeddings") else name

    kept = {name: value for name, value in source.items() if name.startswith("bert/") and "/adam_" not in name}
    expected = {new(name): value.T if name.endswith("/kernel") else value for name, value in kept.items()}
    expected |= heads(source) | {"global_step": source["global_step"]}
    m = mapped(mount, tmp_path, source, BERT_TO_HF)
    assert_shown(m, expected)
    assert_same(load_file(m / "ckpt-9" / "model.safetensors"), expected)


SLIM_TO_KERAS = """
version = 1
[[rule]]
rename = 'resnet_v1_50/conv1/weights'
to   = 'conv1_conv/kernel'
[[rule]]
rename = 'resnet_v1_50/conv1/BatchNorm/{leaf}'
to   = 'conv1_bn/{leaf}'
[[rule]]
rename = 'resnet_v1_50/block{b:int}/unit_{u:int}/bottleneck_v1/shortcut/weights'
to   = 'conv{b+1}_block{u}_0_conv/kernel'
[[rule]]
rename = 'resnet_v1_50/block{b:int}/unit_{u:int}/bottleneck_v1/shortcut/BatchNorm/{leaf}'
to   = 'conv{b+1}_block{u}_0_bn/{leaf}'
[[rule]]
rename = 'resnet_v1_50/block{b:int}/unit_{u:int}/bottleneck_v1/conv{c:int}/weights'
to   = 'conv{b+1}_block{u}_{c}_conv/kernel'
[[rule]]
rename = 'resnet_v1_50/block{b:int}/unit_{u:int}/bottleneck_v1/conv{c:int}/BatchNorm/{leaf}'
to   = 'conv{b+1}_block{u}_{c}_bn/{leaf}'
[[rule]]                                  # 1x1 conv head -> dense head
rename = 'resnet_v1_50/logits/weights'
to   = 'predictions/kernel'
ops  = [{ squeeze = [0, 1] }]
[[rule]]
rename = 'resnet_v1_50/logits/biases'
to   = 'predictions/bias'
"""


@pytest.mark.parametrize("slots", [[""], ["", "/Momentum"]], ids=["weights", "slots"])
def test_a_slim_resnet_is_converted_for_keras(mount, tmp_path, slots):
    """Maps all variables of a narrower ResNet-50. Its head, a convolution, becomes dense."""
    shapes = slim.shapes(50, width=2, classes=5)
    source = floats({f"{name}{slot}": shape for name, shape in shapes.items() for slot in slots})
    m = mapped(mount, tmp_path, source, SLIM_TO_KERAS)
    expected = {f"{kerass(name)}{slot}": source[f"{name}{slot}"] for name in shapes for slot in slots}
    for slot in slots:
        expected[f"predictions/kernel{slot}"] = expected[f"predictions/kernel{slot}"][0, 0]
    assert_shown(m, expected)


def kerass(name):
    """Returns the name of a slim variable in keras.applications."""
    scope, leaf = name.removeprefix("resnet_v1_50/").rsplit("/", 1) if name.count("/") > 1 else ("", name)
    if scope in ("logits", ""):
        return {"weights": "predictions/kernel", "biases": "predictions/bias"}.get(leaf, name)
    unit = "conv1"
    if scope.startswith("block"):
        block, number, _, conv = scope.split("/")[:4]
        conv = "0" if conv == "shortcut" else conv[-1]
        unit = f"conv{int(block[-1]) + 1}_block{number.removeprefix('unit_')}_{conv}"
    return f"{unit}_bn/{leaf}" if scope.endswith("BatchNorm") else f"{unit}_conv/kernel"


HEAD_AND_VOCABULARY = """
version = 1
[[rule]]
convert = 'InceptionV3/Logits/Conv2d_1c_1x1/weights'
ops = [{ slice = [":", ":", ":", "1:"] }]     # drop the background class
[[rule]]
convert = 'InceptionV3/Logits/Conv2d_1c_1x1/biases'
ops = [{ slice = ["1:"] }]
[[rule]]
convert = '**/word_embeddings'
ops = [{ pad = { to = [31836, "d1"], value = 0.0 } }]
"""


def test_a_head_without_its_first_class_and_a_longer_vocabulary(mount, tmp_path):
    """Tests both models in one checkpoint, because one map handles both."""
    head, words = "InceptionV3/Logits/Conv2d_1c_1x1", "bert/embeddings/word_embeddings"
    of_bert = bert.with_slots(bert.shapes(bert.Size(vocab=30522, positions=6, layers=2, hidden=4, inner=8)))
    source = floats({f"{head}/weights": [1, 1, 2048, 1001], f"{head}/biases": [1001], **of_bert, "global_step": []})
    longer = lambda name: np.pad(source[name], [(0, 31836 - 30522), (0, 0)])  # noqa: E731
    expected = source | {
        f"{head}/weights": source[f"{head}/weights"][..., 1:],
        f"{head}/biases": source[f"{head}/biases"][1:],
        # Slots that the rule does not match grow too.
        **{f"{words}{slot}": longer(f"{words}{slot}") for slot in ("", "/adam_m", "/adam_v")},
    }
    assert_shown(mapped(mount, tmp_path, source, HEAD_AND_VOCABULARY), expected)


FUSED = """
version = 1
[vars]
n_embd = 768
[[rule]]
split = 'model/h{i:int}/attn/c_attn/w'
ops = [{ squeeze = [0] }]                      # before the split
axis = 1
sizes = ["n_embd", "n_embd", "n_embd"]
to = ['h.{i}.attn.q.weight', 'h.{i}.attn.k.weight', 'h.{i}.attn.v.weight']
[[rule]]
join = ['{p:**}/q_proj/weight', '{p:**}/k_proj/weight', '{p:**}/v_proj/weight']
axis = 0
to = '{p}/qkv/weight'
"""


def test_fused_attention_is_split_and_joined_with_its_slots(mount, tmp_path):
    """Splits GPT-2's attention at its real width. Everything else in a layer is unchanged."""
    slots = ("", "/Adam", "/Adam_1")
    fused = {f"model/h{i}/attn/c_attn/w{slot}": [1, 768, 2304] for i in range(2) for slot in slots}
    others = {f"model/h{i}/{name}": [4] for i in range(2) for name in ("attn/c_attn/b", "attn/c_proj/b", "ln_1/g", "mlp/c_fc/b")}
    parts = {f"b/{i}/{p}_proj/weight{slot}": [3, 4] for i in range(2) for p in "qkv" for slot in ("", "/Adam")}
    source = floats(fused | others | parts)
    expected = {name: source[name] for name in others}
    for i in range(2):
        for slot in slots:
            split = np.split(source[f"model/h{i}/attn/c_attn/w{slot}"][0], 3, axis=1)
            expected |= {f"h.{i}.attn.{p}.weight{slot}": part for p, part in zip("qkv", split, strict=True)}
        for slot in ("", "/Adam"):
            joined = np.concatenate([source[f"b/{i}/{p}_proj/weight{slot}"] for p in "qkv"])
            expected[f"b/{i}/qkv/weight{slot}"] = joined
    assert_shown(mapped(mount, tmp_path, source, FUSED), expected)


@pytest.mark.parametrize("layout", ["blocked", "interleaved", "grouped"])
def test_a_join_and_a_split_restore_every_layout(mount, tmp_path, layout):
    rows = {"q": 8, "k": 4, "v": 4} if layout == "grouped" else {"q": 8, "k": 8, "v": 8}
    source = floats({f"{p}/w": [rows[p], 3] for p in "qkv"})
    numbers = {"blocked": "", "interleaved": "heads = 4", "grouped": "heads = 4\ngroups = 2"}[layout]
    q, k, v = (source[f"{p}/w"] for p in "qkv")
    joined = {
        "blocked": lambda: np.concatenate([q, k, v]),
        "interleaved": lambda: np.stack([x.reshape(4, 2, 3) for x in (q, k, v)], 1).reshape(24, 3),
        "grouped": lambda: np.concatenate([q.reshape(2, 2, 2, 3), k.reshape(2, 1, 2, 3), v.reshape(2, 1, 2, 3)], 1).reshape(16, 3),
    }[layout]()
    rule = f"[[rule]]\njoin = ['q/w', 'k/w', 'v/w']\nto = 'qkv'\naxis = 0\nlayout = '{layout}'\n{numbers}"
    m = mapped(mount, tmp_path, source, rule)
    assert_shown(m, {"qkv": joined})
    sizes = "[8, 4, 4]" if layout == "grouped" else "[8, 8, 8]"
    rule = f"[[rule]]\nsplit = 'qkv'\nto = ['q/w', 'k/w', 'v/w']\naxis = -2\nsizes = {sizes}\nlayout = '{layout}'\n{numbers}"
    assert_shown(mapped(mount, tmp_path / "source", {"qkv": joined}, rule), source)


# Each op, on every kind of dtype.

DTYPES = ["float32", "float64", "float16", "bfloat16", "int8", "int32", "int64", "uint8", "bool", "complex64"]
OLD, NEW = ["a", "b", "c", "d"], ["d", "new", "a"]

OPS = {
    "transpose": ("{ transpose = [2, 0, 1] }", lambda x: x.transpose(2, 0, 1)),
    "reshape": ('{ reshape = ["d0*d1", -1] }', lambda x: x.reshape(12, -1)),
    "expand": ("{ expand = [0, -1] }", lambda x: x[None, ..., None]),
    "slice": ('{ slice = ["1:-1", ":2"] }', lambda x: x[1:-1, :2]),
    "slice of the last axis": ('{ slice = [":", ":", "d2-1:"] }', lambda x: x[..., -1:]),
    "pad": ('{ pad = { to = ["d0+2", "d1", 5], value = 1 } }', lambda x: np.pad(x, [(0, 2), (0, 0), (0, 3)], constant_values=np.ones((), x.dtype))),
    "flip": ("{ flip = -2 }", lambda x: np.flip(x, -2)),
    "gather": ('{ gather = { axis = 1, index = "index.txt" } }', lambda x: x[:, [2, 0, 0, 1]]),
    "vocab": ('{ vocab = { old = "old.txt", new = "new.txt" } }', lambda x: np.stack([x[3], np.zeros_like(x[0]), x[0]])),
}


def every_type():
    random = np.random.default_rng(3)
    return {f"x/{name}": random.integers(0, 100, [4, 3, 2]).astype(np.dtype(getattr(ml_dtypes, name, name))) for name in DTYPES}


@pytest.mark.parametrize("op", OPS)
def test_every_op_equals_numpy_on_every_dtype(mount, tmp_path, op):
    text, reference = OPS[op]
    tmp_path.joinpath("index.txt").write_text("2\n0\n0\n1\n")
    tmp_path.joinpath("old.txt").write_text("\n".join(OLD) + "\n")
    tmp_path.joinpath("new.txt").write_text("\n".join(NEW))
    source = every_type()
    m = mapped(mount, tmp_path, source, f"[[rule]]\nconvert = 'x/*'\nops = [{text}]")
    assert_same(values(at(m, "ckpt-9")), {name: np.ascontiguousarray(reference(value)) for name, value in source.items()})


def test_scale_and_add_equal_numpy_on_floats(mount, tmp_path):
    source = floats({"x/a": [4, 3], "y": [2]})
    m = mapped(mount, tmp_path, source, "[[rule]]\nconvert = 'x/*'\nops = [{ scale = 0.5 }, { add = 1 }]")
    assert_shown(m, source | {"x/a": source["x/a"] * np.float32(0.5) + np.float32(1)})


def test_the_mean_fills_new_rows(mount, tmp_path):
    source = floats({"x": [4, 3]})
    m = mapped(mount, tmp_path, source, "[[rule]]\nconvert = 'x'\nops = [{ pad = { to = [6, 3], mean = true } }]")
    found = values(at(m, "ckpt-9"))["x"]
    np.testing.assert_array_equal(found[:4], source["x"])
    np.testing.assert_allclose(found[4:], np.stack([source["x"].mean(0)] * 2), rtol=1e-6)


@pytest.mark.parametrize("to", ["float16", "bfloat16", "float64", "float8_e5m2", "float8_e4m3fn"])
def test_a_cast_equals_that_of_ml_dtypes(mount, tmp_path, to):
    dtype = np.dtype(getattr(ml_dtypes, to, to))
    bits = np.random.default_rng(1).integers(0, 2**32, 4096, np.uint32).view(np.float32)
    source = {"x": np.concatenate([bits[np.isfinite(bits)], np.float32([0, -0.0, 1, np.inf, -np.inf, 1e-40, 0.3])])}
    m = mount(save(tmp_path / "source", source), "--cast", f"x={to}")
    with np.errstate(over="ignore"):
        assert_same(values(at(m, "ckpt-9")), {"x": source["x"].astype(dtype)})


def test_an_integer_overflow_is_a_read_error_unless_the_cast_saturates(mount, tmp_path):
    source = {"x": np.float32([1, 300])}
    prefix = save(tmp_path / "source", source)
    m = mount(prefix, "--cast", "x=int8")
    with pytest.raises(OSError):
        (m / "ckpt-9" / "npy" / "x.npy").read_bytes()
    m = mount(prefix, "--map", write(tmp_path, "[[rule]]\nconvert = 'x'\nops = [{ cast = 'int8', saturate = true }]"))
    assert np.load(m / "ckpt-9" / "npy" / "x.npy").tolist() == [1, 127]


def test_tensorflow_restores_a_cast_of_everything_and_the_step_is_unchanged(mount, tmp_path):
    source = floats({"a/w": [3, 4], "a/w/Adam": [3, 4]}) | {"global_step": np.int64(7)}
    m = mount(save(tmp_path / "source", source), "--cast", "**=bfloat16")
    assert "`global_step` [] int64" in m.stderr
    expected = {name: value.astype(ml_dtypes.bfloat16) for name, value in source.items() if name != "global_step"}
    assert_shown(m, expected | {"global_step": source["global_step"]})


def test_created_variables_have_their_values(mount, tmp_path):
    np.save(tmp_path / "table.npy", np.arange(6, dtype=np.float32).reshape(2, 3))
    text = """
[[rule]]
create = 'global_step'
dtype = 'int64'
shape = []
value = 9007199254740993
[[rule]]
create = 'list'
dtype = 'bfloat16'
shape = [2, 2]
values = [[1, 2], [3, 0.5]]
[[rule]]
create = 'table'
dtype = 'float32'
shape = [2, 3]
npy = 'table.npy'
[[rule]]
create = 'noise'
dtype = 'float32'
shape = [1000]
normal = { std = 2.0, seed = 1 }
"""
    source = floats({"w": [2]})
    m = mapped(mount, tmp_path, source, text)
    found = values(at(m, "ckpt-9"))
    noise = found.pop("noise")
    assert noise.shape == (1000,) and abs(noise.mean()) < 0.3 and abs(noise.std() - 2) < 0.3
    assert_same(found, source | {
        "global_step": np.int64(9007199254740993),
        "list": np.array([[1, 2], [3, 0.5]], ml_dtypes.bfloat16),
        "table": np.arange(6, dtype=np.float32).reshape(2, 3),
    })


def test_the_rule_and_its_effect_are_reported(mount, tmp_path):
    source = floats({"w": [2, 3]})
    m = mapped(mount, tmp_path, source, "[[rule]]\nrename = 'w'\nto = 'v'\nops = [{ transpose = [1, 0] }, { cast = 'float16' }]")
    row = (m / "ckpt-9" / "remap.tsv").read_text().splitlines()[1].split("\t")
    assert (row[0], row[1], row[3]) == ("v", "w", 'transpose = [1, 0]; cast = "float16"')
    again = mount(tmp_path / "source" / "ckpt-9", "--map", m / ".ckptfs" / "map.toml")
    assert_same(values(at(again, "ckpt-9")), {"v": source["w"].T.astype(np.float16)})
    check = ckptfs("check", tmp_path / "source" / "ckpt-9", "--map", tmp_path / "map.toml")
    assert "w [2, 3] float32 -> v [3, 2] float16" in check.stdout


# Object graphs: names stay, values change, and slots change with them.


def trained(directory):
    tf.random.set_seed(1)
    kernel = tf.Variable(tf.random.normal([2, 3]), name="kernel")
    bias = tf.Variable(tf.random.normal([3]), name="bias")
    model = tf.Module()
    model.kernel, model.bias = kernel, bias
    optimizer = tf_keras.optimizers.legacy.Adam(0.1)
    optimizer.apply_gradients([(tf.ones_like(kernel), kernel), (tf.ones_like(bias), bias)])
    prefix = tf.train.Checkpoint(model=model, optimizer=optimizer).write(str(directory / "ckpt-9"))
    return prefix, kernel.numpy(), optimizer.get_slot(kernel, "m").numpy()


def test_the_slots_of_a_transposed_kernel_in_an_object_graph_are_transposed(mount, tmp_path):
    prefix, kernel, m_slot = trained(tmp_path)
    text = "[[rule]]\nrename = 'model/kernel'\nto = 'model/weight'\nops = [{ transpose = [1, 0] }]"
    m = mount(prefix, "--map", write(tmp_path, text))
    model = tf.Module()
    model.weight, model.bias = tf.Variable(tf.zeros([3, 2])), tf.Variable(tf.zeros([3]))
    optimizer = tf_keras.optimizers.legacy.Adam(0.1)
    optimizer.apply_gradients([(tf.ones([3, 2]), model.weight), (tf.ones([3]), model.bias)])
    status = tf.train.Checkpoint(model=model, optimizer=optimizer).read(at(m, "ckpt-9"))
    status.assert_existing_objects_matched()
    np.testing.assert_array_equal(model.weight.numpy(), kernel.T)
    np.testing.assert_array_equal(optimizer.get_slot(model.weight, "m").numpy(), m_slot.T)


def test_a_cast_object_graph_keeps_its_integers_and_is_restored(mount, tmp_path):
    prefix, kernel, _ = trained(tmp_path)
    m = mount(prefix, "--cast", "**=bfloat16")
    model = tf.Module()
    model.kernel = tf.Variable(tf.zeros([2, 3], tf.bfloat16))
    tf.train.Checkpoint(model=model).read(at(m, "ckpt-9")).expect_partial()
    assert model.kernel.numpy().tobytes() == kernel.astype(ml_dtypes.bfloat16).tobytes()
    found = tf.train.load_checkpoint(at(m, "ckpt-9")).get_variable_to_dtype_map()
    assert found["optimizer/iter/.ATTRIBUTES/VARIABLE_VALUE"] == tf.int64


# Invalid rules: one message each, with its position.

BAD = {
    "a shape that cannot work": ("convert = 'w'\nops = [{ reshape = [5, 5] }]", "[5, 5] has 25 elements, the tensor 24", "`w` [4, 6] float32"),
    "a remainder": ("convert = 'w'\nops = [{ reshape = [5, \"d0*d1/5\"] }]", "24 / 5 leaves a remainder of 4", "`w` [4, 6] float32"),
    "a missing member": ("join = ['{x}/k', '{x}/q']\nto = '{x}/kq'\naxis = 0", "`a/q` is missing, to be joined with `a/k`", "map.toml"),
    "parts that do not fit": ("join = ['w', 'a/k']\nto = 'x'\naxis = 0", "[4, 6] and [3] cannot be joined", "`a/k` [3] float32"),
    "a create that collides": ("create = 'w'\ndtype = 'int8'\nshape = []\nvalue = 0", "two variables would be called `w`", "drop the old one"),
    "an absent file": ("create = 'n'\ndtype = 'int8'\nshape = []\nnpy = 'none.npy'", "none.npy: No such file", "map.toml"),
    "a file that is none": ("create = 'n'\ndtype = 'int8'\nshape = []\nnpy = 'map.toml'", "npy", "map.toml"),
    "a vocabulary of another size": ("convert = 'w'\nops = [{ vocab = { old = 'map.toml', new = 'map.toml' } }]", "has 3 tokens, the tensor 4 rows", "`w` [4, 6] float32"),
    "no parts": ("split = 'w'\nto = ['x', 'y', 'z']\naxis = 0", "4 / 3 leaves a remainder of 1", "`w` [4, 6] float32"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_invalid_rule_is_refused_before_the_mount(tmp_path, case):
    rule, what, where = BAD[case]
    prefix = save(tmp_path / "source", floats({"w": [4, 6], "a/k": [3]}))
    text = refused("check", prefix, "--map", write(tmp_path, f"[[rule]]\n{rule}"))
    assert what in text and where in text and "map.toml:" in text, text
    assert text.startswith("error: ") and text.count("error: ") == 1, text


def test_all_invalid_rules_are_reported_at_once(tmp_path):
    prefix = save(tmp_path / "source", floats({"w": [4, 6], "v": [2]}))
    text = "[[rule]]\nrename = 'w'\nto = 'v'\nops = [{ transpose = [0, 0] }]\n[[rule]]\nconvert = 'v'\nops = [{ squeeze = 0 }]"
    said = refused("check", prefix, "--map", write(tmp_path, text))
    for what in ("two variables would be called `v`", "axis 0 is listed twice", "axis 0 has the size 2, not 1"):
        assert what in said or what.startswith("axis 0 has"), said

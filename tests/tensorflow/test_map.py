"""Mounts with a map: new names exist, old names do not, and every value equals that of the source, bit for bit."""

import pytest
import tensorflow as tf

from harness import FIXTURES, assert_same, fixture, refused, values
from test_restore import PREFIXES, at

v1 = tf.compat.v1


def test_renamed_variables_have_their_values_under_every_prefix(mount):
    m = mount(fixture("tf1_bert_tiny"), "--rename", "bert/**=encoder/**", "--drop", "**/adam_*")
    source = values(fixture("tf1_bert_tiny"))
    expected = {renamed(name): value for name, value in source.items() if "/adam_" not in name}
    assert not any(name.startswith("bert/") for name in expected)
    for prefix in PREFIXES:
        assert_same(values(at(m, prefix)), expected)
        with pytest.raises(Exception, match="not found in checkpoint"):
            tf.train.load_variable(at(m, prefix), "bert/pooler/dense/kernel")


def test_saver_restores_a_graph_that_has_the_new_names(mount):
    m = mount(fixture("tf1_bert_tiny"), "--rename", "bert/**=encoder/**", "--drop", "**/adam_*")
    expected = values(fixture("tf1_bert_tiny"), ["bert/pooler/dense/kernel", "bert/encoder/layer_1/output/dense/bias"])
    for prefix in PREFIXES:
        with v1.Graph().as_default(), v1.Session() as session:
            variables = {name: v1.get_variable(renamed(name), value.shape) for name, value in expected.items()}
            v1.train.Saver().restore(session, at(m, prefix))
            assert_same(session.run(variables), expected)


def test_init_from_checkpoint_takes_a_whole_scope_by_its_new_name(mount):
    m = mount(fixture("tf1_bert_tiny"), "--rename", "bert/**=encoder/**", "--drop", "**/adam_*")
    name = "pooler/dense/kernel"
    expected = {name: values(fixture("tf1_bert_tiny"))[f"bert/{name}"]}
    with v1.Graph().as_default(), v1.Session() as session:
        variable = v1.get_variable(f"mine/{name}", [4, 4])
        v1.train.init_from_checkpoint(at(m, "latest"), {"encoder/": "mine/"})
        session.run(v1.global_variables_initializer())
        assert_same({name: session.run(variable)}, expected)


@pytest.mark.parametrize("name", ["sharded", "snappy", "tf1_adam", "dtypes"])
def test_a_map_does_not_change_the_data_files(mount, name):
    m = mount(fixture(name), "--rename", "**=under/**")
    assert_same(values(at(m, "ckpt-9")), {f"under/{n}": v for n, v in values(fixture(name)).items()})
    for source in FIXTURES.joinpath(name).glob("ckpt-9.data-*"):
        assert (m / source.name).read_bytes() == source.read_bytes()


def test_an_alias_has_both_names(mount):
    m = mount(fixture("tf1_adam"), "--alias", "head/kernel=top/weights", "--alias", "global_step=step")
    found, source = values(at(m, "ckpt-9")), values(fixture("tf1_adam"))
    aliases = {"top/weights": "head/kernel", "top/weights/Adam": "head/kernel/Adam", "top/weights/Adam_1": "head/kernel/Adam_1"}
    aliases |= {"step": "global_step"}
    assert_same(found, source | {new: source[old] for new, old in aliases.items()})


def test_slots_follow_their_variable(mount):
    m = mount(fixture("tf1_adam"), "--rename", "head/kernel=top/weights", "--drop", "bert/pooler/bias")
    found, source = values(at(m, "ckpt-9")), values(fixture("tf1_adam"))
    expected = {n.replace("head/kernel", "top/weights"): v for n, v in source.items() if not n.startswith("bert/pooler/bias")}
    assert len(expected) == len(source) - 3
    assert_same(found, expected)


def test_keep_keeps_only_the_variables_that_it_names(mount):
    m = mount(fixture("tf1_adam"), "--keep", "bert/encoder/**")
    expected = {n: v for n, v in values(fixture("tf1_adam")).items() if n.startswith("bert/encoder/")}
    assert_same(values(at(m, "ckpt-9")), expected)


def test_two_renames_swap_names(mount):
    a, b = "bert/encoder/layer_0/kernel", "bert/encoder/layer_1/kernel"
    m = mount(fixture("tf1_adam"), "--rename", f"{a}={b}", "--rename", f"{b}={a}")
    found, source = values(at(m, "ckpt-9"), [a, b]), values(fixture("tf1_adam"))
    assert_same(found, {a: source[b], b: source[a]})


def test_a_rename_and_its_inverse_on_nested_mounts_restore_the_index(mount):
    there = mount(fixture("tf1_bert_tiny"), "--rename", "bert/**=encoder/**")
    back = mount(there / "ckpt-9", "--rename", "encoder/**=bert/**")
    assert (back / "ckpt-9.index").read_bytes() == fixture("tf1_bert_tiny").with_suffix(".index").read_bytes()
    assert_same(values(at(back, "ckpt-9")), values(fixture("tf1_bert_tiny")))


def test_a_map_applies_to_every_checkpoint_of_a_directory(mount):
    m = mount(FIXTURES / "two_steps", "--rename", "model/**=net/**")
    for step in ("ckpt-8", "ckpt-9"):
        source = values(FIXTURES / "two_steps" / step)
        assert_same(values(at(m, step)), {n.replace("model/", "net/"): v for n, v in source.items()})


DDP = """
# PyTorch DistributedDataParallel prefix
version = 1
[[rule]]
rename = 'module.**'
to = '**'
[[rule]]
rename = 'module/**'
to = '**'
"""


def test_map_ddp_module_prefix(mount, tmp_path):
    m = mount(fixture("ddp"), "--map", write(tmp_path, DDP))
    source = values(fixture("ddp"))
    assert_same(values(at(m, "ckpt-9")), {name[len("module.") :]: value for name, value in source.items()})
    assert "encoder/kernel" in values(at(m, "latest")) and "head/bias" in values(at(m, "latest"))


EMA = """
# the average takes the weight's name; the raw weight is dropped where an average exists
version = 1
[options]
collision = "first"
[[rule]]
rename = '{v:**}/ExponentialMovingAverage'
to = '{v}'
"""


def test_map_ema_to_weights(mount, tmp_path):
    m = mount(fixture("ema"), "--map", write(tmp_path, EMA))
    source = values(fixture("ema"))
    averages = {n: source[f"{n}/ExponentialMovingAverage"] for n in ("model/layer/kernel", "model/layer/bias")}
    assert_same(values(at(m, "ckpt-9")), averages | {"model/raw_only": source["model/raw_only"]})


NEW_SCOPE = """
version = 1
[[rule]]
drop = '**/{slot:Adam|Adam_1|Momentum|adam_m|adam_v}'
[[rule]]
drop = '{b:beta1_power|beta2_power}'
[[rule]]
rename = 'w{rest:**}'
to = 'model/w{rest}'
"""


def test_map_new_scope_and_fresh_optimizer(mount, tmp_path):
    names = ["w", "w/Adam", "w/Adam_1", "w2/kernel", "w2/kernel/Momentum", "other", "beta1_power", "beta2_power"]
    source = {name: tf.constant([float(n), n + 0.5]) for n, name in enumerate(names)}
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "ckpt-9"), tensor_names=names, shape_and_slices=[""] * len(names), tensors=list(source.values())
    )
    m = mount(tmp_path / "ckpt-9", "--map", write(tmp_path, NEW_SCOPE))
    kept = {"model/w": "w", "model/w2/kernel": "w2/kernel", "other": "other"}
    assert_same(values(at(m, "ckpt-9")), {new: source[old].numpy() for new, old in kept.items()})


BERT_NAMES = r"""
# google-research/bert (TF1 Saver) -> tensorflow/models official BERT encoder V2 names
version = 1
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
rename = 'bert/encoder/layer_{i:int}/attention/self/{qkv}/{leaf:kernel|bias}'
to   = 'transformer/layer_{i}/self_attention/{qkv}/{leaf}'
[[rule]]
rename = 'bert/encoder/layer_{i:int}/attention/output/dense/{leaf}'
to   = 'transformer/layer_{i}/self_attention/attention_output/{leaf}'
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

LAYER_NAMES = {
    "attention/self/query": "self_attention/query",
    "attention/self/key": "self_attention/key",
    "attention/self/value": "self_attention/value",
    "attention/output/dense": "self_attention/attention_output",
    "attention/output/LayerNorm": "self_attention_layer_norm",
    "intermediate/dense": "intermediate",
    "output/dense": "output",
    "output/LayerNorm": "output_layer_norm",
}


def test_map_bert_to_model_garden(mount, tmp_path):
    m = mount(fixture("tf1_bert_tiny"), "--map", write(tmp_path, BERT_NAMES))
    source = values(fixture("tf1_bert_tiny"))
    expected = {new: source[old] for new, old in model_garden().items()}
    expected |= {name: value for name, value in source.items() if name.startswith("cls/") and "/adam_" not in name}
    assert_same(values(at(m, "ckpt-9")), expected)


def model_garden():
    """Returns the old name of every new name, independent of the rules of the map."""
    names = {
        "word_embeddings/embeddings": "bert/embeddings/word_embeddings",
        "type_embeddings/embeddings": "bert/embeddings/token_type_embeddings",
        "position_embedding/embeddings": "bert/embeddings/position_embeddings",
        "embeddings/layer_norm/beta": "bert/embeddings/LayerNorm/beta",
        "embeddings/layer_norm/gamma": "bert/embeddings/LayerNorm/gamma",
        "pooler_transform/kernel": "bert/pooler/dense/kernel",
        "pooler_transform/bias": "bert/pooler/dense/bias",
    }
    for layer in ("layer_0", "layer_1"):
        for old, new in LAYER_NAMES.items():
            for leaf in ("beta", "gamma") if old.endswith("LayerNorm") else ("kernel", "bias"):
                names[f"transformer/{layer}/{new}/{leaf}"] = f"bert/encoder/{layer}/{old}/{leaf}"
    return names


class TestRefused:
    def test_a_flag_that_matches_nothing_names_the_nearest(self, tmp_path):
        said = refuse(tmp_path, "tf1_bert_tiny", "--rename", "ber/**=encoder/**")
        assert "ber/**" in said and "bert/" in said

    def test_a_collision_lists_both_variables(self, tmp_path):
        said = refuse(tmp_path, "ddp", "--rename", "module.encoder/bias=same", "--rename", "module/head/bias=same")
        assert "module.encoder/bias" in said and "module/head/bias" in said

    def test_a_map_that_does_not_fit_is_reported_with_file_and_line(self, tmp_path):
        path = write(tmp_path, "version = 1\n[[rule]]\nrename = 'module.**'\nto = '**'\n[[rule]]\nrename = 'nothing/**'\nto = '**'\n")
        said = refuse(tmp_path, "ddp", "--map", path)
        assert f"{path.name}:6" in said and "nothing/**" in said

    def test_all_misfits_are_reported_at_once(self, tmp_path):
        said = refuse(tmp_path, "ddp", "--rename", "nothing=a", "--drop", "neither/**")
        assert "nothing" in said and "neither/**" in said

    def test_a_map_that_does_not_parse_exits_with_2(self, tmp_path):
        path = write(tmp_path, "version = 1\n[[rule]]\nrename = 'a'\n")
        assert path.name in refuse(tmp_path, "ddp", "--map", path, code=2)


def refuse(tmp_path, name, *flags, code=1):
    """Runs a mount that must fail. It needs no FUSE, because a map is checked before the mount is made."""
    (tmp_path / "m").mkdir()
    return refused("mount", fixture(name), tmp_path / "m", *flags, code=code)


def renamed(name):
    return "encoder/" + name.removeprefix("bert/") if name.startswith("bert/") else name


def write(directory, rules):
    (directory / "map.toml").write_text(rules)
    return directory / "map.toml"

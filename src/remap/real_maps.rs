//! Maps of real migrations, applied to the names that google-research/bert, PyTorch and TF1 write.

use crate::remap::test_util::{plan, planned};

/// Returns all names of a BERT with two layers and its optimizer's slots, as google-research/bert saves it.
fn bert() -> Vec<String> {
    let layer = |i: usize| {
        let parts = ["query", "key", "value"].map(|part| format!("attention/self/{part}"));
        let dense = parts
            .into_iter()
            .chain(["attention/output", "intermediate", "output"].map(|p| format!("{p}/dense")));
        let dense = dense.flat_map(|part| ["kernel", "bias"].map(|leaf| format!("{part}/{leaf}")));
        let norms = ["attention/output", "output"].into_iter();
        let norms = norms.flat_map(|part| ["gamma", "beta"].map(|leaf| format!("{part}/LayerNorm/{leaf}")));
        dense.chain(norms).map(move |part| format!("bert/encoder/layer_{i}/{part}")).collect::<Vec<_>>()
    };
    let embeddings = ["word_embeddings", "token_type_embeddings", "position_embeddings"];
    let embeddings = embeddings.iter().chain(&["LayerNorm/gamma", "LayerNorm/beta"]);
    let mut names: Vec<String> = embeddings.map(|part| format!("bert/embeddings/{part}")).collect();
    names.extend([0, 1].into_iter().flat_map(layer));
    names.extend(["kernel", "bias"].map(|leaf| format!("bert/pooler/dense/{leaf}")));
    names.extend(["cls/predictions/output_bias".to_owned()]);
    let slots: Vec<_> =
        names.iter().flat_map(|name| ["adam_m", "adam_v"].map(|slot| format!("{name}/{slot}"))).collect();
    names.extend(slots);
    names.push("global_step".into());
    names
}

/// The map from BERT to the encoder of the TensorFlow Model Garden.
const BERT_TO_MODEL_GARDEN: &str = r#"
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
"#;

#[test]
fn bert_gets_the_names_of_the_model_garden() {
    let names = bert();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let plan = plan(&[], BERT_TO_MODEL_GARDEN, &names).unwrap_or_else(|mismatch| panic!("{mismatch}"));
    let new: Vec<String> =
        plan.variables.iter().map(|planned| String::from_utf8(planned.name.clone()).unwrap()).collect();

    let layer = |i: usize| {
        let attention =
            ["query", "key", "value", "attention_output"].map(|part| format!("self_attention/{part}"));
        let dense = attention.into_iter().chain(["intermediate".into(), "output".into()]);
        let dense = dense.flat_map(|part| ["kernel", "bias"].map(|leaf| format!("{part}/{leaf}")));
        let norms = ["self_attention_layer_norm", "output_layer_norm"].into_iter();
        let norms = norms.flat_map(|part| ["gamma", "beta"].map(|leaf| format!("{part}/{leaf}")));
        dense.chain(norms).map(move |part| format!("transformer/layer_{i}/{part}")).collect::<Vec<_>>()
    };
    let mut expected: Vec<String> = [0, 1].into_iter().flat_map(layer).collect();
    expected.extend(
        ["word_embeddings", "type_embeddings", "position_embedding"].map(|part| format!("{part}/embeddings")),
    );
    expected.extend(["embeddings/layer_norm/gamma", "embeddings/layer_norm/beta"].map(String::from));
    expected.extend(["pooler_transform/kernel", "pooler_transform/bias"].map(String::from));
    expected.push("cls/predictions/output_bias".into());
    expected.sort();
    assert_eq!(new, expected);
    assert_eq!(plan.report.dropped.len(), 2 * expected.len() + 1);
    assert!(plan.report.warnings.is_empty(), "{}", plan.report.warnings);
}

const MODULE_PREFIX: &str = r"
version = 1
[[rule]]
rename = 'module.**'
to = '**'
[[rule]]
rename = 'module/**'
to = '**'
";

#[test]
fn a_module_prefix_is_removed_with_a_dot_or_a_slash() {
    let names = ["module.conv1.weight", "module.layer1.0.bn1.running_mean", "module/fc/bias"];
    assert_eq!(
        planned(&[], MODULE_PREFIX, &names),
        [
            "conv1.weight <- module.conv1.weight",
            "fc/bias <- module/fc/bias",
            "layer1.0.bn1.running_mean <- module.layer1.0.bn1.running_mean",
        ]
    );
}

const AVERAGES_TO_WEIGHTS: &str = r#"
version = 1
[options]
collision = "first"
[[rule]]
rename = '{v:**}/ExponentialMovingAverage'
to = '{v}'
"#;

#[test]
fn an_average_takes_the_name_of_its_weight_if_there_is_one() {
    let names = ["conv/w", "conv/w/ExponentialMovingAverage", "conv/w/RMSProp", "fc/w", "global_step"];
    assert_eq!(
        planned(&[], AVERAGES_TO_WEIGHTS, &names),
        [
            "conv/w <- conv/w/ExponentialMovingAverage",
            "conv/w/RMSProp <- conv/w/RMSProp",
            "fc/w <- fc/w",
            "global_step <- global_step",
        ]
    );
    let lost = plan(&[], AVERAGES_TO_WEIGHTS, &names).unwrap().report.lost;
    assert_eq!(lost.iter().map(|lost| (lost.source, lost.to)).collect::<Vec<_>>(), [(0, 1)]);
}

/// A map that drops the optimizer, moves the rest to a scope, and restarts the step count.
const NEW_SCOPE: &str = r"
version = 1
[[rule]]
drop = '**/{slot:Adam|Adam_1|Momentum|adam_m|adam_v}'
[[rule]]
drop = '{b:beta1_power|beta2_power}'
[[rule]]
rename = 'w{rest:**}'
to = 'model/w{rest}'
[[rule]]
create = 'global_step'
dtype = 'int64'
shape = []
value = 0
";

#[test]
fn a_new_scope_without_the_old_optimizer() {
    let names =
        ["beta1_power", "beta2_power", "w1", "w1/Adam", "w1/Adam_1", "w2/kernel", "w2/kernel/Momentum", "x"];
    let expected = ["global_step <- nothing", "model/w1 <- w1", "model/w2/kernel <- w2/kernel", "x <- x"];
    assert_eq!(planned(&[], NEW_SCOPE, &names), expected);
}

const RESNET: &str = r"
[[rule]]
rename = 'resnet_v1_50/block{b:int}/unit_{u:int}/bottleneck_v1/conv{c:int}/weights'
to   = 'conv{b+1}_block{u}_{c}_conv/kernel'
[[rule]]
rename = 'resnet_v1_50/conv1/BatchNorm/{leaf}'
to   = 'conv1_bn/{leaf}'
[[rule]]                                  # 1x1 conv head -> dense head
rename = 'resnet_v1_50/logits/weights'
to   = 'predictions/kernel'
ops  = [{ squeeze = [0, 1] }]
";

#[test]
fn slims_resnet_gets_the_names_of_keras_applications() {
    let names = [
        "resnet_v1_50/block1/unit_3/bottleneck_v1/conv2/weights",
        "resnet_v1_50/conv1/BatchNorm/gamma",
        "resnet_v1_50/logits/weights",
    ];
    let new = ["conv1_bn/gamma", "conv2_block3_2_conv/kernel", "predictions/kernel"];
    let expected = [(0, 1), (1, 0), (2, 2)].map(|(to, from)| format!("{} <- {}", new[to], names[from]));
    assert_eq!(planned(&[], RESNET, &names), expected);
}

const H5_TO_KERAS_3: &str = r"
[tables]
auto = { d1 = 'dense', bn = 'batch_normalization' }
leaf = { 'kernel:0' = 0, 'bias:0' = 1, 'gamma:0' = 0, 'moving_variance:0' = 3 }
[[rule]]
rename = '{layer}/*/{l}'
to = 'layers/{auto[layer]}/vars/{leaf[l]}'
";

#[test]
fn tables_translate_layers_and_leaves() {
    let names = ["d1/d1/kernel:0", "bn/bn/moving_variance:0"];
    assert_eq!(
        planned(&[], H5_TO_KERAS_3, &names),
        [
            "layers/batch_normalization/vars/3 <- bn/bn/moving_variance:0",
            "layers/dense/vars/0 <- d1/d1/kernel:0",
        ]
    );
}

const FUSED: &str = r#"
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
"#;

#[test]
fn fused_attention_is_split_and_joined() {
    let names =
        ["b/k_proj/weight", "b/q_proj/weight", "b/v_proj/weight", "model/h7/attn/c_attn/w", "q_proj/weight"];
    let whole = [&names[..4], &["k_proj/weight", "q_proj/weight", "v_proj/weight"]].concat();
    assert_eq!(
        planned(&[], FUSED, &whole),
        [
            "b/qkv/weight <- b/q_proj/weight",
            "h.7.attn.k.weight <- model/h7/attn/c_attn/w",
            "h.7.attn.q.weight <- model/h7/attn/c_attn/w",
            "h.7.attn.v.weight <- model/h7/attn/c_attn/w",
            "qkv/weight <- q_proj/weight",
        ]
    );
    let message = plan(&[], FUSED, &names).unwrap_err().to_string();
    assert!(message.contains("`k_proj/weight` is missing, to be joined with `q_proj/weight`"), "{message}");
}

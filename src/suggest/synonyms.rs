//! Words that frameworks use for one thing.

/// The other word, and the plain ones.
#[rustfmt::skip]
const SYNONYMS: &[(&str, &str)] = &[
    ("attn", "attention"), ("att", "attention"), ("mha", "attention"),
    ("ln", "layer norm"), ("layernorm", "layer norm"), ("layernormalization", "layer norm"), ("bn", "batch norm"),
    ("batchnorm", "batch norm"), ("batchnormalization", "batch norm"), ("gn", "group norm"), ("normalization", "norm"), ("rms", "norm"),
    ("proj", "projection"), ("q", "query"), ("k", "key"), ("v", "value"), ("o", "output"), ("out", "output"),
    ("fc", "dense"), ("linear", "dense"), ("conv1d", "conv"), ("conv2d", "conv"), ("conv3d", "conv"), ("convolution", "conv"), ("cnn", "conv"),
    ("dw", "depthwise"), ("dwconv", "depthwise conv"), ("pw", "pointwise"), ("sepconv", "separable conv"),
    ("wte", "word embedding"), ("wpe", "position embedding"), ("emb", "embedding"), ("embed", "embedding"), ("embedder", "embedding"),
    ("tok", "word"), ("token", "word"), ("vocab", "word"), ("pos", "position"), ("positional", "position"),
    ("segment", "type"), ("seg", "type"), ("enc", "encoder"), ("dec", "decoder"), ("mlp", "ffn"), ("ff", "ffn"), ("feedforward", "ffn"),
    ("cls", "head"), ("classifier", "head"), ("prediction", "head"), ("logit", "head"), ("rec", "recurrent"), ("fwd", "forward"),
    ("bwd", "backward"), ("inter", "intermediate"), ("param", "parameter"), ("sa", "self attention"), ("blk", "block"),
];

/// Returns the plain words for a word, in the singular.
pub(crate) fn plain_words(word: &str) -> Vec<String> {
    let one = singular(word);
    let plain = SYNONYMS.iter().find(|(other, _)| *other == one).map_or(one, |(_, plain)| *plain);
    plain.split(' ').map(str::to_owned).collect()
}

fn singular(word: &str) -> &str {
    match word.strip_suffix('s') {
        Some(one) if one.len() >= 3 && !one.ends_with('s') => one,
        _ => word,
    }
}

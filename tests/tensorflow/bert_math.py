"""The computation of google-research/bert in NumPy, which checks maps that change the layout of its weights."""

import math

import numpy as np

ERF = np.vectorize(math.erf)


def gelu(x):
    return x * 0.5 * (1 + ERF(x / np.sqrt(2)))


def normed(x, gamma, beta):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12) * gamma + beta


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention(query, key, value, heads):
    """Computes attention. Query, key and value have the shape [batch, length, hidden]."""
    split = lambda x: x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)
    q, k, v = split(query), split(key), split(value)
    mixed = softmax(q @ k.transpose(0, 1, 3, 2) / np.sqrt(q.shape[-1])) @ v
    return mixed.transpose(0, 2, 1, 3).reshape(query.shape)


def forward(embedding, dense, norm, heads, layers, ids, types):
    """Returns the last layer, the pooled output, and the logits of the masked words without their bias.

    `embedding(part)` returns a table. `dense(layer, x)` and `norm(layer, x)` apply the layer with this name in BERT.
    """
    words = embedding("word_embeddings")
    x = words[ids] + embedding("position_embeddings")[np.arange(ids.shape[1])] + embedding("token_type_embeddings")[types]
    x = norm("bert/embeddings", x)
    for at in (f"bert/encoder/layer_{i}" for i in range(layers)):
        mixed = attention(*(dense(f"{at}/attention/self/{part}", x) for part in ("query", "key", "value")), heads)
        x = norm(f"{at}/attention/output", x + dense(f"{at}/attention/output/dense", mixed))
        x = norm(f"{at}/output", x + dense(f"{at}/output/dense", gelu(dense(f"{at}/intermediate/dense", x))))
    pooled = np.tanh(dense("bert/pooler/dense", x[:, 0]))
    guess = norm("cls/predictions/transform", gelu(dense("cls/predictions/transform/dense", x)))
    return x, pooled, guess @ words.T


def of_checkpoint(source, heads, layers, ids, types):
    """Returns the last layer, the pooled output, the masked words' logits and the next sentence's logits from
    BERT's variables."""
    x, pooled, words = forward(
        lambda part: source[f"bert/embeddings/{part}"],
        lambda at, x: x @ source[f"{at}/kernel"] + source[f"{at}/bias"],
        lambda at, x: normed(x, source[f"{at}/LayerNorm/gamma"], source[f"{at}/LayerNorm/beta"]),
        heads, layers, ids, types,
    )
    words = words + source["cls/predictions/output_bias"]
    return x, pooled, words, pooled @ source["cls/seq_relationship/output_weights"].T + source["cls/seq_relationship/output_bias"]

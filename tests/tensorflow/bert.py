"""The variables of google-research/bert: names and shapes, as it spells them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    vocab: int
    positions: int
    layers: int
    hidden: int
    inner: int


BASE = Size(vocab=30522, positions=512, layers=12, hidden=768, inner=3072)
TINY = Size(vocab=10, positions=6, layers=2, hidden=4, inner=8)


def shapes(size):
    """Returns the shape of every weight, by name."""
    h, i = size.hidden, size.inner
    found = {
        "bert/embeddings/word_embeddings": [size.vocab, h],
        "bert/embeddings/position_embeddings": [size.positions, h],
        "bert/embeddings/token_type_embeddings": [2, h],
        **norm("bert/embeddings", h),
        "cls/predictions/output_bias": [size.vocab],
        "cls/seq_relationship/output_bias": [2],
        "cls/seq_relationship/output_weights": [2, h],
        **dense("bert/pooler/dense", h, h),
        **dense("cls/predictions/transform/dense", h, h),
        **norm("cls/predictions/transform", h),
    }
    for layer in (f"bert/encoder/layer_{n}" for n in range(size.layers)):
        for part in ("query", "key", "value"):
            found |= dense(f"{layer}/attention/self/{part}", h, h)
        found |= dense(f"{layer}/attention/output/dense", h, h) | norm(f"{layer}/attention/output", h)
        found |= dense(f"{layer}/intermediate/dense", h, i)
        found |= dense(f"{layer}/output/dense", i, h) | norm(f"{layer}/output", h)
    return found


def with_slots(weights):
    """Returns the weights, and the two averages that BERT's Adam keeps of each."""
    return {f"{name}{slot}": shape for name, shape in weights.items() for slot in ("", "/adam_m", "/adam_v")}


def dense(scope, rows, columns):
    return {f"{scope}/kernel": [rows, columns], f"{scope}/bias": [columns]}


def norm(scope, size):
    return {f"{scope}/LayerNorm/beta": [size], f"{scope}/LayerNorm/gamma": [size]}

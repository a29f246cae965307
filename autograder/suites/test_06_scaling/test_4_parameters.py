"""Section 4 of 06_scaling. How many parameters a token uses."""

import torch

from autograder.suite import Draw, Student, exercise, expect

# --- active_parameters --------------------------------------------------------------------

FIELDS = (
    "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads "
    "num_key_value_heads head_dim num_local_experts num_experts_per_tok"
).split()


def parts(c: dict[str, int]) -> dict[str, int]:
    """Parameters by part of the whole model; an expert counts once."""
    d, layers = c["hidden_size"], c["num_hidden_layers"]
    return {
        "embedding": c["vocab_size"] * d,
        "queries": layers * d * c["num_attention_heads"] * c["head_dim"],
        "keys": layers * d * c["num_key_value_heads"] * c["head_dim"],
        "norm": layers * d,
        "router": layers * d * c["num_local_experts"],
        "expert": layers * 3 * d * c["intermediate_size"],
    }


def built_by_transformers(c: dict[str, int]) -> int:
    """Parameters of the model with only k experts, plus the other rows of the router."""
    from transformers import MixtralConfig, MixtralForCausalLM

    few = c | {"num_local_experts": c["num_experts_per_tok"]}
    with torch.device("meta"):
        model = MixtralForCausalLM(MixtralConfig(**few, tie_word_embeddings=False))
    rows = c["num_local_experts"] - c["num_experts_per_tok"]
    count = sum(parameter.numel() for parameter in model.parameters())
    return count + c["num_hidden_layers"] * rows * c["hidden_size"]


@exercise("active_parameters", weight=2)
def test_everything_counts_but_the_idle_experts(student: Student, draw: Draw):
    """A model with grouped keys, heads that are together not hidden_size wide, k = 3."""
    values = (draw.integer(90, 99), 24, draw.integer(30, 40), 3, 4, 2, 10, 7, 3)
    cfg = dict(zip(FIELDS, values, strict=True))
    n, k = parts(cfg), cfg["num_experts_per_tok"]
    want = built_by_transformers(cfg)
    expect(student.active_parameters(cfg)).equals(
        want,
        "Add up the table, over all layers, with k experts per layer instead of all.",
        mistakes={
            "You counted all experts.": want + n["expert"] * (7 - k),
            "You counted one expert per layer.": want - n["expert"] * (k - 1),
            "You left out the router.": want - n["router"],
            "You counted k rows of the router: it scores all experts.":
                want - n["router"] * (7 - k) // 7,
            "You left out the output layer: it is not tied to the embedding.":
                want - n["embedding"],
            "You left out embedding and output layer.": want - 2 * n["embedding"],
            "You left out the last norm.": want - 24,
            "You left out the norms.": want - 24 - 2 * n["norm"],
            "You counted one norm per layer.": want - n["norm"],
            "You gave keys and values as many heads as queries.":
                want + 2 * n["queries"] - 2 * n["keys"],
            "You took the head width to be hidden_size / num_attention_heads.":
                want - 2 * (n["queries"] + n["keys"]) * 4 // 10,
            "You gave an expert two matrices: SwiGLU has three.": want - n["expert"] * k // 3,
            "You left out the attention's output.": want - n["queries"],
            "You left out the attention.": want - 2 * (n["queries"] + n["keys"]),
            "You counted one layer.":
                2 * n["embedding"] + 24 + (want - 2 * n["embedding"] - 24) // 3,
        },
    )  # fmt: skip


@exercise("active_parameters")
def test_a_large_model_is_counted_exactly(student: Student, draw: Draw):
    """About the size of Mixtral: some 13 billion."""
    values = (draw.integer(30_001, 32_999), 4097, 14_336, 32, 32, 8, 128, 8, 2)
    cfg = dict(zip(FIELDS, values, strict=True))
    n = parts(cfg)
    want = 2 * (n["embedding"] + n["queries"] + n["keys"] + n["norm"] + n["expert"])
    want += n["router"] + 4097
    got = student.active_parameters(cfg)
    expect(got).true(
        isinstance(got, int) and got == want,
        "The count is an exact int also in the billions: no floats on the way.",
    )


@exercise("active_parameters")
def test_all_experts_active_is_the_whole_model(student: Student, draw: Draw):
    """k = E, one layer, one key-value head."""
    values = (draw.integer(50, 60), 16, draw.integer(20, 25), 1, 4, 1, 6, 3, 3)
    cfg = dict(zip(FIELDS, values, strict=True))
    expect(student.active_parameters(cfg)).equals(
        built_by_transformers(cfg),
        "With k = E the count is that of the whole model.",
    )

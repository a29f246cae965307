"""Section 5 of 02_transformer. How many parameters a model has."""

import math

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from autograder.suite import Draw, Student, exercise, expect

# count_parameters


def shapes(cfg: dict) -> list[tuple[int, ...]]:
    """The shape of every parameter, one by one."""
    d, V, P = cfg["n_embd"], cfg["vocab_size"], cfg["n_positions"]
    inner = cfg["n_inner"] or 4 * d
    block = [(d,), (d,), (d, d), (d,), (d, d), (d,), (d, d), (d,), (d, d), (d,),
             (d,), (d,), (d, inner), (inner,), (inner, d), (d,)]  # fmt: skip
    head = [] if cfg["tie_word_embeddings"] else [(d, V)]
    return [(V, d), (P, d), *(block * cfg["n_layer"]), (d,), (d,), *head]


def counted(cfg: dict) -> int:
    """Their sizes, added up."""
    return sum(math.prod(shape) for shape in shapes(cfg))


def settings(draw: Draw, **fixed) -> dict:
    """A small configuration, none of whose numbers is a multiple of another by design."""
    heads = draw.choice([2, 3, 5])
    return {
        "vocab_size": draw.integer(300, 400), "n_positions": draw.integer(40, 60),
        "n_embd": heads * draw.integer(7, 12), "n_layer": draw.integer(2, 6), "n_head": heads,
        "n_inner": None, "tie_word_embeddings": True,
    } | fixed  # fmt: skip


COUNT = "Tables, per block 4 projections, 2 FFN layers and 2 norms with biases, final norm, head."


def miscounted(cfg: dict) -> dict[str, int]:
    """Mistake -> the number that it gives."""
    d, n, V = cfg["n_embd"], cfg["n_layer"], cfg["vocab_size"]
    inner, right = cfg["n_inner"] or 4 * d, counted(cfg)
    tied = cfg["tie_word_embeddings"]
    return {
        "The tied head is counted twice: it is the token table.": right + V * d if tied else -1,
        "The head is not tied here: it is a matrix of its own.": -1 if tied else right - V * d,
        "The head has no bias.": right + V,
        "The table of positions is missing.": right - cfg["n_positions"] * d,
        "The final layer normalisation is missing.": right - 2 * d,
        "Per block 4 d are missing: the layer normalisations, or the biases of the attention.":
            right - n * 4 * d,
        "Each block has two layer normalisations.": right - n * 2 * d,
        "All layer normalisations are missing.": right - (4 * n + 2) * d,
        "The biases are missing.": right - n * (5 * d + inner),
        "Biases and layer normalisations are missing.":
            right - n * (9 * d + inner) - 2 * d,
        "The projection after the heads is missing.": right - n * (d * d + d),
    }  # fmt: skip


@exercise("count_parameters", weight=3)
def test_tied_models(student: Student, draw: Draw):
    """Small configurations with the usual inner width."""
    for _ in range(3):
        cfg = settings(draw)
        expect(student.count_parameters(cfg)).equals(counted(cfg), COUNT, mistakes=miscounted(cfg))


@exercise("count_parameters", weight=2)
def test_another_inner_width(student: Student, draw: Draw):
    """n_inner is given."""
    cfg = settings(draw, n_inner=draw.integer(20, 35))
    wide = settings(draw, n_inner=draw.integer(500, 600))
    for each in (cfg, wide):
        expect(student.count_parameters(each)).equals(
            counted(each),
            f"n_inner, if it is not None, is the inner width of the FFN. {COUNT}",
            mistakes=miscounted(each)
            | {"The inner width is n_inner here, not 4 * d.": counted({**each, "n_inner": None})},
        )


@exercise("count_parameters", weight=2)
def test_untied_models(student: Student, draw: Draw):
    """The head is a matrix of its own."""
    for inner in (None, draw.integer(20, 35)):
        cfg = settings(draw, tie_word_embeddings=False, n_inner=inner)
        expect(student.count_parameters(cfg)).equals(counted(cfg), COUNT, mistakes=miscounted(cfg))


@exercise("count_parameters")
def test_equal_to_transformers(student: Student, draw: Draw):
    """A GPT2LMHeadModel, counted by the library."""
    for tied in (True, False):
        cfg = settings(draw, tie_word_embeddings=tied, n_layer=2)
        config = GPT2Config(**cfg, bos_token_id=None, eos_token_id=None)
        with torch.device("meta"):
            want = sum(each.numel() for each in GPT2LMHeadModel(config).parameters())
        expect(student.count_parameters(cfg)).equals(want, COUNT, mistakes=miscounted(cfg))


@exercise("count_parameters")
def test_heads_are_free_and_numbers_exact(student: Student, draw: Draw):
    """The same model with other heads, and one with more parameters than a float can count."""
    cfg = settings(draw, n_embd=60, n_head=3)
    for heads in (1, 12):
        expect(student.count_parameters({**cfg, "n_head": heads})).equals(
            counted(cfg), "The number of heads cuts the projections; it adds no parameters."
        )
    huge = settings(draw, n_embd=10**9 + 2 * draw.integer(1, 1000) + 1, n_head=1)
    expect(student.count_parameters(huge)).equals(
        counted(huge), "Return an exact int: nothing may pass through a float."
    )

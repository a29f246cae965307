"""Section 2 of 02_transformer. Splitting and merging heads, and attention with several."""

import math

import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, allowed, heads_summed, projections

# split_heads and merge_heads


def slices(x: torch.Tensor, H: int) -> torch.Tensor:
    """[B, T, H * d] to [B, H, T, d], slice by slice."""
    d = x.shape[-1] // H
    return torch.stack([x[:, :, h * d : (h + 1) * d] for h in range(H)], dim=1)


SPLIT = "Head h of token t is x[:, t, h * d : (h + 1) * d]; the result is [B, H, T, d]."
MERGE = "Columns h * d to (h + 1) * d - 1 of the result [B, T, H * d] are head h."


@exercise("split_heads", weight=3)
def test_heads_are_contiguous_slices(student: Student, draw: Draw):
    """Several shapes, one of them with as many heads as tokens."""
    for B, T, H, d in ((2, 5, 3, 4), (3, 4, 4, 2), (2, 3, 2, 3)):
        x = draw.normal(B, T, H * d)
        want = slices(x, H)
        expect(student.split_heads(x, H)).close(
            want,
            SPLIT,
            mistakes={
                "view without a transpose tears the tokens apart.": x.reshape(B, H, T, d),
                "The heads are interleaved: every H-th column goes to one head.":
                    torch.stack([x[:, :, h::H] for h in range(H)], dim=1),
                "Heads and tokens are not exchanged: transpose dimensions 1 and 2.":
                    x.reshape(B, T, H, d),
                "The heads are in the wrong order.": want.flip(1),
            },
        )  # fmt: skip


@exercise("split_heads")
def test_one_head_one_token_one_column(student: Student, draw: Draw):
    """A single head, a single token, a single text, heads of width 1."""
    for B, T, H, d in ((2, 3, 1, 4), (2, 1, 3, 2), (1, 4, 2, 3), (2, 3, 4, 1)):
        x = draw.normal(B, T, H * d)
        expect(student.split_heads(x, H)).close(slices(x, H), SPLIT)


@exercise("split_heads")
def test_splitting_keeps_dtype_and_graph(student: Student, draw: Draw):
    """Integers, then a gradient."""
    x = draw.integers(0, 1000, 2, 3, 8)
    expect(student.split_heads(x, 2)).equals(slices(x, 2), f"Any dtype is kept. {SPLIT}")
    weights = draw.normal(2, 4, 3, 2)
    got = student.grad("split_heads", draw.normal(2, 3, 8), 4, wrt=(0,), cotangent=weights)
    want = torch.cat([weights[:, h] for h in range(4)], dim=-1)
    expect(got.grads[0]).close(want, "The result keeps the graph of x: gradients pass through.")


@exercise("merge_heads", weight=3)
def test_heads_stand_side_by_side(student: Student, draw: Draw):
    """Several shapes, one of them with as many heads as tokens."""
    for B, T, H, d in ((2, 5, 3, 4), (3, 4, 4, 2), (2, 3, 2, 3)):
        x = draw.normal(B, H, T, d)
        want = torch.cat(list(x.unbind(1)), dim=-1)
        expect(student.merge_heads(x)).close(
            want,
            MERGE,
            mistakes={
                "reshape without a transpose mixes the tokens.": x.reshape(B, T, H * d),
                "The heads are interleaved.": x.permute(0, 2, 3, 1).reshape(B, T, H * d),
                "The heads are in the wrong order.": torch.cat(list(x.unbind(1))[::-1], dim=-1),
            },
        )


@exercise("merge_heads")
def test_merging_one_head_one_token_one_column(student: Student, draw: Draw):
    """A single head, a single token, a single text, heads of width 1."""
    for B, T, H, d in ((2, 3, 1, 4), (2, 1, 3, 2), (1, 4, 2, 3), (2, 3, 4, 1)):
        x = draw.normal(B, H, T, d)
        expect(student.merge_heads(x)).close(torch.cat(list(x.unbind(1)), dim=-1), MERGE)


@exercise("merge_heads")
def test_merging_keeps_dtype_and_graph(student: Student, draw: Draw):
    """Integers, then a gradient."""
    x = draw.integers(0, 1000, 2, 4, 3, 2)
    want = torch.cat(list(x.unbind(1)), dim=-1)
    expect(student.merge_heads(x)).equals(want, f"Any dtype is kept. {MERGE}")
    weights = draw.normal(2, 3, 8)
    got = student.grad("merge_heads", draw.normal(2, 4, 3, 2), wrt=(0,), cotangent=weights)
    expect(got.grads[0]).close(
        slices(weights, 4), "The result keeps the graph of x: gradients pass through."
    )


# multi_head_attention


def four(p: dict) -> tuple:
    """Wq, Wk, Wv, Wo."""
    return p["Wq"], p["Wk"], p["Wv"], p["Wo"]


def biases(p: dict) -> dict:
    """bq, bk, bv, bo by name."""
    return {name: p[name] for name in ("bq", "bk", "bv", "bo")}


def interleaved(p: dict, H: int) -> dict:
    """The weights that make contiguous heads out of interleaved ones."""
    order = {n: torch.arange(p[f"W{n}"].shape[1]).reshape(-1, H).T.flatten() for n in "qkv"}
    other = {f"W{n}": p[f"W{n}"][:, order[n]] for n in "qkv"}
    return other | {"Wo": p["Wo"][order["v"]]}


def mixed_by_view(x, p, H, mask):
    """What `view` without a transpose makes of the heads."""
    B, T, _ = x.shape
    q, k, v = ((x @ p[f"W{n}"]).reshape(B, H, T, -1) for n in "qkv")
    return sdpa(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2) @ p["Wo"]


MHA = "Project, split into contiguous heads, attend in each, put the heads side by side, then Wo."


@exercise("multi_head_attention", weight=4)
def test_several_heads_under_a_causal_mask(student: Student, draw: Draw):
    """Three heads, widths of model, keys, values and output all different."""
    x, mask = draw.normal(2, 5, 7), allowed(5)
    p = projections(draw, 7, 3, 4, 2, 6)
    k_and_q = {**p, "Wq": p["Wk"], "Wk": p["Wq"]}
    expect(student.multi_head_attention(x, *four(p), 3, mask)).close(
        heads_summed(x, p, 3, mask),
        MHA,
        mistakes={
            "The mask is ignored.": heads_summed(x, p, 3),
            "The scores are not divided by sqrt(d_k).": heads_summed(x, p, 3, mask, scale=1.0),
            "The scores are divided by the square root of the width of the model; d_k is the "
            "width of one head.": heads_summed(x, p, 3, mask, scale=1 / math.sqrt(7)),
            "The scores are divided by the square root of all heads' columns; d_k is the width "
            "of one head.": heads_summed(x, p, 3, mask, scale=1 / math.sqrt(12)),
            "The scores are divided by the square root of the values' width.":
                heads_summed(x, p, 3, mask, scale=1 / math.sqrt(2)),
            "The heads are interleaved; head h owns contiguous columns.":
                heads_summed(x, interleaved(p, 3), 3, mask),
            "view without a transpose mixes tokens and heads.": mixed_by_view(x, p, 3, mask),
            "Queries and keys are exchanged.": heads_summed(x, k_and_q, 3, mask),
            "There is one head only: split the projections.": heads_summed(x, p, 1, mask),
        },
    )  # fmt: skip


@exercise("multi_head_attention", weight=3)
def test_equal_to_the_layer_of_torch(student: Student, draw: Draw):
    """nn.MultiheadAttention with its weights transposed, with biases, with and without a mask."""
    library = torch.nn.MultiheadAttention(12, 4, batch_first=True, dtype=DOUBLE)
    with torch.no_grad():
        for parameter in library.parameters():
            parameter.copy_(0.5 * draw.normal(*parameter.shape))
        x = draw.normal(3, 4, 12)
        W = [each.T.clone() for each in library.in_proj_weight.chunk(3)]
        b = [each.clone() for each in library.in_proj_bias.chunk(3)]
        Wo, bo = library.out_proj.weight.T.clone(), library.out_proj.bias.clone()
        for mask in (allowed(4), None):
            hidden = None if mask is None else ~mask
            want, _ = library(x, x, x, attn_mask=hidden, need_weights=False)
            got = student.multi_head_attention(x, *W, Wo, 4, mask, *b, bo)
            transposed = student.multi_head_attention(
                x, *(each.T.clone() for each in W), Wo.T.clone(), 4, mask, *b, bo
            )
            expect(got).close(
                want,
                "With the transposed weights of torch's layer the output is torch's: x @ W + b.",
                mistakes={"The bias of the output is missing.": want - bo},
            )
            expect(torch.equal(got, transposed)).equals(
                False, "The weights are used as they are, x @ W, and not transposed."
            )


@exercise("multi_head_attention", weight=2)
def test_each_bias_is_optional(student: Student, draw: Draw):
    """One bias at a time, then all of them."""
    x, mask = draw.normal(2, 4, 5), allowed(4)
    p = projections(draw, 5, 2, 3, 4, 5)
    zero = {**p, **{name: torch.zeros_like(each) for name, each in biases(p).items()}}
    for name, bias in biases(p).items():
        expect(student.multi_head_attention(x, *four(p), 2, mask, **{name: bias})).close(
            heads_summed(x, {**zero, name: bias}, 2, mask, bias=True),
            "Each bias is added where it is given, bo once after Wo, and left out where it is "
            "None.",
            mistakes={
                "A bias that is given is not added.": heads_summed(x, p, 2, mask),
                "bo is added once per head; it belongs to the sum.":
                    heads_summed(x, p, 2, mask) + 2 * p["bo"],
            },
        )  # fmt: skip
    expect(student.multi_head_attention(x, *four(p), 2, mask, **biases(p))).close(
        heads_summed(x, p, 2, mask, bias=True), "All four biases together: x @ W + b each."
    )


@exercise("multi_head_attention", weight=2)
def test_one_head_and_one_token(student: Student, draw: Draw):
    """A single head; a single token in a single text; a head per column."""
    for B, T, H, d_k, d_v in ((2, 4, 1, 3, 5), (1, 1, 2, 3, 3), (2, 3, 6, 1, 1)):
        x, p = draw.normal(B, T, 4), projections(draw, 4, H, d_k, d_v, 4)
        expect(student.multi_head_attention(x, *four(p), H)).close(heads_summed(x, p, H), MHA)


@exercise("multi_head_attention")
def test_masks_with_a_batch_dimension(student: Student, draw: Draw):
    """Padding that differs from text to text, and a mask of its own for each head, 4-D and 3-D."""
    x, p = draw.normal(2, 5, 6), projections(draw, 6, 2, 3, 3, 6)
    padding = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]).bool()[:, None, None, :]
    per_head = torch.stack([allowed(5), torch.ones(5, 5).bool()]).expand(2, 2, 5, 5).clone()
    for mask in (padding, padding & allowed(5), per_head):
        expect(student.multi_head_attention(x, *four(p), 2, mask)).close(
            heads_summed(x, p, 2, mask), "The mask is anything broadcastable to [B, H, T, T]."
        )
    expect(student.multi_head_attention(x, *four(p), 2, per_head[0])).close(
        heads_summed(x, p, 2, per_head),
        "The mask is broadcast to [B, H, T, T]: of three dimensions the first is the heads'.",
        mistakes={
            "The first of a mask's three dimensions is read as the batch; to be broadcast to "
            "[B, H, T, T] it is that of the heads.":
                heads_summed(x, p, 2, per_head[0][:, None].expand(2, 2, 5, 5)),
        },
    )  # fmt: skip


@exercise("multi_head_attention", weight=2)
def test_gradients_flow_to_all_weights(student: Student, draw: Draw):
    """Derivatives with respect to tokens, weights and biases."""
    x, mask, pull = draw.normal(2, 4, 5), allowed(4), draw.normal(2, 4, 6)
    p = projections(draw, 5, 2, 3, 4, 6)
    leaves = {name: each.clone().requires_grad_() for name, each in {"x": x, **p}.items()}
    out = heads_summed(leaves["x"], leaves, 2, mask, bias=True)
    names = list(leaves)
    wanted = torch.autograd.grad((out * pull).sum(), list(leaves.values()))
    got = student.grad("multi_head_attention", x=x, n_heads=2, mask=mask, **p, wrt=tuple(names),
                       cotangent=pull)  # fmt: skip
    for name, want in zip(names, wanted, strict=True):
        expect(got.grads[name]).close(
            want,
            "Gradients must reach tokens, weights and biases: nothing is detached.",
            scale=1.0,
        )


@exercise("multi_head_attention")
def test_float32_heads(student: Student, draw: Draw):
    """Everything in float32."""
    x, p = draw.normal(2, 4, 6), projections(draw, 6, 2, 3, 3, 6)
    single = {name: each.float() for name, each in p.items()}
    got = student.multi_head_attention(x.float(), *four(single), 2, allowed(4), **biases(single))
    expect(got).close(
        heads_summed(x, p, 2, allowed(4), bias=True).float(), "Keep float32.", rtol=1e-4
    )

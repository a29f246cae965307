"""Hidden suite of 02_transformer.

Strategy: attention is compared with torch's scaled_dot_product_attention (the weights with its
output for an identity matrix as values), layer normalisation with F.layer_norm, the block and the
decoder with GPT2LMHeadModel of transformers and the same weights, its cache included. Several heads
are a sum over heads of (head times its rows of Wo), which needs neither splitting nor merging.
Equivariance is tried on layers whose properties are known by construction. The model of
next_token_distribution is a table with a free row for every prefix, so that a single padding token
that is seen changes everything.
"""

import math

import torch
import torch.nn.functional as F
from torch.nn.functional import scaled_dot_product_attention as sdpa
from transformers import GPT2Config, GPT2LMHeadModel

from autograder.suite import Draw, Student, exercise, expect, model
from sft2rl.models import TabularLM

PRELOAD = ("sft2rl.models",)  # brings transformers along
DEPENDS = {
    "multi_head_attention": ["attention", "split_heads", "merge_heads"],
    "transformer_block": [
        "causal_mask", "attention", "split_heads", "merge_heads", "multi_head_attention",
        "layer_norm", "feed_forward",
    ],
    "TinyDecoder": [
        "causal_mask", "attention", "split_heads", "merge_heads", "multi_head_attention",
        "layer_norm", "feed_forward", "transformer_block", "lm_logits",
    ],
}  # fmt: skip
ATTENTION = [
    "torch.nn.functional.scaled_dot_product_attention",
    "torch.nn.functional.multi_head_attention_forward",
    "torch.nn.MultiheadAttention",
    "torch.nn.TransformerEncoderLayer",
    "torch.nn.TransformerDecoderLayer",
    "transformers",
]
NORM = [
    "torch.nn.functional.layer_norm", "torch.layer_norm", "torch.native_layer_norm",
    "torch.nn.LayerNorm", "torch.nn.functional.group_norm", "torch.nn.GroupNorm", "transformers",
]  # fmt: skip
FORBIDDEN = {
    "attention": ATTENTION,
    "multi_head_attention": ATTENTION,
    "layer_norm": NORM,
    "transformer_block": ATTENTION + NORM,
    "count_parameters": ["transformers"],
    "TinyDecoder": ATTENTION + NORM,
}
DOUBLE = torch.float64


def allowed(T: int, S: int | None = None) -> torch.Tensor:
    """The last T rows of the causal mask of S tokens, entry by entry."""
    S = T if S is None else S
    return torch.tensor([[j <= i + S - T for j in range(S)] for i in range(T)])


# causal_mask


@exercise("causal_mask", weight=3)
def test_each_token_sees_itself_and_the_past(student: Student, draw: Draw):
    """Masks of several lengths."""
    for T in draw.sample(range(2, 9), 3):
        want = allowed(T)
        expect(student.causal_mask(T)).equals(
            want,
            "Entry (i, j) is True where j <= i: a bool tensor [T, T], lower triangular, with the "
            "diagonal.",
            mistakes={
                "The diagonal is missing: a token may attend to itself.": want.tril(-1),
                "The triangle is upside down: these tokens see the future.": want.mT,
                "True marks what is hidden; here True means may attend.": ~want,
                "Return booleans: True where it may attend.": want.double(),
                "An additive mask (0 and -inf) was returned; return booleans.": torch.zeros(T, T)
                .masked_fill(~want, -math.inf),
            },
        )  # fmt: skip


@exercise("causal_mask")
def test_one_token_and_a_long_text(student: Student, draw: Draw):
    """A single token, and more tokens than a usual buffer or than float16 can count."""
    expect(student.causal_mask(1)).equals(torch.tensor([[True]]), "A single token sees itself.")
    T = draw.integer(2060, 2090)
    expect(student.causal_mask(T)).equals(
        torch.ones(T, T).tril().bool(), "Any number of tokens is allowed: nothing is fixed."
    )


@exercise("causal_mask")
def test_the_device_may_be_named(student: Student, draw: Draw):
    """The device, as second argument and by name; then a device that nobody has."""
    T = draw.integer(2, 6)
    for got in (student.causal_mask(T, "cpu"), student.causal_mask(T=T, device="cpu")):
        expect(got).equals(allowed(T), "causal_mask(T, device) takes the device as an argument.")
    expect(student.raised("causal_mask", T, "toaster") is None).equals(
        False, "The mask is made on the device that is named; torch refuses one it does not know."
    )


# attention


def qkv(draw: Draw, *lead: int, T: int, S: int, d_k: int, d_v: int):
    """Queries, keys and values with leading dimensions `lead`."""
    return draw.normal(*lead, T, d_k), draw.normal(*lead, S, d_k), draw.normal(*lead, S, d_v)


def weights_of(q, k, mask=None, **how):
    """Attention weights: the output for an identity matrix as values."""
    S = k.shape[-2]
    eye = torch.eye(S, dtype=q.dtype).expand(*k.shape[:-2], S, S)
    return sdpa(q, k, eye, attn_mask=mask, **how)


def both(student: Student, *args):
    """The pair that `attention` returns."""
    got = student.attention(*args)
    expect(got).true(
        isinstance(got, tuple | list) and len(got) == 2, "Return the tuple (out, weights)."
    )
    return got


def wrong_weights(q, k, mask) -> dict[str, torch.Tensor]:
    """Mistake -> the weights that it gives."""
    d, everything = q.shape[-1], weights_of(q, k)
    scores = q @ k.mT / math.sqrt(d)
    over_queries = scores.masked_fill(~mask, -math.inf).softmax(-2)
    return {
        "The scores are not divided by sqrt(d_k).": weights_of(q, k, mask, scale=1.0),
        "The scores are divided by d_k, not by its square root.":
            weights_of(q, k, mask, scale=1 / d),
        "The scores are multiplied by sqrt(d_k).": weights_of(q, k, mask, scale=math.sqrt(d)),
        "The mask is ignored.": everything,
        "The mask is applied after the softmax: the rows no longer sum to 1.": everything * mask,
        "The softmax runs over the queries; it runs over the keys.": over_queries,
        "Masked scores are 0 instead of -inf: exp(0) is 1.": (scores * mask).softmax(-1),
        "Scores are returned instead of weights.": scores,
    }  # fmt: skip


FORMULA = "softmax over the keys of q k^T / sqrt(d_k), hidden scores -inf, times v."


@exercise("attention", weight=3)
def test_causal_outputs(student: Student, draw: Draw):
    """A batch with heads under a causal mask, values of another width."""
    q, k, v = qkv(draw, 2, 3, T=5, S=5, d_k=4, d_v=7)
    mask = allowed(5)
    out, _ = both(student, q, k, v, mask)
    expect(out).close(
        sdpa(q, k, v, attn_mask=mask),
        FORMULA,
        mistakes={name: each @ v for name, each in wrong_weights(q, k, mask).items()}
        | {
            "The scores are divided by the square root of the values' width.":
                sdpa(q, k, v, attn_mask=mask, scale=1 / math.sqrt(7)),
            "The scores are divided by sqrt(T), the number of tokens.":
                sdpa(q, k, v, attn_mask=mask, scale=1 / math.sqrt(5)),
        },
    )  # fmt: skip


@exercise("attention", weight=3)
def test_causal_weights(student: Student, draw: Draw):
    """The weights under a causal mask, some of them small, and their zeros."""
    q, k, v = qkv(draw, 3, T=6, S=6, d_k=3, d_v=2)
    q = 4 * q
    mask = allowed(6)
    _, weights = both(student, q, k, v, mask)
    expect(weights).close(
        weights_of(q, k, mask), f"The weights: {FORMULA}", mistakes=wrong_weights(q, k, mask)
    )
    expect(weights[~mask.expand(3, 6, 6)]).equals(
        torch.zeros(45, dtype=DOUBLE), "The weight of a hidden key is exactly 0."
    )


@exercise("attention", weight=2)
def test_other_numbers_of_keys_than_queries_and_no_mask(student: Student, draw: Draw):
    """Plain matrices without a batch, more keys than queries, then fewer; no mask."""
    for T, S in ((2, 5), (4, 3), (1, 1)):
        q, k, v = qkv(draw, T=T, S=S, d_k=6, d_v=4)
        out, weights = both(student, q, k, v)
        message = "Work on the last two dimensions; without a mask every key is seen."
        expect(out).close(sdpa(q, k, v), message)
        expect(weights).close(weights_of(q, k), message)
        expect(both(student, q, k, v, None)[0]).close(sdpa(q, k, v), message)


@exercise("attention")
def test_masks_of_every_shape(student: Student, draw: Draw):
    """A mask per batch entry that hides padding, and a full one."""
    q, k, v = qkv(draw, 3, 2, T=4, S=5, d_k=3, d_v=3)
    padding = torch.tensor([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1]]).bool()
    message = "The mask is anything that can be broadcast to [..., T, S]."
    for mask in (padding[:, None, None, :], allowed(4, 5) & padding[:, None, None, :]):
        full = mask.expand(3, 2, 4, 5)
        for each in (mask, full.clone()):
            out, weights = both(student, q, k, v, each)
            expect(out).close(sdpa(q, k, v, attn_mask=full), message)
            expect(weights).close(weights_of(q, k, full), message)
    q, k, v = q[:, 0], k[:, 0], v[:, 0]
    for mask in (padding[:, None, :], allowed(4, 5) & padding[:, None, :]):
        out, weights = both(student, q, k, v, mask)
        expect(out).close(sdpa(q, k, v, attn_mask=mask), message)
        expect(weights).close(weights_of(q, k, mask), message)


@exercise("attention")
def test_hidden_tokens_cannot_be_seen(student: Student, draw: Draw):
    """Keys and values of the future, replaced by huge ones."""
    q, k, v = qkv(draw, 2, T=5, S=5, d_k=4, d_v=3)
    t = draw.integer(2, 5)
    before, _ = both(student, q, k, v, allowed(5))
    k[:, t:], v[:, t:] = 1e6 * draw.normal(2, 5 - t, 4), 1e30
    after, _ = both(student, q, k, v, allowed(5))
    expect(before[:, :t]).close(
        sdpa(q, k, v, attn_mask=allowed(5))[:, :t],
        "The first outputs are averages of the values that the mask allows.",
    )
    expect(after[:, :t]).close(
        before[:, :t],
        "What stands behind a token must not change its output: its weight is exactly 0.",
    )


@exercise("attention", weight=2)
def test_large_scores(student: Student, draw: Draw):
    """Scores of many thousands, first of both signs, then all negative and huge."""
    q, k, v = qkv(draw, 2, T=4, S=4, d_k=4, d_v=3)
    same_sign = 1e5 * (1 + q.abs()), -1e5 * (1 + k.abs())
    for large, keys in ((300 * q, 300 * k), same_sign):
        for mask in (allowed(4), None):
            want = sdpa(large, keys, v, attn_mask=mask)
            expect(both(student, large, keys, v, mask)[0]).close(
                want,
                "Large scores: exp overflows unless the largest is subtracted first, as softmax "
                "does, and a hidden score must be lower than every other: -inf.",
            )


@exercise("attention", weight=2)
def test_gradients_flow_to_queries_keys_and_values(student: Student, draw: Draw):
    """Derivatives of the output and of the weights, under a causal mask."""
    q, k, v = qkv(draw, 2, T=4, S=4, d_k=3, d_v=5)
    mask, pull, push = allowed(4), draw.normal(2, 4, 5), draw.normal(2, 4, 4)
    leaves = [each.clone().requires_grad_() for each in (q, k, v)]
    wanted = torch.autograd.grad((sdpa(*leaves, attn_mask=mask) * pull).sum(), leaves)
    got = student.grad("attention", q, k, v, mask, wrt=(0, 1, 2), item=0, cotangent=pull)
    message = "Differentiate through everything: scores, softmax and values. Nothing is detached."
    for position, want in enumerate(wanted):
        expect(got.grads[position]).close(want, message)
    wanted = torch.autograd.grad((weights_of(*leaves[:2], mask) * push).sum(), leaves[:2])
    got = student.grad("attention", q, k, v, mask, wrt=(0, 1), item=1, cotangent=push)
    for position, want in enumerate(wanted):
        expect(got.grads[position]).close(want, message)


@exercise("attention")
def test_the_dtype_of_attention_is_kept(student: Student, draw: Draw):
    """float32 and bfloat16."""
    q, k, v = qkv(draw, 2, T=4, S=4, d_k=4, d_v=3)
    want = sdpa(q, k, v, attn_mask=allowed(4)), weights_of(q, k, allowed(4))
    for dtype, rtol in ((torch.float32, 1e-5), (torch.bfloat16, 6e-2)):
        got = both(student, q.to(dtype), k.to(dtype), v.to(dtype), allowed(4))
        for mine, theirs in zip(got, want, strict=True):
            expect(mine).close(theirs.to(dtype), "Keep the dtype of q, k and v.", rtol=rtol)


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


def projections(draw: Draw, d_model: int, H: int, d_k: int, d_v: int, d_out: int) -> dict:
    """Weights and biases of one layer."""
    sizes = {"q": H * d_k, "k": H * d_k, "v": H * d_v}
    p = {f"W{n}": draw.normal(d_model, size) / math.sqrt(d_model) for n, size in sizes.items()}
    p |= {f"b{n}": draw.normal(size) for n, size in sizes.items()}
    return p | {"Wo": draw.normal(H * d_v, d_out) / 2, "bo": draw.normal(d_out)}


def heads_summed(x, p, H, mask=None, bias=False, scale=None):
    """Sum over heads of attention times the head's rows of Wo: no splitting, no merging."""
    d_k, d_v = p["Wq"].shape[1] // H, p["Wv"].shape[1] // H
    out = 0.0
    for h in range(H):
        cut = {n: slice(h * d, (h + 1) * d) for n, d in (("q", d_k), ("k", d_k), ("v", d_v))}
        q, k, v = (x @ p[f"W{n}"][:, cut[n]] + (p[f"b{n}"][cut[n]] if bias else 0.0) for n in "qkv")
        each = mask if mask is None or mask.ndim < 4 else mask[:, 0 if mask.shape[1] == 1 else h]
        out = out + sdpa(q, k, v, attn_mask=each, scale=scale) @ p["Wo"][cut["v"]]
    return out + (p["bo"] if bias else 0.0)


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


# is_equivariant_report


def report(student: Student, layer, perm, *args) -> dict:
    """The student's report; checks its form."""
    got = student.is_equivariant_report(layer, torch.tensor(perm), *args)
    good = isinstance(got, dict) and set(got) == {"invariant", "equivariant"}
    expect(good and all(type(each) is bool for each in got.values())).equals(
        True, 'Return {"invariant": ..., "equivariant": ...} with two Python bools.'
    )
    return got


def answer(invariant: bool, equivariant: bool) -> dict:
    """A report."""
    return {"invariant": invariant, "equivariant": equivariant}


def attention_layer(draw: Draw, causal: bool, d: int):
    """A head with random weights of moderate size."""
    Wq, Wk, Wv = (draw.normal(d, d) / math.sqrt(d) for _ in range(3))
    return lambda x: sdpa(x @ Wq, x @ Wk, x @ Wv, is_causal=causal)


def derangement(draw: Draw, T: int) -> list[int]:
    """A cyclic permutation of T >= 3 tokens: no token stays, and it is not its own inverse."""
    order = draw.shuffled(range(T))
    perm = [0] * T
    for here, there in zip(order, order[1:] + order[:1], strict=True):
        perm[here] = there
    return perm


WORDS = {
    "The two words are exchanged: invariant is f(Px) = f(x), equivariant is f(Px) = P f(x).": (
        answer(True, False)
    ),
    "Both statements came out true: the input must be generic and the permutation the given one.": (
        answer(True, True)
    ),
    "Both came out false: is P f(x) taken with the same permutation as Px, and are rounding errors "
    "of 1e-15 tolerated?": answer(False, False),
}


@exercise("is_equivariant_report", weight=2)
def test_attention_without_a_mask_is_equivariant(student: Student, draw: Draw):
    """Random attention layers without a mask."""
    for T in (5, 4):
        got = report(student, attention_layer(draw, False, 8), derangement(draw, T))
        expect(got).equals(
            answer(False, True),
            "Without a mask attention is equivariant, f(Px) = P f(x), and not invariant.",
            mistakes=WORDS,
        )


@exercise("is_equivariant_report", weight=2)
def test_causal_attention_is_neither(student: Student, draw: Draw):
    """Random attention layers with the causal mask."""
    for T in (5, 3):
        got = report(student, attention_layer(draw, True, 8), derangement(draw, T))
        expect(got).equals(
            answer(False, False),
            "With the causal mask attention is neither: compare f(Px) with f(x) and with P f(x).",
            mistakes=WORDS,
        )


@exercise("is_equivariant_report", weight=2)
def test_invariant_layers_are_recognised(student: Student, draw: Draw):
    """The maximum over all tokens, and features that are sorted along time."""
    perm = derangement(draw, 5)
    for layer, want in (
        (lambda x: x.amax(1, keepdim=True).expand_as(x).clone(), answer(True, True)),
        (lambda x: x.sort(1)[0], answer(True, False)),
    ):
        expect(report(student, layer, perm)).equals(
            want,
            "Invariant means f(Px) = f(x): compare the two outputs entry by entry, as they stand.",
            mistakes={each: value for each, value in WORDS.items() if value != want},
        )


@exercise("is_equivariant_report")
def test_every_token_and_every_feature_counts(student: Student, draw: Draw):
    """Layers that put the mean everywhere but in one entry of one token."""
    perm = derangement(draw, 5)
    for position, feature in ((0, 0), (2, 3), (4, 7)):

        def layer(x, t=position, i=feature):
            out = x.mean(1, keepdim=True).repeat(1, x.shape[1], 1)
            out[:, t, i] = x[:, t, i]
            return out

        expect(report(student, layer, perm)).equals(
            answer(False, False), "Compare all tokens and all features, not some or their mean."
        )


@exercise("is_equivariant_report", weight=2)
def test_the_answer_belongs_to_the_given_permutation(student: Student, draw: Draw):
    """Differences of neighbours on a circle: cyclic shifts and others; the identity; one token."""

    def neighbours(x):
        return x - x.roll(1, dims=1)

    message = "Test the permutation that is given: Px is x[:, perm], and P f(x) is f(x)[:, perm]."
    T = 5
    for shift in draw.sample(range(1, T), 2):
        perm = [(i + shift) % T for i in range(T)]
        expect(report(student, neighbours, perm)).equals(answer(False, True), message)
    expect(report(student, neighbours, [1, 0, 2, 3, 4])).equals(answer(False, False), message)
    for perm in (list(range(4)), [0]):
        expect(report(student, attention_layer(draw, True, 8), perm)).equals(
            answer(True, True), "Under the identity nothing moves: both statements hold."
        )


@exercise("is_equivariant_report")
def test_small_differences_count_and_rounding_does_not(student: Student, draw: Draw):
    """A slight dependence on the position, and the same outputs very small and very large."""
    plain, perm = attention_layer(draw, False, 8), derangement(draw, 6)
    scales = (1.0, 1e-8, 1e8)
    for scale in scales:
        expect(report(student, lambda x, s=scale: s * plain(x), perm)).equals(
            answer(False, True),
            "Two outputs are equal up to 1e-9 times the largest entry: neither exact equality nor "
            "a fixed tolerance will do.",
        )
    for scale in scales:

        def tilted(x, s=scale):
            return s * (plain(x) + 1e-6 * torch.arange(x.shape[1], dtype=x.dtype)[:, None])

        expect(report(student, tilted, perm)).equals(
            answer(False, False),
            "A difference of a millionth of the output is a difference; the tolerance is 1e-9 "
            "times the largest entry.",
        )


@exercise("is_equivariant_report", weight=2)
def test_the_tolerance_is_a_billionth_of_the_largest_entry(student: Student, draw: Draw):
    """Constant layers in which one entry of the first token is slightly off."""
    perm = derangement(draw, 6)
    for feature, off, equivariant in ((0, 2e-9, False), (1, 5e-10, True)):

        def constant(x, i=feature, off=off):
            out = -torch.ones_like(x)
            out[..., 1] = 0.0
            out[:, 0, i] += off
            return out

        expect(report(student, constant, perm)).equals(
            answer(True, equivariant),
            "The largest absolute difference of two entries counts, against 1e-9 times the largest "
            "absolute entry of attn(x): no mean, no norm, no entry by itself, no other tolerance.",
        )


@exercise("is_equivariant_report")
def test_the_input_is_generic(student: Student, draw: Draw):
    """A running sum of differences between neighbouring features."""
    got = report(student, lambda x: (x[..., 1:] - x[..., :-1]).cumsum(1), derangement(draw, 5))
    expect(got).equals(
        answer(False, False),
        "Draw every entry of x by itself: with equal features or equal steps between them too many "
        "layers look invariant.",
    )


@exercise("is_equivariant_report")
def test_other_widths(student: Student, draw: Draw):
    """A layer for tokens of another width, with narrower outputs."""
    W = draw.normal(3, 2)

    def layer(x):
        return attended(x) @ W

    attended = attention_layer(draw, False, 3)
    expect(report(student, layer, derangement(draw, 4), 3)).equals(
        answer(False, True), "The tokens have d_model features, the argument, not always 8."
    )


# layer_norm

LN = "(x - mean) / sqrt(var + eps) * gamma + beta, over the last dimension, var divided by d."


def wrong_norms(x, gamma, beta, eps) -> dict[str, torch.Tensor]:
    """Mistake -> the normalised tokens that it gives."""
    c, var = x - x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
    bessel = x.var(-1, keepdim=True)
    over_time = (x - x.mean(-2, keepdim=True)) / (
        x.var(-2, keepdim=True, correction=0) + eps).sqrt()  # fmt: skip
    over_all = (x - x.mean()) / (x.var(correction=0) + eps).sqrt()
    return {
        "The variance is divided by d - 1; divide by d (correction=0).":
            c / (bessel + eps).sqrt() * gamma + beta,
        "torch.std divides by d - 1, and eps stands outside the root.":
            c / (bessel.sqrt() + eps) * gamma + beta,
        "eps belongs inside the root: sqrt(var + eps).": c / (var.sqrt() + eps) * gamma + beta,
        "eps is missing.": c / var.sqrt() * gamma + beta,
        "The square root is missing: divide by the standard deviation.":
            c / (var + eps) * gamma + beta,
        "The mean is not subtracted.": x / (var + eps).sqrt() * gamma + beta,
        "gamma and beta are not used.": c / (var + eps).sqrt(),
        "beta is not added.": c / (var + eps).sqrt() * gamma,
        "The shift comes before the scale: normalise, times gamma, plus beta.":
            (c / (var + eps).sqrt() + beta) * gamma,
        "Mean and variance run over time; they run over the features of one token.":
            over_time * gamma + beta,
        "Mean and variance run over everything; they run over the features of one token.":
            over_all * gamma + beta,
    }  # fmt: skip


@exercise("layer_norm", weight=3)
def test_each_token_is_normalised_over_its_features(student: Student, draw: Draw):
    """A batch of tokens with different means and sizes."""
    x = draw.normal(3, 5, 6) * draw.uniform(0.5, 2.0, 3, 5, 1) + 3 * draw.normal(3, 5, 1)
    gamma, beta = draw.uniform(0.5, 2.0, 6), draw.normal(6)
    expect(student.layer_norm(x, gamma, beta)).close(
        F.layer_norm(x, (6,), gamma, beta, 1e-5), LN, mistakes=wrong_norms(x, gamma, beta, 1e-5)
    )


@exercise("layer_norm", weight=2)
def test_nearly_constant_and_constant_tokens(student: Student, draw: Draw):
    """Tokens whose variance is far below eps, and one without any."""
    x = 1 + 1e-4 * draw.normal(3, 4)
    x = torch.cat([x, torch.full((1, 4), 2.5, dtype=DOUBLE)])
    gamma, beta = draw.uniform(0.5, 2.0, 4), draw.normal(4)
    expect(student.layer_norm(x, gamma, beta)).close(
        F.layer_norm(x, (4,), gamma, beta, 1e-5),
        f"eps = 1e-5 decides what happens to nearly constant tokens. {LN}",
        mistakes=wrong_norms(x, gamma, beta, 1e-5),
    )


@exercise("layer_norm")
def test_another_eps(student: Student, draw: Draw):
    """A larger eps, by position and by name, and none."""
    x, gamma, beta = draw.normal(2, 3, 5), draw.uniform(0.5, 2.0, 5), draw.normal(5)
    eps = float(draw.uniform(0.05, 0.2))
    want = F.layer_norm(x, (5,), gamma, beta, eps)
    message = f"eps is an argument, not always 1e-5. {LN}"
    mistakes = wrong_norms(x, gamma, beta, eps)
    expect(student.layer_norm(x, gamma, beta, eps)).close(want, message, mistakes=mistakes)
    expect(student.layer_norm(x, gamma, beta, eps=eps)).close(want, message)
    expect(student.layer_norm(x, gamma, beta, 0.0)).close(
        F.layer_norm(x, (5,), gamma, beta, 0.0), message
    )


@exercise("layer_norm")
def test_any_number_of_leading_dimensions(student: Student, draw: Draw):
    """One token alone, four dimensions, as many tokens as features, and one large feature."""
    for shape in ((6,), (2, 1, 3, 4), (4, 4), (1, 1, 2), (2, 256)):
        x, d = draw.normal(*shape), shape[-1]
        x[..., 0] += 1000 if d == 256 else 0
        gamma, beta = draw.uniform(0.5, 2.0, d), draw.normal(d)
        expect(student.layer_norm(x, gamma, beta)).close(
            F.layer_norm(x, (d,), gamma, beta, 1e-5), f"Any number of leading dimensions. {LN}"
        )


@exercise("layer_norm")
def test_large_means_and_float32(student: Student, draw: Draw):
    """float32 tokens, some of them with a mean of many thousands."""
    x = draw.normal(2, 3, 16)
    gamma, beta = draw.uniform(0.5, 2.0, 16), draw.normal(16)
    expect(student.layer_norm(x.float(), gamma.float(), beta.float())).close(
        F.layer_norm(x, (16,), gamma, beta, 1e-5).float(), "Keep float32."
    )
    shifted = (x + draw.uniform(9000, 11000, 2, 3, 1)).float()
    expect(student.layer_norm(shifted, gamma.float(), beta.float())).close(
        F.layer_norm(shifted.double(), (16,), gamma, beta, 1e-5).float(),
        "Subtract the mean first and square afterwards: the mean of the squares minus the squared "
        "mean loses all digits in float32.",
        rtol=5e-3,
    )


@exercise("layer_norm")
def test_the_dtype_of_tokens_is_kept(student: Student, draw: Draw):
    """bfloat16."""
    x, gamma, beta = draw.normal(2, 3, 8), draw.uniform(0.5, 2.0, 8), draw.normal(8)
    half = [each.to(torch.bfloat16) for each in (x, gamma, beta)]
    expect(student.layer_norm(*half)).close(
        F.layer_norm(x, (8,), gamma, beta, 1e-5).to(torch.bfloat16),
        "The result has the dtype of x: cast back what you computed in a wider one.",
        rtol=6e-2,
    )


@exercise("layer_norm", weight=2)
def test_gradients_flow_through_mean_and_variance(student: Student, draw: Draw):
    """Derivatives with respect to tokens, gamma and beta."""
    x, gamma, beta = draw.normal(2, 3, 5), draw.uniform(0.5, 2.0, 5), draw.normal(5)
    pull = draw.normal(2, 3, 5)
    leaves = [each.clone().requires_grad_() for each in (x, gamma, beta)]
    out = F.layer_norm(leaves[0], (5,), leaves[1], leaves[2], 1e-5)
    wanted = torch.autograd.grad((out * pull).sum(), leaves)
    got = student.grad("layer_norm", x, gamma, beta, wrt=(0, 1, 2), cotangent=pull)
    for position, want in enumerate(wanted):
        expect(got.grads[position]).close(
            want, "Differentiate through mean and variance, too: nothing is detached."
        )


# feed_forward

FFN = "ReLU(x W1 + b1) W2 + b2: ReLU once, between the two layers."


def network(draw: Draw, d: int, d_ff: int, d_out: int):
    """W1, b1, W2, b2."""
    return draw.normal(d, d_ff), draw.normal(d_ff), draw.normal(d_ff, d_out), draw.normal(d_out)


def ffn_of(x, W1, b1, W2, b2):
    """With torch's own layers, which hold transposed weights."""
    return F.linear(F.relu(F.linear(x, W1.T, b1)), W2.T, b2)


@exercise("feed_forward", weight=3)
def test_two_layers_with_one_relu(student: Student, draw: Draw):
    """Batches of tokens, widths all different, small and large entries."""
    for size in (1.0, 1e7):
        x, net = size * draw.normal(3, 4, 5), network(draw, 5, 8, 6)
        W1, b1, W2, b2 = net
        want = ffn_of(x, *net)
        expect(student.feed_forward(x, *net)).close(
            want,
            FFN,
            mistakes={
                "There is a second ReLU at the end.": want.relu(),
                "b2 is missing.": want - b2,
                "b1 is missing.": ffn_of(x, W1, 0 * b1, W2, b2),
                "The activation is GELU; the lecture has ReLU.": F.gelu(x @ W1 + b1) @ W2 + b2,
                "The activation is missing.": (x @ W1 + b1) @ W2 + b2,
                "b1 is added after the ReLU.": ((x @ W1).relu() + b1) @ W2 + b2,
                "The token itself is added; the residual belongs to the block.":
                    want[..., :5] + x,
            },
        )  # fmt: skip


@exercise("feed_forward")
def test_square_matrices_are_not_transposed(student: Student, draw: Draw):
    """All widths equal."""
    x, net = draw.normal(2, 4, 4), network(draw, 4, 4, 4)
    W1, b1, W2, b2 = net
    expect(student.feed_forward(x, *net)).close(
        ffn_of(x, *net),
        FFN,
        mistakes={
            "The weights are transposed; rows are tokens, x @ W.": ffn_of(x, W1.T, b1, W2.T, b2),
            "The two layers are exchanged.": ffn_of(x, W2, b2, W1, b1),
        },
    )


@exercise("feed_forward")
def test_any_leading_dimensions_and_dtypes(student: Student, draw: Draw):
    """One token, one text of one token, four dimensions; then float32 and bfloat16."""
    net = network(draw, 5, 3, 4)
    for lead in ((), (1, 1), (2, 3, 2)):
        x = draw.normal(*lead, 5)
        expect(student.feed_forward(x, *net)).close(ffn_of(x, *net), FFN)
    x = draw.normal(2, 5)
    for dtype, rtol in ((torch.float32, 1e-4), (torch.bfloat16, 6e-2)):
        expect(student.feed_forward(x.to(dtype), *(each.to(dtype) for each in net))).close(
            ffn_of(x, *net).to(dtype), "Keep the dtype of x.", rtol=rtol
        )


@exercise("feed_forward")
def test_gradients_flow_through_both_layers(student: Student, draw: Draw):
    """Derivatives with respect to tokens, weights and biases."""
    arguments = [draw.normal(2, 3, 5), *network(draw, 5, 8, 6)]
    pull = draw.normal(2, 3, 6)
    leaves = [each.clone().requires_grad_() for each in arguments]
    wanted = torch.autograd.grad((ffn_of(*leaves) * pull).sum(), leaves)
    got = student.grad("feed_forward", *arguments, wrt=(0, 1, 2, 3, 4), cotangent=pull)
    for position, want in enumerate(wanted):
        expect(got.grads[position]).close(
            want, "Gradients must reach tokens, weights and biases: nothing is detached."
        )


# transformer_block


def block_weights(draw: Draw, d: int, width: int, d_ff: int) -> dict[str, torch.Tensor]:
    """A block with heads that are `width` wide together."""
    p = projections(draw, d, 1, width, width, d)
    W1, b1, W2, b2 = network(draw, d, d_ff, d)
    p |= {"W1": W1 / math.sqrt(d), "b1": b1, "W2": W2 / math.sqrt(d_ff), "b2": b2}
    for name in ("ln1", "ln2"):
        p |= {f"{name}_gamma": draw.uniform(0.5, 1.5, d), f"{name}_beta": 0.5 * draw.normal(d)}
    return p


def norm_of(x, p: dict, name: str, eps: float = 1e-5):
    """LayerNorm with the weights `name`."""
    gamma, beta = p[f"{name}_gamma"], p[f"{name}_beta"]
    return F.layer_norm(x, gamma.shape, gamma, beta, eps)


def mha_of(x, p: dict, H: int, causal: bool = True):
    """Attention with biases."""
    return heads_summed(x, p, H, allowed(x.shape[1]) if causal else None, bias=True)


def ffn_part(x, p: dict):
    """The feed-forward network of a block."""
    return ffn_of(x, p["W1"], p["b1"], p["W2"], p["b2"])


def block_of(x, p: dict, H: int, eps: float = 1e-5, causal: bool = True):
    """The pre-norm block."""
    t3 = x + mha_of(norm_of(x, p, "ln1", eps), p, H, causal)
    return t3 + ffn_part(norm_of(t3, p, "ln2", eps), p)


def wrong_blocks(x, p: dict, H: int) -> dict[str, torch.Tensor]:
    """Mistake -> the output that it gives."""
    t1 = norm_of(x, p, "ln1")
    t2 = mha_of(t1, p, H)
    t3 = x + t2
    t4 = norm_of(t3, p, "ln2")
    post = norm_of(x + mha_of(x, p, H), p, "ln1")
    exchanged = {f"ln{i}_{n}": p[f"ln{3 - i}_{n}"] for i in (1, 2) for n in ("gamma", "beta")}
    silent = {**p, **{name: 0 * p[name] for name in ("bq", "bk", "bv", "bo")}}
    return {
        "This is post-norm: normalise before each part, not after the sum.":
            norm_of(post + ffn_part(post, p), p, "ln2"),
        "The first residual starts from the normalised tokens; it starts from x.":
            (t1 + t2) + ffn_part(norm_of(t1 + t2, p, "ln2"), p),
        "The second residual starts from the normalised tokens; it starts from t3.":
            t4 + ffn_part(t4, p),
        "The second residual starts from x; it starts from t3 = x + attention.":
            x + ffn_part(t4, p),
        "The first residual is missing.": t2 + ffn_part(norm_of(t2, p, "ln2"), p),
        "The second residual is missing.": ffn_part(t4, p),
        "Both normalisations use the weights of ln1; the second has its own.":
            t3 + ffn_part(norm_of(t3, p, "ln1"), p),
        "The weights of ln1 and ln2 are exchanged.": block_of(x, {**p, **exchanged}, H),
        "The second normalisation is missing.": t3 + ffn_part(t3, p),
        "The first normalisation is missing.":
            x + mha_of(x, p, H) + ffn_part(norm_of(x + mha_of(x, p, H), p, "ln2"), p),
        "Attention and FFN both start from x: the FFN comes after attention.":
            t3 + ffn_part(norm_of(x, p, "ln2"), p),
        "The causal mask is missing.": block_of(x, p, H, causal=False),
        "The biases of the attention are missing.": block_of(x, silent, H),
    }  # fmt: skip


BLOCK = "h = t3 + FFN(LN2(t3)) with t3 = x + MHA(LN1(x)), the causal mask and all biases."


@exercise("transformer_block", weight=4)
def test_a_pre_norm_block(student: Student, draw: Draw):
    """Two texts, three heads that together are narrower than the model."""
    x, p = draw.normal(2, 5, 8), block_weights(draw, 8, 6, 10)
    expect(student.transformer_block(x, p, 3)).close(
        block_of(x, p, 3), BLOCK, mistakes=wrong_blocks(x, p, 3)
    )


@exercise("transformer_block", weight=3)
def test_equal_to_the_block_of_gpt2(student: Student, draw: Draw):
    """The first block of a GPT2LMHeadModel with the same weights."""
    params = gpt_weights(draw, 11, 7, 12, 16, 2)
    library = gpt2_with(params, 3, 16)
    with torch.no_grad():
        embedded, after, *_ = library(draw.integers(0, 11, 2, 6), output_hidden_states=True)[
            "hidden_states"
        ]
    expect(student.transformer_block(embedded, params["blocks"][0], 3)).close(
        after,
        f"With GPT-2's weights the block gives what GPT2Block of transformers gives. {BLOCK}",
        mistakes=wrong_blocks(embedded, params["blocks"][0], 3),
    )


@exercise("transformer_block")
def test_silent_parts_leave_the_tokens_alone(student: Student, draw: Draw):
    """Large tokens; output weights and biases zero, in both parts and in one of them."""
    x, p = 1e6 * draw.normal(2, 4, 6), block_weights(draw, 6, 6, 8)
    no_attention = {**p, "Wo": 0 * p["Wo"], "bo": 0 * p["bo"]}
    silent = {**no_attention, "W2": 0 * p["W2"], "b2": 0 * p["b2"]}
    expect(student.transformer_block(x, silent, 2)).close(
        x, "If attention and FFN add nothing, the block returns x: the residual is x itself."
    )
    expect(student.transformer_block(x, no_attention, 2)).close(
        block_of(x, no_attention, 2), f"Attention adds nothing, the FFN does. {BLOCK}"
    )


@exercise("transformer_block")
def test_the_block_sees_no_future(student: Student, draw: Draw):
    """Later tokens of a longer text replaced."""
    x, p = draw.normal(2, 70, 6), block_weights(draw, 6, 6, 8)
    t = draw.integer(66, 69)
    other = torch.cat([x[:, :t], 10 * draw.normal(2, 70 - t, 6)], dim=1)
    expect(student.transformer_block(other, p, 2)[:, :t]).close(
        block_of(x[:, :t], p, 2),
        "Outputs must depend on all earlier tokens and on no later ones: use the causal mask, as "
        "large as the text.",
    )


@exercise("transformer_block")
def test_small_tokens_and_small_shapes(student: Student, draw: Draw):
    """Tokens with a tiny variance, where eps matters; one token; one head."""
    for shape, H, size in (((2, 3, 6), 2, 1e-3), ((1, 1, 6), 3, 1.0), ((1, 4, 6), 1, 1.0)):
        x, p = size * draw.normal(*shape), block_weights(draw, 6, 6, 8)
        expect(student.transformer_block(x, p, H)).close(
            block_of(x, p, H),
            f"eps = 1e-5 in both normalisations, any number of tokens and heads. {BLOCK}",
        )


@exercise("transformer_block")
def test_float32_blocks_and_their_gradient(student: Student, draw: Draw):
    """float32, then the derivative with respect to the tokens."""
    x, p = draw.normal(2, 4, 6), block_weights(draw, 6, 6, 8)
    single = {name: each.float() for name, each in p.items()}
    expect(student.transformer_block(x.float(), single, 2)).close(
        block_of(x, p, 2).float(), "Keep float32.", rtol=1e-4
    )
    pull, leaf = draw.normal(2, 4, 6), x.clone().requires_grad_()
    (want,) = torch.autograd.grad((block_of(leaf, p, 2) * pull).sum(), leaf)
    got = student.grad("transformer_block", x, p, 2, wrt=(0,), cotangent=pull)
    expect(got.grads[0]).close(want, "Gradients must flow through the block: nothing is detached.")


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


# lm_logits

HEAD = "Logits are h @ W_U at every position, [..., V], not normalised."


@exercise("lm_logits", weight=3)
def test_raw_logits_at_every_position(student: Student, draw: Draw):
    """A batch of hidden vectors."""
    h, W_U = 2 * draw.normal(3, 4, 5), draw.normal(5, 9)
    want = torch.einsum("btd,dv->btv", h, W_U)
    expect(student.lm_logits(h, W_U)).close(
        want,
        HEAD,
        mistakes={
            "Probabilities are returned: leave the softmax to the caller.": want.softmax(-1),
            "Log-probabilities are returned: logits are not normalised.": want.log_softmax(-1),
            "Only the last position is returned; training needs all of them.": want[:, -1],
            "Only the last position is returned; training needs all of them. ": want[:, -1:],
            "h is normalised once more; that has been done already.": F.layer_norm(h, (5,)) @ W_U,
            "The logits are divided by sqrt(d).": want / math.sqrt(5),
        },
    )


@exercise("lm_logits")
def test_a_square_head(student: Student, draw: Draw):
    """As many words as features."""
    h, W_U = draw.normal(2, 3, 4), draw.normal(4, 4)
    expect(student.lm_logits(h, W_U)).close(
        torch.einsum("btd,dv->btv", h, W_U),
        f"W_U is [d, V]. {HEAD}",
        mistakes={"W_U is transposed; it is [d, V] already.": h @ W_U.T},
    )


@exercise("lm_logits")
def test_leading_dimensions_and_dtype_of_logits(student: Student, draw: Draw):
    """One vector, one text, four dimensions, all of them large; float32 and bfloat16."""
    W_U = draw.normal(5, 7)
    for lead in ((), (3,), (1, 4), (2, 1, 3)):
        h = 1e6 * draw.normal(*lead, 5)
        expect(student.lm_logits(h, W_U)).close(torch.matmul(h, W_U), HEAD)
    h = draw.normal(2, 5)
    for dtype, rtol in ((torch.float32, 1e-5), (torch.bfloat16, 6e-2)):
        expect(student.lm_logits(h.to(dtype), W_U.to(dtype))).close(
            (h @ W_U).to(dtype), f"The logits have the dtype of h. {HEAD}", rtol=rtol
        )


@exercise("lm_logits")
def test_gradients_of_the_head(student: Student, draw: Draw):
    """Derivatives with respect to hidden vectors and head."""
    h, W_U, pull = draw.normal(2, 3, 5), draw.normal(5, 7), draw.normal(2, 3, 7)
    got = student.grad("lm_logits", h, W_U, wrt=(0, 1), cotangent=pull)
    message = "Gradients must reach h and W_U, which may be the token table: nothing is detached."
    expect(got.grads[0]).close(pull @ W_U.T, message)
    expect(got.grads[1]).close(torch.einsum("btd,btv->dv", h, pull), message)


# next_token_distribution


def prefix_table(draw: Draw, V: int = 4, context: int = 6):
    """A model with free logits for every prefix; what crosses is a function of ids."""
    here = TabularLM(V, context)
    here.table.data = draw.normal(*here.table.shape)

    def call(ids):
        if ids.dtype != torch.long:
            raise TypeError("ids are torch.long")
        if int(ids.min()) < 0 or int(ids.max()) >= V:
            raise IndexError("there is no such id")
        with torch.no_grad():
            return here(ids).logits

    return here, call


def padded(draw: Draw, V: int, T: int, layout: list[tuple[int, int]]):
    """ids [B, T], mask, and the real tokens: (pads on the left, real tokens) per row."""
    ids, mask = draw.integers(0, V, len(layout), T), torch.zeros(len(layout), T, dtype=torch.long)
    for row, (left, real) in enumerate(layout):
        mask[row, left : left + real] = 1
    return ids, mask, [row[keep.bool()] for row, keep in zip(ids, mask, strict=True)]


def after(call, texts) -> torch.Tensor:
    """[B, V] softmax after each text, one text at a time, without padding."""
    return torch.stack([call(text[None])[0, -1].softmax(-1) for text in texts])


NEXT = "The softmax of the logits at the last real token, as if the row had no padding."


def wrong_next(call, ids, mask) -> dict[str, torch.Tensor]:
    """Mistake -> the probabilities that it gives."""
    logits, rows = call(ids), torch.arange(len(ids))
    last = mask.shape[1] - 1 - mask.flip(1).argmax(1)
    return {
        "The last position is taken, whether it is padding or not.": logits[:, -1].softmax(-1),
        "The number of real tokens is taken as the position: that is right only without padding on "
        "the left.": logits[rows, mask.sum(1) - 1].softmax(-1),
        "The tokens see the padding before them: bring the real tokens to the front.":
            logits[rows, last].softmax(-1),
        "The position after the last real token is taken.":
            logits[rows, (last + 1).clamp(max=mask.shape[1] - 1)].softmax(-1),
        "The mean over the real positions is taken.":
            ((logits * mask[..., None]).sum(1) / mask.sum(1)[:, None]).softmax(-1),
    }  # fmt: skip


@exercise("next_token_distribution", weight=3)
def test_padding_on_the_right(student: Student, draw: Draw):
    """Texts of several lengths, padded on the right."""
    _, call = prefix_table(draw)
    ids, mask, texts = padded(draw, 4, 6, draw.shuffled([(0, 3), (0, 6), (0, 1), (0, 4)]))
    expect(student.next_token_distribution(call, ids, mask)).close(
        after(call, texts), NEXT, mistakes=wrong_next(call, ids, mask)
    )


@exercise("next_token_distribution", weight=3)
def test_padding_on_the_left(student: Student, draw: Draw):
    """The same on the left."""
    _, call = prefix_table(draw)
    ids, mask, texts = padded(draw, 4, 6, draw.shuffled([(3, 3), (0, 6), (5, 1), (2, 4)]))
    expect(student.next_token_distribution(call, ids, mask)).close(
        after(call, texts), NEXT, mistakes=wrong_next(call, ids, mask)
    )


@exercise("next_token_distribution", weight=2)
def test_padding_on_both_sides_of_some_rows(student: Student, draw: Draw):
    """One batch with padding left, right, on both sides and not at all."""
    _, call = prefix_table(draw)
    layout = draw.shuffled([(1, 3), (0, 6), (4, 2), (0, 2), (2, 2)])
    ids, mask, texts = padded(draw, 4, 6, layout)
    expect(student.next_token_distribution(call, ids, mask)).close(
        after(call, texts),
        f"Lengths and sides differ from row to row. {NEXT}",
        mistakes=wrong_next(call, ids, mask),
    )


@exercise("next_token_distribution")
def test_masks_of_every_dtype_and_a_single_text(student: Student, draw: Draw):
    """bool, int32 and float masks; one row, one token."""
    _, call = prefix_table(draw)
    ids, mask, texts = padded(draw, 4, 5, [(1, 3), (0, 2), (0, 5)])
    for dtype in (torch.bool, torch.int32, torch.float32, torch.float64):
        expect(student.next_token_distribution(call, ids, mask.to(dtype))).close(
            after(call, texts), f"The mask may be bool, integer or floating. {NEXT}"
        )
    for T, layout in ((1, [(0, 1)]), (4, [(2, 1)]), (4, [(0, 4)])):
        ids, mask, texts = padded(draw, 4, T, layout)
        expect(student.next_token_distribution(call, ids, mask)).close(
            after(call, texts), f"A single row keeps its dimension, [1, V]. {NEXT}"
        )


@exercise("next_token_distribution")
def test_large_logits_and_float32(student: Student, draw: Draw):
    """Logits of many hundreds, and a model in float32."""
    _, call = prefix_table(draw)
    ids, mask, texts = padded(draw, 4, 5, [(1, 3), (0, 2), (0, 5)])

    def large(ids):
        return 900 + 40 * call(ids)

    def single(ids):
        return call(ids).float()

    expect(student.next_token_distribution(large, ids, mask)).close(
        after(large, texts), "Large logits: use softmax, exp alone overflows."
    )
    expect(student.next_token_distribution(single, ids, mask)).close(
        after(single, texts), "The probabilities have the dtype of the logits."
    )


@exercise("next_token_distribution", weight=2)
def test_models_that_return_an_object(student: Student, draw: Draw):
    """A model whose output holds the logits as an attribute."""
    here, call = prefix_table(draw)
    crossing = model(
        "sft2rl.models.TabularLM", {"vocab_size": 4, "context": 6}, {"table": here.table.data}
    )
    ids, mask, texts = padded(draw, 4, 6, draw.shuffled([(3, 3), (0, 4), (1, 4)]))
    expect(student.next_token_distribution(crossing, ids, mask)).close(
        after(call, texts),
        f"A model may return an object with the attribute logits. {NEXT}",
        mistakes=wrong_next(call, ids, mask),
    )


# TinyDecoder


def gpt_weights(draw: Draw, V: int, P: int, d: int, d_ff: int, n_layer: int) -> dict:
    """The weights of a small decoder."""
    return {
        "wte": draw.normal(V, d), "wpe": draw.normal(P, d),
        "blocks": [block_weights(draw, d, d, d_ff) for _ in range(n_layer)],
        "lnf_gamma": draw.uniform(0.5, 1.5, d), "lnf_beta": draw.normal(d),
    }  # fmt: skip


def gpt2_with(params: dict, H: int, d_ff: int) -> GPT2LMHeadModel:
    """The library's model with these weights."""
    (V, d), P = params["wte"].shape, len(params["wpe"])
    config = GPT2Config(
        vocab_size=V, n_positions=P, n_embd=d, n_layer=len(params["blocks"]), n_head=H,
        n_inner=d_ff, activation_function="relu", bos_token_id=None, eos_token_id=None,
        tie_word_embeddings="W_U" not in params,
    )  # fmt: skip
    library = GPT2LMHeadModel(config).double().eval()
    state = {
        "transformer.wte.weight": params["wte"], "transformer.wpe.weight": params["wpe"],
        "transformer.ln_f.weight": params["lnf_gamma"],
        "transformer.ln_f.bias": params["lnf_beta"],
        "lm_head.weight": params["W_U"].T if "W_U" in params else params["wte"],
    }  # fmt: skip
    for i, p in enumerate(params["blocks"]):
        parts = {
            "attn.c_attn.weight": torch.cat([p["Wq"], p["Wk"], p["Wv"]], dim=1),
            "attn.c_attn.bias": torch.cat([p["bq"], p["bk"], p["bv"]]),
            "attn.c_proj.weight": p["Wo"], "attn.c_proj.bias": p["bo"],
            "mlp.c_fc.weight": p["W1"], "mlp.c_fc.bias": p["b1"],
            "mlp.c_proj.weight": p["W2"], "mlp.c_proj.bias": p["b2"],
            "ln_1.weight": p["ln1_gamma"], "ln_1.bias": p["ln1_beta"],
            "ln_2.weight": p["ln2_gamma"], "ln_2.bias": p["ln2_beta"],
        }  # fmt: skip
        state |= {f"transformer.h.{i}.{name}": each for name, each in parts.items()}
    library.load_state_dict(state)
    return library


@torch.no_grad()
def library_logits(params: dict, H: int, d_ff: int, ids: torch.Tensor, **how) -> torch.Tensor:
    """What transformers says."""
    return gpt2_with(params, H, d_ff)(ids, **how).logits


def logits_of(params: dict, H: int, ids: torch.Tensor, final: bool = True) -> torch.Tensor:
    """Logits of a tied decoder, from the blocks above; `final=False` leaves LN_f out."""
    x = params["wte"][ids] + params["wpe"][: ids.shape[1]]
    for p in params["blocks"]:
        x = block_of(x, p, H)
    return (norm_of(x, params, "lnf") if final else x) @ params["wte"].T


def cached(decoder, ids: torch.Tensor, past) -> tuple:
    """One call with a cache; checks that it returns two things."""
    got = decoder.forward(ids, past)
    expect(got).true(
        isinstance(got, tuple | list) and len(got) == 2,
        "With a list as past_key_values, also an empty one, return the tuple (logits, new list).",
    )
    return got


DECODER = "wte + wpe, the blocks, the final layer norm, then h @ W_U, which is wte^T if tied."


@exercise("TinyDecoder", weight=4)
def test_logits_equal_those_of_gpt2(student: Student, draw: Draw):
    """Three blocks, two texts, all positions, tied head; no cache."""
    params, ids = gpt_weights(draw, 11, 9, 12, 14, 3), draw.integers(0, 11, 2, 7)
    got = student.new("TinyDecoder", params, 3).forward(ids)
    want = library_logits(params, 3, 14, ids)
    plain = {**params, "wpe": 0 * params["wpe"]}
    expect(got).close(
        want,
        f"With GPT-2's weights the logits are those of GPT2LMHeadModel. {DECODER}",
        mistakes={
            "The final layer normalisation is missing.": logits_of(params, 3, ids, final=False),
            "The position embeddings are missing.": library_logits(plain, 3, 14, ids),
            "Only the last position is returned.": want[:, -1:],
            "Only the last position is returned. ": want[:, -1],
            "Log-probabilities are returned instead of logits.": want.log_softmax(-1),
            "Probabilities are returned instead of logits.": want.softmax(-1),
            "Positions count from 1; they count from 0.": library_logits(
                params, 3, 14, ids, position_ids=torch.arange(1, 8)[None]
            ),
        },
    )


@exercise("TinyDecoder", weight=2)
def test_a_head_that_is_not_tied(student: Student, draw: Draw):
    """W_U is given; one text, one block, then one token."""
    params = gpt_weights(draw, 10, 8, 8, 14, 1)
    ids, W_U = draw.integers(0, 10, 1, 8), draw.normal(8, 10)
    untied = {**params, "W_U": W_U}
    tied = library_logits(params, 2, 14, ids)
    decoder = student.new("TinyDecoder", untied, 2)
    for each in (ids, ids[:, :1]):
        expect(decoder.forward(each)).close(
            library_logits(untied, 2, 14, each),
            f"The head is W_U where params has it. {DECODER}",
            mistakes={"The token table is used as head although W_U is given.": tied},
        )
    again = student.new("TinyDecoder", params, 2).forward(ids)
    expect(again).close(tied, f"Without W_U the head is the token table, transposed. {DECODER}")


@exercise("TinyDecoder", weight=2)
def test_heads_that_are_narrower_than_the_model(student: Student, draw: Draw):
    """Heads that together are narrower than the model, which GPT-2 does not have; no cache."""
    params, ids = gpt_weights(draw, 11, 9, 12, 14, 2), draw.integers(0, 11, 2, 5)
    params["blocks"] = [block_weights(draw, 12, 6, 14) for _ in range(2)]
    expect(student.new("TinyDecoder", params, 3).forward(ids)).close(
        logits_of(params, 3, ids),
        "A head is as wide as Wq has columns, divided by n_heads: not d_model / n_heads.",
    )


@exercise("TinyDecoder", weight=2)
def test_an_empty_cache_is_filled(student: Student, draw: Draw):
    """A prefill with []: the logits, and keys and values of every block."""
    params, ids = gpt_weights(draw, 11, 9, 12, 14, 2), draw.integers(0, 11, 2, 5)
    with torch.no_grad():
        out = gpt2_with(params, 3, 14)(ids, use_cache=True)
    logits, cache = cached(student.new("TinyDecoder", params, 3), ids, [])
    expect(logits).close(out.logits, f"An empty cache changes no logits. {DECODER}")
    want = [(layer.keys, layer.values) for layer in out.past_key_values.layers]
    expect(cache).close(
        want,
        "The cache is a list with one pair (k, v) per block, [B, H, T_past, d] each: keys and "
        "values of the normalised tokens, with their biases.",
        mistakes={"Keys and values are exchanged.": [(v, k) for k, v in want]},
    )


@exercise("TinyDecoder", weight=4)
def test_one_token_at_a_time(student: Student, draw: Draw):
    """A prefill and single tokens, against one full forward."""
    params, ids = gpt_weights(draw, 11, 9, 12, 14, 2), draw.integers(0, 11, 2, 8)
    want = library_logits(params, 3, 14, ids)
    decoder = student.new("TinyDecoder", params, 3)
    _, cache = cached(decoder, ids[:, :4], [])
    restarted = {}
    for t in range(4, 8):
        stale = [*range(t), 0]
        restarted["The positions start again at 0: new tokens stand at T_past, T_past + 1, ..."] = (
            library_logits(params, 3, 14, ids[:, : t + 1], position_ids=torch.tensor([stale]))
        )[:, -1:]
        restarted["The new token sees only itself: the cache is not used."] = library_logits(
            params, 3, 14, ids[:, t : t + 1]
        )
        logits, cache = cached(decoder, ids[:, t : t + 1], cache)
        expect(logits).close(
            want[:, t : t + 1],
            "Behind a cache the logits of a new token are those of the full forward: absolute "
            "position, all cached keys, and its own.",
            mistakes=restarted,
        )


@exercise("TinyDecoder", weight=3)
def test_several_new_tokens_behind_a_cache(student: Student, draw: Draw):
    """Pieces of 2, 3 and 4 tokens: the mask is a rectangle."""
    params, ids = gpt_weights(draw, 11, 9, 12, 14, 2), draw.integers(0, 11, 2, 9)
    want = library_logits(params, 3, 14, ids)
    decoder, cache, done = student.new("TinyDecoder", params, 3), [], 0
    for size in (2, 3, 4):
        logits, cache = cached(decoder, ids[:, done : done + size], cache)
        expect(logits).close(
            want[:, done : done + size],
            "The mask has one row per new token and T_past + T columns: new token i sees all "
            "cached tokens and the new ones up to itself.",
        )
        done += size


@exercise("TinyDecoder", weight=2)
def test_two_continuations_of_one_cache(student: Student, draw: Draw):
    """The same cache used twice, and a fresh text afterwards."""
    params, ids = gpt_weights(draw, 11, 9, 12, 14, 2), draw.integers(0, 11, 2, 7)
    other = torch.cat([ids[:, :4], (ids[:, 4:] + 1) % 11], dim=1)
    decoder = student.new("TinyDecoder", params, 3)
    _, cache = cached(decoder, ids[:, :4], [])
    message = "forward depends on its arguments alone: keep no tokens and no cache in the object."
    for each in (ids, other):
        logits, _ = cached(decoder, each[:, 4:], cache)
        expect(logits).close(library_logits(params, 3, 14, each)[:, 4:], message)
    fresh = other[:, :3]
    expect(decoder(fresh)).close(library_logits(params, 3, 14, fresh), message)


@exercise("TinyDecoder")
def test_decoders_in_float32(student: Student, draw: Draw):
    """All weights in float32, with a cache."""
    params, ids = gpt_weights(draw, 11, 9, 12, 14, 2), draw.integers(0, 11, 2, 6)
    want = library_logits(params, 3, 14, ids).float()
    single = {name: each.float() for name, each in params.items() if name != "blocks"}
    single["blocks"] = [{n: each.float() for n, each in p.items()} for p in params["blocks"]]
    decoder = student.new("TinyDecoder", single, 3)
    _, cache = cached(decoder, ids[:, :4], [])
    logits, _ = cached(decoder, ids[:, 4:], cache)
    expect(logits).close(want[:, 4:], "float32 weights give float32 logits.", rtol=1e-4)

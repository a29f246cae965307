"""Section 1 of 02_transformer. The causal mask, and attention with one head."""

import math

import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, allowed

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

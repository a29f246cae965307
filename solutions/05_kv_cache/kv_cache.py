# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 · KV cache
#
# Lecture I.E.1 · about 120 minutes, 88 of them for the exercises · 10 points by machine, 4 by hand
#
# **You will be able to**
#
# - decode with a cache of keys and values, one token or several at a time, and show that nothing
#   but the cost has changed;
# - count what the cache saves, derive three different "factors", and say which one a claim is
#   about;
# - compute from a model's published shape how many bytes one token of context costs;
# - share a prefix between sequences with paged blocks, reference counts and copy-on-write.
#
# **You need** causal attention with several heads (02 · Transformer) and rotary positions (03 ·
# Rotary positions). Your code of those assignments is not needed: the rotation is given below.
#
# **Map** 04 · Decoding → **05 · KV cache** → 06 · Mixture of experts and data parallelism

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "setup"}
import math
import sys
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from sft2rl import style
from sft2rl.checks import kv_cache as check
from sft2rl.widgets import predict
from sft2rl.widgets_kv_cache import paged_blocks, score_grid

print("python", sys.version.split()[0], "· torch", torch.__version__)

# %% [markdown]
# ## 1. Decoding repeats itself
#
# A language model writes one token at a time: feed the text so far, take the logits of the last
# position, choose a token, append it, feed everything again. With $t$ tokens in the text, the
# network computes $t$ queries, keys and values in every layer, although $t-1$ of them are the
# same numbers as one step before: under the causal mask a position never sees what comes after
# it, so nothing that is appended can change it.
#
# Let us count on a real (tiny, untrained) Llama of the `transformers` library. It continues a
# prompt of 4 tokens by 12 more, greedily, once without and once with its cache. We count the
# tokens that enter the network.

# %% tags=["show"]
predict(
    "Prompt of 4 tokens, 12 tokens generated, no cache. "
    "How many tokens enter the network in all 12 steps together?",
    ["12", "16", "4 + 5 + ... + 15 = 114", "16² = 256"],
    answer=2,
    why="Step by step the whole text is fed again: 4 tokens, then 5, ..., then 15.",
)

# %% tags=["show"]
from transformers import LlamaConfig, LlamaForCausalLM

config = LlamaConfig(
    vocab_size=50, hidden_size=24, intermediate_size=32, num_hidden_layers=2,
    num_attention_heads=6, num_key_value_heads=2, head_dim=8,
)  # fmt: skip
llama = LlamaForCausalLM(config).double().eval()
generator = torch.Generator().manual_seed(5)
for parameter in llama.parameters():
    parameter.data.normal_(0, 0.3, generator=generator)

fed = []
llama.model.embed_tokens.register_forward_pre_hook(
    lambda module, args: fed.append(args[0].shape[1])
)


@torch.no_grad()
def continue_greedily(ids, n_new, use_cache):
    """`ids` [1, L] and n_new more tokens; with the cache, only new tokens are fed."""
    cache, new = None, ids
    for _ in range(n_new):
        out = llama(
            new if use_cache else ids, past_key_values=cache, use_cache=use_cache
        )
        cache, new = out.past_key_values, out.logits[:, -1:].argmax(-1)
        ids = torch.cat([ids, new], dim=1)
    return ids, cache


prompt = torch.tensor([[3, 14, 15, 9]])
for use_cache in (False, True):
    fed.clear()
    ids, cache = continue_greedily(prompt, 12, use_cache)
    name = "with cache   " if use_cache else "without cache"
    print(f"{name}: {ids[0, 4:].tolist()}\n    fed {fed}, {sum(fed)} tokens in all")
print("\nkeys of layer 0 in the cache [B, H_kv, T, d]:", *cache.layers[0].keys.shape)

# %% [markdown]
# The same twelve tokens, 15 instead of 114 tokens fed. The first call with the whole prompt is
# the **prefill**, the calls with one token each are **decoding**. (The last token was chosen but
# never fed: the cache holds 15 positions.)
#
# What is repeated is easiest to see in the square of attention scores $q_i \cdot k_j$. Move the
# slider through the steps, with and without the cache. **In words:** row $i$ is a query, column
# $j$ a key, and step $t$ has $t$ of each. Without a cache, step $t$ fills the whole $t \times t$
# square, of which only the last row is new and only the part up to the diagonal survives the
# mask. With the cache, step $t$ fills the last row and nothing else.

# %% tags=["show"]
score_grid(10)

# %% [markdown]
# ## 2. The cache
#
# Attention at position $t$ needs its own query, and the keys and values of all positions
# $j \le t$:
#
# $$ y_t = \sum_{j \le t} \frac{\exp(q_t \cdot k_j / \sqrt d)}{\sum_{m \le t} \exp(q_t \cdot k_m / \sqrt d)}\; v_j . $$
#
# Old queries never come back, so they are not kept. Keys and values are: in every layer, one
# tensor of each.
#
# **Convention.** The cache of one layer is a dictionary `{"k": ..., "v": ...}` of two tensors of
# shape `[B, H, T, d]`: batch, heads, positions so far, width of one head. Time is axis 2. The
# cache of an empty text is `None`. `transformers` uses the same layout and the name
# `past_key_values`.
#
# With $H = 1$, $d = 2$: after two tokens with keys $(1, 2)$ and $(3, 4)$, a third token adds one
# row.

# %% tags=["show"]
k_old = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])  # [B=1, H=1, T=2, d=2]
k_new = torch.tensor([[[[5.0, 6.0]]]])  # [1, 1, t=1, 2]
print("before:", tuple(k_old.shape), k_old.tolist())
print("new:   ", tuple(k_new.shape), k_new.tolist())
print("after:  (1, 1, 3, 2) [[[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]]")

# %% [markdown]
# ### Exercise: `append_kv` (1 point, 5 minutes, ★)
#
# Return a cache with the new keys and values behind the old ones. There may be several new
# positions at once. The cache that was passed in stays as it was: two continuations of one text
# may start from it. (Production code writes into a buffer allocated beforehand to save the copy;
# you may do the like, as long as the old cache does not change.)

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "append_kv"}
def append_kv(
    cache: dict[str, torch.Tensor] | None, k: torch.Tensor, v: torch.Tensor
) -> dict[str, torch.Tensor]:
    """The cache with `k` and `v` appended along time.

    Args:
        cache: None for an empty text, or {"k": [B, H, T, d], "v": [B, H, T, d]};
            not changed, neither the dictionary nor its tensors.
        k: keys of the new positions, [B, H, t, d] with t >= 1.
        v: values of the new positions, [B, H, t, d].

    Returns:
        A new dictionary {"k": [B, H, T + t, d], "v": [B, H, T + t, d]}, oldest
        position first, in the dtype of `k` and `v`.
    """
    ### BEGIN SOLUTION
    if cache is None:
        return {"k": k, "v": v}
    return {
        "k": torch.cat([cache["k"], k], dim=2),
        "v": torch.cat([cache["v"], v], dim=2),
    }
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_append_kv", "points": 1}
check.append_kv(append_kv)

# %% [markdown]
# ## 3. A step with the cache
#
# One function serves prefill and decoding: it takes $t \ge 1$ new tokens and a cache of $T$ old
# ones. Three places ask for care, and each of them works by luck as long as the cache is empty.
#
# 1. **Positions.** The new tokens stand at the absolute positions $T, T+1, \dots, T+t-1$, not at
#    $0, \dots, t-1$. Only the cache knows $T$.
# 2. **The mask is a rectangle,** $t$ rows by $T + t$ columns. New token $i$ (counted from 0) sees
#    all old tokens and the new ones up to itself: the columns $j \le T + i$.
# 3. **Keys are cached after the rotation.** Under RoPE a key is turned by its own position once
#    and for all, and never again: the score depends on $m - n$ because query and key are each
#    turned by their own angle.
#
# The rotation is given. `rope_table(n, d)` returns a tensor `R` of shape `[n, d, d]`; `R[p]` is
# the matrix that turns a head vector at position $p$ (interleaved pairs as in 03 · Rotary
# positions). `rotate(x, R[a:b])` turns the positions of `x`, one matrix each. Nobody multiplies
# by $d \times d$ matrices in earnest, but it keeps the cell short.

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "helpers"}
def rope_table(n_positions: int, d: int, base: float = 10_000.0) -> torch.Tensor:
    """Rotation matrices R [n_positions, d, d] in float64: R[p] belongs to position p."""
    frequencies = base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    turn = torch.block_diag(*[theta * quarter for theta in frequencies])
    positions = torch.arange(n_positions, dtype=torch.float64)
    return torch.linalg.matrix_exp(positions[:, None, None] * turn)


def rotate(x: torch.Tensor, R: torch.Tensor) -> torch.Tensor:
    """Turn x [B, H, t, d] by R [t, d, d]: row i of x, as a column, by R[i]."""
    return (R * x.unsqueeze(-2)).sum(-1)


# %% [markdown]
# **Worked example.** One head of width 2, and a table in which position $p$ is turned by $p$
# quarter turns, so that the arithmetic can be done by hand. All four tokens have the same query
# and key, of length $s$ with $s^2 / \sqrt 2 = \ln 2$. Then the scaled score of query $m$ and key
# $n$ is $\ln 2 \cdot \cos(90° (m-n))$: $\ln 2$ at distance 0, 0 at distance 1, $-\ln 2$ at
# distance 2, 0 at distance 3, and the unnormalised weights are 2, 1, ½, 1. The values are 21, 0,
# 42, 63.

# %% tags=["show"]
distance = torch.arange(4)[:, None] - torch.arange(4)
unnormalised = 2.0 ** torch.cos(math.pi / 2 * distance)
weights = unnormalised.tril() / unnormalised.tril().sum(-1, keepdim=True)
values = torch.tensor([21.0, 0.0, 42.0, 63.0])
for m in range(4):
    row = "  ".join(f"{weight:.3f}" for weight in weights[m])
    print(f"query {m}: weights {row}   output {weights[m] @ values:.1f}")

# %% [markdown]
# Fed at once or token by token, the outputs must be 21, 7, 27, 42. Before you write the mask, a
# question about a function that many people would reach for.

# %% tags=["show"]
predict(
    "3 cached and 2 new tokens: queries [.., 2, d], keys [.., 5, d]. "
    "torch's scaled_dot_product_attention gets is_causal=True. "
    "How many keys does the first new query see?",
    ["1", "4", "5"],
    answer=0,
    why="torch aligns the triangle with the top left corner, as if the queries were "
    "positions 0 and 1. You need 4: three old tokens and the token itself.",
)

# %% tags=["show"]
weights = torch.nn.functional.scaled_dot_product_attention(
    torch.zeros(1, 1, 2, 4), torch.zeros(1, 1, 5, 4), torch.eye(5)[None, None],
    is_causal=True,
)  # fmt: skip
print("weights of the two new queries on the five keys:")
for row in weights[0, 0].tolist():
    print("   ", row)

# %% [markdown]
# ### Exercise: `cached_attention_step` (2 points, 20 minutes, ★★)
#
# Write causal multi-head attention for the new tokens `x_t`, with everything older taken from the
# cache. Row convention: `x @ W`; head $h$ owns the columns $hd, \dots, hd + d - 1$ of `Wq`, `Wk`
# and `Wv` and the same rows of `Wo`. There are no biases. The head width is $d$ = (columns of
# `Wq`) / `n_heads`; $H d$ need not equal `d_model`. Rotate queries and keys, not values. Use
# `append_kv` and `rotate`; write the softmax attention yourself, without
# `scaled_dot_product_attention`.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "cached_attention_step"}
def cached_attention_step(
    x_t: torch.Tensor, cache: dict[str, torch.Tensor] | None, params: dict
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Causal attention of t new tokens over the cached ones and themselves.

    Args:
        x_t: the new tokens, [B, t, d_model], t >= 1; position i of x_t is the
            absolute position T + i, where T is the length of the cache.
        cache: None (T = 0), or {"k": [B, H, T, d], "v": [B, H, T, d]} with keys
            that are already rotated; not changed.
        params: "Wq", "Wk", "Wv" [d_model, H * d], "Wo" [H * d, d_model], "n_heads" (H),
            and "rope" [n_positions, d, d], the rotation of every absolute position; all
            in the dtype of `x_t`, and so is the cache.

    Returns:
        y_t [B, t, d_model] and the cache of T + t positions, as `append_kv` makes it.
        Scores are divided by sqrt(d); large ones (thousands) must not overflow, which
        torch.softmax takes care of. Everything in the dtype of `x_t`.
    """
    ### BEGIN SOLUTION
    t = x_t.shape[1]
    past = 0 if cache is None else cache["k"].shape[2]
    R = params["rope"][past : past + t]

    def heads(W):
        return (x_t @ W).unflatten(-1, (params["n_heads"], -1)).transpose(1, 2)

    q, k = rotate(heads(params["Wq"]), R), rotate(heads(params["Wk"]), R)
    cache = append_kv(cache, k, heads(params["Wv"]))
    scores = q @ cache["k"].transpose(-1, -2) / math.sqrt(q.shape[-1])
    future = torch.ones(t, past + t, dtype=torch.bool, device=x_t.device).triu(past + 1)
    weights = scores.masked_fill(future, -math.inf).softmax(-1)
    y = (weights @ cache["v"]).transpose(1, 2).flatten(2)
    return y @ params["Wo"], cache
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_cached_attention_step", "points": 2}
check.cached_attention_step(cached_attention_step)

# %% [markdown]
# Your function on random weights: two sequences, 12 tokens, 3 heads of width 4, cut into pieces
# in several ways. The outputs agree with the single full forward up to rounding: the cache
# changes the cost and nothing else.

# %% tags=["show"]
def random_params(d_model, n_heads, d, n_positions, seed):
    """Weights for `cached_attention_step`."""
    g = torch.Generator().manual_seed(seed)

    def weight(n_in, n_out):
        W = torch.randn(n_in, n_out, generator=g, dtype=torch.float64)
        return W / math.sqrt(n_in)

    params = {name: weight(d_model, n_heads * d) for name in ("Wq", "Wk", "Wv")}
    params |= {"Wo": weight(n_heads * d, d_model), "n_heads": n_heads}
    return params | {"rope": rope_table(n_positions, d)}


def in_pieces(x, sizes, params):
    """Feed x [B, L, d_model] in pieces; the outputs of all pieces, joined."""
    outputs, cache = [], None
    for piece in x.split(sizes, dim=1):
        y, cache = cached_attention_step(piece, cache, params)
        outputs.append(y)
    return torch.cat(outputs, dim=1)


params = random_params(d_model=10, n_heads=3, d=4, n_positions=12, seed=1)
x = torch.randn(
    2, 12, 10, generator=torch.Generator().manual_seed(2), dtype=torch.float64
)
full = in_pieces(x, [12], params)
for sizes in ([11, 1], [5, 4, 3], [6] + [1] * 6, [1] * 12):
    error = (in_pieces(x, sizes, params) - full).abs().max()
    print(f"largest difference {error:.1e}   pieces {sizes}")

# %% [markdown]
# ## 4. What it saves
#
# "How much faster" has no single answer, because the parts of the network gain differently. So
# count, and say what is counted. Text generated from an empty prompt, $T$ steps; at step $t$ the
# text has $t$ tokens, $t = 1, \dots, T$. One layer, one head, one sequence. A **score entry** is
# one product $q_i \cdot k_j$.
#
# | at step $t$ | without cache | with cache |
# | --- | --- | --- |
# | score entries, full square computed, then masked | $t \times t$ | $t$ |
# | score entries, only the causal half computed | $1 + 2 + \dots + t$ | $t$ |
# | token vectors through projections and FFN | $t$ | $1$ |
#
# Plain code computes the full square and throws half of it away; FlashAttention skips blocks
# above the diagonal and comes close to the causal half. The new row of a cached step has no
# future in it, so the cache column has one version only. For $T = 3$, by hand:

# %% tags=["show"]
print("full square, no cache: 1×1 + 2×2 + 3×3         =", 1 + 4 + 9)
print("causal half, no cache: 1 + (1+2) + (1+2+3)     =", 1 + 3 + 6)
print("with cache:            1 + 2 + 3               =", 1 + 2 + 3)
print("tokens projected:      1 + 2 + 3 against 1+1+1 =", 6, "against", 3)

# %% [markdown]
# ### Exercise: `attention_score_count` (2 points, 10 minutes, ★)
#
# The number of score entries over all $T$ steps, as an exact `int`. Scores only: no projections,
# no weighted sum of values, no factor for heads or width. A sum over $t$ is fine, so is a closed
# form; but $T$ may be a million, so do not count the entries one by one, and stay within integers
# (a float has 53 bits).

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "attention_score_count"}
def attention_score_count(T: int, use_cache: bool, causal_only: bool = False) -> int:
    """Score entries computed to generate T tokens from an empty prompt.

    Args:
        T: number of steps, >= 1; step t = 1..T works on a text of t tokens.
        use_cache: True: step t computes the scores of the newest query only,
            with all t keys. False: it computes the scores of all t queries.
        causal_only: without a cache, count only entries with key <= query instead of
            the full t x t square. Makes no difference with a cache.

    Returns:
        The exact total for one layer, one head and one sequence, an int.
    """
    ### BEGIN SOLUTION
    if use_cache:
        return sum(range(1, T + 1))
    if causal_only:
        return sum(t * (t + 1) // 2 for t in range(1, T + 1))
    return sum(t * t for t in range(1, T + 1))
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_attention_score_count", "points": 2}
check.attention_score_count(attention_score_count)

# %% [markdown]
# Does the formula describe real code? First an explicit counter, which adds one for every entry
# $(t, i, j)$ of a short generation. Then torch counts for us: `FlopCounterMode` adds up the
# floating-point operations of the matrix products that run. A product of $n \times m$ by
# $m \times p$ costs $2nmp$ of them. So a score entry costs $2d$ and its part in the weighted sum
# of the values $2d$ more, in each of $H$ heads; a token costs four projections of
# $2\,d_{model}\,Hd$ each. If the sum of both agrees with what torch saw, so does the number of
# entries.
#
# Know the limits of an instrument before you trust it. This counter knows a list of operations.
# On a CPU it sees nothing of `scaled_dot_product_attention`, and nothing of a matrix-vector
# product: written that way, a decoding step would look free. If your step is not written with
# matrix products, the count below is too low, and the formula is right.

# %% tags=["show"]
def counted_one_by_one(T, use_cache):
    """One for every score entry: step t, query i, key j."""
    entries = []
    for t in range(1, T + 1):
        queries = [t] if use_cache else range(1, t + 1)
        entries += [(t, i, j) for i in queries for j in range(1, t + 1)]
    return len(entries)


def counted_flops(T, use_cache):
    """Operations that torch sees while T tokens go through `cached_attention_step`."""
    params = random_params(d_model=10, n_heads=3, d=4, n_positions=T, seed=1)
    cache = None
    with FlopCounterMode(display=False) as counter:
        for t in range(1, T + 1):
            x = torch.zeros(1, 1 if use_cache else t, 10, dtype=torch.float64)
            _, new_cache = cached_attention_step(x, cache, params)
            cache = new_cache if use_cache else None
    return counter.get_total_flops()


T = 12
for use_cache, tokens in ((False, sum(range(1, T + 1))), (True, T)):
    entries = attention_score_count(T, use_cache)
    expected = entries * 3 * (2 * 4 + 2 * 4) + tokens * 4 * (2 * 10 * 12)
    print(f"use_cache={use_cache}")
    print(f"   entries: counted {counted_one_by_one(T, use_cache)}, formula {entries}")
    print(f"   FLOPs: torch {counted_flops(T, use_cache)}, from {entries} entries "
          f"and {tokens} tokens {expected}")  # fmt: skip

key, query = torch.zeros(5, 4), torch.zeros(4)
with FlopCounterMode(display=False) as counter:
    key @ query
    heads = key[None, None]
    torch.nn.functional.scaled_dot_product_attention(heads, heads, heads)
print("FLOPs seen in a matrix-vector product and an SDPA call:", counter.get_total_flops())

# %% [markdown]
# ### Exercise: `speedup_factor` (2 points, 15 minutes, ★★)
#
# The factor between the totals without and with the cache over a whole generation of $T$ tokens,
# for the three rows of the table. Derive the closed forms ($\sum t = T(T+1)/2$ and
# $\sum t^2 = T(T+1)(2T+1)/6$ help) or divide two counts; a `float` or an exact `Fraction`, as you
# like. Guess first:

# %% tags=["show"]
predict(
    "1024 tokens, full squares. By which factor does the cache reduce the score "
    "entries of the whole generation?",
    ["1024", "683", "512.5", "342"],
    answer=1,
    why="At the last step the factor is 1024, but at the first it is 1. Weighted by "
    "what the steps cost, the average comes to two thirds of 1024.",
)

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "speedup_factor"}
def speedup_factor(T: int, kind: str) -> float | Fraction:
    """Total without a cache divided by the total with one, to generate T tokens.

    Args:
        T: number of generated tokens, >= 1, from an empty prompt.
        kind: what is counted. "scores_full": score entries, full squares without the
            cache; "scores_causal": score entries, causal halves without the cache;
            "projections": token vectors that pass through projections and FFN.

    Returns:
        The ratio of the sums over all steps (not the ratio at the last step),
        a float or a Fraction.

    Raises:
        ValueError: any other kind.
    """
    ### BEGIN SOLUTION
    if kind == "scores_full":
        return Fraction(2 * T + 1, 3)
    if kind == "scores_causal":
        return Fraction(T + 2, 3)
    if kind == "projections":
        return Fraction(T + 1, 2)
    raise ValueError(f"unknown kind {kind!r}")
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_speedup_factor", "points": 2}
check.speedup_factor(speedup_factor)

# %% [markdown]
# **In words, left:** score entries in total against the number of generated tokens, both axes
# logarithmic: the two lines without a cache climb with slope 3, the line with the cache with
# slope 2. **Right:** the three factors and, dashed, the factor $T$ itself: all grow in proportion
# to $T$, and for $T > 1$ none equals it.

# %% tags=["show"]
lengths = [2**n for n in range(1, 12)]
style.use()
fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
left.set(
    title="Score entries of a whole generation", xlabel="tokens generated, $T$",
    ylabel="entries (one head, one layer)", xscale="log", yscale="log",
)  # fmt: skip
for label, use_cache, causal in (
    ("no cache, full squares", False, False),
    ("no cache, causal halves", False, True),
    ("with cache", True, False),
):
    counts = [attention_score_count(T, use_cache, causal) for T in lengths]
    left.plot(lengths, counts, marker="o", ms=3, label=label)
left.legend()
right.set(
    title="Saved by the cache", xlabel="tokens generated, $T$",
    ylabel="total without / total with cache",
)  # fmt: skip
for kind in ("scores_full", "scores_causal", "projections"):
    right.plot(lengths, [float(speedup_factor(T, kind)) for T in lengths], label=kind)
right.plot(lengths, lengths, "--", color=style.COLOURS["black"], label="$T$ itself")
right.legend()
plt.show()

# %% [markdown]
# ### With a prompt
#
# A prompt of $P$ tokens is fed once, in one pass, with or without a cache: **the prefill saves
# nothing**. What is saved are the repetitions after it, one per generated token. Below, texts of
# 1024 tokens that start with prompts of different lengths; full squares everywhere, prefill
# included. (The pass over the prompt already yields the first new token.)

# %% tags=["show"]
def with_prompt(P, total):
    """Score entries without and with cache: a prompt of P, then up to `total` tokens."""
    without = attention_score_count(total, False)
    without -= attention_score_count(P - 1, False) if P > 1 else 0
    cached = P * P + attention_score_count(total, True) - attention_score_count(P, True)
    return without, cached


print("prompt  passes  entries without       with  factor")
for P in (1, 256, 512, 900, 1000, 1024):
    without, cached = with_prompt(P, 1024)
    passes = 1024 - P + 1
    print(f"{P:6}{passes:8}{without:17,}{cached:11,}{without / cached:8.1f}")

# %% [markdown]
# The factor never exceeds the number of passes, one per generated token: with a long prompt and a
# short reply it is close to the length of the *reply*, whatever the length of the text.
#
# One more thing the counts do not show: **memory traffic.** A cached step does little arithmetic,
# but it reads all weights and the whole cache, so decoding is limited by memory bandwidth rather
# than by arithmetic, and time shrinks by less than the counts.

# %% [markdown]
# ### Written answer: what is "the factor L"? (4 points, 15 minutes)
#
# The slide on the KV cache gives one factor for the gain in attention: $L$, and explains it as the
# largest length seen in training. In six to ten sentences:
#
# 1. Does training gain anything from a KV cache? Why, or why not?
# 2. For which ratio, at which moment, is the factor exactly $L$? What is it for a whole
#    generation of $L$ tokens from an empty prompt, for the three kinds above?
# 3. Which length belongs in the formula: what a model was trained for, or something else? Use the
#    example of a prompt of 900 tokens with a reply of 100.
# 4. Name two things that the factor leaves out.

# %% [markdown] nbgrader={"schema_version": 3, "solution": true, "grade": true, "locked": false, "task": false, "grade_id": "written_factor_L", "points": 4}
# **Model answer.** (1) No. In training the whole sequence is known, one pass with the causal mask
# computes every query, key and value once, and the weights (hence all keys and values) change
# after the update: there is nothing to reuse. The cache belongs to generation at inference time
# (including the sampling phase of RL).
#
# (2) The factor is exactly $L$ for the score entries of the single step at length $L$ if without
# a cache the full square is computed: $L^2$ entries against $L$. (It is also $L$ for the tokens
# projected in that step, $L$ against 1; with causal halves it is $(L+1)/2$.) Earlier steps gain
# less, namely $t$ at step $t$; over the whole generation the factors are
# $\sum t^2/\sum t = (2L+1)/3$ for full squares, $(L+2)/3$ for causal halves and $(L+1)/2$ for
# projections. For $L = 1024$: 683, 342 and 512.5. So "of the order of $L$" is right, "$L$" is
# not.
#
# (3) The length that counts is what is generated in this request. The context length of training
# is only an upper limit. With a prompt of 900 and a reply of 100 the prefill costs the same in
# both cases and there are only 100 passes, so the factor is at most about 100 (full squares:
# 99.8), not 1000 and not the training length.
#
# (4) Prefill is not faster; the cache needs memory proportional to length, batch, layers and
# key-value heads; each step must read cache and weights, so time falls by less than the counts.
#
# **Rubric.** 1 point: inference, not training, with the reason (all positions in one pass). 1
# point: $L$ is the gain of the last step only, and at least one correct total, with what is
# counted (full squares, causal half or projections). 1 point: the length generated in the request
# counts, with the example (about 100). 1 point: two of: no gain in prefill, memory that grows
# with length and batch, memory bandwidth, parts of the network that gain differently. Half points
# are possible.

# %% [markdown]
# ## 5. What it costs
#
# Every layer keeps two tensors $[B, H_{kv}, T, d]$. Usually each query head has a key-value head
# of its own (multi-head attention, $H_{kv} = H$). With grouped-query attention (GQA; Ainslie et
# al. 2023) several query heads share one, with multi-query attention (MQA; Shazeer 2019) all of
# them share a single one: that is what $H_{kv}$ is for, and the cache is why it was invented.
#
# Worked example: GPT-2 has 12 layers and 12 heads of width 64. One token in float16 (2 bytes per
# number) costs 2 tensors × 12 layers × 12 heads × 64 numbers × 2 bytes = 36 864 bytes; a text of
# 1024 tokens 37.7 MB.
#
# ### Exercise: `kv_cache_bytes` (1 point, 5 minutes, ★)
#
# Bytes (not bits) of the whole cache, all layers, keys and values.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "kv_cache_bytes"}
def kv_cache_bytes(
    batch: int,
    seq_len: int,
    n_layers: int,
    n_kv_heads: int,
    head_dim: int,
    bytes_per_el: int,
) -> int:
    """Bytes that the KV cache occupies.

    Args:
        batch: sequences, all of length `seq_len`.
        seq_len: positions per sequence.
        n_layers: layers, each with a cache of its own.
        n_kv_heads: key-value heads per layer (not query heads).
        head_dim: width of one head.
        bytes_per_el: bytes per number: 4 float32, 2 float16 or bfloat16, 1 int8.

    Returns:
        The number of bytes, an int.
    """
    ### BEGIN SOLUTION
    numbers = 2 * batch * seq_len * n_layers * n_kv_heads * head_dim
    return numbers * bytes_per_el
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_kv_cache_bytes", "points": 1}
check.kv_cache_bytes(kv_cache_bytes)

# %% tags=["show"]
predict(
    "Which model needs more cache per token of context, in 16 bits: OPT-13B (2022), "
    "whose weights take 26 GB, or Llama-3-70B (2024), whose weights take 140 GB?",
    ["OPT-13B", "Llama-3-70B", "about the same"],
    answer=0,
    why="OPT keeps 40 key-value heads in 40 layers, Llama-3-70B only 8 in 80 layers.",
)

# %% [markdown]
# Shapes from the published configurations. Two traps: the number of *query* heads is of no use
# here, and the head width is not always $d_{model}/H$ (Gemma-7B: $3072/16 = 192$, but the heads
# are 256 wide).

# %% tags=["show"]
SHAPES = {  # name: (layers, query heads, key-value heads, head width)
    "OPT-13B": (40, 40, 40, 128),
    "Llama-2-7B": (32, 32, 32, 128),
    "Gemma-7B": (28, 16, 16, 256),
    "Llama-3-70B": (80, 64, 8, 128),
    "Llama-3-8B": (32, 32, 8, 128),
    "Qwen2.5-7B": (28, 28, 4, 128),
    "Falcon-7B": (32, 71, 1, 64),
}
print(f"{'16-bit numbers':15}{'query':>7}{'kv':>5}{'bytes per token':>17}{'8192 tokens':>13}")
for name, (layers, heads, kv_heads, width) in SHAPES.items():
    token = kv_cache_bytes(1, 1, layers, kv_heads, width, 2)
    text = kv_cache_bytes(1, 8192, layers, kv_heads, width, 2) / 1e9
    print(f"{name:15}{heads:7}{kv_heads:5}{token:17,}{text:10.2f} GB")

# %% [markdown]
# **In words:** cache of one sequence against its length, for seven models, both axes logarithmic.
# All lines have slope 1; the models with many key-value heads lie up to a hundred times above
# Falcon-7B, which has one. The dashed line at 16 GB is what the 16-bit weights of an 8B model
# take: one sequence of 128K tokens in the shape of Llama-3-8B needs as much again.

# %% tags=["show"]
fig, ax = style.figure(
    "KV cache of one sequence, 16-bit numbers", "tokens in the sequence", "cache (GB)",
    figsize=(7.5, 4.2),
)  # fmt: skip
lengths = [2**n for n in range(9, 18)]
for name, (layers, _, kv_heads, width) in SHAPES.items():
    size = [kv_cache_bytes(1, T, layers, kv_heads, width, 2) / 1e9 for T in lengths]
    ax.plot(lengths, size, label=f"{name} ({kv_heads} kv)")
ax.axhline(16, ls="--", color="grey")
ax.text(lengths[0], 18, "weights of an 8B model", color="grey")
ax.set(xscale="log", yscale="log")
ax.set_xticks(lengths, [f"{T // 1024}K" if T >= 1024 else str(T) for T in lengths])
ax.minorticks_off()
ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
plt.show()

# %% [markdown]
# ## 6. Pages
#
# Nobody knows beforehand how long a reply will be. A server that reserves the maximum for each
# request wastes most of its memory: Kwon et al. (2023) measured that in earlier systems only 20
# to 38 % of the cache memory held tokens. Their **PagedAttention**, the heart of vLLM, does what
# operating systems do: cut the memory into **blocks** of equal size (16 tokens by default), hand
# them out on demand, and keep for every sequence a **block table** that lists its blocks in
# order. The blocks of one sequence may lie anywhere. Attention follows the table; its result is
# the same up to rounding.
#
# **Convention.** A sequence of $n$ tokens holds exactly as many blocks of `bs` slots as it needs:
# no block is taken before its first token arrives, so an empty sequence holds none. With
# `bs = 4`: 7 tokens take 2 blocks, 1 slot is idle; 8 tokens take 2 blocks, none idle; 9 tokens
# take 3 blocks, 3 idle. Only the last block of a sequence can have idle slots.
#
# ### Exercise: `blocks_needed` (0.5 points, 3 minutes, ★)

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "blocks_needed"}
def blocks_needed(length: int, bs: int) -> int:
    """Blocks that a sequence of `length` tokens holds.

    Args:
        length: number of tokens, >= 0.
        bs: slots per block (one token each), >= 1.

    Returns:
        An int; 0 for an empty sequence.
    """
    ### BEGIN SOLUTION
    return (length + bs - 1) // bs
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_blocks_needed", "points": 0.5}
check.blocks_needed(blocks_needed)

# %% [markdown]
# ### Exercise: `wasted_slots` (0.5 points, 5 minutes, ★)
#
# The idle slots of several sequences together. Sequences do not share blocks here: each wastes
# its own remainder.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "wasted_slots"}
def wasted_slots(lens: list[int], bs: int) -> int:
    """Slots that are allocated but hold no token, over all sequences.

    Args:
        lens: length of every sequence, each >= 0; may be empty.
        bs: slots per block, >= 1.

    Returns:
        The total number of idle slots, an int.
    """
    ### BEGIN SOLUTION
    return sum(blocks_needed(length, bs) * bs - length for length in lens)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_wasted_slots", "points": 0.5}
check.wasted_slots(wasted_slots)

# %% [markdown]
# How much is that in practice? 32 requests with replies of very different lengths, on the memory
# model of OPT-13B: reserve 2048 slots for each, or hand out blocks.

# %% tags=["show"]
replies = np.random.default_rng(0).geometric(1 / 300, size=32).clip(1, 2048).tolist()
used, token = sum(replies), kv_cache_bytes(1, 1, 40, 40, 128, 2)
print(f"32 replies, {used} tokens, {used * token / 1e9:.1f} GB of keys and values")
for label, waste in [("2048 slots reserved", 32 * 2048 - used)] + [
    (f"blocks of {bs}", wasted_slots(replies, bs)) for bs in (256, 16, 1)
]:
    print(f"{label:20} idle {waste * token / 1e9:5.1f} GB, "
          f"{used / (used + waste):4.0%} of the memory holds tokens")  # fmt: skip

# %% [markdown]
# ### Sharing: fork and copy-on-write
#
# Sampling several replies to one prompt (as RLOO and GRPO will do) or searching with beams gives
# sequences with a common beginning. With block tables they can **share** it: to *fork* a sequence
# is to copy its table, a list of small integers. Each block counts how many tables it is in, its
# **reference count**; it is free again when the count falls to 0.
#
# A shared block must not be written to: the other owners would see it. Full blocks are never
# written again, so the only dangerous moment is an `append` to a partly filled last block with a
# count above 1. Then, and only then, the block is copied to a new one first, which replaces it in
# *this* sequence's table: **copy-on-write**. Example with 4 slots:
#
# | operation | table of A | table of B | counts | taken |
# | --- | --- | --- | --- | --- |
# | A = allocate(6 tokens) | `[0, 1]` | | 1, 1 | 2 blocks |
# | B = fork(A) | `[0, 1]` | `[0, 1]` | 2, 2 | none |
# | append(B, "x"): block 1 is shared and half full | `[0, 1]` | `[0, 2]` | 2, 1, 1 | 1 block, 2 tokens copied |
# | append(A, "y"): block 1 is A's own again | `[0, 1]` | `[0, 2]` | 2, 1, 1 | none |
# | free(A) | | `[0, 2]` | 1, 0, 1 | 1 block comes back |

# %% tags=["show"]
predict(
    "Blocks of 4 slots. A has 8 tokens, B is a fork of A, and one token is "
    "appended to B. How many blocks are copied?",
    ["none", "one", "both"],
    answer=0,
    why="Both blocks are full and stay shared for ever. The token opens a new block.",
)

# %% [markdown]
# ### Exercise: `BlockAllocator` (1 point, 25 minutes, ★★)
#
# Write the four methods `allocate`, `fork`, `append` and `free`. The constructor, `take_block`
# and the methods that only look are given; keep them, or change what is inside as long as they
# answer the same. In place of keys and values a slot holds the token itself, so that everybody
# can see who wrote where. Which free block is taken does not matter.
#
# When no block is left, the method raises `MemoryError` and **nothing has changed**: a server
# then sends a request back to the queue and goes on. An unknown or freed sequence raises
# `KeyError`.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "BlockAllocator"}
class BlockAllocator:
    """Paged memory for sequences of tokens: block tables, reference counts, copy-on-write.

    Args of the constructor:
        n_blocks: blocks in the pool.
        block_size: slots per block; one slot holds one token.

    State:
        slots: the pool, a list of n_blocks lists of block_size tokens (or None).
        refs: reference count of every block; 0 if free.
        free_list: ids of the free blocks.
        tables: sequence id -> ids of its blocks, in the order of its tokens.
        lengths: sequence id -> number of its tokens.
    """

    def __init__(self, n_blocks: int, block_size: int):
        self.block_size = block_size
        self.slots = [[None] * block_size for _ in range(n_blocks)]
        self.refs = [0] * n_blocks
        self.free_list = list(range(n_blocks))
        self.tables: dict[int, list[int]] = {}
        self.lengths: dict[int, int] = {}
        self.next_id = 0

    def n_free(self) -> int:
        """Number of free blocks."""
        return len(self.free_list)

    def table(self, seq: int) -> list[int]:
        """Block ids of a sequence, a copy."""
        return list(self.tables[seq])

    def ref_count(self, block: int) -> int:
        """Number of tables that a block is in."""
        return self.refs[block]

    def read(self, seq: int) -> list:
        """The tokens of a sequence, found through its table."""
        size, table = self.block_size, self.tables[seq]
        return [
            self.slots[table[i // size]][i % size] for i in range(self.lengths[seq])
        ]

    def take_block(self) -> int:
        """A free block, its count set to 1. Raises MemoryError if there is none."""
        if not self.free_list:
            raise MemoryError("no free block")
        block = self.free_list.pop(0)
        self.refs[block] = 1
        return block

    def allocate(self, tokens: list) -> int:
        """Store a new sequence (a prompt, perhaps empty) in blocks of its own.

        Returns:
            Its id: an int that this allocator has not used before.

        Raises:
            MemoryError: not enough free blocks; nothing has changed.
        """
        ### BEGIN SOLUTION
        if blocks_needed(len(tokens), self.block_size) > self.n_free():
            raise MemoryError("not enough free blocks")
        seq, self.next_id = self.next_id, self.next_id + 1
        self.tables[seq], self.lengths[seq] = [], 0
        for token in tokens:
            self.append(seq, token)
        return seq
        ### END SOLUTION

    def fork(self, seq: int) -> int:
        """A second sequence with the same tokens in the same blocks; takes no block.

        Returns:
            The id of the new sequence: an int not used before.

        Raises:
            KeyError: there is no such sequence.
        """
        ### BEGIN SOLUTION
        table = self.table(seq)
        new, self.next_id = self.next_id, self.next_id + 1
        self.tables[new], self.lengths[new] = table, self.lengths[seq]
        for block in table:
            self.refs[block] += 1
        return new
        ### END SOLUTION

    def append(self, seq: int, token: object) -> None:
        """Add one token to a sequence; no other sequence may notice.

        A new block is taken if the last one is full (or there is none). A last block
        that has room but is shared is copied to a new block first, and the new one
        replaces it in this table. Otherwise the token is written in place.

        Raises:
            KeyError: there is no such sequence.
            MemoryError: a block is needed and none is free; nothing has changed.
        """
        ### BEGIN SOLUTION
        table, slot = self.tables[seq], self.lengths[seq] % self.block_size
        if slot == 0:
            table.append(self.take_block())
        elif self.refs[table[-1]] > 1:
            shared, own = table[-1], self.take_block()
            self.slots[own][:slot] = self.slots[shared][:slot]
            self.refs[shared] -= 1
            table[-1] = own
        self.slots[table[-1]][slot] = token
        self.lengths[seq] += 1
        ### END SOLUTION

    def free(self, seq: int) -> None:
        """Forget a sequence; its blocks are free again unless another one shares them.

        Raises:
            KeyError: there is no such sequence (also at a second call).
        """
        ### BEGIN SOLUTION
        for block in self.tables.pop(seq):
            self.refs[block] -= 1
            if self.refs[block] == 0:
                self.free_list.append(block)
        del self.lengths[seq]
        ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_BlockAllocator", "points": 1}
check.BlockAllocator(BlockAllocator)

# %% [markdown]
# Play with your own allocator. **In words:** eight blocks of four slots; a block shows its
# number, its reference count and its tokens, a shared block has a thick frame. *Next step* runs
# the story of the table above, with one more fork; the other buttons append to, fork or free the
# chosen sequence. Try to fill the pool.

# %% tags=["show"]
paged_blocks(BlockAllocator)

# %% [markdown]
# ## 7. Where the slides need care
#
# - **The factor of the KV cache is given as L, a length of training.** As it stands this is not
#   right: the factor is no constant, it depends on what is counted and over which steps, and it is
#   a property of a generation, not of a model's training. "Of the order of the number of generated
#   tokens" would be safe. What is left of L is the subject of your written answer.
# - **The price is not mentioned:** the prefill gains nothing, and the cache takes memory that grows
#   with every token (section 5).
# - **vLLM is counted among the methods that sample from another policy.** It does not: paging is
#   memory management, and the policy stays the same up to rounding. (A temperature other than 1,
#   top-p below 1 and greedy decoding do change it.)
# - The technique of the vLLM paper is called *PagedAttention*.
#
# ## 8. What you have learnt
#
# - Under the causal mask old keys and values never change, so they can be kept: same outputs, far
#   less work.
# - Position and mask come from the length of the cache; forget it and only the first call is
#   right.
# - A "speed-up" needs three words: of what, over which steps, for which prompt.
# - Cache bytes = 2 · batch · length · layers · key-value heads · head width · bytes: GQA and MQA
#   attack the one factor that is free to choose.
# - Blocks, tables and counts make memory exact to the last block, and sharing almost free.
#
# **Further reading**
#
# - Shazeer 2019, *Fast Transformer Decoding: One Write-Head is All You Need* (multi-query
#   attention; why decoding is bound by memory).
# - Pope et al. 2022, *Efficiently Scaling Transformer Inference* (prefill and decoding, costs at
#   scale).
# - Ainslie et al. 2023, *GQA: Training Generalized Multi-Query Transformer Models from Multi-Head
#   Checkpoints*.
# - Kwon et al. 2023, *Efficient Memory Management for Large Language Model Serving with
#   PagedAttention* (section 4: block tables, sharing, copy-on-write; 800 KB per token for OPT-13B
#   in section 3).
#
# **Next:** 06 · Mixture of experts and data parallelism: more parameters without more arithmetic
# per token.

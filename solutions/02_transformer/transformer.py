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
# # 02 · Transformer
#
# Lecture I.B-C · about 210 minutes, 168 of them for the exercises · 33 points by machine, 4 by hand
#
# **You will be able to**
#
# - write causal attention, with one head and with many, and say what every line is for;
# - prove what attention knows about the order of its tokens, and correct a slide that says
#   otherwise;
# - build a pre-norm block that agrees with the one of a production library to the last digits;
# - count the parameters of GPT-2, from 124 million to 1.5 billion, without loading it;
# - assemble a decoder from your own functions, give it the weights of a small trained model, look
#   into its attention maps, and let it speak.
#
# **You need** PyTorch (broadcasting, `softmax`, `transpose`) and what logits are (01 · Tokenizer).
#
# **Map** 01 · Tokenizer → **02 · Transformer** → 03 · Rotary positions

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "setup"}
import math
import platform
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from sft2rl import style
from sft2rl.checks import transformer as check
from sft2rl.widgets import predict
from sft2rl.widgets_transformer import attention_browser

style.use()
torch.set_printoptions(precision=4, sci_mode=False, linewidth=100)
print(f"python {platform.python_version()} · torch {torch.__version__}")

# %% [markdown]
# ## 1. One head
#
# "The animal did not cross the street because it was too **tired**." Who is tired? To go on from
# here, the vector of *tired* has to fetch something from the vector of *animal*, ten places to the
# left; had the word been *wide*, from *street*, five places to the left. Which place to look at
# depends on what stands there, and no fixed distance will do.
# Attention is a way to look things up that can be differentiated: each token asks with a **query**,
# each token has a label, its **key**, and something to tell, its **value**. Every token takes the
# average of the values, weighted by how well their keys fit its query:
#
# $$ q_i = x_i W^Q, \quad k_j = x_j W^K, \quad v_j = x_j W^V, \qquad
# \alpha_{ij} = \frac{\exp(q_i \cdot k_j / \sqrt{d_k})}
# {\sum_{m \text{ allowed}} \exp(q_i \cdot k_m / \sqrt{d_k})}, \qquad
# \text{head}_i = \sum_{j \text{ allowed}} \alpha_{ij}\, v_j . $$
#
# **Conventions.** Tokens are **rows**: $x_i$ is row $i$ of $x$, and a layer is `x @ W`, as on the
# slides. (`nn.Linear` keeps the transposed matrix, `[out, in]`.) $d_k$ is the number of entries of
# one query, not the width of the model. In a language model, position $i$ may look at itself and
# at what stands before it, $j \le i$: this is the **causal mask**. Everything is batch first.
#
# **Worked example.** Three tokens with $d_k = 4$, so the scores are divided by 2. All queries are
# $(2, 0, 0, 0)$, and the keys are $(\ln 1, 0, 0, 0)$, $(\ln 2, 0, 0, 0)$, $(\ln 5, 0, 0, 0)$: the
# scaled scores are $\ln 1, \ln 2, \ln 5$ and their exponentials 1, 2 and 5. The values are 80, 40
# and 8.

# %% tags=["show"]
exponentials, values = torch.tensor([1.0, 2.0, 5.0]), torch.tensor([80.0, 40.0, 8.0])
for i in range(3):
    weights = exponentials[: i + 1] / exponentials[: i + 1].sum()
    parts = " + ".join(f"{w:.3f} · {v:.0f}" for w, v in zip(weights, values, strict=False))
    print(f"token {i} sees {i + 1}: {parts} = {weights @ values[: i + 1]:.3f}")

# %% [markdown]
# ### Exercise: `causal_mask` (1 point, 3 minutes, ★)
#
# A square of booleans, row $i$ for the query, column $j$ for the key. **True means "may attend"**,
# here and in the rest of the course, as in `scaled_dot_product_attention`. (The older
# `nn.MultiheadAttention` uses the opposite sign: there, True hides a key. More than one afternoon
# has been lost to that.) A token may always attend to itself; a row without any True would be a
# softmax over nothing, 0/0.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "causal_mask"}
def causal_mask(T: int, device: torch.device | str | None = None) -> Tensor:
    """Which keys each query may attend to in a causal language model.

    Args:
        T: number of tokens, at least 1.
        device: where the mask is made; None is torch's default device.

    Returns:
        Bool tensor [T, T]; entry (i, j) is True where query i may attend to key j,
        that is, where j <= i.
    """
    ### BEGIN SOLUTION
    return torch.ones(T, T, dtype=torch.bool, device=device).tril()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_causal_mask", "points": 1}
check.causal_mask(causal_mask)

# %% [markdown]
# Two details decide whether attention works. The first is *where* the mask goes. Suppose that you
# compute the softmax over all keys, and then set the weights of the future to zero.

# %% tags=["show"]
predict(
    "Worked example again, but the softmax runs over all three keys and the future's "
    "weights are set to 0 afterwards. What does token 0 put out?",
    ["80", "10", "25"],
    answer=1,
    why="Its own weight is 1/8, because the future took part in the sum: 80 / 8 = 10. "
    "The row no longer sums to 1, and the token has learnt something about tokens "
    "that it must not know. The mask belongs before the softmax: exp(-inf) = 0.",
)

# %% [markdown]
# The second is the factor $1/\sqrt{d_k}$. If the entries of $q$ and $k$ are independent with mean 0
# and variance 1, then $q \cdot k$ is a sum of $d_k$ terms of variance 1: its standard deviation is
# $\sqrt{d_k}$. Dividing by it keeps the scores of order 1, however wide the head is. Without it:
#
# **The plot in words.** Average weight of the best of 16 keys, for random queries and keys, against
# the head width from 1 to 1024, on a logarithmic axis. Divided by $\sqrt{d_k}$ the curve stays
# between 0.2 and 0.25; without the factor it climbs towards 1: the softmax turns into an arg max,
# and the gradient of an arg max is zero.

# %% tags=["show"]
generator = torch.Generator().manual_seed(0)
widths = [4**n for n in range(6)]
best = {"divided by √d_k": [], "not divided": []}
for width in widths:
    q = torch.randn(1000, 1, width, generator=generator)
    k = torch.randn(1000, 16, width, generator=generator)
    scores = (q * k).sum(-1)
    best["divided by √d_k"].append((scores / math.sqrt(width)).softmax(-1).amax(-1).mean())
    best["not divided"].append(scores.softmax(-1).amax(-1).mean())

fig, ax = style.figure(
    "Why the scores are divided by √d_k",
    "head width d_k",
    "weight of the best of 16 keys",
)
for (label, curve), marker in zip(best.items(), "os", strict=True):
    ax.plot(widths, curve, marker=marker, label=label)
ax.set_xscale("log", base=2)
ax.set_ylim(0, 1.03)
ax.legend(loc="center left")
plt.show()

# %% [markdown]
# ### Exercise: `attention` (4 points, 20 minutes, ★)
#
# Write the formula, with the mask **before** the softmax. The tensors have any number of leading
# dimensions (none, a batch, a batch and heads): work on the last two. The number of keys $S$ need
# not be the number of queries $T$, and values may have another width than keys. Return the weights
# as well: we shall look at them. No `scaled_dot_product_attention`; `softmax` and
# `masked_fill` are welcome. Scores may be in the thousands, so do not exponentiate them by hand
# (`torch.softmax` subtracts the largest score first), and hide a key with $-\infty$, not with a
# number that merely looks small.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "attention"}
def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention.

    Args:
        q: queries [..., T, d_k].
        k: keys [..., S, d_k].
        v: values [..., S, d_v]; the same leading dimensions as q and k.
        mask: None (every query sees every key), or bool, broadcastable to [..., T, S],
            True where the query may attend to the key; every row has at least one True.

    Returns:
        The tuple (out, weights): out [..., T, d_v] and weights [..., T, S], in the
        dtype of q. Each row of weights sums to 1, and a weight is exactly 0 where the
        mask is False.
        Differentiable in q, k and v.

    Source: Vaswani et al. (2017), equation 1.
    """
    ### BEGIN SOLUTION
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(-1)
    return weights @ v, weights
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_attention", "points": 4}
check.attention(attention)

# %% [markdown]
# A causal layer must not leak: whatever happens at position 4 and later, outputs 0 to 3 stay the
# same numbers. This is what allows training on all positions at once, and, later, the KV cache.

# %% tags=["show"]
generator = torch.Generator().manual_seed(1)
x = torch.randn(6, 8, dtype=torch.float64, generator=generator)
changed = x.clone()
changed[4:] = 100.0
before, _ = attention(x, x, x, causal_mask(6))
after, _ = attention(changed, changed, changed, causal_mask(6))
for i, change in enumerate((after - before).abs().amax(-1).tolist()):
    print(f"output {i} changed by at most {change:.1e}")

# %% [markdown]
# ## 2. Many heads
#
# One softmax has one opinion: a token that wants to know both its verb and its neighbour gets a
# blend. So a layer has $H$ heads, each with its own small queries, keys and values, which look at
# different places at the same time. Their outputs are put side by side, and **one** matrix $W^O$
# mixes them:
#
# $$ \text{MHA}(x) = \bigl[\,\text{head}^1 \mid \text{head}^2 \mid \dots \mid
# \text{head}^H\,\bigr]\; W^O . $$
#
# The slides show this in a picture only, and write the $W^O$ of a single head.
#
# **Convention.** The projections of all heads are stored in one matrix, and **head $h$ owns the
# contiguous columns** $hd, \dots, hd + d - 1$ of $W^Q$, $W^K$, $W^V$ (and the rows of $W^O$ with
# the same numbers). One multiplication makes all queries, `[B, T, H·d]`; then they are split into
# `[B, H, T, d]`, so that `attention` works on all heads at once.
#
# `view` alone cannot do that: it never moves a number in memory. With $T = 3$ tokens and $H = 2$
# heads of width 2, where the entry "12" is column 2 of token 1:

# %% tags=["show"]
x = torch.tensor([[[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]])  # [B=1, T=3, 4]
print("what head 0 gets from x.view(B, H, T, d):", x.view(1, 2, 3, 2)[0, 0].tolist())
print("what it should get:                      ", x[0, :, :2].tolist())

# %% [markdown]
# The first line has *no error and the right shape*, and hands columns 2 and 3 of token 0 to a head
# that they do not belong to, as if they were another token.
#
# ### Exercise: `split_heads` (1 point, 5 minutes, ★)
#
# Cut the columns into heads first, then bring the heads before the tokens.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "split_heads"}
def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """Cut the columns of x into heads.

    Args:
        x: [B, T, H * d], any dtype.
        n_heads: H, the number of heads; it divides the last dimension.

    Returns:
        [B, H, T, d]: head h of token t is x[:, t, h * d : (h + 1) * d].
    """
    ### BEGIN SOLUTION
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_split_heads", "points": 1}
check.split_heads(split_heads)

# %% [markdown]
# ### Exercise: `merge_heads` (1 point, 5 minutes, ★)
#
# The way back. After a `transpose` the numbers do not lie in memory in the order of their indices;
# `view` then refuses to work, while `reshape`, `flatten` and `contiguous().view` copy.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "merge_heads"}
def merge_heads(x: Tensor) -> Tensor:
    """Put the heads side by side again, the inverse of `split_heads`.

    Args:
        x: [B, H, T, d], any dtype, contiguous or not.

    Returns:
        [B, T, H * d]: columns h * d to (h + 1) * d - 1 are head h.
    """
    ### BEGIN SOLUTION
    return x.transpose(1, 2).flatten(2)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_merge_heads", "points": 1}
check.merge_heads(merge_heads)

# %% [markdown]
# ### Exercise: `multi_head_attention` (5 points, 20 minutes, ★★)
#
# Project, split, attend, merge, mix. The slides have no biases; GPT-2 has one for each of the four
# projections, so they are optional arguments: `x @ Wq + bq`. Keys may be narrower or wider than
# values, and $H d_k$ need not be the width of the model; scores are divided by $\sqrt{d_k}$, with
# $d_k$ the width of **one head**. (Hand each head to `attention`, and this takes care of itself.)


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "multi_head_attention"}
def multi_head_attention(
    x: Tensor,
    Wq: Tensor,
    Wk: Tensor,
    Wv: Tensor,
    Wo: Tensor,
    n_heads: int,
    mask: Tensor | None = None,
    bq: Tensor | None = None,
    bk: Tensor | None = None,
    bv: Tensor | None = None,
    bo: Tensor | None = None,
) -> Tensor:
    """Self-attention with several heads; rows are tokens, a projection is x @ W (+ b).

    Args:
        x: tokens [B, T, d_model].
        Wq, Wk: [d_model, H * d_k]; head h owns the columns from h * d_k on.
        Wv: [d_model, H * d_v].
        Wo: [H * d_v, d_out], applied once to all heads side by side.
        n_heads: H.
        mask: None, or bool, broadcastable to [B, H, T, T], True where the row's token
            may attend to the column's. One per text is [B, 1, T, T], one per head
            [H, T, T].
        bq, bk: [H * d_k], bv: [H * d_v], bo: [d_out]; each may be None, and is then not
            added.

    Returns:
        [B, T, d_out], the dtype of x; differentiable in x, weights and biases.

    Source: Vaswani et al. (2017), section 3.2.2.
    """

    ### BEGIN SOLUTION
    def project(x, W, b):
        return x @ W if b is None else x @ W + b

    q = split_heads(project(x, Wq, bq), n_heads)
    k = split_heads(project(x, Wk, bk), n_heads)
    v = split_heads(project(x, Wv, bv), n_heads)
    out, _ = attention(q, k, v, mask)
    return project(merge_heads(out), Wo, bo)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_multi_head_attention", "points": 5}
check.multi_head_attention(multi_head_attention)

# %% [markdown]
# The same numbers as torch's own layer? It stores transposed matrices, all three projections in
# one, and its mask has the opposite sign.

# %% tags=["show"]
library = torch.nn.MultiheadAttention(12, 3, batch_first=True, dtype=torch.float64)
generator = torch.Generator().manual_seed(2)
for parameter in library.parameters():
    parameter.data.normal_(0, 0.5, generator=generator)
x = torch.randn(2, 5, 12, dtype=torch.float64, generator=generator)

Wq, Wk, Wv = (W.T for W in library.in_proj_weight.chunk(3))
bq, bk, bv = library.in_proj_bias.chunk(3)
Wo, bo = library.out_proj.weight.T, library.out_proj.bias
mine = multi_head_attention(x, Wq, Wk, Wv, Wo, 3, causal_mask(5), bq, bk, bv, bo)
theirs, _ = library(x, x, x, attn_mask=~causal_mask(5), need_weights=False)
difference = (mine - theirs).abs().max()
print(f"largest difference from torch.nn.MultiheadAttention: {difference:.1e}")

# %% tags=["show"]
predict(
    "One of the four biases of this layer could be deleted: whatever its values, the "
    "output does not change. Which one?",
    ["of the queries", "of the keys", "of the values", "of the output", "none of them"],
    answer=1,
    why="It adds q·b_k to every score of a row, the same number for every key, and the "
    "softmax does not see it. GPT-2 carries 9,216 such numbers in its smallest size. "
    "(The bias of the values is not idle, but as weights sum to 1 it could be moved "
    "into that of the output.)",
)

# %% tags=["show"]
given = {"bq": bq, "bk": bk, "bv": bv, "bo": bo}
for name in given:
    others = {**given, name: None}
    change = multi_head_attention(x, Wq, Wk, Wv, Wo, 3, causal_mask(5), **others) - mine
    print(f"without {name} the output changes by at most {change.abs().max():.1e}")

# %% [markdown]
# ## 3. A slide to put right
#
# A slide says, with an exclamation mark: *self-attention is permutation-invariant*. Write $f$ for a
# layer and $Px$ for the same tokens in another order, $(Px)_i = x_{\pi(i)}$. Two statements must be
# kept apart:
#
# - **invariant:** $f(Px) = f(x)$. Whatever the order, the output is the same.
# - **equivariant:** $f(Px) = P f(x)$. Put the tokens in another order, and the outputs come in that
#   order, too.
#
# The average of all tokens is invariant. What is attention? Do not believe a slide; measure.
#
# ### Exercise: `is_equivariant_report` (2 points, 15 minutes, ★★)
#
# Take a layer and a permutation, choose an input yourself, and report both properties. The choice
# matters: an input whose tokens are all equal would "prove" anything, and with huge entries every
# softmax picks a single token, which is a special case. Draw every entry at random, of order 1, from
# a generator of your own. In code, $Px$ is `x[:, perm]`.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "is_equivariant_report"}
def is_equivariant_report(
    attn: Callable[[Tensor], Tensor], perm: Tensor, d_model: int = 8
) -> dict[str, bool]:
    """Test a layer for invariance and equivariance under one permutation of the tokens.

    Args:
        attn: the layer; takes float64 tokens [B, T, d_model] and returns
            [B, T, d_out]. Deterministic.
        perm: [T], torch.long, the numbers 0..T-1 in some order; token i of Px is token
            perm[i] of x. Not always its own inverse.
        d_model: width of the tokens that `attn` takes.

    Returns:
        {"invariant": attn(Px) == attn(x), "equivariant": attn(Px) == P attn(x)}, two
        Python bools, judged on a random input x of order 1. Two outputs are equal here
        if no two entries differ by more than 1e-9 times the largest absolute entry of
        attn(x).
    """
    ### BEGIN SOLUTION
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, len(perm), d_model, dtype=torch.float64, generator=generator)
    x = x.to(perm.device)
    straight, permuted = attn(x), attn(x[:, perm])
    tolerance = 1e-9 * straight.abs().max()

    def same(a, b):
        return bool((a - b).abs().max() <= tolerance)

    return {
        "invariant": same(permuted, straight),
        "equivariant": same(permuted, straight[:, perm]),
    }
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_is_equivariant_report", "points": 2}
check.is_equivariant_report(is_equivariant_report)

# %% tags=["show"]
predict(
    "Your multi-head attention on five tokens, once without a mask, once with the "
    "causal mask. What will the report say?",
    [
        "invariant, then neither",
        "equivariant, then neither",
        "equivariant both times",
        "invariant both times",
    ],
    answer=1,
    why="Without a mask each token sees the same set of keys and values wherever it "
    "stands, so its output moves along with it. The causal mask treats the first "
    "position and the last one differently, and both properties are gone.",
)

# %% tags=["show"]
generator = torch.Generator().manual_seed(3)
Wq, Wk, Wv, Wo = (torch.randn(8, 8, dtype=torch.float64, generator=generator) for _ in range(4))
perm = torch.tensor([3, 0, 4, 1, 2])


def layer(mask):
    """A layer with two heads and these weights."""
    return lambda x: multi_head_attention(x, Wq, Wk, Wv, Wo, 2, mask)


reports = {
    "attention, no mask": is_equivariant_report(layer(None), perm),
    "attention, causal mask": is_equivariant_report(layer(causal_mask(5)), perm),
    "attention, then the mean of all tokens": is_equivariant_report(
        lambda x: layer(None)(x).mean(1, keepdim=True).expand(-1, 5, -1), perm
    ),
}
for name, report in reports.items():
    print(f"{name:40} {report}")

# %% [markdown]
# ### Written answer (4 points)
#
# (1) Prove that self-attention without a mask is permutation-equivariant: start from the matrix
# form $f(x) = \mathrm{softmax}\bigl(x W^Q (x W^K)^\top / \sqrt{d_k}\bigr)\, x W^V$ and a permutation
# matrix $P$, and name the property of the softmax over rows that you use. (2) Give the step of your
# proof that fails with the causal mask, and an example of two tokens that shows that the layer is
# then neither equivariant nor invariant. (3) The slide's slogan has a true core: which function
# *of the output* of such a layer is invariant, and why? (4) A GPT without position embeddings still
# has its causal mask. Can it tell "dog bites man" from "man bites dog" when it predicts the next
# word? One layer or several: say what the last position can know.

# %% [markdown] nbgrader={"schema_version": 3, "solution": true, "grade": true, "locked": false, "task": false, "grade_id": "written_equivariance", "points": 4}
# **Model answer.** (1) Put $Px$ in: the scores become $P S P^\top$ with
# $S = xW^Q(xW^K)^\top/\sqrt{d_k}$. The softmax works on each row by itself, and the order of the
# entries within a row does not matter to their sum; so
# $\mathrm{softmax}(PSP^\top) = P\,\mathrm{softmax}(S)\,P^\top$. Hence
# $f(Px) = P\,\mathrm{softmax}(S)\,P^\top P\,xW^V = P f(x)$, since $P^\top P = I$.
#
# (2) With a mask $M$ (0 or $-\infty$) the scores are $PSP^\top + M$, and this is
# $P(S + M)P^\top$ only if $P^\top M P = M$. The causal $M$ is triangular and not symmetric under
# any exchange of two positions. Two tokens $a \ne b$ (with different values): on $(a, b)$ the
# outputs are $v_a$ and a mixture of $v_a$ and $v_b$ in which both weights are positive; on $(b, a)$
# they are $v_b$ and such a mixture. Invariance would need $v_b = v_a$ in the first row,
# equivariance would need that the first row be the mixture.
#
# (3) The sum or the mean (or the maximum) over the positions of the output: $f(Px)$ has the same
# rows as $f(x)$ in another order, and such a function does not depend on the order of the rows. A
# classifier that pools over all tokens of an unmasked encoder without positions is invariant.
#
# (4) In one layer the last position computes a weighted sum over the *set* of the earlier
# (token, value) pairs, with its own query: the last word counts, the order of the words before it
# does not. "Dog bites man" and "man bites dog" have different last words, so they give different
# predictions, but "dog man bites" and "man dog bites" do not. From the second layer on, keys and
# values of earlier positions already depend on their own prefixes (the first has seen one token,
# the second two), so several layers can tell the orders apart.
#
# **Rubric.** 1 point: the proof, with $\mathrm{softmax}(PSP^\top) = P\,\mathrm{softmax}(S)P^\top$
# and $P^\top P = I$. 1 point: the mask does not commute with $P$, and a valid example against both
# properties. 1 point: pooling over positions, with the reason. 1 point: one layer sees a set of
# earlier tokens, apart from the last one, while deeper layers see prefixes; half of it for "yes,
# because of the mask" alone.

# %% [markdown]
# ## 4. The rest of the block
#
# Attention moves information between positions. What follows works on each position by itself.
#
# ### Layer normalisation
#
# $$ \mathrm{LN}(x) = \gamma \odot \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta, \qquad
# \mu = \frac1d \sum_{i=1}^d x_i, \qquad \sigma^2 = \frac1d \sum_{i=1}^d (x_i - \mu)^2 . $$
#
# **Conventions.** Mean and variance are taken over the $d$ features of one token, never over the
# batch or over time. The variance is divided by $d$, not by $d - 1$ (torch's `var` and `std` divide
# by $d - 1$ unless they are told not to). The slide divides by $\sigma$ alone; every
# implementation has an $\varepsilon$, **inside the root**, usually $10^{-5}$. What is it for?

# %% tags=["show"]
predict(
    "A token is almost constant: (1, 1, 1, 1.0001). What does layer normalisation make "
    "of its first entry, on the slide and in torch?",
    [
        "about -0.58 both times",
        "about -0.58 on the slide, about -0.008 in torch",
        "about -0.008 on the slide, about -0.58 in torch",
    ],
    answer=1,
    why="Its standard deviation is 4.3e-5, far below the root of epsilon, 3.2e-3. On "
    "the slide every token comes out with variance 1, even if its differences are rounding "
    "noise; epsilon says below which size differences do not count.",
)

# %% tags=["show"]
x = torch.tensor([1.0, 1.0, 1.0, 1.0001], dtype=torch.float64)
centred, variance = x - x.mean(), x.var(correction=0)
print("slide, no epsilon:         ", (centred / variance.sqrt()).numpy().round(4))
inside = centred / (variance + 1e-5).sqrt()
outside = centred / (variance.sqrt() + 1e-5)
print("epsilon inside the root:   ", inside.numpy().round(4))
print("epsilon outside the root:  ", outside.numpy().round(4))

# %% [markdown]
# ### Exercise: `layer_norm` (3 points, 10 minutes, ★)
#
# Without `F.layer_norm`. Center first and square afterwards: $\overline{x^2} - \mu^2$ is the same
# on paper, and in float32 it destroys a token with a large mean.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "layer_norm"}
def layer_norm(x: Tensor, gamma: Tensor, beta: Tensor, eps: float = 1e-5) -> Tensor:
    """Normalise each token over its features.

    Args:
        x: [..., d], floating point; not changed.
        gamma: scale [d].
        beta: shift [d].
        eps: added to the variance, inside the square root.

    Returns:
        (x - mean) / sqrt(var + eps) * gamma + beta, of the shape and dtype of x: mean
        and variance (divided by d) over the last dimension. Differentiable.

    Source: Ba, Kiros, Hinton (2016).
    """
    ### BEGIN SOLUTION
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred**2).mean(-1, keepdim=True)
    return centred / (variance + eps).sqrt() * gamma + beta
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_layer_norm", "points": 3}
check.layer_norm(layer_norm)

# %% [markdown]
# ### The feed-forward network
#
# $$ \mathrm{FFN}(x) = \mathrm{ReLU}(x W_1 + b_1)\, W_2 + b_2, \qquad
# W_1 \in \mathbb R^{d \times d_{\mathrm{ff}}}, \quad
# W_2 \in \mathbb R^{d_{\mathrm{ff}} \times d} . $$
#
# Two thirds of a block's weights sit here, usually with $d_{\mathrm{ff}} = 4d$. One way to read it:
# each column of $W_1$ is a pattern, and where it fits, the row of $W_2$ with the same number is
# added to the token. There is no activation after the second layer: what is added to the token may
# well be negative. (A later slide, on mixtures of experts, writes the same thing with columns,
# $W_2\,\phi(W_1 h + b_1) + b_2$, and leaves $\phi$ open; GPT-2 as published has GELU in the place
# of ReLU.)
#
# Worked example: $x = (1, 2)$, $W_1 = \begin{pmatrix} 1 & -1 & 0 \\ 1 & 0 & 1 \end{pmatrix}$,
# $b_1 = (0, 0, -3)$ give $(3, -1, -1)$, after ReLU $(3, 0, 0)$. With the first row of $W_2$ equal to
# $(-2, 1)$ and $b_2 = (1, 1)$ the output is $(-5, 4)$.
#
# ### Exercise: `feed_forward` (2 points, 5 minutes, ★)
#
# Each token by itself, whatever stands before the last dimension.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "feed_forward"}
def feed_forward(x: Tensor, W1: Tensor, b1: Tensor, W2: Tensor, b2: Tensor) -> Tensor:
    """The two-layer network with ReLU, on each token by itself.

    Args:
        x: [..., d]; not changed.
        W1: [d, d_ff], b1: [d_ff].
        W2: [d_ff, d_out], b2: [d_out].

    Returns:
        [..., d_out], the dtype of x; differentiable.
    """
    ### BEGIN SOLUTION
    return torch.relu(x @ W1 + b1) @ W2 + b2
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_feed_forward", "points": 2}
check.feed_forward(feed_forward)

# %% [markdown]
# ### The block
#
# The slides' block, in which each part *adds* something to the token and the token itself passes
# through untouched, the **residual connection**:
#
# $$ t^1 = \mathrm{LN}_1(x), \quad t^2 = \mathrm{MHA}(t^1), \quad t^3 = t^2 + x, \quad
# t^4 = \mathrm{LN}_2(t^3), \quad t^5 = \mathrm{FFN}(t^4), \quad h = t^5 + t^3 . $$
#
# The normalisation comes *before* each part (**pre-norm**); in the first Transformer (2017) it came
# after the sum, $\mathrm{LN}(x + \mathrm{MHA}(x))$, **post-norm**. Three traps: the residual starts
# from $x$, not from the normalised $t^1$; the second residual starts from $t^3$; and the two
# normalisations have their own $\gamma$ and $\beta$. The slide lists all $N$ tokens as the second
# argument of the attention; in a language model it is $j \le i$, the causal mask.
#
# A block's weights are a dictionary:
#
# | keys | shapes |
# | --- | --- |
# | `ln1_gamma`, `ln1_beta`, `ln2_gamma`, `ln2_beta` | `[d_model]` |
# | `Wq`, `Wk`, `Wv` and `bq`, `bk`, `bv` | `[d_model, H·d]` and `[H·d]` |
# | `Wo`, `bo` | `[H·d, d_model]`, `[d_model]` |
# | `W1`, `b1`, `W2`, `b2` | `[d_model, d_ff]`, `[d_ff]`, `[d_ff, d_model]`, `[d_model]` |
#
# ### Exercise: `transformer_block` (4 points, 15 minutes, ★★)
#
# Put the slide's six lines into code with your own functions. Nothing may be added to `x` in
# place: it belongs to the caller.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "transformer_block"}
def transformer_block(x: Tensor, params: dict[str, Tensor], n_heads: int) -> Tensor:
    """One causal pre-norm block with learned biases, as in GPT-2 but with ReLU.

    Args:
        x: tokens [B, T, d_model]; not changed.
        params: the weights of the table above, not changed. H * d need not be d_model.
        n_heads: H.

    Returns:
        h [B, T, d_model], the dtype of x: t3 + FFN(LN2(t3)) with t3 = x + MHA(LN1(x)),
        causal mask, eps = 1e-5 in both normalisations. Differentiable in x.
    """
    ### BEGIN SOLUTION
    p = params
    t1 = layer_norm(x, p["ln1_gamma"], p["ln1_beta"])
    mask = causal_mask(x.shape[1], x.device)
    t2 = multi_head_attention(
        t1, p["Wq"], p["Wk"], p["Wv"], p["Wo"], n_heads, mask,
        p["bq"], p["bk"], p["bv"], p["bo"],
    )  # fmt: skip
    t3 = x + t2
    t4 = layer_norm(t3, p["ln2_gamma"], p["ln2_beta"])
    return t3 + feed_forward(t4, p["W1"], p["b1"], p["W2"], p["b2"])
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_transformer_block", "points": 4}
check.transformer_block(transformer_block)

# %% [markdown]
# What are the residual connections for, and does it matter where the normalisation stands? Take 24
# blocks with random weights, send a signal through, and measure two things, without any training:
# how much of the gradient comes back to the input of each block, and how large the tokens grow.
#
# **The plot in words.** Left, the norm of the gradient at the input of each of 24 blocks, on a
# logarithmic axis: with residual connections it stays of the same order down to the first block
# (with pre-norm it grows fourfold, with post-norm it keeps three quarters); without them it falls
# below a hundredth. Right, the standard deviation of the tokens: with post-norm it is always 1,
# without residual connections a little less, with pre-norm it grows like the root of the depth,
# because every block adds to a sum that is never normalised.


# %% tags=["show"]
def random_block(d, n_ff, generator):
    """Weights of one block [d_model = d], in float64."""

    def weight(rows, columns):
        W = torch.randn(rows, columns, dtype=torch.float64, generator=generator)
        return W / math.sqrt(rows)

    params = {name: weight(d, d) for name in ("Wq", "Wk", "Wv", "Wo")}
    params |= {"W1": weight(d, n_ff), "W2": weight(n_ff, d)}
    zeros = {"bq": d, "bk": d, "bv": d, "bo": d, "b1": n_ff, "b2": d}
    params |= {name: torch.zeros(n, dtype=torch.float64) for name, n in zeros.items()}
    for name in ("ln1", "ln2"):
        params[f"{name}_gamma"] = torch.ones(d, dtype=torch.float64)
        params[f"{name}_beta"] = torch.zeros(d, dtype=torch.float64)
    return params


def parts(p, n_heads):
    """Attention, FFN and normalisation of a random block, as functions of x."""

    def weights(*names):
        return [p[name] for name in names]

    def attend(x):
        four = weights("Wq", "Wk", "Wv", "Wo")
        return multi_head_attention(x, *four, n_heads, causal_mask(x.shape[1]))

    return (
        attend,
        lambda x: feed_forward(x, *weights("W1", "b1", "W2", "b2")),
        lambda x: layer_norm(x, *weights("ln1_gamma", "ln1_beta")),
    )


def post_norm(x, p, n_heads):
    """The block of 2017."""
    attend, ffn, norm = parts(p, n_heads)
    x = norm(x + attend(x))
    return norm(x + ffn(x))


def no_residual(x, p, n_heads):
    """Pre-norm without the two sums."""
    attend, ffn, norm = parts(p, n_heads)
    return ffn(norm(attend(norm(x))))


generator = torch.Generator().manual_seed(4)
blocks = [random_block(32, 128, generator) for _ in range(24)]
start, direction = torch.randn(2, 1, 16, 32, dtype=torch.float64, generator=generator)
designs = {
    "pre-norm": transformer_block, "post-norm": post_norm, "no residual": no_residual
}  # fmt: skip

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for (label, block), marker in zip(designs.items(), "osv", strict=True):
    states = [start.clone().requires_grad_()]
    for p in blocks:
        states.append(block(states[-1], p, 4))
    grads = torch.autograd.grad((states[-1] * direction).sum(), states)
    norms = torch.stack([grad.norm() for grad in grads])
    left.plot(norms[:-1] / norms[-1], marker=marker, markersize=4, label=label)
    right.plot([state.std().item() for state in states], marker=marker, markersize=4)
left.set_yscale("log")
left.set(title="Gradient, 24 blocks at initialisation", xlabel="block (0 is the first)")
left.set(ylabel="norm at the block's input, output = 1")
left.legend()
right.set(title="Size of the tokens", xlabel="blocks passed", ylabel="standard deviation")
plt.show()

# %% [markdown]
# So what is wrong with post-norm? Nothing at this point. But its path from the last block to the
# first leads through 48 normalisations, while pre-norm leaves it free; deep post-norm models train
# only with a careful warm-up of the learning rate (Xiong et al., 2020). The price of pre-norm is
# on the right: before the head, somebody has to normalise the sum.

# %% [markdown]
# ## 5. How many parameters?
#
# Count one block of width $d$ with $d_{\mathrm{ff}} = 4d$: four projections with biases,
# $4d^2 + 4d$; the feed-forward network, $8d^2 + 5d$; two normalisations, $4d$. Together
# $12 d^2 + 13 d$. Around the blocks stand the token table ($V d$), the table of learned positions
# ($P d$), and the final normalisation ($2d$). The head that turns vectors into logits is a $d \times
# V$ matrix without bias, and in GPT-2 it is **tied**: it *is* the token table, transposed, and is
# counted once.
#
# ### Exercise: `count_parameters` (2 points, 10 minutes, ★)
#
# The names are those of `GPT2Config` in `transformers`. Mind what does *not* enter: the number of
# heads cuts the projections into pieces, it does not make them larger.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "count_parameters"}
def count_parameters(cfg: dict) -> int:
    """Number of trainable parameters of a GPT-2 language model.

    Args:
        cfg: "vocab_size" (V), "n_positions" (P), "n_embd" (d), "n_layer", "n_head",
            "n_inner" (d_ff; None means 4 * d) and "tie_word_embeddings" (bool: the head
            is the token table; if False it is a matrix of its own, without bias). The
            queries of all heads side by side are as wide as the model, and so are keys and
            values: H * d_head = d. Not changed.

    Returns:
        The exact number, an int: token and position tables, all weights and biases of
        all blocks, the final layer normalisation and the head.
    """
    ### BEGIN SOLUTION
    d, V = cfg["n_embd"], cfg["vocab_size"]
    d_ff = 4 * d if cfg["n_inner"] is None else cfg["n_inner"]
    attention = 4 * d * d + 4 * d
    ffn = 2 * d * d_ff + d_ff + d
    norms = 4 * d
    head = 0 if cfg["tie_word_embeddings"] else V * d
    tables = (V + cfg["n_positions"]) * d
    return tables + cfg["n_layer"] * (attention + ffn + norms) + 2 * d + head
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_count_parameters", "points": 2}
check.count_parameters(count_parameters)

# %% [markdown]
# The four sizes of GPT-2, and where the parameters are. **The plot in words.** One bar per model;
# the share of the embeddings falls from nearly a third in the smallest to a twentieth in the
# largest, and the feed-forward networks always hold twice as much as attention.

# %% tags=["show"]
V, P = 50257, 1024
COMMON = {
    "vocab_size": V,
    "n_positions": P,
    "n_inner": None,
    "tie_word_embeddings": True,
}
SIZES = {
    "small": (768, 12, 12), "medium": (1024, 24, 16),
    "large": (1280, 36, 20), "XL": (1600, 48, 25),
}  # fmt: skip
shares = []
for name, (d, n, heads) in SIZES.items():
    total = count_parameters(COMMON | {"n_embd": d, "n_layer": n, "n_head": heads})
    shares.append([(V + P) * d / total, n * 4 * d * d / total, n * 8 * d * d / total])
    print(f"GPT-2 {name:6} {total:13,} parameters")

fig, ax = style.figure("Where the parameters of GPT-2 are", "model", "share of all parameters")
bottom = torch.zeros(4)
kinds = ("embeddings", "attention", "feed-forward"), ("", "//", "..")
for label, hatch, share in zip(*kinds, torch.tensor(shares).T, strict=True):
    ax.bar(list(SIZES), share, bottom=bottom, label=label, hatch=hatch, edgecolor="white")
    bottom = bottom + share
ax.set_ylim(0, 1.35)
ax.set_yticks([0, 0.25, 0.5, 0.75, 1])
ax.legend(ncols=3, loc="upper center")
plt.show()

# %% [markdown]
# (The paper of 2019 calls them 117M, 345M, 762M and 1542M; they were miscounted there,
# and the names of the published files have been corrected since: 124M, 355M, 774M, 1558M. Your
# function agrees with the files.)
#
# ## 6. From vectors to words
#
# After the last block each position holds a vector $h_i$ of width $d$. A **final layer
# normalisation** (the slides leave it out, GPT-2 has it) and the unembedding matrix
# $W_U \in \mathbb R^{d \times V}$ turn it into one logit per word of the vocabulary:
# $\ell_i = h_i W_U$, and the softmax of $\ell_i$ is the distribution of token $i + 1$. The slide
# draws the head on the last vector $h_N$ only. That is enough for writing; in training *every*
# position predicts its next token, so the head is applied to all of them.
#
# ### Exercise: `lm_logits` (2 points, 5 minutes, ★)
#
# The final normalisation belongs to the model and has been applied already. Return logits, not
# probabilities: losses and samplers want them raw.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "lm_logits"}
def lm_logits(h: Tensor, W_U: Tensor) -> Tensor:
    """Logits of the next token at every position.

    Args:
        h: [..., d], after the final layer normalisation; not changed.
        W_U: unembedding [d, V]; often a transposed view of the token table.

    Returns:
        [..., V] unnormalised logits, the dtype of h; differentiable in h and W_U.
    """
    ### BEGIN SOLUTION
    return h @ W_U
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_lm_logits", "points": 2}
check.lm_logits(lm_logits)

# %% [markdown]
# ### The last real position
#
# Texts of different lengths go through a model together, so the short ones are padded, on the right
# or on the left, and an `attention_mask` (1 real, 0 padding) says which tokens count. The next word
# after a text must not depend on how it was padded. Both sides have a trap:
#
# | tokens | mask | trap |
# | --- | --- | --- |
# | `the cat sat` ` · ` ` · ` | `1 1 1 0 0` | `logits[:, -1]` is the prediction after two pads |
# | ` · ` ` · ` `the cat sat` | `0 0 1 1 1` | the words see the pads, and stand at positions 2, 3, 4 |
#
# ### Exercise: `next_token_distribution` (3 points, 20 minutes, ★★)
#
# The model here is as plain as your decoder below: it takes ids and nothing else, counts positions
# from 0 at the first id it is given, and knows nothing of padding. But it is causal, and that is
# all you need: *what stands behind a token cannot change its logits.* So bring the real tokens of
# each row to the front, or run the rows one by one. Then take the logits at the last real position
# and normalise them.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "next_token_distribution"}
def next_token_distribution(
    model: Callable[[Tensor], Tensor], input_ids: Tensor, attention_mask: Tensor
) -> Tensor:
    """Probabilities of the token after each row's last real one.

    Args:
        model: a causal language model, called as model(ids) with ids [b, t],
            torch.long, in 0..V-1; gives logits [b, t, V], or an object that holds them
            as `.logits`, like the models of transformers. Its position 0 is the first
            id it is given. It takes no mask.
        input_ids: [B, T], torch.long; not changed. Padding holds ordinary ids, which
            real tokens may have, too.
        attention_mask: [B, T], bool, integer or floating: 1 (True) at real tokens,
            0 at padding, which stands on the left, on the right or on both sides of
            them. Every row has at least one real token; lengths and sides may differ
            from row to row.

    Returns:
        [B, V] probabilities in the dtype of the logits; each row is what the model says
        after the row's real tokens alone.
    """
    ### BEGIN SOLUTION
    real = attention_mask.bool()
    # A stable sort brings the real tokens to the front and keeps their order.
    front = (~real).to(torch.int8).argsort(dim=1, stable=True)
    out = model(input_ids.gather(1, front))
    logits = getattr(out, "logits", out)
    rows = torch.arange(len(input_ids), device=input_ids.device)
    return logits[rows, real.sum(1) - 1].softmax(-1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_next_token_distribution", "points": 3}
check.next_token_distribution(next_token_distribution)

# %% [markdown]
# ## 7. A decoder
#
# All parts are there. A GPT-2 is
#
# $$ x = \mathrm{wte}[\text{ids}] + \mathrm{wpe}[\text{positions}] \;\to\; \text{block}_1 \to \dots
# \to \text{block}_L \;\to\; \mathrm{LN}_f \;\to\; \text{logits} = h\, W_U, \qquad
# W_U = \mathrm{wte}^\top \text{ if tied.} $$
#
# Its weights are a dictionary: `wte` `[V, d_model]`, `wpe` `[P, d_model]`, `blocks` (a list of
# dictionaries as in section 4), `lnf_gamma`, `lnf_beta` `[d_model]`, and, only if the head is *not*
# tied, `W_U` `[d_model, V]`. The cell below makes such a dictionary from the weights of a
# `GPT2LMHeadModel`.


# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "from_gpt2"}
def from_gpt2(state: dict[str, Tensor]) -> dict:
    """The weights of a GPT2LMHeadModel, from its state_dict, as `TinyDecoder` wants."""

    def block(prefix: str) -> dict[str, Tensor]:
        W = state[f"{prefix}.attn.c_attn.weight"].chunk(3, dim=1)
        b = state[f"{prefix}.attn.c_attn.bias"].chunk(3)
        parts = {f"W{name}": each for name, each in zip("qkv", W, strict=True)}
        parts |= {f"b{name}": each for name, each in zip("qkv", b, strict=True)}
        names = {"Wo": "attn.c_proj.weight", "bo": "attn.c_proj.bias"}
        names |= {"W1": "mlp.c_fc.weight", "b1": "mlp.c_fc.bias"}
        names |= {"W2": "mlp.c_proj.weight", "b2": "mlp.c_proj.bias"}
        for i in "12":
            names |= {f"ln{i}_gamma": f"ln_{i}.weight", f"ln{i}_beta": f"ln_{i}.bias"}
        return parts | {ours: state[f"{prefix}.{theirs}"] for ours, theirs in names.items()}

    n_layer = sum(name.endswith("ln_1.weight") for name in state)
    params = {
        "wte": state["transformer.wte.weight"],
        "wpe": state["transformer.wpe.weight"],
        "blocks": [block(f"transformer.h.{i}") for i in range(n_layer)],
        "lnf_gamma": state["transformer.ln_f.weight"],
        "lnf_beta": state["transformer.ln_f.bias"],
    }
    head = state.get("lm_head.weight", params["wte"])
    if not torch.equal(head, params["wte"]):
        params["W_U"] = head.T
    return params


# %% [markdown]
# ### Exercise: `TinyDecoder` (3 points, 35 minutes, ★★★)
#
# Write `forward`. Without a cache it is five lines with `transformer_block`.
#
# The cache is the reward of causality: keys and values of earlier tokens never change, so a
# decoder that writes one token at a time keeps them and feeds only the new token. `past_key_values`
# is a list with one pair `(k, v)` per block, both `[B, H, T_past, d]`; the empty list `[]` stands
# for "nothing yet". When it is given, `forward` also returns the longer list. In each block, new
# keys and values are appended along time (dimension 2), and the new queries attend to all of them.
# Two things work by luck while the cache is empty: the new tokens stand at **positions** $T_{past},
# T_{past} + 1, \dots$, and the **mask** has one row per new token and $T_{past} + T$ columns: the
# last $T$ rows of the causal mask of all of them. (`transformer_block` cannot see a cache, so here
# you write the block out once more, with `split_heads`, `attention` and `merge_heads`. A `forward`
# without a cache earns two fifths of the points. 05 · KV cache is about what this saves.)


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "TinyDecoder"}
class TinyDecoder:
    """A GPT-2 with ReLU, made of the functions above.

    Args of the constructor:
        params: "wte" [V, d_model], "wpe" [P, d_model], "blocks" (a list of one or more
            dictionaries as for `transformer_block`), "lnf_gamma" and "lnf_beta"
            [d_model]; "W_U" [d_model, V] if the head is not tied to "wte".
        n_heads: heads per block.
    """

    def __init__(self, params: dict, n_heads: int):
        self.params, self.n_heads = params, n_heads

    def __call__(
        self, input_ids: Tensor, past_key_values: list | None = None
    ) -> Tensor | tuple:
        return self.forward(input_ids, past_key_values)

    def forward(
        self,
        input_ids: Tensor,
        past_key_values: list[tuple[Tensor, Tensor]] | None = None,
    ) -> Tensor | tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Logits at every position of `input_ids`.

        Args:
            input_ids: [B, T], torch.long, T >= 1, the new tokens.
            past_key_values: None (no cache); or a list, [] or what `forward` returned
                for the T_past tokens before these: one (k, v) per block, the keys and
                values that attention uses (biases included), [B, H, T_past, d] each.
                Not changed. T_past + T <= P.

        Returns:
            logits [B, T, V] of the new positions, the dtype of the weights. If
            `past_key_values` is a list (also an empty one): the tuple (logits, new
            list), the new list with T_past + T positions.
            Positions count from T_past; every block is causal; eps = 1e-5.
        """
        ### BEGIN SOLUTION
        params, T = self.params, input_ids.shape[1]
        n_past = past_key_values[0][0].shape[2] if past_key_values else 0
        x = params["wte"][input_ids] + params["wpe"][n_past : n_past + T]
        mask = causal_mask(n_past + T, x.device)[n_past:]
        present = []
        for i, p in enumerate(params["blocks"]):
            t1 = layer_norm(x, p["ln1_gamma"], p["ln1_beta"])
            q, k, v = (
                split_heads(t1 @ p[f"W{name}"] + p[f"b{name}"], self.n_heads) for name in "qkv"
            )
            if past_key_values:
                k = torch.cat([past_key_values[i][0], k], dim=2)
                v = torch.cat([past_key_values[i][1], v], dim=2)
            present.append((k, v))
            x = x + merge_heads(attention(q, k, v, mask)[0]) @ p["Wo"] + p["bo"]
            t4 = layer_norm(x, p["ln2_gamma"], p["ln2_beta"])
            x = x + feed_forward(t4, p["W1"], p["b1"], p["W2"], p["b2"])
        h = layer_norm(x, params["lnf_gamma"], params["lnf_beta"])
        logits = lm_logits(h, params["W_U"] if "W_U" in params else params["wte"].T)
        return logits if past_key_values is None else (logits, present)
        ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_TinyDecoder", "points": 3}
check.TinyDecoder(TinyDecoder)

# %% [markdown]
# Now the examination: a `GPT2LMHeadModel` of the `transformers` library with random weights, in
# float64, and your decoder with the same weights.

# %% tags=["show"]
from transformers import GPT2Config, GPT2LMHeadModel

config = GPT2Config(
    vocab_size=97, n_positions=32, n_embd=24, n_layer=3, n_head=4, n_inner=40,
    activation_function="relu", bos_token_id=None, eos_token_id=None,
)  # fmt: skip
library = GPT2LMHeadModel(config).double().eval()
generator = torch.Generator().manual_seed(5)
for parameter in library.parameters():
    parameter.data.normal_(0, 0.3, generator=generator)

decoder = TinyDecoder(from_gpt2(library.state_dict()), n_heads=4)
ids = torch.randint(0, 97, (2, 20), generator=generator)
with torch.no_grad():
    difference = (decoder(ids) - library(ids).logits).abs().max()
    pieces, cache = [], []
    for piece in ids.split([5, 1, 1, 6, 7], dim=1):
        logits, cache = decoder(piece, cache)
        pieces.append(logits)
    cached = (torch.cat(pieces, dim=1) - library(ids).logits).abs().max()
counted = count_parameters(config.to_dict())
print(f"largest difference of the logits from transformers: {difference:.1e}")
print(f"the same, fed in five pieces through the cache:      {cached:.1e}")
print(f"parameters: {counted:,} counted, {library.num_parameters():,} there")

# %% [markdown]
# ## 8. It speaks
#
# The course ships a small GPT-2 with ReLU: 4 blocks of width 128 with 4 heads, 1.3 million
# parameters, trained on about 13,000 sentences from film and product reviews with a vocabulary of
# 4096 byte-pair tokens. Load its weights into *your* decoder. It knows two genres, which the first token
# names: `<movie>` and `<amazon>`.

# %% tags=["show"]
from safetensors.torch import load_file
from sft2rl.models import load_tokenizer
from sft2rl.textdata import DATA

file = load_file(DATA / "gpt2" / "model.safetensors")
weights = {name: W.float() for name, W in file.items()}
gpt2 = TinyDecoder(from_gpt2(weights), n_heads=4)
tokenizer = load_tokenizer()
numbers = sum(W.numel() for W in weights.values())
print(f"{numbers:,} numbers, tied head: {'W_U' not in gpt2.params}")


def tokens_of(text):
    """[1, T] ids of a text that begins with its genre, such as '<movie> a great'."""
    return tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids


def speak(opening, generator, temperature=0.7, max_new_tokens=30):
    """Continue a text, one token at a time through the cache, up to the end token."""
    new, ids, cache = tokens_of(opening), [], []
    for _ in range(max_new_tokens):
        logits, cache = gpt2(new, cache)
        probs = (logits[0, -1] / temperature).softmax(-1)
        new = torch.multinomial(probs, 1, generator=generator)[None]
        if new.item() == tokenizer.eos_token_id:
            break
        ids.append(new.item())
    return tokenizer.decode(ids)


# %% tags=["show"]
generator = torch.Generator().manual_seed(7)
for opening in (
    "<movie> a film",
    "<movie> the plot is",
    "<amazon> the battery",
    "<amazon> i",
):
    print(opening)
    for _ in range(3):
        print("    ..." + speak(opening, generator))

# %% [markdown]
# It has no plot and no facts, and it loses the thread after half a sentence. But it has never been
# told what a sentence is, or what a battery is for. Look at single predictions, with padding,
# through your `next_token_distribution`: the same words after two different genres.

# %% tags=["show"]
openings = [
    "<movie> the",
    "<amazon> the",
    "<movie> it is a very",
    "<amazon> it is a very",
]
batch = tokenizer(openings, add_special_tokens=False, padding=True, return_tensors="pt")
probs = next_token_distribution(gpt2, batch.input_ids, batch.attention_mask)
for opening, row in zip(openings, probs, strict=True):
    best = zip(*(each.tolist() for each in row.topk(6)), strict=True)
    words = [f"{tokenizer.decode([i]).strip()} {p:.2f}" for p, i in best]
    print(f"{opening:24} {', '.join(words)}")

# %% [markdown]
# Does it know about word order? Take 46 film sentences that it has never seen (invented for this
# course), compare the log-probability of each with that of its words in ten random orders, and
# count how often the true order wins.

# %% tags=["show"]
predict(
    "In how many of 100 comparisons does this small model prefer the true word order?",
    ["about 50: it only knows which words are frequent", "about 75", "more than 95"],
    answer=2,
    why="A model that cannot finish a sentence still knows that 'film the' is an "
    "unlikely start: it is enough to know which words are neighbours. With neither "
    "position embeddings nor a causal mask it could not know that.",
)

# %% tags=["show"]
import random

from sft2rl.textdata import load_fixture


@torch.no_grad()
def log_probability(text):
    """ln pi of a text after its genre, in nats."""
    ids = tokens_of(text)
    logps = gpt2(ids)[0, :-1].log_softmax(-1)
    return logps.gather(-1, ids[0, 1:, None]).sum().item()


rng = random.Random(0)
wins = total = 0
for snippet in load_fixture():
    if snippet.source != "movie":
        continue
    words = snippet.text.split()
    truth = log_probability("<movie> " + snippet.text)
    for _ in range(10):
        shuffled = rng.sample(words, len(words))
        if shuffled != words:
            wins += truth > log_probability("<movie> " + " ".join(shuffled))
            total += 1
print(f"the true order wins {wins} of {total} comparisons ({wins / total:.1%})")

# %% [markdown]
# ### Attention maps
#
# Your `attention` returns its weights, so we can look. The widget shows one head at a time for a
# sentence of your choice: row $i$ is the token that looks, column $j$ the token that is looked at,
# and a darker cell is a larger weight; point at a cell to read the number. **In words:** each map
# is a lower triangle (nothing looks into the future) whose rows sum to 1. Block 0, head 0 stays
# with the token itself; block 1, head 2 rests on the genre at the very start, as if it had nothing
# to do; block 2, head 1 has a liking for nouns. Nobody told them to.


# %% tags=["show"]
@torch.no_grad()
def attention_maps(text):
    """The tokens of a text, and the weights [L, H, T, T] of every head of the model."""
    ids, params = tokens_of(text), gpt2.params
    x, maps = params["wte"][ids] + params["wpe"][: ids.shape[1]], []
    for p in params["blocks"]:
        seen = layer_norm(x, *(p[f"ln1_{part}"] for part in ("gamma", "beta")))
        q, k, v = (split_heads(seen @ p[f"W{n}"] + p[f"b{n}"], 4) for n in "qkv")
        maps.append(attention(q, k, v, causal_mask(ids.shape[1]))[1][0])
        x = transformer_block(x, p, 4)
    return [tokenizer.decode([i]) for i in ids[0].tolist()], torch.stack(maps)


SENTENCE = "<movie> the actors try hard, but the script is a mess and the jokes are old."
attention_browser(attention_maps, SENTENCE)

# %% [markdown]
# All 16 heads at once, and one question to each: how much of its weight goes to the token just
# before, to the token itself, and to the first token? **The plot in words.** Left, block 2, head 1
# on this sentence: what follows *actors* looks at *actors*, and what follows *mess* looks at
# *mess*. Right, three bars per head, averaged over the 46 film sentences: the heads of block 0 look
# at the token itself more than at the one before, heads 1.2 and 2.3 leave 80 and 47 % of their
# weight on the first token, and no head gives more than about a quarter to the token before.

# %% tags=["show"]
measures = {"the token before": [], "itself": [], "the first token": []}
for snippet in load_fixture():
    if snippet.source == "movie":
        _, maps = attention_maps("<movie> " + snippet.text)
        measures["the token before"].append(maps.diagonal(-1, 2, 3)[..., 1:].mean(-1))
        measures["itself"].append(maps.diagonal(0, 2, 3)[..., 2:].mean(-1))
        measures["the first token"].append(maps[..., 2:, 0].mean(-1))
means = {name: torch.stack(each).mean(0).flatten() for name, each in measures.items()}
labels, maps = attention_maps(SENTENCE)

fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
left.imshow(maps[2, 1], cmap="cividis", vmin=0)
left.set(title="Block 2, head 1")
left.set(xlabel="token looked at", ylabel="token that looks")
left.set_xticks(range(len(labels)), labels, rotation=90)
left.set_yticks(range(len(labels)), labels)
left.grid(False)
heads = torch.arange(16)
for k, (name, values) in enumerate(means.items()):
    place, hatch = heads + 0.27 * (k - 1), ("", "//", "..")[k]
    right.bar(place, values, width=0.26, label=name, hatch=hatch, edgecolor="white")
right.set_xticks(heads, [f"{i // 4}.{i % 4}" for i in range(16)])
right.set(title="What each head looks at")
right.set(xlabel="block.head", ylabel="mean attention weight")
right.legend()
plt.show()

# %% [markdown]
# ## 9. Where the slides need care
#
# - **"Self-attention is permutation-invariant!"** It is *equivariant* without a mask, and neither
#   with the causal mask (section 3 and your written answer). Only after pooling over the positions
#   is anything invariant.
# - **Layer normalisation without $\varepsilon$** divides by zero on a constant token, and turns
#   rounding noise into signal on a nearly constant one. The variance is the biased one.
# - **$d_k$** is the width of one head's queries and keys; with $H$ heads it is not $d_{model}$.
# - **Several heads** are shown in a picture only: concatenate first, then one $W^O$.
# - **The block's second argument** lists all $N$ tokens, which is an encoder. In a language model
#   token $i$ sees $j \le i$, with the mask inside the softmax.
# - **No final normalisation** stands before the head on the slides. A pre-norm model needs it: what
#   leaves the last block is a sum that nobody has normalised.
# - **The head** is drawn on $h_N$ alone; training uses all positions. Whether it is tied to the
#   embedding is a choice (GPT-2: yes).
# - **Rows and columns.** The FFN slide multiplies from the right, a later one from the left, and
#   `nn.Linear` stores `[out, in]`. Look at the shapes before you copy weights.
#
# ## 10. What you have learnt
#
# - Attention is a weighted average of values; scale and mask come before the softmax, and the
#   weights sum to 1 over what may be seen.
# - Heads are contiguous slices, and `view` does not transpose.
# - Residual connections let the gradient through; a pre-norm sum grows, so the head needs a final
#   normalisation. Each normalisation has its own weights and an $\varepsilon$.
# - $12 d^2 + 13 d$ per block, and the embeddings.
# - Causality makes padding on the right harmless and a cache possible.
# - Everything together is a GPT: your hundred lines agree with the library, and they run a trained
#   model.
#
# **Further reading**
#
# - Vaswani et al. 2017, *Attention Is All You Need*, arXiv 1706.03762 (section 3; post-norm).
# - Ba, Kiros, Hinton 2016, *Layer Normalization*, arXiv 1607.06450.
# - Xiong et al. 2020, *On Layer Normalization in the Transformer Architecture*, arXiv 2002.04745
#   (pre-norm and post-norm, gradients at initialisation).
# - Radford et al. 2019, *Language Models are Unsupervised Multitask Learners* (GPT-2).
# - Press, Wolf 2017, *Using the Output Embedding to Improve Language Models*, arXiv 1608.05859
#   (the tied head).
# - Haviv et al. 2022, *Transformer Language Models without Positional Encodings Still Learn
#   Positional Information*, arXiv 2203.16634 (part 4 of your written answer).
# - Xiao et al. 2024, *Efficient Streaming Language Models with Attention Sinks*, arXiv 2309.17453
#   (why so much weight rests on the first token).
#
# **Next:** 03 · Rotary positions, where the position goes into the dot product itself.

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
# # 03 · Rotary positions
#
# Lecture I.C · about 120 minutes, 75 of them for the exercises · 13 points by machine, 4 by hand
#
# **You will be able to**
#
# - say exactly what self-attention does and does not know about the order of its tokens;
# - build the sinusoidal position table and explain why it is a clock with many hands;
# - define rotary position embeddings (RoPE), implement them, and prove that the score of a rotated
#   query and a rotated key depends on their distance only;
# - recognise the two memory layouts of RoPE in real code and convert the weights of a Llama model
#   from one to the other without changing a single logit.
#
# **You need** scaled dot-product attention and multi-head attention (`02_transformer`), the sine
# and cosine of a sum, and 2 x 2 rotation matrices.
#
# **Map** 02 · Transformer → **03 · Rotary positions** → 04 · Decoding

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "setup"}
import platform

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from sft2rl import style
from sft2rl.checks import rope as check
from sft2rl.widgets import predict
from sft2rl.widgets_rope import clock, rotation_dials

style.use()
torch.set_printoptions(precision=4, sci_mode=False, linewidth=100)
print(f"python {platform.python_version()} · torch {torch.__version__}")

# %% [markdown]
# ## 1. What attention does not know
#
# A dot product compares two vectors. It has no idea where they stood in the sentence. Before we add
# positions, let us see precisely what is missing, because the usual slogan is wrong.
#
# Write $f$ for a self-attention layer without a mask and without positions, $X$ for the matrix of
# token vectors, one row per token, and $P$ for a permutation of the rows. Two different statements
# are often mixed up:
#
# - **permutation-invariant**: $f(PX) = f(X)$. Shuffle the tokens and *nothing* changes.
# - **permutation-equivariant**: $f(PX) = P f(X)$. Shuffle the tokens and the outputs are shuffled
#   *along*.

# %% tags=["show"]
predict(
    "A self-attention layer has no mask and no positions. You feed it 'dog bites man', "
    "then 'man bites dog'. What happens to the output vector of the word 'dog'?",
    [
        "It is the same vector, now in the last row",
        "It changes, because its neighbours moved",
        "The first row stays the same vector, whichever word stands there",
    ],
    answer=0,
    why="Each token sees the same set of keys and values as before, so its output is "
    "the same; it only moves along with its token. That is equivariance. The third "
    "option would be invariance.",
)


# %% tags=["show"]
def plain_attention(x: Tensor, causal: bool = False) -> Tensor:
    """One head with queries = keys = values = x, [T, d] -> [T, d], no positions."""
    scores = x @ x.T / x.shape[-1] ** 0.5
    if causal:
        future = torch.ones_like(scores).triu(1).bool()
        scores = scores.masked_fill(future, float("-inf"))
    return scores.softmax(-1) @ x


generator = torch.Generator().manual_seed(0)
x = torch.randn(3, 4, dtype=torch.float64, generator=generator)
swap = torch.tensor([2, 1, 0])  # dog bites man -> man bites dog

for causal in (False, True):
    before, after = plain_attention(x, causal), plain_attention(x[swap], causal)
    print("with the causal mask" if causal else "without a mask")
    print("   invariant,   f(PX) = f(X)  :", torch.allclose(after, before))
    print("   equivariant, f(PX) = P f(X):", torch.allclose(after, before[swap]))

# %% [markdown]
# So attention without a mask is **equivariant**, not invariant; with a causal mask it is neither,
# because the mask itself tells the first token from the last: the first one sees a single key, the
# last one all of them. (A stack of causal layers can therefore learn some order without any
# position embedding. That is a real line of work, called NoPE.) What attention really lacks is a
# way to say that a key stands *three tokens back*. The two constructions of this notebook supply
# it.

# %% [markdown]
# ## 2. Sinusoidal positions: a clock with many hands
#
# A clock tells many moments apart with three hands of very different speeds. The sinusoidal table
# of Vaswani et al. (2017, Section 3.5) does the same with $d/2$ hands. For a position
# $p = 0, 1, \dots, L-1$ and a pair $i = 0, 1, \dots, d/2 - 1$,
#
# $$\omega_i = 10000^{-2i/d}, \qquad
# \mathrm{PE}(p)_{2i} = \sin(p\,\omega_i), \qquad \mathrm{PE}(p)_{2i+1} = \cos(p\,\omega_i),$$
#
# and the model receives $\tilde x_p = x_p + \mathrm{PE}(p)$. The conventions, spelt out:
#
# - positions start at **0**, pairs start at **0**, $d$ is even and is the width of the *whole*
#   model;
# - sine and cosine **alternate**: columns 0 and 1 belong to pair 0, columns 2 and 3 to pair 1.
#   (Some code bases put all sines first and all cosines after them. Same numbers, other order,
#   another table.)
# - the exponent of pair $i$ is $2i/d$. The numbers $2i$ are $0, 2, 4, \dots, d-2$, which is exactly
#   `torch.arange(0, d, 2)`. This range **already contains the factor 2**.
#
# A worked example with $d = 4$: there are two pairs, with $\omega_0 = 10000^{0} = 1$ and
# $\omega_1 = 10000^{-2/4} = 0.01$. Pair 0 turns by one radian per token, pair 1 a hundred times
# slower:
#
# | $p$ | $\sin p$ | $\cos p$ | $\sin 0.01p$ | $\cos 0.01p$ |
# | --- | --- | --- | --- | --- |
# | 0 | 0.0000 | 1.0000 | 0.0000 | 1.0000 |
# | 1 | 0.8415 | 0.5403 | 0.0100 | 1.0000 |
# | 2 | 0.9093 | -0.4161 | 0.0200 | 0.9998 |
# | 100 | -0.5064 | 0.8623 | 0.8415 | 0.5403 |
#
# Look at the last row: after a hundred tokens the slow hand stands where the fast one stood after
# one.

# %% [markdown]
# ### Exercise: `sinusoidal_pe` (3 points, 15 minutes, ★)
#
# Write the table for $L$ positions and width $d$, in float64 from the first operation to the last:
# a frequency that was rounded to float32 is off by about one part in $10^7$, and the position
# multiplies that error. No loop is needed: an outer product of positions and frequencies gives all
# angles at once.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "sinusoidal_pe"}
def sinusoidal_pe(L: int, d: int) -> Tensor:
    """The sinusoidal position table (Vaswani et al. 2017, Section 3.5).

    Args:
        L: number of positions, at least 1; the rows are positions 0, 1, ..., L - 1.
        d: width of the model, even and at least 2.

    Returns:
        [L, d], float64: entry (p, 2i) is sin(p * w_i) and entry (p, 2i + 1) is
        cos(p * w_i), with w_i = 10000^(-2i/d) in radians per position, 0 <= i < d/2.
    """
    ### BEGIN SOLUTION
    positions = torch.arange(L, dtype=torch.float64)
    frequencies = 10_000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    angles = positions[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_sinusoidal_pe", "points": 3}
check.sinusoidal_pe(sinusoidal_pe)

# %% [markdown]
# *Figure: the table as an image, one column of pixels per position, one row per dimension. The rows
# at the top (fast pairs) flicker from token to token; towards the bottom the waves grow longer
# until the slowest pairs look constant over these 128 positions.*

# %% tags=["show"]
fig, ax = style.figure("Sinusoidal positions, d = 64", "position p", "dimension")
image = ax.imshow(sinusoidal_pe(128, 64).T, aspect="auto", cmap="RdBu", vmin=-1, vmax=1)
ax.grid(False)
fig.colorbar(image, ax=ax, label="PE value (no unit)")
plt.show()

# %% [markdown]
# *Widget: each dial is one pair of your table, drawn as a hand with the coordinates (cos, sin).
# Drag the position. Which hands tell neighbours apart? Which tell page 1 from page 100? Find two
# positions that the fastest hand alone cannot tell apart (hint: 22/7 is close to pi, so 44 is close
# to 14 pi).*

# %% tags=["show"]
clock(sinusoidal_pe(1000, 8))

# %% [markdown]
# ### A shift is a rotation
#
# Why sine *and* cosine? Because together they make a shift by $k$ positions a fixed linear map. The
# sine and cosine of a sum give, for every pair and whatever $p$ is,
#
# $$\begin{pmatrix} \sin (p+k)\omega \\ \cos (p+k)\omega \end{pmatrix}
# = \begin{pmatrix} \cos k\omega & \sin k\omega \\ -\sin k\omega & \cos k\omega \end{pmatrix}
# \begin{pmatrix} \sin p\,\omega \\ \cos p\,\omega \end{pmatrix}.$$
#
# The matrix contains $k$ but not $p$. It is a rotation; hold that thought. A second consequence:
# since $\sin a \sin b + \cos a \cos b = \cos(a-b)$, the dot product of two rows of the table
# depends on their distance only,
# $\mathrm{PE}(m) \cdot \mathrm{PE}(n) = \sum_i \cos\big((m-n)\,\omega_i\big)$.

# %% tags=["show"]
table = sinusoidal_pe(200, 16)
gram = table @ table.T
for m, n in [(2, 5), (12, 15), (152, 155)]:
    print(f"PE({m}) · PE({n}) = {gram[m, n]:.12f}")

predict(
    "Now take two fixed token vectors x and y, add positions, and compare the score of "
    "the sums, (x + PE(m)) · (y + PE(n)), at (m, n) = (2, 5) and at (12, 15). Both "
    "have distance 3. The scores are",
    ["equal", "different"],
    answer=1,
    why="Multiply out: x·y + x·PE(n) + PE(m)·y + PE(m)·PE(n). Only the last term is a "
    "function of the distance; the two in the middle know the absolute positions.",
)

# %% tags=["show"]
x, y = torch.randn(2, 16, dtype=torch.float64, generator=generator)
for m, n in [(2, 5), (12, 15), (152, 155)]:
    score = (x + table[m]) @ (y + table[n])
    print(f"(x + PE({m})) · (y + PE({n})) = {score:.4f}")

# %% [markdown]
# The slides say that the sinusoids let the model *infer* relative offsets. That is fair: the
# information is there, and a trained model may extract it. But nothing forces the score to use it;
# the score of the sums mixes content with absolute position. RoPE keeps the rotation and drops the
# addition.

# %% [markdown]
# ## 3. RoPE: rotate instead of add
#
# The slides name RoPE in an exercise and never define it. Here is the definition that this course
# uses, from RoFormer (Su et al. 2021, Section 3.2). Take one attention head with queries and keys
# of width $d_{\text{head}}$, cut a vector into **neighbouring** pairs
# $(x_0, x_1), (x_2, x_3), \dots$ and turn pair $i$ of the vector at position $p$ by the angle
#
# $$\theta_{p,i} = p\,\omega_i, \qquad \omega_i = \mathrm{base}^{-2i/d_{\text{head}}},
# \qquad i = 0, \dots, d_{\text{head}}/2 - 1,$$
#
# counter-clockwise:
#
# $$\begin{pmatrix} x'_{2i} \\ x'_{2i+1} \end{pmatrix}
# = \begin{pmatrix} \cos\theta_{p,i} & -\sin\theta_{p,i} \\ \sin\theta_{p,i} & \cos\theta_{p,i} \end{pmatrix}
# \begin{pmatrix} x_{2i} \\ x_{2i+1} \end{pmatrix}.$$
#
# We write $R_p$ for the whole block-diagonal rotation, $x' = R_p\,x$. The conventions:
#
# - queries **and** keys are turned, each by its own position, in every layer; values are **not**
#   turned;
# - the width is that of one **head**, not of the model: every head has the same angles;
# - the base is 10000 unless said otherwise (Llama 3 uses 500000); positions count from 0. RoFormer
#   numbers pairs from 1 and writes $\theta_i = 10000^{-2(i-1)/d}$: the same frequencies;
# - nothing is added and nothing is learnt. A rotation keeps the length of every pair.
#
# A worked example with $d_{\text{head}} = 4$ and base 10000, so again $\omega = (1,\ 0.01)$. The
# vector $x = (1, 0, 1, 0)$ at position 2 has the angles $(2,\ 0.02)$ and becomes
# $(\cos 2, \sin 2, \cos 0.02, \sin 0.02) = (-0.4161,\ 0.9093,\ 0.9998,\ 0.0200)$. At position 0 it
# stays as it is. With an angle of exactly $\pi/2$, a pair $(3, 1)$ becomes $(-1, 3)$.

# %% [markdown]
# ### Exercise: `rope_angles` (1 point, 5 minutes, ★)
#
# Write the table of angles $\theta_{p,i} = p\,\omega_i$, one column per **pair**. Note that there
# are $d_{\text{head}}/2$ columns: some libraries store every angle twice to make their code
# shorter, we do not.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "rope_angles"}
def rope_angles(L: int, d_head: int, base: float = 10_000.0) -> Tensor:
    """The angles by which RoPE turns each pair (Su et al. 2021, Section 3.2).

    Args:
        L: number of positions, at least 1; the rows are positions 0, 1, ..., L - 1.
        d_head: width of one attention head, even and at least 2.
        base: the larger, the slower the slow pairs turn; greater than 1.

    Returns:
        [L, d_head/2], float64, radians: entry (p, i) is p * base^(-2i/d_head).
    """
    ### BEGIN SOLUTION
    positions = torch.arange(L, dtype=torch.float64)
    frequencies = base ** (-torch.arange(0, d_head, 2, dtype=torch.float64) / d_head)
    return positions[:, None] * frequencies
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_rope_angles", "points": 1}
check.rope_angles(rope_angles)

# %% [markdown]
# How slow is slow? The wavelength of a pair is $2\pi/\omega_i$: the number of tokens of one full
# turn.

# %% tags=["show"]
for base in (10_000.0, 500_000.0):
    frequencies = rope_angles(2, 128, base)[1]  # position 1 is turned by w_i itself
    shortest, longest = 2 * torch.pi / frequencies[[0, -1]]
    print(f"base {base:>9,.0f}: {shortest:.2f} to {longest:>9,.0f} tokens per turn")

predict(
    "A model runs in bfloat16, and someone computes the positions in bfloat16 as well. "
    "Which position does the token at position 257 get?",
    ["257", "256", "258", "260"],
    answer=1,
    why="bfloat16 keeps 8 significant bits: above 256 only every second integer exists, "
    "above 512 every fourth. Two neighbours then share one position. Several libraries "
    "shipped this bug; today they compute the angles in float32 even when all else is "
    "bfloat16.",
)

# %% tags=["show"]
print(torch.arange(254, 264).to(torch.bfloat16).tolist())

# %% [markdown]
# ### Exercise: `apply_rope` (4 points, 20 minutes, ★★)
#
# Turn every pair of `x` by its angle: **interleaved** layout (pair $i$ is made of columns $2i$ and
# $2i+1$), counter-clockwise. In this notebook's usual shapes `x` is `[batch, heads, L, d_head]` and
# `angles` is `[L, d_head/2]`: all heads and all rows of the batch share the angles. When the rows
# of a batch have positions of their own (left padding), the angles come as
# `[batch, 1, L, d_head/2]`; plain broadcasting covers both.
#
# Things to watch: use the *old* $x_{2i}$ when you compute $x'_{2i+1}$; return the dtype of `x` even
# when the angles are float64 (a bfloat16 model does not want its queries back in float64); take the
# cosine and sine *before* you round to a short dtype; leave `x` unchanged; keep the graph, since
# gradients have to reach the projections.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "apply_rope"}
def apply_rope(x: Tensor, angles: Tensor) -> Tensor:
    """Turn the pairs of queries or keys: rotary position embedding, interleaved layout.

    Args:
        x: [..., L, d_head], floating point; not changed. Differentiable.
        angles: [L, d_head/2], or with leading dimensions that broadcast against those
            of `x`, such as [batch, 1, L, d_head/2]; float64, radians, any values.

    Returns:
        Shape and dtype of `x`. With a the angle of pair i,
        column 2i is     x[2i] * cos(a) - x[2i+1] * sin(a),
        column 2i + 1 is x[2i] * sin(a) + x[2i+1] * cos(a).
    """
    ### BEGIN SOLUTION
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    return turned.flatten(-2)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_apply_rope", "points": 4}
check.apply_rope(apply_rope)

# %% [markdown]
# *Widget: four dials, one per pair of a head of width 8. Blue is the query at position m, orange
# the key at position n, both turned by your `apply_rope`. Under each dial stands what the pair adds
# to the score. First move m alone: the blue hands turn, the fast ones quickly. Then move the
# **shift**, which adds the same number to m and n: everything turns, and not one number below the
# dials changes. That is the whole idea of RoPE, and the next section proves it. The base is 100 at
# first, so that all four hands move; at 10000 the last pair turns by 0.06 degrees per token. Which
# pairs can tell neighbours apart then?*

# %% tags=["show"]
rotation_dials(apply_rope, rope_angles)

# %% [markdown]
# ## 4. The lecture's exercise, made right
#
# The slides ask to show that one can "differentiate tokens" by trigonometric identities and RoPE. As
# it stands the sentence has no clear meaning: RoPE was not defined, no derivative is taken, and it
# is not said what sets the tokens apart. What can be shown, and what we show here, is this:
#
# > The score of a query turned to position $m$ and a key turned to position $n$ is a function of
# > the two vectors and of the **offset** $n - m$ only:
# > $\langle R_m q,\, R_n k\rangle = \langle q,\, R_{n-m}\, k \rangle$.
#
# So two copies of the same token at different distances get, in general, different scores ("can be
# told apart"), while moving the whole text by a thousand tokens changes nothing.
#
# Numbers first, with a single pair and $\omega = \pi/6$ (30 degrees per token). Let
# $q = k = (1, 0)$. With $m = 1$ and $n = 3$ the arrows point to 30 and 90 degrees; their dot
# product is $\cos 60° = 0.5$. With $m = 5$ and $n = 7$ they point to 150 and 210 degrees; the dot
# product is $0.5$ again.
#
# **Offset, not just distance.** With $q = (1, 0)$ and $k = (0, 1)$ the key already stands 90
# degrees ahead. Two tokens to the right ($n - m = 2$) it stands $90 + 60$ degrees ahead: score
# $\cos 150° = -0.866$. Two tokens to the *left* it stands $90 - 60$ degrees ahead: score
# $\cos 30° = +0.866$. The sign of $n - m$ matters, so a formula with $|m - n|$ cannot be right.
# Only when $q$ and $k$ are parallel in every pair is the score symmetric.

# %% [markdown]
# ### Exercise: `rope_scores` (2 points, 15 minutes, ★★)
#
# Compute all scores $\langle R_m q, R_n k\rangle$ for queries and keys at **given** positions. They
# need not be $0, 1, 2, \dots$: while generating, one new query at position 517 meets 518 cached
# keys. So there may be more keys than queries, in any order and with gaps. The scores are the bare
# dot products: no division by $\sqrt{d_{\text{head}}}$, no mask, no softmax.
#
# Use your `apply_rope` and, if you like, `rope_angles`: its row for position 1 holds the
# frequencies. Multiply them with the integer positions as they are: positions turned into the dtype
# of `q` first are the bug that you have just seen, 257 becoming 256 in bfloat16. The positions may
# have leading dimensions of their own, `[batch, 1, L]` for left padding, just like the angles of
# `apply_rope`; leave them to broadcasting here, too.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "rope_scores"}
def rope_scores(
    q: Tensor, k: Tensor, pos_q: Tensor, pos_k: Tensor, base: float = 10_000.0
) -> Tensor:
    """Scores of rotated queries and rotated keys, <R_m q, R_n k>, unscaled.

    Args:
        q: [..., L_q, d_head], queries before rotation. Differentiable.
        k: [..., L_k, d_head], keys before rotation, same leading dimensions and dtype.
        pos_q: [L_q], integer positions >= 0 of the queries, or with leading dimensions
            that broadcast against those of `q`, such as [batch, 1, L_q].
        pos_k: [L_k], the same for the keys.
        base: the base of the frequencies base^(-2i/d_head).

    Returns:
        [..., L_q, L_k], dtype of `q`: entry (a, b) belongs to query a and key b. No
        division by sqrt(d_head), no mask.
    """
    ### BEGIN SOLUTION
    frequencies = rope_angles(2, q.shape[-1], base)[1].to(q.device)
    q_turned = apply_rope(q, pos_q[..., None] * frequencies)
    k_turned = apply_rope(k, pos_k[..., None] * frequencies)
    return q_turned @ k_turned.transpose(-2, -1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_rope_scores", "points": 2}
check.rope_scores(rope_scores)

# %% [markdown]
# ### What the score looks like
#
# *Figure: the score of one query with one key at every distance from -60 to 60, divided by the
# highest score. Left panel: q = k, all pairs equal; a sharp symmetric peak at 0, then ripples
# around a level that sinks slowly; the curve of the larger base lies higher. Right panel: three
# queries made to look 0, 5 and 20 tokens back; the three curves have the same shape, each with its
# peak at its own distance.*
#
# The right panel is the interesting one. Choose $q = R_{-s}\,k$, the key turned back by $s$
# positions. Then the score at distance $m - n = s$ is $\langle R_{-s}k, R_{-s}k\rangle = \|k\|^2$,
# the largest it can be. With one line of algebra we have built a head that looks exactly $s$ tokens
# back, at any position of any text. Trained models contain such heads.

# %% tags=["show"]
distances = torch.arange(-60, 61)
d_head = 64
key = torch.ones(1, d_head, dtype=torch.float64)
pos_q, pos_k = 100 + distances, torch.tensor([100])  # distance m - n, with n = 100

fig, axes = plt.subplots(1, 2, figsize=(9.6, 3.4), layout="constrained", sharey=True)
for base in (10_000.0, 500_000.0):
    queries = key.expand(len(distances), d_head)
    scores = rope_scores(queries, key, pos_q, pos_k, base)[:, 0]
    axes[0].plot(distances, scores / d_head, label=f"base {base:,.0f}")
for back in (0, 5, 20):
    query = apply_rope(key, -back * rope_angles(2, d_head)[1:])
    queries = query.expand(len(distances), d_head)
    scores = rope_scores(queries, key, pos_q, pos_k)[:, 0]
    axes[1].plot(distances, scores / d_head, label=f"looks {back} back")
axes[0].set(title="Query and key parallel", ylabel="score / score at the peak")
axes[1].set(title="The query decides where the peak is")
for ax in axes:
    ax.set_xlabel("distance m - n (tokens; key to the left: positive)")
    ax.legend()
plt.show()

# %% [markdown]
# "RoPE makes far tokens count less" is often said and only half true. The left panel falls on
# average, not steadily, and only because query and key are parallel there. For a general query and
# key the content decides where the peak is; Barbero et al. (2024) look into a trained model and
# find that decay is unlikely to be what makes RoPE useful.

# %% tags=["show"]
predict(
    "Random q and k, no relation between them. Is the score at distance +5 the same as "
    "at distance -5?",
    ["yes, the distance is the same", "no, in general not"],
    answer=1,
    why="The score is a sum of A cos((n-m)w) + B sin((n-m)w), one term per pair. The "
    "cosines are even in n - m, the sines are odd, and B vanishes only when the pair of "
    "q and that of k are parallel.",
)

# %% tags=["show"]
q, k = torch.randn(2, 1, 8, dtype=torch.float64, generator=generator)
for m, n in [(5, 0), (0, 5), (1005, 1000), (1000, 1005)]:
    score = rope_scores(q, k, torch.tensor([m]), torch.tensor([n])).item()
    print(f"m = {m:>4}, n = {n:>4}, m - n = {m - n:>2}: {score:+.12f}")

# %% [markdown]
# ### Written answer: why only the offset matters (4 points)
#
# In your own words and formulas, ten lines or so:
#
# 1. For one pair, let $q = (a, b)$ and $k = (c, d)$ be turned by $m\omega$ and $n\omega$. Expand
#    the dot product and bring it into the form $A \cos((n-m)\omega) + B \sin((n-m)\omega)$. Give
#    $A$ and $B$ and name the trigonometric identities that you use.
# 2. Conclude for the whole head, and state the property of rotation matrices that says the same in
#    one line.
# 3. When is the score the same for offset $+s$ and offset $-s$, for every $s$? Give the condition
#    on $q$ and $k$ in one pair.
# 4. Why does adding sinusoidal positions to the token vectors not have the property of part 2? Name
#    the terms that are to blame.

# %% [markdown] nbgrader={"schema_version": 3, "solution": true, "grade": true, "locked": false, "task": false, "grade_id": "written_relative", "points": 4}
# **Model answer.** Write $\alpha = m\omega$ and $\beta = n\omega$.
#
# 1. The turned pairs are $(a\cos\alpha - b\sin\alpha,\ a\sin\alpha + b\cos\alpha)$ and
#    $(c\cos\beta - d\sin\beta,\ c\sin\beta + d\cos\beta)$. Their dot product, sorted by products of
#    $a, b$ with $c, d$, is
#    $(ac + bd)(\cos\alpha\cos\beta + \sin\alpha\sin\beta) + (bc - ad)(\cos\alpha\sin\beta - \sin\alpha\cos\beta)$.
#    By $\cos(\beta-\alpha) = \cos\beta\cos\alpha + \sin\beta\sin\alpha$ and
#    $\sin(\beta-\alpha) = \sin\beta\cos\alpha - \cos\beta\sin\alpha$ this is
#    $A\cos((n-m)\omega) + B\sin((n-m)\omega)$ with $A = ac + bd$ and $B = bc - ad$.
# 2. The score of the head is the sum of these expressions over the pairs, each with its own
#    $\omega_i$; every summand depends on the positions through $n - m$ only, so the sum does. In
#    one line: rotations are orthogonal and compose by adding angles, so
#    $\langle R_m q, R_n k\rangle = q^\top R_m^\top R_n k = q^\top R_{-m} R_n k = q^\top R_{n-m}\, k$.
# 3. The cosine is even and the sine is odd, so the two scores differ by $2B\sin(s\omega)$ in each
#    pair. They agree for every $s$ when $B = bc - ad = 0$, that is when the two pairs are parallel
#    (or one is zero).
# 4. $(x + \mathrm{PE}(m))\cdot(y + \mathrm{PE}(n)) = x\cdot y + x\cdot\mathrm{PE}(n) +
#    \mathrm{PE}(m)\cdot y + \mathrm{PE}(m)\cdot\mathrm{PE}(n)$. The last term depends on $m - n$ only, but the two mixed terms of content and position contain
#    $n$ alone and $m$ alone. (With projections $W_Q$ and $W_K$ between, even the last term is no
#    longer a function of the distance in general.)
#
# **Rubric.** 1 point: the expansion with $A = ac + bd$, $B = bc - ad$ (signs to match the sine of
# $(n-m)\omega$) and both identities named or used visibly. 1 point: the sum over pairs *and*
# $R_m^\top R_n = R_{n-m}$, with the reason (orthogonal, angles add). 1 point: $B = 0$, or parallel
# pairs; half a point for "cosine is even, sine is odd" without the condition. 1 point: the two
# mixed terms, with the statement that they depend on $m$ alone and $n$ alone. A proof with complex
# numbers, $\mathrm{Re}(q\,\bar k\, e^{i(m-n)\omega})$, earns the same points.

# %% [markdown]
# ## 5. Two layouts, one rotation
#
# If you open `modeling_llama.py` in `transformers`, you will not find neighbouring pairs. There,
# pair $i$ of a head is made of columns $i$ and $i + d_{\text{head}}/2$: the head is **split in
# halves**, and the first half holds all first coordinates, the second half all second ones. For
# $d_{\text{head}} = 8$:
#
# | layout | pair 0 | pair 1 | pair 2 | pair 3 | who |
# | --- | --- | --- | --- | --- | --- |
# | interleaved | (0, 1) | (2, 3) | (4, 5) | (6, 7) | RoFormer, GPT-J, Meta's Llama code, this course |
# | half-split | (0, 4) | (1, 5) | (2, 6) | (3, 7) | GPT-NeoX, Llama in `transformers` |
#
# Both turn pair $i$ by the same angle. So they are the same rotation of differently ordered
# columns, and a dot product does not care about the order of the columns, **as long as query and
# key agree on it**. Weights, however, were trained for one of the two. Feed them to the other and
# every pair is made of two strangers.

# %% tags=["show"]
def apply_rope_half(x: Tensor, angles: Tensor) -> Tensor:
    """The half-split layout: pair i is made of columns i and i + d_head/2."""
    first, second = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    halves = [first * cos - second * sin, first * sin + second * cos]
    return torch.cat(halves, dim=-1)


angles = rope_angles(6, 8)
q, k = torch.randn(2, 6, 8, dtype=torch.float64, generator=generator)
interleaved = apply_rope(q, angles) @ apply_rope(k, angles).T
half = apply_rope_half(q, angles) @ apply_rope_half(k, angles).T
difference = (interleaved - half).abs().max()
print(f"same vectors, other layout: scores differ by up to {difference:.1e}")

to_half = torch.tensor([0, 2, 4, 6, 1, 3, 5, 7])  # first coordinates, then second
half = apply_rope_half(q[:, to_half], angles) @ apply_rope_half(k[:, to_half], angles).T
difference = (interleaved - half).abs().max()
print(f"columns reordered first:    scores differ by up to {difference:.1e}")

# %% [markdown]
# A model does not have to reorder its queries and keys at run time. A column of $q$ is a **row** of
# the projection that made it (`nn.Linear` stores `[out, in]`, and `out` is `n_heads * d_head`, one
# block of `d_head` rows per head). Reorder these rows once, and the queries come out in the other
# layout for free.
#
# The direction we need is from half-split (what `transformers` stores) to interleaved (what your
# `apply_rope` expects). For one head with $d_{\text{head}} = 6$, the old rows stand in the new
# order
#
# | new row | 0 | 1 | 2 | 3 | 4 | 5 |
# | --- | --- | --- | --- | --- | --- | --- |
# | is old row | 0 | 3 | 1 | 4 | 2 | 5 |
#
# Two traps. First, the reordering happens **inside each head**; a reordering across the whole
# matrix mixes heads. Second, there is an inverse permutation, from interleaved to half-split, and
# the conversion script for Meta's Llama weights in `transformers` contains exactly that one (it is
# called `permute`). For $d_{\text{head}} = 4$ the two are the **same** (0, 2, 1, 3), so a test with
# heads of width 4 cannot tell them apart. Try your function at width 6 or 8.

# %% [markdown]
# ### Exercise: `half_to_interleaved` (3 points, 20 minutes, ★★★)
#
# Reorder the rows of a query or key projection from half-split to interleaved, head by head. The
# same function must work for the weight `[n_heads * d_head, d_model]` and for the bias
# `[n_heads * d_head]` of the projection. In grouped-query attention there are fewer key heads than
# query heads: the caller passes the number of heads of *this* matrix.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "half_to_interleaved"}
def half_to_interleaved(w: Tensor, n_heads: int) -> Tensor:
    """Reorder projection rows from the half-split to the interleaved RoPE layout.

    Args:
        w: [n_heads * d_head, d_model], the weight of a query or key projection as
            `nn.Linear` stores it, or [n_heads * d_head], its bias; any dtype; not
            changed. The rows of head h are h * d_head, ..., (h + 1) * d_head - 1.
        n_heads: number of heads in `w` (for the keys of a grouped-query model: the
            number of key heads).

    Returns:
        A new tensor, shape and dtype of `w`: inside each head, row 2i is old row i and
        row 2i + 1 is old row i + d_head/2, for 0 <= i < d_head/2.
    """
    ### BEGIN SOLUTION
    rows = torch.arange(w.shape[0])
    order = rows.view(n_heads, 2, -1).transpose(1, 2).flatten()
    return w[order]
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_half_to_interleaved", "points": 3}
check.half_to_interleaved(half_to_interleaved)

# %% [markdown]
# ### The proof of the pudding: a Llama that runs on your RoPE
#
# Below is a real `LlamaForCausalLM`, tiny and with random weights: 2 layers, 4 query heads, 2 key
# heads of width 8. We replace the function with which `transformers` turns its queries and keys by
# *your* interleaved `apply_rope`, convert the rows of `q_proj` and `k_proj` with *your*
# `half_to_interleaved`, and compare the logits.

# %% tags=["show"]
import copy
from unittest import mock

from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama import modeling_llama

config = LlamaConfig(
    vocab_size=50,
    hidden_size=48,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=4096,
    attn_implementation="eager",
)
llama = LlamaForCausalLM(config).double().eval()
with torch.no_grad():
    for parameter in llama.parameters():
        parameter.normal_(0.0, 0.3, generator=generator)
input_ids = torch.randint(50, (3, 12), generator=generator)


def converted(model, projections=("q_proj", "k_proj")):
    """A copy of the model whose projection rows are in the interleaved layout."""
    model = copy.deepcopy(model)
    for layer in model.model.layers:
        for name in projections:
            weight = getattr(layer.self_attn, name).weight
            n_heads = weight.shape[0] // config.head_dim
            weight.data = half_to_interleaved(weight.data, n_heads)
    return model


def your_rope(q, k, cos, sin, unsqueeze_dim=1):
    """Stands in for `apply_rotary_pos_emb`; positions are 0, 1, ..., L - 1 here."""
    angles = rope_angles(q.shape[-2], q.shape[-1])
    return apply_rope(q, angles), apply_rope(k, angles)


@torch.no_grad()
def logits_with_your_rope(model):
    with mock.patch.object(modeling_llama, "apply_rotary_pos_emb", your_rope):
        return model(input_ids).logits


predict(
    "Suppose we convert the rows of v_proj in the same way as those of q_proj and "
    "k_proj. The logits",
    ["stay as they are", "change"],
    answer=1,
    why="Values are never rotated, so they never needed another order. Reordered values "
    "leave each head in an order that o_proj was not trained for.",
)

# %% tags=["show"]
with torch.no_grad():
    logits = llama(input_ids).logits
print(f"largest logit of the original model: {logits.abs().max():.2f}")
for label, model in [
    ("q and k converted", converted(llama)),
    ("nothing converted", llama),
    ("only q converted", converted(llama, ["q_proj"])),
    ("q, k and v converted", converted(llama, ["q_proj", "k_proj", "v_proj"])),
]:
    difference = (logits_with_your_rope(model) - logits).abs().max()
    print(f"{label:>22}: logits differ by at most {difference:.1e}")

# %% [markdown]
# The first line is zero up to the seventh digit. What is left is not yours: `transformers` computes
# its angles in float32 (you now know why not in bfloat16). The other three lines are wrong by 0.7
# to 2.9, with logits that reach 2.3. Nothing crashes and no shape is wrong; the model just babbles.
# Issue 24 of the TinyLlama repository (2023) is such a case, found in the wild: pairs of the wrong
# layout, gibberish out.
#
# One more experiment with the same model. Add 1000 to all positions and look at the logits.

# %% tags=["show"]
with torch.no_grad():
    positions = torch.arange(input_ids.shape[1])
    shifted = llama(input_ids, position_ids=positions[None] + 1000).logits
    stretched = llama(input_ids, position_ids=positions[None] * 2).logits
for label, other in [("shifted by 1000", shifted), ("doubled", stretched)]:
    difference = (other - logits).abs().max()
    print(f"positions {label:<15}: logits differ by at most {difference:.1e}")

# %% [markdown]
# The whole model, not only one score, sees offsets and nothing else (again up to float32 angles).
# That is why left-padded prompts are harmless for a RoPE model as long as the mask hides the
# padding, and why reusing cached keys works: a key is turned once, by its own position, and never
# again. `05_kv_cache` builds on this.

# %% [markdown]
# ## Where the slides need care
#
# - **"Self-attention is permutation-invariant."** Without a mask it is permutation-*equivariant*,
#   $f(PX) = Pf(X)$: Section 1 shows both. With the causal mask it is neither.
# - **RoPE is named but never defined.** The slides go from the sinusoidal table straight to an
#   exercise on RoPE. We fixed the definition of Section 3: neighbouring pairs, counter-clockwise,
#   queries and keys, width of one head, positions from 0.
# - **The exercise to "differentiate tokens".** Nothing is differentiated in the sense of calculus.
#   The statement worth proving is that $\langle R_m q, R_n k\rangle$ depends on $n - m$ only; your
#   written answer is that proof.
# - **"Lets the model infer relative offsets"**, said of the *added* table: the dot product of two
#   rows of the table depends on the distance, but the score of the sums does not; the mixed terms
#   know the absolute positions (end of Section 2).
# - **The index of the table.** $i$ runs from 0 to $d/2 - 1$ and the exponent is $2i/d$. With
#   `arange(0, d, 2)` the factor 2 is already in.
#
# ## What you have learnt
#
# - Attention without a mask is equivariant; order has to be put in.
# - A position is a set of clock hands; a shift in position is a rotation of each hand.
# - RoPE turns queries and keys by their own positions; in the score only the offset survives, with
#   its sign.
# - Interleaved and half-split are the same rotation in another order of columns; a permutation of
#   the projection rows, head by head, for queries and keys only, leads from one to the other.
#
# ## Further reading
#
# - Vaswani et al. (2017), *Attention is all you need*, Section 3.5: the sinusoidal table.
# - Su et al. (2021), *RoFormer: enhanced transformer with rotary position embedding*, Section 3.2:
#   the definition, first in two dimensions, then in general.
# - Chen et al. (2023), *Extending context window of large language models via positional
#   interpolation*, and Peng et al. (2023), *YaRN*: how to change the angles so that a trained model
#   reads longer texts.
# - Kazemnejad et al. (2023), *The impact of positional encoding on length generalization in
#   transformers*: what causal models can do with no position embedding at all.
# - Barbero et al. (2024), *Round and round we go! What makes rotary positional encodings useful?*:
#   what trained heads do with fast and slow pairs.
# - `modeling_llama.py` in `transformers`: `rotate_half` and `apply_rotary_pos_emb`. You can now
#   read them in one minute.
#
# **Next:** `04_decoding` turns logits into text.

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
# # 06 · Mixture of experts and data parallelism
#
# Lecture I.E.2-3 · about 120 minutes, 105 of them for the exercises · 16 points by machine, 4 by hand
#
# **You will be able to**
#
# - route tokens to the best $k$ of $E$ experts, with gates that sum to 1, and compute only what
#   was routed;
# - see experts die on real text, and keep them alive with the load-balancing loss;
# - say how many of a model's parameters work on one token, and which of them must be in memory;
# - split a ragged batch over several processes and get the same step as one process gets, to the
#   last digit but rounding;
# - run it for real: two processes that talk over a network, and `torchrun`; and count the bytes.
#
# **You need** the transformer block (02), the loss with `labels` (01), and `torch.autograd.grad`.
#
# **Map** 05 · KV cache → **06 · Mixture of experts and data parallelism** → 07 · Optimisers

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "setup"}
import inspect
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.distributed as dist

import sft2rl
from sft2rl import style
from sft2rl.checks import scaling as check
from sft2rl.parallel import FORKS, TinyLM, collate, gloo_all_reduce, loss_sum, run
from sft2rl.widgets import predict
from sft2rl.widgets_scaling import ring

DATA = Path(sft2rl.__file__).parent / "data"
print("python", sys.version.split()[0], "· torch", torch.__version__)

# %% [markdown]
# ## 1. The router
#
# A feed-forward layer (FFN) treats every token with the same weights, whether the token is a
# comma or the key word of a proof. A **mixture of experts** (MoE) replaces the one FFN by $E$
# smaller ones, the experts, and a **router** that sends each token to $k$ of them. The layer has
# the parameters of all $E$ experts and the cost of $k$.
#
# The router is a linear map, and the gates are a softmax over the winners only:
#
# $$ s_t = W_r h_t + b_r \in \mathbb R^E, \qquad \mathcal T_t = \mathrm{TopK}(s_t, k), \qquad
# g_{t,e} = \begin{cases} \dfrac{\exp s_{t,e}}{\sum_{j\in\mathcal T_t}\exp s_{t,j}} & e\in\mathcal T_t,\\[1ex]
# 0 & \text{otherwise.}\end{cases} $$
#
# One token, four experts, $k=2$, scores $(\ln 1, \ln 6, \ln 2, \ln 3)$, so that the exponentials
# are 1, 6, 2, 3. Experts 1 and 3 win, and share the gate as 6 to 3:

# %% tags=["show"]
exponentials = [1, 6, 2, 3]
print("expert                      ", "".join(f"{e:8d}" for e in range(4)))
print("exp(score)                  ", "".join(f"{x:8d}" for x in exponentials))
print("softmax over all experts  p ", "".join(f"{x / 12:8.4f}" for x in exponentials))
print(
    "softmax over the winners  g ", "".join(f"{g:8.4f}" for g in (0, 6 / 9, 0, 3 / 9))
)

# %% tags=["show"]
predict(
    "Same token: instead of the softmax over the winners, take the softmax over all "
    "four, set the losers to 0 and divide by the sum of what is left. How far apart "
    "are the two gates?",
    ["they are equal", "up to 0.17", "it depends on the scores"],
    answer=0,
    why="(6/12) / (6/12 + 3/12) = 6/9. The denominator of the big softmax cancels. "
    "Without the division the row would sum to 9/12: a different layer.",
)

# %% [markdown]
# ### Exercise: `topk_gates` (3 points, 10 minutes, ★)
#
# Write the gates for all tokens at once. Three things break a quick solution. Scores in the
# hundreds must not overflow. The losers' gate is 0 and they have no part in the sum: setting a
# *score* to 0 before the softmax does not do that. And when scores tie, exactly $k$ experts are
# chosen all the same (which of the tied ones is up to you): "all scores that reach the $k$-th
# largest" may be more than $k$.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "topk_gates"}
def topk_gates(s: torch.Tensor, k: int) -> torch.Tensor:
    """Gates of the top-k router: softmax over the k largest scores, 0 elsewhere.

    Args:
        s: router scores [T, E], floating point, finite, any size; not changed.
        k: experts per token, 1 <= k <= E.

    Returns:
        [T, E], the dtype of `s`, differentiable in `s`. Each row sums to 1 and has
        exactly k chosen entries (also among equal scores); all others are exactly 0.
    """
    ### BEGIN SOLUTION
    best, chosen = s.topk(k, dim=-1)
    return torch.zeros_like(s).scatter(-1, chosen, best.softmax(-1))
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_topk_gates", "points": 3}
check.topk_gates(topk_gates)

# %% [markdown]
# ## 2. The layer
#
# The output is the weighted sum over the chosen experts,
#
# $$ \mathrm{MoE}(h_t) = \sum_{e=1}^{E} g_{t,e}\, f_e(h_t). $$
#
# On paper the sum has $E$ terms of which $E-k$ are zero. In a program these must not be computed
# at all, or the whole exercise was in vain: with Mixtral's $E=8$, $k=2$, four times the
# arithmetic for the same result.
#
# **By hand.** Two tokens of width 1, $h = (1, 2)$, three experts $f_0(h)=10h$, $f_1(h)=100h$,
# $f_2(h)=1000h$, and the gates below. Expert 0 sees token 0, expert 1 sees both, expert 2 sees
# token 1: four rows of arithmetic instead of six.

# %% tags=["show"]
print("token   h    g0    g1    g2    output")
print("  0     1   .75   .25     0    .75*10 + .25*100           =   32.5")
print("  1     2     0   .50   .50    .50*200 + .50*2000         = 1100.0")

# %% [markdown]
# Experts of the usual kind, feed-forward networks with given weights, are made by a helper:


# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "experts"}
def ffn_experts(W_in: torch.Tensor, W_out: torch.Tensor) -> list[Callable]:
    """E functions x -> tanh(x @ W_in[e]) @ W_out[e]; [E, d, d_ff] and [E, d_ff, d]."""
    return [
        lambda x, a=a, b=b: torch.tanh(x @ a) @ b
        for a, b in zip(W_in, W_out, strict=True)
    ]


# %% [markdown]
# ### Exercise: `moe_forward` (3 points, 20 minutes, ★★)
#
# Compute scores, gates and the weighted sum. Row convention: $h_t$ is row $t$ of `h`, and $W_r$ is
# stored as `nn.Linear` stores it, `[E, d]`. An expert is any function that maps rows `[n, d]` to
# rows `[n, d]`, each row on its own; it is called with the rows of the tokens that chose it and
# with no others. An expert that nobody chose need not be called. Use your `topk_gates`. Gradients
# must flow to `h`, `W_r`, `b_r` and into the experts.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "moe_forward"}
def moe_forward(
    h: torch.Tensor,
    W_r: torch.Tensor,
    b_r: torch.Tensor,
    experts: list[Callable[[torch.Tensor], torch.Tensor]],
    k: int,
) -> torch.Tensor:
    """A mixture-of-experts layer with top-k routing.

    Args:
        h: one row per token [T, d], floating point; not changed.
        W_r: router weight [E, d].
        b_r: router bias [E].
        experts: E functions from [n, d] to [n, d], n >= 1.
        k: experts per token, 1 <= k <= E.

    Returns:
        [T, d], dtype of `h`: row t is the sum over the k chosen experts of gate times
        expert(h_t). Differentiable. The experts see T * k rows in all (fewer only
        where a gate underflows to 0).
    """
    ### BEGIN SOLUTION
    gates = topk_gates(h @ W_r.T + b_r, k)
    out = torch.zeros_like(h)
    for e, expert in enumerate(experts):
        rows = gates[:, e].nonzero().squeeze(-1)
        if len(rows):
            out = out.index_add(0, rows, gates[rows, e, None] * expert(h[rows]))
    return out
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_moe_forward", "points": 3}
check.moe_forward(moe_forward)

# %% [markdown]
# A question about learning. With $k = 1$, as in the Switch Transformer, the formula of the slide
# leaves one winner, whose gate is a softmax over one number.

# %% tags=["show"]
predict(
    "k = 1, gates as above. What is the gradient of the output with respect to W_r?",
    [
        "like for k = 2, but with one expert",
        "zero: the router cannot learn",
        "undefined",
    ],
    answer=1,
    why="The softmax over one score is 1, whatever the score. That is why the Switch "
    "Transformer multiplies with p, the softmax over all experts.",
)


# %% tags=["show"]
def router_gradient(k: int) -> float:
    """Largest entry of the gradient of some function of the output in W_r."""
    g = torch.Generator().manual_seed(0)
    h = torch.randn(6, 3, generator=g, dtype=torch.float64)
    W_r = torch.randn(4, 3, generator=g, dtype=torch.float64, requires_grad=True)
    W_in, W_out = torch.randn(2, 4, 3, 3, generator=g, dtype=torch.float64)
    experts = ffn_experts(W_in, W_out)
    y = moe_forward(h, W_r, torch.zeros(4, dtype=torch.float64), experts, k)
    (grad,) = torch.autograd.grad((y * h).sum(), W_r)
    return float(grad.abs().max())


for k in (1, 2, 3, 4):
    print(f"k = {k}: largest entry of the router's gradient {router_gradient(k):.4f}")

# %% [markdown]
# ## 3. Keeping the experts alive
#
# Nothing so far asks the router to use all experts. An expert that is chosen a little more often
# learns a little more, becomes a little better, and is chosen more often still. The slide defines
# the softmax over *all* experts, $p_{t,e}$, and never uses it. This is what it is for:
#
# $$ f_e = \frac1T \sum_{t=1}^{T} \mathbb 1[e\in\mathcal T_t], \qquad
# P_e = \frac1T\sum_{t=1}^{T} p_{t,e}, \qquad
# \mathcal L_{\text{balance}} = E \sum_{e=1}^{E} f_e\, P_e. $$
#
# $f_e$ is the share of tokens that chose expert $e$; it is a count and has no gradient. $P_e$ is
# what the router believed on average; the gradient flows through $P_e$ only, and pushes most
# against the experts that are most in demand.
#
# **Convention.** $\sum_e f_e = k$, as in the Mixtral code of `transformers`. A uniform router
# gives $k$, not 1: there is no division by $k$. (The Switch Transformer has $k = 1$, and there the
# two agree.) $P$ uses the softmax over all $E$ experts, not the gates. The total loss is the
# cross-entropy plus $\alpha\,\mathcal L_{\text{balance}}$ with $\alpha$ around $0.01$.
#
# Three tokens, two experts, $k=1$:

# %% tags=["show"]
p = [(0.8, 0.2), (0.6, 0.4), (0.3, 0.7)]
print("token   p_0   p_1   chosen")
for t, row in enumerate(p):
    print(f"  {t}     {row[0]:.1f}   {row[1]:.1f}   expert {row.index(max(row))}")
print("f = (2/3, 1/3), P = (1.7/3, 1.3/3)")
print(f"loss = 2 * (2/3 * 1.7/3 + 1/3 * 1.3/3) = {2 * (2 * 1.7 + 1.3) / 9:.4f}")

# %% tags=["show"]
predict(
    "k = 1, two experts. A uniform router gives 1. Can the loss be smaller than 1?",
    ["no, the uniform router is the minimum", "yes"],
    answer=1,
    why="f and P need not agree: f = (.6, .4) with P = (.31, .69) gives "
    "2 (.186 + .276) = .924. "
    "A router with unsure winners and sure losers gets below the uniform one.",
)

# %% [markdown]
# ### Exercise: `load_balancing_loss` (2 points, 15 minutes, ★★)
#
# Implement the formula with the convention above.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "load_balancing_loss"}
def load_balancing_loss(router_logits: torch.Tensor, k: int) -> torch.Tensor:
    """E * sum over e of f_e P_e, where the f_e sum to k.

    Args:
        router_logits: [T, E], floating point, any size: the scores s_t = W_r h_t + b_r,
            before any softmax; no ties among the k + 1 largest of a row.
        k: experts per token, 1 <= k <= E.

    Returns:
        0-d tensor of the dtype of `router_logits`, k for a uniform router.
        Differentiable through P only; f is a constant.

    Source: Fedus et al. (2022), equations 4-6, for k = 1; `transformers`, Mixtral.
    """
    ### BEGIN SOLUTION
    T, E = router_logits.shape
    chosen = router_logits.topk(k, dim=-1).indices.flatten()
    f = torch.bincount(chosen, minlength=E).to(router_logits.dtype) / T
    P = router_logits.softmax(-1).mean(0)
    return E * (f * P).sum()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_load_balancing_loss", "points": 2}
check.load_balancing_loss(load_balancing_loss)

# %% [markdown]
# ### Experts on real text
#
# A small network reads four characters of *Alice's Adventures in Wonderland* and predicts the
# fifth. Between input and output it has one MoE layer, yours, with $E = 8$ and $k = 2$. Two
# experts get a head start (a router bias of 2); in large models chance alone gives it. We train
# twice, without and with the balancing loss, for a few seconds each.

# %% tags=["train"]
ALICE = (DATA / "tokenizer_alice_train.txt").read_text(encoding="utf-8")
CHARS = sorted(set(ALICE))
ids = torch.tensor([CHARS.index(c) for c in ALICE])
X, Y = ids.unfold(0, 4, 1)[:-1], ids[4:]
E, k = 8, 2


class NextCharacter(torch.nn.Module):
    """Four characters in, the fifth out; one mixture-of-experts layer in between."""

    def __init__(self, d: int = 32) -> None:
        super().__init__()
        self.embed, self.mix = (
            torch.nn.Embedding(len(CHARS), 16),
            torch.nn.Linear(64, d),
        )
        self.norm, self.head = torch.nn.LayerNorm(d), torch.nn.Linear(d, len(CHARS))
        self.router = torch.nn.Linear(d, E)
        self.experts = torch.nn.ModuleList(
            torch.nn.Sequential(
                torch.nn.Linear(d, 64), torch.nn.ReLU(), torch.nn.Linear(64, d)
            )
            for _ in range(E)
        )
        torch.nn.init.normal_(self.router.weight, std=0.1)
        self.router.bias.data = torch.tensor([2.0, 2.0] + [0.0] * (E - 2))

    def forward(self, x):
        """Logits [n, V] and router scores [n, E]."""
        x = self.mix(self.embed(x).flatten(1))
        h = self.norm(x)
        y = moe_forward(h, self.router.weight, self.router.bias, list(self.experts), k)
        return self.head(x + y), self.router(h)


def train(alpha: float, steps: int = 300):
    """A trained model and, for every step, each expert's share of the routed tokens."""
    torch.manual_seed(0)
    model, shares = NextCharacter(), []
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        batch = torch.randint(len(Y), (256,))
        logits, scores = model(X[batch])
        loss = torch.nn.functional.cross_entropy(logits, Y[batch])
        loss = loss + alpha * load_balancing_loss(scores, k)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        shares.append((topk_gates(scores.detach(), k) > 0).double().mean(0) / k)
    return model, torch.stack(shares)


runs = {alpha: train(alpha) for alpha in (0.0, 0.01)}
print(
    "alpha   cross-entropy   balance loss   routed tokens by expert in % (even: 12.5)"
)
for alpha, (model, shares) in runs.items():
    with torch.no_grad():
        logits, scores = model(X[:8000])
        nll = torch.nn.functional.cross_entropy(logits, Y[:8000])
    balance = load_balancing_loss(scores, k)
    row = " ".join(f"{100 * x:5.1f}" for x in shares[-50:].mean(0))
    print(f"{alpha:5.2f}   {nll:13.3f}   {balance:12.3f}   {row}")

# %% [markdown]
# The head start is never made up: two experts do three quarters of the work, and three do next to
# nothing although their weights were paid for. With $\alpha = 0.01$ the same start evens out, and
# the text is predicted better.
#
# **In words:** left and middle, the share of each of the eight experts over the steps, as eight
# coloured bands. Without the loss two bands fill almost the whole height, with it the bands are
# soon about equally wide. Right, for the balanced model, which expert is most often the first
# choice after each character: a heat map of twelve frequent characters by eight experts, in which
# most rows have one or two dark fields. Nobody told the experts what to specialise in.

# %% tags=["train"]
style.use()
fig, axes = plt.subplots(
    1, 3, figsize=(11, 3.6), layout="constrained", width_ratios=[1, 1, 1.1]
)
colours = [*style.COLOURS.values()]
for ax, (alpha, (_, shares)) in zip(axes, runs.items(), strict=False):
    smooth = shares.unfold(0, 20, 1).mean(-1)
    ax.stackplot(
        range(len(smooth)), 100 * smooth.T.numpy(), colors=colours, linewidth=0
    )
    ax.set(
        title=f"alpha = {alpha:g}", xlabel="training step", ylabel="routed tokens in %"
    )
    ax.set(ylim=(0, 100), xlim=(0, len(smooth) - 1))
with torch.no_grad():
    first = runs[0.01][0](X[:8000])[1].argmax(-1)
letters = " ethaonisrd,"
table = torch.zeros(len(letters), E)
for row, letter in enumerate(letters):
    here = X[:8000, -1] == CHARS.index(letter)
    table[row] = 100 * torch.bincount(first[here], minlength=E) / here.sum()
image = axes[2].imshow(table, cmap="Blues", aspect="auto", vmin=0, vmax=100)
axes[2].set(
    title="first choice, alpha = 0.01", xlabel="expert", ylabel="last character read"
)
axes[2].set_yticks(range(len(letters)), ["␣" if c == " " else c for c in letters])
axes[2].set_xticks(range(E))
axes[2].grid(False)
fig.colorbar(image, label="% of these tokens")
plt.show()

# %% [markdown]
# ## 4. What a token pays for
#
# "Mixtral 8x7B" has neither 56 billion parameters nor the speed of a 56-billion model. Only the
# experts are there eight times, and only two of the eight work on a token. We count the way model
# cards do, for a Mixtral-style model: no biases, output layer not tied to the embedding, and the
# experts are SwiGLU networks of three matrices. With `cfg` fields as in the Hugging Face
# configuration, $d$ = `hidden_size`, $d_h$ = `head_dim`, the parts are
#
# | part | how often | parameters |
# | --- | --- | --- |
# | embedding, output layer | once each | `vocab_size` $\cdot\, d$ |
# | queries, attention output | per layer | $d \cdot$ `num_attention_heads` $\cdot\, d_h$ each |
# | keys, values | per layer | $d \cdot$ `num_key_value_heads` $\cdot\, d_h$ each |
# | two norms | per layer | $d$ each |
# | router | per layer | $d \cdot$ `num_local_experts` |
# | one expert | `num_local_experts` per layer | $3\, d \cdot$ `intermediate_size` |
# | last norm | once | $d$ |
#
# The router scores all experts for every token, so all of its rows are active.
#
# **By hand,** $d = 4$, one layer, one head of width 4 for queries, keys and values alike,
# vocabulary 10, 3 experts of intermediate size 5, $k = 1$: embedding and output 80, attention 64,
# norms 8 + 4, router 12, each expert 60. In all 80 + 64 + 12 + 12 + 3 · 60 = 348 parameters, of
# which 80 + 64 + 12 + 12 + 60 = 228 are active.
#
# ### Exercise: `active_parameters` (1 point, 10 minutes, ★)
#
# Count the parameters that take part in the computation of one token.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "active_parameters"}
def active_parameters(cfg: dict[str, int]) -> int:
    """Parameters that one token uses in a Mixtral-style model (see the table).

    Args:
        cfg: vocab_size, hidden_size, intermediate_size, num_hidden_layers,
            num_attention_heads, num_key_value_heads, head_dim, num_local_experts,
            num_experts_per_tok (k). The head width is a field of its own: the heads
            together need not be hidden_size wide.

    Returns:
        An int, exact: everything but the experts, plus k experts per layer.
    """
    ### BEGIN SOLUTION
    d = cfg["hidden_size"]
    heads = 2 * cfg["num_attention_heads"] + 2 * cfg["num_key_value_heads"]
    attention = d * cfg["head_dim"] * heads
    router = d * cfg["num_local_experts"]
    experts = cfg["num_experts_per_tok"] * 3 * d * cfg["intermediate_size"]
    layer = attention + router + experts + 2 * d
    return cfg["num_hidden_layers"] * layer + 2 * cfg["vocab_size"] * d + d
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_active_parameters", "points": 1}
check.active_parameters(active_parameters)

# %% tags=["show"]
MIXTRAL = {
    "vocab_size": 32_000, "hidden_size": 4096, "intermediate_size": 14_336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    "head_dim": 128, "num_local_experts": 8, "num_experts_per_tok": 2,
}  # fmt: skip
predict(
    "Mixtral 8x7B: what share of its weights works on one token, and what share must "
    "be in memory while a long text is generated?",
    ["28 % and 28 %", "28 % and 100 %", "25 % and 25 %"],
    answer=1,
    why="The next token may want any expert. MoE saves arithmetic, not memory.",
)

# %% tags=["show"]
active = active_parameters(MIXTRAL)
every = active_parameters(MIXTRAL | {"num_experts_per_tok": 8})
print(f"Mixtral 8x7B: {every / 1e9:.1f} billion parameters, {active / 1e9:.1f} billion active "
      f"({100 * active / every:.0f} %)")  # fmt: skip
print(f"in memory at 2 bytes per parameter: {2 * every / 2**30:.0f} GiB")

# %% [markdown]
# ## 5. Data parallelism: the shards
#
# Now the other direction: not more parameters per token, but more tokens per step. **Data
# parallelism** gives every process (every *rank*) a full copy of the model, a *replica*, and a
# part of the batch, a *shard*. Each rank computes a gradient on its shard, the gradients are
# averaged, and every replica makes the same step. If it is done right, nothing can be told from
# the outside: the parameters are those of one process that saw the whole batch.
#
# ### Exercise: `shard_batch` (1 point, 5 minutes, ★)
#
# Cut a batch into `world_size` consecutive parts, in order, none of it lost and none of it twice.
# When it does not come out even, the first parts get one element more: 7 elements for 3 ranks are
# 3 + 2 + 2. With more ranks than elements the last parts are empty. A batch is a list or a tensor;
# both can be sliced.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "shard_batch"}
def shard_batch(
    batch: list | torch.Tensor, world_size: int
) -> list[list] | list[torch.Tensor]:
    """Consecutive shards of a batch, one per rank, sizes as equal as possible.

    Args:
        batch: a list of B elements or a tensor [B, ...], B >= 0; not changed.
        world_size: number of ranks, >= 1.

    Returns:
        A list of `world_size` slices of the same type as `batch`. The first
        B % world_size have one element more than the others.
    """
    ### BEGIN SOLUTION
    size, extra = divmod(len(batch), world_size)
    starts = [rank * size + min(rank, extra) for rank in range(world_size + 1)]
    return [batch[a:b] for a, b in zip(starts, starts[1:], strict=False)]
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_shard_batch", "points": 1}
check.shard_batch(shard_batch)

# %% [markdown]
# ## 6. The average that is not an average
#
# Equal numbers of *texts* are not equal numbers of *tokens*. Take the smallest possible model,
# one parameter $\theta$ and the loss $\theta x$ per token, so that the gradient of a token is its
# $x$. Rank 0 has seven tokens with $x=7$, rank 1 has one token with $x=1$. Each rank computes the
# mean over its own tokens, and the ranks take the mean of that.

# %% tags=["show"]
predict(
    "Rank 0: seven tokens with gradient 7, mean 7. Rank 1: one token with gradient 1, "
    "mean 1. The gradient of the mean over all eight tokens is ...",
    ["4, the mean of the two means", "6.25", "8, their sum"],
    answer=1,
    why="(7 * 7 + 1 * 1) / 8 = 6.25. In the mean of means the lonely token of rank 1 "
    "counts seven times as much as a token of rank 0.",
)

# %% tags=["show"]
theta = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
tokens = [
    torch.full((7,), 7.0, dtype=torch.float64),
    torch.ones(1, dtype=torch.float64),
]
for name, x in [
    ("rank 0", tokens[0]),
    ("rank 1", tokens[1]),
    ("one process", torch.cat(tokens)),
]:
    (grad,) = torch.autograd.grad((theta * x).mean(), theta)
    print(f"{name:11s}: {len(x)} tokens, gradient of the mean loss {grad:.2f}")
print("mean of the ranks:", (7.0 + 1.0) / 2)

# %% [markdown]
# The remedy is a **weighted** mean, with the number of tokens as weight:
#
# $$ \bar g = \frac{\sum_r w_r\, g_r}{\sum_r w_r}. $$
#
# This mistake is not a toy. Gradient accumulation is data parallelism in time, and there well-known
# training libraries took the mean of means for years; Hugging Face's Trainer was repaired in
# October 2024.
#
# The operation in which every rank contributes a tensor and every rank receives the combination
# is called **all-reduce**.
#
# ### Exercise: `all_reduce_mean` (3 points, 10 minutes, ★★)
#
# Write it for ranks that live in one process: a list with one gradient per rank comes in, and the
# mean that all of them receive goes out.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "all_reduce_mean"}
def all_reduce_mean(
    list_of_grads: list[torch.Tensor], weights: list[float] | None = None
) -> torch.Tensor:
    """The weighted mean of one tensor per rank.

    Args:
        list_of_grads: one tensor per rank, all of one shape (0-d too) and one floating
            dtype; not changed.
        weights: one number >= 0 per rank, int or float, not all 0, in any scale (they
            need not sum to 1). None: every rank counts the same.

    Returns:
        A new tensor of the same shape and dtype: sum of w_r g_r over sum of w_r.
    """
    ### BEGIN SOLUTION
    if weights is None:
        weights = [1.0] * len(list_of_grads)
    total = sum(w * g for w, g in zip(weights, list_of_grads, strict=True))
    return total / sum(weights)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_all_reduce_mean", "points": 3}
check.all_reduce_mean(all_reduce_mean)

# %% [markdown]
# ## 7. One step on many replicas
#
# Three things are given, in `sft2rl.parallel` (open the file, it is short):
#
# - `TinyLM(vocab_size, d_model)`: `model(input_ids)` returns logits `[B, T, V]`. It has two
#   experts, chosen by the token's id: even and odd.
# - `collate(texts)`: ASCII texts as a batch `{"input_ids", "labels"}`, padded to the longest of
#   *these* texts. Every rank has a length of its own.
# - `loss_sum(model, shard)`: the cross-entropy summed over the shard's target tokens (a 0-d tensor
#   with a graph), and their number (an int).

# %% tags=["show"]
book = (DATA / "tokenizer_alice_train.txt").read_text(encoding="utf-8")
paragraphs = book.replace("\n\n", "¶").replace("\n", " ").split("¶")
texts = [paragraphs[i] for i in (3, 1, 0, 4)]  # two long ones, a heading, a short one
shards = [collate(part) for part in shard_batch(texts, 2)]
torch.manual_seed(0)
model = TinyLM(128, 16).double()
for rank, shard in enumerate(shards):
    total, count = loss_sum(model, shard)
    print(f"rank {rank}: input_ids {tuple(shard['input_ids'].shape)}, {count} target tokens, "
          f"mean loss {total / count:.4f}")  # fmt: skip
total, count = loss_sum(model, collate(texts))
print(f"one process: {count} target tokens, mean loss {total / count:.4f}")


# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "replicas"}
def make_replicas(
    state: dict, world_size: int, dropout: float = 0.0, used: bool = False
) -> list[TinyLM]:
    """Equal copies of the model with these weights, in evaluation mode.

    With `used`, every `.grad` is full of ones, as if something else had left them there.
    """
    models = [TinyLM.from_state(state, dropout) for _ in range(world_size)]
    if used:
        for model in models:
            for parameter in model.parameters():
                parameter.grad = torch.ones_like(parameter)
    return models


# %% [markdown]
# ### Exercise: `ddp_step` (2 points, 30 minutes, ★★★)
#
# Make one step of gradient descent, $\theta \leftarrow \theta - \eta\,\bar g$, on all replicas,
# where $\bar g$ is the gradient of the mean loss over *all* target tokens of *all* shards.
#
# Everything that crosses from one replica to another goes through `all_reduce(tensors, weights)`:
# a list with one tensor for each of the replicas that you were given, and one weight for each.
# In this process that is your `all_reduce_mean` (`None` means that one). When the replicas live in
# different processes, each process calls `ddp_step` with its own replica only, the lists have
# one element, and `all_reduce` talks to the others. Your code need not know which of the two it is;
# so do not count replicas, and do not look at the other shards except through `all_reduce`. The
# check below tries both: two replicas here, and (on Linux) two processes.
#
# Four traps, all of them from real clusters:
#
# - A shard may have no target token at all. Its mean is 0/0; it must simply not count.
# - An expert that no token of a shard reached has *no* gradient there (`None`), although it has
#   one on another rank. To skip the call on one rank only is worse than a wrong number: the others
#   wait for it forever. `torch.autograd.grad` with `allow_unused=True, materialize_grads=True`
#   gives zeros instead.
# - Gradients left in `.grad` must not count, whoever left them: an earlier step, or somebody else
#   before your first one. Clear them before you add to them, not afterwards.
# - The loss to report is the mean of the whole batch, too.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "ddp_step"}
def ddp_step(
    models: list[torch.nn.Module],
    shards: list[dict[str, torch.Tensor]],
    lr: float,
    all_reduce: Callable[[list, list], torch.Tensor] | None = None,
) -> float:
    """One data-parallel step of gradient descent on the mean loss per target token.

    Args:
        models: replicas with equal parameters. The parameters are changed in place;
            train or eval mode is left as it is. `.grad` is free to use, but may hold
            gradients of something else before the call: these do not count.
        shards: one batch per replica ("input_ids" and "labels", [b, T] with b and T of
            its own), as `loss_sum` takes it; not changed. A shard may be without
            targets, but not all of the batch.
        lr: step size, >= 0.
        all_reduce: all_reduce(tensors, weights) with one tensor and one number per
            replica in `models` returns their weighted mean, over other processes too.
            Every process calls it equally often, with the same shapes in the same
            order. None: `all_reduce_mean`.

    Returns:
        A Python float: the mean loss per target token of the whole batch (all shards,
        those of other processes too) before the step.
    """
    ### BEGIN SOLUTION
    reduce = all_reduce_mean if all_reduce is None else all_reduce
    losses, counts, grads = [], [], []
    for model, shard in zip(models, shards, strict=True):
        total, count = loss_sum(model, shard)
        loss = total / max(count, 1)
        parameters = list(model.parameters())
        grads.append(
            torch.autograd.grad(
                loss, parameters, allow_unused=True, materialize_grads=True
            )
        )
        losses.append(loss.detach())
        counts.append(count)
    means = [reduce(list(per_rank), counts) for per_rank in zip(*grads, strict=True)]
    with torch.no_grad():
        for model in models:
            for parameter, mean in zip(model.parameters(), means, strict=True):
                parameter -= lr * mean
    return float(reduce(losses, counts))
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_ddp_step", "points": 2}
check.ddp_step(ddp_step)

# %% [markdown]
# Two replicas against one process: the same paragraphs, ten steps each. The third line is what a
# plain mean over the ranks does: your `ddp_step` with an `all_reduce` that forgets the weights.

# %% tags=["show"]
START = {name: value.detach().clone() for name, value in model.state_dict().items()}
WHOLE = [collate(texts)]


def train_replicas(shards, steps=10, lr=0.5, all_reduce=None):
    """Fresh replicas trained on the shards: losses, parameters of all replicas."""
    models = make_replicas(START, len(shards))
    losses = [ddp_step(models, shards, lr, all_reduce) for _ in range(steps)]
    return losses, [{k: v.clone() for k, v in m.state_dict().items()} for m in models]


def distance(a, b):
    """Largest difference between two sets of parameters."""
    return max(float((a[name] - b[name]).abs().max()) for name in a)


one_losses, [one] = train_replicas(WHOLE)
two_losses, two = train_replicas(shards)
plain_losses, plain = train_replicas(
    shards, all_reduce=lambda tensors, weights: sum(tensors) / len(tensors)
)
print(
    "                        loss 1   loss 10   replicas differ by   from one process"
)
for name, losses, replicas in [
    ("one process", one_losses, [one, one]),
    ("two replicas", two_losses, two),
    ("two, plain mean", plain_losses, plain),
]:
    print(f"{name:22s} {losses[0]:7.4f} {losses[-1]:9.4f} "
          f"{distance(*replicas):17.1e} {distance(replicas[0], one):18.1e}")  # fmt: skip

# %% [markdown]
# Note what the plain mean does *not* do: it does not crash, the replicas agree with each other, and
# the loss falls. It is a correct step on a different objective, in which tokens of short texts
# count more.
#
# ## 8. For real
#
# Now two processes with separate memories, connected by **gloo**, the library that PyTorch uses
# for collectives between CPUs (between GPUs it is NCCL, with the same calls). `run(2, f, ...)`
# copies this process twice (a *fork*), lets the copies find each other on the loopback network
# 127.0.0.1, and calls `f(rank, ...)` in each. `gloo_all_reduce` sends each rank's weighted tensor
# with its weight, and divides the sum by the sum: the same mean, but nobody sees a list of all
# gradients.


# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "processes"}
def steps_of_one_rank(rank, state, shards, lr, steps):
    """What each process does: its own replica, its own shard, `steps` steps."""
    model = TinyLM.from_state(state)
    losses = [
        ddp_step([model], [shards[rank]], lr, gloo_all_reduce) for _ in range(steps)
    ]
    return losses, {name: value.detach() for name, value in model.state_dict().items()}


def steps_in_processes(state, shards, lr, steps):
    """One process per shard; for each rank its losses and its parameters at the end."""
    return run(len(shards), steps_of_one_rank, state, shards, lr, steps)


# %% tags=["show"]
if FORKS:
    for rank, (losses, state) in enumerate(steps_in_processes(START, shards, 0.5, 10)):
        print(f"rank {rank}: loss {losses[0]:.4f} → {losses[-1]:.4f}, "
              f"differs from one process by {distance(state, one):.1e}")  # fmt: skip
else:
    print("This cell copies the running process: Linux only. Go on, torchrun is next.")

# %% [markdown]
# A forked process inherits everything, which is convenient in a notebook. But on macOS system
# libraries may crash after a fork, and Windows has none: `run` is for Linux. Real training starts
# fresh processes and gives each its rank in environment variables. **torchrun** does that. What
# follows works on every platform, and with a few hostnames more it is how a cluster is started.
#
# Fresh processes know nothing of this notebook. So we write the source of your functions to a file,
# and start `torchrun`, which is `python -m torch.distributed.run`, on the script below: it reads
# the file, joins the group, takes its shard and trains. As a comparison it also runs PyTorch's own
# `DistributedDataParallel` (DDP) on the same shards.

# %% tags=["show"]
predict(
    "DistributedDataParallel, each rank with its mean loss over its own tokens, "
    "1 rank with long texts and 1 with short ones. Does it agree with one process?",
    ["yes, it is the reference implementation", "no"],
    answer=1,
    why="DDP averages the ranks' gradients plainly and cannot know how many tokens are "
    "behind them. Multiply each rank's loss by world_size * n_r / sum(n) first.",
)

# %% tags=["show"]
SCRIPT = """
import sys
from collections.abc import Callable
import torch
import torch.distributed as dist
from sft2rl.parallel import TinyLM, gloo_all_reduce, loss_sum

YOUR_FUNCTIONS

state, shards, lr, steps, out = torch.load(sys.argv[1])
dist.init_process_group("gloo")  # rank and address come from torchrun's environment
rank, world_size = dist.get_rank(), dist.get_world_size()
results = {}

model = TinyLM.from_state(state)
for _ in range(steps):
    ddp_step([model], [shards[rank]], lr, gloo_all_reduce)
results["your ddp_step"] = model.state_dict()

for name in ("DDP, mean loss per rank", "DDP, loss scaled by tokens"):
    model = TinyLM.from_state(state)
    ddp = torch.nn.parallel.DistributedDataParallel(model, find_unused_parameters=True)
    optimiser = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        total, count = loss_sum(ddp, shards[rank])
        everyone = torch.tensor(float(count))
        dist.all_reduce(everyone)
        mean = total / count
        loss = mean if "mean" in name else mean * world_size * count / everyone
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    results[name] = model.state_dict()

if rank == 0:
    torch.save(results, out)
dist.destroy_process_group()
"""


def torchrun(world_size, lr=0.5, steps=10):
    """Run SCRIPT with your functions in fresh processes; rank 0's parameters."""
    with tempfile.TemporaryDirectory() as folder:
        script, job, out = (
            Path(folder, name) for name in ("train.py", "job.pt", "out.pt")
        )
        yours = [inspect.getsource(f) for f in (all_reduce_mean, ddp_step)]
        script.write_text(SCRIPT.replace("YOUR_FUNCTIONS", "\n".join(yours)), "utf-8")
        torch.save((START, shards, lr, steps, str(out)), job)
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += ["--nproc-per-node", str(world_size), str(script), str(job)]
        print("torchrun", *command[3:-2], "train.py job.pt")
        paths = os.pathsep.join(path for path in sys.path if path)
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-3000:])
        return torch.load(out)


for name, state in torchrun(2).items():
    print(f"{name:28s} differs from one process by {distance(state, one):.1e}")

# %% [markdown]
# Your step agrees with one process to the last digits, in three ways of running it. PyTorch's DDP,
# used as most tutorials use it, does not, and does after one multiplication.
# (`find_unused_parameters` is DDP's answer to the expert that no token reached.)
#
# ## 9. What it costs: the ring
#
# How does an all-reduce of $n$ bytes over $N$ ranks work inside? If all ranks sent their gradient
# to rank 0 and got the sum back, rank 0 would receive and send $(N-1)\,n$ bytes while the others
# wait. The **ring** shares the load. Cut the tensor into $N$ chunks, and let every rank talk to its
# right neighbour only:
#
# 1. **Reduce-scatter.** $N-1$ times, every rank sends one chunk to the right and adds the one that
#    comes from the left. After that every rank has one finished chunk.
# 2. **All-gather.** $N-1$ times, every rank passes a finished chunk on.
#
# Step through it. **In words:** one row per rank, one column per chunk; a field lists the ranks
# whose contribution it contains, and is blue when it has all of them. In every step each rank
# sends one field to the row below (the last one to the first); a yellow frame marks what arrived.

# %% tags=["show"]
ring(4)

# %% [markdown]
# The same with real processes. Each of them counts the bytes that it hands to `isend`; the tensor
# has 12 numbers of 4 bytes, 48 bytes. Read the code, it is all there is to it.


# %% tags=["show"]
def ring_all_reduce(rank, world_size):
    """Sum of tensors over all ranks by a ring; the sum and the bytes this rank sent."""
    chunks = list(torch.full((12,), 10.0**rank).chunk(world_size))
    right, left, sent = (rank + 1) % world_size, (rank - 1) % world_size, 0
    for step in range(2 * (world_size - 1)):
        out = (rank - step) % world_size
        received = torch.empty_like(chunks[0])
        request = dist.isend(chunks[out], right)
        dist.recv(received, left)
        request.wait()
        sent += chunks[out].nbytes
        new = (out - 1) % world_size
        chunks[new] = received + chunks[new] if step < world_size - 1 else received
    return torch.cat(chunks), sent


if FORKS:
    for world_size in (2, 3, 4):
        results = run(world_size, ring_all_reduce, world_size)
        print(f"{world_size} ranks: every rank ends with {results[0][0][0]:.0f}, "
              f"bytes sent by each: {[sent for _, sent in results]}")  # fmt: skip
else:
    print("On Linux: 2, 3 and 4 ranks send 48, 64 and 72 bytes each.")

# %% [markdown]
# ### Exercise: `ring_allreduce_bytes` (1 point, 5 minutes, ★)
#
# Every rank sends $N - 1$ chunks in the first phase and $N - 1$ in the second; a chunk is $n / N$
# bytes. Write the bytes that **one** rank sends. If $N$ does not divide $n$, the exact value is a
# fraction; do not round.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "ring_allreduce_bytes"}
def ring_allreduce_bytes(N: int, n_bytes: int) -> float | Fraction:
    """Bytes that each rank sends in a ring all-reduce.

    Args:
        N: number of ranks, >= 1.
        n_bytes: size of the tensor in bytes, >= 0.

    Returns:
        An int, a float or a Fraction, not rounded; 0 for a single rank.
    """
    ### BEGIN SOLUTION
    return Fraction(2 * (N - 1) * n_bytes, N)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_ring_allreduce_bytes", "points": 1}
check.ring_allreduce_bytes(ring_allreduce_bytes)

# %% tags=["show"]
predict(
    "A ring of 10 ranks becomes one of 1000. The bytes that each rank sends grow ...",
    ["100 times", "by about 11 %", "by about 900 %"],
    answer=1,
    why="From 1.8 n to 1.998 n: never more than twice the gradient. (What does grow is "
    "the number of messages in a row, hence the waiting time: libraries use trees for "
    "small tensors.)",
)

# %% [markdown]
# **In words:** bytes sent by the busiest rank, in multiples of the gradient's size, for 1 to 32
# ranks. With a central rank the line rises in proportion to the ranks; the ring flattens at 2.

# %% tags=["show"]
fig, ax = style.figure(
    "Cost of averaging one gradient",
    "number of ranks N",
    "sent by the busiest rank / n",
)
N = range(1, 33)
ax.plot(N, [n - 1 for n in N], "--", label="central rank: N − 1")
ax.plot(N, [float(ring_allreduce_bytes(n, 1)) for n in N], label="ring")
ax.axhline(2, color="grey", linewidth=0.8)
ax.set_ylim(0, 8)
ax.legend()
plt.show()
seconds = float(ring_allreduce_bytes(8, 2 * 7_000_000_000)) / 25e9
print(
    f"7 billion gradients of 2 bytes, 8 ranks, links of 25 GB/s: {seconds:.2f} s per step"
)

# %% [markdown]
# ## 10. Question: the average of what? (4 points)
#
# Your team fine-tunes a mixture-of-experts model on several GPUs with PyTorch's DDP, which averages
# the gradients of all ranks plainly. Each rank computes, on its own completions (some of 5 tokens,
# some of 2000), the mean cross-entropy per target token plus 0.01 times the load-balancing loss of
# its own tokens.
#
# (a) Two ranks have $n_0$ and $n_1$ target tokens. How much does one token of rank 0 count in the
# averaged cross-entropy, compared with one of rank 1? Whose tokens get too much?
# (b) By what must each rank multiply its cross-entropy before `backward()`, so that DDP's plain
# mean over $N$ ranks is the gradient of the mean over all tokens? What must the ranks exchange?
# (c) The same factor does not turn the balancing loss into that of the whole batch. Why? Give an
# example with two ranks, two experts and $k=1$, in which each rank alone has the worst loss and the
# whole batch the loss of perfect balance. What would you all-reduce instead?
# (d) Nothing crashes and the loss falls. Which test, cheap enough to run before every long
# training, would have found (a)?

# %% [markdown] nbgrader={"schema_version": 3, "solution": true, "grade": true, "locked": false, "task": false, "grade_id": "written_average", "points": 4}
# **Model answer.** (a) In the plain mean over N ranks a token of rank r has the weight 1/(N n_r)
# instead of 1/(n_0 + n_1). A token of rank 0 therefore counts n_1/n_0 times as much as one of rank
# 1: tokens on the rank with fewer targets, which is the one with the short completions, get too
# much.
#
# (b) By N n_r / (sum of all n): the plain mean then gives the sum of the ranks' token sums over the
# total count. The ranks must know the total number of target tokens, one extra all-reduce of one
# number (before the backward pass). With gradient accumulation the count runs over all
# micro-batches of the step.
#
# (c) Cross-entropy is a mean over tokens, so a weighted mean of means is the mean. The balancing
# loss is a sum of products f_e P_e of two means, and the mean of products is not the product of
# means. Example: rank 0 holds French and sends everything to expert 0 with near certainty, rank 1
# holds code and sends everything to expert 1. Each rank alone has f = P = (1, 0) or (0, 1) and the
# loss 2, the worst; the batch has f = P = (1/2, 1/2) and the loss 1. The local loss punishes
# exactly the specialisation one wants. All-reduce the counts f (they need no gradient) and use the
# global f with the local P, averaged over tokens; P is then linear and the factor of (b), with
# routed tokens as counts, is right again.
#
# (d) Run one step on one process with the whole ragged batch and one step with two ranks, and
# compare the parameters (float64, or a tolerance of rounding). Shards of unequal token counts are
# essential: with equal counts the test cannot fail.
#
# **Rubric.** 1 point each. (a) the ratio n_1/n_0 (or the weight 1/(N n_r)) and that short shards
# count too much. (b) the factor N n_r / sum n *and* that the counts must be summed over the ranks;
# half a point if only one of them. (c) non-linearity (product of means) *and* an example that has
# the loss 2 on each rank and 1 together, with f (or the counts) as what is exchanged; half a point
# for the reason alone. (d) a comparison with one process on shards with unequal numbers of tokens;
# no point if inequality is not mentioned. An answer to (d) that logs per-token weights or compares
# the reported loss with the single-process loss on an unequal batch is accepted.

# %% [markdown]
# ## Where the slides need care
#
# - **MoE slide.** It defines $p_t$, the softmax over all experts, and does not use it. It belongs
#   to the load-balancing loss, which the slide leaves out and without which the layer does not
#   train well. The order in which TopK breaks ties is not said; nothing should depend on it.
# - **Gates.** The slide's gate is Mixtral's: renormalised over the winners. The Switch
#   Transformer uses $p_{t,e}$ itself, and for $k=1$ the difference decides whether the router
#   learns at all (section 2).
# - **Normalisation.** "The balancing loss is 1 at balance" is true for $k=1$ or after a division
#   by $k$, and 1 is not a lower bound (section 3).
# - **Layout.** The slide's $W_r h$ acts on columns; tensors hold tokens in rows, hence `h @ W_r.T`.
# - **"Memory optimisation: data parallelism."** Data parallelism saves time. Every rank holds all
#   weights, all gradients and the whole optimiser state; only the activations shrink with the
#   shard. The outline's "sharding of transformer weights" is what comes after it: FSDP and ZeRO
#   shard parameters, gradients and optimiser state, tensor parallelism cuts the matrices.
# - **The figure averages gradients.** Plainly, that is right only if all ranks have equally many
#   target tokens (section 6).
#
# ## What you have learnt
#
# A router is a softmax over the winners; it must be paid to be fair; and a mixture of experts is
# cheap in arithmetic, not in memory. Data parallelism is exact, if the mean is taken over tokens
# and not over ranks, and its traffic per rank never exceeds twice the gradient. And a distributed
# program is tested by comparing it with one process, on a batch that does not come out even.
#
# ## Further reading
#
# - Shazeer et al. (2017), *Outrageously Large Neural Networks*: the sparsely-gated layer.
# - Fedus, Zoph, Shazeer (2022), *Switch Transformers*, equations 4-6: the balancing loss.
# - Jiang et al. (2024), *Mixtral of Experts*, section 2.1: the gate used here.
# - Qiu et al. (2025), *Demons in the Detail*: the balancing loss over the global batch.
# - Li et al. (2020), *PyTorch Distributed*: what DDP does, and how it hides the communication.
# - Patarasuk and Yuan (2009), *Bandwidth optimal all-reduce algorithms*: the ring is optimal.
# - Rajbhandari et al. (2020), *ZeRO*: sharding what data parallelism copies.
#
# **Next:** 07 · Optimisers.

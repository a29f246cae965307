# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 12 · Trust regions, PPO and GRPO
#
# Lecture II.E.4 · about 150 minutes, 75 of them for the exercises · 13 points by machine, 4 by hand
#
# **You will be able to**
#
# - say why a batch of samples promises more than it can keep, and measure how far a policy has
#   moved in the direction that TRPO fixed;
# - write PPO's clipped loss, know in which cells of the (ratio, advantage) plane its gradient
#   vanishes, and what the clip does *not* guarantee;
# - replace a critic by a group of completions, with every constant of the recipe in its place;
# - explain to a worried colleague why the training loss reads 0.0000 while the model learns;
# - compute GRPO's bias to the last digit, and train a small language model on rewards that a
#   program verifies.
#
# **You need** log-probabilities (01), leave-one-out baselines and the $k_3$ estimator (10),
# importance weights (11).
#
# **Map** 11 · Contrastive policy gradient → **12 · Trust regions, PPO and GRPO** → 13 · Multi-turn, soft Bellman and ShiQ
#
# **Notation** $\pi$ is the policy we train, $\pi_{\text{old}}$ the one that drew the samples (a
# copy of $\pi$ from a few updates ago), $\pi_{\text{ref}}$ the reference. The ratio is
# $r=\pi/\pi_{\text{old}}$, `logps` and `old_logps` are natural log-probabilities. $\epsilon$ is the
# clip range, always; the small number that keeps a division finite is written `eps` in
# `group_advantages` and never $\epsilon$ here, although the slide uses one letter for both.
# Everything that ends in `_loss` is minimised.

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "setup"}
import itertools
import math
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import torch

from sft2rl import style
from sft2rl.checks import grpo as check
from sft2rl.widgets import predict

print("torch", torch.__version__, "· numpy", np.__version__)

# %% [markdown]
# ## 1. How far may a batch be trusted?
#
# Sampling is the expensive part of reinforcement learning with a language model. Having paid for a
# batch, one would like to take several gradient steps on it. After the first step, though, the
# policy is no longer the one that drew the samples. The remedy of assignment 11 is the importance
# ratio, and the slide's **surrogate**
#
# $$L(\pi) = \mathbb E_{y\sim\pi_{\text{old}}}\Big[\frac{\pi(y)}{\pi_{\text{old}}(y)}\,
#   A_{\text{old}}(y)\Big],\qquad A_{\text{old}}(y) = R(y) - \mathbb E_{\pi_{\text{old}}}[R].$$
#
# For whole completions this is no approximation at all: the expectation equals
# $\mathbb E_{y\sim\pi}[A_{\text{old}}(y)] = \mathbb E_\pi[R]-\mathbb E_{\pi_{\text{old}}}[R]$,
# the true improvement. So why not maximise it to the end?
#
# Because we never have the expectation, we have sixteen samples and a judge with moods. The cell
# below takes a policy over 40 answers, draws 16, asks a noisy judge, and climbs the surrogate *of
# these 16* for 80 steps. It does so for twenty batches and prints means. The column "promised" is
# the surrogate, "true" is the real improvement of the mean reward, known because the world is
# small. The policy's logits are $\ln\pi_{\text{old}}$ plus eight shared features: as in a network,
# moving one answer moves others.

# %% tags=["show"]
luck = torch.Generator().manual_seed(0)
features = torch.randn(40, 8, generator=luck, dtype=torch.float64)
quality = torch.randn(40, generator=luck, dtype=torch.float64)
old = quality.log_softmax(0)  # ln pi_old: better answers are more likely already
y = torch.multinomial(old.exp(), 20 * 16, replacement=True, generator=luck)
y = y.view(20, 16)  # twenty batches of sixteen answers
judged = quality[y] + 1.5 * torch.randn(20, 16, generator=luck, dtype=torch.float64)
A = judged - judged.mean(1, keepdim=True)


def reuse_the_batch(loss: Callable, steps: int = 80) -> dict[str, list[float]]:
    """Minimise loss(logps, old_logps, advantages) on the same samples again and again."""
    theta = torch.zeros(20, 8, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([theta], lr=0.03)
    curves = {"promised": [], "true": [], "KL(old || new)": [], "largest ratio": []}
    for _ in range(steps + 1):
        logp = (old + theta @ features.T).log_softmax(1)
        logps = logp.gather(1, y)
        with torch.no_grad():
            ratio = (logps - old[y]).exp()
            gain = (logp.exp() - old.exp()) @ quality
            moved = (old.exp() * (old - logp)).sum(1)
        curves["promised"].append(float((ratio * A).mean()))
        curves["true"].append(float(gain.mean()))
        curves["KL(old || new)"].append(float(moved.mean()))
        curves["largest ratio"].append(float(ratio.amax(1).mean()))
        optimizer.zero_grad()
        loss(logps, old[y], A).backward()
        optimizer.step()
    return curves


def plain(logps: torch.Tensor, old_logps: torch.Tensor, A: torch.Tensor) -> torch.Tensor:
    """Minus the surrogate of the batch."""
    return -((logps - old_logps).exp() * A).mean()


unclipped = reuse_the_batch(plain)
print("step   " + "   ".join(f"{name:>14s}" for name in unclipped))
for step in (0, 3, 5, 10, 20, 40, 80):
    print(f"{step:4d}   " + "   ".join(f"{c[step]:14.3f}" for c in unclipped.values()))

# %% [markdown]
# The batch promises almost five points. The truth rises by a few hundredths, and then falls below
# the start: the policy has moved all its mass onto whichever answer the judge happened to like.
# A ratio of 34 means that one lucky sample is now 34 times as likely as when it was drawn. The
# estimate is unbiased for every *fixed* policy, but we searched for the policy it flatters most.
#
# The remedy: trust the surrogate only near $\pi_{\text{old}}$. TRPO (Schulman et al., 2015) puts
# this into a constraint,
#
# $$\max_\pi L(\pi)\quad\text{subject to}\quad
#   \mathbb E_{x}\big[\mathrm{KL}\big(\pi_{\text{old}}(\cdot|x)\,\|\,\pi(\cdot|x)\big)\big]\le\delta.$$
#
# Two things to read off. The samples come from $\pi_{\text{old}}$, and so does the mean in the
# divergence: **old first**. (The regulariser of the objective, $\mathrm{KL}(\pi\|\pi_{\text{ref}})$,
# has the new policy first.) And the constraint is on the **mean** over prompts, not on each of
# them. An asymmetric example, one prompt and two answers:

# %% tags=["show"]
for name, p, q in (("KL(old || new)", 0.5, 0.99), ("KL(new || old)", 0.99, 0.5)):
    terms = [a * math.log(a / b) for a, b in ((p, q), (1 - p, 1 - q))]
    print(f"{name} = {terms[0]:+.4f} {terms[1]:+.4f} = {sum(terms):.4f}")

# %% tags=["show"]
predict(
    "The old policy gives two answers probability .5 each, the new one .99 and .01. "
    "With delta = 1, who is inside the trust region?",
    ["the new policy, in both directions", "only with old first", "only with new first"],
    answer=2,
    why="KL(new || old) is never more than ln 2 here, whatever the new policy forgets. "
    "KL(old || new) grows without bound as an answer of the old policy is given up: "
    "it is the direction that protects what has been sampled.",
)

# %% [markdown]
# ### Exercise: `kl_constrained_check` (1 point, 10 minutes, ★)
#
# Return the left side of the constraint, and whether it holds. Each row of the logits is one
# prompt with all its possible completions. Work with `log_softmax`, so that probabilities that
# underflow do no harm, and without a library's divergence. The result stays differentiable in the
# new logits: a trust-region method also follows its gradient.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "kl_constrained_check"}
def kl_constrained_check(
    old_logits: torch.Tensor, logits: torch.Tensor, delta: float
) -> tuple[torch.Tensor, bool]:
    """TRPO's constraint: the mean over prompts of KL(pi_old || pi), and whether it holds.

    Args:
        old_logits: [B, V], finite: one row per prompt, pi_old = softmax of the row.
        logits: [B, V], finite, same dtype: the policy pi after the step.
        delta: radius of the trust region in nats, > 0.

    Returns:
        (kl, inside): a 0-d tensor of the logits' dtype, differentiable in `logits`, and
        a Python bool, True where kl <= delta. The arguments are not changed.

    Source: Schulman et al. (2015), equation 14 with the mean divergence.
    """
    ### BEGIN SOLUTION
    old_logp, logp = old_logits.log_softmax(-1), logits.log_softmax(-1)
    kl = (old_logp.exp() * (old_logp - logp)).sum(-1).mean()
    return kl, kl.item() <= delta
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_kl_constrained_check", "points": 1}
check.kl_constrained_check(kl_constrained_check)

# %% [markdown]
# How large is the trust region in practice? TRPO's experiments used $\delta=0.01$. In the table
# above that was left within three steps.

# %% [markdown]
# ## 2. PPO: clip, cell by cell
#
# A constraint needs second-order optimisation. PPO (Schulman et al., 2017) wants the same with a
# loss that any optimiser can minimise:
#
# $$\mathcal L_{\text{PPO}} = -\,\mathrm{mean}\big[\min\big(r\,A,\;
#   \mathrm{clip}(r,\,1-\epsilon,\,1+\epsilon)\,A\big)\big],\qquad
#   r=\exp(\texttt{logps}-\texttt{old\_logps}).$$
#
# The slide takes $r$ for a whole completion; PPO and GRPO take it for each token, with the
# advantage of the completion on all its tokens. The same code does both: it works elementwise. The
# two are different objectives, though. The product of a completion's token ratios is an exact
# importance weight, and varies wildly; a single token's ratio ignores how the prefix became more or
# less likely, and is right to first order around $\pi_{\text{old}}$ only.
#
# Now the clip. It is applied to $r$, *then* multiplied by $A$, and then the **smaller** of the two
# is taken. Three cases by hand, with $\epsilon=.2$:
#
# | $r$ | $A$ | $rA$ | clipped | the smaller | slope in $r$ |
# | --- | --- | --- | --- | --- | --- |
# | 1.5 | +2 | 3.0 | 2.4 | 2.4 | 0 |
# | 0.5 | +2 | 1.0 | 1.6 | 1.0 | +2 |
# | 0.5 | −2 | −1.0 | −1.6 | −1.6 | 0 |
#
# A good answer that is 1.5 times as likely as before has been rewarded enough: no more push. A good
# answer that has become *less* likely, by accident, is pulled back with full force. A bad answer at
# half its probability has been punished enough. One cell is left.

# %% tags=["show"]
predict(
    "A bad answer (A = -2) has become 1.5 times as likely. What is its slope in r?",
    ["0: the ratio is outside the clip range", "-2: it is pushed down with full force"],
    answer=1,
    why="rA = -3 and clipped -2.4: the smaller is -3, the unclipped one. The minimum "
    "only ever removes an incentive to go further; it never removes the one to return.",
)

# %% [markdown]
# ### Exercise: `ppo_clip_loss` (4 points, 15 minutes, ★★)
#
# Write the loss for entries of any shape. Conventions:
#
# - `old_logps` and `advantages` are numbers, even if they arrive with a graph: no gradient reaches
#   them. On the first step `old_logps` may be the very tensor `logps`; then every ratio is 1 and
#   the gradient is that of the plain policy gradient.
# - With a mask, the mean is over the entries that count: their sum divided by their number.
# - **Trap.** Entries that do not count (padding) may hold any finite number. If $e^{1000}=\infty$
#   is computed there and multiplied by a mask of 0, the result is `nan`, and so is the whole
#   gradient. Mask before you exponentiate.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "ppo_clip_loss"}
def ppo_clip_loss(
    logps: torch.Tensor,
    old_logps: torch.Tensor,
    advantages: torch.Tensor,
    eps: float,
    completion_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """PPO's clipped loss, to be minimised.

    Args:
        logps: ln pi of what was drawn, any shape ([B] for completions, [B, T] for
            tokens); carries the graph.
        old_logps: the same under pi_old, same shape and dtype; a constant.
        advantages: same shape and dtype; constants of either sign.
        eps: clip range, > 0; the ratio is clipped to [1 - eps, 1 + eps].
        completion_mask: same shape, 1 or True where an entry counts, 0 or False where
            not; bool, integer or floating; at least one entry counts. Entries that do
            not count may hold any finite numbers. None: all entries count.

    Returns:
        0-d tensor of logps' dtype: minus the mean over the entries that count of
        min(r A, clip(r) A). Its gradient reaches `logps` only. The arguments are not
        changed.

    Source: Schulman et al. (2017), equation 7.
    """
    ### BEGIN SOLUTION
    if completion_mask is None:
        counts = torch.ones_like(logps, dtype=torch.bool)
    else:
        counts = completion_mask.bool()
    log_ratio = (logps - old_logps.detach())[counts]
    A = advantages.detach()[counts]
    ratio = log_ratio.exp()
    return -torch.minimum(ratio * A, ratio.clamp(1 - eps, 1 + eps) * A).mean()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_ppo_clip_loss", "points": 4}
check.ppo_clip_loss(ppo_clip_loss)

# %% [markdown]
# Your loss as a function of the ratio of one sample, and the table of all cells. *(Figure: two
# panels. For a positive advantage the objective rises and is flat above 1.2. For a negative one it
# is flat below 0.8 and falls from there on.)*

# %% tags=["show"]
style.use()
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
ratios = torch.linspace(0.3, 1.8, 151, dtype=torch.float64)
zero = torch.zeros(1, dtype=torch.float64)
for ax, sign, colour in zip(axes, (1.0, -1.0), ("green", "red"), strict=True):
    value = [-float(ppo_clip_loss(r.log()[None], zero, zero + sign, 0.2)) for r in ratios]
    ax.plot(ratios, sign * ratios, "--", color=style.COLOURS["black"], label="r A")
    ax.plot(ratios, value, color=style.COLOURS[colour], lw=2.5, label="what is maximised")
    ax.axvspan(0.8, 1.2, color="0.92", zorder=0)
    ax.set(title=f"A = {sign:+.0f}", xlabel="ratio r", ylabel="objective of one sample")
    ax.legend()
plt.show()
print("slope in r           r = 0.5   r = 0.9   r = 1.1   r = 1.5")
for sign in (1.0, -1.0):
    slopes = []
    for r in (0.5, 0.9, 1.1, 1.5):
        logp = torch.tensor([math.log(r)], dtype=torch.float64, requires_grad=True)
        ppo_clip_loss(logp, zero, zero + sign, 0.2).backward()
        slopes.append(-float(logp.grad) / r + 0.0)
    print(f"advantage {sign:+.0f}      " + "   ".join(f"{s:7.2f}" for s in slopes))

# %% [markdown]
# Two zeros in eight cells. Now reuse the batch of section 1 with your loss.

# %% tags=["show"]
predict(
    "eps = .2, eighty Adam steps on the same sixteen samples. The largest ratio in the "
    "batch ends at about ...",
    ["1.2 exactly", "a little below 1.2", "2.5"],
    answer=2,
    why="The clip stops a sample from pushing itself any further. It does not stop the "
    "other samples, which share parameters with it, nor the optimiser's momentum.",
)

# %% tags=["show"]
clipped = reuse_the_batch(lambda logps, old, A: ppo_clip_loss(logps, old, A, 0.2))
print("step   " + "   ".join(f"{name:>14s}" for name in clipped))
for step in (0, 3, 5, 10, 20, 40, 80):
    print(f"{step:4d}   " + "   ".join(f"{c[step]:14.3f}" for c in clipped.values()))

# %% [markdown]
# *(Figure: two panels against the step. Left, what the batch promises: the plain surrogate climbs
# to five, the clipped run stays near a half. Right, the true gain: the plain run rises and falls
# below zero, the clipped one stays above.)*

# %% tags=["show"]
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for ax, name in zip(axes, ("promised", "true"), strict=True):
    ax.plot(unclipped[name], color=style.COLOURS["red"], label="plain surrogate")
    ax.plot(clipped[name], color=style.COLOURS["green"], label="PPO, eps = .2")
    ax.axhline(0, color="black", lw=0.8)
    ax.set(title=f"{name} gain", xlabel="steps on one batch", ylabel="reward")
axes[0].legend()
plt.show()

# %% [markdown]
# The clip is a brake, not a fence: it bounds the *incentive* of each sample, while the policy still
# drifts. That is why people who train with PPO plot the divergence and the fraction of clipped
# entries, and stop early. And eighty steps remain too many: the best true gain came within the
# first ten.

# %% [markdown]
# ## 3. A group instead of a critic
#
# PPO needs $A_{\text{old}}$, and hence a second network that predicts the value of every prefix.
# GRPO (Shao et al., 2024) draws a **group** of $G$ completions of the same prompt and lets them
# judge each other:
#
# $$\hat A_i = \frac{R_i - \mathrm{mean}(R_1..R_G)}{\mathrm{std}(R_1..R_G) + \texttt{eps}}.$$
#
# The slide writes $\mu(x)$ and $\sigma(x)$ as exact expectations over $\pi_{\text{old}}$. Nobody
# has those; they are the mean and the deviation of the group. *Which* deviation? Dividing the sum
# of squares by $G$ (`ddof=0`, numpy's default) or by $G-1$ (`ddof=1`, torch's default, and what
# the TRL library does) are both in use. For the rewards $(1,0,0,1)$: mean $.5$, sum of squares $1$;
# deviation $.5$ with `ddof=0`, $.577$ with `ddof=1`; advantages $\pm1$ or $\pm.866$.
#
# Dr. GRPO (Liu et al., 2025) does not divide at all: `scale="none"`.

# %% tags=["show"]
print("rewards          mean   std(ddof=0)   (R - mean) / std")
for R in ([1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0], [9.0, 8.0, 8.0, 8.0], [1.0] * 4):
    mean, std = np.mean(R), np.std(R)
    A_hat = (np.array(R) - mean) / (std + 1e-4)
    print(f"{str([int(r) for r in R]):14s} {mean:6.2f}   {std:11.3f}   {A_hat.round(3)}")

# %% [markdown]
# The second and third row are the same advantages: neither the level nor the scale of the rewards
# matters. In the last row all are right, and nobody learns: a group of equal rewards has
# advantages 0 and no gradient, whether all are right or all are wrong.
#
# ### Exercise: `group_advantages` (3 points, 15 minutes, ★★)
#
# One row is one prompt; rows never mix. `eps` is added to the deviation, outside the root, and may
# be 0. What you return multiplies a gradient, so it is a number: detach it (the rewards may contain
# a KL penalty and arrive with a graph).
#
# **Trap.** A group of equal rewards must give exactly 0, also with `eps=0`. That is not what
# the formula gives in floating point: the mean of $(.1, .1, .1)$ is $.10000000000000002$, so
# the deviation is not 0, and $0/0$ becomes $\pm1$. Ask whether the rewards are equal, not whether
# their deviation vanishes.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "group_advantages"}
def group_advantages(
    rewards: torch.Tensor, scale: str = "std", ddof: int = 1, eps: float = 1e-4
) -> torch.Tensor:
    """Advantages of G completions per prompt, relative to their group.

    Args:
        rewards: [B, G], floating point, G completions of each of B prompts.
        scale: "std": (R - mean) / (std + eps); "none": R - mean.
        ddof: 0 or 1; the variance divides by G - ddof. No effect for "none".
        eps: added to the standard deviation, >= 0. No effect for "none".

    Returns:
        [B, G], dtype of `rewards`, without graph. A group whose rewards are all equal
        has advantages exactly 0.0. The argument is not changed.

    Raises:
        ValueError: G < 2, or `scale` is neither "std" nor "none".
    """
    ### BEGIN SOLUTION
    if rewards.shape[1] < 2:
        raise ValueError("a group needs at least two completions")
    if scale not in ("std", "none"):
        raise ValueError('scale is "std" or "none"')
    rewards = rewards.detach()
    advantages = rewards - rewards.mean(1, keepdim=True)
    if scale == "std":
        advantages = advantages / (rewards.std(1, keepdim=True, correction=ddof) + eps)
    equal = rewards.amax(1, keepdim=True) == rewards.amin(1, keepdim=True)
    return advantages.masked_fill(equal, 0.0)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_group_advantages", "points": 3}
check.group_advantages(group_advantages)

# %% [markdown]
# With `scale="none"` you have met these numbers before: they are RLOO's advantages times
# $(G-1)/G$, as assignment 10 found for the group mean. The slide warns of a "biased baseline
# because of the standard deviation"; the *baseline* is innocent, a constant factor. The division is
# not, as section 5 will show.

# %% [markdown]
# ## 4. The GRPO loss, token by token
#
# A completion $i$ of length $|o_i|$ contributes one term per token,
#
# $$\ell_{i,t} = -\min\big(r_{i,t}\hat A_i,\;\mathrm{clip}(r_{i,t},1-\epsilon,1+\epsilon)\hat
#   A_i\big) + \beta\,\big(e^{d_{i,t}} - d_{i,t} - 1\big),\qquad
#   d_{i,t} = \ln\pi_{\text{ref}} - \ln\pi ,$$
#
# with all logarithms at token $t$ of completion $i$. The second part is $k_3$ of assignment 10, with
# the ratio that belongs to samples from $\pi$. DeepSeekMath puts it **in the loss**; the slide puts
# the penalty into the reward ($R_\beta$). Do one of the two, never both.
#
# Then the terms become one number, and here the recipes part. Let $m$ be the mask, $B$ the number
# of completions, and `max_len` a constant, such as the longest completion one allows:
#
# | `norm` | loss | weight of one token |
# | --- | --- | --- |
# | `"grpo"` | $\frac1B\sum_i\frac1{\lvert o_i\rvert}\sum_t m_{i,t}\,\ell_{i,t}$ | $1/(B\,\lvert o_i\rvert)$ |
# | `"bnpo"` | $\sum_{i,t} m_{i,t}\,\ell_{i,t}\,/\,\sum_{i,t}m_{i,t}$ | $1/\text{all tokens}$ |
# | `"dr_grpo"` | $\sum_{i,t} m_{i,t}\,\ell_{i,t}\,/\,(B\cdot\texttt{max\_len})$ | $1/(B\cdot\texttt{max\_len})$ |
#
# (The names are those of TRL; `bnpo` is also how DAPO averages.) An example: a right answer of 2
# tokens with $\hat A=+1$, a wrong one of 4 tokens with $\hat A=-1$, first step ($r=1$), $\beta=0$,
# `max_len=8`.

# %% tags=["show"]
right, wrong = 2, 4
weights = {
    "grpo": (1 / (2 * right), 1 / (2 * wrong)),
    "bnpo": (1 / (right + wrong),) * 2,
    "dr_grpo": (1 / (2 * 8),) * 2,
}
print("norm        weight of a right / a wrong token        loss")
for norm, (w_right, w_wrong) in weights.items():
    loss = -(right * w_right * 1.0) - (wrong * w_wrong * -1.0)
    print(f"{norm:8s}    {w_right:.4f} / {w_wrong:.4f}   {loss:28.4f}")

# %% [markdown]
# In the first row a token of the long wrong answer is punished half as hard as a token of the
# short right answer is praised: this is the length bias that Dr. GRPO removes. Per token, being
# wrong at length is cheap.
#
# ### Exercise: `grpo_loss` (3 points, 20 minutes, ★★★)
#
# The loss of a batch, with the same traps as before: constants stay constants, and padding may
# hold any finite number, in all three log-probabilities. A completion may have no token left (it
# was filtered out): it adds 0 to the sum, and it still counts in $B$. `ref_logps` may be `None`
# when `beta` is 0, since nobody then wants to pay for a second forward pass.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "grpo_loss"}
def grpo_loss(
    logps: torch.Tensor,
    old_logps: torch.Tensor,
    ref_logps: torch.Tensor | None,
    advantages: torch.Tensor,
    completion_mask: torch.Tensor,
    eps: float,
    beta: float,
    norm: str = "grpo",
    max_len: int | None = None,
) -> torch.Tensor:
    """GRPO's loss over the tokens of B completions, to be minimised.

    Args:
        logps: [B, T] ln pi of each token; carries the graph.
        old_logps: [B, T] the same under the policy that drew the tokens; a constant.
        ref_logps: [B, T] the same under the reference, a constant; None if beta is 0.
        advantages: [B], one per completion; constants.
        completion_mask: [B, T], 1 or True on the completion's tokens, 0 or False
            elsewhere; bool, integer or floating. Tokens that do not count may hold any
            finite numbers. A row may be all 0; not all rows are.
        eps: clip range, > 0.
        beta: weight of the k3 penalty in the loss, >= 0.
        norm: "grpo", "bnpo" or "dr_grpo", see the table.
        max_len: the constant of "dr_grpo", which needs it; the others ignore it.

    Returns:
        0-d tensor of logps' dtype. Its gradient reaches `logps` only, through the ratio
        and through the penalty. The arguments are not changed.

    Raises:
        ValueError: an unknown `norm`, or "dr_grpo" without `max_len`.

    Source: Shao et al. (2024), equations 3 and 4; Liu et al. (2025).
    """
    ### BEGIN SOLUTION
    if norm not in ("grpo", "bnpo", "dr_grpo"):
        raise ValueError("unknown norm")
    if norm == "dr_grpo" and max_len is None:
        raise ValueError("dr_grpo needs max_len")
    counts = completion_mask.bool()
    ratio = (logps - old_logps.detach()).masked_fill(~counts, 0.0).exp()
    A = advantages.detach()[:, None]
    tokens = -torch.minimum(ratio * A, ratio.clamp(1 - eps, 1 + eps) * A)
    if beta > 0:
        d = (ref_logps.detach() - logps).masked_fill(~counts, 0.0)
        tokens = tokens + beta * (torch.expm1(d) - d)
    tokens = tokens.masked_fill(~counts, 0.0)
    if norm == "grpo":
        return (tokens.sum(1) / counts.sum(1).clamp(min=1)).mean()
    if norm == "bnpo":
        return tokens.sum() / counts.sum()
    return tokens.sum() / (len(tokens) * max_len)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_grpo_loss", "points": 3}
check.grpo_loss(grpo_loss)

# %% [markdown]
# ### The loss is zero. Is the training broken?
#
# Four completions of one prompt, freshly drawn, rewards $(1,0,0,1)$, no KL penalty. You start the
# training and the first line of the log appears.

# %% tags=["show"]
predict(
    "norm = 'grpo', beta = 0, first step. The log says loss = 0.0000. What happens?",
    [
        "nothing, a loss of 0 has no gradient",
        "only rounding errors move the model",
        "an ordinary policy-gradient step",
    ],
    answer=2,
    why="The value is minus the mean advantage, which is 0 by construction. The gradient "
    "is minus the mean of A times the score, which is not.",
)

# %% tags=["show"]
lengths, R = [2, 4, 3, 1], torch.tensor([[1.0, 0.0, 0.0, 1.0]], dtype=torch.float64)
mask = torch.tensor([[t < n for t in range(4)] for n in lengths])
A = group_advantages(R, ddof=0)[0]
logps = torch.full((4, 4), math.log(0.3), dtype=torch.float64, requires_grad=True)
print("norm         loss      gradient at the first token of each completion")
for norm in ("grpo", "bnpo", "dr_grpo"):
    loss = grpo_loss(logps, logps, None, A, mask, 0.2, 0.0, norm, max_len=8)
    (grad,) = torch.autograd.grad(loss, logps)
    print(f"{norm:8s} {loss.item() + 0.0:8.4f}     {grad[:, 0].numpy().round(4)}")

# %% [markdown]
# Descent adds minus the gradient: the first and the last completion become more likely. All three
# norms do so; only the *value* of the first is zero, and it is so at every batch's first step. The
# other two are not zero because $\sum_i\hat A_i|o_i|\neq0$: the log's loss then measures whether
# right answers are longer than wrong ones, and nothing else. With $\beta>0$ the value grows from 0
# as the policy leaves the reference; it is then $\beta$ times the estimated divergence.
#
# This has puzzled many. There is a public thread titled with exactly this question, and once
# somebody, believing that a zero loss could only work through rounding errors of the GPU, proposed
# to add noise to the advantages (see Further reading). A surrogate is a handle for the gradient;
# do not read its value as a measure of progress.

# %% [markdown]
# ## 5. The bias, enumerated
#
# "Biased" can be checked, not only said. As in assignment 10: one prompt, $V$ outcomes with
# probabilities $p$ and rewards $A$, a softmax policy with scores $e_y-p$, and the mean of an
# estimator over all **ordered** $G$-tuples,
#
# $$\mathbb E[\hat g] = \sum_{(y^1..y^G)} p(y^1)\cdots p(y^G)\;\frac1G\sum_{i=1}^G
#   \hat A_i\,(e_{y^i}-p).$$
#
# Now take GRPO's $\hat A$ with `ddof=0` and `eps=0`. Tuples of equal rewards contribute 0 to the
# sum, but they **stay in the mean**: their probability is not redistributed. Compare with
# $\nabla J=\sum_y p(y)A(y)(e_y-p)$ in two ways: coordinate by coordinate, the ratio
# $\mathbb E[\hat g]/\nabla J$; and the cosine of the angle between the two vectors. A constant
# ratio would be a change of learning rate, and a cosine below 1 is a wrong direction.
#
# For two samples everything can be done in the head: with `ddof=0` the better one of two has
# $\hat A=+1$, the other $-1$, however far apart their rewards are. At $p=(.2,.5,.3)$,
# $A=(3,1,-2)$:

# %% tags=["show"]
p, reward = [0.2, 0.5, 0.3], [3.0, 1.0, -2.0]
mean = np.zeros(3)
for first, second in itertools.product(range(3), repeat=2):
    sign = np.sign(reward[first] - reward[second])
    estimate = sign * (np.eye(3)[first] - np.eye(3)[second]) / 2
    mean += p[first] * p[second] * estimate
true = np.array([p[k] * (reward[k] - np.dot(p, reward)) for k in range(3)])
print("mean of the estimate", mean.round(4))
print("true gradient       ", true.round(4))

# %% [markdown]
# ### Exercise: `grpo_bias` (2 points, 15 minutes, ★★)
#
# Do this for every $G$, with your `group_advantages`, and return ratio and cosine.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "grpo_bias"}
def grpo_bias(
    probs: torch.Tensor, A: torch.Tensor, G: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean of GRPO's gradient estimate (ddof 0, eps 0) against the true gradient.

    Args:
        probs: probabilities of the V outcomes [V], float64, all positive.
        A: reward of each outcome [V], float64; several may be equal, but no
            coordinate of the true gradient is 0.
        G: size of the group, at least 2.

    Returns:
        (ratio, cosine): [V] and 0-d, float64. ratio is E[g_hat] / grad J for each
        coordinate, cosine that of the angle between the two vectors. The mean is over
        all V**G ordered tuples, those of equal rewards included. The arguments are not
        changed.
    """
    ### BEGIN SOLUTION
    scores = torch.eye(len(probs), dtype=probs.dtype, device=probs.device) - probs
    mean = torch.zeros_like(probs)
    for outcome in itertools.product(range(len(probs)), repeat=G):
        y = list(outcome)
        advantages = group_advantages(A[y][None], "std", ddof=0, eps=0.0)[0]
        mean = mean + probs[y].prod() * (advantages @ scores[y]) / G
    true = (probs * A) @ scores
    return mean / true, mean @ true / (mean.norm() * true.norm())
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_grpo_bias", "points": 2}
check.grpo_bias(grpo_bias)

# %% tags=["show"]
p = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
A = torch.tensor([3.0, 1.0, -2.0], dtype=torch.float64)
print("   G    E[estimate] / true gradient      cosine")
for G in range(2, 8):
    ratio, cosine = grpo_bias(p, A, G)
    print(f"{G:4d}    {ratio.numpy().round(4)}       {cosine:.6f}")
deviation = float((p * (A - p @ A) ** 2).sum().sqrt())
print(f"1 / (standard deviation of the reward) = {1 / deviation:.4f}")

# %% [markdown]
# Not one number: GRPO's mean points elsewhere than $\nabla J$, most at small groups. As $G$ grows,
# the group's deviation approaches the true one, and the ratio its inverse, the same for all
# coordinates: for one prompt the bias in direction fades. (It would not fade in proportion to
# $G-1$: no rescaling repairs it.)
#
# Rewards that a program verifies are 0 or 1. Does the direction suffer there as well?

# %% tags=["show"]
predict(
    "Five completions of one prompt, two of them right (reward 1), three wrong (0), any "
    "probabilities. GRPO's mean estimate is ...",
    ["in another direction than the gradient", "exactly parallel to it", "zero"],
    answer=1,
    why="With two reward values, the advantages of a group depend only on how many are "
    "right. The mean is a number times (mean score of right minus mean score of wrong), "
    "and that difference is the gradient of the probability of being right, up to a "
    "factor.",
)

# %% tags=["show"]
five = torch.tensor([0.1, 0.3, 0.2, 0.15, 0.25], dtype=torch.float64)
right = torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0], dtype=torch.float64)
for G in (2, 3, 4):
    ratio, cosine = grpo_bias(five, right, G)
    print(f"G = {G}: ratio {ratio.numpy().round(6)}   cosine {cosine:.12f}")

# %% [markdown]
# One prompt, right or wrong: parallel, with a factor $w_G(P)$ that depends on the group's size and
# on the prompt's success probability $P$ alone. So the bias of GRPO with verified rewards lives
# **between prompts**. For $G\to\infty$ the factor is one over the deviation of a coin,
# $w_\infty(P)=1/\sqrt{P(1-P)}$, and since
#
# $$\frac{d}{dP}\,2\arcsin\sqrt P = \frac1{\sqrt{P(1-P)}},$$
#
# GRPO climbs $\sum_x 2\arcsin\sqrt{P(x)}$ rather than $\sum_x P(x)$ (Davis and Recht, 2025). A
# very hard prompt and a very easy one get more weight than the mean of rewards gives them. *(Figure:
# left, $w_G$ against $P$: a horizontal line at 1 for $G=2$, bowls for 4 and 8, all below the U of
# the limit, which alone is infinite at both ends. Right, $P$ and $2\arcsin\sqrt P$, scaled to
# 0..1: an S that is steep at both ends.)*

# %% tags=["show"]
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
grid = np.linspace(0.02, 0.98, 33)
coin = torch.tensor([1.0, 0.0], dtype=torch.float64)
for G, colour in ((2, "sky"), (4, "green"), (8, "blue")):
    at = [torch.tensor([P, 1 - P], dtype=torch.float64) for P in grid]
    factor = [float(grpo_bias(probs, coin, G)[0][0]) for probs in at]
    axes[0].plot(grid, factor, color=style.COLOURS[colour], label=f"G = {G}")
axes[0].plot(grid, 1 / np.sqrt(grid * (1 - grid)), "--", color="black", label="limit")
axes[0].set(title="Weight of a prompt in GRPO", xlabel="success probability P")
axes[0].set(ylabel="factor on its gradient", ylim=(0, 6))
axes[0].legend()
fine = np.linspace(0, 1, 201)
angle = 2 * np.arcsin(np.sqrt(fine)) / np.pi
axes[1].plot(fine, fine, color=style.COLOURS["orange"], label="P: Dr. GRPO, RLOO")
axes[1].plot(fine, angle, color=style.COLOURS["blue"], label="arcsine: GRPO, large G")
axes[1].set(title="What is climbed", xlabel="success probability P", ylabel="objective")
axes[1].legend()
plt.show()

# %% [markdown]
# A surprise in the flat line: with two completions, rewards 0 or 1, `ddof=0` and `eps=0`, GRPO *is*
# RLOO: both say $\pm1$ when exactly one is right, and nothing otherwise.
#
# ### Does it "not converge"?
#
# The slide says that GRPO is "not supposed to converge in offline/online". Put the KL penalty into
# the reward, as the slide does, and look at $\pi^*\propto\pi_{\text{ref}}\,e^{R/\beta}$. There
# $R_\beta = R-\beta\ln(\pi^*/\pi_{\text{ref}})$ is the same number, $\beta\ln Z$, for every
# completion: all groups tie, all advantages are 0. The optimum is a fixed point of GRPO, biased or
# not. Almost:

# %% tags=["show"]
R = torch.tensor([2.5, 2.0, 1.0, 0.3], dtype=torch.float64)
ref = torch.tensor([0.2, 0.3, 0.4, 0.1], dtype=torch.float64)
beta = 0.5
best = (ref.log() + R / beta).log_softmax(0)
R_beta = (R - beta * (best - ref.log()))[None]
print("R_beta at pi*                  ", R_beta.numpy())
print("largest difference             ", float(R_beta.max() - R_beta.min()))
print("advantages, eps = 1e-4         ", group_advantages(R_beta, ddof=0).numpy())
nearly = 1.0 + 4e-16 * torch.tensor([[1, -1, 1, -1]], dtype=torch.float64)
print("rewards that differ by rounding", (nearly - 1).numpy())
print("  with eps = 0                 ", group_advantages(nearly, ddof=0, eps=0.0).numpy())
print("  with eps = 1e-4              ", group_advantages(nearly, ddof=0).numpy())

# %% [markdown]
# Without `eps`, the last bit of a double decides who is praised. That is what `eps` is for: it says
# below which size a difference of rewards is noise. It should be chosen with the scale of the
# rewards in mind, and it has nothing to do with the clip range.

# %% [markdown]
# ## 6. Rewards that a program verifies
#
# Time to train something. The task: **close the brackets**. A prompt is a beginning like `([(`, a
# completion is right if it balances everything and then ends (written `.` below). Nobody judges;
# a few lines of Python verify. The policy is a Llama with two layers. It was fine-tuned on the text
# of a careless writer who hits a random key every fourth time, and it learnt what supervised
# fine-tuning teaches: to write like the writer, mistakes included.

# %% tags=["train"]
from sft2rl import brackets
from sft2rl.models import copy_of
from sft2rl.sampling import draw_luck, sample

reference = brackets.reference_policy()
prompts = brackets.all_prompts()
depth = torch.tensor([len(brackets.still_open(row)) for row in prompts.tolist()])
drawn = sample(reference, prompts.repeat(4, 1), draw_luck(4 * len(prompts), 7, 8))
score = brackets.verify(drawn.input_ids)
print(f"{len(prompts)} prompts; the fine-tuned model closes {score.mean():.0%} of them\n")
for row in (10, 20, 30, 40):
    verdict = "right" if score[row] else "wrong"
    print(brackets.spell(prompts[row]), "→", brackets.spell(drawn.input_ids[row]), verdict)

# %% [markdown]
# One training step is the whole of this notebook: draw $G=4$ completions of each of the 48
# prompts, verify, compare within the group, and take one step down `grpo_loss`. There is no
# reference text any more, only right and wrong. Three recipes:
#
# | name | `scale` | factor on $\hat A$ | `norm` |
# | --- | --- | --- | --- |
# | GRPO | `"std"` | 1 | `"grpo"` |
# | Dr. GRPO | `"none"` | 1 | `"dr_grpo"` |
# | RLOO | `"none"` | $G/(G-1)$ | `"dr_grpo"` |

# %% tags=["show"]
predict(
    "Same start, same random numbers, Adam. How different are the first learning curves "
    "of Dr. GRPO and RLOO?",
    ["RLOO learns 4/3 as fast", "they are identical", "unrelated, sampling is random"],
    answer=1,
    why="RLOO's loss is 4/3 times Dr. GRPO's, and Adam divides by the size of the "
    "gradient. Only Adam's epsilon and rounding can tell them apart, until some day a "
    "sampled token flips.",
)


# %% tags=["train"]
def token_logps_of(model: torch.nn.Module, input_ids: torch.Tensor) -> torch.Tensor:
    """[B, T - 1] log-probability of every token after the first."""
    logp = model(input_ids).logits[:, :-1].log_softmax(-1)
    return logp.gather(-1, input_ids[:, 1:, None])[..., 0]


def train(recipe: str, seed: int, steps: int = 40, G: int = 4) -> dict[str, np.ndarray]:
    """Train a copy of the reference online; returns what is seen at each step."""
    scale, norm = ("std", "grpo") if recipe == "GRPO" else ("none", "dr_grpo")
    factor = G / (G - 1) if recipe == "RLOO" else 1.0
    model = copy_of(reference)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    seen = {"loss": [], "right": [], "depth 4": [], "tied groups": [], "length": []}
    for step in range(steps):
        dice = draw_luck(G * len(prompts), 1000 * seed + step, brackets.MAX_NEW_TOKENS)
        drawn = sample(model, prompts.repeat_interleave(G, 0), dice)
        mask = drawn.completion_mask[:, 1:]
        R = brackets.verify(drawn.input_ids).view(-1, G)
        A = factor * group_advantages(R, scale).flatten()
        logps = token_logps_of(model, drawn.input_ids)
        old_logps = logps.detach()
        loss = grpo_loss(
            logps, old_logps, None, A, mask, 0.2, 0.0, norm, brackets.MAX_NEW_TOKENS
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen["loss"].append(loss.item())
        seen["right"].append(R.mean().item())
        seen["depth 4"].append(R[depth == 4].mean().item())
        seen["tied groups"].append((R.amax(1) == R.amin(1)).double().mean().item())
        seen["length"].append(mask.sum(1).double().mean().item())
    return {name: np.array(values) for name, values in seen.items()} | {"model": model}


runs = {
    (recipe, seed): train(recipe, seed)
    for recipe, seeds in (("GRPO", (0, 1)), ("Dr. GRPO", (0, 1)), ("RLOO", (0,)))
    for seed in seeds
}

# %% [markdown]
# *(Figure: left, the share of verified completions rises in all runs from a little over one half
# to about five sixths, all five curves in one band. Right, the loss of the GRPO runs stays at zero
# while the share of tied groups climbs.)*

# %% tags=["train"]
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
colours = {"GRPO": "blue", "Dr. GRPO": "orange", "RLOO": "green"}
for (recipe, seed), seen in runs.items():
    style_of = {"color": style.COLOURS[colours[recipe]], "ls": "-" if seed == 0 else ":"}
    axes[0].plot(seen["right"], label=f"{recipe}, seed {seed}", **style_of)
    if recipe == "GRPO":
        axes[1].plot(seen["loss"], color=style.COLOURS["red"], label=f"loss, seed {seed}")
        tied = {"label": f"tied groups, seed {seed}", **style_of}
        axes[1].plot(seen["tied groups"], **tied)
axes[0].set(title="Verified completions", xlabel="step", ylabel="share", ylim=(0.4, 1))
axes[1].set(title="GRPO's loss, and who still learns", xlabel="step", ylabel="value")
for ax in axes:
    ax.legend(fontsize=8)
plt.show()
a, b = runs["Dr. GRPO", 0]["right"], runs["RLOO", 0]["right"]
print("Dr. GRPO and RLOO, seed 0: steps with the same rewards, from the first on:",
      int((np.cumsum(a != b) == 0).sum()), "of", len(a))  # fmt: skip
print("\nshare of right answers   first 10 steps   last 10 steps   depth 4, last 10")
for (recipe, seed), seen in runs.items():
    ends = seen["right"][:10].mean(), seen["right"][-10:].mean(), seen["depth 4"][-10:].mean()
    print(f"{recipe:9s} seed {seed}   " + "   ".join(f"{e:16.3f}" for e in ends))

# %% [markdown]
# What can be said, and what not:
#
# - All recipes beat the writer that the model had copied. The verifier's one bit was enough.
# - Dr. GRPO and RLOO are the same run at first, for the reason in the prediction. Later they are
#   two runs with different luck.
# - The ends of Dr. GRPO and RLOO differ by luck alone. The difference between GRPO and Dr. GRPO,
#   whose updates do follow different laws (section 5), is of the same size: two seeds cannot tell
#   them apart. Whoever shows you one curve of each has shown you nothing. To see a difference you
#   need many seeds, and to understand it you need an enumeration.
# - More and more groups tie, because most prompts are solved. The compute that goes into them is
#   wasted; DAPO (Yu et al., 2025) draws new prompts until the batch is full of untied groups.

# %% tags=["train"]
model = runs["GRPO", 0]["model"].eval()
after = sample(model, prompts.repeat(4, 1), draw_luck(4 * len(prompts), 7, 8))
better = brackets.verify(after.input_ids)
print(f"before {score.mean():.0%}, after {better.mean():.0%} (same random numbers)\n")
for row in (10, 20, 30, 40):
    verdict = "right" if better[row] else "wrong"
    print(brackets.spell(prompts[row]), "→", brackets.spell(after.input_ids[row]), verdict)

# %% [markdown]
# ### Question: a zero in the log (4 points)
#
# A colleague trains with `norm="grpo"`, `scale="std"`, one update per batch, and sends you a log:
# `loss 0.0000`, `reward 0.31` at step 1; `loss 0.0000`, `reward 0.52` at step 200. "The loss is
# stuck at zero, the improvement must be luck or rounding. I shall add noise to the advantages."
# Answer in at most 200 words:
#
# 1. Derive the value of the loss at a batch's first update for $\beta=0$, and the gradient at the
#    same place. Why is one zero and the other not?
# 2. Two changes of the configuration, each of which makes the printed loss differ from 0 although
#    the policy is still the one that drew the batch or has just started to move; say what the
#    printed number then measures.
# 3. "And I divide by the deviation, so that all prompts count the same." Use section 5 to correct
#    this for 0/1 rewards: what does the division do within one prompt, and what between prompts?
# 4. Which two quantities should be plotted instead of the loss, and why those?

# %% [markdown] nbgrader={"schema_version": 3, "solution": true, "grade": true, "locked": false, "task": false, "grade_id": "written_zero_loss", "points": 4}
# **Model answer.** (1) At the first update $r_{i,t}=1$, so the clip is idle and each completion's
# token mean is $-\hat A_i$; the loss is $-\frac1B\sum_i\hat A_i$, and advantages of a group sum to
# 0 because their mean was subtracted. The gradient differentiates the ratio first:
# $\nabla r=\nabla\ln\pi$ at $r=1$, so it is
# $-\frac1B\sum_i\hat A_i\frac1{|o_i|}\sum_t\nabla\ln\pi(o_{i,t})$, a policy gradient. The $\hat
# A_i$ sum to zero, but multiplied by different scores they do not. Noise on the advantages would
# only add variance.
#
# (2) $\beta>0$: the value is $\beta$ times the mean $k_3$, an estimate of the divergence from the
# reference; it starts at 0 and grows. `bnpo` or `dr_grpo`: the value is proportional to
# $-\sum_i\hat A_i|o_i|$ and measures whether better answers are longer. (Also accepted: several
# updates per batch: the value is minus the clipped surrogate, the promised improvement.)
#
# (3) For 0/1 rewards the mean estimate of one prompt stays parallel to $\nabla P$; the division
# only multiplies it by $w_G(P)$, for large groups $1/\sqrt{P(1-P)}$. Between prompts it changes
# the objective: near-hopeless and nearly solved prompts get more weight, $\sum2\arcsin\sqrt P$ is
# climbed instead of $\sum P$. The prompts do not count the same: those whose groups tie count
# nothing.
#
# (4) The mean reward (on fresh or held-out prompts), which is what we want to rise, and the
# divergence from the reference or from the old policy, which is what it costs; or the share of tied
# groups, the clip fraction, the length.
#
# **Rubric.** 1 point: value ($r=1$, advantages sum to zero) *and* gradient (score weighted by
# advantage). 1 point: two valid changes with what the number then measures. 1 point: parallel
# within a prompt, reweighted between prompts (arcsine or $1/\sqrt{P(1-P)}$). 1 point: reward and
# one diagnostic (KL, clip fraction, tied groups, length), each with a reason.

# %% [markdown]
# ## Where the slides need care
#
# - **One letter, two constants.** The GRPO slide uses $\epsilon$ for the clip range (about .2) and
#   for the number added to $\sigma$ (about 1e-4). They have nothing in common.
# - **$\mu(x)$ and $\sigma(x)$** are written as expectations under $\pi_{\text{old}}$. In every
#   implementation they are the mean and deviation of the group; with the exact ones there would be
#   no bias in direction. Which deviation (`ddof`) must be said.
# - **KL in the reward or in the loss.** The slide puts $R_\beta$ into the advantage; DeepSeekMath
#   adds $\beta k_3$ per token to the loss. The gradients differ (assignment 10, section 2).
# - **No $1/|o|$.** The slide's ratio is that of a whole completion; GRPO as published has token
#   ratios and divides by each completion's length.
# - **"Biased baseline because of the standard deviation."** The baseline, the group mean, costs the
#   factor $(G-1)/G$ and nothing else. The division makes the *estimator* biased.
# - **"Not supposed to converge."** With the penalty in the reward, $\pi^*$ is a fixed point, as you
#   saw. What changes is what is climbed on the way, and, between prompts, what is traded for what.
# - **Trust region.** $A_{\text{old}}=Q-V$ on the slide does not say whether $Q$ contains the KL
#   penalty; with $\delta$ or $\epsilon$ in place of $\beta$ it usually does not.
# - **"If $A>0$ we want $r>1$"** is right as a wish. The clip does not enforce an upper bound; it
#   stops rewarding what goes beyond it.
#
# ## What you have learnt
#
# - A batch's surrogate is unbiased for a fixed policy and over-optimistic for the policy that
#   maximises it; TRPO limits $\mathrm{KL}(\pi_{\text{old}}\|\pi)$, PPO removes the incentive.
# - PPO's gradient vanishes in two cells of the plane only, and the ratio leaves the clip range all
#   the same.
# - A group replaces the critic; equal rewards teach nothing; three normalisers weigh tokens
#   differently.
# - The value of a surrogate says nothing: 0 is normal.
# - Division by the group's deviation bends the gradient for graded rewards, and for right/wrong
#   rewards changes how prompts are traded: the arcsine.
#
# ## Further reading
#
# - J. Schulman et al., *Trust region policy optimization*, 2015, arXiv 1502.05477.
# - J. Schulman et al., *Proximal policy optimization algorithms*, 2017, arXiv 1707.06347, equation
#   7 and figure 1.
# - Z. Shao et al., *DeepSeekMath*, 2024, arXiv 2402.03300: GRPO.
# - Z. Liu et al., *Understanding R1-Zero-like training: a critical perspective*, 2025, arXiv
#   2503.20783: Dr. GRPO, length and difficulty bias.
# - Q. Yu et al., *DAPO: an open-source LLM reinforcement learning system at scale*, 2025, arXiv
#   2503.14476: tied groups, token-level means.
# - D. Davis, B. Recht, *What is the objective of reasoning with reinforcement learning?*, 2025,
#   arXiv 2510.13651: the arcsine.
# - The question itself: issue 2703 of the TRL library, "Why does loss start at 0 for first K steps
#   and then increase over time?", 2025.
#
# **Next:** 13 · ShiQ, which gives every token its own credit.

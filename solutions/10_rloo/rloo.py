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
# # 10 · Policy gradient and RLOO
#
# Lecture II.E.1-2 · about 180 minutes, 150 of them for the exercises · 28 points by machine, 4 by hand
#
# **You will be able to**
#
# - measure how far a policy has moved from its reference, exactly and from samples, and say which
#   estimator of the KL divergence is safe for what;
# - derive the policy gradient of the KL-regularised objective and check it to the last digit;
# - write the surrogate loss whose gradient is that estimator, and name what breaks if one `detach`
#   is missing;
# - turn "this estimator is unbiased" from a claim into an equality that a computer verifies;
# - implement leave-one-out baselines (RLOO), find the baseline with the least variance, and
#   correct the slide that prints the wrong one.
#
# **You need** log-probabilities of sequences (01) and the KL-regularised objective of DPO (09).
#
# **Map** 09 · Preferences and DPO → **10 · Policy gradient and RLOO** → 11 · Contrastive policy gradient
#
# **Notation** $\pi$ is the policy we train, $\pi_{\text{ref}}$ the reference, $\beta \ge 0$ the
# strength of the KL penalty, $R$ the reward. All logarithms are natural. `logps` are
# log-probabilities of whole completions: sums over the completion's tokens, end-of-sequence
# included. Everything is computed in float64 on worlds so small that every outcome can be listed.
# An answer that is right there is right, and nothing is left to luck.

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "setup"}
import itertools
import math
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import torch

from sft2rl import style
from sft2rl.checks import rloo as check
from sft2rl.widgets import predict

print("torch", torch.__version__, "· numpy", np.__version__)

# %% [markdown]
# ## 1. How far has the policy moved?
#
# The reward is never quite what we want, so reinforcement learning of language models keeps a
# leash: stay close to the model we started from. The leash is measured by the Kullback-Leibler
# divergence of the policy from the reference,
#
# $$\mathrm{KL}(p\,\|\,q) = \sum_a p(a)\,\ln\frac{p(a)}{q(a)}.$$
#
# Two conventions complete the formula. An outcome that $p$ never produces costs nothing
# ($0\ln 0 = 0$, also when $q(a)=0$), and an outcome that $p$ produces but $q$ never does costs
# infinitely much. Look at one case with numbers before you write it.

# %% tags=["show"]
p, q = [0.5, 0.5, 0.0], [0.8, 0.1, 0.1]
print("  a    p(a)   q(a)   p ln(p/q)")
total = 0.0
for name, pa, qa in zip("abc", p, q, strict=True):
    term = pa * math.log(pa / qa) if pa > 0 else 0.0
    total += term
    print(f"  {name}   {pa:5.2f}  {qa:5.2f}   {term:8.4f}")
print(f"KL(p || q) = {total:.4f}   (single terms may be negative, the sum never is)")

# %% tags=["show"]
predict(
    "With the same p = (.5, .5, 0) and q = (.8, .1, .1): what is KL(q || p)?",
    ["the same, 0.5697", "smaller", "infinite"],
    answer=2,
    why="q gives the third outcome probability .1 and p gives it 0. KL is not "
    "symmetric: KL(p || q) only looks where p has mass.",
)

# %% [markdown]
# ### Exercise: `kl_divergence` (2 points, 5 minutes, ★)
#
# Implement the formula with both conventions, over the last dimension. Beware of arithmetic: in
# floating point `0 * log(0)` is `nan`, and clipping the probabilities away from zero turns an
# infinite divergence into a finite one. Do not use a library's KL.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "kl_divergence"}
def kl_divergence(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Exact Kullback-Leibler divergence KL(p || q), in nats.

    Args:
        p: probabilities [..., V]; the last dimension sums to 1; zeros are allowed.
        q: probabilities, same shape and dtype; zeros are allowed.

    Returns:
        Tensor [...] (0-d for vectors) of p's dtype: 0 ln 0 = 0 whatever q is,
        and +inf where some outcome has p > 0 and q = 0. The arguments are not changed.
    """
    ### BEGIN SOLUTION
    terms = torch.where(p > 0, p * (p.log() - q.log()), torch.zeros_like(p))
    return terms.sum(-1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_kl_divergence", "points": 2}
check.kl_divergence(kl_divergence)

# %% [markdown]
# ## 2. The divergence from samples
#
# A language model has more completions than there are atoms in the universe; the sum over $a$ is
# out of reach. What we do have is a sample $y \sim \pi$ and its log-ratio
#
# $$\Delta = \ln\pi(y) - \ln\pi_{\text{ref}}(y).$$
#
# Schulman's note of 2020 names three estimators of $\mathrm{KL}(\pi\,\|\,\pi_{\text{ref}})$, all
# for samples from $\pi$ (with $\Delta$ as above; his ratio $r$ is
# $\pi_{\text{ref}}/\pi = e^{-\Delta}$):
#
# $$k_1 = \Delta, \qquad k_2 = \tfrac12\Delta^2, \qquad k_3 = e^{-\Delta} - 1 + \Delta.$$
#
# One outcome by hand: $\pi(y)=.6$, $\pi_{\text{ref}}(y)=.3$ gives $\Delta = \ln 2 = .6931$, so
# $k_1=.6931$, $k_2=.2402$ and $k_3 = .5 - 1 + .6931 = .1931$. With the roles exchanged,
# $\Delta=-.6931$: $k_1=-.6931$, $k_2=.2402$, $k_3 = 2 - 1 - .6931 = .3069$.
#
# **Trap.** The sign inside the exponential of $k_3$ depends on who sampled. The mean of
# $e^{\Delta}-1-\Delta$ over $y\sim\pi$ is *not* the divergence; that form belongs to samples from
# $\pi_{\text{ref}}$. Published code has it both ways.
#
# ### Exercise: `kl_estimators` (3 points, 10 minutes, ★★)
#
# Return the three estimators elementwise, one value per sample: no mean, no mask. Keep the graph
# (the next cells differentiate your result).


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "kl_estimators"}
def kl_estimators(
    logp: torch.Tensor, ref_logp: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Schulman's estimators of KL(pi || pi_ref) for samples y ~ pi.

    Args:
        logp: ln pi(y) of each sample, any shape.
        ref_logp: ln pi_ref(y) of the same samples, same shape and dtype.

    Returns:
        The tuple (k1, k2, k3), each of logp's shape and dtype, one value per sample.
        Differentiable in both arguments, which are not changed.
    """
    ### BEGIN SOLUTION
    delta = logp - ref_logp
    return delta, delta**2 / 2, torch.expm1(-delta) + delta
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_kl_estimators", "points": 3}
check.kl_estimators(kl_estimators)

# %% [markdown]
# Because the world is small we can compute the mean and the spread of each estimator exactly, by
# weighting every outcome with its probability. Which of the three means is the divergence?

# %% tags=["show"]
pi = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
ref = torch.tensor([0.3, 0.3, 0.4], dtype=torch.float64)
print(f"exact KL(pi || ref) = {kl_divergence(pi, ref):.4f}\n")
print("estimator   value at a, b, c            mean     std")
names = ("k1", "k2", "k3")
for name, k in zip(names, kl_estimators(pi.log(), ref.log()), strict=True):
    mean = (pi * k).sum()
    std = (pi * (k - mean) ** 2).sum().sqrt()
    values = "  ".join(f"{v:8.4f}" for v in k)
    print(f"{name:9s} {values}   {mean:8.4f} {std:8.4f}")

# %% [markdown]
# $k_1$ and $k_3$ are unbiased; $k_3$ is never negative and here spreads less. $k_2$ is biased, but
# little so when the two policies are close.
#
# ### An estimate is not a loss
#
# Now suppose you *train* on one of them: you sample $y\sim\pi$, compute $k$ and call `backward()`,
# so that the gradient goes through $\ln\pi(y)$ but not through the sampling.

# %% tags=["show"]
predict(
    "k1 is an unbiased estimate of KL(pi || ref). What is the mean of its gradient?",
    ["the gradient of KL(pi || ref)", "zero", "the gradient of KL(ref || pi)"],
    answer=1,
    why="The gradient of k1 is the score grad ln pi(y), whose mean is 0: training on "
    "k1 only adds noise. The mean of k2's gradient is the one you wanted.",
)

# %% tags=["show"]
theta = pi.log().requires_grad_()


def gradient(scalar: torch.Tensor) -> str:
    """The gradient of a scalar with respect to theta, as text."""
    (grad,) = torch.autograd.grad(scalar, theta, retain_graph=True)
    return "  ".join(f"{x + 0.0:8.4f}" for x in grad.numpy().round(9))


logp = theta.log_softmax(-1)
forward = (logp.exp() * (logp - ref.log())).sum()
backward = (ref * (ref.log() - logp)).sum()
print("gradient of KL(pi || ref)      ", gradient(forward))
print("gradient of KL(ref || pi)      ", gradient(backward))
for name, k in zip(names, kl_estimators(logp, ref.log()), strict=True):
    print(f"mean of the gradient of {name}     ", gradient((pi * k).sum()))

# %% [markdown]
# Read it twice, it is the most common mistake about these estimators. As a *loss* on on-policy
# samples, $k_1$ has no effect in mean, $k_2$ (the biased one!) gives exactly the gradient of
# $\mathrm{KL}(\pi\|\pi_{\text{ref}})$, and $k_3$ gives the gradient of the *other* divergence,
# $\mathrm{KL}(\pi_{\text{ref}}\|\pi)$. RLOO, as on the slides, uses none of them as a loss: it
# puts $\beta k_1$ into the *reward*, where it is a number and not a graph.

# %% [markdown]
# ## 3. The divergence of sequences
#
# A completion is a sequence, and its log-probability a sum over tokens. The chain rule splits the
# divergence of sequences into divergences of next-token distributions, averaged over the prefixes
# that the policy itself visits:
#
# $$\mathrm{KL}(\pi\,\|\,\pi_{\text{ref}}) = \mathbb E_{y\sim\pi}\Big[\sum_{t=1}^{|y|}
#   \mathrm{KL}\big(\pi(\cdot|x,y_{<t})\,\big\|\,\pi_{\text{ref}}(\cdot|x,y_{<t})\big)\Big].$$
#
# Each inner divergence is exact: a sum over the whole vocabulary, which the logits give for free.
# The number in the bracket therefore wobbles less than $k_1$, which only looks at the token that
# happened to be drawn (Amini et al., 2025, call this the Rao-Blackwellised estimator). A language
# of two tokens, `A` and the end token `.`, cut off after two tokens, shows it:

# %% tags=["show"]
# next-token probabilities of `A`, after the empty prefix and after `A`
pi_first, pi_second = 0.5, 0.9
ref_first, ref_second = 0.8, 0.5


def kl_of_a_coin(a: float, b: float) -> float:
    """KL between two coins that show `A` with probability a and b."""
    return a * math.log(a / b) + (1 - a) * math.log((1 - a) / (1 - b))


first, second = kl_of_a_coin(pi_first, ref_first), kl_of_a_coin(pi_second, ref_second)
rows = {
    ".": (1 - pi_first, 1 - ref_first, first),
    "A.": (pi_first * (1 - pi_second), ref_first * (1 - ref_second), first + second),
    "AA": (pi_first * pi_second, ref_first * ref_second, first + second),
}
print(" y    pi(y)  ref(y)   k1 = ln pi/ref   sum of exact KL_t")
for y, (a, b, total) in rows.items():
    print(f" {y:3s}  {a:5.3f}   {b:5.3f}   {math.log(a / b):14.4f}   {total:17.4f}")
mean_k1 = sum(a * math.log(a / b) for a, b, _ in rows.values())
mean_sum = sum(a * total for a, _, total in rows.values())
print(f"mean under pi: {mean_k1:21.4f}   {mean_sum:17.4f}   (both are the KL)")

# %% [markdown]
# ### Exercise: `sequence_kl` (2 points, 15 minutes, ★★)
#
# Compute the bracket for a batch. `logits[:, t]` is the distribution from which the token at
# position `t` was drawn (aligned, as for `token_logps` in 01: nothing is shifted here).
# `completion_mask` is 1 on the completion's tokens, up to and including the first end token, and 0
# on prompt and padding, which may stand on either side. Sum over positions, do not average: a long
# completion has moved further. Work with `log_softmax`: a softmax that underflows to 0 would make
# a large but finite divergence infinite.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "sequence_kl"}
def sequence_kl(
    logits: torch.Tensor, ref_logits: torch.Tensor, completion_mask: torch.Tensor
) -> torch.Tensor:
    """Sum over the completion of the exact next-token KL(pi || pi_ref), in nats.

    Args:
        logits: the policy's logits [B, T, V], finite; position t predicts token t.
        ref_logits: the reference's logits, same shape and dtype.
        completion_mask: [B, T], 1 or True on completion tokens, 0 or False on prompt
            and padding; bool, integer or floating.

    Returns:
        Tensor [B] of the logits' dtype, differentiable in `logits`; finite for finite
        logits, 0 for a row without completion tokens. The arguments are not changed.
    """
    ### BEGIN SOLUTION
    logps = logits.log_softmax(-1)
    ref_logps = ref_logits.log_softmax(-1)
    per_token = (logps.exp() * (logps - ref_logps)).sum(-1)
    return (per_token * completion_mask.to(per_token.dtype)).sum(-1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_sequence_kl", "points": 2}
check.sequence_kl(sequence_kl)

# %% [markdown]
# ## 4. The objective and its exact gradient
#
# The objective of the lecture, for one prompt, is the mean reward minus the leash:
#
# $$J(\pi) = \mathbb E_{y\sim\pi}[R(y)] - \beta\,\mathrm{KL}(\pi\,\|\,\pi_{\text{ref}})
#   = \mathbb E_{y\sim\pi}\big[R_\beta^\pi(y)\big], \qquad
#   R_\beta^\pi(y) = R(y) - \beta\ln\frac{\pi(y)}{\pi_{\text{ref}}(y)}.$$
#
# The penalty moves into the reward of each sample: $R_\beta^\pi$ is the reward minus $\beta k_1$.
# The two forms agree in the mean over $y\sim\pi$, not sample by sample.
#
# Example: $R = 2$, $\beta = .5$, $\ln\pi(y) = -3$, $\ln\pi_{\text{ref}}(y) = -5$. The policy likes
# this completion by 2 nats more than the reference does, and pays one unit for it:
# $R_\beta = 2 - .5\cdot 2 = 1$.
#
# ### Exercise: `regularized_reward` (1 point, 5 minutes, ★)
#
# The formula, elementwise. The log-probabilities belong to whole completions; nothing is divided
# by a length, and nothing is detached here (that is the business of whoever uses it).


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "regularized_reward"}
def regularized_reward(
    R: torch.Tensor, logp: torch.Tensor, ref_logp: torch.Tensor, beta: float
) -> torch.Tensor:
    """KL-regularised reward R_beta of each completion.

    Args:
        R: rewards, any shape.
        logp: ln pi(y), summed over the completion's tokens, same shape.
        ref_logp: ln pi_ref(y), same shape.
        beta: strength of the penalty, >= 0.

    Returns:
        Tensor of R's shape and dtype, one value per completion; finite if the arguments
        are. Differentiable in `logp`; the arguments are not changed.
    """
    ### BEGIN SOLUTION
    return R - beta * (logp - ref_logp)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_regularized_reward", "points": 1}
check.regularized_reward(regularized_reward)

# %% [markdown]
# ### The policy gradient theorem
#
# To climb $J$ we need its gradient with respect to the parameters $\theta$ of $\pi$. The policy
# occurs twice in $\mathbb E_{y\sim\pi}[R_\beta^\pi(y)]$: it draws $y$, and it stands inside
# $R_\beta^\pi$. The product rule gives two terms,
#
# $$\nabla J = \sum_y \nabla\pi(y)\,R_\beta^\pi(y) + \sum_y \pi(y)\,\nabla R_\beta^\pi(y)
#  = \mathbb E_{y\sim\pi}\big[R_\beta^\pi(y)\,\nabla\ln\pi(y)\big]
#  {} - \beta\,\mathbb E_{y\sim\pi}[\nabla\ln\pi(y)],$$
#
# where the first used $\nabla\pi = \pi\,\nabla\ln\pi$. The second vanishes, because the **score**
# has mean zero: $\mathbb E_\pi[\nabla\ln\pi] = \sum_y\nabla\pi(y) = \nabla 1 = 0$. What stays is
# the theorem, $\nabla J = \mathbb E_{y\sim\pi}[R_\beta^\pi(y)\,\nabla\ln\pi(y)]$.
#
# Our laboratory is the smallest policy there is: $V$ completions and one logit for each,
# $\pi = \mathrm{softmax}(\theta)$. Its score is the vector $\nabla_\theta\ln\pi(y) = e_y - \pi$
# (one-hot minus probabilities). The cell below prints scores, and a gradient obtained without any
# theorem: nudge each logit, see how $J$ changes.

# %% tags=["show"]
theta = torch.tensor([0.0, 0.5, -0.5], dtype=torch.float64)
R = torch.tensor([3.0, 1.0, -2.0], dtype=torch.float64)
ref = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
beta = 0.5


def objective(theta: torch.Tensor) -> torch.Tensor:
    """J(theta) = E[R] - beta KL(pi || ref) of the softmax policy."""
    pi = theta.softmax(-1)
    return (pi * R).sum() - beta * kl_divergence(pi, ref)


pi = theta.softmax(-1)
print("pi =", pi.numpy().round(4), f"  J = {objective(theta):.4f}")
for y in range(3):
    score = torch.eye(3, dtype=torch.float64)[y] - pi
    print(f"score of y = {y}:", score.numpy().round(4), f" weight pi(y) = {pi[y]:.4f}")
h = 1e-5 * torch.eye(3, dtype=torch.float64)
slopes = [(objective(theta + h[a]) - objective(theta - h[a])) / 2e-5 for a in range(3)]
print("slope of J along each logit:", [round(float(s), 6) for s in slopes])

# %% [markdown]
# ### Exercise: `policy_gradient_exact` (3 points, 15 minutes, ★★)
#
# Compute $\sum_y \pi(y)\,R_\beta^\pi(y)\,\nabla_\theta\ln\pi(y)$ exactly for the softmax policy.
# It is the gradient of $J$ (uphill), a sum weighted by $\pi$: there is no other mean in it. It may
# not depend on a constant added to all logits. What you return is a number, also when `theta`
# requires a gradient: detach it.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "policy_gradient_exact"}
def policy_gradient_exact(
    theta: torch.Tensor, R: torch.Tensor, ref: torch.Tensor, beta: float
) -> torch.Tensor:
    """Gradient of J(theta) = E_pi[R] - beta KL(pi || ref), with pi = softmax(theta).

    Args:
        theta: logits [V], finite, float64; not changed.
        R: reward of each of the V completions [V].
        ref: probabilities of the reference [V], all positive.
        beta: strength of the penalty, >= 0 (0 is allowed).

    Returns:
        float64 tensor [V], without graph: the sum over y of
        pi(y) R_beta(y) grad ln pi(y). Finite for all finite logits, also where a
        probability underflows to 0.
    """
    ### BEGIN SOLUTION
    logp = theta.detach().log_softmax(-1)
    pi = logp.exp()
    reward = regularized_reward(R, logp, ref.log(), beta)
    scores = torch.eye(len(pi), dtype=pi.dtype, device=pi.device) - pi  # rows e_y - pi
    return (pi * reward) @ scores
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_policy_gradient_exact", "points": 3}
check.policy_gradient_exact(policy_gradient_exact)

# %% tags=["show"]
mine = policy_gradient_exact(theta, R, ref, beta)
print("your gradient      ", mine.numpy().round(6))
print("slopes from above  ", np.array([float(s) for s in slopes]).round(6))

# %% [markdown]
# ## 5. From the theorem to a loss
#
# With a batch of $B$ samples $y_i\sim\pi$ the mean becomes an average, $\widehat{\nabla J} =
# \frac1B\sum_i R_\beta^\pi(y_i)\,\nabla\ln\pi(y_i)$. Frameworks want a scalar to differentiate,
# and they descend. So we hand them a **surrogate**: any scalar whose gradient is
# $-\widehat{\nabla J}$. Its value means nothing; do not plot it as if it were a loss.
#
# The coefficient $R_\beta^\pi(y_i)$ contains $\ln\pi(y_i)$ too, and here lies the trap: it must
# enter the surrogate as a *number*. In the theorem the second term of the product rule is already
# gone.
#
# Two samples by hand, $\beta=.5$: $R=(2,0)$, $\ln\pi=(-3,-1)$, $\ln\pi_{\text{ref}}=(-5,-1)$ give
# $R_\beta=(1,0)$. So the surrogate's derivative with respect to the two `logps` is
# $(-\tfrac12, 0)$: make the first more likely, leave the second alone.
#
# ### Exercise: `reinforce_surrogate` (3 points, 15 minutes, ★★)
#
# Return such a scalar, to be minimised. `logps` carries a graph; no gradient may reach `ref_logps`
# or `R`. The hidden tests use samples that do *not* come from $\pi$, since there no error cancels.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "reinforce_surrogate"}
def reinforce_surrogate(
    logps: torch.Tensor, ref_logps: torch.Tensor, R: torch.Tensor, beta: float
) -> torch.Tensor:
    """A loss whose gradient is minus the policy-gradient estimate of the batch.

    Args:
        logps: ln pi(y_i) [B], summed over tokens, with graph.
        ref_logps: ln pi_ref(y_i) [B]; a constant, even if it carries a graph.
        R: rewards [B]; constants too.
        beta: strength of the penalty, >= 0.

    Returns:
        0-d tensor of logps' dtype. Only its gradient is fixed: with respect to logps[i]
        it is -R_beta(y_i) / B; nothing flows to ref_logps or R. The arguments are not
        changed.
    """
    ### BEGIN SOLUTION
    coefficient = regularized_reward(R, logps, ref_logps, beta).detach()
    return -(coefficient * logps).mean()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_reinforce_surrogate", "points": 3}
check.reinforce_surrogate(reinforce_surrogate)

# %% [markdown]
# What does a missing `detach` cost? It depends on how the surrogate is written. Below, two ways to
# write it, each with and without `detach`, in exact expectation over samples from $\pi$
# (on-policy) and over samples from a fixed uniform $\mu$ (off-policy):

# %% tags=["show"]
leaf = theta.clone().requires_grad_()
logp, mu = leaf.log_softmax(-1), torch.full((3,), 1 / 3, dtype=torch.float64)
attached = R - beta * (logp - ref.log())
one = torch.exp(logp - logp.detach())  # equals 1, its gradient is the score
surrogates = {
    "R_b.detach() * logp": attached.detach() * logp,
    "R_b.detach() * ratio": attached.detach() * one,
    "R_b * logp": attached * logp,
    "R_b * ratio": attached * one,
}
print(f"{'mean gradient of':22s}{'on-policy':>28s}{'off-policy':>32s}")
for name, value in surrogates.items():
    columns = []
    for weights in (pi, mu):
        (g,) = torch.autograd.grad((weights * value).sum(), leaf, retain_graph=True)
        columns.append("  ".join(f"{x:8.4f}" for x in g))
    print(f"{name:22s}{columns[0]:>28s}{columns[1]:>32s}")
print("the theorem           ", "  ".join(f"{x:8.4f}" for x in mine))

# %% [markdown]
# The last row is sly. Attached to a ratio, the extra term is $-\beta\nabla\ln\pi$: mean zero
# on-policy, so every test on fresh samples passes, and wrong as soon as the samples are somebody
# else's. Attached to `logp`, the extra term is $-\beta\ln\pi\,\nabla\ln\pi$, which is wrong
# everywhere.

# %% [markdown]
# ## 6. Unbiased? List everything and see
#
# An estimator $\hat g(y^1,\dots,y^K)$ built from $K$ independent samples is random. Its mean is a
# finite sum over all **ordered** $K$-tuples of outcomes,
#
# $$\mathbb E[\hat g] = \sum_{(y^1,\dots,y^K)\in\{1..V\}^K}
#   \pi(y^1)\cdots\pi(y^K)\;\hat g(y^1,\dots,y^K),$$
#
# and "unbiased" is the equality $\mathbb E[\hat g]=\nabla J$, true or false to 15 digits. Order
# matters: $(a,b)$ and $(b,a)$ are two tuples, and $(a,a)$ is one.

# %% tags=["show"]
probs = [0.2, 0.5, 0.3]
print("K = 2, p = (.2, .5, .3): the nine tuples and their probabilities")
for first in range(3):
    row = [f"({first},{j}) {probs[first] * probs[j]:.2f}" for j in range(3)]
    print("   ", "   ".join(row))

# %% [markdown]
# ### Exercise: `expected_estimator` (2 points, 15 minutes, ★★)
#
# Write the sum. `estimator(rewards, scores)` is a function that you receive: for one tuple it gets
# the $K$ rewards $A(y^i)$ and the $K$ scores $\nabla\ln\pi(y^i) = e_{y^i}-\pi$ of a softmax
# policy, in the order of the tuple, and returns a tensor. Do not assume that it ignores the order,
# or that it returns a vector.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "expected_estimator"}
def expected_estimator(
    probs: torch.Tensor,
    A: torch.Tensor,
    K: int,
    estimator: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Exact mean of an estimator over K independent samples from `probs`.

    Args:
        probs: probabilities of the V outcomes [V], float64.
        A: reward (or advantage) of each outcome [V], float64.
        K: number of samples, >= 1.
        estimator: called as estimator(rewards, scores), rewards [K] and scores [K, V];
            row i of scores is one_hot(y_i) - probs. Returns a float64 tensor whose
            shape is the same for all tuples (0-d, vector or matrix).

    Returns:
        Tensor of the estimator's shape: its values at all V**K ordered tuples, weighted
        with their probabilities. The arguments are not changed.
    """
    ### BEGIN SOLUTION
    scores = torch.eye(len(probs), dtype=probs.dtype, device=probs.device) - probs
    total = 0.0
    for sample in itertools.product(range(len(probs)), repeat=K):
        y = list(sample)
        total = total + probs[y].prod() * estimator(A[y], scores[y])
    return total
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_expected_estimator", "points": 2}
check.expected_estimator(expected_estimator)

# %% [markdown]
# ## 7. Baselines, and leaving one out
#
# A number $b$ that does not depend on the sample may be subtracted from its reward for free, since
# $\mathbb E_{y\sim\pi}[b\,\nabla\ln\pi(y)] = 0$. It keeps the mean and changes the variance. Think
# of rewards 101, 99 and 98: without a baseline every sample shouts "more of me", and only the
# difference of large numbers carries information.
#
# Where to take $b$ from? With $K$ completions of the same prompt, the obvious choice is their mean
# reward. But the mean of the group contains the sample's own reward, so it *does* depend on the
# sample. RLOO (reinforce leave-one-out) asks only the others:
#
# $$b_i = \frac1{K-1}\sum_{j\ne i} R_\beta(y^j), \qquad
#   \hat g = \frac1K\sum_{i=1}^K \big(R_\beta(y^i) - b_i\big)\,\nabla\ln\pi(y^i).$$
#
# Numbers: a group of $K=4$ with rewards $(4, 2, 1, 1)$ sums to 8. The first one's baseline is
# $(8-4)/3 = 1.33$ and its advantage $2.67$; the second's baseline is $(8-2)/3 = 2$ and its
# advantage $0$. The group mean, 2, would give the first $2$: too modest by the factor $(K-1)/K$.

# %% tags=["show"]
predict(
    "Use the group mean, own reward included, as baseline with K = 2. "
    "What is the mean of the estimator?",
    ["the true gradient", "half of it", "zero", "a vector in another direction"],
    answer=1,
    why="The own reward's share is 1/K, so (K-1)/K of the gradient is left, in the "
    "right direction. At K = 2 half the signal is gone.",
)

# %% [markdown]
# ### Exercise: `loo_baseline` (2 points, 5 minutes, ★)
#
# The baseline of every sample of every prompt. One row is one prompt; rows never mix. With $K=1$
# nobody is left to ask: raise `ValueError`.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "loo_baseline"}
def loo_baseline(rewards: torch.Tensor) -> torch.Tensor:
    """Leave-one-out baseline: the mean reward of the other samples of the same prompt.

    Args:
        rewards: [B, K], K completions of each of B prompts, floating point.

    Returns:
        Tensor [B, K] of the same dtype; entry (b, i) does not depend on rewards[b, i].
        The argument is not changed.

    Raises:
        ValueError: if K < 2.
    """
    ### BEGIN SOLUTION
    k = rewards.shape[1]
    if k < 2:
        raise ValueError("leave-one-out needs at least two samples per prompt")
    return (rewards.sum(1, keepdim=True) - rewards) / (k - 1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_loo_baseline", "points": 2}
check.loo_baseline(loo_baseline)

# %% [markdown]
# ### Exercise: `rloo_advantages` (2 points, 10 minutes, ★)
#
# The coefficient $R_\beta(y^i) - b_i$ of every sample. Regularise first, then leave one out: the
# baseline averages the others' $R_\beta$, KL included. No division by a standard deviation. What
# you return multiplies a score, so it is a number: detach it.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "rloo_advantages"}
def rloo_advantages(
    rewards: torch.Tensor, logps: torch.Tensor, ref_logps: torch.Tensor, beta: float
) -> torch.Tensor:
    """RLOO advantages R_beta(y_i) - b_i of K completions per prompt.

    Args:
        rewards: R(y) [B, K].
        logps: ln pi(y) [B, K], summed over tokens; may carry a graph.
        ref_logps: ln pi_ref(y) [B, K].
        beta: strength of the penalty, >= 0.

    Returns:
        Tensor [B, K] of rewards' dtype, detached. The arguments are not changed.

    Raises:
        ValueError: if K < 2.
    """
    ### BEGIN SOLUTION
    regularized = regularized_reward(rewards, logps, ref_logps, beta).detach()
    return regularized - loo_baseline(regularized)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_rloo_advantages", "points": 2}
check.rloo_advantages(rloo_advantages)

# %% [markdown]
# ### Exercise: `rloo_gradient` (2 points, 15 minutes, ★★)
#
# The estimate $\hat g$ for one prompt and the softmax policy of section 4: $K$ samples `y` are
# given as indices, and may repeat. Mind the $1/K$. The check lists all tuples and asks for
# $\mathbb E[\hat g]=\nabla J$. Like the exact gradient it is a number, without graph.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "rloo_gradient"}
def rloo_gradient(
    theta: torch.Tensor,
    y: torch.Tensor,
    R: torch.Tensor,
    ref: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """RLOO estimate of the gradient of J from K samples of one prompt.

    Args:
        theta: logits of the softmax policy [V], finite, float64; not changed.
        y: the samples [K], int64 indices into 0..V-1, K >= 2; repeats allowed.
        R: reward of each of the V completions [V].
        ref: probabilities of the reference [V], all positive.
        beta: strength of the penalty, >= 0.

    Returns:
        float64 tensor [V], without graph: the mean over the K samples of
        (R_beta(y_i) - b_i) grad ln pi(y_i).
    """
    ### BEGIN SOLUTION
    logp = theta.detach().log_softmax(-1)
    rows = (R[y][None], logp[y][None], ref.log()[y][None])
    advantages = rloo_advantages(*rows, beta)[0]
    one_hot = torch.eye(len(logp), dtype=logp.dtype, device=logp.device)[y]
    scores = one_hot - logp.exp()
    return advantages @ scores / len(y)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_rloo_gradient", "points": 2}
check.rloo_gradient(rloo_gradient)

# %% [markdown]
# Now the measurement that the whole section is about. Each estimator's exact mean, divided
# coordinate by coordinate by the true gradient. The last row of each block divides by the standard
# deviation of the group, as GRPO does (assignment 12).

# %% tags=["show"]
p = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
A = torch.tensor([3.0, 1.0, -2.0], dtype=torch.float64)
true = expected_estimator(p, A, 1, lambda rewards, scores: rewards @ scores)


def mean_baseline(rewards: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """The group mean as baseline, own reward included."""
    return (rewards - rewards.mean()) @ scores / len(rewards)


def leave_one_out(rewards: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Your leave-one-out baseline."""
    return (rewards - loo_baseline(rewards[None])[0]) @ scores / len(rewards)


def std_normalised(rewards: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Centred and divided by the group's population standard deviation."""
    spread = rewards.std(correction=0) + 1e-8
    return (rewards - rewards.mean()) / spread @ scores / len(rewards)


print("true gradient", true.numpy().round(4))
print("\nmean of the estimator / true gradient")
for K in (2, 3, 4):
    print(f"K = {K}")
    for estimator in (leave_one_out, mean_baseline, std_normalised):
        ratio = expected_estimator(p, A, K, estimator) / true
        print(f"   {estimator.__name__:15s}", ratio.numpy().round(4))

# %% [markdown]
# Leave-one-out: 1, 1, 1. The mean baseline shrinks everything by $(K-1)/K$, a change of learning
# rate and nothing worse. Dividing by the standard deviation is another kind of animal: the three
# ratios differ (.32, .20, .28 at $K=2$), so the *direction* is off. At $K=2$ it only counts who
# won, not by how much.

# %% [markdown]
# ## 8. The best constant baseline
#
# Which $b$ makes the variance least? Start with a scalar: one parameter, score $g(y)$ with
# $\mathbb E[g]=0$, advantage $A(y)$. The slide expands
#
# $$\mathrm{Var}\big((A-b)\,g\big) = \mathbb E\big[(A-b)^2g^2\big] - \big(\mathbb E[A\,g]\big)^2$$
#
# and concludes $b^* = \mathrm{Cov}(A,g)/\mathrm{Var}(g) + \mathbb E[A]$. The expansion is right.
# The figure draws the variance against $b$ for $p=(.2,.5,.3)$, $A=(3,1,-2)$, $g=(1,-.4,0)$ and
# marks the slide's value. *(Figure: a parabola that opens upwards; the slide's mark sits on its
# left flank, not at the bottom.)*

# %% tags=["show"]
g = torch.tensor([1.0, -0.4, 0.0], dtype=torch.float64)


def variance(b: float) -> float:
    """Exact variance of (A - b) g."""
    x = (A - b) * g
    return float((p * x**2).sum() - (p * x).sum() ** 2)


mean_A, mean_g = (p * A).sum(), (p * g).sum()
cov = (p * (A - mean_A) * (g - mean_g)).sum()
slide = float(cov / (p * (g - mean_g) ** 2).sum() + mean_A)
grid = np.linspace(-0.5, 4.5, 101)
fig, ax = style.figure("Variance of (A - b) g", "baseline b", "variance")
ax.plot(grid, [variance(b) for b in grid], color=style.COLOURS["blue"])
marks = (
    ("no baseline", 0.0, "black"),
    ("E[A]", float(mean_A), "green"),
    ("the slide's b*", slide, "red"),
)
for name, b, colour in marks:
    label = f"{name}: b = {b:.3f}"
    ax.plot(b, variance(b), "o", color=style.COLOURS[colour], label=label)
ax.legend()
plt.show()

# %% [markdown]
# The slide misses the bottom. One symbol in its covariance is not what the expansion asks for. Set
# the derivative of the expansion with respect to $b$ to zero and solve.
#
# ### Exercise: `optimal_baseline_scalar` (3 points, 15 minutes, ★★)
#
# Return the $b$ at the bottom of the parabola. Your check compares with the variance itself: it
# must not fall when $b$ moves to either side.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "optimal_baseline_scalar"}
def optimal_baseline_scalar(
    probs: torch.Tensor, A: torch.Tensor, g: torch.Tensor
) -> torch.Tensor:
    """The constant b that minimises Var((A - b) g) over outcomes drawn from `probs`.

    Args:
        probs: probabilities of the V outcomes [V], float64.
        A: advantage (or reward) of each outcome [V].
        g: score of each outcome [V], scalars with mean zero under `probs`, not all 0.

    Returns:
        0-d float64 tensor. The arguments are not changed.
    """
    ### BEGIN SOLUTION
    weight = probs * g**2
    return (weight * A).sum() / weight.sum()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_optimal_baseline_scalar", "points": 3}
check.optimal_baseline_scalar(optimal_baseline_scalar)

# %% [markdown]
# A model has more than one parameter. The score is then a vector $g(y)\in\mathbb R^P$ and the
# variance a matrix; we minimise its trace, the sum of the variances of the $P$ coordinates, with
# **one** $b$ for all of them. The expansion is the same with $\|g\|^2$ in place of $g^2$, so you
# know the answer up to one word. For the softmax scores $e_y-\pi$ at $p=(.2,.5,.3)$ and
# $A=(3,1,-1)$ it is .8774, and $\mathbb E[A]=.8$ is close but not equal.
#
# **Trap.** Averaging the $P$ optimal scalars weighs a parameter that hardly moves as much as one
# that moves a lot.
#
# ### Exercise: `optimal_baseline_vector` (2 points, 10 minutes, ★★★)


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "optimal_baseline_vector"}
def optimal_baseline_vector(
    probs: torch.Tensor, A: torch.Tensor, G: torch.Tensor
) -> torch.Tensor:
    """The constant b that minimises the trace of Cov((A - b) g) for vector scores.

    Args:
        probs: probabilities of the V outcomes [V], float64.
        A: advantage (or reward) of each outcome [V].
        G: scores [V, P]; row y is g(y); each column has mean zero under `probs`.
            A column may be all zeros (a parameter that nothing moves), G not.

    Returns:
        0-d float64 tensor: one baseline for all P coordinates. The arguments are not
        changed.
    """
    ### BEGIN SOLUTION
    weight = probs * (G**2).sum(1)
    return (weight * A).sum() / weight.sum()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_optimal_baseline_vector", "points": 2}
check.optimal_baseline_vector(optimal_baseline_vector)

# %% [markdown]
# ### Look at the estimates
#
# The scores of three outcomes lie in a plane (their coordinates sum to zero), so an estimate is a
# point on paper. The widget draws all $3^K$ of them for four estimators, each with an area
# proportional to its probability. The star is $\nabla J$; the cross is the mean of the cloud.
# Everything is exact, weights from your `expected_estimator`, baselines from yours. Things to try:
#
# - shift all rewards by $+5$: which clouds move, and which do not?
# - go from $K=2$ to $K=4$: does the cross of the mean baseline reach the star?
# - make one outcome nearly certain. Who still learns anything?
#
# *(Widget: four panels of point clouds around a star, one per estimator; sliders for the rewards,
# their common shift, two logits and K; each panel's title gives bias and variance.)*

# %% tags=["show"]
from sft2rl.widgets_rloo import clouds


def no_baseline(rewards: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Plain policy gradient."""
    return rewards @ scores / len(rewards)


def best_constant(probs: torch.Tensor, A: torch.Tensor) -> Callable:
    """Your optimal constant baseline: needs to know every probability and reward."""
    b = optimal_baseline_vector(probs, A, torch.eye(len(A), dtype=A.dtype) - probs)
    return lambda rewards, scores: (rewards - b) @ scores / len(rewards)


clouds(
    expected_estimator,
    {
        "no baseline": lambda probs, A: no_baseline,
        "group mean": lambda probs, A: mean_baseline,
        "leave-one-out": lambda probs, A: leave_one_out,
        "best constant": best_constant,
    },
)

# %% [markdown]
# ### What the variance costs, and what it buys
#
# Variance against $K$, exact, for rewards $(3,1,-1)$ and for the same rewards plus 5. A constant
# added to all rewards does not change the problem. *(Figure: two panels with falling curves; no
# baseline lies low on the left and very high on the right; leave-one-out and the best constant are
# the same curves in both.)*


# %% tags=["show"]
def trace_variance(A: torch.Tensor, K: int, estimator: Callable) -> float:
    """Sum over coordinates of the exact variance of an estimator under p."""
    mean = expected_estimator(p, A, K, estimator)
    square = expected_estimator(p, A, K, lambda r, s: estimator(r, s) ** 2)
    return float((square - mean**2).sum())


style.use()
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
for ax, shift in zip(axes, (0.0, 5.0), strict=True):
    A = torch.tensor([3.0, 1.0, -1.0], dtype=torch.float64) + shift
    curves = (
        ("no baseline", no_baseline, "black"),
        ("leave-one-out", leave_one_out, "green"),
        ("best constant", best_constant(p, A), "purple"),
    )
    for name, estimator, colour in curves:
        Ks = range(2 if name == "leave-one-out" else 1, 7)
        spread = [trace_variance(A, K, estimator) for K in Ks]
        ax.plot(Ks, spread, "o-", color=style.COLOURS[colour], label=name)
    ax.set(title=f"rewards {A.tolist()}", xlabel="samples K", yscale="log")
axes[0].set_ylabel("variance (trace)")
axes[0].legend()
plt.show()

# %% [markdown]
# On the left, RLOO with $K=2$ is *worse* than no baseline: one other sample is a noisy judge, and
# the rewards happen to be nearly centred. On the right nobody centred them. Leave-one-out needs no
# luck and no second network, and its price falls quickly with $K$. That robustness, more than the
# last bit of variance, is why it is used.
#
# The same story as a learning curve: five completions with rewards around 5, $K=4$ samples per
# step, ten seeds. Regret is $J(\pi^*)-J(\pi)$ with $\pi^*\propto\pi_{\text{ref}}\,e^{R/\beta}$.
# *(Figure: both curves start at the same regret; RLOO falls smoothly towards zero in all seeds;
# without a baseline the mean stalls above zero and the band between best and worst seed stays
# wide.)*

# %% tags=["train"]
R = torch.tensor([5.0, 4.0, 6.0, 4.5, 5.5], dtype=torch.float64)
ref = torch.full((5,), 0.2, dtype=torch.float64)
beta, K, steps, rate = 0.25, 4, 300, 0.1
best = beta * torch.logsumexp(ref.log() + R / beta, 0)


def train(use_rloo: bool, seed: int) -> list[float]:
    """Regret after each step of stochastic gradient ascent from uniform."""
    generator = torch.Generator().manual_seed(seed)
    theta, curve = torch.zeros(5, dtype=torch.float64), []
    for _ in range(steps):
        pi = theta.softmax(-1)
        curve.append(float(best - (pi * R).sum() + beta * kl_divergence(pi, ref)))
        y = torch.multinomial(pi, K, replacement=True, generator=generator)
        if use_rloo:
            grad = rloo_gradient(theta, y, R, ref, beta)
        else:
            leaf = theta.clone().requires_grad_()
            logps = leaf.log_softmax(-1)[y]
            loss = reinforce_surrogate(logps, ref.log()[y], R[y], beta)
            grad = -torch.autograd.grad(loss, leaf)[0]
        theta = theta + rate * grad
    return curve


fig, ax = style.figure("Ten seeds of each", "step", "regret J(pi*) - J(pi)")
kinds = (("no baseline", False, "black"), ("RLOO", True, "green"))
for label, use_rloo, colour in kinds:
    runs = np.array([train(use_rloo, seed) for seed in range(10)])
    ax.plot(runs.mean(0), color=style.COLOURS[colour], label=label)
    ax.fill_between(
        range(steps), runs.min(0), runs.max(0), color=style.COLOURS[colour], alpha=0.15
    )
ax.legend()
plt.show()

# %% [markdown]
# ## 9. What the proof really needs
#
# Why is RLOO unbiased? The proof on the slide multiplies the estimator out. The rewards give the
# desired gradient; what remains are the baselines, and under the last underbrace the slide prints
# $R(y^j)\,\nabla\ln\pi(y^j)$ and claims that its mean is zero. You know the mean of that term from
# section 4. It is not zero, and you will put the line right below.
#
# First its assumption. The slide's margin says "i.i.d. or exchangeable". Exchangeable means that
# permuting the samples does not change their joint law. Is that enough? Two exchangeable ways to
# draw $K$ samples from a uniform policy: copy one draw $K$ times, or draw **without replacement**.

# %% tags=["show"]
predict(
    "Three equally likely completions, K = 2, drawn without replacement (so always two "
    "different ones). The mean of RLOO's estimate is ...",
    ["the true gradient", "half of it", "1.5 times it", "zero"],
    answer=2,
    why="Knowing that y1 was good makes a good y2 less likely: the baseline is pushed "
    "down exactly when the reward is high, which exaggerates the difference.",
)

# %% [markdown]
# Distinct completions are a natural wish (why pay for the same answer twice?), and samplers such
# as beam search or deduplication grant it. So measure the price. Without replacement, the first
# sample is drawn from $p$, the next from $p$ restricted to what is left and renormalised, and so
# on; the probability of an ordered tuple of different outcomes is
#
# $$q(y^1,\dots,y^K) = \prod_{i=1}^{K}\frac{p(y^i)}{1-\sum_{j<i}p(y^j)}.$$
#
# With $p=(.2,.5,.3)$: $q(0,1) = .2\cdot\frac{.5}{.8} = .125$, but
# $q(1,0) = .5\cdot\frac{.2}{.5} = .2$.
#
# ### Exercise: `rloo_bias_without_replacement` (1 point, 15 minutes, ★★)
#
# Return the bias $\mathbb E_q[\hat g_{\text{RLOO}}] - \nabla J$ for rewards $A$ and softmax scores
# $e_y - p$, where $\nabla J = \mathbb E_{y\sim p}[A(y)(e_y-p)]$ is the gradient under ordinary
# sampling. The scores are those of $p$: the policy has not changed, only the way it is sampled.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "rloo_bias_without_replacement"}
def rloo_bias_without_replacement(
    probs: torch.Tensor, A: torch.Tensor, K: int
) -> torch.Tensor:
    """Bias of RLOO when its K samples are drawn one by one without replacement.

    Args:
        probs: probabilities of the V outcomes [V], float64, all positive.
        A: reward of each outcome [V], float64.
        K: number of samples, 2 <= K <= V.

    Returns:
        Tensor [V]: mean of the RLOO estimate (with its 1/K) over all ordered tuples of
        different outcomes, minus the exact gradient. The arguments are not changed.

    Raises:
        ValueError: if K < 2 or K > V.
    """
    ### BEGIN SOLUTION
    if not 2 <= K <= len(probs):
        raise ValueError("need 2 <= K <= V")
    scores = torch.eye(len(probs), dtype=probs.dtype, device=probs.device) - probs
    mean = torch.zeros_like(probs)
    for sample in itertools.permutations(range(len(probs)), K):
        y = list(sample)
        taken = probs[y].cumsum(0) - probs[y]  # mass drawn before each sample
        weight = (probs[y] / (1 - taken)).prod()
        advantages = A[y] - (A[y].sum() - A[y]) / (K - 1)
        mean = mean + weight * (advantages @ scores[y]) / K
    return mean - (probs * A) @ scores
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_rloo_bias_without_replacement", "points": 1}
check.rloo_bias_without_replacement(rloo_bias_without_replacement)

# %% tags=["show"]
uniform = torch.full((3,), 1 / 3, dtype=torch.float64)
A = torch.tensor([3.0, 1.0, -2.0], dtype=torch.float64)
true = expected_estimator(uniform, A, 1, no_baseline)
bias = rloo_bias_without_replacement(uniform, A, 2)
print("true gradient              ", true.numpy().round(4))
print("mean without replacement   ", (true + bias).numpy().round(4))
print("ratio                      ", ((true + bias) / true).numpy().round(4))

# %% [markdown]
# ### Question: where does the proof use independence? (4 points)
#
# In at most 200 words:
#
# 1. In the slide's proof, the underbrace that is said to be zero contains
#    $R(y^j)\,\nabla\ln\pi(y^j)$. Which index is wrong, what should the term be, and what is the
#    mean of the term as printed?
# 2. Name the one step that needs independence of $y^i$ and $y^j$, and say why it fails for samples
#    that are merely exchangeable. Use your measurement, or the case of $K$ identical copies, as
#    the counterexample.
# 3. The group mean (own reward included) also violates the proof, and is harmless; division by the
#    group's standard deviation is not. Why?

# %% [markdown] nbgrader={"schema_version": 3, "solution": true, "grade": true, "locked": false, "task": false, "grade_id": "written_independence", "points": 4}
# **Model answer.** (1) The score must carry the index of the outer sum: the cross term is
# $R(y^j)\,\nabla\ln\pi(y^i)$ with $j\neq i$. As printed, both factors belong to the same sample
# and the mean is $\mathbb E[R\,\nabla\ln\pi]=\nabla J$, not 0; the "proof" would then show that
# RLOO estimates $\nabla J-\nabla J=0$.
#
# (2) Independence is used when the mean of the product is split, $\mathbb
# E[R(y^j)\nabla\ln\pi(y^i)] = \mathbb E[R(y^j)]\,\mathbb E[\nabla\ln\pi(y^i)]$; only then does the
# score identity give 0. Exchangeability only says that the joint law is symmetric; the two samples
# may still be correlated, and then the cross term is a covariance. Without replacement from three
# equally likely outcomes the samples are exchangeable, and the mean is 1.5 times the gradient.
# With $K$ identical copies every reward equals its baseline and the estimate is always 0.
#
# (3) The group mean is $\frac1K R_i + \frac{K-1}{K} b_i$, so the advantage is exactly
# $\frac{K-1}{K}$ times the leave-one-out advantage: a constant factor that a learning rate
# absorbs. The standard deviation depends on all samples, $y^i$ included, and differs from tuple to
# tuple; it reweighs the tuples, so the mean has another direction than $\nabla J$.
#
# **Rubric.** 1 point: the right term, $R(y^j)\nabla\ln\pi(y^i)$ with $j\ne i$, and that the
# printed one has mean $\nabla J$. 1 point: the factorisation of the mean of the product is named
# as the step. 1 point: a valid counterexample that is exchangeable but dependent (1.5 times the
# gradient, or 0 for copies), with the reason. 1 point: mean baseline is a constant factor
# $(K-1)/K$, std is a random factor that changes the direction.

# %% [markdown]
# ## Where the slides need care
#
# - **Optimal baseline.** The formula with $\mathrm{Cov}(A,g)/\mathrm{Var}(g)$ is not the
#   minimiser; the covariance is with the *square* of the score, as you found in section 8. The
#   slide also speaks of the "variance of the loss"; what a baseline reduces is the variance of the
#   gradient estimate. And $\mathbb E[A]$, its approximation, is the expected reward, not a "target
#   distribution"; it is optimal only where $A$ and $g^2$ are uncorrelated.
# - **Proof of unbiasedness.** Under the last brace the score has the wrong index (your written
#   answer), and the margin's "exchangeable" is not enough: the samples must be independent given
#   the prompt.
# - **"A baseline keeps the gradient unbiased"** holds for $y\sim\pi$. With samples from another
#   policy, where the score's mean is not zero, the baseline changes what is learnt. That is the
#   subject of 11.
# - **Policy gradient estimator.** The slide's coefficient $R_\beta^\pi$ contains the policy; in
#   code it must be detached.
# - **KL inside the expectation over $y$.** $\mathrm{KL}(\pi\|\pi_{\text{ref}})$ does not depend on
#   $y$; written inside, it is a constant. The form with the log-ratio is equal in expectation
#   only.
#
# ## What you have learnt
#
# - $k_1$ and $k_3$ estimate the divergence without bias, but neither is a loss for it on on-policy
#   samples; $k_2$ is.
# - $\nabla J = \mathbb E_\pi[R_\beta^\pi\,\nabla\ln\pi]$, and the surrogate's coefficient is a
#   number.
# - A baseline is free when it is independent of the sample it judges. Leave-one-out is, the group
#   mean almost, the standard deviation is not.
# - The best constant weighs rewards by the squared length of the score; leave-one-out needs none
#   of that knowledge.
# - For small worlds "unbiased" is an equality that you can check.
#
# ## Further reading
#
# - R. Williams, *Simple statistical gradient-following algorithms for connectionist reinforcement
#   learning*, 1992: REINFORCE and baselines.
# - E. Greensmith, P. Bartlett, J. Baxter, *Variance reduction techniques for gradient estimates in
#   reinforcement learning*, 2004: the optimal constant baseline.
# - W. Kool, H. van Hoof, M. Welling, *Buy 4 REINFORCE samples, get a baseline for free!*, 2019:
#   leave-one-out. Their *Estimating gradients for discrete random variables by sampling without
#   replacement*, 2020, arXiv 2002.06043, shows how to do it properly without replacement.
# - J. Schulman, *Approximating KL divergence*, 2020 (blog): the estimators $k_1, k_2, k_3$.
# - A. Amini, T. Vieira, R. Cotterell, *Better estimation of the KL divergence between language
#   models*, 2025, arXiv 2504.10637: the sum of exact next-token divergences never varies more than
#   $k_1$.
# - A. Ahmadian et al., *Back to basics: revisiting REINFORCE style optimization for learning from
#   human feedback in LLMs*, 2024, arXiv 2402.14740: RLOO for language models.
#
# **Next:** 11 · Contrastive policy gradient, where the samples are somebody else's.

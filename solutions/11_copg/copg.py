# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 11 · Contrastive policy gradient
#
# Lecture II.E.3 · about 180 minutes, 131 of them for the exercises · 24 points by machine, 4 by hand
#
# **You will be able to**
#
# - learn from samples that another policy drew, with importance weights, and say when that breaks;
# - compute the variance and the effective sample size of an importance-sampling estimate exactly;
# - write the CoPG objective with the right sign and the right $\beta/2$, and show what each slip
#   converges to;
# - prove in two lines of code that CoPG is RLOO with two samples, up to a factor 2;
# - reproduce the offline bandit of the paper and say *correctly* which methods fail, and why.
#
# **You need** 09 (DPO, IPO) and 10 (policy gradient, RLOO).
#
# **Map** 10 · Policy gradient and RLOO → **11 · Contrastive policy gradient** → 12 · Trust regions, PPO and GRPO

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "setup"}
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display

from sft2rl import style, widgets_copg
from sft2rl.checks import copg as check
from sft2rl.widgets import predict

style.use()
print("torch", torch.__version__, "· matplotlib", matplotlib.__version__)

# %% [markdown]
# ## 0. One bandit for the whole notebook
#
# A whole completion is one action here: three *arms*, three "completions" to the same prompt. The
# setting is that of the CoPG paper (Flet-Berliac et al., 2024, section 5) and of the slides:
#
# | | arm 0 | arm 1 | arm 2 |
# | --- | --- | --- | --- |
# | reward $R$ | 2.5 | 2 | 1 |
# | reference $\pi_\text{ref}$ | 1/3 | 1/3 | 1/3 |
# | first sampler $\mu_1$ | 0.10 | 0.20 | 0.70 |
# | second sampler $\mu_2$ | 0.05 | 0.05 | 0.90 |
#
# The data were drawn by somebody who mostly liked the *worst* arm. You never get to draw again:
# this is what *offline* means. With $h(y) = \ln\pi(y) - \ln\pi_\text{ref}(y)$ and
# $R_\beta^\pi(y) = R(y) - \beta\,h(y)$, everything in this notebook tries to **maximise**
#
# $$J(\pi) = \mathbb E_{y\sim\pi}\big[R_\beta^\pi(y)\big]
#          = \mathbb E_{y\sim\pi}[R(y)] - \beta\,\mathrm{KL}(\pi\,\|\,\pi_\text{ref}),$$
#
# whose maximiser is $\pi_*(y) = \pi_\text{ref}(y)\,e^{R(y)/\beta}/Z$, with $J(\pi_*) = \beta\ln Z$.
# A policy is judged by its **regret** $J(\pi_*) - J(\pi)$. A short computation worth doing on
# paper: the regret is $\beta\,\mathrm{KL}(\pi\,\|\,\pi_*)$, so it is never negative and is zero
# only at $\pi_*$.
#
# **Conventions of this notebook.** `logp`, `mu_logp` and `ref` are natural logarithms of
# probabilities under $\pi$, the sampler $\mu$ and the reference; `mu1`, `mu2`, `pi`, `mu` are
# probabilities; `theta` are logits, $\pi = \mathrm{softmax}(\theta)$; `R` are rewards. Everything
# is float64. Nothing in a graded function is random: data come in as arguments.

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "bandit"}
REWARDS = torch.tensor([2.5, 2.0, 1.0], dtype=torch.float64)
REF = torch.full((3,), 1 / 3, dtype=torch.float64).log()
MU1 = torch.tensor([0.10, 0.20, 0.70], dtype=torch.float64)
MU2 = torch.tensor([0.05, 0.05, 0.90], dtype=torch.float64)
BETA = 0.5


def regret(pi, R, ref, beta):
    """J(pi_*) - J(pi) of each policy, [...]; pi is [..., Y], R and ref (ln pi_ref) are [Y]."""
    best = beta * torch.logsumexp(ref + R / beta, 0)
    return best - (pi * (R - beta * (pi.log() - ref))).sum(-1)


def offline_pairs(mu1, mu2, R, n, seed):
    """Draw n pairs once and for all.

    Returns `y ~ mu1` and `y2 ~ mu2`, [n] long, and two answers to "does the first
    win?", [n] bool: one drawn from Bradley-Terry, P = sigmoid(R(y) - R(y2)), and one
    deterministic, R(y) > R(y2).
    """
    generator = torch.Generator().manual_seed(seed)
    y = torch.multinomial(mu1, n, replacement=True, generator=generator)
    y2 = torch.multinomial(mu2, n, replacement=True, generator=generator)
    coin = torch.rand(n, generator=generator, dtype=torch.float64)
    return y, y2, coin < torch.sigmoid(R[y] - R[y2]), R[y] > R[y2]


# %% tags=["show"]
pi_star = torch.softmax(REF + REWARDS / BETA, 0)
print("optimal policy  ", pi_star.numpy().round(4))
print(f"J(optimal)       {BETA * torch.logsumexp(REF + REWARDS / BETA, 0):.4f}")
for name, pi in {
    "reference": REF.exp(),
    "greedy": torch.tensor([1 - 2e-12, 1e-12, 1e-12], dtype=torch.float64),
    "first sampler": MU1,
}.items():
    print(f"regret({name})".ljust(22), f"{regret(pi, REWARDS, REF, BETA):.4f}")

# %% [markdown]
# Note the second regret: at $\beta = 0.5$ the *greedy* policy, always arm 0, is far from optimal. A
# method that collapses onto the best arm has failed here as surely as one that never leaves the
# reference.

# %% [markdown]
# ## 1. Learning from somebody else's samples
#
# $J$ is an expectation under $\pi$, but the data come from $\mu$: an older checkpoint, another
# temperature, another inference engine, another lab. Importance sampling changes the measure,
#
# $$\mathbb E_{y\sim\pi}[f(y)] = \mathbb E_{y\sim\mu}\big[w(y)\,f(y)\big],\qquad
#   w(y) = \frac{\pi(y)}{\mu(y)},$$
#
# which holds whenever $\mu(y) > 0$ for each $y$ with $\pi(y) f(y)\neq 0$: the **support
# condition**. A completion is a sequence of tokens, and its probability is a *product*, so the
# sequence-level weight is one number per completion:
#
# $$w(x,y) = \prod_{t}\frac{\pi(y_t\,|\,x,y_{<t})}{\mu(y_t\,|\,x,y_{<t})}
#   = \exp\Big(\sum_t \ln\pi(y_t\,|\,x,y_{<t}) - \ln\mu(y_t\,|\,x,y_{<t})\Big).$$
#
# A worked example first, on the bandit, with a policy $\pi = (0.6, 0.3, 0.1)$ and samples of
# $\mu_1$.

# %% tags=["show"]
pi = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
print("arm   pi    mu    w = pi/mu")
for arm in range(3):
    print(f" {arm}   {pi[arm]:.2f}  {MU1[arm]:.2f}   {pi[arm] / MU1[arm]:.4f}")
w = pi / MU1
print(
    f"E_mu[w]   = {(MU1 * w).sum():.4f}   (always 1 when the support condition holds)"
)
print(f"E_mu[w R] = {(MU1 * w * REWARDS).sum():.4f}")
print(f"E_pi[R]   = {(pi * REWARDS).sum():.4f}")

print("\ntwo tokens, pi: 0.5, 0.2 · mu: 0.25, 0.4  ->  ratios 2 and 0.5, w = 1.0")
print("the product, not the mean of the ratios (1.25)")

# %% [markdown]
# ### Exercise: `importance_weights` (1 point, 5 minutes, ★)
#
# From token log-probabilities to one weight per completion. Padded positions hold 0 in **both**
# inputs, so they need no mask. Add the log-ratios first and exponentiate once: a thousand
# probabilities multiplied together underflow to 0, and 0/0 is not a weight. Keep the graph to
# `logp`.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "importance_weights"}
def importance_weights(logp: torch.Tensor, mu_logp: torch.Tensor) -> torch.Tensor:
    """Sequence-level weights w = pi(y|x) / mu(y|x).

    Args:
        logp: [B, T] ln pi(y_t | x, y_<t) of each completion's tokens; 0 at padding.
        mu_logp: [B, T] the same tokens under the sampler mu; 0 at padding.

    Returns:
        [B] weights, dtype of `logp`, neither clipped nor normalised; differentiable
        in `logp`.
    """
    ### BEGIN SOLUTION
    return (logp - mu_logp).sum(-1).exp()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_importance_weights", "points": 1}
check.importance_weights(importance_weights)

# %% [markdown]
# ## 2. The whole objective, reweighted
#
# Which part of $J$ does the weight multiply? Two unbiased estimates from samples $y_i\sim\mu$:
#
# $$\hat J_\text{all} = \frac1N\sum_i w_i\,\Big(R(y_i) - \beta\ln\frac{\pi(y_i)}{\pi_\text{ref}(y_i)}\Big)
#   \qquad\text{or}\qquad
#   \hat J_\text{KL} = \frac1N\sum_i \Big(w_i\,R(y_i) - \beta\,\mathrm{KL}(\pi\,\|\,\pi_\text{ref})\Big).$$
#
# The slide shows the second. There the KL divergence is **exact**: a sum over all completions,
# which is possible for three arms and hopeless for text. The tempting repair replaces it by the
# log-ratio of the sample, *without* a weight. That estimates
# $-\beta\,\mathbb E_\mu[\ln\pi/\pi_\text{ref}]$: no KL divergence of anything.

# %% tags=["show"]
predict(
    "With pi = (0.6, 0.3, 0.1), samples of mu1 and beta = 0.5, J(pi) = 2.10. You weigh "
    "the reward, but not the log-ratio of the sample. What do you get on average?",
    [
        "2.10, it is a KL estimate after all",
        "less than 2.10",
        "2.60, more than J(pi_*)",
    ],
    answer=2,
    why="mu1 mostly draws arm 2, which pi has made unlikely: its log-ratio is very "
    "negative, so the penalty turns into a bonus. The estimate, 2.60, exceeds the best "
    "possible J, 2.13.",
)

# %% tags=["show"]
log_ratio = pi.log() - REF
kl = (pi * log_ratio).sum()
weighted = w * REWARDS
print(f"J(pi)                          {pi @ (REWARDS - BETA * log_ratio):.4f}")
print(f"E_mu[w (R - beta log-ratio)]   {MU1 @ (weighted - BETA * w * log_ratio):.4f}")
print(f"E_mu[w R] - beta KL            {MU1 @ weighted - BETA * kl:.4f}")
print(
    f"E_mu[w R - beta log-ratio]     {MU1 @ (weighted - BETA * log_ratio):.4f}  wrong"
)

# %% [markdown]
# ### Exercise: `is_objective` (3 points, 10 minutes, ★★)
#
# Both estimates in one function: without `kl`, the first; with `kl`, the second. From here on
# log-probabilities are those of whole completions, `[N]`. Divide by $N$, not by $\sum_i w_i$: the
# self-normalised estimate has less variance, but it is biased. Nothing is detached: the weight
# depends on $\pi$.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "is_objective"}
def is_objective(
    logp: torch.Tensor,
    mu_logp: torch.Tensor,
    ref: torch.Tensor,
    R: torch.Tensor,
    beta: float,
    kl: torch.Tensor | None = None,
) -> torch.Tensor:
    """Unbiased off-policy estimate of J(pi), to be maximised.

    Args:
        logp: [N] ln pi(y_i), of completions y_i drawn from mu.
        mu_logp: [N] ln mu(y_i).
        ref: [N] ln pi_ref(y_i).
        R: [N] rewards.
        beta: strength of the KL regularisation.
        kl: None, or the exact KL(pi || pi_ref): 0-d, or [N], one per sample's prompt.

    Returns:
        0-d tensor: the mean of w R_beta, or with `kl` the mean of w R - beta kl.
        Differentiable in `logp` and `kl`, through the weight too.
    """
    ### BEGIN SOLUTION
    w = (logp - mu_logp).exp()
    if kl is None:
        return (w * (R - beta * (logp - ref))).mean()
    return (w * R - beta * kl).mean()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_is_objective", "points": 3}
check.is_objective(is_objective)

# %% [markdown]
# ## 3. Its gradient
#
# The off-policy policy gradient (paper, equation 6) is
#
# $$\nabla J = \mathbb E_{y\sim\mu}\big[w(y)\,(R_\beta^\pi(y) - b)\,\nabla\ln\pi(y)\big],$$
#
# where $b$ does not depend on the sample. The baseline is free **because the weight is there**:
# $\mathbb E_\mu[w\,\nabla\ln\pi] = \mathbb E_\pi[\nabla\ln\pi] = 0$. Without the weight,
# $\mathbb E_\mu[\nabla\ln\pi]\neq 0$ and the baseline changes the answer. Section 7 turns on it.
#
# A *surrogate* is a scalar made only so that autograd returns this gradient. Its value means
# nothing. Two derivatives lurk: $\nabla w = w\,\nabla\ln\pi$, and $\nabla\ln\pi$ itself. Use one of
# them, not both.
#
# Autograd on `is_objective` gives the same thing with a particular baseline, because $R_\beta^\pi$
# depends on $\pi$ as well:
# $\nabla\big(w R_\beta^\pi\big) = w\,(R_\beta^\pi - \beta)\,\nabla\ln\pi$, that is $b = \beta$.
#
# ### Exercise: `is_gradient_surrogate` (2 points, 10 minutes, ★★)
#
# Return a 0-d tensor whose gradient with respect to `logp` is
# $\frac1N\,w_i\,(R_\beta^\pi(y_i)-b_i)$. It is to be **maximised**: no minus sign. Only the
# gradient is graded.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "is_gradient_surrogate"}
def is_gradient_surrogate(
    logp: torch.Tensor,
    mu_logp: torch.Tensor,
    ref: torch.Tensor,
    R: torch.Tensor,
    beta: float,
    baseline: float | torch.Tensor = 0.0,
) -> torch.Tensor:
    """A scalar whose gradient is the importance-sampled policy gradient (ascent).

    Args:
        logp: [N] ln pi(y_i), of completions y_i drawn from mu; carries the graph.
        mu_logp: [N] ln mu(y_i).
        ref: [N] ln pi_ref(y_i).
        R: [N] rewards.
        beta: strength of the KL regularisation.
        baseline: a number or an [N] tensor, treated as a constant.

    Returns:
        0-d tensor. Its gradient in `logp` is w_i (R_beta(y_i) - baseline_i) / N, with w
        and R_beta = R - beta (logp - ref) at their current values. Its value is free.
    """
    ### BEGIN SOLUTION
    w = (logp - mu_logp).exp()
    coefficient = w * (R - beta * (logp - ref) - baseline)
    return (coefficient.detach() * logp).mean()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_is_gradient_surrogate", "points": 2}
check.is_gradient_surrogate(is_gradient_surrogate)

# %% [markdown]
# ## 4. The price: variance
#
# "Very big variance", say the slides. How big can be computed. For one sample,
#
# $$\mathrm{Var}_\mu(w f) = \mathbb E_\mu[(wf)^2] - \big(\mathbb E_\mu[wf]\big)^2
#   = \sum_y \frac{\pi(y)^2 f(y)^2}{\mu(y)} - \big(\mathbb E_\pi[f]\big)^2,$$
#
# and the mean of $N$ samples has this divided by $N$. The sum says where the trouble is: arms that
# $\pi$ likes and $\mu$ hardly draws. On a batch of weights, the usual diagnosis is Kish's
# **effective sample size**
#
# $$\mathrm{ESS} = \frac{\big(\sum_i w_i\big)^2}{\sum_i w_i^2}\in[1, N]:$$
#
# as many equally weighted samples as would be worth the same. Four weights: $(1,1,1,1)$ give 4,
# $(1,0,0,0)$ give 1, $(6,\,1.5,\,0.143,\,0.143)$ give 1.58.
#
# **If $\mu(y)=0<\pi(y)$** the arm never comes up. The estimator is then *biased*, since it misses
# that term, while its variance under $\mu$ is finite: the samples agree with each other on a wrong
# value. As $\mu(y)\to0^+$, on the other hand, the variance grows without bound. We report that
# limit, `inf`, as the honest warning.
#
# ### Exercise: `effective_sample_size` (1 point, 3 minutes, ★)


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "effective_sample_size"}
def effective_sample_size(w: torch.Tensor) -> torch.Tensor:
    """Kish's effective sample size (sum w)^2 / sum w^2.

    Args:
        w: [N] weights, non-negative, at least one of them positive; any scale.

    Returns:
        0-d tensor between 1 and N, dtype of `w`.
    """
    ### BEGIN SOLUTION
    return w.sum().square() / w.square().sum()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_effective_sample_size", "points": 1}
check.effective_sample_size(effective_sample_size)

# %% [markdown]
# ### Exercise: `is_variance` (1 point, 8 minutes, ★)
#
# The exact variance of **one** sample's $w f$ under $\mu$, by summing over all actions. Two corner
# cases: an action with $\mu=\pi=0$ contributes nothing (no `nan` from 0/0), and an action with
# $\mu=0<\pi$ makes the result `inf`.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "is_variance"}
def is_variance(pi: torch.Tensor, mu: torch.Tensor, f: torch.Tensor) -> torch.Tensor:
    """Variance of w(y) f(y), w = pi/mu, for one y ~ mu; exact, by enumeration.

    Args:
        pi: [Y] probabilities of the target policy.
        mu: [Y] probabilities of the sampler; may contain zeros.
        f: [Y] the function to average; not zero where mu is zero.

    Returns:
        0-d tensor, dtype of `pi`: E_mu[(w f)^2] - (E_mu[w f])^2, or inf if some action
        has mu = 0 < pi. Actions with mu = pi = 0 contribute nothing.
    """
    ### BEGIN SOLUTION
    if ((mu == 0) & (pi > 0)).any():
        return torch.full((), float("inf"), dtype=pi.dtype)
    drawn = mu > 0
    wf = pi[drawn] / mu[drawn] * f[drawn]
    return (mu[drawn] * wf.square()).sum() - (mu[drawn] * wf).sum().square()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_is_variance", "points": 1}
check.is_variance(is_variance)

# %% tags=["show"]
predict(
    "One token has E_mu[w^2] = 4.06 (our pi against mu1). A completion has 10 such "
    "tokens, drawn independently. What is E_mu[w^2] of the whole completion?",
    ["40.6", "4.06", "about 1.2 million"],
    answer=2,
    why="The weights of the tokens multiply, and so do their second moments: 4.064^10 is "
    "1.2e6. The variance grows exponentially in the length.",
)

# %% [markdown]
# The figure: relative standard deviation of the weight against the number of tokens, on a log
# scale, for a sampler close to $\pi$ and for $\mu_1$. The curve of $\mu_1$ is a straight line, that
# is exponential growth, past $10^6$ at 20 tokens; that of the close sampler starts gently, but
# grows exponentially too (4 % per token in $\mathbb E[w^2]$). Dots are what your `is_variance` says
# of the product distribution, up to 8 tokens.

# %% tags=["show"]
fig, ax = style.figure(
    "The weight of a completion explodes with its length",
    "tokens per completion",
    "standard deviation of w (log scale)",
)
lengths = np.arange(1, 21)
samplers = {"mu close to pi": torch.tensor([0.5, 0.35, 0.15]).double(), "mu1": MU1}
for (name, mu), colour in zip(samplers.items(), ["blue", "red"], strict=True):
    second = float((pi**2 / mu).sum())
    ax.semilogy(lengths, np.sqrt(second**lengths - 1), color=style.COLOURS[colour])
    joint_pi, joint_mu, dots = pi, mu, []
    for _ in range(8):
        dots.append(float(is_variance(joint_pi, joint_mu, torch.ones_like(joint_pi))))
        joint_pi = torch.outer(joint_pi, pi).flatten()
        joint_mu = torch.outer(joint_mu, mu).flatten()
    label = f"{name}: E[w²] = {second:.3f} per token"
    ax.plot(
        range(1, 9), np.sqrt(dots), "o", color=style.COLOURS[colour], label=label, ms=4
    )
ax.set_xticks(range(0, 21, 5))
ax.legend()
plt.show()

# %% [markdown]
# **Play.** The sampler is $\mu\propto\pi\,R^{-s}$: slide $s$ away from 0 and watch the weights, the
# effective sample size and 1000 estimates of $\mathbb E_\pi[R]$ (a histogram around the dashed true
# value). The quietest sampler is *not* $\mu=\pi$: find an $s$ that beats it. (Theory:
# $\mu\propto\pi\,|f|$ is best; for a positive $f$ its variance is exactly zero.) Then tick the box,
# so that the best arm is never drawn: the histogram is narrow, confident and wrong.

# %% tags=["show"]
widgets_copg.importance_lab(effective_sample_size, is_variance, REWARDS)

# %% [markdown]
# ## 5. CoPG: compare two samples, and drop the weights
#
# Contrastive policy gradient takes **two** completions of the same prompt, from any samplers, and
# no weight at all. With $R^\pi_{\beta/2}(y) = R(y) - \tfrac\beta2 h(y)$, the paper's equation 7
# (the slides' equation 5) is
#
# $$\ell(y,y';\pi) = \big(R^\pi_{\beta/2}(y)-R^\pi_{\beta/2}(y')\big)\,h(y)
#                  + \big(R^\pi_{\beta/2}(y')-R^\pi_{\beta/2}(y)\big)\,h(y').$$
#
# Write $\Delta R = R(y)-R(y')$ and $\Delta h = h(y)-h(y')$, and it becomes a parabola in one
# variable:
#
# $$\ell = \Big(\Delta R - \frac\beta2\,\Delta h\Big)\,\Delta h
#        = \frac1{2\beta}\Big[\Delta R^2 - (\Delta R - \beta\,\Delta h)^2\Big].$$
#
# Three things to read off.
#
# - It opens downwards: $\ell$ is to be **maximised**. Minimised, it runs to $-\infty$.
# - Its top is at $\Delta h = \Delta R/\beta$, which is what $\pi_*$ has for *every* pair:
#   $\ln\frac{\pi_*(y)}{\pi_\text{ref}(y)} - \ln\frac{\pi_*(y')}{\pi_\text{ref}(y')} = \frac{R(y)-R(y')}{\beta}$.
#   So which sampler drew the pairs does not matter, as long as they compare all arms.
# - $\frac{d\ell}{d\Delta h} = \Delta R - \beta\,\Delta h = R^\pi_\beta(y) - R^\pi_\beta(y')$:
#   **$\beta/2$ in the objective, $\beta$ in the gradient**, because $R^\pi_{\beta/2}$ itself
#   depends on $\pi$ and is *not* detached.
#
# Numbers: $R=2.5$, $R'=1$, $\beta=0.5$, $h=0.4$, $h'=-0.2$. Then $\Delta R=1.5$, $\Delta h=0.6$,
# $\ell = (1.5-0.15)\cdot0.6 = 0.81$, and the gradient pushes $\Delta h$ up with strength
# $1.5-0.3 = 1.2$.
#
# The figure: for this pair, objective against $\Delta h$, each shifted and scaled to compare
# shapes. CoPG peaks at $\Delta R/\beta = 3$; IPO peaks at $1/(2\beta) = 1$ *whatever the rewards
# are*; DPO with a label that never errs keeps rising.

# %% tags=["show"]
gap = np.linspace(-1, 8, 200)
curves = {
    "CoPG: top at ΔR/β": ((1.5 - BETA / 2 * gap) * gap, "blue"),
    "R_β for R_β/2: top at ΔR/2β": ((1.5 - BETA * gap) * gap, "orange"),
    "IPO: top at 1/2β": (-((gap - 1 / (2 * BETA)) ** 2) / 8, "green"),
    "DPO, label never errs: no top": (-np.log1p(np.exp(-BETA * gap)), "red"),
}
fig, ax = style.figure(
    "One pair, ΔR = 1.5, β = 0.5: what each method wants",
    "Δh = h(y) − h(y')  (nats)",
    "objective (to be maximised)",
)
for name, (values, colour) in curves.items():
    ax.plot(gap, values, color=style.COLOURS[colour], label=name)
ax.axvline(1.5 / BETA, color="black", ls=":", lw=1)
ax.text(1.5 / BETA + 0.1, -3.7, "the optimal policy")
ax.set_ylim(-4, 2.6)
ax.legend(fontsize=8, loc="upper right")
plt.show()

# %% [markdown]
# ### Exercise: `copg_objective` (3 points, 10 minutes, ★★)
#
# One number per pair, to be maximised. Detach nothing.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "copg_objective"}
def copg_objective(
    logp: torch.Tensor,
    logp2: torch.Tensor,
    ref: torch.Tensor,
    ref2: torch.Tensor,
    R: torch.Tensor,
    R2: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """The CoPG sample objective of each pair, to be maximised (2406.19185, equation 7).

    Args:
        logp, logp2: [N] ln pi of the first and of the second completion of each pair.
        ref, ref2: [N] ln pi_ref of the same completions.
        R, R2: [N] their rewards.
        beta: strength of the KL regularisation, > 0.

    Returns:
        [N] values; differentiable in `logp` and `logp2` with nothing detached.
    """
    ### BEGIN SOLUTION
    delta_h = (logp - ref) - (logp2 - ref2)
    return (R - R2 - beta / 2 * delta_h) * delta_h
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_copg_objective", "points": 3}
check.copg_objective(copg_objective)

# %% [markdown]
# ## 6. A loss for your optimiser, and what each slip converges to
#
# Optimisers minimise, so the loss is $-\frac1n\sum\ell$: the *mean over pairs*. Its gradient with
# respect to $\ln\pi(y_i)$ is $-\frac1n\big(R^\pi_\beta(y_i)-R^\pi_\beta(y_i')\big)$, and the
# opposite for $\ln\pi(y_i')$.

# %% tags=["show"]
predict(
    "Someone detaches R_{β/2} in the objective ('it is the reward, after all'). To which "
    "policy does training converge?",
    ["still pi_*", "pi_ref · exp(2R/β): too greedy", "pi_ref · exp(R/2β): too timid"],
    answer=1,
    why="The gradient is then ΔR − (β/2)Δh, as if β were halved: (.879, .119, .002) "
    "instead of (.705, .259, .035). An attached R_β errs the other way: ΔR − 2βΔh, "
    "(.547, .331, .122).",
)

# %% [markdown]
# ### Exercise: `copg_loss` (2 points, 5 minutes, ★)
#
# A scalar to be **minimised**. You may call your `copg_objective`.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "copg_loss"}
def copg_loss(
    logp: torch.Tensor,
    logp2: torch.Tensor,
    ref: torch.Tensor,
    ref2: torch.Tensor,
    R: torch.Tensor,
    R2: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """The CoPG loss, to be minimised: minus the mean of the objective over the pairs.

    Args:
        logp, logp2: [N] ln pi of the first and of the second completion of each pair.
        ref, ref2: [N] ln pi_ref of the same completions.
        R, R2: [N] their rewards.
        beta: strength of the KL regularisation, > 0.

    Returns:
        0-d tensor, differentiable in `logp` and `logp2`.
    """
    ### BEGIN SOLUTION
    return -copg_objective(logp, logp2, ref, ref2, R, R2, beta).mean()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_copg_loss", "points": 2}
check.copg_loss(copg_loss)

# %% [markdown]
# ### The exact gradient
#
# With samplers $\mu_1$ and $\mu_2$, the objective is
# $L(\pi) = \mathbb E_{y\sim\mu_1,\,y'\sim\mu_2}[\ell(y,y';\pi)]$, and (paper, equations 14 to 16)
# each side is centred by the mean of the **other** sampler:
#
# $$\nabla L = \mathbb E_{y\sim\mu_1}\big[(R^\pi_\beta(y) - \mathbb E_{\mu_2}R^\pi_\beta)\,\nabla\ln\pi(y)\big]
#            + \mathbb E_{y'\sim\mu_2}\big[(R^\pi_\beta(y') - \mathbb E_{\mu_1}R^\pi_\beta)\,\nabla\ln\pi(y')\big].$$
#
# At $\pi_*$ the number $R^\pi_\beta(y) = \beta\ln Z$ is the same for all arms, so every bracket
# vanishes, **sample by sample**. That is stronger than a gradient that is zero on average: a finite
# batch has zero gradient there too, and CoPG has no noise floor at its optimum.
#
# ### Exercise: `copg_gradient_exact` (3 points, 15 minutes, ★★)
#
# The expectation over both samplers, exactly, for $\pi = \mathrm{softmax}(\theta)$; recall
# $\partial\ln\pi(y)/\partial\theta_k = \mathbb 1[y=k] - \pi(k)$. Closed form or autograd, as you
# like. A function that centres each side by its *own* mean is also zero at $\pi_*$: zero at the
# optimum is necessary, not sufficient.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "copg_gradient_exact"}
def copg_gradient_exact(
    theta: torch.Tensor,
    R: torch.Tensor,
    ref: torch.Tensor,
    beta: float,
    mu1: torch.Tensor,
    mu2: torch.Tensor,
) -> torch.Tensor:
    """Gradient of L(pi) = E_{y~mu1, y'~mu2}[l(y, y'; pi)] in the logits (ascent).

    Args:
        theta: [Y] logits, pi = softmax(theta); need not require a gradient.
        R: [Y] rewards.
        ref: [Y] ln pi_ref.
        beta: strength of the KL regularisation, > 0.
        mu1, mu2: [Y] probabilities of the two samplers.

    Returns:
        [Y] dL/dtheta, exact (2406.19185, equations 14 and 15).
    """
    ### BEGIN SOLUTION
    log_pi = torch.log_softmax(theta, 0)
    R_beta = R - beta * (log_pi - ref)
    weight = mu1 * (R_beta - (mu2 * R_beta).sum()) + mu2 * (
        R_beta - (mu1 * R_beta).sum()
    )
    return weight - log_pi.exp() * weight.sum()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_copg_gradient_exact", "points": 3}
check.copg_gradient_exact(copg_gradient_exact)

# %% [markdown]
# **Play.** The triangle holds all policies over three arms; each corner is one arm. Arrows show
# where gradient ascent moves a policy, under the offline samplers of your choice; the star is
# $\pi_*$, the dot marks where a run from the reference ends. Choose a method: with CoPG all arrows
# lead to the star for every sampler that draws every arm. With policy gradient and no baseline they
# lead elsewhere, and *where* depends on the sampler.

# %% tags=["show"]
widgets_copg.field_lab(copg_gradient_exact, REWARDS, REF)

# %% [markdown]
# ### CoPG and RLOO
#
# Take one pair $(y,y')$ as $K=2$ samples. RLOO of assignment 10 (with its $1/K$) gives
#
# $$\hat g_\text{RLOO} = \tfrac12\big[(R_\beta(y)-R_\beta(y'))\nabla\ln\pi(y) + (R_\beta(y')-R_\beta(y))\nabla\ln\pi(y')\big],$$
#
# and CoPG's $\nabla\ell$ has the same bracket. The slides say "CoPG = RLOO!!". What is the factor?
# Let your code find it.
#
# ### Exercise: `copg_equals_rloo_factor` (1 point, 10 minutes, ★)
#
# Compute both gradients in $\theta$ for one pair of *different* arms, CoPG's by autograd or by
# hand, RLOO's with the $1/K$ above and detached coefficients, and the number `factor` with
# `g_copg = factor * g_rloo`.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "copg_equals_rloo_factor"}
def copg_equals_rloo_factor(
    theta: torch.Tensor,
    y: int,
    y2: int,
    R: torch.Tensor,
    ref: torch.Tensor,
    beta: float,
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Compare the gradient of one pair's CoPG objective with RLOO's for K = 2.

    Args:
        theta: [Y] logits, pi = softmax(theta); need not require a gradient.
        y, y2: the two arms of the pair, different from each other.
        R: [Y] rewards.
        ref: [Y] ln pi_ref.
        beta: strength of the KL regularisation, > 0.

    Returns:
        (g_copg, g_rloo, factor): [Y], [Y] and a Python float, with
        g_copg = factor * g_rloo. Both gradients are ascent directions in theta; g_rloo
        has the 1/K of assignment 10.
    """
    ### BEGIN SOLUTION
    theta = theta.detach().clone().requires_grad_()
    log_pi = torch.log_softmax(theta, 0)
    objective = copg_objective(
        *(log_pi[[y]], log_pi[[y2]], ref[[y]], ref[[y2]], R[[y]], R[[y2]]), beta
    )
    (g_copg,) = torch.autograd.grad(objective, theta, retain_graph=True)
    R_beta = (R - beta * (log_pi - ref)).detach()
    advantage = R_beta[y] - R_beta[y2]
    (g_rloo,) = torch.autograd.grad(
        (advantage * log_pi[y] - advantage * log_pi[y2]) / 2, theta
    )
    factor = (g_copg @ g_rloo) / (g_rloo @ g_rloo)
    return g_copg, g_rloo, float(factor)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_copg_equals_rloo_factor", "points": 1}
check.copg_equals_rloo_factor(copg_equals_rloo_factor)

# %% [markdown]
# On-policy, both estimate a gradient of $J$: $\mathbb E_{y,y'\sim\pi}[\nabla\ell] = 2\nabla J$,
# while RLOO with $1/K$ is unbiased. The bracket does not know who drew the pair, so RLOO *applied
# offline, without any importance weight*, converges to $\pi_*$ as well: it is CoPG at half the step
# size.
#
# ## 7. The offline bandit: who converges?
#
# Now the experiment. $10^4$ pairs, drawn once from $\mu_1\times\mu_2$; minibatches of 512; Adam.
# All six methods have the same skeleton, a coefficient for each of the two log-probabilities of a
# pair, averaged over the minibatch. In the table, $\Delta h = h(y_w)-h(y_l)$ for winner minus
# loser, and $b$ and every $R_\beta^\pi$ of the policy-gradient rows are constants for autograd
# (detached), computed from the current $\pi$.
#
# | `method` | maximise, mean over the pairs of the minibatch |
# | --- | --- |
# | `"copg"` | $\ell(y,y';\pi)$ |
# | `"pg"` | $(R_\beta^\pi(y)-b)\ln\pi(y) + (R_\beta^\pi(y')-b)\ln\pi(y')$ with $b=0$ |
# | `"pg_value"` | the same with $b=\mathbb E_{\pi}[R]$, summed exactly over the arms: the paper's "value baseline" ($R$, not $R_\beta$) |
# | `"pg_value_beta"` | the same with $b=\mathbb E_{\pi}[R^\pi_\beta]$, summed exactly over the arms |
# | `"dpo"` | $\ln\sigma(\beta\,\Delta h)$ |
# | `"ipo"` | $-\big(\Delta h - \tfrac1{2\beta}\big)^2$ |
#
# No importance weights, no sampling. Preference methods see `first_wins` instead of rewards: `True`
# where $y$ beat $y'$. Who made the labels is a property of the *data*: drawn from Bradley-Terry, or
# deterministic.
#
# A positive factor in front of a row does not matter here: Adam divides it away (up to its
# $\epsilon$).

# %% tags=["show"]
predict(
    "Off-policy policy gradient, no weights: which baseline brings it to pi_*?",
    ["b = 0", "b = E_pi[R]", "b = E_pi[R_β]", "none: PG with a baseline fails offline"],
    answer=2,
    why="At pi_*, R_β(y) = β ln Z for every arm, and E_pi[R_β] is that number: all "
    "coefficients vanish. The other two leave a constant, and offline E_mu[∇ln pi] is "
    "not 0.",
)

# %% [markdown]
# ### Exercise: `train_offline_bandit` (5 points, 40 minutes, ★★★)
#
# Train a softmax policy on given pairs and return its regret **before the first step and after each
# step**. Start at the reference. Step $t$ (from 0) uses the pairs number $tB, tB+1, \dots, tB+B-1$,
# modulo $n$, with $B$ = `batch_size`: the data in their order, round and round. Use Adam with
# torch's defaults apart from `lr` (`torch.optim.Adam`, or your own), and the `regret` of section 0.
# Autograd is fine; gradients by hand (`torch.bincount`) are three times as fast. A plain 2000-step
# run takes a second or less, which the widget below will thank you for.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "train_offline_bandit"}
def train_offline_bandit(
    method: str,
    y: torch.Tensor,
    y2: torch.Tensor,
    R: torch.Tensor,
    ref: torch.Tensor,
    beta: float,
    steps: int = 2000,
    lr: float = 1e-2,
    batch_size: int = 512,
    first_wins: torch.Tensor | None = None,
) -> torch.Tensor:
    """Train a softmax policy offline, on given pairs of arms; deterministic.

    Args:
        method: "copg", "pg", "pg_value", "pg_value_beta", "dpo" or "ipo" (the table).
        y, y2: [n] long, the arms of each pair.
        R: [Y] rewards of the arms; used by "dpo" and "ipo" for the regret only.
        ref: [Y] ln pi_ref; the policy starts there.
        beta: strength of the KL regularisation, > 0; also DPO's beta and IPO's tau.
        steps: number of Adam steps (betas 0.9 and 0.999, eps 1e-8, no weight decay).
        lr: Adam's learning rate.
        batch_size: pairs per step. Step t uses pairs (t * batch_size + i) % n for
            i = 0 .. batch_size - 1.
        first_wins: [n] bool, True where y won against y2; needed by "dpo" and "ipo".

    Returns:
        [steps + 1] float64: the regret J(pi_*) - J(pi) before the first step and after
        each one.

    Raises:
        ValueError: if `method` is none of the six.
    """
    ### BEGIN SOLUTION
    if method not in ("copg", "pg", "pg_value", "pg_value_beta", "dpo", "ipo"):
        raise ValueError(f"unknown method {method!r}")
    theta = ref.detach().clone()
    optimiser = torch.optim.Adam([theta], lr=lr)
    within = torch.arange(batch_size)
    policies = [theta.softmax(0)]
    for step in range(steps):
        rows = (step * batch_size + within) % len(y)
        a, b = y[rows], y2[rows]
        log_pi = theta.log_softmax(0)
        pi, h = log_pi.exp(), log_pi - ref
        R_beta = R - beta * h
        if method == "copg":
            c = R_beta[a] - R_beta[b]
            c2 = -c
        elif method in ("dpo", "ipo"):
            sign = torch.where(first_wins[rows], 1.0, -1.0).to(h.dtype)
            gap = sign * (h[a] - h[b])
            slope = (
                beta * torch.sigmoid(-beta * gap)
                if method == "dpo"
                else 1 / beta - 2 * gap
            )
            c = sign * slope
            c2 = -c
        else:
            baseline = {"pg": 0.0, "pg_value": pi @ R, "pg_value_beta": pi @ R_beta}[
                method
            ]
            c, c2 = R_beta[a] - baseline, R_beta[b] - baseline
        # The mean of c grad ln pi(a) + c2 grad ln pi(b): coefficients add up per arm.
        per_arm = torch.bincount(a, c, len(R)) + torch.bincount(b, c2, len(R))
        theta.grad = -(per_arm - pi * per_arm.sum()) / batch_size
        optimiser.step()
        policies.append(theta.softmax(0))
    return regret(torch.stack(policies), R, ref, beta)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_train_offline_bandit", "points": 5}
check.train_offline_bandit(train_offline_bandit)

# %% [markdown]
# The race, drawn as each method finishes. The figure: regret (log scale) against step for seven
# runs. CoPG and PG with $b=\mathbb E_\pi[R_\beta]$ fall to rounding error; PG with $b=0$ rises
# above the start; IPO stays flat near 0.15; PG with $b=\mathbb E_\pi[R]$ and DPO with deterministic
# labels dip and come back.

# %% tags=["show"]
y, y2, sampled_labels, sure_labels = offline_pairs(MU1, MU2, REWARDS, 10_000, seed=1)
runs = [
    ("copg", None, "CoPG", "blue", "-"),
    ("pg", None, "PG, b = 0", "red", "-"),
    ("pg_value", None, "PG, b = E[R]", "orange", "-"),
    ("pg_value_beta", None, "PG, b = E[R_β]", "sky", "--"),
    ("dpo", sampled_labels, "DPO, Bradley-Terry labels", "green", "-"),
    ("dpo", sure_labels, "DPO, deterministic labels", "green", ":"),
    ("ipo", sampled_labels, "IPO, Bradley-Terry labels", "purple", "-"),
]
fig, ax = style.figure(
    "Offline bandit, β = 0.5: regret", "Adam step", "regret J(π*) − J(π) (log scale)"
)
ax.set(yscale="log", ylim=(1e-9, 2), xlim=(0, 2000))
live = display(fig, display_id=True)
finals = {}
for method, labels, name, colour, line in runs:
    curve = train_offline_bandit(method, y, y2, REWARDS, REF, BETA, first_wins=labels)
    ax.plot(curve.clamp(min=1e-16), line, color=style.COLOURS[colour], label=name)
    ax.legend(fontsize=7, loc="lower left")
    live.update(fig)
    finals[name] = curve
plt.close(fig)

print("regret after step        0       100       400      1000      2000")
for name, curve in finals.items():
    print(
        f"{name:26s}"
        + "".join(f"{max(curve[t], 0):<10.2g}" for t in (0, 100, 400, 1000, 2000))
    )

# %% [markdown]
# Read the table slowly, row by row.
#
# **CoPG** reaches $\pi_*$, to rounding error.
#
# **PG with $b=0$** is worse than doing nothing: it reinforces whatever is in the data, and the data
# are mostly arm 2. It depends on where zero lies, too: subtract 2 from all rewards and it ends
# somewhere else.
#
# **PG with $b=\mathbb E_\pi[R]$** passes close to $\pi_*$ around step 400, then drifts away to a
# plateau. At $\pi_*$,
# $R_\beta - b = \beta\ln Z - \mathbb E_{\pi_*}[R] = -\beta\,\mathrm{KL}(\pi_*\|\pi_\text{ref})$: a
# constant, but not zero. On-policy a constant is harmless. Offline it is multiplied by
# $\mathbb E_\mu[\nabla\ln\pi] = \mu-\pi \neq 0$. So the best regret of a curve says little; compare
# the *last* one.
#
# **PG with $b=\mathbb E_\pi[R_\beta]$ converges.** So do RLOO and the batch mean of $R_\beta$.
# "Policy gradient with a baseline fails offline" is therefore not true as a sentence; *which*
# baseline must be said.
#
# **DPO with Bradley-Terry labels** has $\pi_*$ as its population optimum. What remains is label
# noise, 0.01 or less: the finite data set says something slightly different. **DPO with
# deterministic labels** has no optimum short of $\Delta h\to\infty$: it dips around step 700, then
# walks on towards the greedy policy, whose regret is 0.175.
#
# **IPO** has a target, but not this one: it sees how *often* $y$ wins, never by how much.

# %% tags=["show"]
predict(
    "The same race with beta = 0.1. What happens to DPO with deterministic labels?",
    ["it fails even worse", "it looks fine", "it diverges"],
    answer=1,
    why="At beta = 0.1 the optimal policy is (.993, .007, 3e-7): nearly greedy. The flaw "
    "is still there, but the regret of the greedy policy is only 7e-4. Choose a test that "
    "can see the flaw.",
)

# %% [markdown]
# **Play.** Choose a sampler, $\beta$ and methods, and run again. Things to try: $\beta=0.1$;
# $\beta=1$; data drawn close to $\pi_*$ (does PG with $b=0$ still fail?); an arm that nobody draws.

# %% tags=["show"]
widgets_copg.offline_lab(train_offline_bandit, offline_pairs, REWARDS, REF)

# %% [markdown]
# ### What about importance weights here?
#
# We know $\mu_1$ and $\mu_2$ in this toy, so the weights can be had, and your
# `is_gradient_surrogate` can train. The figure: the same data, regret against step for two
# baselines. With $b=0$ the curve stops at a floor, with $b=\mathbb E_\pi[R_\beta]$ it does not. The
# floor is there because the *drawn* data are not distributed exactly like $\mu$: the weights
# correct for the wrong frequencies. With the right baseline each term is zero at $\pi_*$ and the
# frequencies stop mattering.

# %% tags=["show"]
fig, ax = style.figure(
    "Importance-weighted policy gradient on the same pairs",
    "Adam step",
    "regret (log scale)",
)
for baseline, colour in (("0", "red"), ("E[R_β]", "blue")):
    theta = REF.clone().requires_grad_()
    adam = torch.optim.Adam([theta], lr=1e-2, maximize=True)
    curve = []
    for step in range(1000):
        rows = (step * 512 + torch.arange(512)) % len(y)
        arms = torch.cat([y[rows], y2[rows]])
        mu_logp = torch.cat([MU1.log()[y[rows]], MU2.log()[y2[rows]]])
        log_pi = theta.log_softmax(0)
        R_beta = (REWARDS - BETA * (log_pi - REF)).detach()
        b = 0.0 if baseline == "0" else float(log_pi.detach().exp() @ R_beta)
        score = is_gradient_surrogate(
            log_pi[arms], mu_logp, REF[arms], REWARDS[arms], BETA, b
        )
        adam.zero_grad()
        score.backward()
        adam.step()
        curve.append(float(regret(theta.detach().softmax(0), REWARDS, REF, BETA)))
    ax.semilogy(
        np.clip(curve, 1e-16, None),
        color=style.COLOURS[colour],
        label=f"b = {baseline}",
    )
ax.legend()
plt.show()

# %% [markdown]
# ## 8. The condition that remains: support
#
# The theorem (paper, theorem 1): if $\pi_\text{ref}$, $\mu_1$ and $\mu_2$ have the same support,
# the unique **maximiser** of $L$ is $\pi_*$. Suppose now that arm 0, the best one, is in nobody's
# data. CoPG then fixes $\Delta h=\Delta R/\beta$ between the arms that *are* compared, and says
# nothing at all about arm 0: every policy with the right ratios among the others is a maximiser,
# $\pi_*$ being just one of them. Where training ends is decided by where it started.
#
# That can be computed. In logits:
#
# - an unseen arm has gradient zero: its logit keeps its initial value, `ref`;
# - the seen arms end with logits $\text{ref}(y) + R(y)/\beta + c$, with one constant $c$ for all of
#   them;
# - CoPG's gradient in $\theta$ sums to zero over the arms, so gradient ascent keeps the *sum of the
#   seen logits* at its initial value, which fixes $c$. (Adam keeps it too when two arms are seen:
#   it moves them by opposite amounts.)
#
# Worked example, $\beta = 0.5$, arm 0 unseen, logits counted from the uniform reference: arms 1 and
# 2 end 2 apart with sum 0, at $+1$ and $-1$; arm 0 stays at 0. So
# $\pi\propto(1, e, e^{-1}) = (0.245, 0.665, 0.090)$, and the regret stays at **0.226**, however
# long you train.

# %% tags=["show"]
predict(
    "Somebody trains ten times longer, on ten times more pairs, still without arm 0. "
    "The regret:",
    ["falls to zero, slowly", "stays at 0.226", "rises"],
    answer=1,
    why="More of the same data cannot say anything about an arm that is not in it.",
)

# %% [markdown]
# ### Exercise: `support_violation_demo` (2 points, 15 minutes, ★★)
#
# Train CoPG on the pairs as they are, and predict the plateau by the three facts above. Which arms
# are unseen follows from the data: those in neither `y` nor `y2`. Add nothing to the data:
# smoothing would hide what we want to see.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "support_violation_demo"}
def support_violation_demo(
    y: torch.Tensor,
    y2: torch.Tensor,
    R: torch.Tensor,
    ref: torch.Tensor,
    beta: float,
    steps: int = 1000,
    lr: float = 1e-2,
    batch_size: int = 512,
) -> tuple[torch.Tensor, float]:
    """CoPG on data in which some arms may be missing, and the regret it should end at.

    Args:
        y, y2: [n] long, the arms of each pair; the seen arms are all compared with each
            other, directly or through other arms.
        R, ref, beta, steps, lr, batch_size: as in `train_offline_bandit`.

    Returns:
        (curve, plateau). curve: [steps + 1] float64, the regret of "copg" on these
        pairs. plateau: a Python float, the regret of the policy with these logits:
        unseen arms keep `ref`; seen arms have ref + R / beta + c, where c leaves the
        sum of the seen logits as in `ref`. It does not depend on `steps`, `lr` or
        `batch_size`.
    """
    ### BEGIN SOLUTION
    curve = train_offline_bandit("copg", y, y2, R, ref, beta, steps, lr, batch_size)
    seen = torch.cat([y, y2]).unique()
    logits = ref.clone()
    logits[seen] += (R[seen] - R[seen].mean()) / beta
    return curve, float(regret(logits.softmax(0), R, ref, beta))
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_support_violation_demo", "points": 2}
check.support_violation_demo(support_violation_demo)

# %% [markdown]
# The figure: regret of CoPG against step when one arm is missing from both samplers, one curve for
# each arm, with the predicted plateaus dashed. A missing best arm costs most. A missing worst arm
# still costs: CoPG never learns to avoid it.

# %% tags=["show"]
fig, ax = style.figure(
    "One arm in nobody's data: CoPG stops early", "Adam step", "regret (log scale)"
)
for arm, colour in enumerate(("red", "orange", "blue")):
    keep = torch.arange(3) != arm
    y_cut, y2_cut, _, _ = offline_pairs(MU1 * keep, MU2 * keep, REWARDS, 4096, seed=arm)
    curve, plateau = support_violation_demo(y_cut, y2_cut, REWARDS, REF, BETA)
    ax.semilogy(
        curve.clamp(min=1e-16), color=style.COLOURS[colour], label=f"no arm {arm}"
    )
    ax.axhline(plateau, color=style.COLOURS[colour], ls="--", lw=1)
    print(f"no arm {arm}: last regret {curve[-1]:.4f}, predicted {plateau:.4f}")
ax.legend()
plt.show()

# %% [markdown]
# ## 9. Said correctly (4 points by hand)
#
# Somebody sums up the slides in one sentence: *"Offline, CoPG converges to the optimal policy
# without any condition, whereas policy gradient fails with or without a baseline, and DPO fails as
# well."* Correct it, in at most 200 words. Say (a) which policy-gradient baselines converge offline
# without importance weights, which do not, and why, in terms of the gradient at $\pi_*$; (b) under
# which labels DPO fails, and towards what it goes; (c) which condition CoPG needs, and what happens
# without it.

# %% [markdown] nbgrader={"schema_version": 3, "solution": true, "grade": true, "locked": false, "task": false, "grade_id": "written_offline", "points": 4}
# **Model answer.** Each method updates along $c(y)\nabla\ln\pi(y)$ for $y$ from the data. At
# $\pi_*$ the regularised reward $R_\beta(y)=\beta\ln Z$ is the same for every $y$. CoPG's
# coefficient is a difference of two of them, so it vanishes for every pair, whoever drew it. Policy
# gradient has $c = R_\beta - b$, which vanishes at $\pi_*$ if and only if $b$ equals $\beta\ln Z$
# there: true for $b=\mathbb E_\pi[R_\beta]$, for a batch mean of $R_\beta$, and for RLOO's
# leave-one-out mean (which is CoPG up to a factor 2 when $K=2$); these converge offline. It is
# false for $b=0$, for a fixed constant, and for the value baseline $b=\mathbb E_\pi[R]$ without
# regularisation: $c$ is then a non-zero constant, which averages out on-policy because
# $\mathbb E_\pi[\nabla\ln\pi]=0$, but not under the data, where $\mathbb E_\mu[\nabla\ln\pi]\ne0$.
# How badly it fails depends on $\mu$. DPO has $\pi_*$ as its population optimum when labels are
# drawn from Bradley-Terry with the true rewards and all arms are compared; only the noise of
# finitely many labels remains. With deterministic labels no finite $\Delta h$ is optimal and the
# policy drifts towards the greedy one (nearly harmless if $\beta$ is so small that $\pi_*$ is
# nearly greedy). CoPG needs data that cover the support of $\pi_\text{ref}$. Otherwise its
# maximiser is not unique: ratios among the seen arms are right, the mass of unseen arms stays where
# initialisation and optimiser leave it, and the regret plateaus.
#
# **Rubric.** 1 point: says which baselines converge ($\mathbb E_\pi[R_\beta]$, batch or
# leave-one-out mean of $R_\beta$) and which do not ($0$, a constant, $\mathbb E_\pi[R]$). 1 point:
# gives the reason: at $\pi_*$, $R_\beta$ is constant, so the coefficient is zero for every sample
# with the right $b$; otherwise a constant is left, and $\mathbb E_\mu[\nabla\ln\pi]\neq0$ offline.
# 1 point: DPO fails with deterministic labels only (towards greedy), not with Bradley-Terry labels
# (half a point if the greedy limit is missing). 1 point: support (or: every arm compared), and the
# consequence: the maximiser is no longer unique, the mass of unseen arms is not learnt, the regret
# plateaus.

# %% [markdown]
# ## Where the slides need care
#
# - **"The minimizer of CoPG loss"** in the theorem: with the formula on the slide (their equation
#   5) it is the *maximiser*. The paper itself is not consistent: "to be maximized" in section 3.1,
#   "minimizes" in its introduction. Only the squared form $(\Delta R-\beta\Delta h)^2$, with
#   $\beta$ and not $\beta/2$, is to be minimised.
# - **"CoPG = RLOO!!"**: with the slides' own $1/K$ the gradients differ by a factor 2, which a
#   learning rate absorbs. (The paper's RLOO has no $1/K$, and then the factor is 1.)
# - **"Classical PG with and without variance reduction fails"**: it depends on the baseline
#   (section 7). Its figure has $b=0$ and $b=\mathbb E_\pi[R]$.
# - **"Same for DPO"**: only with deterministic labels. The paper's own section 6.1 says that with
#   Bradley-Terry preferences DPO should optimise the reward. Its bandit figure has IPO, and no DPO.
# - **The off-policy objective with a KL term**: right with the *exact* KL, which nobody can compute
#   for text. With one log-ratio per sample, the weight must multiply it.
# - **"Given data with the same support"**: three supports are meant, those of $\pi_\text{ref}$,
#   $\mu_1$ and $\mu_2$. Equal supports are sufficient. What the proof needs is that the pairs
#   connect all arms.
# - **$\pi_*\propto e^{R/\beta}$** holds for the uniform reference of the toy; in general
#   $\pi_\text{ref}$ multiplies it.
#
# ## What you have learnt
#
# - Importance weights make off-policy estimates unbiased; their variance grows exponentially with
#   the length of the completion.
# - CoPG needs no weight, because its optimum is right for each pair separately:
#   $\Delta h = \Delta R/\beta$.
# - $\beta/2$ in the objective, $\beta$ in the gradient, nothing detached, maximise.
# - A baseline is harmless on-policy. Offline, it is part of what you optimise.
# - No method learns about what is not in the data.
#
# ## Further reading
#
# - Flet-Berliac et al., *Contrastive Policy Gradient: Aligning LLMs on sequence-level scores in a
#   supervised-friendly fashion*, 2024 (arXiv 2406.19185): objective (7)-(10), gradient (14)-(16),
#   RLOO and IPO as special cases (propositions 2 and 3), the bandit (section 5).
# - Ahmadian et al., *Back to Basics: Revisiting REINFORCE-style optimization for learning from
#   human feedback in LLMs*, 2024 (arXiv 2402.14740).
# - Azar et al., *A general theoretical paradigm to understand learning from human preferences*,
#   2023 (arXiv 2310.12036): IPO.
# - Rafailov et al., *Direct Preference Optimization*, 2023 (arXiv 2305.18290): equation 7.
# - Kish, *Survey Sampling*, 1965: the effective sample size; Owen, *Monte Carlo theory, methods and
#   examples*, 2013, chapter 9: importance sampling.
#
# **Next:** 12 · PPO and GRPO, where the weight comes back, clipped.

# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 09 · Preferences and DPO
#
# Lecture II.D.2 · about 210 minutes, 185 of them for the exercises · 28 points by machine, 4 by hand
#
# People find it hard to say *how good* an answer is and easy to say *which of two* is better. This
# notebook goes from such votes to a trained policy: first by way of a reward model, then without
# one. The derivation of DPO is cut into eleven lines, and each line is a small function that you
# write and the machine checks. Whoever finishes the notebook has proved the theorem in code.
#
# **You will be able to**
#
# - turn pairwise votes into rewards, and say what votes can never tell you;
# - compute the exact optimum of the KL-regularised objective, and its value, for any $\beta$;
# - derive the DPO loss and its gradient line by line, and see where the partition function goes;
# - say when DPO finds that optimum, when it runs away, and what IPO does about it.
#
# **You need** probabilities and gradients in PyTorch; from 08 (SFT) the log-probability of a
# completion, summed over its tokens.
#
# **Map** 08 · Pretraining and supervised fine-tuning → **09 · Preferences and DPO** → 10 · Policy gradient and RLOO

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "setup"}
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from sft2rl import style, widgets_dpo
from sft2rl.checks import dpo as check
from sft2rl.formulas import evaluate, exp, log, pretty, symbols
from sft2rl.widgets import predict

F64 = torch.float64
torch.set_printoptions(precision=4, sci_mode=False)
print("torch", torch.__version__)

# %% [markdown]
# ## The proof on one page
#
# A prompt $x$ is fixed and left out; $y$ is a completion, $R(y)$ its reward, $\pi$ the policy we
# train and $\pi_{\text{ref}}$ the frozen model we start from. Everywhere below
# $h(y) = \ln\pi(y) - \ln\pi_{\text{ref}}(y)$, and $\ln$ is the natural logarithm.
#
# | line | statement | you write |
# | --- | --- | --- |
# | 1 | $P(y_w \succ y_l) = \sigma(R(y_w) - R(y_l))$ | `bt_probability` |
# | 2 | reward model: minimise $-\mathbb E \ln\sigma(R(y_w) - R(y_l))$ | `reward_model_loss` |
# | 3 | $J(\pi) = \mathbb E_\pi[R] - \beta\,\mathrm{KL}(\pi\,\|\,\pi_{\text{ref}})$, to be maximised | `kl_objective` |
# | 4 | $Z = \sum_y \pi_{\text{ref}}(y)\, e^{R(y)/\beta}$ | `log_partition` |
# | 5 | $\pi^*(y) = \pi_{\text{ref}}(y)\, e^{R(y)/\beta} / Z$ | `optimal_policy` |
# | 6 | $J(\pi) = \beta\ln Z - \beta\,\mathrm{KL}(\pi\,\|\,\pi^*)$, so $\pi^*$ is *the* maximiser | `objective_gap` |
# | 7 | $R(y) = \beta\, h^*(y) + \beta\ln Z$ | `implicit_reward` |
# | 8 | the log-odds of $\pi^*$: $Z$ is gone | `optimal_log_odds` |
# | 9 | $L_{\text{DPO}} = -\mathbb E\ln\sigma(\beta h(y_w) - \beta h(y_l))$ | `dpo_loss` |
# | 10 | its gradient: how wrong is the ranking? | `dpo_loss_gradient` |
# | 11 | under Bradley–Terry labels the gradient vanishes at $\pi^*$ | `dpo_population_gradient` |
#
# Tensors are float64 unless a docstring says otherwise. A *loss* is minimised, an *objective* is
# maximised.

# %% [markdown]
# ## 1. From votes to rewards
#
# Ask ten people to mark an essay from 0 to 10 and you get ten scales. Ask which of two essays is
# better and they mostly agree. Bradley and Terry (1952) model such votes: every item has a strength
# $p_i = e^{r_i} > 0$, and
#
# $$P(i \succ j) = \frac{p_i}{p_i + p_j} = \frac{e^{r_i}}{e^{r_i} + e^{r_j}} = \sigma(r_i - r_j),
# \qquad \sigma(z) = \frac{1}{1 + e^{-z}}.$$
#
# The *reward* $r_i$ is the logarithm of the strength, so it may be negative. Three completions with
# rewards 2.5, 2 and 1 will stay with us to the end of the notebook:

# %% tags=["show"]
R = torch.tensor([2.5, 2.0, 1.0], dtype=F64)
for i, j in [(0, 1), (0, 2), (1, 2)]:
    p = 1 / (1 + math.exp(-(R[i] - R[j])))
    print(f"r = {R[i]} against {R[j]}: the first wins {100 * p:.1f} % of the votes")

# %% tags=["show"]
predict(
    "All three rewards grow by 100. What happens to the votes?",
    ["the best one wins almost always", "nothing", "all pairs move towards 50 %"],
    answer=1,
    why="Only the difference enters. Votes never reveal the zero of the reward: "
    "adding any c(x), even a different one per prompt, fits them equally well.",
)

# %% [markdown]
# That is the answer to the question on the slide, "what is the reward for the best and the worst
# completion?": votes fix differences only. Keep it in mind; in line 8 it is what saves us from
# computing $Z$.
#
# The formula in the middle is a trap for computers:

# %% tags=["show"]
big = torch.tensor([1000.0, 999.5], dtype=F64).exp()
print("e^1000 =", big[0].item(), "  so e^1000 / (e^1000 + e^999.5) =", (big[0] / big.sum()).item())
print("yet the difference is only 0.5, and sigma(0.5) =", 1 / (1 + math.exp(-0.5)))

# %% [markdown]
# ### Exercise: `bt_probability` (1 point, 5 minutes, ★)
#
# Line 1. The probability that the first completion is preferred. It must be right for rewards in
# the thousands, work on tensors of any shapes that broadcast, and let gradients through.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "bt_probability"}
def bt_probability(r_w: torch.Tensor, r_l: torch.Tensor) -> torch.Tensor:
    """Bradley-Terry probability that the completion with reward `r_w` beats the other.

    Args:
        r_w: rewards of the first completions, any shape.
        r_l: rewards of the second completions; broadcasts with `r_w`.

    Returns:
        P(w > l), of the broadcast shape and the same dtype, differentiable in both
        arguments and finite for every finite input. What is asked is the absolute
        precision of sigma: where P is below the dtype's rounding error, 0 is as good.
    """
    ### BEGIN SOLUTION
    return torch.sigmoid(r_w - r_l)
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_bt_probability", "points": 1}
check.bt_probability(bt_probability)

# %% [markdown]
# The slides open with Thurstone's law of comparative judgement (1927) and then write Bradley and
# Terry's formula. The two are cousins: Thurstone adds Gaussian noise to each reward, which gives
# the normal distribution function $\Phi$ in place of $\sigma$. Below, $\sigma(\Delta)$ in blue and
# $\Phi(\Delta)$ in orange, both S-shaped through (0, 0.5); $\sigma$ has the heavier tails, so a
# Bradley–Terry judge is more forgiving of an upset vote.

# %% tags=["show"]
gap = torch.linspace(-6, 6, 200, dtype=F64)
fig, ax = style.figure(
    "Two laws of comparison", "reward difference (nats)", "P(first wins)", figsize=(6, 2.8)
)
ax.plot(gap, torch.sigmoid(gap), label="Bradley–Terry: sigma")
ax.plot(gap, torch.special.ndtr(gap), label="Thurstone (case V): Phi")
ax.legend()
plt.show()

# %% [markdown]
# ## 2. The reward model
#
# A reward model $r_\phi(x, y)$ is a language model whose vocabulary head is replaced by a single
# number. It is trained as a classifier of pairs: with $B$ pairs (each *one* prompt, one chosen and
# one rejected completion) and $\Delta_b = r_\phi(y_w^b) - r_\phi(y_l^b)$,
#
# $$L(\phi) = -\frac1B\sum_{b=1}^B \ln\sigma(\Delta_b)
# = \frac1B\sum_{b=1}^B \ln\!\big(1 + e^{-\Delta_b}\big).$$
#
# The slope of one pair's loss in $\Delta_b$ is $-\sigma(-\Delta_b)$: minus the probability that the
# model gave to the *wrong* order. Surprised pairs pull, settled pairs rest.

# %% tags=["show"]
print("   gap     loss    slope")
for gap in [-3.0, 0.0, 1.0, 3.0]:
    loss, slope = math.log(1 + math.exp(-gap)), -1 / (1 + math.exp(gap))
    print(f"{gap:6.1f} {loss:8.4f} {slope:8.4f}")
print("log(sigmoid(-1000)) =", torch.log(torch.sigmoid(torch.tensor(-1000.0))).item())

# %% [markdown]
# The last line shows the trap: the probability underflows to 0 and its logarithm is $-\infty$,
# though the loss is simply 1000. Take the logarithm analytically, before the computer rounds.
#
# ### Exercise: `reward_model_loss` (2 points, 10 minutes, ★)
#
# Line 2, as a **mean** over the pairs. Value and gradient must be right at gaps of ±1000, without a
# clamp or an epsilon. `F.softplus` and `F.logsigmoid` are welcome.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "reward_model_loss"}
def reward_model_loss(
    chosen_rewards: torch.Tensor, rejected_rewards: torch.Tensor
) -> torch.Tensor:
    """Negative log-likelihood of the votes under Bradley-Terry, mean over the pairs.

    Args:
        chosen_rewards: [B] rewards of the preferred completions.
        rejected_rewards: [B] rewards of the other completions of the same prompts.

    Returns:
        The mean loss, a 0-d tensor in nats, differentiable in both arguments.
    """
    ### BEGIN SOLUTION
    return F.softplus(rejected_rewards - chosen_rewards).mean()
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_reward_model_loss", "points": 2}
check.reward_model_loss(reward_model_loss)

# %% [markdown]
# ### Fitting rewards to a table of votes
#
# Before any network, the smallest reward model: one free number per item. `wins[i, j]` counts how
# often $i$ beat $j$. The maximum-likelihood rewards minimise the mean over all
# $N = \sum_{ij} w_{ij}$ comparisons
#
# $$L(r) = -\frac1N\sum_{i,j} w_{ij}\,\ln\sigma(r_i - r_j), \qquad
# \frac{\partial L}{\partial r_i} =
# -\frac1N\sum_j \Big(w_{ij} - (w_{ij} + w_{ji})\,\sigma(r_i - r_j)\Big),$$
#
# that is, minus (wins observed − wins expected) per comparison. The loss is convex. With two items
# the answer is in closed form, $r_1 - r_2 = \ln(w_{12}/w_{21})$: 30 votes to 10 make $\ln 3 =
# 1.0986$.
#
# Five replies to one question met in an (invented) tournament. The fixtures are not balanced.

# %%
REPLIES = {
    "parrot": "The sky is blue because it is blue.",
    "poet": "The sky wears the colour that the sea dreams of.",
    "joker": "Someone left the blue light on.",
    "expert": "Rayleigh scattering goes with the inverse fourth power of wavelength.",
    "teacher": "Air bounces blue light around more than red, so blue comes from everywhere.",
}
WINS = torch.tensor(
    [
        [0, 3, 4, 1, 0],
        [5, 0, 0, 3, 2],
        [28, 0, 0, 1, 0],
        [3, 7, 5, 0, 14],
        [2, 8, 2, 18, 0],
    ],
    dtype=F64,
)

# %% tags=["show"]
played = WINS + WINS.T
print("            " + "".join(f"{name:>9}" for name in REPLIES) + "   wins/played")
for name, row, wins, games in zip(REPLIES, WINS, WINS.sum(1), played.sum(1), strict=True):
    cells = "".join(f"{int(w):9d}" for w in row)
    print(f"{name:>9} > {cells}   {int(wins):3d}/{int(games):3d} = {100 * wins / games:.1f} %")
predict(
    "The joker wins 72 % of its votes, more than anyone. Who gets the highest reward?",
    ["joker", "teacher", "expert"],
    answer=1,
    why="28 of the joker's 29 wins were against the parrot. The teacher lost more often, but "
    "against the expert. A win rate ignores whom you met; the likelihood does not.",
)

# %% [markdown]
# ### Exercise: `fit_bt` (3 points, 20 minutes, ★★)
#
# Start from zeros and take `steps` steps of plain gradient descent with learning rate `lr` on the
# mean loss $L(r)$ above. Repeated votes count as often as they were cast; a pair that never met
# contributes nothing. Subtract the mean at the end; the tests compare differences of rewards, so
# another zero point costs nothing. They give enough steps for plain gradient descent to reach the
# optimum to eight digits, and any method that gets there is fine.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "fit_bt"}
def fit_bt(wins: torch.Tensor, lr: float, steps: int) -> torch.Tensor:
    """Maximum-likelihood Bradley-Terry rewards of n items.

    Args:
        wins: [n, n], integer or float64; wins[i, j] is how often i beat j (a fraction for
            exact probabilities). The diagonal is 0. A finite optimum exists. Not changed.
        lr: learning rate for the gradient of the mean loss per comparison.
        steps: number of steps from rewards of zero.

    Returns:
        [n] float64 rewards with mean 0.
    """
    ### BEGIN SOLUTION
    wins = wins.to(torch.float64)
    played = wins + wins.T
    rewards = torch.zeros(len(wins), dtype=torch.float64, device=wins.device)
    for _ in range(steps):
        expected = played * torch.sigmoid(rewards[:, None] - rewards[None, :])
        rewards = rewards + lr * (wins - expected).sum(1) / wins.sum()
    return rewards - rewards.mean()
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_fit_bt", "points": 3}
check.fit_bt(fit_bt)

# %% [markdown]
# Now be the annotator. The chart (one horizontal bar per reply, the two on stage in orange) starts
# from the tournament above and is fitted again after each of your votes, by your function.

# %% tags=["show"]
widgets_dpo.judge("Why is the sky blue?", REPLIES, WINS, fit_bt)

# %% [markdown]
# ### Where a language model keeps its reward
#
# With causal attention only the **last real token** has read the whole completion, so the reward is
# read there: $r = h_{\text{last}}\cdot w$ with the hidden state $h_{\text{last}}\in\mathbb R^d$ and
# a learned $w \in \mathbb R^d$. In a batch of ragged texts "last" depends on where the padding is:

# %% tags=["show"]
for name, mask in {
    "right padding": [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]],
    "left padding": [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]],
    "both sides": [[0, 1, 1, 1, 0], [1, 1, 1, 1, 1]],
}.items():
    last = [max(t for t, m in enumerate(row) if m) for row in mask]
    sums = [sum(row) - 1 for row in mask]
    print(f"{name:>13}: mask {mask}  last real {last}  sum - 1 {sums}  always -1: [4, 4]")

# %% [markdown]
# `hidden[:, -1]` is right for left padding only, `mask.sum() - 1` for right padding only.
#
# ### Exercise: `sequence_reward` (2 points, 10 minutes, ★)
#
# The reward at each row's last token with a mask of 1, wherever the padding is.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "sequence_reward"}
def sequence_reward(
    hidden: torch.Tensor, attention_mask: torch.Tensor, w: torch.Tensor
) -> torch.Tensor:
    """Scalar reward of each sequence, read at its last real token.

    Args:
        hidden: [B, T, d] hidden states; those of padding hold arbitrary finite numbers.
        attention_mask: [B, T] of bool, int64 or float; true (1) on real tokens. Padding
            may be on the left, on the right, on both sides or absent; every row has at
            least one real token.
        w: [d] weights of the reward head.

    Returns:
        [B] rewards, differentiable in `hidden` and `w`.
    """
    ### BEGIN SOLUTION
    positions = torch.arange(hidden.shape[1], device=hidden.device)
    last = (attention_mask.to(torch.int64) * positions).argmax(dim=1)
    return hidden[torch.arange(len(hidden)), last] @ w
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_sequence_reward", "points": 2}
check.sequence_reward(sequence_reward)

# %% [markdown]
# ## 3. What we maximise
#
# Given a reward, why not simply take the completion with the largest one? Because the reward is a
# model, and wrong wherever it never saw data. The objective keeps the policy near the reference:
#
# $$J(\pi) = \mathbb E_{y\sim\pi}[R(y)] - \beta\,\mathrm{KL}(\pi\,\|\,\pi_{\text{ref}}), \qquad
# \mathrm{KL}(\pi\,\|\,\pi_{\text{ref}}) =
# \sum_y \pi(y)\ln\frac{\pi(y)}{\pi_{\text{ref}}(y)}, \qquad 0\ln 0 = 0.$$
#
# $J$ is **maximised**, $\beta > 0$ is the price of a nat, and the expectation in the KL is under
# the *trained* policy. Equivalently $J(\pi) = \mathbb E_\pi[R_\beta]$ with the regularised reward
# $R_\beta(y) = R(y) - \beta h(y)$, again under $\pi$. With a uniform reference and $\beta = 0.5$:

# %% tags=["show"]
uniform = torch.full((3,), 1 / 3, dtype=F64)
print("reference:", R.mean().item(), "- 0.5 * 0      =", R.mean().item())
kl = math.log(3)
print(f"greedy:    2.5 - 0.5 * ln 3 = 2.5 - 0.5 * {kl:.4f} = {2.5 - 0.5 * kl:.4f}")
kl = 0.5 * math.log(0.5 * 3) + 0.5 * math.log(0.5 * 3)
print(f"(½, ½, 0): 2.25 - 0.5 * ln 1.5 = {2.25 - 0.5 * kl:.4f}")

# %% [markdown]
# ### Exercise: `kl_objective` (1 point, 10 minutes, ★★)
#
# Line 3, for one prompt or a batch of prompts: the last dimension runs over the completions.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "kl_objective"}
def kl_objective(
    probs: torch.Tensor, ref_probs: torch.Tensor, rewards: torch.Tensor, beta: float
) -> torch.Tensor:
    """J = E_probs[R] - beta * KL(probs || ref_probs), to be maximised.

    Args:
        probs: [..., K] the policy; each row sums to 1 and may contain zeros.
        ref_probs: [..., K] the reference, positive.
        rewards: [..., K] rewards.
        beta: weight of the KL, positive.

    Returns:
        [...] one value per prompt (0-d for a single one), differentiable in `probs`.
    """
    ### BEGIN SOLUTION
    kl = torch.xlogy(probs, probs / ref_probs).sum(-1)
    return (probs * rewards).sum(-1) - beta * kl
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_kl_objective", "points": 1}
check.kl_objective(kl_objective)

# %% [markdown]
# ## 4. The optimum, exactly
#
# Divide by $-\beta$ and the objective becomes a loss; slides and papers do this silently, so watch
# the sign: $\max J$ turns into $\min -J/\beta$.
#
# $$-\frac{J(\pi)}{\beta} = \mathbb E_\pi\!\left[\ln\frac{\pi(y)}{\pi_{\text{ref}}(y)} - \frac{R(y)}\beta\right]
# = \mathbb E_\pi\!\left[\ln\frac{\pi(y)}{\frac1Z\pi_{\text{ref}}(y)e^{R(y)/\beta}}\right] - \ln Z
# = \mathrm{KL}(\pi\,\|\,\pi^*) - \ln Z.$$
#
# We multiplied and divided by $Z = \sum_y \pi_{\text{ref}}(y)e^{R(y)/\beta}$ so that
# $\pi^* = \pi_{\text{ref}}\,e^{R/\beta}/Z$ sums to one: only then is the first term a KL divergence
# between two distributions, at least 0 and 0 only at $\pi = \pi^*$. No derivative, no Lagrange
# multiplier. $Z$ does not depend on $\pi$, but it does depend on the prompt.
#
# By hand, for $\beta = 0.5$ and a uniform reference (so $e^{R/\beta} = e^5, e^4, e^2$):

# %% tags=["show"]
weights = [math.exp(2 * r) / 3 for r in (2.5, 2.0, 1.0)]
Z = sum(weights)
print("ref * e^(R/beta):", [round(v, 4) for v in weights], " Z =", round(Z, 4))
print("pi* =", [round(v / Z, 6) for v in weights], "   beta ln Z =", round(0.5 * math.log(Z), 6))

# %% [markdown]
# With rewards of 50 and $\beta = 0.01$, $e^{R/\beta}$ is $e^{5000}$: stay in logarithms, where
# $\ln\pi_{\text{ref}} + R/\beta$ is an ordinary number. `torch.logsumexp` and `torch.softmax`
# subtract the largest entry for you.
#
# ### Exercise: `log_partition` (1 point, 5 minutes, ★)
#
# Line 4: $\ln Z$ itself, natural logarithm, **not** multiplied by $\beta$.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "log_partition"}
def log_partition(
    ref_probs: torch.Tensor, rewards: torch.Tensor, beta: float
) -> torch.Tensor:
    """ln Z with Z = sum_y ref_probs(y) * exp(R(y) / beta), one per prompt.

    Args:
        ref_probs: [..., K] the reference; zeros are allowed.
        rewards: [..., K] rewards; R / beta may be in the thousands, of either sign.
        beta: weight of the KL, positive.

    Returns:
        [...] ln Z in nats (0-d for a single prompt), differentiable in `rewards`.
    """
    ### BEGIN SOLUTION
    return torch.logsumexp(ref_probs.log() + rewards / beta, dim=-1)
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_log_partition", "points": 1}
check.log_partition(log_partition)

# %% tags=["show"]
predict(
    "beta grows without limit. Where does the optimal policy go?",
    ["to the best completion", "to the reference", "to the uniform distribution"],
    answer=1,
    why="R/beta goes to 0, so pi* = pi_ref * e^0 / 1. A small beta trusts the reward and goes "
    "to the best completion; the uniform distribution appears only if the reference is uniform.",
)

# %% [markdown]
# ### Exercise: `optimal_policy` (3 points, 15 minutes, ★)
#
# Line 5. Each prompt (row) has its own $Z$. Keep it stable for $R/\beta$ in the thousands.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "optimal_policy"}
def optimal_policy(
    ref_probs: torch.Tensor, rewards: torch.Tensor, beta: float
) -> torch.Tensor:
    """The maximiser of J: pi*(y) = ref_probs(y) * exp(R(y) / beta) / Z.

    Args:
        ref_probs: [..., K] the reference; each row sums to 1. A completion with reference
            probability 0 keeps probability 0, and tiny probabilities count in full.
        rewards: [..., K] rewards; R / beta may be in the thousands, of either sign.
        beta: weight of the KL, positive.

    Returns:
        [..., K] probabilities; each row sums to 1.
    """
    ### BEGIN SOLUTION
    return torch.softmax(ref_probs.log() + rewards / beta, dim=-1)
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_optimal_policy", "points": 3}
check.optimal_policy(optimal_policy)

# %% [markdown]
# Play. Five completions, a reference (blue bars) that does not like the best one much, and the
# optimal policy (orange bars). Drag $\beta$ from 10 to 0.01, then move a reward: which bars move,
# and which never do?

# %% tags=["show"]
widgets_dpo.beta_explorer(
    optimal_policy,
    kl_objective,
    torch.tensor([0.05, 0.3, 0.4, 0.2, 0.05], dtype=F64),
    torch.tensor([2.5, 2.0, 1.0, 0.5, 0.0], dtype=F64),
)

# %% [markdown]
# ### What a small beta buys when the reward is wrong
#
# Suppose people like answers of about 18 tokens, and the reward model learnt that, plus a little
# "longer is better" (a bias often found in real ones; Singhal et al. 2023). The policy optimises
# the model. Lower $\beta$ in the widget: on the left the policy over lengths (blue the reference,
# orange the optimum), on the right what the reward model (orange) and the people (green) get,
# against the KL spent. The reward model is happier and happier; the people are not. That is reward
# hacking, and Gao et al. (2022) measured the same two curves on language models.

# %% tags=["show"]
lengths = torch.arange(1, 61, dtype=F64)
people = 2 * torch.exp(-(((lengths - 18) / 8) ** 2))
reward_model = people + 0.08 * lengths
typical = torch.softmax(-(((lengths - 12) / 7) ** 2) / 2, 0)
reference = 0.95 * typical + 0.05 / 60
widgets_dpo.hacking_explorer(optimal_policy, lengths, reference, reward_model, people)

# %% [markdown]
# ### Exercise: `objective_gap` (1 point, 10 minutes, ★★)
#
# Line 6: how much of the objective a policy leaves on the table,
# $J(\pi^*) - J(\pi) = \beta\,\mathrm{KL}(\pi\,\|\,\pi^*)$. This is the **regret** that all curves
# below show. Write either side; check that the other one agrees.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "objective_gap"}
def objective_gap(
    probs: torch.Tensor, ref_probs: torch.Tensor, rewards: torch.Tensor, beta: float
) -> torch.Tensor:
    """Regret J(pi*) - J(probs) = beta * KL(probs || pi*).

    Args:
        probs: [..., K] the policy; may contain zeros.
        ref_probs: [..., K] the reference, positive; broadcasts with `probs`, so one [K]
            may serve many policies.
        rewards: [..., K] rewards; broadcast likewise.
        beta: weight of the KL, positive.

    Returns:
        [...] the regret, in units of reward; at least 0, and 0 only at pi*.
    """
    ### BEGIN SOLUTION
    log_optimum = (ref_probs.log() + rewards / beta).log_softmax(-1)
    return beta * (torch.xlogy(probs, probs) - probs * log_optimum).sum(-1)
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_objective_gap", "points": 1}
check.objective_gap(objective_gap)

# %% [markdown]
# ## 5. Turn it round: the policy is a reward
#
# So far a reward gave a policy. Take logarithms of line 5 and solve for the reward:
#
# $$R(y) = \beta\ln\frac{\pi^*(y)}{\pi_{\text{ref}}(y)} + \beta\ln Z = \beta\, h^*(y) + \beta\ln Z.$$
#
# So *every* policy can be read as the optimum for some reward. The part that we can compute from
# two language models is the **implicit reward** $\beta h(y)$; what is missing is one constant per
# prompt.
#
# $\ln\pi(y)$ is the log-probability of the **whole completion**: the sum over its tokens, EOS
# included, prompt excluded. It is a *sum*, not a mean:

# %% tags=["show"]
token_logps = {"policy": [-1.2, -0.4, -2.0, -0.1], "reference": [-1.5, -0.3, -2.9, -0.2]}
logp, ref_logp = (sum(v) for v in token_logps.values())
print(f"ln pi = {logp:.1f}, ln pi_ref = {ref_logp:.1f}, h = {logp - ref_logp:.1f}")
print(f"implicit reward at beta = 0.1: {0.1 * (logp - ref_logp):.2f}")
print("a 500-token completion: ln pi is about -800, and exp(-800) =", math.exp(-800))

# %% [markdown]
# The last number is why the inputs are log-probabilities and should stay so.
#
# ### Exercise: `implicit_reward` (1 point, 5 minutes, ★)
#
# Line 7 without the constant: $\beta\, h(y)$. With the partition function the reward is
# `implicit_reward(...) + beta * log_partition(...)`.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "implicit_reward"}
def implicit_reward(
    logp: torch.Tensor, ref_logp: torch.Tensor, beta: float
) -> torch.Tensor:
    """The reward that a policy implies, up to one constant per prompt: beta * h.

    Args:
        logp: [...] log-probabilities of completions under the policy, summed over tokens.
        ref_logp: [...] the same under the reference.
        beta: weight of the KL, positive.

    Returns:
        [...] implicit rewards, differentiable in `logp`.
    """
    ### BEGIN SOLUTION
    return beta * (logp - ref_logp)
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_implicit_reward", "points": 1}
check.implicit_reward(implicit_reward)

# %% tags=["show"]
best = optimal_policy(uniform, R, 0.5)
beta_h = implicit_reward(best.log(), uniform.log(), 0.5)
constant = 0.5 * log_partition(uniform, R, 0.5)
print("pi*                 ", best)
print("beta h*             ", beta_h, "   <- not the rewards, but the same differences")
print("beta h* + beta ln Z ", beta_h + constant)

# %% [markdown]
# ### The line where $Z$ disappears
#
# Votes depend on a *difference* of rewards, and in a difference of two completions of the same
# prompt the constant $\beta\ln Z$ cancels. Write that down as a formula. The machine reads formulas
# as nested lists: a name, a number, or `[head, argument, ...]` with one of these heads:
#
# | list | means |
# | --- | --- |
# | `["add", a, b, ...]`, `["mul", a, b, ...]` | $a + b + \dots$, $a\,b\cdots$ |
# | `["sub", a, b]`, `["div", a, b]` | $a - b$, $a / b$ |
# | `["neg", a]`, `["log", a]`, `["exp", a]` | $-a$, $\ln a$, $e^a$ |
#
# Write the list by hand, or let arithmetic on `symbols` write it and take `.tree`:

# %% tags=["show"]
p, q, tau = symbols("p q tau")
formula = log(p / q) - 2 * exp(-(p - q) / tau)
print(formula.tree)
print(pretty(formula.tree), "  at p = 0.3, q = 0.2, tau = 0.5:")
print(evaluate(formula.tree, {"p": 0.3, "q": 0.2, "tau": 0.5}))

# %% [markdown]
# ### Exercise: `optimal_log_odds` (1 point, 10 minutes, ★★)
#
# Line 8. Return the formula of $\ln\dfrac{\pi^*(y_w)}{\pi^*(y_l)}$ in the five names `ref_w`,
# `ref_l` (reference **probabilities** of the two completions), `reward_w`, `reward_l` and `beta`.
# There is no name for $Z$ and none is needed. Any correct form counts: it is evaluated at random
# points.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "optimal_log_odds"}
def optimal_log_odds() -> list:
    """The log-odds of the optimal policy between two completions, as a formula.

    Returns:
        A nested list of at most 100 parts in the heads "add", "mul", "sub", "div", "neg",
        "log", "exp" and the names "ref_w", "ref_l", "reward_w", "reward_l", "beta", whose
        value is ln(pi*(y_w) / pi*(y_l)). (`symbols` and `.tree` build it.)
    """
    ### BEGIN SOLUTION
    ref_w, ref_l, reward_w, reward_l, beta = symbols("ref_w ref_l reward_w reward_l beta")
    return (log(ref_w / ref_l) + (reward_w - reward_l) / beta).tree
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_optimal_log_odds", "points": 1}
check.optimal_log_odds(optimal_log_odds)

# %% [markdown]
# ## 6. Direct preference optimisation
#
# Put line 7 into line 1. The reward model is replaced by the policy that is optimal for it, and the
# votes train that policy directly (Rafailov et al. 2023, eq. 7):
#
# $$L_{\text{DPO}} = -\frac1B\sum_b\ln\sigma(\beta\,\Delta h_b), \qquad
# \Delta h_b = h(y_w^b) - h(y_l^b)
# = \Big[\ln\pi(y_w) - \ln\pi_{\text{ref}}(y_w)\Big] - \Big[\ln\pi(y_l) - \ln\pi_{\text{ref}}(y_l)\Big].$$
#
# It is `reward_model_loss` of implicit rewards: two language models, no reward model, no sampling.
# On the slide both braces under this formula end in "of preferred completion"; the second one is
# about the *rejected* completion.

# %% tags=["show"]
print("at the start pi = pi_ref, h = 0, and every pair costs ln 2 =", round(math.log(2), 4))
print(" beta    dh   beta*dh    loss   weight sigma(-beta*dh)")
for beta, dh in [(0.1, 5.0), (0.1, -5.0), (1.0, 5.0), (1.0, -5.0)]:
    z = beta * dh
    loss, weight = math.log(1 + math.exp(-z)), 1 / (1 + math.exp(z))
    print(f"{beta:5.1f} {dh:5.1f} {z:9.2f} {loss:7.4f} {weight:8.4f}")

# %% [markdown]
# ### Exercise: `dpo_loss` (2 points, 15 minutes, ★)
#
# Line 9. The inputs are summed log-probabilities, one per pair. The reference is a constant: no
# gradient may reach `ref_chosen_logps` and `ref_rejected_logps`, even if they ask for one.
# `reduction` is `"mean"` (default) or `"sum"` over the pairs, or `"none"` for one loss per pair.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "dpo_loss"}
def dpo_loss(
    chosen_logps: torch.Tensor,
    rejected_logps: torch.Tensor,
    ref_chosen_logps: torch.Tensor,
    ref_rejected_logps: torch.Tensor,
    beta: float,
    reduction: str = "mean",
) -> torch.Tensor:
    """DPO loss -ln sigma(beta * (h(y_w) - h(y_l))), Rafailov et al. 2023, eq. 7.

    Args:
        chosen_logps: [B] ln pi(y_w), summed over completion tokens.
        rejected_logps: [B] ln pi(y_l).
        ref_chosen_logps: [B] ln pi_ref(y_w), a constant.
        ref_rejected_logps: [B] ln pi_ref(y_l), a constant.
        beta: weight of the KL, positive.
        reduction: "mean", "sum" or "none".

    Returns:
        0-d for "mean" and "sum", [B] for "none"; differentiable in the first two
        arguments only, finite for beta * (h(y_w) - h(y_l)) of any size.

    Raises:
        ValueError: for any other `reduction`.
    """
    ### BEGIN SOLUTION
    chosen = chosen_logps - ref_chosen_logps.detach()
    rejected = rejected_logps - ref_rejected_logps.detach()
    losses = -F.logsigmoid(beta * (chosen - rejected))
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    if reduction == "mean":
        return losses.mean()
    raise ValueError(f"unknown reduction: {reduction}")
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_dpo_loss", "points": 2}
check.dpo_loss(dpo_loss)

# %% [markdown]
# ### Exercise: `dpo_loss_gradient` (1 point, 10 minutes, ★★)
#
# Line 10. Differentiate the **mean** loss by hand and return its derivatives in `chosen_logps` and
# in `rejected_logps`. The factor $\sigma(-\beta\Delta h)$ in it is the probability that the
# implicit rewards give to the wrong order. (Autograd on your `dpo_loss` is a good check of your
# formula.)

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "dpo_loss_gradient"}
def dpo_loss_gradient(
    chosen_logps: torch.Tensor,
    rejected_logps: torch.Tensor,
    ref_chosen_logps: torch.Tensor,
    ref_rejected_logps: torch.Tensor,
    beta: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradient of the mean DPO loss with respect to the policy's log-probabilities.

    Args:
        chosen_logps: [B] ln pi(y_w), summed over completion tokens.
        rejected_logps: [B] ln pi(y_l).
        ref_chosen_logps: [B] ln pi_ref(y_w).
        ref_rejected_logps: [B] ln pi_ref(y_l).
        beta: weight of the KL, positive.

    Returns:
        (dL / d chosen_logps, dL / d rejected_logps), each [B], finite at gaps of any
        size; where the gradient is below the rounding error of beta / B, 0 is as good.
    """
    ### BEGIN SOLUTION
    margin = chosen_logps - ref_chosen_logps - rejected_logps + ref_rejected_logps
    pull = beta * torch.sigmoid(-beta * margin) / len(margin)
    return -pull, pull
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_dpo_loss_gradient", "points": 1}
check.dpo_loss_gradient(dpo_loss_gradient)

# %% tags=["show"]
predict(
    "A small gradient step on one pair lowers its DPO loss. Must ln pi(y_w) have risen?",
    ["yes: that is what the loss asks for", "no: it may fall, if ln pi(y_l) falls faster"],
    answer=1,
    why="The loss sees the difference only. With shared parameters both may fall, and the mass "
    "goes to completions that are in no pair.",
)

# %% [markdown]
# Here is the smallest example: three completions whose logits are $\theta$, times a single feature
# that is 1 for the chosen completion, 0 for the rejected and 3 for a third one that nobody voted
# on. Along $\theta$ the loss (blue) falls, as it should; the log-probability of the chosen
# completion (orange) falls *too*, and the bystander (red) takes the mass. On language models this
# is known as likelihood displacement (Pal et al. 2024; Razin et al. 2024): watch the chosen
# log-probability when you train, not only the loss.

# %% tags=["show"]
theta = torch.linspace(0, 3, 100, dtype=F64)
logps = torch.outer(theta, torch.tensor([1.0, 0.0, 3.0], dtype=F64)).log_softmax(-1)
start = torch.full_like(theta, -math.log(3))
losses = dpo_loss(logps[:, 0], logps[:, 1], start, start, 1.0, reduction="none")
fig, ax = style.figure(
    "The loss falls, and so does the chosen completion",
    "theta",
    "nats",
    figsize=(6, 3),
)
ax.plot(theta, losses, label="DPO loss, beta = 1")
ax.plot(theta, logps[:, 0], label="ln pi(chosen)")
ax.plot(theta, logps[:, 1], label="ln pi(rejected)")
ax.plot(theta, logps[:, 2], label="ln pi(bystander)")
ax.legend()
plt.show()

# %% [markdown]
# ## 7. Does DPO find the optimum? It depends on the labels
#
# Now the last line of the proof. Forget finite data: pairs $(i, j)$ are drawn with probability
# $\mu_{ij}$ (any ordered law; independent draws from $\mu_1$ and $\mu_2$ give $\mu_{ij} =
# \mu_1(i)\mu_2(j)$), and $i$ wins with probability $p_{ij}$, where $p_{ij} + p_{ji} = 1$ and
# $p_{ii} = \tfrac12$. The policy is $\pi = \mathrm{softmax}(\theta)$. The **population loss**
# averages over both outcomes:
#
# $$L(\theta) = -\sum_{i,j}\mu_{ij}\Big[p_{ij}\ln\sigma(\beta\,\Delta h_{ij})
# + (1 - p_{ij})\ln\sigma(-\beta\,\Delta h_{ij})\Big], \qquad \Delta h_{ij} = h(i) - h(j).$$
#
# Each pair's term is a cross-entropy between $p_{ij}$ and the policy's own opinion
# $\sigma(\beta\Delta h_{ij})$. One pair, for numbers: $p = \sigma(0.5) = 0.622$ and $\beta = 0.5$.

# %% tags=["show"]
p = 1 / (1 + math.exp(-0.5))
print("   dh   sigma(beta dh)   slope of the pair's loss in dh: beta * (sigma(beta dh) - p)")
for dh in [0.0, 0.5, 1.0, 2.0]:
    opinion = 1 / (1 + math.exp(-0.5 * dh))
    print(f"{dh:5.1f} {opinion:12.4f} {0.5 * (opinion - p):15.4f}")
print("The slope vanishes at dh = 1 = (R_i - R_j) / beta: the log-odds of line 8.")

# %% [markdown]
# ### Exercise: `dpo_population_gradient` (3 points, 25 minutes, ★★★)
#
# Line 11: the gradient of $L(\theta)$ in the **logits** $\theta$. Both outcomes of a comparison
# count, and a pair of equal completions contributes nothing. Autograd on the population loss is
# allowed; the closed form is three lines. $\theta$ may be large: stay in log-probabilities.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "dpo_population_gradient"}
def dpo_population_gradient(
    theta: torch.Tensor,
    prefs: torch.Tensor,
    mu: torch.Tensor,
    ref_probs: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """Gradient of the population DPO loss with respect to the logits of the policy.

    Args:
        theta: [K] logits; the policy is softmax(theta). May be of any size.
        prefs: [K, K] label probabilities; prefs[i, j] = P(i preferred to j), with
            prefs + prefs.T = 1 (so 1/2 on the diagonal). Exact 0 and 1 are allowed.
        mu: [K, K] law of the pair shown to the annotator; mu[i, j] is the probability of
            (first i, second j). Entries sum to 1; need not be symmetric; the diagonal may
            be positive.
        ref_probs: [K] the reference, positive.
        beta: weight of the KL, positive; it enters the loss as sigma(beta * delta h).

    Returns:
        [K] gradient, without a graph.
    """
    ### BEGIN SOLUTION
    log_ratio = theta.detach().log_softmax(-1) - ref_probs.log()
    opinion = torch.sigmoid(beta * (log_ratio[:, None] - log_ratio[None, :]))
    pull = beta * mu * (opinion - prefs)
    return pull.sum(1) - pull.sum(0)
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_dpo_population_gradient", "points": 3}
check.dpo_population_gradient(dpo_population_gradient)

# %% [markdown]
# Your function can now settle a question of the slides. The bandit of section II.E.3 has rewards
# (2.5, 2, 1), a uniform reference, $\beta = 0.5$, and pairs drawn mostly from the *worst* arm:
# $\mu_1 = (0.1, 0.2, 0.7)$ and $\mu_2 = (0.05, 0.05, 0.9)$, as in Flet-Berliac et al. (2024, §5).

# %%
ARMS = torch.tensor([2.5, 2.0, 1.0], dtype=F64)
BETA = 0.5
REF = torch.full((3,), 1 / 3, dtype=F64)
MU1 = torch.tensor([0.1, 0.2, 0.7], dtype=F64)
MU2 = torch.tensor([0.05, 0.05, 0.9], dtype=F64)
GAPS = ARMS[:, None] - ARMS[None, :]
LABELS = {
    "Bradley–Terry": torch.sigmoid(GAPS),
    "deterministic": (GAPS.sign() + 1) / 2,
}

# %% tags=["show"]
best = optimal_policy(REF, ARMS, BETA)
for name, prefs in LABELS.items():
    gradient = dpo_population_gradient(best.log(), prefs, torch.outer(MU1, MU2), REF, BETA)
    print(f"{name:>14} labels: gradient at pi* = {gradient}, norm {gradient.norm():.4f}")

# %% [markdown]
# With votes drawn from Bradley–Terry, $\pi^*$ is stationary, whatever $\mu$ is. If the better
# completion *always* wins, it is not: the gradient still pushes. Where to?

# %% tags=["show"]
predict(
    "Deterministic labels, beta = 0.5, long training. The regret ...",
    ["falls to zero", "falls, then rises", "never falls", "rises, then falls"],
    answer=1,
    why="-ln sigma(beta dh) has no minimum: dh grows for ever. The policy starts at the "
    "reference, passes near pi* and goes on to the greedy corner.",
)

# %% [markdown]
# We train on 10,000 sampled pairs with your `dpo_loss` (Adam, learning rate 0.01, batches of 512).

# %%
def sample_pairs(prefs, n, seed):
    """Draw n labelled pairs (winner, loser) of arms from MU1, MU2 and `prefs`."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.multinomial(MU1, n, replacement=True, generator=generator)
    second = torch.multinomial(MU2, n, replacement=True, generator=generator)
    u = torch.rand(n, dtype=F64, generator=generator)
    first_wins = u < prefs[first, second]
    winner = torch.where(first_wins, first, second)
    return winner, torch.where(first_wins, second, first)


def train(loss_fn, pairs, steps=2000, every=20, lr=1e-2, seed=0):
    """Minimise `loss_fn` on minibatches of pairs; return the policies on the way."""
    generator = torch.Generator().manual_seed(seed)
    winner, loser = pairs
    theta = torch.zeros(3, dtype=F64, requires_grad=True)
    optimiser = torch.optim.Adam([theta], lr=lr)
    path = []
    for step in range(steps + 1):
        logps = theta.log_softmax(0)
        if step % every == 0:
            path.append(logps.detach().exp())
        batch = torch.randint(len(winner), (512,), generator=generator)
        w, l = winner[batch], loser[batch]  # noqa: E741
        loss = loss_fn(logps[w], logps[l], REF.log()[w], REF.log()[l], BETA)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return torch.stack(path)

# %% tags=["train"]
paths = {
    f"DPO, {name} labels": train(dpo_loss, sample_pairs(prefs, 10_000, seed=3))
    for name, prefs in LABELS.items()
}
for name, path in paths.items():
    regret = objective_gap(path, REF, ARMS, BETA)
    low = regret.argmin().item()
    print(f"{name}: start {regret[0]:.3f}, lowest {regret[low]:.4f} at step {20 * low},", end=" ")
    print(f"end {regret[-1]:.4f}")

# %% [markdown]
# The figure shows the regret over 2,000 steps on a logarithmic scale. Under Bradley–Terry labels it
# falls to the noise of 10,000 votes (another seed ends anywhere between 0.00001 and 0.007); under
# deterministic labels it dips, then climbs towards the regret of the greedy policy (dashed,
# 0.1745).

# %% tags=["train"]
fig, ax = style.figure("DPO on the bandit, beta = 0.5", "step", "regret (units of reward)")
for name, path in paths.items():
    ax.semilogy(range(0, 2001, 20), objective_gap(path, REF, ARMS, BETA), label=name)
greedy = torch.tensor([1.0, 0.0, 0.0], dtype=F64)
ax.axhline(
    objective_gap(greedy, REF, ARMS, BETA), color="grey", linestyle="--", label="greedy policy"
)
ax.legend()
plt.show()

# %% [markdown]
# So the sentence on the slides that DPO, too, fails offline needs its premise: **with labels
# sampled from Bradley–Terry, every pair of completions covered and enough data, DPO's optimum is
# $\pi^*$; with deterministic labels it has no optimum at all.** Two practical notes. A small
# $\beta$ hides the difference, because then $\pi^*$ is nearly greedy itself. And real data sets
# hold *one* vote per pair: from inside a finite data set, every label looks deterministic.
#
# ## 8. IPO: aim at a margin instead of infinity
#
# Azar et al. (2023) start from the same objective but replace the reward by the probability of
# winning, $p(y\succ\mu) = \sum_j \mu_j\,P(y\succ j)$, which is bounded by 1 and needs no
# Bradley–Terry:
#
# $$\max_\pi\ \mathbb E_{y\sim\pi}\big[p(y\succ\mu)\big] - \tau\,\mathrm{KL}(\pi\,\|\,\pi_{\text{ref}}),
# \qquad L_{\text{IPO}} = \frac1B\sum_b\Big(\Delta h_b - \frac1{2\tau}\Big)^2$$
#
# (their eqs. 6 and 17). The loss is a regression: a won pair should have a log-ratio gap of exactly
# $1/(2\tau)$, no less and *no more*. $\tau$ plays the part of $\beta$.

# %% tags=["show"]
dh = torch.linspace(-4, 10, 200, dtype=F64)
fig, ax = style.figure(
    "One pair, one vote", "log-ratio gap (nats)", "loss", figsize=(6, 2.8)
)
ax.plot(dh, F.softplus(-0.5 * dh), label="DPO, beta = 0.5: falls for ever")
ax.plot(dh, (dh - 1) ** 2 / 10, label="IPO, tau = 0.5, divided by 10: lowest at 1")
ax.set(ylim=(0, 3))
ax.legend()
plt.show()

# %% [markdown]
# In the figure, DPO's loss (blue) decreases for ever and IPO's (orange) is a parabola around
# $1/(2\tau) = 1$.
#
# ### Exercise: `ipo_loss` (2 points, 10 minutes, ★)
#
# Same inputs as `dpo_loss`: **sums** over tokens, the reference constant. (The TRL library divides
# each side's log-ratio by the length of its completion first. That is another loss; here it is
# sums.)

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "ipo_loss"}
def ipo_loss(
    chosen_logps: torch.Tensor,
    rejected_logps: torch.Tensor,
    ref_chosen_logps: torch.Tensor,
    ref_rejected_logps: torch.Tensor,
    tau: float,
    reduction: str = "mean",
) -> torch.Tensor:
    """IPO loss (h(y_w) - h(y_l) - 1 / (2 tau))^2, Azar et al. 2023, eq. 17.

    Args:
        chosen_logps: [B] ln pi(y_w), summed over completion tokens.
        rejected_logps: [B] ln pi(y_l).
        ref_chosen_logps: [B] ln pi_ref(y_w), a constant.
        ref_rejected_logps: [B] ln pi_ref(y_l), a constant.
        tau: weight of the KL, positive.
        reduction: "mean", "sum" or "none".

    Returns:
        0-d for "mean" and "sum", [B] for "none"; differentiable in the first two
        arguments only.

    Raises:
        ValueError: for any other `reduction`.
    """
    ### BEGIN SOLUTION
    chosen = chosen_logps - ref_chosen_logps.detach()
    rejected = rejected_logps - ref_rejected_logps.detach()
    losses = (chosen - rejected - 1 / (2 * tau)) ** 2
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    if reduction == "mean":
        return losses.mean()
    raise ValueError(f"unknown reduction: {reduction}")
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_ipo_loss", "points": 2}
check.ipo_loss(ipo_loss)

# %% [markdown]
# ### Two completions, on paper
#
# Two completions, a uniform reference, and the first wins a vote with probability $p$. The expected
# loss is $p\,(\Delta h - \frac1{2\tau})^2 + (1-p)(-\Delta h - \frac1{2\tau})^2$ with $\Delta h =
# h(y_1) - h(y_2)$. Set its derivative to zero, and translate $\Delta h$ into $\pi(y_1)$.
#
# ### Exercise: `ipo_two_arm_solution` (2 points, 15 minutes, ★★)
#
# The probability of the first completion at IPO's optimum, for any label probability $p$. DPO's
# answer at $p = 1$ would be 1, for every $\beta$. Mind that `math.exp(1000)` raises an error.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "ipo_two_arm_solution"}
def ipo_two_arm_solution(tau: float, p: float = 1.0) -> float:
    """pi(y_1) at the optimum of the population IPO loss, two arms, uniform reference.

    Args:
        tau: weight of the KL, positive; may be as small as 1e-4.
        p: probability that y_1 wins a vote against y_2, from 0 to 1.

    Returns:
        A Python float in [0, 1], up to rounding errors of 1: where the optimum is
        smaller than that, 0 is as good.
    """
    ### BEGIN SOLUTION
    gap = (2 * p - 1) / (2 * tau)
    return (1 + math.tanh(gap / 2)) / 2
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_ipo_two_arm_solution", "points": 2}
check.ipo_two_arm_solution(ipo_two_arm_solution)

# %% [markdown]
# The figure shows $\pi(y_1)$ against $\tau$ for labels that are right always, nine times in ten,
# and seven in ten: each curve falls from 1 to 0.5, so $\tau$ regularises even when a vote is never
# contradicted. That is what deterministic labels take away from DPO's $\beta$.

# %% tags=["show"]
taus = torch.logspace(-1.3, 1, 100).tolist()
fig, ax = style.figure("IPO with two completions", "tau", "pi(first)", figsize=(6, 2.8))
for p in (1.0, 0.9, 0.7):
    ax.semilogx(taus, [ipo_two_arm_solution(tau, p) for tau in taus], label=f"p = {p}")
ax.axhline(1.0, color="grey", linestyle="--", label="DPO, p = 1, every beta")
ax.legend()
plt.show()

# %% [markdown]
# ### Any number of completions
#
# IPO's objective is line 3 with $p(y\succ\mu)$ for $R(y)$ and $\tau$ for $\beta$, so line 5 solves
# it:
#
# $$\pi_{\text{IPO}}(y) \propto \pi_{\text{ref}}(y)\,\exp\!\big(p(y\succ\mu)/\tau\big), \qquad
# p(y\succ\mu) = \sum_{j} \mu_j\, P(y \succ j).$$
#
# The sum runs over **all** $j$, $y$ itself included: a completion meets itself with probability
# $\mu_y$ and then wins half of the time. It is the minimiser of the IPO loss when both completions
# of a pair are drawn independently from the same $\mu$, with full support. For our three arms and
# uniform $\mu$, by hand:

# %% tags=["show"]
wins = torch.sigmoid(ARMS[:, None] - ARMS[None, :])
print("P(i > j) =\n", wins)
print("p(y > mu), the mean of each row:", wins.mean(1))
print("IPO sees gaps of", (wins.mean(1)[0] - wins.mean(1)[2]).item(), "where the reward has 1.5")

# %% [markdown]
# ### Exercise: `ipo_closed_form` (2 points, 10 minutes, ★★)
#
# The policy above. Stay stable for small $\tau$.

# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "ipo_closed_form"}
def ipo_closed_form(
    ref: torch.Tensor, mu: torch.Tensor, pref_matrix: torch.Tensor, tau: float
) -> torch.Tensor:
    """IPO's optimal policy, proportional to ref * exp(p(y > mu) / tau).

    Args:
        ref: [K] reference probabilities, positive.
        mu: [K] law of the opponents, sums to 1; it includes y itself.
        pref_matrix: [K, K]; pref_matrix[i, j] = P(i preferred to j), rows win over
            columns, pref_matrix + pref_matrix.T = 1 (1/2 on the diagonal). Exact 0 and 1
            are allowed.
        tau: weight of the KL, positive; may be as small as 1e-4.

    Returns:
        [K] probabilities that sum to 1.
    """
    ### BEGIN SOLUTION
    wins = pref_matrix @ mu
    return torch.softmax(ref.log() + wins / tau, dim=-1)
    ### END SOLUTION

# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_ipo_closed_form", "points": 2}
check.ipo_closed_form(ipo_closed_form)

# %% [markdown]
# One triangle for the whole notebook. Each point is a policy over the three arms, each corner a
# policy that always plays one of them. All runs start in the middle, at the reference. DPO on
# Bradley–Terry labels (blue) ends close to $\pi^*$ (star); on deterministic labels (orange) it
# passes by and heads for the corner of the best arm; IPO (green), on Bradley–Terry labels, stops
# early: not at $\pi^*$, because it optimises the win probability and not the reward. Its closed
# form for uniform $\mu$ is the square; the run ends a little beside it since these pairs are not
# drawn from one uniform $\mu$.

# %% tags=["train"]
paths["IPO, Bradley–Terry labels"] = train(
    ipo_loss, sample_pairs(LABELS["Bradley–Terry"], 10_000, seed=3)
)
ipo_limit = ipo_closed_form(REF, REF, LABELS["Bradley–Terry"], BETA)
widgets_dpo.simplex(
    "Three ways from the reference (beta = tau = 0.5)",
    paths,
    {"optimal policy pi*": best, "IPO, closed form, uniform mu": ipo_limit, "reference": REF},
    ["y1 (R = 2.5)", "y2 (R = 2)", "y3 (R = 1)"],
)
for name, path in paths.items():
    print(f"{name}: ends at {path[-1]}, regret {objective_gap(path[-1], REF, ARMS, BETA):.4f}")

# %% [markdown]
# ## 9. In your own words
#
# **Written question (4 points, about 200 words).** A colleague reads on the slides that DPO fails
# on offline data and proposes to drop it. Say for which labels the claim is true. Argue (a) why
# $\pi^*$ is the one and only minimiser of the population DPO loss under Bradley–Terry labels, and
# what has to be assumed about the pairs; (b) where the policy goes under deterministic labels, and
# why no choice of $\beta > 0$ prevents it; (c) what IPO changes, and what it costs when the labels
# *are* Bradley–Terry.

# %% [markdown] nbgrader={"schema_version": 3, "solution": true, "grade": true, "locked": false, "task": false, "grade_id": "written_dpo_labels", "points": 4}
# **Model answer.** (a) Each pair contributes the cross-entropy between the label probability
# $p_{ij} = \sigma(R_i - R_j)$ and the policy's $\sigma(\beta\Delta h_{ij})$. A cross-entropy is
# smallest where the two agree, and $\sigma$ is one-to-one, so pair $(i, j)$ is at its minimum
# exactly when $\beta\Delta h_{ij} = R_i - R_j$. $\pi^*$ satisfies this for all pairs at once,
# because $\beta\ln Z$ cancels in the difference. If the compared pairs connect all completions that
# $\pi_{\text{ref}}$ can produce, all the differences of $h$ are fixed; probabilities sum to one, so
# the policy is fixed too. How often each pair is drawn ($\mu$) does not matter, only that it is.
#
# (b) With $p_{ij} \in \{0, 1\}$ a pair's loss is $-\ln\sigma(\beta\Delta h)$, strictly decreasing
# with infimum 0, which is not attained. All pairs agree on one order, so all gaps can grow
# together: the policy goes to the best completion. $\beta$ only multiplies $\Delta h$: it changes
# how fast, not where to. The reference is forgotten.
#
# (c) IPO regresses $\Delta h$ on $1/(2\tau)$, a finite target, so $\tau$ keeps regularising. Its
# optimum is $\pi_{\text{ref}}\exp(p(y\succ\mu)/\tau)$: the reward is squashed into a win
# probability that depends on $\mu$. Under Bradley–Terry labels it is biased, regret about 0.15
# here, however much data there is.
#
# **Rubric.** 1 point: cross-entropy per pair (or an equivalent argument, such as the vanishing
# gradient with convexity), minimised at $\beta\Delta h = \Delta R$, met by $\pi^*$ for all pairs
# since $Z$ cancels. 1 point: uniqueness with its assumption, pairs that connect all completions
# (full support is accepted). 1 point: deterministic labels have no minimiser, the gap goes to
# infinity and the policy to the greedy one, and $\beta$ only rescales the gap. 1 point: IPO has a
# finite target and is biased under Bradley–Terry labels because it optimises $p(y\succ\mu)$, not
# $R$.

# %% [markdown]
# ## Where the slides need care
#
# - **Thurstone or Bradley–Terry.** The page shows Thurstone's article; the formula is Bradley and
#   Terry's. Thurstone's law has $\Phi$ (the probit) where this one has $\sigma$.
# - **"Two pairs of completion".** A vote is *one* pair: two completions of the same prompt.
# - **$\mathbb E_{y\sim\pi}[R - \beta\,\mathrm{KL}]$.** The KL does not depend on $y$; it stands
#   outside the expectation, or becomes the log-ratio $\beta h(y)$ inside. The two agree in
#   expectation only.
# - **The silent change of sign.** $\mathcal L = -J/\beta$: $J$ is maximised, $\mathcal L$
#   minimised.
# - **$Z$ depends on the prompt.** It cancels between completions of *one* prompt, never across
#   prompts.
# - **Under the DPO loss** the second brace should read "likelihood of the *rejected* completion".
# - **"Same for DPO."** True for deterministic labels, false for labels sampled from Bradley–Terry;
#   Flet-Berliac et al. (2024, §6.1) say themselves that DPO should then optimise the reward.
# - **IPO** is named on the slides but not written down; sums over tokens and $1/(2\tau)$ are from
#   the paper.
#
# ## What you have learnt
#
# - Votes fix differences of rewards; maximum likelihood reads them off, win rates do not.
# - $J(\pi) = \beta\ln Z - \beta\,\mathrm{KL}(\pi\,\|\,\pi^*)$ is the whole theory of the
#   KL-regularised objective.
# - A policy *is* a reward up to a constant per prompt, and comparisons do not see that constant.
# - DPO is the reward-model loss on implicit rewards. It is as good as the labels are noisy.
# - IPO stays finite where DPO does not, and pays with another target.
#
# ## Further reading
#
# - Bradley and Terry (1952), *Rank analysis of incomplete block designs*; Thurstone (1927), *A law
#   of comparative judgment*; Hunter (2004), *MM algorithms for generalized Bradley–Terry models*
#   (when a finite optimum exists, and a pretty algorithm for it).
# - Rafailov et al. (2023), *Direct preference optimization*, eqs. 4–7 and appendix A.
# - Azar et al. (2023), *A general theoretical paradigm to understand learning from human
#   preferences*, eqs. 6, 13 and 17, and §5.3 for the two arms.
# - Gao, Schulman and Hilton (2022), *Scaling laws for reward model overoptimization*; Singhal et
#   al. (2023), *A long way to go: investigating length correlations in RLHF*.
# - Razin et al. (2024), *Unintentional unalignment*; Pal et al. (2024), *Smaug*: likelihood
#   displacement.
# - Flet-Berliac et al. (2024), *Contrastive policy gradient*, §5: the bandit.
#
# Next: 10, policy gradient and RLOO, where the policy learns from completions that it writes
# itself.

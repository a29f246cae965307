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
# # Final project
#
# Lecture practical · about 600 minutes, 175 of them for the exercises · 60 points by machine, 12 by hand
#
# You take a small language model that writes film reviews, and what real people thought of real
# reviews, and you make the model write reviews that people would rate highly, without letting it
# forget how to write. You do it four times, from the same stored data, with four losses, three of
# them yours; then you judge the results, and your own judge. Of the ten hours the exercises take
# about three; the rest is for reading, for settings of your own and their runs, and for the report.
#
# **You will be able to**
#
# - turn human ratings into a reward model, and read what it has learnt, word by word;
# - train a language model offline with SFT, DPO, policy gradient and CoPG, in a loop that can be
#   interrupted;
# - measure reward, KL divergence and win rate with honest error bars, and compare on the frontier;
# - recognise reward hacking when you see it, and say which losses a shift of the reward can break.
#
# **You need** 08 (SFT), 09 (DPO), 10 (policy gradient, RLOO) and 11 (CoPG).
#
# **Map** 13 · Multi-turn, soft Bellman and ShiQ → **Final project** → your own work

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "setup"}
import copy
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
import transformers
from IPython.display import display
from tqdm.auto import tqdm

from sft2rl import models, project_results, reward, sampling, style, textdata
from sft2rl import widgets_project as widgets
from sft2rl.checks import project as check
from sft2rl.enumerable import EnumerableTask
from sft2rl.schedule import batch_rows, lr_factor
from sft2rl.widgets import predict

style.use()
models.keep_memory()
transformers.logging.set_verbosity_error()
print("torch", torch.__version__, "· transformers", transformers.__version__)

# %% [markdown]
# ## 0. The task
#
# > Continue the opening of a film review, so that people would rate it positively.
#
# | | here |
# | --- | --- |
# | prompt $x$ | the tag `<movie>` and the first 3 tokens of a real review |
# | completion $y$ | at most 16 more tokens, sampled at temperature 1 |
# | reference $\pi_\text{ref}$ | a Llama-style model with 1.3 million parameters, trained by the course |
# | reward $R(x, y)$ | a Bradley-Terry reward model trained on human ratings |
# | judged by | $J(\pi) = \mathbb E_{x,\,y\sim\pi}[R(x,y)] - \beta\,\mathbb E_x\,\mathrm{KL}(\pi(\cdot\mid x)\,\Vert\,\pi_\text{ref}(\cdot\mid x))$ with $\beta = 0.2$ |
#
# It is the sentiment experiment of the DPO paper, small enough for a laptop: the whole notebook
# takes some ten minutes of computing, five to six on two idle cores. Cells that take longer than
# a few seconds say so; they keep their progress in the folder `runs`, so an interrupted run goes on
# where it stopped. Sweeps over $\beta$ and over seeds load results that were computed beforehand; they
# are rerun only if you ask.
#
# **Conventions.** Log-probabilities are natural logarithms, *summed* over the tokens of the
# completion: everything after the prompt up to and including the first end-of-sequence token, or
# all 16 tokens if there is none. A dimension of size 2, as in `[B, 2]` or `[N, 2, T]`, holds a *pair*
# of completions of the same prompt. A *loss* is minimised. A larger `reward` is better.
#
# **A note on content.** The reviews were written by strangers on the internet. They can be rude.
#
# Your seeds follow from your user name on the hub, or else on this machine, so your samples, and in
# the end your weights, are yours alone. If the name below is one that others have, too (`root`,
# `jovyan`), start Jupyter anew with your own in the environment variable `JUPYTERHUB_USER`.

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "constants"}
BETA = 0.2  # of J, the judge of all methods
MAX_NEW_TOKENS = 16
RUNS = Path("runs")
STUDENT = models.student_name()
print("your seeds follow from the name", STUDENT)

# %% [markdown]
# ## 1. What people liked
#
# Hutto and Gilbert (2014) had 10,605 sentences from film reviews rated on a scale from −4 to 4, each
# by 15 to 29 people. The next cell downloads them once (2.5 MB, from the package index; the file's
# hash is checked). Without a network it says so, and goes on with 60 sentences that we made up:
# enough to try your code on, too few for a good reward model. A trained one ships with the course.

# %% tags=["show"]
try:
    snippets = textdata.load_snippets()
except textdata.TextDataError as error:
    print(error)
    snippets = textdata.load_fixture()
train_snippets = textdata.of_split(snippets, "train", "movie")
held_out = textdata.of_split(snippets, "test", "movie") or train_snippets
print(f"{len(train_snippets)} rated film-review sentences to learn from\n")
for each in train_snippets[:6]:
    print(f"{each.mean:+.2f}  {each.ratings}\n       {each.text}")

# %% [markdown]
# Different people use the scale differently, so we do not fit the numbers. We draw two sentences and
# one rater of each, and note who rated higher: a *vote*, as in assignment 09. A tie is decided by a
# coin. The Bradley-Terry model says $P(y_w \succ y_l) = \sigma(r_w - r_l)$, and the reward model's
# loss is the mean negative log-likelihood of the votes,
#
# $$L = -\frac1B\sum_{i=1}^B \ln\sigma\big(r(y_w^i) - r(y_l^i)\big).$$
#
# Two votes by hand: gaps $r_w - r_l$ of $2$ and $-1$ cost $\ln(1+e^{-2}) = 0.1269$ and
# $\ln(1+e^{1}) = 1.3133$, so $L = 0.7201$.
#
# ### Exercise: `reward_model_loss` (3 points, 5 minutes, ★)
#
# You wrote it in 09; write it again. It must be right, in value and gradient, at gaps of ±1000.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "reward_model_loss"}
def reward_model_loss(
    chosen_rewards: torch.Tensor, rejected_rewards: torch.Tensor
) -> torch.Tensor:
    """Negative log-likelihood of votes under Bradley-Terry, mean over the pairs.

    Args:
        chosen_rewards: [B] rewards of the preferred texts.
        rejected_rewards: [B] rewards of the other texts.

    Returns:
        0-d tensor in nats, differentiable in both arguments, in their dtype.
    """
    ### BEGIN SOLUTION
    return F.softplus(rejected_rewards - chosen_rewards).mean()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_reward_model_loss", "points": 3}
check.reward_model_loss(reward_model_loss)

# %% [markdown]
# **Train it** (about 10 seconds). The model is as plain as can be: one weight for each word and for
# each pair of neighbouring words that occurs at least three times, and
# $r(y) = \sum_g w_g / \sqrt{n}$ over the $n$ known ones in the text.

# %% tags=["train"]
my_judge = reward.RewardModel.for_snippets(train_snippets)
votes = reward.draw_comparisons(
    train_snippets, 287_000, torch.Generator().manual_seed(models.seed_of(STUDENT, "votes"))
)
losses = reward.fit(my_judge, votes, reward_model_loss, progress=tqdm)
print(f"{len(my_judge.features)} weights, loss {losses[0]:.3f} -> {losses[-1]:.3f}")

# %% [markdown]
# Is it any good? We ask for the order of two *held-out* sentences, and compare with VADER, a
# well-known list of words and rules that was never trained on these votes and never will be: our
# second judge. It is independent of our training, not of its kind: it counts words, too, and comes
# from the authors of the data.

# %% tags=["train"]
texts = [each.text for each in held_out]
means = torch.tensor([each.mean for each in held_out])
for name, scores in (
    ("your reward model", my_judge.rewards(texts)),
    ("the shipped one", reward.RewardModel.load().rewards(texts)),
    ("VADER", reward.vader(texts)),
):
    accuracy = [reward.pairwise_accuracy(scores, means, gap) for gap in (0, 1, 2)]
    print(
        f"{name:18s} orders {accuracy[0]:.1%} of all pairs, {accuracy[1]:.1%} of those "
        f"more than 1 apart, {accuracy[2]:.1%} of those more than 2 apart"
    )

# %% [markdown]
# **Look into it.** Type a sentence and see what each word earns. Find a sentence that a person would
# rate highly and the judge does not; then one that is nonsense and that the judge loves. Keep the
# second: your policy will find it too.

# %% tags=["show"]
judge = reward.RewardModel.load()
widgets.word_scores(judge)

# %% tags=["show"]
predict(
    "You add 5 to every reward. What changes in the votes that the model predicts?",
    ["all become more certain", "nothing", "the order of the texts"],
    answer=1,
    why="Only differences enter, so the zero of a reward is arbitrary. Section 8 shows which losses "
    "know that and which do not.",
)

# %% [markdown]
# From here on everybody uses the **shipped** reward model (trained in the same way), so that results
# can be compared; grading uses it as well.
#
# ## 2. The model that we start from
#
# The reference policy is a Llama-style transformer (4 layers, width 128, a byte-level BPE of 4,096
# tokens, tied head), trained from scratch on the training split of the film and product
# reviews by `python -m sft2rl.pretrain`. It is small and has read very little. What it writes is
# locally fluent and makes little sense beyond a few words.

# %% tags=["show"]
reference = models.frozen(models.load_model())
tokenizer = models.load_tokenizer()
train_prompts = sampling.load_prompts("train")
evaluation_prompts = sampling.load_prompts("evaluation")
sizes = f"{len(train_prompts)} prompts to train on, {len(evaluation_prompts)} to judge with"
print(f"{reference.num_parameters():,} parameters; {sizes}\n")
drawn = sampling.sample(reference, evaluation_prompts[:8], sampling.draw_luck(8, seed=1))
drawn_texts = sampling.texts_of(tokenizer, drawn)
for text, score in zip(drawn_texts, judge.rewards(drawn_texts), strict=True):
    print(f"R = {score:+.2f}  {text}")

# %% [markdown]
# ### The log-probability of a completion
#
# Every loss below needs one number per completion,
#
# $$\ln\pi(y|x) = \sum_{t\,:\,m_t = 1} \ln\pi(y_t\,|\,x, y_{<t}),$$
#
# where $m$ is `completion_mask`, 1 at the tokens of the completion (its end-of-sequence token
# included) and 0 at prompt and padding. All three tensors have the same shape `[B, T]` and the same
# alignment: `completion_mask[b, t]` says whether `input_ids[b, t]` counts. But the model's
# `logits[:, t]` predict token $t+1$. That shift is the first trap. The second: the
# probability of a padding token may be exactly 0, and $0\cdot(-\infty)$ is not a number; choose with
# `torch.where` or `masked_fill`, do not multiply. The third: padding may stand on the left as well
# (a shorter prompt), so the model must be told about it by `attention_mask`.
#
# Worked example: prompt `[7]`, completion `[5, 1]`, one padding token.
#
# | position $t$ | 0 | 1 | 2 | 3 |
# | --- | --- | --- | --- | --- |
# | `input_ids` | 7 | 5 | 1 | 0 |
# | `attention_mask` | 1 | 1 | 1 | 0 |
# | `completion_mask` | 0 | 1 | 1 | 0 |
# | its log-probability comes from | – | `logits[0]` | `logits[1]` | (not counted) |
#
# ### Exercise: `completion_logps` (5 points, 20 minutes, ★★)


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "completion_logps"}
def completion_logps(
    model: torch.nn.Module,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    completion_mask: torch.Tensor,
) -> torch.Tensor:
    """ln pi(y|x) of each row: the sum over the tokens of its completion.

    Args:
        model: called as `model(input_ids=..., attention_mask=...)`; the result has `.logits`
            [B, T, V], and `logits[:, t]` predict token t + 1.
        input_ids: [B, T] long; prompt, completion, padding on either side or both.
        attention_mask: [B, T] long; 0 at padding.
        completion_mask: [B, T] long, 0/1; 1 at the tokens of the completion, the end of
            sequence included. Never 1 at position 0.

    Returns:
        [B], dtype of the logits, differentiable in the parameters of the model. Finite, value
        and gradient, even where a token that is not counted has probability 0; -inf where one
        that is counted has; 0 for an empty completion. The model stays in the mode it is in.
    """
    ### BEGIN SOLUTION
    logits = model(input_ids=input_ids, attention_mask=attention_mask).logits[:, :-1]
    tokens = input_ids[:, 1:].unsqueeze(-1)
    logps = logits.log_softmax(-1).gather(-1, tokens).squeeze(-1)
    return logps.masked_fill(completion_mask[:, 1:] == 0, 0.0).sum(-1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_completion_logps", "points": 5}
check.completion_logps(completion_logps)


# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "helper_gradient"}
def logp_gradient(model, input_ids, attention_mask, completion_mask) -> dict:
    """Gradient of the mean log-probability in each parameter; None where none arrives."""
    model.zero_grad()
    value = completion_logps(model, input_ids, attention_mask, completion_mask).mean()
    if value.requires_grad:
        value.backward()
    return {name: tensor.grad for name, tensor in model.named_parameters()}


# %% [markdown]
# ## 3. The data: sampled once, never again
#
# Offline means: the reference writes **pairs** of completions, two pairs for each of 8,192 prompts, the
# judge scores them, and the model that wrote them is never asked again. The stored log-probabilities
# under the reference are part of the data. All four offline methods below see these pairs and
# nothing else. (About a minute, once. The file `runs/pairs.safetensors` is yours; the seed follows from your
# name.)

# %% tags=["train"]
pairs_file = RUNS / "pairs.safetensors"
if not pairs_file.is_file():
    parts = [
        sampling.sample_pairs(
            reference,
            tokenizer,
            chunk,
            judge.rewards,
            completion_logps,
            seed=models.seed_of(STUDENT, f"pairs {number}"),
        )
        for number, chunk in enumerate(tqdm(train_prompts.repeat(2, 1).split(1024)))
    ]
    joined = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    sampling.save_pairs(joined, pairs_file)
pairs = sampling.load_pairs(pairs_file)
for name, tensor in pairs.items():
    print(f"{name:16s} {list(tensor.shape)} {tensor.dtype}")
gap = (pairs["rewards"][:, 0] - pairs["rewards"][:, 1]).abs()
print(f"mean reward {pairs['rewards'].mean():+.3f}, mean gap in a pair {gap.mean():.3f}")

# %% [markdown]
# ## 4. Four losses on the same pairs
#
# Write $h(y) = \ln\pi(y|x) - \ln\pi_\text{ref}(y|x)$, and let $y_w$ be the completion of a pair with
# the larger reward, $y_l$ the other one.
#
# | method | loss per pair | uses |
# | --- | --- | --- |
# | SFT on the best | $-\ln\pi(y_w)$ | which is better |
# | DPO | $-\ln\sigma\big(\beta h(y_w) - \beta h(y_l)\big)$ | which is better |
# | PG, offline | $-\tfrac12\sum_k \big(R_\beta(y_k) - b\big)\,\ln\pi(y_k)$, coefficient detached | both rewards |
# | CoPG | $-\big(\Delta R - \tfrac\beta2\,\Delta h\big)\,\Delta h$ | the difference of the rewards |
#
# with $R_\beta(y) = R(y) - \beta\,h(y)$. At the start, where $\pi = \pi_\text{ref}$: DPO is
# $\ln 2 = 0.6931$ for every pair, CoPG is 0 for every pair, and the loss of PG is no measure of
# anything.
#
# ### Exercise: `dpo_loss` (4 points, 10 minutes, ★)
#
# Labels here are deterministic: the judge's favourite wins. Assignment 09 told you what that means
# for large $h$. Worked example with $\beta = 0.5$: log-ratios $h(y_w) = 1$ and $h(y_l) = -1$ give
# $\ln(1 + e^{-1}) = 0.3133$.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "dpo_loss"}
def dpo_loss(
    chosen_logps: torch.Tensor,
    rejected_logps: torch.Tensor,
    ref_chosen_logps: torch.Tensor,
    ref_rejected_logps: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """Direct preference optimisation (Rafailov et al., 2023, equation 7), mean over the pairs.

    Args:
        chosen_logps, rejected_logps: [B] ln pi(y|x), summed over tokens; carry the graph.
        ref_chosen_logps, ref_rejected_logps: [B] the same under the reference; constants, which
            get no gradient even if they ask for one.
        beta: inverse temperature, positive.

    Returns:
        0-d tensor in the dtype of `chosen_logps`, value and gradient finite for every finite
        input.
    """
    ### BEGIN SOLUTION
    chosen = chosen_logps - ref_chosen_logps.detach()
    rejected = rejected_logps - ref_rejected_logps.detach()
    return F.softplus(-beta * (chosen - rejected)).mean()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_dpo_loss", "points": 4}
check.dpo_loss(dpo_loss)

# %% [markdown]
# ### Exercise: `pg_loss` (5 points, 20 minutes, ★★)
#
# The regularisation is *in the reward*: each completion earns
# $R_\beta(y) = R(y) - \beta\,h(y)$, and its log-probability is pushed up or down by
# $R_\beta(y) - b$. That coefficient is a **constant**: detach it. Left attached, the product rule
# adds $-\beta\,\ln\pi\,\nabla\ln\pi$ to each sample. On-policy that is $\beta$ times the gradient of the
# entropy, so you would maximise something else.
#
# Three baselines: `None`, meaning $b = 0$; a number (or a tensor); `"loo"`, the leave-one-out mean
# of the *regularised* rewards of the other completions of the same prompt,
# $b_k = \tfrac{1}{K-1}\sum_{j\ne k} R_\beta(y_j)$.
#
# Worked example, one prompt, $K = 2$, $\pi = \pi_\text{ref}$, rewards 3 and 1: without a baseline the
# coefficients are $(3, 1)$, with $b = 2$ they are $(1, -1)$, leave-one-out gives $(2, -2)$.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "pg_loss"}
def pg_loss(
    logps: torch.Tensor,
    ref_logps: torch.Tensor,
    rewards: torch.Tensor,
    beta: float,
    baseline: float | torch.Tensor | str | None = None,
) -> torch.Tensor:
    """Policy-gradient surrogate with the KL term in the reward, to be minimised.

    Args:
        logps: [B, K] ln pi of K completions of each of B prompts; carries the graph.
        ref_logps: [B, K] the same under the reference.
        rewards: [B, K] R(x, y).
        beta: strength of the KL regularisation.
        baseline: None (zero); a number or a tensor that broadcasts to [B, K], a constant; or
            "loo": for each completion the mean regularised reward of the other K - 1 in its
            row.

    Returns:
        0-d tensor in the dtype of `logps`: minus the mean over all B * K completions of
        coefficient * ln pi, where the coefficient R - beta (ln pi - ln pi_ref) - baseline carries
        no gradient, neither to rewards and reference nor to the baseline.

    Raises:
        ValueError: "loo" with K = 1.
    """
    ### BEGIN SOLUTION
    regularised = (rewards - beta * (logps - ref_logps)).detach()
    if baseline is None:
        advantages = regularised
    elif isinstance(baseline, str):
        K = logps.shape[1]
        if K < 2:
            raise ValueError("leave-one-out needs at least two completions")
        others = (regularised.sum(1, keepdim=True) - regularised) / (K - 1)
        advantages = regularised - others
    elif isinstance(baseline, torch.Tensor):
        advantages = regularised - baseline.detach()
    else:
        advantages = regularised - baseline
    return -(advantages * logps).mean()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_pg_loss", "points": 5}
check.pg_loss(pg_loss)

# %% [markdown]
# ### Exercise: `copg_loss` (5 points, 15 minutes, ★★)
#
# Minus the mean over pairs of $\ell = (\Delta R - \tfrac\beta2\Delta h)\,\Delta h$ with
# $\Delta R = R(y) - R(y')$ and $\Delta h = h(y) - h(y')$. **Nothing** is detached, except of course
# the reference. The optimum of a single pair is $\Delta h = \Delta R/\beta$. Worked example with
# $\beta = 0.5$: $\Delta R = 1$, $\Delta h = 1$ give $\ell = 0.75$, a loss of $-0.75$.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "copg_loss"}
def copg_loss(
    logps: torch.Tensor,
    logps2: torch.Tensor,
    ref_logps: torch.Tensor,
    ref_logps2: torch.Tensor,
    rewards: torch.Tensor,
    rewards2: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """Contrastive policy gradient (Flet-Berliac et al., 2024), as a loss: mean over the pairs.

    Args:
        logps, logps2: [B] ln pi of the two completions of each pair; carry the graph.
        ref_logps, ref_logps2: [B] the same under the reference; constants, which get no
            gradient even if they ask for one.
        rewards, rewards2: [B] their rewards.
        beta: strength of the KL regularisation.

    Returns:
        0-d tensor in the dtype of `logps`: minus the mean of (dR - beta / 2 * dh) * dh; 0 where
        the policy is the reference.
    """
    ### BEGIN SOLUTION
    difference = (logps - ref_logps.detach()) - (logps2 - ref_logps2.detach())
    return -((rewards - rewards2 - beta / 2 * difference) * difference).mean()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_copg_loss", "points": 5}
check.copg_loss(copg_loss)

# %% tags=["show"]
predict(
    "A colleague subtracts 2 from all rewards before training. Which of the four offline methods "
    "gives exactly the same policy as before?",
    ["all of them", "SFT, DPO and CoPG", "only CoPG", "all but SFT"],
    answer=1,
    why="SFT and DPO see only which completion is better, and CoPG only the difference: the 2 "
    "cancels. In PG it is a change of baseline, and offline the baseline matters.",
)

# %% [markdown]
# The next cell is given: it hands the same pairs to each of your losses.


# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "offline_loss"}
def offline_loss(
    method: str,
    logps: torch.Tensor,
    ref_logps: torch.Tensor,
    rewards: torch.Tensor,
    beta: float,
    baseline: float | None = None,
) -> torch.Tensor:
    """The loss of one method on pairs; all tensors are [B, 2].

    Args:
        method: "sft", "dpo", "pg" or "copg". Where the rewards are equal, the first
            completion counts as the better one.
        baseline: of "pg", see `pg_loss`; the others ignore it.
    """
    if method == "pg":
        return pg_loss(logps, ref_logps, rewards, beta, baseline)
    if method == "copg":
        return copg_loss(*logps.T, *ref_logps.T, *rewards.T, beta)
    worse_first = rewards[:, 1] > rewards[:, 0]
    order = torch.stack([worse_first, ~worse_first], 1).long()
    chosen_logps, rejected_logps = logps.gather(1, order).T
    if method == "sft":
        return -chosen_logps.mean()
    if method == "dpo":
        return dpo_loss(chosen_logps, rejected_logps, *ref_logps.gather(1, order).T, beta)
    raise ValueError(f"unknown method: {method!r}")


# %% [markdown]
# ## 5. The training loop
#
# A loop that runs for minutes will be interrupted: a laptop falls asleep, a hub stops idle servers.
# So the loop returns a **checkpoint**, and given one it carries on *exactly*: interrupted or not, the
# weights agree to the last bit. For that a checkpoint must hold everything that the next step
# depends on: the weights, the state of the optimiser (Adam without its moments is another
# optimiser) and the number of the step, from which batch and learning rate follow:
#
# - `batch_rows(N, batch_size, step, seed)` gives the rows of step `step` (counted from 0);
# - `lr_factor(step, steps)` is what the learning rate of that step is multiplied by.
#
# Step `step`, in this order: rows → log-probabilities of both completions (`completion_logps` wants
# `[B, T]`, so flatten `[B, 2, T]` and shape the result back) → `offline_loss` → gradients, zeroed
# before → their norm clipped to 1 (`torch.nn.utils.clip_grad_norm_`) → learning rate
# `lr * lr_factor(step, steps)` → one step of `torch.optim.Adam` with `betas=(0.9, 0.99)`.
#
# Three traps. **Aliases**: `model.state_dict()` and `optimizer.state_dict()` return the live tensors,
# not copies, and `optimizer.load_state_dict` may keep the very tensors it is given; a checkpoint
# that changes while training goes on is none (`copy.deepcopy`). **Mode**: the model is handed over
# in evaluation mode and stays in it; dropout would make the ratio $\pi/\pi_\text{ref}$ noisy.
# **Sampling**: an offline loop never calls the model to generate anything.
#
# ### Exercise: `train_offline` (8 points, 45 minutes, ★★★)


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "train_offline"}
def train_offline(
    model: torch.nn.Module,
    pairs: dict[str, torch.Tensor],
    method: str,
    beta: float,
    steps: int,
    batch_size: int = 64,
    lr: float = 2e-4,
    seed: int = 0,
    baseline: float | None = None,
    checkpoint: dict | None = None,
    stop: int | None = None,
    log: Callable[[int, float], None] | None = None,
) -> dict:
    """Train `model`, in place, on stored pairs; can be interrupted and resumed exactly.

    Args:
        model: starts at the reference, in evaluation mode, and stays in evaluation mode. It
            ends with the weights after the last step.
        pairs: "input_ids", "attention_mask", "completion_mask" [N, 2, T]; "ref_logps",
            "rewards" [N, 2]. Not changed.
        method, beta, baseline: handed to `offline_loss`.
        steps: length of the whole run; the learning rate depends on it.
        batch_size, seed: handed to `batch_rows`.
        lr: the largest learning rate.
        checkpoint: what an earlier call returned, or None to start. It replaces the weights of
            `model`, and is not changed.
        stop: return before the step of this number, but never train beyond `steps` (None means
            `steps`) nor go back behind the checkpoint.
        log: called after each step as `log(step, loss)` with a Python int and float.

    Returns:
        A checkpoint, independent of later training: "step" (int, the number of steps done),
        "model" and "optimizer" (their state dicts, copied), "losses" (list of floats, one per
        step since step 0).
    """
    ### BEGIN SOLUTION
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.99))
    start, losses = 0, []
    if checkpoint is not None:
        saved = copy.deepcopy(checkpoint)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        start, losses = saved["step"], list(saved["losses"])
    last = steps if stop is None else min(stop, steps)
    inputs = ("input_ids", "attention_mask", "completion_mask")
    for step in range(start, last):
        rows = batch_rows(len(pairs["rewards"]), batch_size, step, seed)
        batch = {name: tensor[rows] for name, tensor in pairs.items()}
        logps = completion_logps(model, *(batch[name].flatten(0, 1) for name in inputs))
        logps = logps.view(batch_size, 2)
        loss = offline_loss(
            method, logps, batch["ref_logps"], batch["rewards"], beta, baseline
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = lr * lr_factor(step, steps)
        optimizer.step()
        losses.append(loss.item())
        if log is not None:
            log(step, losses[-1])
    return {
        "step": max(start, last),
        "model": copy.deepcopy(model.state_dict()),
        "optimizer": copy.deepcopy(optimizer.state_dict()),
        "losses": losses,
    }
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_train_offline", "points": 8}
check.train_offline(train_offline)

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "helper_drift"}
def parameters_of(model: torch.nn.Module) -> dict:
    """A copy of the weights that a model has now."""
    return {name: tensor.detach().clone() for name, tensor in model.named_parameters()}


def checkpoint_drift(model, pairs, method, beta, steps, batch_size) -> list[bool]:
    """Whether a checkpoint changes when the run goes on without, and with, being resumed."""
    options = {"steps": steps, "batch_size": batch_size, "lr": 0.1}
    half = train_offline(model, pairs, method, beta, **options, stop=steps // 2)
    kept = copy.deepcopy(half)
    train_offline(model, pairs, method, beta, **options)
    train_offline(copy.deepcopy(model), pairs, method, beta, **options, checkpoint=half)
    return [not same_state(half[part], kept[part]) for part in ("model", "optimizer")]


def same_state(a: object, b: object) -> bool:
    """Whether two nested state dicts hold equal numbers."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return all(same_state(a[key], b[key]) for key in b)
    return a == b


# %% [markdown]
# ### A race where the truth is known
#
# Before the real thing, a task with 4 tokens and at most 3 of them per completion: 15 completions,
# so $\pi_*$, $J(\pi_*) = \beta\ln Z$ and every regret $J(\pi_*) - J(\pi)$ are sums. The model is a
# table, which can represent every distribution. Whatever a method misses here is its own doing. The
# figure shows the regret (log scale) of five offline runs on the same 4,096 pairs, $\beta = 0.5$.

# %% tags=["show"]
predict(
    "PG with the constant baseline b = mean of the rewards in the data, offline. It ends",
    ["with a regret of 0", "on a plateau above 0", "with a larger regret than at the start"],
    answer=1,
    why="At the optimum R_beta is the same for all completions, but it is not b. The constant that "
    "is left over averages out only under the policy's own samples.",
)

# %% [markdown]
# The race takes some ten seconds.

# %% tags=["train"]
task = EnumerableTask()
tiny_pairs = task.pairs(4096, seed=0)
mean_reward = float(tiny_pairs["rewards"].mean())
fig, ax = style.figure("Offline, 15 completions, β = 0.5", "step", "regret (log scale)")
ax.set(yscale="log", ylim=(1e-6, 1))
live = display(fig, display_id=True)
for label, method, baseline in (
    ("SFT on the best", "sft", None),
    ("DPO", "dpo", None),
    ("PG, no baseline", "pg", None),
    ("PG, b = mean R", "pg", mean_reward),
    ("CoPG", "copg", None),
):
    policy, curve = task.policy(), []

    def note(step, loss, policy=policy, curve=curve):
        if step % 20 == 0:
            curve.append((step, max(task.regret(policy), 1e-9)))

    train_offline(
        policy, tiny_pairs, method, 0.5, 500, 256, lr=1e-2, baseline=baseline, log=note
    )
    ax.plot(*zip(*curve, strict=True), label=label)
    ax.legend(fontsize=8)
    live.update(fig)
    print(f"{label:18s} regret {curve[0][1]:.4f} -> {task.regret(policy):.6f}")
plt.close(fig)

# %% [markdown]
# CoPG goes to zero. PG without a baseline and PG with a constant one stop on plateaus, as 11 said
# they must: a baseline is harmless on-policy and part of the objective offline. SFT on the best of
# two has no reason to stop at $\pi_*$. DPO with these deterministic labels passes by $\pi_*$ and walks
# on: the more often one completion beats another, the further apart they are pushed, without end.
#
# All this is about **this** task, where the pairs cover everything a hundred times. On text the
# pairs cover next to nothing, and no theorem says what happens.
#
# ## 6. The judge of policies
#
# One completion $y_i\sim\pi(\cdot|x_i)$ for each of $B$ held-out prompts gives
#
# $$\hat R = \frac1B\sum_i R(x_i, y_i),\qquad
#   \widehat{\mathrm{KL}} = \frac1B\sum_i \mathrm{KL}_i,\qquad
#   \mathrm{KL}_i = \sum_{t\in y_i}\sum_v \pi(v|x_i, y_{i,<t})\,\ln\frac{\pi(v|x_i, y_{i,<t})}{\pi_\text{ref}(v|x_i, y_{i,<t})},$$
#
# where the inner sum goes over the whole vocabulary. Its expectation is the KL divergence of whole
# completions (the chain rule), and it is far less noisy than the log-ratio of the sample. Then
# $J_i = R_i - \beta\,\mathrm{KL}_i$, and the standard error of a mean of $B$ numbers is
# their standard deviation (with $B-1$) divided by $\sqrt B$. Mind that $R_i$ and $\mathrm{KL}_i$ are
# correlated: take the standard error of the $J_i$ themselves.
#
# The win rate compares with a completion of the reference for the same prompt: 1 if ours has the
# higher reward, ½ if they are equal, else 0. Both policies are sampled with the same random numbers,
# which takes much of the noise out of comparisons.
#
# Worked example: $R = (2, 1)$, $\mathrm{KL} = (1, 0.5)$, $\beta = 0.4$ give $J_i = (1.6, 0.8)$, so
# $J = 1.2$ with standard error $0.4$.
#
# ### Exercise: `evaluate_policy` (6 points, 30 minutes, ★★)


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "evaluate_policy"}
def evaluate_policy(
    policy: torch.nn.Module,
    reference: torch.nn.Module,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    completion_mask: torch.Tensor,
    rewards: torch.Tensor,
    ref_rewards: torch.Tensor,
    beta: float,
) -> dict[str, float]:
    """Reward, KL divergence, J and win rate of a policy, each with its standard error.

    Args:
        policy, reference: models, as in `completion_logps`.
        input_ids, attention_mask, completion_mask: [B, T], B >= 2: one completion per prompt,
            drawn from `policy`; masks as in `completion_logps`.
        rewards: [B] rewards of these completions.
        ref_rewards: [B] rewards of the reference's completions of the same prompts.
        beta: of J = R - beta KL.

    Returns:
        "reward", "kl", "J", "win_rate" and the same names with "_se": Python floats. KL(policy
        || reference) is summed over the positions of the completion, over the whole
        vocabulary; a token that the policy never draws contributes nothing. The standard
        error is the standard deviation (B - 1) / sqrt(B). No gradients are kept; the models stay
        in the mode they are in.
    """
    ### BEGIN SOLUTION
    with torch.no_grad():
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        logps = policy(**inputs).logits[:, :-1].log_softmax(-1)
        ref_logps = reference(**inputs).logits[:, :-1].log_softmax(-1)
    terms = torch.where(logps.isneginf(), 0.0, logps.exp() * (logps - ref_logps))
    kl = terms.sum(-1).masked_fill(completion_mask[:, 1:] == 0, 0.0).sum(-1)
    figures = {
        "reward": rewards,
        "kl": kl,
        "J": rewards - beta * kl,
        "win_rate": (rewards > ref_rewards) + 0.5 * (rewards == ref_rewards),
    }
    result = {}
    for name, values in figures.items():
        values = values.double()
        result[name] = values.mean().item()
        result[name + "_se"] = (values.std() / len(values) ** 0.5).item()
    return result
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_evaluate_policy", "points": 6}
check.evaluate_policy(evaluate_policy)

# %% [markdown]
# ## 7. For real
#
# Now you train three policies from your pairs and hand them in: the files `policy_dpo.safetensors`,
# `policy_pg.safetensors` and `policy_copg.safetensors` next to this notebook. The grader
# re-evaluates them itself, with the shipped reward model and reference, $\beta = 0.2$, and prompts of
# the evaluation set. For each policy:
#
# - **2 points** for a valid policy: the right tensors, finite, and not the reference;
# - **2 points** if it is better than the reference: the 95 % confidence interval of
#   $J(\pi) - J(\pi_\text{ref})$ lies above 0;
# - **2 points** more at each of two thresholds for $J(\pi) - J(\pi_\text{ref})$, if the upper end of
#   that interval reaches it: they follow from the course's own runs and are printed below.
#
# The grader draws two completions for each prompt, with the same random numbers for your policy and
# the reference, and takes the interval of the differences, prompt by prompt.
#
# Weights cannot prove how they were made. What shows it is the recorded run in this notebook, which
# is what a TA looks at, so leave the outputs of the cells below in place. Your samples and batches
# follow from your name: two students with equal weights have one run between them.
#
# ### Exercises: `policy_dpo`, `policy_pg`, `policy_copg` (8 points each, 30 minutes together, ★★)
#
# Each function returns the settings of a run. Things worth trying: `beta` of the loss is not
# bound to the $\beta = 0.2$ of the judge (for DPO try 0.2, 0.5, 1); `lr` around 3e-4 (what
# happens at 1e-3?); 128, 256 or 512 steps of 64 pairs (256 are one epoch). The baseline of PG may be
# a number that you read off above, or be computed from `pairs`. The reward hardly moves in the first
# 30 steps. Judge by $J$, not by $R$.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "policy_dpo"}
def policy_dpo() -> dict:
    """Settings of your DPO run.

    Returns:
        "beta" (of the loss), "steps" (int, at most 5000), "lr".
    """
    ### BEGIN SOLUTION
    return {"beta": 0.5, "steps": 256, "lr": 3e-4}
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_policy_dpo", "points": 8}
check.policy_dpo(policy_dpo)


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "policy_pg"}
def policy_pg() -> dict:
    """Settings of your offline policy-gradient run.

    Returns:
        "beta", "steps" (int, at most 5000), "lr", and "baseline": None or a number.
    """
    ### BEGIN SOLUTION
    return {"beta": 0.2, "steps": 256, "lr": 3e-4, "baseline": 0.06}
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_policy_pg", "points": 8}
check.policy_pg(policy_pg)


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "policy_copg"}
def policy_copg() -> dict:
    """Settings of your CoPG run.

    Returns:
        "beta", "steps" (int, at most 5000), "lr".
    """
    ### BEGIN SOLUTION
    return {"beta": 0.2, "steps": 256, "lr": 3e-4}
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_policy_copg", "points": 8}
check.policy_copg(policy_copg)

# %% [markdown]
# **Train.** About a minute per method on two idle cores. Each run saves a checkpoint every 32
# steps; if you interrupt it and run the cell again, it goes on from there. With other settings it
# starts anew, but it does not see that you have mended a *function*: after a change of a loss delete
# `runs/*.pt`, after one of `completion_logps` `runs/pairs.safetensors` as well. The figure shows the
# loss of each run, a mean over 8 steps.


# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "run"}
def run(name: str, method: str, recipe: dict, pairs: dict) -> torch.nn.Module:
    """Train with `train_offline` in pieces of 32 steps, so that it can be interrupted."""
    policy, saved = models.copy_of(reference), RUNS / f"{name}.pt"
    checkpoint = None
    if saved.is_file():
        kept = torch.load(saved, weights_only=True)
        checkpoint = kept["checkpoint"] if kept["recipe"] == recipe else None
    done = checkpoint["step"] if checkpoint else 0
    bar = tqdm(total=recipe["steps"], initial=done, desc=name)
    fig, ax = style.figure(f"{name}: loss of its batches", "step", "loss")
    live = display(fig, display_id=True)
    while checkpoint is None or checkpoint["step"] < recipe["steps"]:
        done = checkpoint["step"] if checkpoint else 0
        checkpoint = train_offline(
            policy,
            pairs,
            method,
            **recipe,
            seed=models.seed_of(STUDENT, name),
            checkpoint=checkpoint,
            stop=done + 32,
            log=lambda step, loss: bar.update(),
        )
        RUNS.mkdir(exist_ok=True)
        finished = checkpoint["step"] == recipe["steps"]
        kept = checkpoint | ({"optimizer": None} if finished else {})  # keeps the folder small
        torch.save({"recipe": recipe, "checkpoint": kept}, saved)
        ax.clear()
        losses = torch.tensor(checkpoint["losses"])
        means = losses[: len(losses) // 8 * 8].view(-1, 8).mean(1)
        ax.set(title=f"{name}: loss of its batches", xlabel="step", ylabel="loss")
        ax.plot(8 * torch.arange(len(means)) + 4, means)
        live.update(fig)
    policy.load_state_dict(checkpoint["model"])
    plt.close(fig)
    bar.close()
    return policy


@cache
def reference_rewards(seed: int) -> list[torch.Tensor]:
    """What both judges say about the reference's completions of the evaluation prompts."""
    luck = sampling.draw_luck(len(evaluation_prompts), seed)
    drawn = sampling.sample(reference, evaluation_prompts, luck)
    texts = sampling.texts_of(tokenizer, drawn)
    return [judge.rewards(texts), reward.vader(texts)]


def judged(policy: torch.nn.Module, seed: int = 2026) -> dict[str, float]:
    """`evaluate_policy` on all evaluation prompts, and the win rate by VADER."""
    luck = sampling.draw_luck(len(evaluation_prompts), seed)
    drawn = sampling.sample(policy, evaluation_prompts, luck)
    texts, theirs = sampling.texts_of(tokenizer, drawn), reference_rewards(seed)
    figures, second = (
        sampling.judge_in_chunks(evaluate_policy, policy, reference, drawn, own, other, BETA)
        for own, other in zip((judge.rewards(texts), reward.vader(texts)), theirs, strict=True)
    )
    return figures | {"vader_win": second["win_rate"], "vader_win_se": second["win_rate_se"]}


def show(name: str, figures: dict[str, float]) -> None:
    """One line with all figures and their 95 % intervals."""
    text = " ".join(
        f"{key} {figures[key]:.3f}±{1.96 * figures[key + '_se']:.3f}"
        for key in ("J", "reward", "kl", "win_rate", "vader_win")
    )
    print(f"{name:12s} {text}")


# %% tags=["train"]
policies = {"reference": reference}
for name, method, recipe in (
    ("policy_sft", "sft", {"beta": 1.0, "steps": 256, "lr": 3e-4}),
    ("policy_dpo", "dpo", policy_dpo()),
    ("policy_pg", "pg", policy_pg()),
    ("policy_copg", "copg", policy_copg()),
):
    policies[name] = run(name, method, recipe, pairs)
    models.save_policy(policies[name], f"{name}.safetensors", method=method)

# %% [markdown]
# **What the curves say.** DPO and CoPG minimise their losses, which fall. SFT minimises its loss, too,
# but that differs more from batch to batch than it falls in one epoch. The loss of PG is a
# surrogate (assignment 10): only its gradient means something, and its value may rise while the
# policy gets better. None of the four says how good a policy is. The judge does, in about half a
# minute:

# %% tags=["train"]
figures = {name: judged(policy) for name, policy in policies.items()}
for name in policies:
    show(name, figures[name])
print("\nJ - J(reference), and its thresholds, see the text above:")
for name, levels in project_results.THRESHOLDS.items():
    gain = figures[name]["J"] - figures["reference"]["J"]
    print(f"{name:12s} {gain:+.2f}  thresholds {levels[0]:.2f} and {levels[1]:.2f}")

# %% [markdown]
# ## 8. What the course's runs say
#
# One run of each is an anecdote. The course runs its settings seed by seed (own pairs, own batches)
# with `python -m sft2rl.sweep --losses ...`, and ships the results; the column *seeds* says how
# many there are. To make your own, run that command with this notebook as `--losses` and load your
# file instead.

# %% tags=["show"]
results = project_results.load()
print(results.table())
print(
    f"\noptimum J*, estimated: {results.optimum['J']:.2f} (biased low; with half the samples "
    f"{results.optimum['J_half']:.2f})"
)

# %% [markdown]
# *J (95 %)* is the mean over the seeds with Student's interval; that of the reference, which was not
# trained, is the interval of its evaluation. *share* is
# $(J - J_\text{ref})/(J_* - J_\text{ref})$; a suffix is the $\beta$ of the loss, and `-2` or `+2` the
# constant that was added to all rewards. The estimate of $J_*$ comes from 128 samples of the
# reference per prompt, of which it can at best pick the good ones, so the true optimum is higher.
#
# The figure is the **frontier**: reward against KL divergence, one point per setting, bars for the
# same intervals, a line through the $\beta$s of each method. Grey lines join points of
# equal $J$. Up and to the left is better. The runs with shifted rewards are left out.

# %% tags=["show"]
widgets.frontier(results)

# %% [markdown]
# Read it with care.
#
# - Order the methods by $J$ and look at the **intervals** before you say "better". Intervals far apart
#   settle it. Where they overlap, look at the *differences*, seed by seed, since the methods share the
#   pairs of a seed: CoPG minus DPO ($\beta=0.5$) is 0.10 ± 0.02, CoPG minus PG 0.09 ± 0.07 (five seeds),
#   CoPG minus PG with $\beta=0.1$ 0.08 ± 0.16 (three). If that interval holds 0, the honest sentence is
#   "not distinguished by these runs".
# - PG without a baseline and PG with the mean reward nearly coincide here, because the mean reward is
#   nearly 0. They part as soon as all rewards are shifted (below). Say which one you mean.
# - Offline, everybody is far from $J_*$. Online RLOO samples afresh at every step, from the policy as
#   it is then: other data, and more computing. A comparison with it is fair as a statement about
#   data, and unfair as one about losses.
# - VADER never took part in training. How much of each gain does it confirm?
#
# ### A constant that changes everything, or nothing
#
# PG without a baseline, one data set, three versions of the rewards: as they are, plus 2, minus 2. To
# people all three mean the same, since a Bradley-Terry reward has no zero.

# %% tags=["show"]
predict(
    "Rewards minus 2, so nearly all are negative, and PG without a baseline, offline. The policy",
    [
        "stays at the reference",
        "learns a little more slowly",
        "flees from all its data, while the raw reward rises",
    ],
    answer=2,
    why="Every completion in the data is pushed down. The mass has to go somewhere: to texts that are "
    "not in the data and that the judge happens to like. KL explodes, and J is far below the reference.",
)

# %% [markdown]
# Try it: 64 steps each, about a minute together. (The rows `pg-none-…` of the table above are the same
# with 256 steps. The three runs with rewards minus 2 ended at $J$ = −1.6, −5.6 and −3.3, too far apart
# for an interval of three to say more than that it is wide.)

# %% tags=["train"]
for shift in (0.0, 2.0, -2.0):
    moved = dict(pairs, rewards=pairs["rewards"] + shift)
    naive = models.copy_of(reference)
    train_offline(naive, moved, "pg", BETA, steps=64, lr=3e-4, baseline=None)
    show(f"R {shift:+.0f}", judged(naive))
drawn = sampling.sample(naive, evaluation_prompts[:4], sampling.draw_luck(4, seed=1))
print("\nafter training with R - 2:")
for text in sampling.texts_of(tokenizer, drawn):
    print("  ", text)

# %% [markdown]
# With the rewards minus 2 the reward and the win rate look like a success, and the texts are ruins.
# In one run of ours (seed 0, 400 prompts; yours will differ) the reward was 0.64 and the win rate
# 75 %, at a KL divergence of 10.6 and a $J$ of −1.5. Who logs only the reward does not see it. That is
# **reward hacking**, and the KL term exists to put a price on it. What does the second judge say?
#
# And CoPG? It sees differences of rewards only, so the shift cancels. Not approximately: the loss is
# the same function. A check on your own code and your own pairs, in the first steps of training:

# %% tags=["train"]
short = {"steps": 4, "batch_size": 64, "seed": 1}
shifted = dict(pairs, rewards=pairs["rewards"] - 2.0)
for method in ("copg", "pg"):
    weights = []
    for data in (pairs, shifted):
        checkpoint = train_offline(models.copy_of(reference), data, method, BETA, **short)
        weights.append(checkpoint["model"])
    distance = max(float((weights[0][k] - weights[1][k]).abs().max()) for k in weights[0])
    print(f"{method:5s} largest difference between the weights after 4 steps: {distance:.1e}")

# %% [markdown]
# (What is left for CoPG is rounding: $R_1 - R_2$ and $(R_1 - 2) - (R_2 - 2)$ differ in the last bit of
# a float, and Adam's first steps divide tiny gradients by their own size.)
#
# ### Read what they write
#
# Numbers are not the product; the texts are. Same prompt, same luck, all policies: those of the
# course (seed 0 of its runs) and, once they are trained, your own. What does each gain, and what does
# it lose? Which phrases does everybody discover?

# %% tags=["show"]
written = dict(results.texts)
for path in sorted(Path().glob("policy_*.safetensors")):
    mine = models.load_policy(path, reference)
    written[f"your {path.stem}"] = sampling.shown_texts(mine, tokenizer)
scores = {name: judge.rewards(texts).tolist() for name, texts in written.items()}
widgets.side_by_side(results.prompts, written, scores)

# %% [markdown]
# ### Online, if you have the time
#
# Set `RERUN = True` to train RLOO with $K=4$ yourself (three minutes on two idle cores): your `pg_loss` with
# `"loo"`, on samples drawn afresh at each step from the policy as it is then. The file
# `project.ipynb` must be saved first, because the command reads your losses from it.

# %% tags=["train"]
RERUN = False
if RERUN:
    command = "sft2rl.train --method rloo --losses project.ipynb --to runs/rloo"
    subprocess.run([sys.executable, "-m", *command.split(), "--batch-size", "32"])

# %% [markdown]
# ### The leaderboard, if you like
#
# The course ranks policies by $J$ as the grader measures it, under pseudonyms. You are on it only if a
# file `leaderboard.txt` with a name of your choice (24 characters at most, not your own) lies beside
# your policies. It has no influence on your points.

# %% tags=["train"]
PSEUDONYM = ""
if PSEUDONYM:
    Path("leaderboard.txt").write_text(PSEUDONYM, "utf-8")

# %% [markdown]
# ## 9. What you found (12 points by hand)
#
# Write at most 600 words, with numbers from *your* runs and from the course's, about
#
# 1. **Comparison** (4 points). Which methods are better than which in $J$ (the judge's $\beta = 0.2$),
#    and how sure are you? Use intervals. Say what your own three policies add.
# 2. **Reward hacking** (4 points). What happened to PG without a baseline when the rewards were
#    shifted, why, and why CoPG, DPO and SFT did not notice? Which of the logged figures would have
#    fooled you? Quote one text.
# 3. **Limits** (4 points). Name two reasons why these results may not carry over to a large model and
#    real users, and one experiment that would tell. Include one weakness of our reward model that
#    you found yourself in section 1.

# %% [markdown] nbgrader={"schema_version": 3, "solution": true, "grade": true, "locked": false, "task": false, "grade_id": "written_findings", "points": 12}
# **Model answer.** *Comparison.* The course's results hold five runs per method, each with pairs and
# batches of its own, and Student's intervals over them: J = 0.54 ± 0.05 for CoPG, 0.46 ± 0.03 for PG
# with the mean reward as its baseline, 0.45 ± 0.04 for DPO with β = 0.5, 0.20 ± 0.02 for SFT; the
# reference has 0.04. All lie above the reference, and CoPG, PG and DPO above SFT. Seed by seed CoPG leads
# DPO by 0.10 ± 0.02 and PG by 0.09 ± 0.07: I am sure of the first and fairly sure of the second. With
# β = 0.1 PG has 0.47 ± 0.04 from three runs; CoPG's lead over that, 0.08 ± 0.16, three runs cannot tell from 0.
# PG and DPO are not told apart. VADER, which was never trained on, prefers their texts to the
# reference's in 62 to 67 % of the prompts, those of SFT in 53 %. PG pays least for its reward
# (KL 0.8 against 1.3 and 1.7). CoPG has covered half the way to the estimated optimum, RLOO, which
# samples afresh, more. My own three policies are one more run each with other pairs: (their J, with
# intervals, in the same order or not). Their standard error of about 0.026 is that of the
# evaluation only; the chance of pairs and batches comes on top. *Reward hacking.*
# Without a baseline each completion is pushed by R_β itself. Minus 2 makes nearly all
# coefficients negative: the policy moves away from everything in the data. After 64 steps KL was
# 10.6 and J −1.5 in our run, while the reward had risen from about 0 to 0.64 and the win rate to 75 %:
# these two would have fooled me. The course's three runs of 256 steps ended at J = −1.6, −5.6 and
# −3.3, with rewards of 2.4, 0.6 and 2.1. Plus 2 makes nearly all coefficients positive: imitation of the
# data, which the reference wrote. Offline the gradient's expectation under the data, unlike under
# the policy, keeps the term E_μ[∇ln π]·constant. CoPG contains the rewards only as R − R′, DPO and
# SFT only through their order: the shift cancels. A text of the collapsed policy: "together, to
# swulty from an appealing story of chaotic intententented int of". *Limits.* The judge is a bag of
# word pairs: it ignores order beyond neighbours and meaning. "it is not a good film." earns +0.77, "not
# a bad film." −0.78, and "i wish this were a brilliant, moving and funny film." +2.00. So it is easier
# to hack than a large reward model. The reference writes nonsense at length, completions are 16
# tokens, and a KL of 1 nat buys much there: the rank of methods may depend on β, on length and on the
# number of pairs. An experiment: the same sweep with a pretrained model and people as blind raters
# of pairs of texts at equal KL.
#
# **Rubric.** Comparison: 1 for J with intervals and for what they contain, 1 for the order that the
# table shows, 1 for not claiming more than the intervals and the number of seeds allow, 1 for own
# figures with the right reading of their standard error. Hacking: 1 for the collapse (KL up, J down, R up), 1 for the
# reason (sign of the coefficients; a constant does not average out under the data), 1 for the
# invariance of CoPG, DPO and SFT with its reason, 1 for the figures that mislead and a quoted text.
# Limits: 1 for each of two reasons, 1 for an experiment that could tell, 1 for an own weakness of the
# reward model with an example.

# %% [markdown]
# ## Where the slides need care
#
# - **"CoPG converges, policy gradient fails with and without variance reduction, the same for
#   DPO"** is a sentence about a bandit with particular baselines and labels. On text nothing
#   converges in 256 steps; what can be compared is $J$ after the same number of steps, with
#   intervals over seeds.
# - **"PG with a baseline"** offline must say which. With $K=2$ and the leave-one-out mean of
#   $R_\beta$ as its baseline, its gradient *is* CoPG's up to a factor 2. We use no baseline or a constant.
# - **The KL term** is that of the policy from the reference, $\mathrm{KL}(\pi\,\|\,\pi_\text{ref})$, on
#   the policy's own samples; the mean log-ratio on the *data* estimates something else.
# - The three losses of the slides are on **sums** over tokens. An average per token changes the
#   problem: long completions become cheap.
#
# ## What you have learnt
#
# - A reward model from ratings, and a judge that never saw the training.
# - One `completion_logps` and one loop carry four methods; they differ in a line.
# - $J$, not $R$: a policy can earn more and more reward while it falls apart.
# - Baselines matter offline, differences do not need one.
# - An error bar over seeds is the least that a claim needs.
#
# ## Further reading
#
# - Flet-Berliac et al., *Contrastive Policy Gradient*, 2024 (arXiv 2406.19185): objective and sections
#   5 and 6.
# - Rafailov et al., *Direct Preference Optimization*, 2023 (arXiv 2305.18290): equation 7, section 6 for
#   the sentiment task and its frontier.
# - Ahmadian et al., *Back to Basics*, 2024 (arXiv 2402.14740): RLOO.
# - Gao, Schulman and Hilton, *Scaling laws for reward model overoptimization*, 2022 (arXiv
#   2210.10760): reward hacking, measured.
# - Hutto and Gilbert, *VADER*, ICWSM 2014; Pang and Lee, *Seeing stars*, ACL 2005: the data.

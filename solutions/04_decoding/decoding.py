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
# # 04 · Decoding
#
# Lecture I.D · about 120 minutes, 99 of them for the exercises · 18 points by machine, 4 by hand
#
# **You will be able to**
#
# - write a batched greedy decoder that agrees with a production library token for token, and show
#   on real text why nobody wants its output;
# - change the temperature of a distribution, cut it to its nucleus, and draw from what is left
#   without a slip at the edges;
# - say which ways of decoding sample from the model and which from something else;
# - implement speculative sampling, and prove with exact sums (not with a histogram) that a bad
#   draft makes it slow but never wrong;
# - predict how many tokens one pass of the large model yields, and measure where the formula bends.
#
# **You need** log-probabilities and the EOS conventions (01 · Tokenizer). Your code of earlier
# assignments is not needed.
#
# **Map** 03 · Rotary positions → **04 · Decoding** → 05 · KV cache

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "setup"}
import sys
from collections.abc import Callable

import matplotlib.pyplot as plt
import torch

from sft2rl import style
from sft2rl.checks import decoding as check
from sft2rl.widgets import predict

print("python", sys.version.split()[0], "· torch", torch.__version__)

# %% [markdown]
# ## 1. What the model gives you, and what it does not
#
# A language model answers one question: given the tokens so far, how probable is each next token?
# It gives a vector $\ell(\cdot \mid x, y_{<t})$ of $V$ logits, and
# $\pi(a \mid x, y_{<t}) = e^{\ell(a)} / \sum_b e^{\ell(b)}$. It does not write. Somebody has to
# choose a token, append it and ask again, and that somebody is the **decoder**: a few lines of code
# that decide whether the same weights sound dull, lively or deranged.
#
# The model of this notebook is real and tiny: a Llama with 1.3 million parameters, trained on
# sentences from film and product reviews. It ships with the course, so nothing is downloaded. A
# review begins with the tag `<movie>`; the token `<eos>`, id 1, ends it.

# %% tags=["show"]
from sft2rl.models import load_model, load_tokenizer

llama, tokenizer = load_model(), load_tokenizer()
EOS = tokenizer.eos_token_id


def ids_of(text: str) -> list[int]:
    """Token ids of the beginning of a film review."""
    return tokenizer(f"<movie> {text}").input_ids


def text_of(ids: list[int]) -> str:
    """The text of token ids, without tags."""
    return tokenizer.decode(ids, skip_special_tokens=True).strip()


@torch.no_grad()
def next_logits(ids: list[int]) -> torch.Tensor:
    """Logits [V] of the token after `ids`, float64."""
    return llama(torch.tensor([ids])).logits[0, -1].double()


for text in ("it might be", "if you"):
    probs = next_logits(ids_of(text)).softmax(-1)
    top = probs.topk(6)
    best = [
        f"{tokenizer.decode([i])!r} {p:.3f}"
        for p, i in zip(top.values, top.indices, strict=True)
    ]
    rest = probs.sort().values[:3000].sum()
    print(f"{text} ... | {', '.join(best)}")
    print(f"    the 3,000 least likely of {len(probs):,} tokens together: {rest:.3f}")

# %% [markdown]
# Both facts matter below. The head is sensible: *it might be a*, *if you're*. And the tail, 3,000
# tokens of which each is nearly impossible, together holds a few per cent. A text of thirty tokens
# drawn from this distribution has a fair chance to fall into the tail once, and from there the
# model has to carry on.

# %% [markdown]
# ## 2. Greedy decoding
#
# The simplest rule takes the most probable token each time:
#
# $$y_t = \arg\max_{a} \pi(a \mid x, y_{<t}).$$
#
# **Convention.** Prompts come as a batch `input_ids` $[B, P]$ without padding. A row is finished
# when it *produces* the EOS; the EOS is part of the completion and stays. The other rows go on, and
# a finished row is filled up with EOS, so that the result is a rectangle. Decoding stops when all
# rows are finished or have `max_new_tokens` new tokens. With EOS = 1, prompts of length 2 and
# `max_new_tokens` = 4:
#
# | prompt | the model would write | row of the result |
# | --- | --- | --- |
# | `7 5` | `8 1 ...` | `7 5 8 1 1 1` |
# | `7 6` | `9 2 4 3 ...` | `7 6 9 2 4 3` |
# | `1 2` | `4 3 1 ...` | `1 2 4 3 1 1` |
#
# The second row was cut off and has no EOS. The third shows that an EOS in the *prompt* ends
# nothing. Had the second row not been there, the result would be one column narrower: nothing is
# computed once every row has finished.
#
# ### Exercise: `greedy_decode` (3 points, 15 minutes, ★★)
#
# Call `model(ids).logits`, which is $[B, T, V]$ for `ids` $[B, T]$; position $t$ predicts token
# $t+1$, so you want the last one. Feeding everything again at each step is fine here (the cache is
# the subject of 05). Two traps: `max_new_tokens` does not count the prompt, and one row's EOS must
# not stop the others. Write the loop yourself, without `generate`.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "greedy_decode"}
def greedy_decode(
    model: torch.nn.Module,
    input_ids: torch.Tensor,
    max_new_tokens: int,
    eos_token_id: int,
) -> torch.Tensor:
    """Continue each prompt with the most probable token, step by step.

    Args:
        model: a causal language model of `transformers`, in evaluation mode:
            `model(ids).logits` is [B, T, V] for ids [B, T].
        input_ids: [B, P] long, P >= 1: the prompts, without padding; not changed.
        max_new_tokens: most tokens per completion, at least 1; the prompt does not
            count.
        eos_token_id: the token that ends a completion; in a prompt it ends nothing.

    Returns:
        [B, P + N] long: each prompt, its completion up to and including the first
        EOS, and then EOS up to the common length. N is the length of the longest
        completion (EOS included), at most `max_new_tokens`. No two logits tie.
    """
    ### BEGIN SOLUTION
    ids = input_ids
    finished = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    for _ in range(max_new_tokens):
        with torch.no_grad():
            token = model(ids).logits[:, -1].argmax(-1)
        token = torch.where(finished, eos_token_id, token)
        ids = torch.cat([ids, token[:, None]], dim=1)
        finished = finished | (token == eos_token_id)
        if finished.all():
            break
    return ids
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_greedy_decode", "points": 3}
check.greedy_decode(greedy_decode)

# %% tags=["show"]
predict(
    "Greedy decoding continues “this is such” with the most probable token, 40 times. "
    "You will read ...",
    [
        "the best review the model can write",
        "a short, dull, correct sentence",
        "the same few words again and again",
        "invented words and broken grammar",
    ],
    answer=2,
    why="Each repetition makes the next one more probable. Always taking the likeliest "
    "token does not give likely text: people do not write like that.",
)

# %% tags=["show"]
for text in ("this is such", "it might be", "this movie is", "the acting is"):
    prompt = torch.tensor([ids_of(text)])
    ours = greedy_decode(llama, prompt, 40, EOS)
    library = llama.generate(
        prompt, max_new_tokens=40, do_sample=False, pad_token_id=EOS
    )
    same = "as generate()" if torch.equal(ours, library) else "generate() DIFFERS"
    print(f"[{same}] {text_of(ours[0].tolist())}\n")

# %% [markdown]
# Nothing is broken. The decoder agrees with the library, and the model really believes each single
# step. Holtzman et al. (2020) called it *neural text degeneration*, and found it in models several
# hundred times larger.
#
# There is a second surprise. Greedy decoding does not even find the most probable *sequence*:

# %% tags=["show"]
first = {"nice": 0.6, "awful": 0.4}
second = {
    "nice": {"film": 0.4, "plot": 0.35, "cast": 0.25},
    "awful": {"film": 0.9, "plot": 0.05, "cast": 0.05},
}
print("pi(first word):", first)
for word, continuation in second.items():
    print(f"pi(second word | {word}):", continuation)

# %% tags=["show"]
predict(
    "Which two words have the largest probability together?",
    ["nice film", "nice plot", "awful film"],
    answer=2,
    why="awful film: .4 · .9 = .36. Greedy takes nice first and ends at .6 · .4 = .24. "
    "The best first step need not start the best path.",
)

# %% [markdown]
# ## 3. Temperature
#
# The other extreme is to **sample**, $y_t \sim \pi(\cdot \mid x, y_{<t})$: each token as often as
# the model says. Temperature $\tau > 0$ turns a knob between the two:
#
# $$\pi^{(\tau)}(a) = \frac{\pi(a)^{1/\tau}}{\sum_b \pi(b)^{1/\tau}}
#   = \frac{e^{\ell(a)/\tau}}{\sum_b e^{\ell(b)/\tau}}.$$
#
# Why are the two forms equal? $\pi(a)^{1/\tau} = e^{\ell(a)/\tau} / Z^{1/\tau}$, and the constant
# $Z^{1/\tau}$ cancels. By hand, with $\pi = (.5, .3, .2)$:
#
# | $\tau$ | $\pi^{1/\tau}$ | sum | $\pi^{(\tau)}$ |
# | --- | --- | --- | --- |
# | ½ | (.25, .09, .04) | .38 | (.658, .237, .105) |
# | 1 | (.5, .3, .2) | 1 | (.5, .3, .2) |
# | 2 | (.707, .548, .447) | 1.702 | (.415, .322, .263) |
#
# Below 1 the rich get richer, above 1 everything is levelled. $\tau \to 0$ is greedy decoding,
# $\tau \to \infty$ the uniform distribution. At $\tau = 0$ the formula divides by zero: libraries
# that accept it mean greedy decoding.
#
# ### Exercise: `temperature_probs` (2 points, 8 minutes, ★)
#
# Three ways to go wrong: multiply by $\tau$; divide the *probabilities* by $\tau$ and renormalise
# (which changes nothing); raise the *logits* to the power $1/\tau$ (logits may be negative). Logits
# may also be in the thousands, or $-\infty$ for a token that is ruled out.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "temperature_probs"}
def temperature_probs(logits: torch.Tensor, tau: float) -> torch.Tensor:
    """Next-token probabilities at temperature `tau`.

    Args:
        logits: [..., V] floating point; -inf is allowed, but not for all V; not
            changed. Adding a constant to all of them changes nothing.
        tau: the temperature, greater than 0.

    Returns:
        [..., V], the dtype of `logits`: softmax(logits / tau) over the last dimension.
        Exactly 0 where the logit is -inf.
    """
    ### BEGIN SOLUTION
    return (logits / tau).softmax(-1)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_temperature_probs", "points": 2}
check.temperature_probs(temperature_probs)

# %% [markdown]
# What the knob does to a real distribution, the one after *it might be*. **Figure, in words:** two
# panels over the temperature on a logarithmic axis from 0.1 to 10. Left, the probabilities of the
# four likeliest tokens: ` a` starts at 1 and falls, the others rise a little near 1 and fall again.
# Right, the entropy rises as an S from 0 to its ceiling, the logarithm of the vocabulary size.

# %% tags=["show"]
logits = next_logits(ids_of("it might be"))
taus = torch.logspace(-1, 1, 60, dtype=torch.float64)
curves = torch.stack([temperature_probs(logits, float(tau)) for tau in taus])
entropy = -torch.special.xlogy(curves, curves).sum(-1)

style.use()
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for token in logits.topk(4).indices.tolist():
    axes[0].plot(taus, curves[:, token], label=repr(tokenizer.decode([token])))
axes[0].legend()
axes[0].set(title="Four tokens", ylabel="probability")
axes[1].plot(taus, entropy)
axes[1].axhline(torch.tensor(len(logits)).log(), ls=":", color="grey")
axes[1].text(0.11, 7.7, "ln V: uniform", color="grey")
axes[1].set(title="All tokens together", ylabel="entropy (nats)")
for ax in axes:
    ax.axvline(1, color="grey", lw=0.8)
    ax.set(xscale="log", xlabel="temperature")
plt.show()

# %% tags=["show"]
predict(
    "At temperature 1, the 3,000 least likely tokens after “it might be” have 4 % of "
    "the probability. And at temperature 1.5?",
    ["still about 4 %", "about 6 %", "about 18 %"],
    answer=2,
    why="There are 3,000 of them. Levelling takes from a few rich tokens and gives to "
    "a crowd: temperature alone has no grip on the tail.",
)

# %% tags=["show"]
for tau in (0.7, 1.0, 1.5, 2.0):
    probs = temperature_probs(logits, tau).sort().values
    print(f"tau = {tau}: 3,000 least likely tokens together {probs[:3000].sum():.3f}")

# %% [markdown]
# ## 4. Top-p: cut the tail
#
# Top-p (or **nucleus**) sampling removes the tail before it draws. Sort the tokens by probability,
# $\pi(a_1) \ge \pi(a_2) \ge \dots$; let $K$ be the *smallest* index with $\sum_{i=1}^{K} \pi(a_i)
# \ge p$; keep $a_1, \dots, a_K$, give the rest probability 0, and renormalise. The token that
# crosses the line $p$ is kept, therefore the nucleus is never empty, not even when a single token
# has more than $p$.
#
# With $\pi = (.1, .4, .05, .3, .15)$ and $p = .8$:
#
# | sorted | $a_2$: .4 | $a_4$: .3 | $a_5$: .15 | $a_1$: .1 | $a_3$: .05 |
# | --- | --- | --- | --- | --- | --- |
# | running sum | .4 | .7 | **.85** ≥ .8 | .95 | 1 |
# | kept | yes | yes | yes, it crosses | no | no |
#
# The result, in the *original* order: $(0, .4, 0, .3, .15) / .85 = (0, .471, 0, .353, .176)$.
#
# ### Exercise: `top_p_filter` (3 points, 15 minutes, ★★)
#
# Beware of three things. The probabilities must come back in the order of the vocabulary, since an
# index means a token. Running sums are floating-point numbers: for $p = 1$ the last one may be
# 0.9999999, and "the first index that reaches $p$" does not exist. And there may be leading
# dimensions; each distribution has a nucleus of its own size. What happens exactly at the edge (a
# running sum equal to $p$, or two equal probabilities of which only one fits) is left open: it is
# not tested.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "top_p_filter"}
def top_p_filter(probs: torch.Tensor, p: float) -> torch.Tensor:
    """Restrict distributions to their nucleus, the top-p set, and renormalise.

    Args:
        probs: [..., V] floating point, each row sums to 1 up to rounding; not changed.
        p: the mass to reach, 0 < p <= 1; with p = 1 every token is kept.

    Returns:
        [..., V], the dtype of `probs`, in the original order; exactly 0 outside the
        nucleus; rows sum to 1.

    Source: Holtzman et al. (2020), section 3.1.
    """
    ### BEGIN SOLUTION
    ordered, order = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered  # mass of all tokens ranked higher
    kept = torch.where(before < p, ordered, torch.zeros_like(ordered))
    kept = kept / kept.sum(-1, keepdim=True)
    return torch.zeros_like(probs).scatter(-1, order, kept)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_top_p_filter", "points": 3}
check.top_p_filter(top_p_filter)

# %% [markdown]
# Why a mass and not a number of tokens (top-k)? Because the number that makes sense changes from
# one word to the next. **Figure, in words:** bars, one per position of a sentence that a person
# wrote, with the size of the nucleus for p = 0.9 on a logarithmic axis: nearly a thousand tokens
# after "the", where anything may follow, about a hundred after "if", and a single one after "don".

# %% tags=["show"]
ids = ids_of("if you don't like the ending, you can leave before the end of the film")
with torch.no_grad():
    steps = llama(torch.tensor([ids])).logits[0, :-1].double().softmax(-1)
sizes = (top_p_filter(steps, 0.9) > 0).sum(-1)[1:]
labels = [tokenizer.decode([i]).strip() for i in ids[1:-1]]
fig, ax = style.figure(
    "How many tokens does p = 0.9 keep?",
    "... after this word",
    "tokens in the nucleus",
    figsize=(9, 3.6),
)
ax.bar(range(len(sizes)), sizes)
ax.set_xticks(range(len(sizes)), labels, rotation=45)
ax.set_yscale("log")
plt.show()

# %% [markdown]
# **The order of the two knobs matters.** Libraries apply the temperature first and cut the nucleus
# of the *tempered* distribution. On $(.5, .3, .2)$ with $\tau = 2$ and $p = .75$: tempered
# $(.415, .322, .263)$, where two tokens have .737 < .75, so all three stay. Cut first, and
# $.5 + .3 \ge .75$ leaves two tokens, whatever the temperature does to them later.

# %% tags=["show"]
example = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
hot_then_cut = top_p_filter(temperature_probs(example.log(), 2.0), 0.75)
cut_then_hot = temperature_probs(top_p_filter(example, 0.75).log(), 2.0)
print("temperature, then top-p:", hot_then_cut.numpy().round(3))
print("top-p, then temperature:", cut_then_hot.numpy().round(3))

# %% [markdown]
# ## 5. Draw a token
#
# A computer has uniform numbers $u \in [0, 1)$. To turn one into a token, lay the probabilities
# side by side on the interval from 0 to 1 and see where $u$ falls: token $a$ is drawn if
#
# $$\sum_{b < a} \pi(b) \;\le\; u \;<\; \sum_{b \le a} \pi(b),$$
#
# that is, the **first index whose cumulative sum is greater than $u$**. With $\pi = (.25, .25, 0,
# .5)$:
#
# | $u$ | 0 | .2 | .25 | .4 | .5 | .99 |
# | --- | --- | --- | --- | --- | --- | --- |
# | token | 0 | 0 | 1 | 1 | 3 | 3 |
#
# Each interval has the length of its probability, so each token is drawn as often as it should, and
# a token with probability 0 never is, since no $u$ lies in an empty interval. That last sentence is
# easy to break in code, at both ends:
#
# - With "first cumulative sum $\ge u$", $u = 0$ draws token 0 even if its probability is 0. Uniform
#   generators do return 0.
# - In float32 the cumulative sum may end at 0.9999998. A larger $u$ finds no token; and if you then
#   take "the last one", top-p may have set exactly that token to 0. **Convention:** such a $u$
#   belongs to the last token of *positive* probability.
#
# ### Exercise: `sample_from` (2 points, 12 minutes, ★)
#
# One token per distribution. The uniform numbers are given, so your function is deterministic and
# knows no random generator. `torch.cumsum` and a comparison are all you need.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "sample_from"}
def sample_from(probs: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """Draw one token per distribution by inverting its cumulative distribution.

    Args:
        probs: [..., V] floating point, rows sum to 1 up to rounding; zeros are
            allowed anywhere; not changed.
        u: [...] uniform numbers, 0 <= u < 1, floating point of any dtype: one per
            distribution (0-d for a single one); not changed.

    Returns:
        [...] long: the first index whose cumulative sum is greater than u; if rounding
        leaves none, the last index with positive probability.
    """
    ### BEGIN SOLUTION
    cumulative = probs.cumsum(-1)
    found = (cumulative <= u[..., None]).sum(-1)
    places = torch.arange(probs.shape[-1], device=probs.device)
    last = torch.where(probs > 0, places, torch.zeros_like(places)).amax(-1)
    return torch.minimum(found, last)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_sample_from", "points": 2}
check.sample_from(sample_from)

# %% [markdown]
# **Play.** Your three functions on the real model. The bars are the likeliest next tokens: outlined
# the model's own probability, filled what is left after temperature and top-p. Below, a text
# written with the same settings. Its uniform numbers stay the same while you move the sliders (they
# change with *new luck*), so you see what the settings do and not what chance does. Things to try:
#
# - τ = 0.1: welcome back to greedy. At which τ does *this is such* stop looping?
# - τ = 1.5 with p = 1, then lower p until the text makes sense again.
# - Type a beginning of your own (lower case; the model knows films).
#
# *(Widget: a text field, sliders for temperature and top-p, a bar chart of twelve tokens, a line of
# numbers and a written text.)*

# %% tags=["show"]
from sft2rl.widgets_decoding import explorer


def write(ids: list[int], luck: torch.Tensor, tau: float, p: float) -> list[int]:
    """Continue `ids` with one token per uniform number, or until the EOS."""
    for u in luck:
        probs = top_p_filter(temperature_probs(next_logits(ids), tau), p)
        ids = [*ids, int(sample_from(probs, u))]
        if ids[-1] == EOS:
            break
    return ids


explorer(
    encode=ids_of,
    decode=tokenizer.decode,
    logits=next_logits,
    temperature_probs=temperature_probs,
    top_p_filter=top_p_filter,
    write=write,
    text="this is such",
)

# %% [markdown]
# ### Likely is not the same as good
#
# One hundred openings, continued by up to 16 tokens at several settings, always with the same luck.
# Two numbers for each setting: how *surprising* the model itself finds the text (its perplexity at
# temperature 1), and how much of it is *new* (different pairs of neighbouring tokens, as a share of
# all pairs). The model has a perplexity of 113.6 on held-out text that people wrote.
#
# **Figure, in words:** each setting is a point, perplexity on a logarithmic horizontal axis, share
# of different pairs on the vertical one. Two chains of points, one for temperatures at p = 1 and
# one for p at temperature 1, rise together from the lower left to the upper right, and a dotted
# vertical line marks the perplexity of human text. Greedy is alone at the lower left.

# %% tags=["train"]
from sft2rl.sampling import load_prompts

prompts = load_prompts("evaluation")[:100]
luck = torch.rand(100, 16, generator=torch.Generator().manual_seed(4)).double()


@torch.no_grad()
def measure(tau: float, p: float) -> tuple[float, float]:
    """Perplexity of the texts under the model, and the share of different pairs."""
    ids, cache, past = prompts, prompts, None
    alive = torch.ones(len(prompts), dtype=torch.bool)
    nll, pairs = [], []
    for u in luck.T:
        out = llama(cache, past_key_values=past, use_cache=True)
        past, logits = out.past_key_values, out.logits[:, -1].double()
        token = sample_from(top_p_filter(temperature_probs(logits, tau), p), u)
        surprise = -logits.log_softmax(-1).gather(1, token[:, None])[:, 0]
        nll.append(surprise[alive])
        pairs += torch.stack([ids[:, -1], token], 1)[alive].tolist()
        ids, cache = torch.cat([ids, token[:, None]], 1), token[:, None]
        alive = alive & (token != EOS)
    different = len({tuple(pair) for pair in pairs}) / len(pairs)
    return float(torch.cat(nll).mean().exp()), different


temperatures = {tau: measure(tau, 1.0) for tau in (0.4, 0.6, 0.8, 1.0, 1.2)}
nuclei = {p: measure(1.0, p) for p in (0.3, 0.5, 0.7, 0.9)} | {1.0: temperatures[1.0]}
greedy = measure(1e-3, 1.0)

fig, ax = style.figure(
    "Surprise and novelty",
    "perplexity of the text under the model (per token)",
    "share of different pairs",
)
for name, points in (("τ", temperatures), ("p", nuclei)):
    xs, ys = zip(*points.values(), strict=True)
    ax.plot(xs, ys, "o-", label=f"{name} varies")
    below = name == "τ"
    for value, x, y in zip(points, xs, ys, strict=True):
        place = (6, -12) if below else (-16, 6)
        ax.annotate(f"{value}", (x, y), place, textcoords="offset points")
ax.plot(*greedy, "s", color=style.COLOURS["red"], label="greedy")
ax.axvline(113.6, ls=":", color="grey")
ax.text(118, greedy[1], "people", color="grey")
ax.set_xscale("log")
ax.legend()
plt.show()

# %% [markdown]
# Human text is *surprising*: far from the greedy corner, close to where plain sampling lands. That
# is not a fault of people. A text that says nothing unexpected says nothing. Settings below 1 trade
# novelty for safety, and a weak model like ours needs some safety; how much is a matter of taste,
# not of theory.

# %% [markdown]
# ## 6. Speculative sampling: faster, and exactly the same
#
# Writing is slow for one reason: each token needs a pass through the whole network, one after the
# other. But a pass can *check* many tokens at once: feed a text of $T$ tokens, and all $T$
# next-token distributions come out. Speculative sampling (Leviathan et al., 2023; Chen et al.,
# 2023) uses this. A cheap **draft** $q$ proposes $\gamma$ tokens, one by one; the expensive
# **target** $p$ judges all of them in one pass; what it does not like is replaced. (In this section
# $p$ and $q$ are distributions over the vocabulary; the $p$ of top-p is gone.)
#
# The rule for one drafted token $x \sim q$:
#
# - **accept** it with probability $\min\!\big(1, \tfrac{p(x)}{q(x)}\big)$;
# - on a **rejection**, draw a token from the **residual** distribution
#   $\dfrac{(p - q)_+}{\sum_b (p(b) - q(b))_+}$, where $(z)_+ = \max(z, 0)$.
#
# With $p = (.5, .3, .2)$ and $q = (.2, .2, .6)$:
#
# | token | $p$ | $q$ | accepted with | accepted mass $\min(p, q)$ | $(p - q)_+$ | residual |
# | --- | --- | --- | --- | --- | --- | --- |
# | 0 | .5 | .2 | 1 | .2 | .3 | .75 |
# | 1 | .3 | .2 | 1 | .2 | .1 | .25 |
# | 2 | .2 | .6 | ⅓ | .2 | 0 | 0 |
# | sum | 1 | 1 | | **α = .6** | .4 | 1 |
#
# The draft loves token 2 far too much, so two thirds of its tokens 2 are sent away, and whoever is
# sent away becomes a token of which the draft produces too little.
#
# ### Exercise: `acceptance_probability` (1 point, 4 minutes, ★)
#
# The first rule. The token was drawn from $q$, so $q(x) > 0$.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "acceptance_probability"}
def acceptance_probability(p: torch.Tensor, q: torch.Tensor, token: int) -> float:
    """Probability that the target accepts a drafted token.

    Args:
        p: [V] float64, the target's probabilities; zeros are allowed.
        q: [V] float64, the draft's probabilities; zeros are allowed.
        token: the drafted token, with q[token] > 0.

    Returns:
        min(1, p[token] / q[token]) as a Python float (a 0-d tensor is as good).
    """
    ### BEGIN SOLUTION
    return min(1.0, float(p[token] / q[token]))
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_acceptance_probability", "points": 1}
check.acceptance_probability(acceptance_probability)

# %% [markdown]
# ### Exercise: `residual_distribution` (2 points, 8 minutes, ★)
#
# The second rule. One case needs a thought: for $p = q$ nothing is ever rejected, and the formula
# says 0/0. Your function must still return *some* distribution (any will do, since nobody draws
# from it) and not a vector of `nan`.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "residual_distribution"}
def residual_distribution(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """The distribution that replaces a rejected token.

    Args:
        p: [V] float64, the target's probabilities; zeros are allowed; not changed.
        q: [V] float64, the draft's probabilities; zeros are allowed; not changed.

    Returns:
        [V] float64: the positive part of p - q, divided by its sum. If p equals q
        everywhere: any distribution (non-negative, sum 1).
    """
    ### BEGIN SOLUTION
    excess = (p - q).clamp(min=0)
    total = excess.sum()
    return excess / total if total > 0 else p.clone()
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_residual_distribution", "points": 2}
check.residual_distribution(residual_distribution)

# %% [markdown]
# ### The exact law
#
# Is the token that comes out really distributed like $p$? We do not need to sample to find out. A
# token $a$ comes out in two ways: it was drafted and accepted, or *anything* was drafted and
# rejected, and $a$ was drawn as the replacement:
#
# $$\Pr(\text{out} = a) \;=\; q(a)\,\text{acc}(a) \;+\;
#   \Big(\sum_b q(b)\,\big(1 - \text{acc}(b)\big)\Big)\; \text{res}(a).$$
#
# This holds for every acceptance rule $\text{acc}$ and every replacement $\text{res}$, also for
# wrong ones. So write it for any rule, and you have an instrument that tells right samplers from
# wrong ones without any noise.

# %% tags=["show"]
predict(
    "Somebody replaces rejected tokens by a fresh draw from p instead of the residual. "
    "With the p and q above, out of p = (.5, .3, .2) comes ...",
    ["(.5, .3, .2) all the same", "(.40, .32, .28)", "(.65, .25, .10)"],
    answer=1,
    why="Accepted .2 each, and .4 rejected: .2 + .4 · (.5, .3, .2) = (.40, .32, .28). "
    "Token 2 was over-represented in the draft, and a fresh draw may bring it back.",
)

# %% [markdown]
# ### Exercise: `speculative_output_distribution` (2 points, 12 minutes, ★★)
#
# Return the law of the token that comes out, by the formula above, for the rules `accept` and
# `residual`. If a rule is `None`, use your function of the exercise before. Ask `accept` only about
# tokens that the draft can produce: where $q(b) = 0$ there is no ratio.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "speculative_output_distribution"}
def speculative_output_distribution(
    p: torch.Tensor,
    q: torch.Tensor,
    accept: Callable[[torch.Tensor, torch.Tensor, int], float] | None = None,
    residual: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
) -> torch.Tensor:
    """Exact law of one token of speculative sampling, for any pair of rules.

    Args:
        p: [V] float64, the target's probabilities; zeros are allowed; not changed.
        q: [V] float64, the draft's probabilities; zeros are allowed; not changed.
        accept: accept(p, q, token) is the probability (a float) of accepting a drafted
            token with q[token] > 0; None means `acceptance_probability`.
        residual: residual(p, q) is the distribution [V] that replaces a rejected token;
            None means `residual_distribution`.

    Returns:
        [V] float64: the probability that each token comes out, accepted or as a
        replacement. Sums to 1 if `residual` does.
    """
    ### BEGIN SOLUTION
    accept = accept or acceptance_probability
    residual = residual or residual_distribution
    accepted = torch.zeros_like(q)
    for token in q.nonzero()[:, 0].tolist():
        accepted[token] = q[token] * accept(p, q, token)
    rejected = (q - accepted).sum()
    return accepted + rejected * residual(p, q)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_speculative_output_distribution", "points": 2}
check.speculative_output_distribution(speculative_output_distribution)

# %% [markdown]
# Now put four samplers under the instrument. Only one of them deserves the word *lossless*.

# %% tags=["show"]
p = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
q = torch.tensor([0.2, 0.2, 0.6], dtype=torch.float64)


def always(p: torch.Tensor, q: torch.Tensor, token: int) -> float:
    """Trust the draft."""
    return 1.0


def threshold(p: torch.Tensor, q: torch.Tensor, token: int) -> float:
    """Accept exactly what the target likes at least as much as the draft."""
    return float(p[token] >= q[token])


def fresh(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """A new draw from the target."""
    return p


def absolute(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """The difference without its sign."""
    return (p - q).abs() / (p - q).abs().sum()


samplers = {
    "the two rules": (None, None),
    "trust the draft": (always, None),
    "replace by a draw from p": (None, fresh),
    "replace by |p - q|": (None, absolute),
    "accept only if p >= q": (threshold, None),
}
print("target p                 ", p.numpy())
for name, (accept, residual) in samplers.items():
    law = speculative_output_distribution(p, q, accept, residual)
    error = float((law - p).abs().max())
    print(f"{name:25s}", law.numpy().round(3), f"  error {error:.0e}")

# %% [markdown]
# Why it works, in one line: a token with $p(a) \le q(a)$ is accepted with mass $\min(p, q) = p(a)$
# and is never a replacement. A token with $p(a) > q(a)$ is accepted with mass $q(a)$ and is short
# of $p(a) - q(a)$; the rejected mass is $1 - \sum_b \min(p, q) = \sum_b (p - q)_+$, and the
# residual hands out exactly that.
#
# The same line gives the price of a bad draft. The probability that a drafted token is accepted is
#
# $$\alpha = \sum_a q(a) \min\!\Big(1, \frac{p(a)}{q(a)}\Big) = \sum_a \min(p(a), q(a))
#   = 1 - \tfrac12 \sum_a |p(a) - q(a)| .$$
#
# The draft can be as bad as it likes: the output never changes, only $\alpha$ does.

# %% [markdown]
# ### Several tokens at once
#
# A **step** drafts $\gamma$ tokens $x_1, \dots, x_\gamma$, each given the prefix and the drafts
# before it, and then goes through them from the left:
#
# 1. $x_i$ is judged by the target's distribution $p_i$ *after the prefix and* $x_1, \dots,
#    x_{i-1}$, against the $q_i$ from which it was drawn, with a fresh uniform number.
# 2. At the first rejection, the replacement is drawn from the residual of $p_i$ and $q_i$, and the
#    step ends: the drafts after it were written for a text that no longer exists.
# 3. If all $\gamma$ are accepted, one more token, the **bonus**, is drawn from $p_{\gamma+1}$,
#    which the same pass has already computed.
#
# So a step gives between 1 and $\gamma + 1$ tokens. With drafts `c a t` ($\gamma = 3$):
#
# | what happens | the step returns |
# | --- | --- |
# | `c` rejected, replaced by `b` | `b` |
# | `c` accepted, `a` rejected, replaced by `u` | `c u` |
# | all accepted, bonus `s` | `c a t s` |
#
# ### Exercise: `speculative_step` (3 points, 25 minutes, ★★★)
#
# Both models are functions from a prefix (a tuple of ids) to probabilities. For clarity you may ask
# the target once per position; a real implementation gets all its answers from one pass, and so do
# we when we count passes below. Draw with your `sample_from` and
# `torch.rand((), generator=generator, dtype=torch.float64)`, or with `torch.multinomial`; the order
# in which you use random numbers is free, but all of them must come from `generator`, and each
# decision needs its own.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "speculative_step"}
def speculative_step(
    prefix: tuple[int, ...],
    draft_fn: Callable[[tuple[int, ...]], torch.Tensor],
    target_fn: Callable[[tuple[int, ...]], torch.Tensor],
    gamma: int,
    generator: torch.Generator,
) -> list[int]:
    """One step of speculative sampling: 1 to gamma + 1 tokens with the target's law.

    Args:
        prefix: the token ids so far, a tuple of ints, possibly empty.
        draft_fn: prefix (a tuple of ints) -> [V] float64 probabilities q of the next
            token; zeros are allowed.
        target_fn: the same for the target's probabilities p.
        gamma: number of drafted tokens, at least 1.
        generator: the only source of randomness.

    Returns:
        The new tokens, a list of ints without the prefix: the accepted drafts, then
        one replacement (after a rejection) or one bonus token (if all were accepted).
        No token is special: the caller deals with the EOS.

    Source: Leviathan et al. (2023), algorithm 1.
    """
    ### BEGIN SOLUTION

    def uniform() -> torch.Tensor:
        return torch.rand((), generator=generator, dtype=torch.float64)

    def draw(probs: torch.Tensor) -> int:
        return int(sample_from(probs, uniform().to(probs.device)))

    drafts, draft_probs = [], []
    for _ in range(gamma):
        draft_probs.append(draft_fn((*prefix, *drafts)))
        drafts.append(draw(draft_probs[-1]))
    new = []
    for token, q in zip(drafts, draft_probs, strict=True):
        p = target_fn((*prefix, *new))
        if uniform() >= acceptance_probability(p, q, token):
            new.append(draw(residual_distribution(p, q)))
            return new
        new.append(token)
    return [*new, draw(target_fn((*prefix, *new)))]
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_speculative_step", "points": 3}
check.speculative_step(speculative_step)


# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "helper_steps"}
def many_steps(prefix, q, p, gamma: int, count: int, generator) -> list[list[int]]:
    """`count` steps of yours after the same prefix.

    The draft q and the target p are [V, V]: row t is the law of the token after t.
    """
    laws = (lambda text: q[text[-1]]), (lambda text: p[text[-1]])
    return [speculative_step(prefix, *laws, gamma, generator) for _ in range(count)]


# %% [markdown]
# ### How many tokens per pass?
#
# If every draft is accepted with the same probability $\alpha$, independently, then token $i+1$ is
# produced when the first $i$ drafts were accepted, so
#
# $$\mathbb E[\text{tokens per step}] = 1 + \alpha + \dots + \alpha^\gamma
#   = \frac{1 - \alpha^{\gamma+1}}{1 - \alpha}.$$
#
# First a world in which the assumption is true: the same $p$ and $q$ after every prefix, so
# $\alpha = .6$.

# %% tags=["train"]
generator = torch.Generator().manual_seed(0)
print("gamma   measured   formula   (2,000 steps each)")
for gamma in (1, 2, 4):
    steps = many_steps(q.expand(gamma, 3), p.expand(gamma + 1, 3), 2000, generator)
    lengths = [len(step) for step in steps]
    formula = (1 - 0.6 ** (gamma + 1)) / (1 - 0.6)
    print(f"{gamma:5d}   {sum(lengths) / 2000:8.3f}   {formula:7.3f}")

# %% [markdown]
# Now the real target, our Llama, and as a draft the cheapest model one can think of: a **table**.
# Row $u$ is what the Llama says after the two tokens `<movie>` $u$, so it is a bigram model that
# has been taught by the target. It forgets everything but the last token, and asking it costs a
# look-up.

# %% tags=["train"]
TAG = ids_of("")[0]
with torch.no_grad():
    contexts = [
        torch.stack([torch.full((256,), TAG), torch.arange(i, i + 256)], 1)
        for i in range(0, len(tokenizer), 256)
    ]
    rows = [llama(context).logits[:, -1].softmax(-1) for context in contexts]
    table = torch.cat(rows)


def bigram_draft(prefix: tuple[int, ...]) -> torch.Tensor:
    return table[prefix[-1]].double()


def llama_target(prefix: tuple[int, ...]) -> torch.Tensor:
    return next_logits(list(prefix)).softmax(-1)


print(f"a table of {tuple(table.shape)} probabilities")

# %% tags=["show"]
predict(
    "The table sees one token, the Llama all of them. How many of the table's tokens "
    "will the Llama accept when it writes a review?",
    ["about 1 in 20", "about 1 in 2", "about 9 in 10"],
    answer=1,
    why="A draft need not be right, only to put its mass in roughly the right places. "
    "After “don” comes “'t”, whatever came before.",
)

# %% [markdown]
# **Watch the draft.** Three reviews, $\gamma = 4$. **In words:** every token of a text is marked as
# an accepted draft (blue), as a replacement (orange) or as a bonus (green, underlined); a bar
# separates the steps, each of which is one pass of the Llama.

# %% tags=["train"]
from sft2rl.widgets_decoding import show_steps


def speculate(ids: list[int], gamma: int, generator, draft=bigram_draft):
    """The steps (lists of tokens) up to the one with the EOS, or to 24 tokens."""
    steps, prefix = [], tuple(ids)
    while EOS not in prefix and len(prefix) < len(ids) + 24:
        step = speculative_step(prefix, draft, llama_target, gamma, generator)
        steps.append(step)
        prefix = (*prefix, *step)
    return steps


generator = torch.Generator().manual_seed(6)
for text in ("i don't", "one of the", "it's not a"):
    steps = speculate(ids_of(text), 4, generator)
    show_steps(ids_of(text), steps, tokenizer.decode, gamma=4, eos=EOS)

# %% [markdown]
# No token of these texts gives away where it came from: all have the law of the Llama at
# temperature 1.
#
# How good is the formula here? The acceptance rate now changes from place to place: nearly 1 inside
# a fixed phrase, low where the Llama remembers something that the table has forgotten. Along texts
# of the Llama's own it can be computed exactly at each position, $\alpha_t = \sum_a \min(p_t(a),
# q_t(a))$. We do so for the table, and for two drafts made of the Llama's own first layers, one and
# three of its four (a trick called *early exit*).
#
# Now think about speed. If a pass of the draft costs $c$ times a pass of the target, a step costs
# $\gamma c + 1$ passes, and the speed-up is (Leviathan et al., theorem 3.8)
#
# $$\frac{1 - \alpha^{\gamma+1}}{(1 - \alpha)\,(\gamma c + 1)} .$$

# %% tags=["show"]
predict(
    "Which draft makes the Llama fastest? By layers, the table costs c = 0, one layer "
    "c = 0.25, three layers c = 0.75.",
    ["the table", "one layer", "three layers"],
    answer=0,
    why="Three layers agree with four most often, but cost nearly as much. A draft is "
    "chosen by acceptance and cost together, and the look-up is free.",
)

# %% tags=["train"]
from sft2rl.models import copy_of
from sft2rl.sampling import draw_luck, sample


def first_layers(count: int) -> torch.nn.Module:
    """The Llama's first layers, with its final norm and output directly behind."""
    short = copy_of(llama).requires_grad_(False)
    short.model.layers = short.model.layers[:count]
    return short


layers = {count: first_layers(count) for count in (1, 3)}
texts = sample(llama, prompts, draw_luck(100, seed=1))
drawn = texts.completion_mask[:, 1:].bool()  # [B, T - 1]: aligned with the logits
with torch.no_grad():
    target_probs = llama(texts.input_ids).logits[:, :-1].softmax(-1)
    drafts = {
        "table": (0.0, table[texts.input_ids[:, :-1]]),
        "1 layer": (0.25, layers[1](texts.input_ids).logits[:, :-1].softmax(-1)),
        "3 layers": (0.75, layers[3](texts.input_ids).logits[:, :-1].softmax(-1)),
    }
alphas = {
    name: torch.minimum(target_probs, draft_probs).sum(-1)[drawn].double()
    for name, (_, draft_probs) in drafts.items()
}
GAMMAS = (1, 2, 4, 8)
print(f"{'draft':10s} {'mean alpha':>10s}   speed-up for gamma = {GAMMAS}")
for name, (cost, _) in drafts.items():
    alpha = float(alphas[name].mean())
    gains = [
        (1 - alpha ** (gamma + 1)) / ((1 - alpha) * (gamma * cost + 1))
        for gamma in GAMMAS
    ]
    print(f"{name:10s} {alpha:10.3f}  ", "  ".join(f"{gain:.2f}" for gain in gains))

# %% [markdown]
# A number below 1 means: slower than no draft at all.
#
# Finally, your `speculative_step` at work, counted. **Figure, in words:** left, a histogram of
# $\alpha_t$ for the table and the one-layer draft: the table's is wide, from 0 to 0.9, the layer's
# has one hump around 0.65. Right, tokens per step against $\gamma$: points measured on twenty
# reviews, with two standard errors, and the formula at the mean $\bar\alpha$ as lines, which rise
# and level off.

# %% tags=["train"]
@torch.no_grad()
def layer_draft(prefix: tuple[int, ...]) -> torch.Tensor:
    return layers[1](torch.tensor([prefix])).logits[0, -1].double().softmax(-1)


def measured(draft: Callable, gamma: int) -> tuple[float, float]:
    """Mean number of tokens per step and its standard error, over twenty reviews."""
    generator = torch.Generator().manual_seed(gamma)
    lengths = [
        len(step)
        for prompt in prompts[:20].tolist()
        for step in speculate(prompt, gamma, generator, draft)
    ]
    spread = torch.tensor(lengths, dtype=torch.float64)
    return float(spread.mean()), float(spread.std()) / len(lengths) ** 0.5


style.use()
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
line = torch.linspace(1, 8, 50)
for name, draft in (("table", bigram_draft), ("1 layer", layer_draft)):
    axes[0].hist(alphas[name], bins=20, range=(0, 1), alpha=0.6, label=name)
    alpha = float(alphas[name].mean())
    formula = (1 - alpha ** (line + 1)) / (1 - alpha)
    axes[1].plot(line, formula, label=f"{name}: formula")
    means, errors = zip(*(measured(draft, gamma) for gamma in GAMMAS), strict=True)
    axes[1].errorbar(
        GAMMAS, means, 2 * torch.tensor(errors), fmt="o",
        color=axes[1].lines[-1].get_color(), label=f"{name}: measured",
    )  # fmt: skip
axes[0].set(title="Acceptance rate by place", xlabel="alpha", ylabel="positions")
axes[1].set(title="Tokens per pass", xlabel="gamma", ylabel="tokens per step")
for ax in axes:
    ax.legend()
plt.show()

# %% [markdown]
# The points lie near the lines, some a little below. The formula is a good guide and not a law: it
# wants every draft to be accepted with the same probability, independently of the others. Here the
# places differ, easy and hard ones come in runs, and a step begins behind the place where the last
# one was stopped, not just anywhere.
#
# ### Question: which policy did you sample from? (4 points, 15 minutes)
#
# The slides end this section with a reading list (nucleus sampling, speculative decoding (SD),
# Medusa, vLLM) and the remark: *"In all these methods except SD, we sample from different policy
# than the current policy."* In at most 250 words:
#
# 1. Check the remark against the list, and against greedy decoding and temperature: which of them
#    sample exactly from $\pi$, and which from something else? Two facts you need: vLLM stores the
#    keys and values of the context in pages. Medusa drafts with extra heads on the target, and its
#    paper offers two ways to accept a draft: the two rules of section 6, or *typical acceptance*,
#    which keeps a token whenever the target gives it more than some threshold.
# 2. A colleague finds it wasteful to throw drafts away: "If $x_1$ is rejected and replaced, I keep
#    $x_2$ whenever it would pass its own test, $u < p_2(x_2)/q_2(x_2)$, with the $p_2$ and $q_2$
#    that are already there." Why is the law of the output no longer that of the target?
# 3. Another colleague collects completions with $\tau = 0.7$ and top-p $= 0.9$, computes their
#    log-probabilities under $\pi$, and treats them as samples from $\pi$ in a policy gradient. What
#    is wrong? Which of the two settings could be repaired by weighting each sample, and which could
#    not?

# %% [markdown] nbgrader={"schema_version": 3, "solution": true, "grade": true, "locked": false, "task": false, "grade_id": "written_policies", "points": 4}
# **Model answer.** (1) The remark is wrong about two entries. vLLM manages memory; the distribution
# it samples from is that of the model (up to rounding) for whatever temperature and top-p one sets.
# Medusa with the two rules has exactly the law of the target, as SD has; with typical acceptance it
# has another law, since a token above the threshold is kept however much the draft over-produces
# it. Greedy decoding, temperature $\ne 1$ and top-p below 1 do sample from another policy; for
# them, the remark is right.
#
# (2) $p_2$ and $q_2$ that "are already there" belong to the prefix that ends in the rejected $x_1$.
# After the replacement $x_1'$ the second token must have the law $p(\cdot \mid x_1')$; $x_2$ was
# drawn from $q(\cdot \mid x_1)$ and tested with $p(\cdot \mid x_1)$, so the joint law is not
# $p(x_1')\,p(x_2 \mid x_1')$. (Example: a target that never writes `b b` may now do so, if `a b` is
# likely and `a` is replaced by `b`.)
#
# (3) The gradient estimate is a mean over another distribution: likely tokens are over-represented,
# so it is biased. The completions were drawn from $\mu$ = tempered and cut, and $\ln \pi$ says
# nothing about how often they are drawn. Temperature alone leaves every token possible, and weights
# $w = \pi(y)/\mu(y)$ make the mean right again (with a large variance for long $y$). Top-p gives
# probability 0 to tokens that $\pi$ can produce; what is never drawn cannot be weighted, and the
# part of the expectation outside the nucleus is lost.
#
# **Rubric.** 1 point: vLLM is exact, and greedy, temperature and top-p are not (all four). 1 point:
# Medusa is exact with the two rules only, with a reason why a threshold is not. 1 point: the test
# uses distributions of the wrong prefix, so the second token does not have the law given the
# replacement. 1 point: samples come from another law, so the mean is biased; weights $\pi/\mu$
# repair temperature, not top-p, because of the missing support (half a point without the support).

# %% [markdown]
# ## 7. Where the slides need care
#
# - **"All methods except SD sample from a different policy"**: the subject of your written answer.
# - **Speculative sampling** is only cited on the slides. The rules, the bonus token and the
#   formulas above are those of Leviathan et al. (2023).
# - **Top-p at the edge.** The slide keeps the smallest $K$ with a running sum of *at least* $p$.
#   Code compares rounded sums: for $(.5, .3, .2)$ and $p = .8$ the slide keeps two tokens, and
#   `transformers` (which sums the tail from below) keeps three in float64 and two in float32.
#   Nobody is wrong; never rely on the edge. The slide also assumes that the sort has no ties.
# - **Temperature** acts on $\pi^{1/\tau}$, or on logits *divided* by $\tau$. It is not a power of
#   the logits. $\tau = 0$ is not covered by the formula.
# - **Greedy decoding** is the best next token, not the best text; and where two logits tie, the
#   $\arg\max$ is not unique (`torch.argmax` promises none of them in particular).
# - **Order.** The slides show the settings one by one. Together, temperature comes first.
#
# ## 8. What you have learnt
#
# - The model gives distributions, the decoder makes text. Greedy text loops although every step is
#   the model's best; human text is surprising.
# - Temperature changes all ratios and has no grip on the tail; top-p cuts the tail, and its size
#   adapts to the place.
# - Drawing a token is one comparison with a running sum, and both ends of the interval bite.
# - Speculative sampling accepts with $\min(1, p/q)$ and repairs with $(p - q)_+$: the law is the
#   target's, whatever the draft. Only the number of tokens per pass depends on it, through
#   $\alpha = \sum \min(p, q)$.
# - Whoever samples must know from which distribution. In assignments 10 and 11 a whole theory hangs
#   on it.
#
# **Further reading**
#
# - A. Holtzman, J. Buys, L. Du, M. Forbes, Y. Choi, *The Curious Case of Neural Text Degeneration*,
#   ICLR 2020, arXiv 1904.09751: repetition, the unlikeliness of human text, nucleus sampling
#   (section 3.1).
# - Y. Leviathan, M. Kalman, Y. Matias, *Fast Inference from Transformers via Speculative Decoding*,
#   ICML 2023, arXiv 2211.17192: algorithm 1, the expected number of tokens, theorem 3.8 on speed.
# - C. Chen et al., *Accelerating Large Language Model Decoding with Speculative Sampling*, 2023,
#   arXiv 2302.01318: the same rules, found independently.
# - T. Cai et al., *Medusa: Simple LLM Inference Acceleration Framework with Multiple Decoding
#   Heads*, 2024, arXiv 2401.10774: the draft as extra heads; rejection or typical acceptance.
# - J. Zhang et al., *Draft & Verify: Lossless Large Language Model Acceleration via
#   Self-Speculative Decoding*, ACL 2024, arXiv 2309.08168: a draft made of the target's own layers.
#
# **Next:** 05 · KV cache: why one pass for many tokens is so much cheaper than many passes.

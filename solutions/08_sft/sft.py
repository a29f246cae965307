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
# # 08 · Pretraining and supervised fine-tuning
#
# Lecture II.D.1 · about 150 minutes, 120 of them for the exercises · 16 points by machine, 4 by hand
#
# **You will be able to**
#
# - write the losses of pretraining and of supervised fine-tuning (SFT), and say for each which
#   tokens count and what is averaged over what;
# - build SFT examples whose masks, EOS and truncation are right, and pack documents without
#   leaking one into the next;
# - say exactly what maximum likelihood converges to, and about which prefixes it says nothing;
# - fine-tune a real, small language model and *measure* its exposure bias;
# - show that on-policy SFT, the obvious cure, converges to the wrong model.
#
# **You need** token log-probabilities, the shift and the EOS rule of 01.
#
# **Map** 07 · Optimisers → **08 · Pretraining and supervised fine-tuning** → 09 · Preferences and DPO
#
# **Conventions.** $x$ is a prompt, $y$ a completion of $T_y$ tokens, its EOS included. `labels` are
# Hugging Face's: the `input_ids` themselves, *not shifted*, with $-100$ where a token does not
# count. Logits at position $t$ predict token $t+1$, and **the losses of this notebook shift
# inside**. Logarithms are natural. A loss is minimised.

# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "setup"}
import itertools
import math
import re
from collections import Counter
from importlib import resources

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
import transformers

from sft2rl import models, sampling, style, textdata, widgets_sft
from sft2rl.checks import sft as check
from sft2rl.models import TabularLM
from sft2rl.widgets import predict

style.use()
print("torch", torch.__version__, "· transformers", transformers.__version__)

# %% [markdown]
# ## 1. Pretraining: every token is a label
#
# A language model learns to predict the next token of any text. The text is its own label, so
# there is no end of data. The slide writes
#
# $$\mathcal L_\text{pre} = \mathbb E_{w\sim\mathcal D}\Big[-\sum_{t=1}^{T_w}
#   \log\pi(w_t\mid w_{<t})\Big].$$
#
# Look at $t=1$: $\pi(w_1\mid\text{nothing})$. A transformer given no token returns no logits. Either
# one puts a start token (BOS) in front of every text, or one drops the term. In code both come to
# the same: **the first token of `input_ids` is given, and the sum has one term less than there are
# tokens**.
#
# A row `<bos> c a t` with a model that gives the three letters the probabilities 1/2, 1/4 and 1/8:

# %% tags=["show"]
total = 0.0
for letter, p in zip("cat", (1 / 2, 1 / 4, 1 / 8), strict=True):
    total -= math.log(p)
    print(f"{letter}: -ln {p:.3f} = {-math.log(p):.4f}    sum so far {total:.4f}")
print(f"4 tokens, 3 terms: sum {total:.4f}, mean per predicted token {total / 3:.4f}")

# %% [markdown]
# What about many texts? The slide takes the **mean over texts of the sum over tokens**. Hugging
# Face, and nearly every training script, takes the **mean over all predicted tokens of the batch**.
# The two weigh texts differently, so this course names them:
#
# | `reduction` | value |
# | --- | --- |
# | `"sum_then_mean"` | sum of all terms of the batch, divided by the number of rows $B$ |
# | `"token_mean"` | sum of all terms of the batch, divided by the number of terms |
#
# ### Exercise: `pretrain_loss` (2 points, 10 minutes, ★)
#
# Compute it from logits. Three traps. *The shift*: row $t$ of the logits is about token $t+1$, the
# last row is about nothing (so `torch.roll` is not a shift). *Padding*: tokens where
# `attention_mask` is 0 are nobody's text. It may stand on either side; a term counts only if both
# the predicted token and the token before it are real. *The divisor*. You may use
# `F.cross_entropy`, which skips targets equal to $-100$.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "pretrain_loss"}
def pretrain_loss(
    logits: torch.Tensor,
    input_ids: torch.Tensor,
    reduction: str = "sum_then_mean",
    attention_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Next-token loss on every real token but the first of each row.

    Args:
        logits: [B, T, V], floating point; position t predicts token t + 1. -inf is
            allowed for tokens that are never predicted.
        input_ids: [B, T], torch.long, T >= 2; not changed.
        reduction: "sum_then_mean", the sum of all terms over the number of rows B, or
            "token_mean", the sum of all terms over the number of terms.
        attention_mask: [B, T], 1 or True on real tokens, 0 or False on padding (on the
            left or right, at any row); None if every token is real. A term counts if
            tokens t and t + 1 are both real; at least one of the batch does.

    Returns:
        0-d tensor, the dtype of `logits`, differentiable in `logits`.

    Raises:
        ValueError: any other reduction.
    """
    ### BEGIN SOLUTION
    targets = input_ids[:, 1:]
    if attention_mask is not None:
        real = attention_mask.bool()
        targets = targets.masked_fill(~(real[:, 1:] & real[:, :-1]), -100)
    aligned = logits[:, :-1].flatten(0, 1)
    nll = F.cross_entropy(aligned, targets.flatten(), reduction="sum")
    if reduction == "sum_then_mean":
        return nll / len(input_ids)
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(f"unknown reduction: {reduction!r}")
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_pretrain_loss", "points": 2}
check.pretrain_loss(pretrain_loss)

# %% [markdown]
# Now a real model. It ships with the course: a Llama with 1.3 million parameters, pretrained on
# sentences from film and product reviews. Its texts begin with a tag, `<movie>` or `<amazon>`,
# which plays the part of BOS. Give it two sentences, and compare with the loss that the library
# computes inside.

# %% tags=["show"]
base = models.load_model()
tokenizer = models.load_tokenizer()
PAD, EOS = tokenizer.pad_token_id, tokenizer.eos_token_id


def encode(text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False)


reviews = ["<movie> a warm and funny film.", "<amazon> the battery died after two days."]
rows = [[*encode(review), EOS] for review in reviews]
width = max(map(len, rows))
input_ids = torch.tensor([row + [PAD] * (width - len(row)) for row in rows])
attention_mask = (input_ids != PAD).long()
labels = input_ids.masked_fill(attention_mask == 0, -100)
with torch.no_grad():
    output = base(input_ids=input_ids, attention_mask=attention_mask, labels=labels)
print(f"Hugging Face                 {output.loss:.6f}")
for reduction in ("token_mean", "sum_then_mean"):
    ours = pretrain_loss(output.logits, input_ids, reduction, attention_mask)
    print(f"pretrain_loss {reduction:14s} {ours:.6f}")

# %% [markdown]
# ## 2. From a question and an answer to one row of tokens
#
# SFT uses the same model and the same cross-entropy, on pairs: a prompt $x$ that somebody asked and
# an answer $y$ that somebody wrote. The model should learn to *answer*, not to *ask*, so only the
# answer's tokens are labels. And it should learn to *stop*, so the EOS is one of them: "this answer
# is complete" is a prediction like any other.
#
# With prompt `7 8`, answer `5 6 9` and EOS = 1:
#
# | position | 0 | 1 | 2 | 3 | 4 | 5 |
# | --- | --- | --- | --- | --- | --- | --- |
# | `input_ids` | 7 | 8 | 5 | 6 | 9 | 1 |
# | `labels` | -100 | -100 | 5 | 6 | 9 | 1 |
#
# Every label stands *below its own token*. The logits at position 1 (the last of the prompt)
# predict the 5; the loss sees to that. Somebody who shifts here, too, trains a model to predict the
# token after next, and no error is raised.
#
# A row has a maximal length. What does not fit is cut off **at the end**, in `input_ids` and
# `labels` alike, after the EOS was appended: with `max_len = 5` the example loses its EOS. That is
# as it should be. The answer goes on, and a model that is taught an EOS there learns to break off
# in the middle of a sentence.
#
# ### Exercise: `build_sft_example` (2 points, 10 minutes, ★)
#
# Build the two lists for one pair. What counts is decided by the *place* of a token, not by its
# value: a prompt may contain the EOS id (between the turns of a dialogue, say), and stays masked.
# No padding here; that is the business of whoever makes a batch.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "build_sft_example"}
def build_sft_example(
    prompt_ids: list[int], response_ids: list[int], eos: int, max_len: int
) -> dict[str, list[int]]:
    """One row of SFT data: prompt, response, EOS, and their labels.

    Args:
        prompt_ids: token ids of the prompt, possibly none; not changed.
        response_ids: token ids of the response without its final EOS, possibly none;
            not changed.
        eos: the id that ends the response; appended exactly once, after the response,
            whatever the response contains.
        max_len: longest row, at least 1; longer rows lose tokens at the end.

    Returns:
        {"input_ids": ..., "labels": ...}, two lists of ints of the same length, at most
        max_len: labels[i] is -100 on the prompt and input_ids[i] on response and EOS.
    """
    ### BEGIN SOLUTION
    response = [*response_ids, eos]
    input_ids = [*prompt_ids, *response]
    labels = [-100] * len(prompt_ids) + response
    return {"input_ids": input_ids[:max_len], "labels": labels[:max_len]}
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_build_sft_example", "points": 2}
check.build_sft_example(build_sft_example)

# %% [markdown]
# See it on text. Type a prompt and an answer, and move the slider: blue tokens count, grey ones do
# not; the number below each blue token is the position whose logits predict it. Which answer
# tokens does the real model find hard? Point at one. *(Widget: a row of token boxes; the prompt is
# grey, the answer and its end token are blue, with -ln p on mouse-over.)*

# %% tags=["show"]
widgets_sft.label_strip(
    build_sft_example, tokenizer, base, "<movie> this film is", "a delight from start to end."
)

# %% [markdown]
# ## 3. The SFT loss, and who gets how much say
#
# $$\mathcal L_\text{SFT} = \mathbb E_{(x,y)\sim\mathcal D_\text{SFT}}\Big[-\sum_{t=1}^{T_y}
#   \log\pi(y_t\mid x, y_{<t})\Big].$$
#
# Two examples. The answer of the first is one token long, and the model gave it probability 1/8.
# The answer of the second has three tokens with probability 1/2 each. In units of
# $\ln 2 = 0.6931$, the sums are 3 and 3.

# %% tags=["show"]
nlls = [[3 * math.log(2)], [math.log(2)] * 3]
sums = [sum(each) for each in nlls]
print(f"sum_then_mean  {sum(sums) / 2:.4f}   (3 + 3) ln 2 / 2 examples")
print(f"token_mean     {sum(sums) / 4:.4f}   (3 + 3) ln 2 / 4 tokens")
means = [sum(each) / len(each) for each in nlls]
print(f"mean of means  {sum(means) / 2:.4f}   (3 + 1) ln 2 / 2, neither of the two")

# %% tags=["show"]
predict(
    "Batches of 1 answer of 10 tokens and 1 of 90. You train on token_mean instead of "
    "sum_then_mean. What changes?",
    [
        "only the learning rate, by a factor that differs from batch to batch",
        "long answers now weigh more than short ones",
        "every example now weighs the same",
    ],
    answer=0,
    why="Within one batch every token weighs the same in both: the divisor is 100 "
    "instead of 2. But it changes from batch to batch, so a batch of short answers "
    "takes larger steps per token. Giving every example the same weight is the third "
    "loss, the mean of means.",
)

# %% [markdown]
# ### Exercise: `sft_loss` (3 points, 15 minutes, ★★)
#
# The same two reductions, now with `labels`. Remember that labels are not shifted yet. A row
# without any label (a prompt that was too long) adds nothing to the sum, but it is one of the $B$
# examples. Do not multiply by a mask: some models put $-\infty$ at tokens that they never emit, and
# $0\cdot\infty$ is not a number. Select instead, or let `F.cross_entropy` do it.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "sft_loss"}
def sft_loss(
    logits: torch.Tensor, labels: torch.Tensor, reduction: str = "sum_then_mean"
) -> torch.Tensor:
    """Supervised fine-tuning loss of a batch.

    Args:
        logits: [B, T, V], floating point; position t predicts token t + 1. -inf is
            allowed for tokens that are never a label.
        labels: [B, T], torch.long, T >= 2, not shifted: the token at its own position
            where it counts, -100 elsewhere; not changed. A label at position 0 is
            predicted by nothing and ignored. A row may have no label, the batch has one.
        reduction: "sum_then_mean", the sum of all terms over the number of rows B, or
            "token_mean", the sum of all terms over the number of terms (Hugging Face).

    Returns:
        0-d tensor, the dtype of `logits`, differentiable in `logits`.

    Raises:
        ValueError: any other reduction.
    """
    ### BEGIN SOLUTION
    targets = labels[:, 1:]
    aligned = logits[:, :-1].flatten(0, 1)
    nll = F.cross_entropy(aligned, targets.flatten(), reduction="sum")
    if reduction == "sum_then_mean":
        return nll / len(labels)
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(f"unknown reduction: {reduction!r}")
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_sft_loss", "points": 3}
check.sft_loss(sft_loss)

# %% [markdown]
# ### What the gradient says
#
# Differentiate one term with respect to the logits $\ell(\cdot)$ of its position, with
# $\pi=\mathrm{softmax}(\ell)$:
#
# $$\frac{\partial}{\partial\ell(v)}\big(-\log\pi(y_t\mid x,y_{<t})\big)
#   = \pi(v\mid x,y_{<t}) - \mathbb 1[v = y_t].$$
#
# *What the model expected minus what the teacher wrote.* Three tokens with probabilities
# $(.7, .2, .1)$, and the teacher wrote the second: the gradient is $(.7, -.8, .1)$. Note the prefix
# in the formula: it is always the teacher's, $y_{<t}$. This is **teacher forcing**: all positions
# are trained at once, each as if everything before had gone right. A prefix that no teacher wrote
# gets no gradient at all. Keep that in mind until section 7.
#
# ### Exercise: `sft_gradient_is_teacher_forcing` (1 point, 10 minutes, ★★)
#
# Write the gradient of `sft_loss(logits, labels)`, with its default reduction, as a formula:
# `softmax` and arithmetic, no autograd (a use of it goes to a human reader). It is zero at every
# position whose logits predict nothing that counts; which positions are these?


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "sft_gradient_is_teacher_forcing"}
def sft_gradient_is_teacher_forcing(
    logits: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Gradient of sft_loss(logits, labels, "sum_then_mean") in the logits, closed form.

    Args:
        logits: [B, T, V], floating point, finite; not changed.
        labels: [B, T], torch.long, as for `sft_loss`; not changed.

    Returns:
        [B, T, V], the dtype of `logits`, without graph; exactly 0 at positions whose
        next token has no label, and at the last position.
    """
    ### BEGIN SOLUTION
    targets = labels[:, 1:]
    counts = targets != -100
    one_hot = F.one_hot(targets.masked_fill(~counts, 0), logits.shape[-1])
    gradient = torch.zeros_like(logits)
    surprise = logits[:, :-1].detach().softmax(-1) - one_hot
    gradient[:, :-1] = surprise.masked_fill(~counts.unsqueeze(-1), 0.0)
    return gradient.detach() / len(labels)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_sft_gradient_is_teacher_forcing", "points": 1}
check.sft_gradient_is_teacher_forcing(sft_gradient_is_teacher_forcing)

# %% [markdown]
# ## 4. Packing
#
# Padding is wasted work, so pretraining glues documents together until a row is full. One term of
# the loss then makes no sense: the first token of document 2, predicted from the last of document
# 1. It belongs to no text anybody wrote.
#
# | position | 0 | 1 | 2 | 3 | 4 | 5 | 6 |
# | --- | --- | --- | --- | --- | --- | --- | --- |
# | `input_ids` | 4 | 5 | 1 | 4 | 6 | 1 | 0 |
# | `document_ids` | 0 | 0 | 0 | 1 | 1 | 1 | -1 |
# | predicted? | given | yes | yes | given | yes | yes | padding |
#
# ### Exercise: `packed_loss` (1 point, 10 minutes, ★★)
#
# The mean over all predicted tokens, where a token is predicted only if it and the token before it
# belong to the same document. So a packed row gives the same loss as its documents in rows of their
# own (given the same logits). The ids only tell neighbours apart: they may be any numbers $\ge 0$,
# in any order, and come back later in the row or in another one.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "packed_loss"}
def packed_loss(
    logits: torch.Tensor, input_ids: torch.Tensor, document_ids: torch.Tensor
) -> torch.Tensor:
    """Mean next-token loss over packed documents, without predictions across borders.

    Args:
        logits: [B, T, V], floating point; position t predicts token t + 1. -inf is
            allowed for tokens that are never predicted.
        input_ids: [B, T], torch.long, T >= 2; not changed.
        document_ids: [B, T], torch.long: neighbouring tokens with the same id >= 0 are
            of one document; -1 is padding, anywhere; not changed.

    Returns:
        0-d tensor, the dtype of `logits`, differentiable in `logits`: the sum of all
        terms of the batch over their number (at least one).
    """
    ### BEGIN SOLUTION
    same = document_ids[:, 1:] == document_ids[:, :-1]
    targets = input_ids[:, 1:].masked_fill(~same | (document_ids[:, 1:] == -1), -100)
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten())
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_packed_loss", "points": 1}
check.packed_loss(packed_loss)

# %% tags=["show"]
predict(
    "With packed_loss no term crosses a border. Pack a film review and a product review "
    "for the real model: is the loss on the product review the same as alone?",
    ["yes, that is what packed_loss is for", "no"],
    answer=1,
    why="The loss does not cross the border, but attention does: the logits of document 2 "
    "have read document 1. The attention mask must be cut into blocks, too, and the "
    "positions must start again.",
)

# %% tags=["show"]
documents = torch.tensor([[0] * len(rows[0]) + [1] * len(rows[1])])
packed = torch.tensor([rows[0] + rows[1]])
only_second = documents.masked_fill(documents == 0, -1)
same_document = documents[:, :, None] == documents[:, None, :]
blocks = (same_document & torch.ones_like(same_document).tril()).unsqueeze(1)
positions = torch.tensor([[*range(len(rows[0])), *range(len(rows[1]))]])
with torch.no_grad():
    alone = base(torch.tensor([rows[1]])).logits
    leaky = base(packed).logits
    clean = base(packed, attention_mask=blocks, position_ids=positions).logits
reference = pretrain_loss(alone, torch.tensor([rows[1]]), "token_mean")
print(f"product review alone              {reference:.4f}")
print(f"packed, attention across borders  {packed_loss(leaky, packed, only_second):.4f}")
print(f"packed, attention in blocks       {packed_loss(clean, packed, only_second):.4f}")

# %% [markdown]
# ## 5. What maximum likelihood converges to
#
# Suppose the model can represent everything: one free distribution for every prefix (the course's
# `TabularLM` is that model). The loss then splits into one cross-entropy per prefix, and each is
# smallest at the frequencies of the data:
#
# $$\pi^*(v\mid y_{<t}) = \frac{n(y_{<t}, v)}{\sum_{v'} n(y_{<t}, v')},$$
#
# where $n(p, v)$ counts the sequences of the data that begin with the prefix $p$ and go on with
# $v$. Data with letters 2 = `a`, 3 = `b` and EOS = 1: `a b .`, `a b .`, `a .`, `b .` give
# $\pi^*(\mathtt a\mid\text{start}) = 3/4$ and $\pi^*(\mathtt b\mid \mathtt a)=2/3$,
# $\pi^*(\mathtt .\mid \mathtt a)=1/3$.
#
# ### Exercise: `mle_optimum` (1 point, 10 minutes, ★★)
#
# Count. The EOS is a token, and stands at the end of a sequence if it was emitted (sequences that
# were cut off have none). No smoothing: what never happened has probability 0. And only prefixes
# that occur in the data, with a token behind them, are keys. About the others maximum likelihood
# says nothing at all.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "mle_optimum"}
def mle_optimum(
    data: list[tuple[int, ...]], V: int
) -> dict[tuple[int, ...], torch.Tensor]:
    """Where the tabular SFT loss is smallest: the empirical conditionals.

    Args:
        data: completions of one prompt, tuples of ids in 0..V-1, each of at least one
            token, the EOS included where it was emitted; no id is special; repeats
            count; not changed.
        V: vocabulary size.

    Returns:
        prefix (a tuple of ids; () at the start) -> float64 tensor [V], the frequencies
        of the tokens that follow it in the data. The keys are exactly the prefixes that
        some token follows.
    """
    ### BEGIN SOLUTION
    counts = {}
    for y in data:
        for t, token in enumerate(y):
            empty = torch.zeros(V, dtype=torch.float64)
            counts.setdefault(y[:t], empty)[token] += 1
    return {prefix: n / n.sum() for prefix, n in counts.items()}
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_mle_optimum", "points": 1}
check.mle_optimum(mle_optimum)

# %% [markdown]
# Multiply the conditionals along each sequence: the optimum gives every sequence exactly its
# frequency in the data. Maximum likelihood is **consistent**: give it data without end, and a
# table or a network that is flexible enough, and it finds the truth. (And with a table it only ever repeats its data.
# That it says anything sensible about new prefixes is the network's doing, not the loss's.)


# %% tags=["show"]
def probability(y: tuple[int, ...], conditionals: dict) -> float:
    """Product of the conditionals along a sequence."""
    return math.prod(float(conditionals[y[:t]][token]) for t, token in enumerate(y))


data = [(2, 3, 1), (2, 3, 1), (2, 1), (3, 1)]
optimum = mle_optimum(data, V=4)
letters = {1: ".", 2: "a", 3: "b"}
for y, count in Counter(data).items():
    text = " ".join(letters[token] for token in y)
    print(f"{text:6s} frequency {count}/4   pi* = {probability(y, optimum):.4f}")
print("prefixes it knows:", list(optimum))

# %% [markdown]
# ## 6. Fine-tune a real model
#
# Now for real. The film reviewer reads *Alice's Adventures in Wonderland* (Lewis Carroll, 1865;
# chapters I to III, lower case as in its pretraining). The task: given the first four tokens of a
# sentence, finish the sentence. 96 sentences to learn from, and all of chapter VII held out.


# %% tags=["show"]
def alice_pairs(part: str) -> list[tuple[list[int], list[int]]]:
    """(prompt, response) of sentences of 14 to 32 tokens, each opening once."""
    file = resources.files("sft2rl") / "data" / f"tokenizer_alice_{part}.txt"
    text = " ".join(file.read_text(encoding="utf-8").lower().replace("_", "").split())
    sentences = [encode(s.strip()) for s in re.findall(r"[^.!?;:*]+[.!?;:]", text)]
    fitting = [ids for ids in sentences if 14 <= len(ids) <= 32]
    by_opening = {tuple(ids[:4]): ids[4:] for ids in fitting}
    return [(list(opening), rest) for opening, rest in by_opening.items()]


train_pairs, held_out = alice_pairs("train")[:96], alice_pairs("test")
films = [s.text for s in textdata.load_fixture() if s.source == "movie"]
film = [(encode("<movie>"), encode(text)) for text in films]
for prompt, response in train_pairs[:4]:
    print(f"{tokenizer.decode(prompt):>26} | {tokenizer.decode(response)}")
print(f"{len(train_pairs)} pairs to learn from, {len(held_out)} held out,", end=" ")
print(f"{len(film)} review sentences to see what is forgotten")

# %% [markdown]
# The helpers: `batch_of` pads rows of your `build_sft_example`, `fine_tune` takes AdamW steps on
# your `sft_loss`. With `teach_eos=False`, it makes the classical mistake on purpose: every EOS is
# masked "because it is padding".


# %% tags=["show"]
def batch_of(pairs: list, teach_eos: bool = True) -> dict[str, torch.Tensor]:
    """input_ids, attention_mask and labels of a padded batch."""
    examples = [build_sft_example(*pair, eos=EOS, max_len=48) for pair in pairs]
    width = max(len(example["labels"]) for example in examples)
    input_ids = torch.full((len(pairs), width), PAD)
    labels = torch.full((len(pairs), width), -100)
    attention_mask = torch.zeros(len(pairs), width, dtype=torch.long)
    for row, example in enumerate(examples):
        length = len(example["labels"])
        input_ids[row, :length] = torch.tensor(example["input_ids"])
        labels[row, :length] = torch.tensor(example["labels"])
        attention_mask[row, :length] = 1
    if not teach_eos:
        labels = labels.masked_fill(labels == EOS, -100)
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}


def logits_of(model, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits


@torch.no_grad()
def nll_per_token(model, pairs: list) -> float:
    batch = batch_of(pairs)
    return sft_loss(logits_of(model, batch), batch["labels"], "token_mean").item()


def fine_tune(steps: int, teach_eos: bool = True, log: dict | None = None):
    """A copy of the base model after some AdamW steps of 24 examples."""
    model = models.copy_of(base)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps + 1):
        if log is not None and step % 4 == 0:
            log.setdefault("step", []).append(step)
            for name, pairs in EVALUATED.items():
                log.setdefault(name, []).append(nll_per_token(model, pairs))
        if step == steps:
            return model
        if step % 4 == 0:
            order = torch.randperm(len(train_pairs), generator=generator)
        rows = order[24 * (step % 4) : 24 * (step % 4 + 1)]
        batch = batch_of([train_pairs[i] for i in rows], teach_eos)
        loss = sft_loss(logits_of(model, batch), batch["labels"])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


EVALUATED = {
    "Alice, trained on": train_pairs,
    "Alice, held out": held_out,
    "film reviews": film,
}

# %% tags=["show"]
predict(
    "Eight passes over 96 sentences. The loss on the held-out chapter will ...",
    ["fall all the time", "fall, then rise above where it began", "rise from the start"],
    answer=1,
    why="A few steps teach it the style: that is the slide's 'data efficient'. After that "
    "it memorises these 96 sentences at the price of everything else, film reviews "
    "included: the slide's 'can overwrite skills'.",
)

# %% [markdown]
# About ten seconds of training. *(Figure: negative log-likelihood per token against the training
# step, three curves. On the training sentences it falls from 5.4 to about 0.5; held out it dips
# from 5.4 to 5.0 within 8 steps and then rises above 6; on film reviews it rises from 4.0 to
# almost 6.)*

# %% tags=["train"]
log = {}
alice = fine_tune(32, log=log)
fig, ax = style.figure(
    "Eight passes over 96 sentences", "training step", "NLL per token (nats)"
)
for name in EVALUATED:
    ax.plot(log["step"], log[name], marker="o", label=name)
ax.legend()
plt.show()

# %% [markdown]
# And the masked EOS? The same training, without the one label per sentence that says *stop*. Both
# models complete the openings of the held-out chapter, 44 tokens at most, with the same random
# numbers.

# %% tags=["train"]
endless = fine_tune(32, teach_eos=False)
openings = torch.tensor([prompt for prompt, _ in held_out])
luck = sampling.draw_luck(len(openings), seed=0, max_new_tokens=44)
for name, model in {"EOS taught": alice, "EOS masked": endless}.items():
    drawn = sampling.sample(model, openings, luck, EOS, PAD)
    length = drawn.completion_mask.sum(1)
    ended = (drawn.input_ids == EOS).any(1).float().mean()
    print(f"{name}: {length.float().mean():.1f} tokens on average, {ended:.0%} end by EOS")
    for text in sampling.texts_of(tokenizer, drawn)[1:3]:
        print("   ", text)

# %% [markdown]
# Neither writes like Carroll; with 1.3 million parameters and 96 sentences, nothing would. But one
# of them knows when to stop.
#
# ## 7. Exposure bias, measured
#
# In training, every token is predicted after a *perfect* prefix. When the model writes by itself,
# the prefix is its own. If it slips at one token, it goes on from a place where no teacher has ever
# been. How much does that cost? On a sentence that it was trained on, the four-token opening
# leaves only one right continuation, so mistakes can be counted:
#
# - **teacher-forced**: the prefix is the teacher's; is the most probable token the right one?
# - **free-running**: the prefix is what the model itself has written so far (always its most
#   probable token); is the token right *at that position*?
#
# If a teacher-forced mistake happens at position $s$ with frequency $\varepsilon_s$, and if one
# mistake spoilt everything after it, then the free-running error at $t$ would be
# $1-\prod_{s\le t}(1-\varepsilon_s)$.

# %% tags=["show"]
predict(
    "Teacher-forced, about 8 % of the tokens are wrong, early and late alike. Free-running, "
    "how many are wrong at the 18th token?",
    ["about 8 %", "about 20 %", "more than 70 %"],
    answer=2,
    why="Some 8 % of the sentences derail at each step, and a derailed sentence seldom "
    "finds back: 1 - 0.92^18 is 78 %. The cost of a sentence grows like the square of "
    "its length.",
)

# %% [markdown]
# The right panel asks for probabilities instead of the best guess: the NLL of the teacher's token
# after the teacher's prefix, and after a prefix that was *sampled* from the model. *(Figure: two
# panels against the position in the completion, 1 to 18. Left: the teacher-forced error stays near
# 10 %, the free-running one climbs to about 80 %, close to a dashed curve of compounding errors.
# Right: the NLL after the teacher's prefix stays near 0.6, after the model's own prefix it climbs
# to about 9.)*


# %% tags=["train"]
LENGTH = 18
long_enough = [prompt + response for prompt, response in train_pairs]
truth = torch.tensor([ids[: 4 + LENGTH] for ids in long_enough if len(ids) >= 4 + LENGTH])


@torch.no_grad()
def own_prefix(model, prompts: torch.Tensor, generator=None) -> torch.Tensor:
    """Prompts with LENGTH tokens of the model's own: greedy, or sampled."""
    ids, token, cache = prompts, prompts, None
    while ids.shape[1] < prompts.shape[1] + LENGTH:
        out = model(token, past_key_values=cache, use_cache=True)
        cache, law = out.past_key_values, torch.softmax(out.logits[:, -1], dim=-1)
        if generator is None:
            token = law.argmax(-1, keepdim=True)
        else:
            token = law.multinomial(1, generator=generator)
        ids = torch.hstack([ids, token])
    return ids


@torch.no_grad()
def nll_after(model, prefix: torch.Tensor) -> torch.Tensor:
    """[LENGTH] mean NLL of the teacher's token at each position, after `prefix`."""
    logits = model(prefix).logits[:, 3:-1]
    target = truth[:, 4:]
    return F.cross_entropy(logits.transpose(1, 2), target, reduction="none").mean(0)


with torch.no_grad():
    guess = alice(truth).logits[:, 3:-1].argmax(-1)
teacher_forced = (guess != truth[:, 4:]).float().mean(0)
free_running = (own_prefix(alice, truth[:, :4]) != truth)[:, 4:].float().mean(0)
compounding = 1 - (1 - teacher_forced).cumprod(0)
sampled = own_prefix(alice, truth[:, :4], torch.Generator().manual_seed(0))

position = range(1, LENGTH + 1)
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
axes[0].plot(position, teacher_forced, "o-", label="teacher-forced")
axes[0].plot(position, free_running, "s-", label="free-running")
axes[0].plot(position, compounding, "k--", label="if no mistake is ever repaired")
axes[0].set(title="Wrong tokens", ylabel="fraction of sentences", ylim=(0, 1))
axes[1].plot(position, nll_after(alice, truth), "o-", label="after the teacher's prefix")
axes[1].plot(position, nll_after(alice, sampled), "s-", label="after its own prefix")
axes[1].set(title="The teacher's token", ylabel="NLL (nats)")
for ax in axes:
    ax.set_xlabel("position in the completion (tokens)")
    ax.set_xticks(range(2, LENGTH + 1, 2))
    ax.legend(fontsize=8)
plt.show()
print(f"{len(truth)} sentences; per token, teacher-forced {teacher_forced.mean():.0%} wrong,")
print(f"free-running {free_running.mean():.0%}, at position {LENGTH} {free_running[-1]:.0%}")

# %% [markdown]
# A yardstick: a blind guess among the 4,096 tokens costs $\ln 4096 = 8.3$ nats. After ten tokens of
# its own, the model gives the teacher's token less probability than a blind guess would.
#
# One caution before you quote such a number. The teacher's token is the right one after *another*
# prefix only because these sentences are memorised. On open text, a model that goes on in a
# different and equally good way would be charged for it. So the right panel measures exposure bias
# *plus* legitimate difference. Whoever takes that sum for a loss makes the mistake of the next
# section.
#
# ## 8. On-policy SFT
#
# If the trouble is that training never visits the model's own prefixes, then visit them. The
# appendix of the slides does (they call it *online SFT*): draw $\tilde y$ from the model and ask
# for the teacher's tokens after the model's prefixes,
#
# $$\mathcal L^\text{on-policy}_\text{SFT} = \mathbb E_{(x,y^*)\sim\mathcal D}\,
#   \mathbb E_{\tilde y\sim\pi(\cdot\mid x)}\Big[-\sum_{t=1}^{T_{y^*}}
#   \log\pi(y^*_t\mid x,\tilde y_{<t})\Big].$$
#
# The formula leaves two things open, and an implementation cannot.
#
# 1. **The lengths differ.** $\tilde y$ may end before $y^*$ does, or go on longer. *Our rule*: draw
#    exactly as many tokens as the prefixes need, $T_{y^*}-1$; what would come later is cut off, and
#    an EOS inside $\tilde y$ is a token like any other, after which drawing goes on. All
#    $T_{y^*}$ tokens of the teacher count.
# 2. **The gradient.** $\pi$ stands in two places: in the logarithm and in the law of $\tilde y$.
#    *Our rule*, and everybody's practice: $\tilde y$ is a constant. (So training does not follow
#    the gradient of the formula, which has one more term.)
#
# An example: at the start the model says `a` with probability .9, and the teacher wrote `b b`. With
# probability .9 the second term is $-\log\pi(\mathtt b\mid\mathtt a)$, although the teacher never
# wrote a `b` after an `a`. The first term never looks at $\tilde y$.
#
# ### Exercise: `onpolicy_sft_loss` (2 points, 20 minutes, ★★)
#
# One sample per row. Draw token by token at temperature 1 from the whole vocabulary, with
# `torch.multinomial` and the `generator` (or in another way that uses no other source of chance),
# then score all positions in one forward pass. The reference answers are padded with $-100$; a
# model needs no padding here, since all rows are drawn to the same length.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "onpolicy_sft_loss"}
def onpolicy_sft_loss(
    model: torch.nn.Module,
    x: torch.Tensor,
    y_star: torch.Tensor,
    generator: torch.Generator,
) -> torch.Tensor:
    """On-policy SFT loss of a batch, with one sampled prefix per row.

    Args:
        model: called as model(input_ids), input_ids [B, n] with 1 <= n <= P + T - 1;
            its .logits are [B, n, V]. No other argument is needed.
        x: [B, P], torch.long: prompts without padding, P >= 1; not changed.
        y_star: [B, T], torch.long, T >= 1: the teacher's tokens, aligned with the
            completion (y_star[:, 0] follows the prompt), -100 on the right where a
            shorter answer is over; not changed.
        generator: the only source of chance.

    Returns:
        0-d tensor, the dtype of the logits: the mean over the B rows of the sum over t
        of -ln pi(y*_t | x, y~_<t), where y~ are T - 1 tokens drawn from the model, an
        EOS among them being a token like any other. The gradient flows through the
        logarithm only.
    """
    ### BEGIN SOLUTION
    ids = x
    with torch.no_grad():
        for _ in range(y_star.shape[1] - 1):
            probs = model(ids).logits[:, -1].softmax(-1)
            ids = torch.cat([ids, torch.multinomial(probs, 1, generator=generator)], 1)
    logits = model(ids).logits[:, x.shape[1] - 1 :]
    nll = F.cross_entropy(logits.flatten(0, 1), y_star.flatten(), reduction="sum")
    return nll / len(x)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_onpolicy_sft_loss", "points": 2}
check.onpolicy_sft_loss(onpolicy_sft_loss)


# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "helper_gradient"}
def onpolicy_sft_gradient(model, x, y_star, generator) -> dict:
    """Gradient of your loss in each parameter of a model; None where none arrives."""
    model.zero_grad()
    loss = onpolicy_sft_loss(model, x, y_star, generator)
    if loss.requires_grad:
        loss.backward()
    return {name: tensor.grad for name, tensor in model.named_parameters()}


# %% [markdown]
# ### The same without chance
#
# On a table, the expectation over $\tilde y$ is a sum. `tables` has one row of logits per prefix, as
# `TabularLM` stores them: `row_of` gives the row. The probability of a prefix $\tilde y_{<t}$ is the
# product of its conditionals, and every one of the $V^{t-1}$ prefixes adds its share to term $t$.


# %% nbgrader={"schema_version": 3, "solution": false, "grade": false, "locked": true, "task": false, "grade_id": "row_of"}
def row_of(prefix: tuple[int, ...], V: int) -> int:
    """Row of `TabularLM.table` with the logits of the token after `prefix`."""
    row = 0
    for token in prefix:
        row = row * V + token + 1
    return row


print("V = 2, rows of (), (0,), (1,), (0, 0), (0, 1):", end=" ")
print([row_of(prefix, 2) for prefix in [(), (0,), (1,), (0, 0), (0, 1)]])

# %% [markdown]
# ### Exercise: `exact_onpolicy_sft_loss` (2 points, 20 minutes, ★★★)
#
# Compute the loss by enumeration; all pairs of the data weigh the same. Treat the probabilities of
# the prefixes as constants, as training does: then the gradient of your value is exactly the mean
# of the gradient of `onpolicy_sft_loss`.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "exact_onpolicy_sft_loss"}
def exact_onpolicy_sft_loss(
    tables: torch.Tensor, data: list[tuple[tuple[int, ...], tuple[int, ...]]]
) -> torch.Tensor:
    """On-policy SFT loss of a tabular model, with the expectation over y~ as a sum.

    Args:
        tables: [R, V], float64, finite logits; row row_of(x + y~_<t, V) is about the
            token after that prefix. R is large enough for all prefixes of the data.
        data: pairs (x, y_star) of tuples of ids in 0..V-1, y_star of at least one
            token and of any length, x possibly empty; repeats count; not changed.

    Returns:
        0-d float64 tensor: the mean over the pairs of the expectation over y~ ~ pi of
        sum over t of -ln pi(y*_t | x, y~_<t), drawing as in `onpolicy_sft_loss`.
        Differentiable in `tables` through the logarithm only: the probabilities of the
        prefixes are constants.
    """
    ### BEGIN SOLUTION
    V = tables.shape[1]
    logps = tables.log_softmax(-1)
    probs = logps.detach().exp()
    total = torch.zeros((), dtype=tables.dtype)
    for x, y_star in data:
        law = {tuple(x): 1.0}
        for target in y_star:
            longer = {}
            for prefix, weight in law.items():
                row = row_of(prefix, V)
                total = total - weight * logps[row, target]
                for token in range(V):
                    longer[(*prefix, token)] = weight * probs[row, token]
            law = longer
    return total / len(data)
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_exact_onpolicy_sft_loss", "points": 2}
check.exact_onpolicy_sft_loss(exact_onpolicy_sft_loss)

# %% [markdown]
# A sum against a sample: 20,000 rows of your `onpolicy_sft_loss` must come close to the exact
# value.

# %% tags=["show"]
table_model = TabularLM(vocab_size=3, context=4)
table_model.table.data.normal_(generator=torch.Generator().manual_seed(1))
x, y_star = (2,), (0, 1, 1)
exact = exact_onpolicy_sft_loss(table_model.table, [(x, y_star)]).item()
many = 20_000
estimate = onpolicy_sft_loss(
    table_model,
    torch.tensor([x]).expand(many, -1),
    torch.tensor([y_star]).expand(many, -1),
    torch.Generator().manual_seed(0),
).item()
print(f"exact {exact:.4f}, mean of {many} samples {estimate:.4f}")

# %% [markdown]
# ### What it converges to
#
# Two teachers answer the same prompt. One says `A B`, the other `B A`. Half the time the answer
# begins with an A, and then a B follows, always. A model trained by SFT learns exactly that. What
# does on-policy SFT learn?

# %% tags=["show"]
predict(
    "Data: A B and B A, equally often. At the optimum of on-policy SFT, pi(A A) is ...",
    ["0: nobody ever wrote it", "1/4", "1/2"],
    answer=1,
    why="After its own A, the model is asked for the second token of a teacher drawn "
    "independently of that A: half the time B, half the time A. The prefix carries no "
    "information about the target, so the best answer ignores it.",
)

# %% [markdown]
# Look at the loss once more: $y^*$ is drawn from the data, $\tilde y$ from the model,
# *independently of each other*. For each prefix, whatever it is, term $t$ is a cross-entropy with
# the distribution of $y^*_t$ over the data, the **marginal** of position $t$. It is smallest when
# $\pi(\cdot\mid x,\tilde y_{<t})$ equals this marginal, for every prefix. Hence at the optimum the
# tokens are independent of each other:
#
# $$\pi(y_1,\dots,y_T\mid x) = \prod_{t=1}^{T} m_t(y_t),\qquad
#   m_t(v) = \text{fraction of the data with } y^*_t = v .$$
#
# ### Exercise: `onpolicy_sft_optimum` (2 points, 15 minutes, ★★)
#
# Return this distribution over sequences, for answers of equal length to one prompt.


# %% nbgrader={"schema_version": 3, "solution": true, "grade": false, "locked": false, "task": false, "grade_id": "onpolicy_sft_optimum"}
def onpolicy_sft_optimum(
    data: tuple[tuple[int, ...], ...] | list[tuple[int, ...]] = ((0, 1), (1, 0)),
) -> dict[tuple[int, ...], float]:
    """The distribution over sequences at which the on-policy SFT loss is smallest.

    Args:
        data: answers to one prompt, tuples of ids, all of the same length T >= 1;
            repeats count; not changed. The default is {AB, BA} with A = 0, B = 1.

    Returns:
        sequence (a tuple of T ids) -> its probability (a float), for every sequence
        whose probability is positive; the others are absent.
    """
    ### BEGIN SOLUTION
    marginals = [Counter(column) for column in zip(*data, strict=True)]
    return {
        y: math.prod(m[token] / len(data) for m, token in zip(marginals, y, strict=True))
        for y in itertools.product(*marginals)
    }
    ### END SOLUTION


# %% nbgrader={"schema_version": 3, "solution": false, "grade": true, "locked": true, "task": false, "grade_id": "test_onpolicy_sft_optimum", "points": 2}
check.onpolicy_sft_optimum(onpolicy_sft_optimum)

# %% [markdown]
# Do not believe the derivation: minimise. Gradient descent on your exact loss, from a random table;
# beside it the same descent on the ordinary SFT loss, whose prefixes are the teachers'.
# *(Table: four sequences; SFT reaches the data, 0, 1/2, 1/2, 0; on-policy SFT reaches 1/4 for each,
# like your optimum.)*


# %% tags=["show"]
def descend(loss_of, steps: int = 300) -> torch.Tensor:
    """Table [3, 2] of logits for prefixes (), A, B after gradient descent."""
    table = torch.randn(3, 2, generator=torch.Generator().manual_seed(0)).double()
    for _ in range(steps):
        table = table.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(loss_of(table), table)
        table = table - 2.0 * gradient
    return table.detach()


def teacher_forced_loss(table: torch.Tensor) -> torch.Tensor:
    logps = table.log_softmax(-1)
    rows = [[(row_of(y[:t], 2), y[t]) for t in range(2)] for y in ((0, 1), (1, 0))]
    return -sum(logps[row, token] for y in rows for row, token in y) / 2


AB = [((), (0, 1)), ((), (1, 0))]
tables = {
    "SFT": descend(teacher_forced_loss),
    "on-policy": descend(lambda table: exact_onpolicy_sft_loss(table, AB)),
}
print("            AA     AB     BA     BB    SFT loss   on-policy loss")
for name, table in tables.items():
    p = table.softmax(-1)
    values = [p[0, a] * p[row_of((a,), 2), b] for a in (0, 1) for b in (0, 1)]
    losses = teacher_forced_loss(table), exact_onpolicy_sft_loss(table, AB)
    numbers = "  ".join(f"{value:.3f}" for value in values)
    print(f"{name:10s} {numbers}   {losses[0]:8.3f}   {losses[1]:14.3f}")
yours = onpolicy_sft_optimum()
numbers = "  ".join(f"{yours[y]:.3f}" for y in itertools.product((0, 1), repeat=2))
print(f"{'your sums':10s} {numbers}")

# %% [markdown]
# The last column is the punch line. By the on-policy loss, the *perfect* model is bad, and the more
# certain it gets the worse (its limit is infinite): after its own `A`, it refuses to say the `A`
# that the other teacher wanted. The loss $2\ln 2 = 1.386$ of the word-mixer is the best there is.
#
# Play with it: how often does each answer occur in the data? When do the orange bars agree with the
# data? *(Widget: four sliders with counts for AA, AB, BA, BB; grouped bars for the data, the SFT
# optimum from your `mle_optimum`, and the on-policy optimum from your `onpolicy_sft_optimum`.)*

# %% tags=["show"]
widgets_sft.two_letters(mle_optimum, onpolicy_sft_optimum)

# %% [markdown]
# ### The same in English
#
# Two things that the cat may do, ten tokens and an EOS each. We fine-tune the film reviewer on
# both, once with SFT and once with on-policy SFT, and let both models write.

# %% tags=["train"]
cat = torch.tensor([encode("the cat")])
answers = [" sat in the kitchen and laughed.", " looked at alice with a big smile."]
answers = torch.tensor([[*encode(answer), EOS] for answer in answers])
prompts, references = cat.expand(16, -1), answers.repeat(8, 1)


def train_cat(on_policy: bool, steps: int):
    """A copy of the base model, fine-tuned on the two answers."""
    model = models.copy_of(base)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * (1 - step / steps)
        if on_policy:
            loss = onpolicy_sft_loss(model, prompts, references, generator)
        else:
            ids = torch.cat([prompts, references], 1)
            labels = torch.cat([torch.full_like(prompts, -100), references], 1)
            loss = sft_loss(model(ids).logits, labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


luck = sampling.draw_luck(8, seed=1)
for name, on_policy, steps in (("SFT", False, 30), ("on-policy SFT", True, 80)):
    model = train_cat(on_policy, steps)
    drawn = sampling.sample(model, cat.expand(8, -1), luck, EOS, PAD)
    print(name)
    for text in sampling.texts_of(tokenizer, drawn):
        print("   ", text)

# %% [markdown]
# Word salad, and not for lack of training: each position is right, and the sentence is wrong.
# (With one answer per prompt the marginals *are* the answer, and nothing goes wrong. That is why
# the method can look good on a benchmark with one reference per question.)
#
# ### Question: a cure that makes the patient worse? (4 points)
#
# A colleague has read that "online SFT reduces exposure bias, and it is still a supervised loss".
# In at most 250 words:
#
# 1. For the data {AB, BA}: what is the smallest value of the on-policy loss, at which model, and
#    what is the on-policy loss of the perfect model, which says AB and BA with probability 1/2
#    each? What does "not consistent" mean here?
# 2. Which single step of the construction makes the target independent of the prefix? Give a
#    condition on the data under which on-policy SFT does have the right optimum.
# 3. The sampled prefix is treated as a constant. Which term of the gradient of the printed formula
#    is thereby left out, and would keeping it repair the optimum?
# 4. Name a way to train on the model's own prefixes that keeps the right optimum, and say what it
#    needs that SFT data do not contain.

# %% [markdown] nbgrader={"schema_version": 3, "solution": true, "grade": true, "locked": false, "task": false, "grade_id": "written_onpolicy", "points": 4}
# **Model answer.** (1) Each of the two terms is a cross-entropy with a fair coin, at least
# $\ln 2$, so the minimum is $2\ln 2 = 1.386$, reached when every conditional is (1/2, 1/2): all
# four sequences get 1/4. The perfect model pays $\ln 2$ for the first token; after its own A, the
# teacher wants an A half of the time, to which it gives probability 0: its on-policy loss is
# infinite. Not consistent: even with unlimited data and a model that can represent the truth, the
# minimiser is not the distribution of the data (its SFT loss would be $\ln 2$, the entropy of the
# data).
#
# (2) $\tilde y_{<t}$ is drawn from the model without looking at $y^*$, given $x$ only; the prefix
# of $y^*$ is thrown away and its $t$-th token kept. So given $x$ the target is independent of the
# prefix, and the best prediction is the marginal of $y^*_t$. The optimum is right if, given $x$,
# the tokens of $y^*$ are independent of each other; in particular if each prompt has one single
# answer (a deterministic teacher).
#
# (3) The score term, $\mathbb E_{\tilde y}\big[\big(-\sum_t\log\pi(y^*_t\mid x,\tilde
# y_{<t})\big)\,\nabla\log\pi(\tilde y\mid x)\big]$, which accounts for the change of the prefixes'
# law. Keeping it gives the true gradient of the printed loss, and the product of marginals is the
# global minimum of that very loss (every term attains its lower bound whatever the law of the
# prefixes), so nothing is repaired.
#
# (4) Ask the teacher *after the model's prefix*: an expert who labels the visited prefixes
# (DAgger), or a teacher model whose next-token distribution after $\tilde y_{<t}$ is the target
# (on-policy distillation). That needs an interactive teacher, not a fixed set of answers. Or judge
# the whole sample with a reward (policy gradient), which needs a reward function.
#
# **Rubric.** 1 point: $2\ln 2$ at the model with 1/4 each, infinite for the perfect model, and
# what inconsistency means (half a point if one is missing). 1 point: $\tilde y$ and $y^*$ are
# independent given $x$ (target kept, its prefix thrown away), and a right condition. 1 point: the
# score term is named, and it does not help, with the reason (the bound is attained for every law
# of the prefixes). 1 point: a sound alternative and what it needs.

# %% [markdown]
# ## Where the slides need care
#
# - **"GPT 3 paper".** The first page shown under that label is *Training language models to follow
#   instructions with human feedback*: InstructGPT (2022), not GPT-3 (2020).
# - **Sum or mean.** The SFT and pretraining slides *sum* over the tokens and average over the
#   texts; the slide on factorisation divides by $T$; libraries average over all tokens of the
#   batch. Three losses, two of which are called the same. Say which one you use.
# - **$t = 1$ in pretraining.** There is no $\pi(w_1\mid w_{<1})$ without a start token. With $T$
#   tokens in a row there are $T-1$ terms.
# - **What $T_y$ counts.** The EOS belongs to $y$. Mask it, and the model never stops (section 6).
# - **The on-policy loss** is not consistent (section 8); its formula does not say what happens when
#   $\tilde y$ and $y^*$ differ in length; and if the sample is a constant, training does not follow
#   the gradient of the printed expectation. The slide's con "if sampled prefixes diverge, the
#   targets can become incoherent" is the heart of the matter, not a matter of variance.
# - **"Learns how to recover from suboptimal earlier tokens"** holds where the right target is known
#   after the wrong prefix. A fixed answer does not tell.
#
# ## What you have learnt
#
# - Pretraining and SFT are one loss; they differ in which tokens count and what the sum is divided
#   by. Both must be written down.
# - Labels stand at their own position and are shifted once, in the loss. The EOS is a label.
# - The gradient is expectation minus observation, after the teacher's prefixes only. Maximum
#   likelihood is consistent, and silent about all other prefixes.
# - That silence can be measured: 8 % wrong tokens under the teacher's prefixes, about 80 % at the
#   18th token under its own.
# - Training on one's own prefixes with somebody else's targets learns the marginals. To do it
#   right one needs a judge for what the model really wrote: preferences (09) or rewards (10).
#
# ## Further reading
#
# - R. Williams, D. Zipser, *A learning algorithm for continually running fully recurrent neural
#   networks*, 1989: teacher forcing.
# - S. Bengio, O. Vinyals, N. Jaitly, N. Shazeer, *Scheduled sampling for sequence prediction with
#   recurrent neural networks*, 2015, arXiv 1506.03099: mixes the model's own tokens into the
#   prefix; at the end of its schedule it is the loss of section 8.
# - F. Huszár, *How (not) to train your generative model: scheduled sampling, likelihood,
#   adversary?*, 2015, arXiv 1511.05101: why that objective is improper.
# - S. Ross, G. Gordon, D. Bagnell, *A reduction of imitation learning and structured prediction to
#   no-regret online learning*, 2011, arXiv 1011.0686: errors that grow like $T^2$, and DAgger,
#   which asks the expert at the visited states.
# - L. Ouyang et al., *Training language models to follow instructions with human feedback*, 2022,
#   arXiv 2203.02155: SFT as the first step of three.
# - R. Agarwal et al., *On-policy distillation of language models: learning from self-generated
#   mistakes*, 2024, arXiv 2306.13649: the teacher is a model, so it can be asked after any prefix.
#
# **Next:** 09 · Preferences and DPO: what to do when people can say which of two answers is better,
# but nobody writes the right one.

"""Hidden suite of 08_sft.

Strategy: losses are added up term by term from logsumexp in float64, gradients are the closed form
softmax minus one-hot, and the reductions differ on every batch. On-policy sampling is judged on
tables: nearly certain ones, where the drawn prefix is known, and a lopsided one, where the mean of
many rows must meet the sum over all prefixes.
"""

import itertools
import math
from collections import Counter

import torch

from autograder.suite import Draw, Student, exercise, expect, model
from sft2rl.models import TabularLM

DEPENDS = {
    "pretrain_loss": ["sft_loss"],
    "packed_loss": ["pretrain_loss", "sft_loss"],
    "onpolicy_sft_loss": ["sft_loss", "pretrain_loss"],
    "onpolicy_sft_optimum": ["mle_optimum"],
}
FORBIDDEN = {"sft_gradient_is_teacher_forcing": ["torch.autograd", "torch.func"]}

DOUBLE = torch.float64
CERTAIN = 60.0  # a logit this far above the others leaves e^-60 for chance


def scalar(value: float) -> torch.Tensor:
    """A 0-d float64 tensor."""
    return torch.tensor(float(value), dtype=DOUBLE)


def nll(row: torch.Tensor, token: int) -> float:
    """-ln softmax(row)[token] by plain arithmetic in float64."""
    row = row.double()
    return float(torch.logsumexp(row, 0) - row[token])


def losses(logits: torch.Tensor, ids: torch.Tensor, counts: torch.Tensor) -> list[list[float]]:
    """Per row the terms of the tokens t >= 1 with counts[b, t], each from logits[b, t - 1]."""
    return [
        [nll(logits[b, t - 1], int(ids[b, t])) for t in range(1, ids.shape[1]) if counts[b, t]]
        for b in range(len(ids))
    ]


def reductions(terms: list[list[float]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """sum_then_mean, token_mean, and the mean of the rows' means (a mistake)."""
    sums = [sum(row) for row in terms]
    means = [sum(row) / len(row) for row in terms if row]
    total, count = sum(sums), sum(len(row) for row in terms)
    return scalar(total / len(terms)), scalar(total / count), scalar(sum(means) / len(means))


def closed_gradient(logits: torch.Tensor, ids: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Gradient of the sum of all terms: softmax minus one-hot, where the next token counts."""
    gradient = torch.zeros_like(logits)
    for b, t in itertools.product(range(len(ids)), range(1, ids.shape[1])):
        if counts[b, t]:
            gradient[b, t - 1] = logits[b, t - 1].softmax(0)
            gradient[b, t - 1, ids[b, t]] -= 1
    return gradient


# pretrain_loss


def padded_texts(draw: Draw, lengths: list[int], left: bool = False, V: int = 7):
    """Logits, ids and a mask [B, T]; padding has id 0, and so has a real token."""
    T = max(lengths)
    ids = draw.integers(0, V, len(lengths), T)
    mask = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        mask[row, T - length :] = 1 if left else 0
        if not left:
            mask[row, :length] = 1
    ids[lengths.index(T), 1] = 0
    return draw.normal(len(lengths), T, V), ids * mask, mask


def pairs_counted(mask: torch.Tensor) -> torch.Tensor:
    """[B, T] True where a token and the one before it are real."""
    counts = torch.zeros_like(mask, dtype=torch.bool)
    counts[:, 1:] = mask[:, 1:].bool() & mask[:, :-1].bool()
    return counts


@exercise("pretrain_loss", weight=2)
def test_sum_over_tokens_then_mean_over_texts(student: Student, draw: Draw):
    """Texts of four lengths, padded on the right; the default reduction."""
    logits, ids, mask = padded_texts(draw, draw.shuffled([6, 4, 2, 5]))
    counts, everywhere = pairs_counted(mask), torch.ones_like(mask)
    want, token_mean, mean_of_means = reductions(losses(logits, ids, counts))
    unshifted = sum(nll(logits[b, t], int(ids[b, t]))
                    for b in range(4) for t in range(6) if mask[b, t])  # fmt: skip
    wrapped = losses(torch.cat([logits[:, -1:], logits], 1),
                     torch.cat([ids[:, :1], ids], 1), torch.ones(4, 7))  # fmt: skip
    expect(student.pretrain_loss(logits, ids, attention_mask=mask)).close(
        want,
        "Sum -ln pi(w_t | w_<t) over every real token but the first of each row, then divide by "
        "the number of rows.",
        mistakes={
            "There is no shift: logits[:, t] predict token t + 1.": scalar(unshifted / 4),
            "You counted the padding: use attention_mask.":
                reductions(losses(logits, ids, everywhere))[0],
            "The last logits predicted the first token: a roll wraps around, a shift does not.":
                reductions(wrapped)[0],
            "That is token_mean: divide by the number of rows, not of terms.": token_mean,
            "You averaged the means of the rows.": mean_of_means,
            "You did not divide by the number of rows.": 4 * want,
            "The sign is wrong: a loss is minus the log-probability.": -want,
        },
    )  # fmt: skip


@exercise("pretrain_loss", weight=2)
def test_token_mean_divides_by_the_predicted_tokens(student: Student, draw: Draw):
    """The same kind of batch with token_mean."""
    logits, ids, mask = padded_texts(draw, draw.shuffled([7, 3, 2]))
    terms = losses(logits, ids, pairs_counted(mask))
    sum_then_mean, want, mean_of_means = reductions(terms)
    total = sum(map(sum, terms))
    expect(student.pretrain_loss(logits, ids, "token_mean", mask)).close(
        want,
        "token_mean divides the sum of all terms by their number: T - 1 per text of T real tokens.",
        mistakes={
            "You divided by the number of real tokens: the first one of each row is not predicted.":
                scalar(total / int(mask.sum())),
            "You divided by all positions, padding included.": scalar(total / (3 * 6)),
            "You averaged the means of the rows: every token weighs the same.": mean_of_means,
            "That is sum_then_mean.": sum_then_mean,
        },
    )  # fmt: skip


@exercise("pretrain_loss")
def test_without_a_mask_every_token_is_real(student: Student, draw: Draw):
    """No attention_mask, ids 0 and 1 everywhere: no id means padding."""
    logits, ids = draw.normal(3, 5, 2), draw.integers(0, 2, 3, 5)
    ids[:, 2:4] = torch.tensor([0, 1])
    both = reductions(losses(logits, ids, torch.ones(3, 5)))
    for name, want in zip(("sum_then_mean", "token_mean"), both, strict=False):
        expect(student.pretrain_loss(logits, ids, name)).close(
            want, "Without a mask every token counts: no id is special, only the mask says padding."
        )


@exercise("pretrain_loss")
def test_padding_on_the_left_predicts_nothing(student: Student, draw: Draw):
    """Left-padded rows, one of them nothing but padding; the mask is bool, then float."""
    logits, ids, mask = padded_texts(draw, draw.shuffled([5, 3, 1, 0]), left=True)
    want = reductions(losses(logits, ids, pairs_counted(mask)))[:2]
    from_padding = reductions(losses(logits, ids, mask))[:2]
    for kind in (mask.bool(), mask.double()):
        for name, value, wrong in zip(("sum_then_mean", "token_mean"), want, from_padding,
                                      strict=True):  # fmt: skip
            expect(student.pretrain_loss(logits, ids, name, kind)).close(
                value,
                "A term counts if the predicted token and the one before it are real; the mask may "
                "be bool, integer or floating; a row without terms is still one of the rows, "
                "and so is a row without any text.",
                mistakes={"The first real token was predicted from padding.": wrong},
            )


@exercise("pretrain_loss")
def test_the_gradient_is_expectation_minus_observation(student: Student, draw: Draw):
    """The gradient in every logit, for both reductions."""
    logits, ids, mask = padded_texts(draw, [5, 3, 4])
    want = closed_gradient(logits, ids, pairs_counted(mask))
    for name, divisor in (("sum_then_mean", 3), ("token_mean", 9)):
        got = student.grad("pretrain_loss", logits, ids, name, mask, wrt=(0,))
        expect(got.grads[0]).close(
            want / divisor,
            "The loss must be differentiable in the logits (no detach, no item): softmax minus "
            "one-hot where the next token counts, 0 elsewhere.",
        )


@exercise("pretrain_loss")
def test_single_precision_large_and_infinite_logits(student: Student, draw: Draw):
    """One row in float32; logits in the hundreds; a token that is never emitted."""
    logits, ids = draw.normal(1, 4, 5, dtype=torch.float32), draw.integers(0, 5, 1, 4)
    want = reductions(losses(logits, ids, torch.ones(1, 4)))[0]
    expect(student.pretrain_loss(logits, ids)).close(
        want.float(), "Keep the dtype of the logits; a batch of 1 is a "
        "batch.",
    )  # fmt: skip
    logits, ids, mask = padded_texts(draw, [5, 3])
    ids = torch.where(mask.bool(), ids.clamp(min=1), 0)  # token 0 is padding only
    logits = 300 * logits
    logits[0, 0, ids[0, 1]] -= 1500  # a probability that underflows
    logits[:, :, 0] = -torch.inf
    expect(student.pretrain_loss(logits, ids, attention_mask=mask)).close(
        reductions(losses(logits, ids, pairs_counted(mask)))[0],
        "Use log_softmax or cross_entropy, and select terms instead of multiplying with a mask: 0 "
        "times infinity is not a number.",
    )


@exercise("pretrain_loss", weight=0.5)
def test_an_unknown_reduction_is_refused_for_pretraining(student: Student, draw: Draw):
    """Three names that this course does not use."""
    logits, ids = draw.normal(2, 3, 4), draw.integers(0, 4, 2, 3)
    for name in ("mean", "sum", ""):
        raised = student.raised("pretrain_loss", logits, ids, name)
        expect(raised).equals("ValueError", "Raise ValueError for any other reduction.")


# build_sft_example


def example(prompt: list[int], response: list[int], eos: int, max_len: int) -> dict:
    """Token by token: what stands where, and whether it counts."""
    whole = [(i, False) for i in prompt] + [(i, True) for i in [*response, eos]]
    kept = whole[:max_len]
    return {"input_ids": [i for i, _ in kept], "labels": [i if use else -100 for i, use in kept]}


@exercise("build_sft_example", weight=2)
def test_response_and_eos_are_the_labels(student: Student, draw: Draw):
    """Room enough: prompts and responses of several lengths, several EOS ids."""
    for (p, r), eos in zip(((3, 4), (1, 1), (5, 2)), draw.shuffled([0, 1, 4]), strict=True):
        prompt, response = (draw.integers(10, 99, n).tolist() for n in (p, r))
        want = example(prompt, response, eos, 40)
        ids, labels = want["input_ids"], want["labels"]
        expect(student.build_sft_example(prompt, response, eos, 40)).equals(
            want,
            "input_ids are prompt, response, EOS; labels are the same with -100 on the prompt.",
            mistakes={
                "You shifted the labels: they stand at their own position, the loss shifts.":
                    {"input_ids": ids, "labels": [*labels[1:], -100]},
                "The EOS is masked: the model would never learn to stop.":
                    {"input_ids": ids, "labels": [*labels[:-1], -100]},
                "The prompt must not be a label.": {"input_ids": ids, "labels": ids},
                "The EOS is missing at the end.":
                    {"input_ids": ids[:-1], "labels": labels[:-1]},
                "No padding here: that is the business of whoever makes a batch.":
                    {"input_ids": ids + [eos] * (40 - len(ids)),
                     "labels": labels + [-100] * (40 - len(ids))},
            },
        )  # fmt: skip


@exercise("build_sft_example", weight=2)
def test_truncation_takes_from_the_end(student: Student, draw: Draw):
    """Every length from one token to one more than fits."""
    eos = draw.integer(0, 5)
    prompt, response = draw.integers(10, 99, 3).tolist(), draw.integers(10, 99, 4).tolist()
    for max_len in range(1, 10):
        want = example(prompt, response, eos, max_len)
        forced = example(prompt, response[: max(0, max_len - 4)], eos, max_len)
        tail = example(prompt, response, eos, 99)
        expect(student.build_sft_example(prompt, response, eos, max_len)).equals(
            want,
            "Append the EOS first, then cut input_ids and labels to the first max_len tokens; if "
            "only the prompt fits, no label is left.",
            mistakes={
                "You cut off the beginning: the prompt must stay.":
                    {name: row[-max_len:] for name, row in tail.items()},
                "You kept an EOS although the answer was cut: it is not complete.": forced,
                "Only one of the two lists was cut.":
                    {"input_ids": want["input_ids"], "labels": tail["labels"]},
            },
        )  # fmt: skip


@exercise("build_sft_example")
def test_place_and_not_value_decides_what_counts(student: Student, draw: Draw):
    """EOS ids and equal tokens inside prompt and response; a response that ends with the EOS id."""
    eos, a, b = draw.sample(range(50), 3)
    for prompt, response in (([a, eos, b], [b, a]), ([eos], [a, eos]), ([a, b], [eos, a, a])):
        expect(student.build_sft_example(prompt, response, eos, 20)).equals(
            example(prompt, response, eos, 20),
            "The EOS is appended exactly once whatever the response contains, and tokens are "
            "masked by their place, not by their id.",
        )


@exercise("build_sft_example")
def test_empty_prompts_and_empty_responses(student: Student, draw: Draw):
    """Nothing asked, nothing answered, and both."""
    tokens = draw.integers(10, 99, 3).tolist()
    for prompt, response in (([], tokens), (tokens, []), ([], [])):
        expect(student.build_sft_example(prompt, response, 2, 8)).equals(
            example(prompt, response, 2, 8),
            "An empty prompt leaves every token a label; an empty response is the EOS alone.",
        )


# sft_loss


def labelled(draw: Draw, spans: list[tuple[int, int]], T: int, V: int = 6):
    """Logits, labels and counts; row b has labels at spans[b][0] <= t < spans[b][1]."""
    labels = torch.full((len(spans), T), -100)
    for row, (start, end) in enumerate(spans):
        labels[row, start:end] = draw.integers(0, V, end - start)
    row = next(row for row, (start, end) in enumerate(spans) if end > start)
    labels[row, spans[row][1] - 1] = 0  # an ordinary token
    return draw.normal(len(spans), T, V), labels, labels != -100


@exercise("sft_loss", weight=2)
def test_sum_over_the_answer_then_mean_over_examples(student: Student, draw: Draw):
    """Answers of three lengths with prompts before and padding after; the default reduction."""
    logits, labels, counts = labelled(draw, draw.shuffled([(2, 7), (3, 4), (1, 4)]), 8)
    want, token_mean, mean_of_means = reductions(losses(logits, labels, counts))
    last = [max(t for t in range(8) if counts[b, t]) for b in range(3)]
    without_eos = counts.clone()
    without_eos[range(3), last] = False
    filled = labels.masked_fill(~counts, 0)
    unshifted = sum(nll(logits[b, t], int(labels[b, t]))
                    for b in range(3) for t in range(8) if counts[b, t])  # fmt: skip
    expect(student.sft_loss(logits, labels)).close(
        want,
        "Sum -ln pi over the labels of each example, from the logits one position before, then "
        "divide by the number of examples.",
        mistakes={
            "There is no shift: logits[:, t] predict token t + 1.": scalar(unshifted / 3),
            "That is token_mean: divide by the number of examples.": token_mean,
            "You averaged the means of the examples.": mean_of_means,
            "You divided by all positions, masked ones included.": 3 * want / (3 * 7),
            "You did not divide by the number of examples.": 3 * want,
            "The last label, usually the EOS, is missing.":
                reductions(losses(logits, labels, without_eos))[0],
            "Masked positions were counted.":
                reductions(losses(logits, filled, torch.ones(3, 8)))[0],
            "The sign is wrong: a loss is minus the log-probability.": -want,
        },
    )  # fmt: skip


@exercise("sft_loss", weight=2)
def test_token_mean_is_the_libraries_loss(student: Student, draw: Draw):
    """The mean over all labels of a ragged batch."""
    logits, labels, counts = labelled(draw, draw.shuffled([(2, 6), (3, 4), (1, 3), (4, 7)]), 7)
    sum_then_mean, want, mean_of_means = reductions(losses(logits, labels, counts))
    expect(student.sft_loss(logits, labels, "token_mean")).close(
        want,
        "token_mean divides the sum over all labels of the batch by their number.",
        mistakes={
            "You averaged the means of the examples: every token weighs the same.": mean_of_means,
            "That is sum_then_mean.": sum_then_mean,
            "You divided by all positions, masked ones included.": 4 * sum_then_mean / (4 * 6),
        },
    )


@exercise("sft_loss")
def test_a_row_without_labels_is_still_an_example(student: Student, draw: Draw):
    """Two rows of four have no label at all."""
    logits, labels, counts = labelled(draw, draw.shuffled([(2, 5), (0, 0), (4, 6), (6, 6)]), 6)
    terms = losses(logits, labels, counts)
    want, token_mean, _ = reductions(terms)
    expect(student.sft_loss(logits, labels)).close(
        want,
        "A row without labels adds 0 to the sum and 1 to the number of examples.",
        mistakes={"You left rows without labels out of the mean.": 2 * want},
    )
    expect(student.sft_loss(logits, labels, "token_mean")).close(
        token_mean, "A row without labels changes nothing in token_mean; it must not give nan."
    )


@exercise("sft_loss")
def test_labels_may_stand_anywhere(student: Student, draw: Draw):
    """Two answers in one row, a label at position 0, one at the last position."""
    logits, labels, counts = labelled(draw, [(0, 7), (0, 2)], 7)
    labels[0, 3:5] = -100
    labels[1, 6] = draw.integer(0, 6)
    terms = losses(logits, labels, labels != -100)
    for name, want in zip(("sum_then_mean", "token_mean"), reductions(terms), strict=False):
        expect(student.sft_loss(logits, labels, name)).close(
            want,
            "Every label but one at position 0 counts, wherever it stands: dialogues have several "
            "answers in a row.",
        )


@exercise("sft_loss")
def test_gradients_in_both_reductions(student: Student, draw: Draw):
    """The gradient in every logit."""
    logits, labels, counts = labelled(draw, [(1, 4), (2, 3), (3, 5)], 5)
    want = closed_gradient(logits, labels, counts)
    for name, divisor in (("sum_then_mean", 3), ("token_mean", 6)):
        got = student.grad("sft_loss", logits, labels, name, wrt=(0,))
        expect(got.grads[0]).close(
            want / divisor,
            "The loss must be differentiable in the logits (no detach, no item): softmax minus "
            "one-hot where the next token is a label, 0 elsewhere.",
        )


@exercise("sft_loss")
def test_hard_logits_and_single_precision(student: Student, draw: Draw):
    """Logits in the hundreds, tokens of probability zero, one row, float32."""
    logits, labels, counts = labelled(draw, [(2, 5), (1, 3)], 6)
    labels = torch.where(counts, labels.clamp(min=1), -100)
    logits = 300 * logits
    logits[0, 1, labels[0, 2]] -= 1500  # a probability that underflows
    logits[:, :, 0] = -torch.inf
    expect(student.sft_loss(logits, labels)).close(
        reductions(losses(logits, labels, counts))[0],
        "Use log_softmax or cross_entropy, and select terms instead of multiplying with a mask: 0 "
        "times infinity is not a number.",
    )
    logits, labels, counts = labelled(draw, [(1, 2)], 2)
    want = reductions(losses(logits.float(), labels, counts))[0]
    expect(student.sft_loss(logits.float(), labels)).close(
        want.float(), "Keep the dtype of the logits; a batch of 1 is a batch."
    )


@exercise("sft_loss", weight=0.5)
def test_an_unknown_reduction_is_refused_for_sft(student: Student, draw: Draw):
    """Three names that this course does not use."""
    logits, labels, _ = labelled(draw, [(1, 3), (2, 3)], 3)
    for name in ("mean", "sum", ""):
        raised = student.raised("sft_loss", logits, labels, name)
        expect(raised).equals("ValueError", "Raise ValueError for any other reduction.")


# sft_gradient_is_teacher_forcing


@exercise("sft_gradient_is_teacher_forcing", weight=2)
def test_softmax_minus_one_hot_at_the_position_before(student: Student, draw: Draw):
    """A ragged batch with a row without labels; the sizes are all different."""
    spans = draw.shuffled([(2, 5), (1, 2), (0, 0)])
    logits, labels, counts = labelled(draw, spans, 5, V=4)
    total = closed_gradient(logits, labels, counts)
    everywhere = logits.softmax(-1) * (counts.any(1)[:, None, None])
    expect(student.sft_gradient_is_teacher_forcing(logits, labels)).close(
        total / 3,
        "(softmax minus one-hot of the next label) / B at positions whose next token has a label, "
        "0 elsewhere.",
        mistakes={
            "You forgot the 1 / B of sum_then_mean.": total,
            "You divided by the number of labels: the default is sum_then_mean.": total / 4,
            "You divided by the rows that have labels.": total / 2,
            "The sign is reversed: it is the gradient of a loss.": -total / 3,
            "The gradient belongs one position earlier, to the logits that predict the label.":
                total.roll(1, 1) / 3,
            "You forgot to subtract the one-hot.": everywhere / 3,
        },
    )  # fmt: skip


@exercise("sft_gradient_is_teacher_forcing")
def test_nothing_reaches_the_last_position_or_the_prompt(student: Student, draw: Draw):
    """A label at position 0 is predicted by nothing; the last logits predict nothing."""
    logits, labels, counts = labelled(draw, [(0, 4), (0, 1), (3, 4)], 4, V=5)
    got = student.sft_gradient_is_teacher_forcing(logits, labels)
    text = "Exactly 0 where the next token has no label, and at the last position."
    expect(got).close(closed_gradient(logits, labels, counts) / 3, text)
    silent = torch.ones(3, 4, dtype=torch.bool)
    silent[:, :-1] = ~counts[:, 1:]
    expect(got[silent].abs().max()).true(bool((got[silent] == 0).all()), text)


@exercise("sft_gradient_is_teacher_forcing")
def test_the_gradient_is_a_number_of_the_logits_dtype(student: Student, draw: Draw):
    """Logits with a graph in float32, one row, and logits in the hundreds."""
    logits, labels, counts = labelled(draw, [(1, 3)], 3)
    want = closed_gradient(logits.float().double(), labels, counts).float()
    got = student.sft_gradient_is_teacher_forcing(logits.float(), labels)
    expect(got).close(want, "Keep shape and dtype of the logits.")
    again = student.grad(
        "sft_gradient_is_teacher_forcing",
        logits,
        labels,
        wrt=(0,),
        cotangent=torch.ones_like(logits),
    )
    expect(again.requires_grad).equals(False, "Return numbers without a graph: detach.")
    logits = 300 * logits + 1000
    expect(student.sft_gradient_is_teacher_forcing(logits, labels)).close(
        closed_gradient(logits, labels, counts),
        "Use softmax, which does not overflow, instead of exp over a sum.",
    )


# packed_loss


def packed_batch(draw: Draw, layout: list[list[tuple[int, int]]], V: int = 6):
    """Logits, ids, document ids; a row is a list of (document id, number of tokens)."""
    rows = [[name for name, length in row for _ in range(length)] for row in layout]
    documents = torch.tensor(rows)
    return draw.normal(*documents.shape, V), draw.integers(0, V, *documents.shape), documents


def separate(logits, ids, layout) -> list[list[float]]:
    """The terms of every document in a row of its own."""
    terms = []
    for b, row in enumerate(layout):
        start = 0
        for name, length in row:
            if name != -1:
                part = slice(start, start + length)
                terms += losses(
                    logits[b : b + 1, part], ids[b : b + 1, part], torch.ones(1, length)
                )
            start += length
    return terms


@exercise("packed_loss", weight=2)
def test_packed_documents_cost_what_they_cost_apart(student: Student, draw: Draw):
    """Two rows, documents of one to four tokens, padding at the end and between."""
    layout = [[(0, 4), (1, 2), (2, 3), (-1, 1)], [(5, 1), (9, 3), (-1, 2), (3, 4)]]
    logits, ids, documents = packed_batch(draw, layout)
    ids[0, 1] = 0  # an ordinary token
    terms = separate(logits, ids, layout)
    sum_then_mean, want, mean_of_means = reductions(terms)
    total = sum(map(sum, terms))
    real = pairs_counted(documents != -1)
    same = torch.zeros_like(real)
    same[:, 1:] = documents[:, 1:] == documents[:, :-1]
    expect(student.packed_loss(logits, ids, documents)).close(
        want,
        "Mean over the tokens whose predecessor belongs to the same document (and is no padding).",
        mistakes={
            "You predicted the first token of a document from the one before it.":
                reductions(losses(logits, ids, real))[1],
            "You counted the padding: its document id is -1.":
                reductions(losses(logits, ids, same))[1],
            "You counted borders and padding.":
                reductions(losses(logits, ids, torch.ones_like(real)))[1],
            "Every token weighs the same: you averaged over documents.": mean_of_means,
            "Divide by the number of terms, not of documents.": sum_then_mean,
            "Divide by the number of terms, not of positions.": scalar(total / (2 * 9)),
            "Divide by the number of terms, not of rows.": scalar(total / 2),
        },
    )  # fmt: skip


@exercise("packed_loss")
def test_document_ids_only_tell_neighbours_apart(student: Student, draw: Draw):
    """Ids fall, come back in the same row, and go on in the next row."""
    a, b = draw.sample(range(1, 60), 2)
    layout = [[(a, 3), (b, 2), (a, 3)], [(a, 2), (0, 4), (b, 2)]]
    logits, ids, documents = packed_batch(draw, layout)
    expect(student.packed_loss(logits, ids, documents)).close(
        reductions(separate(logits, ids, layout))[1],
        "Compare the document ids of neighbours in the same row: they need not rise, and may come "
        "back later.",
    )


@exercise("packed_loss")
def test_one_document_is_pretraining(student: Student, draw: Draw):
    """A single document in one row; a padded one in float32."""
    layout = [[(draw.integer(0, 9), 5)]]
    logits, ids, documents = packed_batch(draw, layout)
    expect(student.packed_loss(logits, ids, documents)).close(
        reductions(separate(logits, ids, layout))[1],
        "One document is the ordinary pretraining loss, token_mean.",
    )
    layout = [[(-1, 2), (0, 2)]]
    logits, ids, documents = packed_batch(draw, layout)
    want = reductions(separate(logits.float(), ids, layout))[1].float()
    expect(student.packed_loss(logits.float(), ids, documents)).close(
        want, "Padding may stand on the left, too, and the dtype of the logits stays."
    )


@exercise("packed_loss")
def test_the_gradient_stays_inside_each_document(student: Student, draw: Draw):
    """The gradient by value; one token has probability zero everywhere."""
    layout = [[(0, 3), (1, 2), (-1, 1)], [(0, 2), (1, 4)]]
    logits, ids, documents = packed_batch(draw, layout)
    ids = torch.where(documents == -1, 0, ids.clamp(min=1))
    logits[:, :, 0] = -torch.inf
    counts = pairs_counted(documents != -1)
    counts[:, 1:] &= documents[:, 1:] == documents[:, :-1]
    got = student.grad("packed_loss", logits, ids, documents, wrt=(0,))
    text = (
        "Differentiable in the logits, softmax minus one-hot inside the documents, 0 at borders "
        "and padding; select terms instead of multiplying (0 times infinity is not a number)."
    )
    expect(got.value).close(reductions(losses(logits, ids, counts))[1], text)
    expect(got.grads[0]).close(closed_gradient(logits, ids, counts) / int(counts.sum()), text)


# mle_optimum


def conditionals(data: list[tuple[int, ...]], V: int) -> dict[tuple[int, ...], torch.Tensor]:
    """For every prefix, the share of each token among the sequences that go on after it."""
    result = {}
    for prefix in {y[:t] for y in data for t in range(len(y))}:
        n = len(prefix)
        after = [y[n] for y in data if len(y) > n and y[:n] == prefix]
        result[prefix] = torch.tensor([after.count(v) / len(after) for v in range(V)], dtype=DOUBLE)
    return result


@exercise("mle_optimum", weight=2)
def test_the_optimum_is_the_empirical_conditional(student: Student, draw: Draw):
    """Repeated sequences of several lengths that end with EOS."""
    a, b, c = draw.shuffled([0, 2, 3])
    data = [(a, b, 1), (a, b, 1), (a, c, 1), (b, 1), (a, 1), (c, c, c, 1), (a, b, a, 1)]
    data = draw.shuffled(data)
    want = conditionals(data, 5)
    size = len(data)
    joint = {
        p: q * sum(y[: len(p)] == p and len(y) > len(p) for y in data) / size
        for p, q in want.items()
    }
    smooth = {
        p: (q * sum(y[: len(p)] == p and len(y) > len(p) for y in data) + 1)
        / (sum(y[: len(p)] == p and len(y) > len(p) for y in data) + 5)
        for p, q in want.items()
    }
    expect(student.mle_optimum(data, 5)).close(
        want,
        "After each prefix that occurs: the frequencies of the next token, EOS included; a float64 "
        "tensor of V numbers.",
        mistakes={
            "You returned joint probabilities: divide by the count of the prefix.": joint,
            "You smoothed the counts: what never happened has probability 0.": smooth,
            "You ignored the EOS: it is a token.": conditionals([y[:-1] for y in data], 5),
            "You dropped repetitions: they count.": conditionals(sorted(set(data)), 5),
        },
    )


@exercise("mle_optimum")
def test_only_prefixes_that_go_on_are_keys(student: Student, draw: Draw):
    """Sequences that were cut off, some the beginning of others; token 1 is one like any other."""
    a, b = draw.shuffled([1, draw.choice([0, 2, 3])])
    data = draw.shuffled([(a,), (a, b), (a, b), (a, b, a), (b, b), (a, a)])
    want = conditionals(data, 4)
    got = student.mle_optimum(data, 4)
    expect(isinstance(got, dict)).equals(True, "Return a dict from prefixes to tensors.")
    expect(set(got) == set(want)).equals(
        True,
        "The keys are exactly the prefixes, () included, that some token of the data follows; no "
        "id is special.",
    )
    expect(got).close(
        want,
        "Divide by how often the prefix goes on: a sequence that stops there does not count.",
    )


@exercise("mle_optimum")
def test_one_sequence_and_tokens_of_every_size(student: Student, draw: Draw):
    """A single sequence in a large vocabulary, then one-token answers."""
    V = draw.integer(30, 40)
    y = (V - 1, 0, 0, V - 1, 5, 0, 7)
    expect(student.mle_optimum([y], V)).close(
        conditionals([y], V),
        "One sequence gives a certain next token after each of its prefixes, however long.",
    )
    data = [(t,) for t in draw.shuffled([0, 0, 0, 1, 2, 2])]
    expect(student.mle_optimum(data, 3)).close(
        conditionals(data, 3), "Answers of one token: only the empty prefix is a key."
    )


# onpolicy_sft_loss


def row_of(prefix: tuple[int, ...], V: int) -> int:
    """Row of a TabularLM's table: shorter prefixes first, then in the order of their tokens."""
    return sum(V**n for n in range(len(prefix))) + sum(
        token * V ** (len(prefix) - 1 - place) for place, token in enumerate(prefix)
    )


def crossing(table: torch.Tensor, context: int):
    """A table of logits as a model that crosses."""
    config = {"vocab_size": table.shape[1], "context": context}
    return model("sft2rl.models.TabularLM", config, {"table": table})


def certain_table(draw: Draw, V: int, context: int):
    """Free logits with one nearly certain token per prefix, which depends on the prefix.

    The favourite after a prefix is the sum of its tokens plus its length plus a shift, modulo V.
    """
    table = draw.normal(*TabularLM(V, context).table.shape)
    shift = draw.integer(0, V)
    for n in range(context + 1):
        for prefix in itertools.product(range(V), repeat=n):
            table[row_of(prefix, V), (sum(prefix) + n + shift) % V] += CERTAIN
    return table


def favourite(table: torch.Tensor, prefix: tuple[int, ...]) -> int:
    """The nearly certain next token."""
    return int(table[row_of(prefix, table.shape[1])].argmax())


def walk(table: torch.Tensor, x: tuple[int, ...], steps: int) -> tuple[int, ...]:
    """The nearly certain continuation of a prompt."""
    ids = x
    for _ in range(steps):
        ids = (*ids, favourite(table, ids))
    return ids[len(x) :]


def contrary(table: torch.Tensor, x: tuple[int, ...], T: int) -> tuple[int, ...]:
    """A teacher who never writes what the model writes, nor what it would after the teacher."""
    V, drawn, y = table.shape[1], walk(table, x, T), ()
    for t in range(T):
        avoid = {drawn[t], favourite(table, (*x, *y))}
        y = (*y, min(set(range(V)) - avoid))
    return y


def score(table: torch.Tensor, x, prefix, y) -> list[float]:
    """-ln pi of each token of y after x and the beginning of `prefix`."""
    V = table.shape[1]
    return [nll(table[row_of((*x, *prefix[:t]), V)], token) for t, token in enumerate(y)]


def padded(answers: list[tuple[int, ...]]) -> torch.Tensor:
    """Answers as a tensor with -100 on the right."""
    T = max(map(len, answers))
    return torch.tensor([[*y, *[-100] * (T - len(y))] for y in answers])


@exercise("onpolicy_sft_loss", weight=2)
def test_the_teachers_tokens_after_the_models_own_prefixes(student: Student, draw: Draw):
    """A model that is nearly certain, a teacher who disagrees, answers of three lengths."""
    V = 4
    table = certain_table(draw, V, 5)
    c = draw.integer(0, 3)
    xs = draw.shuffled([(c, c), (c, c + 1), (c + 1, c + 1)])  # three different favourites
    answers = [contrary(table, x, T) for x, T in zip(xs, draw.shuffled([4, 2, 3]), strict=True)]
    own = [walk(table, x, 4) for x in xs]
    rows = list(zip(xs, own, answers, strict=True))
    terms = [score(table, x, y_own, y) for x, y_own, y in rows]
    want, token_mean, mean_of_means = reductions(terms)
    without_first = reductions([row[1:] for row in terms])[0]
    batch = torch.tensor(xs * 50), padded(answers * 50)  # copies: a rare slip would show
    got = student.onpolicy_sft_loss(crossing(table, 5), *batch, draw.generator())
    text = (
        "Mean over the rows of the sum over t of -ln pi(y*_t | x, y~_<t): the teacher's tokens "
        "after the drawn prefixes."
    )
    loss = float(expect(got).tensor((), DOUBLE, f"Return a 0-d tensor. {text}"))
    expect(loss).true(abs(loss) > 1, "You scored the drawn tokens: the targets are the teacher's.")
    expect(got).close(
        want,
        text,
        mistakes={
            "You conditioned on the teacher's prefix: that is SFT.":
                reductions([score(table, x, y, y) for x, _, y in rows])[0],
            "You averaged over the tokens: sum them, then average over the rows.": token_mean,
            "You averaged the means of the rows: sum over the tokens.": mean_of_means,
            "You did not divide by the number of rows.": 150 * want,
            "The first token is missing: it is predicted from the prompt.": without_first,
            "The sign is wrong: a loss is minus the log-probability.": -want,
        },
    )  # fmt: skip


@exercise("onpolicy_sft_loss", weight=2)
def test_the_mean_of_many_rows_is_the_expectation(student: Student, draw: Draw):
    """Many equal rows under a lopsided law, against the sum over all prefixes."""
    V, T, x, count = 3, 3, (draw.integer(0, 3),), 30_000
    often, target, seldom = draw.sample(range(V), V)
    y = (target,) * T
    law = {often: 0.6, target: 0.3, seldom: 0.1}
    cost = {often: 0.7, target: 1.5, seldom: 8.0}  # of the teacher's token after each of them
    table = torch.zeros(TabularLM(V, 3).table.shape, dtype=DOUBLE)
    for n in range(T):
        for drawn in itertools.product(range(V), repeat=n):
            share = math.exp(-cost[drawn[-1]]) if n else law[target]
            row = [law[v] / (1 - law[target]) * (1 - share) for v in range(V)]
            row[target] = share
            table[row_of((*x, *drawn), V)] = torch.tensor(row, dtype=DOUBLE).log()
    mean, square = exact_moments(table, x, y)
    deviation = math.sqrt((square - mean**2) / count)
    batch = (torch.tensor([x]).repeat(count, 1), torch.tensor([y]).repeat(count, 1))
    got = student.onpolicy_sft_loss(crossing(table, 3), *batch, draw.generator())
    text = (
        "Over many rows the loss must approach the expectation: each row draws its own tokens, at "
        "temperature 1, from the whole vocabulary, each given the drawn ones before it."
    )
    expect(got).tensor((), DOUBLE, text)
    expect(got).true(abs(float(got) - mean) < 7 * deviation, text)


def exact_moments(table: torch.Tensor, x, y) -> tuple[float, float]:
    """Mean and mean square of one row's loss, over all drawn prefixes."""
    V, mean, square = table.shape[1], 0.0, 0.0
    for drawn in itertools.product(range(V), repeat=len(y) - 1):
        weight = math.exp(-sum(score(table, x, drawn, drawn)))
        loss = sum(score(table, x, drawn, y))
        mean, square = mean + weight * loss, square + weight * loss**2
    return mean, square


@exercise("onpolicy_sft_loss")
def test_an_end_of_sequence_inside_the_sample_is_an_ordinary_token(student: Student, draw: Draw):
    """The model writes token 1, and then other tokens; the teacher goes on."""
    V, x = 4, (draw.integer(2, 4),)
    table = draw.normal(*TabularLM(V, 4).table.shape)
    own = (1, draw.integer(2, 4), 1, 0)
    for n in range(4):
        table[row_of((*x, *own[:n]), V), own[n]] += CERTAIN
    y = (0, 0, 0, 1)
    terms = score(table, x, own, y)
    padding = score(table, x, (1, 1, 1, 1), y)
    got = student.onpolicy_sft_loss(
        crossing(table, 4), torch.tensor([x]), torch.tensor([y]), draw.generator()
    )
    expect(got).close(
        scalar(sum(terms)),
        "Drawing goes on after an EOS in the sample, and all tokens of the teacher count.",
        mistakes={
            "You dropped the terms after an EOS in the sample.": scalar(sum(terms[:2])),
            "You padded the sample with EOS: it is drawn on instead.": scalar(sum(padding)),
        },
    )


@exercise("onpolicy_sft_loss")
def test_the_gradient_flows_through_the_logarithm_only(student: Student, draw: Draw):
    """A model that is not certain: the gradient of the logits after the prompt, by value."""
    V, x, T = 3, (0, draw.integer(0, 3)), 3
    table = 0.7 * draw.normal(*TabularLM(V, 4).table.shape)
    y = tuple(draw.integers(0, V, T).tolist())
    answers = torch.tensor([y, y, [y[0], -100, -100]])
    got = student.onpolicy_sft_gradient(
        crossing(table, 4), torch.tensor([x] * 3), answers, draw.generator()
    )
    text = (
        "The gradient flows through -ln pi(y*_t | x, y~_<t) and reaches the parameters; the drawn "
        "tokens are constants (no score term, no relaxation)."
    )
    expect(isinstance(got, dict) and isinstance(got.get("table"), torch.Tensor)).equals(True, text)
    first = table[row_of(x, V)].softmax(0)
    first[y[0]] -= 1
    expect(got["table"][row_of(x, V)]).close(first, text)
    certain = certain_table(draw, 4, 5)
    x = (draw.integer(0, 4), draw.integer(0, 4))
    y, own = contrary(certain, x, 4), walk(certain, x, 3)
    want = torch.zeros_like(certain)
    for t in range(4):
        row = row_of((*x, *own[:t]), 4)
        want[row] = certain[row].softmax(0)
        want[row, y[t]] -= 1
    got = student.onpolicy_sft_gradient(
        crossing(certain, 5), torch.tensor([x]), torch.tensor([y]), draw.generator()
    )
    expect(isinstance(got, dict)).equals(True, text)
    expect(got.get("table")).close(want, text)


@exercise("onpolicy_sft_loss")
def test_chance_comes_from_the_generator(student: Student, draw: Draw):
    """The same generator twice, then others, on a model that is far from certain."""
    table = draw.normal(*TabularLM(4, 5).table.shape)
    batch = (draw.integers(0, 4, 9, 1), draw.integers(0, 4, 9, 5))
    seeds = draw.sample(range(10_000), 5)

    def value(seed: int):
        generator = torch.Generator().manual_seed(seed)
        got = student.onpolicy_sft_loss(crossing(table, 5), *batch, generator)
        return float(expect(got).tensor((), DOUBLE, "Return a 0-d tensor."))

    values = [value(seed) for seed in seeds]
    expect(value(seeds[0])).equals(values[0], "The same generator must give the same loss.")
    expect(len(set(values)) > 1).equals(
        True, "Other generators must give other samples: draw with the generator handed to you."
    )


@exercise("onpolicy_sft_loss")
def test_every_token_of_the_vocabulary_is_drawn_as_often_as_it_should(student: Student, draw: Draw):
    """One drawn token out of 64 under a law with a long tail, very many equal rows."""
    V, count = 64, 30_000
    x, target = draw.integer(0, V), draw.integer(0, V)
    order = draw.shuffled(range(V))
    law, cost = torch.empty(V, dtype=DOUBLE), torch.empty(V, dtype=DOUBLE)
    for group, share, dear in (
        (order[:1], 0.5, 0.2),
        (order[1:60], 0.492, 1.2),
        (order[60:], 0.008, 8.2),
    ):
        law[group], cost[group] = share / len(group), dear
    table = torch.zeros(TabularLM(V, 2).table.shape, dtype=DOUBLE)
    table[row_of((x,), V)] = law.log()
    for drawn in range(V):  # the teacher's second token costs what was drawn before it
        row = torch.full((V,), -math.expm1(-float(cost[drawn])) / (V - 1), dtype=DOUBLE)
        row[target] = math.exp(-float(cost[drawn]))
        table[row_of((x, drawn), V)] = row.log()
    mean = float(law @ cost)
    deviation = math.sqrt(float(law @ (cost - mean) ** 2) / count)
    want = mean - math.log(float(law[target]))
    batch = torch.full((count, 1), x), torch.full((count, 2), target)
    got = student.onpolicy_sft_loss(crossing(table, 2), *batch, draw.generator())
    text = (
        "Draw from softmax(logits) itself: at temperature 1, from the whole vocabulary, no top-k "
        "and no top-p."
    )
    expect(got).tensor((), DOUBLE, text)
    expect(got).true(abs(float(got) - want) < 7 * deviation, text)


@exercise("onpolicy_sft_loss")
def test_every_step_has_its_own_luck(student: Student, draw: Draw):
    """Two fair coins in a row decide what the third token of the teacher costs."""
    count, x = 2000, draw.integer(0, 2)
    table = torch.zeros(TabularLM(2, 3).table.shape, dtype=DOUBLE)
    for a, b in itertools.product(range(2), repeat=2):
        share = math.exp(-1.0 - (a == b))
        table[row_of((x, a, b), 2)] = torch.tensor([share, 1 - share], dtype=DOUBLE).log()
    batch = torch.full((count, 1), x), torch.zeros(count, 3, dtype=torch.long)
    got = student.onpolicy_sft_loss(crossing(table, 3), *batch, draw.generator())
    text = "Every step of every row is drawn anew: do not use the same random number twice."
    expect(got).tensor((), DOUBLE, text)
    expect(got).true(abs(float(got) - 2 * math.log(2) - 1.5) < 7 * 0.5 / math.sqrt(count), text)


@exercise("onpolicy_sft_loss")
def test_long_prompts_and_long_answers_are_read_to_the_end(student: Student, draw: Draw):
    """A nearly certain model of two letters; prompts of six tokens, answers of seven."""
    xs = draw.integers(0, 2, 3, 6)
    xs[:, 0] = torch.tensor([0, 1, draw.integer(0, 2)])
    table = certain_table(draw, 2, 12)
    rows = [
        (x, own := walk(table, x, 7), tuple(1 - v for v in own)) for x in map(tuple, xs.tolist())
    ]
    terms = [score(table, x, own, y) for x, own, y in rows]
    batch = xs, torch.tensor([y for _, _, y in rows])
    expect(student.onpolicy_sft_loss(crossing(table, 12), *batch, draw.generator())).close(
        reductions(terms)[0],
        "Each token is drawn given the whole prompt and all tokens drawn before it, and a term "
        "costs what it costs, however much.",
    )


@exercise("onpolicy_sft_loss")
def test_answers_of_one_token_need_no_drawing(student: Student, draw: Draw):
    """T = 1, prompts of one and of three tokens, the last in float32."""
    for P, dtype in ((1, DOUBLE), (3, torch.float32)):
        table = draw.normal(*TabularLM(5, P).table.shape, dtype=dtype)
        x, y = draw.integers(0, 5, 4, P), draw.integers(0, 5, 4, 1)
        want = sum(nll(table[row_of(tuple(p), 5)], t[0])
                   for p, t in zip(x.tolist(), y.tolist(), strict=True))  # fmt: skip
        got = student.onpolicy_sft_loss(crossing(table, P), x, y, draw.generator())
        expect(got).close(
            scalar(want / 4).to(dtype),
            "With one token nothing is drawn: the plain SFT loss, in the dtype of the logits. The "
            "model never needs more than P + T - 1 tokens.",
        )


# exact_onpolicy_sft_loss


def enumerated(table: torch.Tensor, x, y) -> tuple[float, torch.Tensor]:
    """The loss of one pair and its gradient with constant prefix probabilities."""
    V, total, gradient = table.shape[1], 0.0, torch.zeros_like(table)
    for t, token in enumerate(y):
        for drawn in itertools.product(range(V), repeat=t):
            weight = math.exp(-sum(score(table, x, drawn, drawn)))
            row = row_of((*x, *drawn), V)
            total += weight * nll(table[row], token)
            gradient[row] += weight * table[row].softmax(0)
            gradient[row, token] -= weight
    return total, gradient


@exercise("exact_onpolicy_sft_loss", weight=2)
def test_every_prefix_adds_its_share(student: Student, draw: Draw):
    """Three tokens, three letters, of which the teacher uses two; two pairs."""
    V = 3
    table = draw.normal(*TabularLM(V, 3).table.shape)
    table[:, draw.integer(0, V)] -= 4  # prefixes of low probability count, too
    data = [((draw.integer(0, 2),), tuple(draw.integers(0, 2, 3).tolist())) for _ in range(2)]
    value = sum(enumerated(table, x, y)[0] for x, y in data) / 2

    def mean(of) -> torch.Tensor:
        return scalar(sum(of(x, y) for x, y in data) / len(data))

    def teacher(x, y):
        return sum(score(table, x, y, y))

    def same_weights(x, y):
        return sum(nll(table[row_of((*x, *p), V)], y[t]) / V**t
                   for t in range(3) for p in itertools.product(range(V), repeat=t))  # fmt: skip

    def most_probable(x, y):
        return sum(score(table, x, walk(table, x, 2), y))

    def log_of_mean(x, y):
        total = 0.0
        for t, token in enumerate(y):
            chances = [
                math.exp(-sum(score(table, x, (*p, token), (*p, token))))
                for p in itertools.product(range(V), repeat=t)
            ]
            total -= math.log(sum(chances))
        return total

    expect(student.exact_onpolicy_sft_loss(table, data)).close(
        scalar(value),
        "Term t is the sum over all prefixes of t - 1 tokens of their probability under the model "
        "times -ln pi(y*_t | x, prefix); the mean over the pairs.",
        mistakes={
            "You conditioned on the teacher's prefix: that is SFT.": mean(teacher),
            "You gave all prefixes the same weight: use the model's probabilities.":
                mean(same_weights),
            "You followed the most probable prefix only.": mean(most_probable),
            "You took the logarithm of the mean: it is the mean of the logarithm.":
                mean(log_of_mean),
            "You summed over the pairs: take the mean.": scalar(2 * value),
            "You averaged over the tokens: sum them.": scalar(value / 3),
        },
    )  # fmt: skip


@exercise("exact_onpolicy_sft_loss")
def test_the_prefix_probabilities_are_constants(student: Student, draw: Draw):
    """The gradient in every logit."""
    V = 3
    table = draw.normal(*TabularLM(V, 4).table.shape)
    data = [((1, 0), (2, 0)), ((), (draw.integer(0, V), 1, 2))]
    want = sum(enumerated(table, x, y)[1] for x, y in data) / 2
    leaf = table.clone().requires_grad_()
    (full,) = torch.autograd.grad(with_score_term(leaf, data), leaf)
    got = student.grad("exact_onpolicy_sft_loss", table, data, wrt=(0,))
    expect(got.grads[0]).close(
        want,
        "The gradient flows through the logarithm only, weighted with the probabilities of the "
        "prefixes, which are constants; rows that no pair needs get 0.",
        mistakes={"You differentiated through the probabilities of the prefixes: detach them.":
                  full},
    )  # fmt: skip


def with_score_term(tables: torch.Tensor, data) -> torch.Tensor:
    """The loss with nothing detached (a mistake)."""
    V, logps, total = tables.shape[1], tables.log_softmax(-1), 0.0
    for x, y in data:
        for t, token in enumerate(y):
            for p in itertools.product(range(V), repeat=t):
                path = [logps[row_of((*x, *p[:s]), V), p[s]] for s in range(t)]
                weight = torch.stack(path).sum().exp() if path else 1.0
                total = total - weight * logps[row_of((*x, *p), V), token]
    return total / len(data)


@exercise("exact_onpolicy_sft_loss")
def test_ragged_answers_repetitions_and_empty_prompts(student: Student, draw: Draw):
    """Answers of one to six tokens in two letters; one pair occurs three times."""
    V = 2
    table = draw.normal(*TabularLM(V, 6).table.shape)
    y = tuple(draw.integers(0, V, 6).tolist())
    data = [((), y)] * 3 + [((1,), (0,)), ((0, 1), (1, 1, 0))]
    data = draw.shuffled(data)
    want = sum(enumerated(table, x, each)[0] for x, each in data) / 5
    distinct = sum(enumerated(table, x, each)[0] for x, each in sorted(set(data))) / 3
    tokens = sum(len(each) for _, each in data)
    expect(student.exact_onpolicy_sft_loss(table, data)).close(
        scalar(want),
        "Every pair weighs the same, repeated or not, short or long; the table may have more rows "
        "than needed.",
        mistakes={
            "You dropped repetitions: they count.": scalar(distinct),
            "You divided by the number of tokens: the mean is over the pairs.":
                scalar(5 * want / tokens),
        },
    )  # fmt: skip


@exercise("exact_onpolicy_sft_loss")
def test_impossible_prefixes_cost_nothing(student: Student, draw: Draw):
    """Logits hundreds apart: some probabilities underflow to 0."""
    V = 3
    table = 400 * draw.normal(*TabularLM(V, 3).table.shape).sign() + draw.normal(
        *TabularLM(V, 3).table.shape
    )
    table[:, 0] += 1000
    data = [((2,), (1, 2, 1)), ((), (2, 0))]
    want = sum(enumerated(table, x, y)[0] for x, y in data) / 2
    expect(student.exact_onpolicy_sft_loss(table, data)).close(
        scalar(want),
        "Use log_softmax: the logarithm of a probability that underflowed is -inf, and 0 times "
        "infinity is not a number.",
    )


# onpolicy_sft_optimum


def product_of_marginals(data) -> dict[tuple[int, ...], float]:
    """Every sequence of seen tokens, position by position."""
    result = {(): 1.0}
    for column in zip(*data, strict=True):
        shares = {token: n / len(data) for token, n in Counter(column).items()}
        result = {(*y, v): p * q for y, p in result.items() for v, q in shares.items()}
    return result


@exercise("onpolicy_sft_optimum", weight=2)
def test_the_two_teachers_mix(student: Student, draw: Draw):
    """The default data, then AB and BA with other ids."""
    a, b = draw.sample(range(2, 90), 2)
    for args, (A, B) in (((), (0, 1)), (([(a, b), (b, a)],), (a, b))):
        expect(student.onpolicy_sft_optimum(*args)).close(
            dict.fromkeys(itertools.product((A, B), repeat=2), 0.25),
            "After any prefix the best prediction is the marginal of the position: 1/4 for each of "
            "the four sequences.",
            mistakes={
                "That is the optimum of SFT: on-policy SFT forgets the pairing.":
                    {(A, B): 0.5, (B, A): 0.5}
            },
        )  # fmt: skip


@exercise("onpolicy_sft_optimum", weight=2)
def test_the_optimum_is_the_product_of_the_marginals(student: Student, draw: Draw):
    """Three positions, repeated answers, another law at each position; a tuple of answers."""
    a, b, c = draw.sample(range(60), 3)
    data = [(a, b, a), (a, b, a), (a, c, b), (b, b, c), (a, a, c)]
    data = draw.shuffled(data)
    want = product_of_marginals(data)
    pooled = Counter(itertools.chain(*data))
    unigram = {
        y: math.prod(pooled[v] / 15 for v in y) for y in itertools.product((a, b, c), repeat=3)
    }
    seen = {y: want[y] for y in set(data)}
    expect(student.onpolicy_sft_optimum(tuple(data))).close(
        want,
        "Multiply the frequencies of the tokens position by position, over all sequences of "
        "positive probability.",
        mistakes={
            "That is the optimum of SFT: the frequencies of the data.":
                {y: n / 5 for y, n in Counter(data).items()},
            "You pooled the positions: each has its own marginal.": unigram,
            "You dropped repetitions: they count.": product_of_marginals(sorted(set(data))),
            "Sequences that nobody wrote have positive probability, too.": seen,
        },
    )  # fmt: skip


@exercise("onpolicy_sft_optimum")
def test_one_answer_and_one_token_are_learnt_exactly(student: Student, draw: Draw):
    """A single answer repeated, then answers of one token, then of five, one of them rare."""
    y = tuple(draw.integers(0, 50, 4).tolist())
    expect(student.onpolicy_sft_optimum([y] * 3)).close(
        {y: 1.0}, "If there is one answer only, the marginals are the answer: probability 1."
    )
    data = [(v,) for v in draw.shuffled([4, 4, 4, 9])]
    expect(student.onpolicy_sft_optimum(data)).close(
        {(4,): 0.75, (9,): 0.25}, "With one token the marginal is the data; keys are tuples."
    )
    data = [(0, 1, 1, 0, 2), (0, 2, 1, 0, 1), (0, 1, 1, 0, 1)]
    expect(student.onpolicy_sft_optimum(data)).close(
        product_of_marginals(data),
        "Sequences of every length; those of probability 0 are absent.",
    )
    rare = [(0,) * 5] * 9 + [(1, 1, 1, 1, 1)]
    expect(student.onpolicy_sft_optimum(rare)).close(
        product_of_marginals(rare),
        "Every sequence of positive probability is there, however improbable: no threshold.",
    )

"""Section 3 of 08_sft. The SFT loss, its reductions and its gradient."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import closed_gradient, losses, nll, reductions, scalar

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

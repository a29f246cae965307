"""Section 1 of 08_sft. The pretraining loss: every token is a label."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import closed_gradient, losses, nll, pairs_counted, reductions, scalar

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

"""Section 5 of 01_tokenizer. From logits to the log-probability of a sequence."""

import math
from itertools import product

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import complete_sequences

# token_logps ------------------------------------------------------------------------------


def reference_logps(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Log-probabilities element by element, in float64; 0 where ignored."""
    want = torch.zeros(targets.shape, dtype=torch.float64)
    for index in product(*map(range, targets.shape)):
        target = int(targets[index])
        if target != -100:
            row = logits[index].double().tolist()
            top = max(row)
            want[index] = row[target] - top - math.log(sum(math.exp(x - top) for x in row))
    return want


def one_hot_minus_softmax(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The gradient of each token's log-probability in its own logits; 0 where ignored."""
    grad = torch.zeros_like(logits)
    for b, t in product(*map(range, targets.shape)):
        if targets[b, t] != -100:
            weights = (logits[b, t] - logits[b, t].max()).exp()
            grad[b, t] = -weights / weights.sum()
            grad[b, t, targets[b, t]] += 1
    return grad


@exercise("token_logps", weight=2)
def test_each_target_gets_its_log_softmax(student: Student, draw: Draw):
    """Random logits of several shapes, with as many positions as tokens or as rows."""
    for b, t, v in ((3, 4, 6), (2, 5, 5), (1, 1, 3), (4, 4, 6)):
        logits = 2 * draw.normal(b, t, v)
        targets = draw.integers(0, v, b, t)
        want = reference_logps(logits, targets)
        index = targets.unsqueeze(-1)
        mistakes = {
            "You returned probabilities.": want.exp(),
            "You used base 2; log-probabilities here are natural.": want / math.log(2),
            "The sign is that of a loss; log-probabilities are at most 0.": -want,
            "You returned logits: subtract the logarithm of the sum of exponentials.": (
                logits.gather(-1, index).squeeze(-1)
            ),
        }
        if t > 1:
            mistakes["You normalised over positions; the vocabulary is the last dimension."] = (
                logits.log_softmax(1).gather(-1, index).squeeze(-1)
            )
        expect(student.token_logps(logits, targets)).close(
            want,
            "logits[b, t] predicts targets[b, t], aligned: take log softmax over the last "
            "dimension and pick the target.",
            mistakes=mistakes,
        )


@exercise("token_logps", weight=1)
def test_large_logits_neither_overflow_nor_underflow(student: Student, draw: Draw):
    """Logits moved by a thousand, and a target that is a thousand nats away."""
    logits = draw.normal(2, 3, 4)
    targets = draw.integers(0, 4, 2, 3)
    for shift in (1000.0, -1000.0):
        expect(student.token_logps(logits + shift, targets)).close(
            reference_logps(logits, targets),
            "A constant added to all logits changes nothing: exp() of large logits overflows; use "
            "log_softmax or logsumexp.",
        )
    far = torch.tensor([[[0.0, -1000.0, -2000.0]]], dtype=torch.float64)
    expect(student.token_logps(far, torch.tensor([[1]]))).close(
        torch.tensor([[-1000.0]], dtype=torch.float64),
        "log(softmax(...)) underflows to minus infinity, where log_softmax is finite.",
    )
    farther = -float(draw.integer(20_000, 90_000))
    expect(
        student.token_logps(
            torch.tensor([[[0.0, farther]]], dtype=torch.float64), torch.tensor([[1]])
        )
    ).close(
        torch.tensor([[farther]], dtype=torch.float64),
        "A log-probability has no lower bound: do not clamp it.",
    )


@exercise("token_logps", weight=1)
def test_ignored_targets_give_zero_whatever_their_logits(student: Student, draw: Draw):
    """Ignored positions at both ends of ragged rows, some with logits that are NaN."""
    logits = draw.normal(3, 5, 7)
    targets = draw.integers(0, 7, 3, 5)
    targets[0, :2] = -100
    targets[1, 3:] = -100
    targets[2, 0] = targets[2, 4] = -100
    message = "Where the target is -100 the result is exactly 0, even if the logits are NaN."
    expect(student.token_logps(logits, targets)).close(
        reference_logps(logits, targets),
        message,
        mistakes={
            "You counted ignored positions, with some other id as their target.": (
                reference_logps(logits, targets.clamp(min=0))
            ),
            "You used -100 as an index from the end.": reference_logps(logits, targets % 7),
        },
    )
    broken = logits.clone()
    broken[0, 1] = broken[2, 4] = math.nan
    broken[1, 4] = -math.inf
    expect(student.token_logps(broken, targets)).close(
        reference_logps(logits, targets),
        message + " Select with masked_fill or where; NaN times 0 is NaN.",
    )


@exercise("token_logps", weight=1)
def test_the_gradient_is_one_hot_minus_softmax(student: Student, draw: Draw):
    """The gradient of a weighted sum of log-probabilities, ignored positions included."""
    logits = draw.normal(2, 4, 5)
    targets = draw.integers(0, 5, 2, 4)
    targets[0, 3] = targets[1, 0] = -100
    weight = draw.normal(2, 4)
    got = student.grad("token_logps", logits, targets, wrt=(0,), cotangent=weight)
    expect(got).true(
        got.requires_grad and got.grads[0] is not None,
        "The result is detached from the logits: training needs its gradient.",
    )
    expect(got.grads[0]).close(
        one_hot_minus_softmax(logits, targets) * weight.unsqueeze(-1),
        "The gradient in the logits is the one-hot target minus the softmax, and 0 where ignored.",
    )


@exercise("token_logps", weight=1)
def test_the_dtype_of_the_logits_is_kept(student: Student, draw: Draw):
    """Single precision in, single precision out."""
    logits = draw.normal(2, 3, 4, dtype=torch.float32)
    targets = draw.integers(0, 4, 2, 3)
    targets[1, 2] = -100
    expect(student.token_logps(logits, targets)).close(
        reference_logps(logits, targets).float(),
        "The result is a tensor [B, T] with the dtype of the logits.",
    )


# shift_labels -----------------------------------------------------------------------------


def _rows(rows: list[list[int]]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.long)


@exercise("shift_labels", weight=2)
def test_targets_are_the_next_tokens_of_the_completion(student: Student, draw: Draw):
    """Full rows with prompts of different lengths, and no padding."""
    ids = draw.integers(1, 50, 4, 7)
    lengths = torch.tensor(draw.shuffled([1, 2, 4, 6]))
    position = torch.arange(7)

    def masked(first: torch.Tensor) -> torch.Tensor:
        return torch.where(position >= first.unsqueeze(1), ids, -100)

    want = masked(lengths)[:, 1:]
    got = student.shift_labels(ids, lengths, 0)
    expect(got).tensor(
        (4, 6), torch.long, "Return [B, T - 1], torch.long: one target per row of logits[:, :-1]."
    )
    expect(got).equals(
        want,
        "targets[:, t] is input_ids[:, t + 1], and -100 where that token belongs to the prompt, "
        "that is where t + 1 < prompt_len.",
        mistakes={
            "You did not shift: logits[t] predict token t + 1.": masked(lengths)[:, :-1],
            "You shifted the wrong way or twice.": torch.cat(
                [masked(lengths)[:, 2:], torch.full((4, 1), -100)], dim=1
            ),
            "The first token of the completion must be predicted, too: compare t + 1 with "
            "prompt_len, not t.": masked(lengths + 1)[:, 1:],
            "The last token of the prompt must not be predicted.": masked(lengths - 1)[:, 1:],
            "You did not mask the prompt.": ids[:, 1:],
        },
    )


@exercise("shift_labels", weight=2)
def test_the_first_eos_counts_and_padding_does_not(student: Student, draw: Draw):
    """Ragged rows, padded with the EOS id; one row is cut off and has no EOS."""
    pad = draw.integer(20, 30)
    a, b, c, d, e = draw.integers(1, 20, 5).tolist()
    ids = _rows(
        [
            [a, b, c, d, pad, pad, pad],
            [b, c, d, e, a, b, pad],
            [c, d, pad, pad, pad, pad, pad],
            [d, e, a, b, c, d, e],
        ]
    )
    x = -100
    want = _rows(
        [
            [x, c, d, pad, x, x],
            [x, x, e, a, b, pad],
            [d, pad, x, x, x, x],
            [x, a, b, c, d, e],
        ]
    )
    got = student.shift_labels(ids, torch.tensor([2, 3, 1, 2]), pad)
    padded = ids[:, 1:].clone()
    padded[want == x] = x
    everything = want.clone()
    everything[0, 4:] = pad
    everything[2, 2:] = pad
    expect(got).equals(
        want,
        "After the prompt the first pad_id is the EOS: it is kept, and every later token is -100.",
        mistakes={
            "You masked the EOS: the model would never learn to stop.": want.masked_fill(
                want == pad, x
            ),
            "You kept the padding.": everything,
        },
    )


@exercise("shift_labels", weight=1)
def test_the_pad_id_inside_the_prompt_is_an_ordinary_token(student: Student, draw: Draw):
    """Prompts that begin with the pad id, as a start-of-text token, or hold it elsewhere."""
    pad = draw.integer(20, 30)
    a, b, c, d, e = draw.integers(1, 20, 5).tolist()
    ids = _rows([[pad, a, b, c, pad, pad], [a, pad, pad, b, c, d], [pad, pad, e, pad, pad, pad]])
    x = -100
    expect(student.shift_labels(ids, torch.tensor([2, 3, 2]), pad)).equals(
        _rows([[x, b, c, pad, x], [x, x, b, c, d], [x, e, pad, x, x]]),
        "Look for the EOS behind the prompt only: a pad_id within the prompt ends nothing.",
    )


@exercise("shift_labels", weight=1)
def test_empty_and_one_token_completions(student: Student, draw: Draw):
    """A completion that is only the EOS, one of one token, and prompts that fill the row."""
    pad = draw.integer(20, 30)
    a, b, c = draw.integers(1, 20, 3).tolist()
    ids = _rows(
        [[a, b, pad, pad], [a, b, c, a], [c, b, a, pad], [a, pad, pad, pad], [b, pad, pad, pad]]
    )
    x = -100
    expect(student.shift_labels(ids, torch.tensor([2, 4, 3, 4, 1]), pad)).equals(
        _rows([[x, pad, x], [x, x, x], [x, x, pad], [x, x, x], [pad, x, x]]),
        "An EOS directly after the prompt is the whole completion; a prompt that fills the "
        "row leaves nothing to predict.",
    )
    expect(student.shift_labels(_rows([[a, b]]), torch.tensor([1]), pad)).equals(
        _rows([[b]]), "Two tokens give one target."
    )


# sequence_logp ----------------------------------------------------------------------------


@exercise("sequence_logp", weight=2)
def test_the_probabilities_of_all_sequences_add_up_to_one(student: Student, draw: Draw):
    """Every sequence of a tiny model, EOS-terminated and truncated ones, in one padded batch."""
    for v, t_max in ((3, 3), (4, 2)):
        eos = draw.integer(0, v)
        words = complete_sequences(v, t_max, eos)
        table = {word[:t]: draw.normal(v) for word in words for t in range(len(word))}
        logits = 3 + draw.normal(len(words), t_max, v)
        targets = torch.full((len(words), t_max), -100)
        for row, word in enumerate(words):
            for t, token in enumerate(word):
                logits[row, t] = table[word[:t]]
                targets[row, t] = token
        got = student.sequence_logp(logits, targets)
        expect(got).tensor((len(words),), torch.float64, "Return [B], with the dtype of logits.")
        lengths = (targets != -100).sum(-1)
        logps = reference_logps(logits, targets)
        expect(got).close(
            logps.sum(-1),
            "Add the log-probabilities of all targets that are not -100, EOS included.",
            mistakes={
                "You took the mean over the tokens: log pi(y|x) is a sum.": logps.sum(-1) / lengths,
                "You took the mean over the width of the batch.": logps.mean(-1),
                "You left out the EOS, or the last token.": torch.stack(
                    [logps[row, : n - 1].sum() for row, n in enumerate(lengths.tolist())]
                ),
                "You counted the ignored positions.": reference_logps(
                    logits, targets.clamp(min=0)
                ).sum(-1),
                "The sign is that of a loss.": -logps.sum(-1),
                "You added over the batch instead of over time.": logps.sum(0),
            },
        )
        expect(got.exp().sum()).close(
            torch.tensor(1.0, dtype=torch.float64),
            "The probabilities of all sequences of a model add up to 1.",
        )


@exercise("sequence_logp", weight=1)
def test_ignored_positions_do_not_count(student: Student, draw: Draw):
    """Ignored positions anywhere, NaN logits there, and a row that has no target at all."""
    logits = draw.normal(4, 5, 6)
    targets = draw.integers(0, 6, 4, 5)
    targets[0, :3] = targets[1, 2:] = targets[2, 1] = targets[3] = -100
    want = reference_logps(logits, targets).sum(-1)
    logits[0, 1] = logits[2, 1] = logits[3, 4] = math.nan
    expect(student.sequence_logp(logits, targets)).close(
        want, "Positions with target -100 add exactly 0; a row without any target gives 0."
    )


@exercise("sequence_logp", weight=1)
def test_the_gradient_of_the_sequence(student: Student, draw: Draw):
    """The gradient of a weighted sum over a ragged batch."""
    logits = draw.normal(3, 4, 5)
    targets = draw.integers(0, 5, 3, 4)
    targets[1, 2:] = targets[2, 1:] = -100
    weight = draw.normal(3)
    got = student.grad("sequence_logp", logits, targets, wrt=(0,), cotangent=weight)
    expect(got).true(
        got.requires_grad and got.grads[0] is not None,
        "The result is detached from the logits: training needs its gradient.",
    )
    expect(got.grads[0]).close(
        one_hot_minus_softmax(logits, targets) * weight[:, None, None],
        "At each position that counts, the gradient is the one-hot target minus the softmax, "
        "without division by a length.",
    )


@exercise("sequence_logp", weight=1)
def test_a_long_row_alone_in_its_batch(student: Student, draw: Draw):
    """One row of several hundred tokens, whose probability is too small for a float."""
    logits = draw.normal(1, 900, 5)
    targets = draw.integers(0, 5, 1, 900)
    got = student.sequence_logp(logits, targets)
    expect(got).tensor((1,), torch.float64, "A batch of one row gives a tensor [1], no scalar.")
    expect(got).close(
        reference_logps(logits, targets).sum(-1),
        "Add log-probabilities: the product of many probabilities underflows to 0.",
    )


@exercise("sequence_logp", weight=1)
def test_sequences_keep_the_dtype_of_the_logits(student: Student, draw: Draw):
    """Single precision in, single precision out."""
    logits = draw.normal(3, 4, 5, dtype=torch.float32)
    targets = draw.integers(0, 5, 3, 4)
    targets[1, 2:] = -100
    got = student.sequence_logp(logits, targets)
    expect(got).tensor((3,), torch.float32, "The result keeps the dtype of the logits.")
    expect(got).close(
        reference_logps(logits, targets).sum(-1).float(),
        "The result is the sum over the targets that count, also in single precision.",
    )

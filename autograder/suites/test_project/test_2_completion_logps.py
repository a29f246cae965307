"""Section 2 of the project. Log-probabilities against tables of free logits, row by row."""

import itertools

import torch

from autograder.suite import Draw, Student, exercise, expect, model
from sft2rl.models import TabularLM

from .oracles import DOUBLE, batch_of, doubles, logp_of, ragged_rows, small_llama, table_model

# --- completion_logps ----------------------------------------------------------------------------


@exercise("completion_logps", weight=2)
def test_a_ragged_batch_gives_the_sum_over_each_completion(student: Student, draw: Draw):
    """Prompts and completions of several lengths, padded on the right; free logits."""
    here, crossing = table_model(draw, 5, 7)
    rows = ragged_rows(draw, range(2, 5))
    batch = batch_of(rows)
    want = doubles(*[logp_of(here, p, c) for p, c in rows])
    lengths = doubles(*[len(c) for _, c in rows])
    counted = batch[1].clone()
    counted[:, 0] = 0
    logits = here(batch[0], batch[1]).logits.detach().log_softmax(-1)
    unshifted = logits.gather(-1, batch[0][..., None])[..., 0]
    expect(student.completion_logps(crossing, *batch)).close(
        want,
        "ln pi(y|x) is the sum over the tokens of the completion, its end of sequence included.",
        mistakes={
            "You averaged over the tokens.": want / lengths,
            "The end of sequence is missing from the sum.":
                doubles(*[logp_of(here, p, c[:-1]) for p, c in rows]),
            "You counted the prompt as well.":
                doubles(*[logp_of(here, p[:1], p[1:] + c) for p, c in rows]),
            "There is no shift: logits[:, t] predict token t + 1.":
                (unshifted * batch[2]).sum(1),
            "You returned one number for the whole batch.": want.mean(),
            "You added the rows of the batch.": want.sum(),
            "The sign is wrong: log-probabilities are negative.": -want,
        },
    )  # fmt: skip


@exercise("completion_logps")
def test_the_probabilities_of_all_completions_add_up_to_one(student: Student, draw: Draw):
    """Every completion of one prompt, ended or cut off at three tokens, is listed."""
    _, crossing = table_model(draw, 4, 5, blocked=(0,))
    words, prompt = (2, 3), [int(draw.integer(2, 4))]
    ended = [[*y, 1] for n in range(3) for y in itertools.product(words, repeat=n)]
    cut = [list(y) for y in itertools.product(words, repeat=3)]
    batch = batch_of([(prompt, y) for y in ended + cut])
    got = student.completion_logps(crossing, *batch)
    text = "exp of the log-probabilities of all completions of a prompt must add up to 1."
    logps = expect(got).tensor((len(ended + cut),), DOUBLE, text)
    expect(float(logps.exp().sum())).close(
        1.0, f"{text} Count every token of the completion once, at the position that predicts it."
    )


@exercise("completion_logps", weight=1.5)
def test_padding_on_the_left_changes_nothing(student: Student, draw: Draw):
    """A small Llama; shorter prompts are padded on the left, shorter completions on the right."""
    here, crossing = small_llama(draw, 2)
    rows = [([2, 3, 4], [5, 1]), ([6], [3, 2, 4, 1]), ([4, 2], [6, 6, 1])]
    rows = [(draw.shuffled(p), c) for p, c in rows]
    batch = batch_of(rows, left=[0, 2, 1])
    want = doubles(*[logp_of(here, p, c) for p, c in rows])
    with torch.no_grad():
        logps = here(input_ids=batch[0]).logits[:, :-1].log_softmax(-1)
    picked = logps.gather(-1, batch[0][:, 1:, None])[..., 0]
    expect(student.completion_logps(crossing, *batch)).close(
        want,
        "Hand attention_mask to the model, which stays in the mode it is in (dropout!); each row "
        "counts exactly its completion_mask.",
        mistakes={
            "The model was not told about the padding: pass attention_mask.":
                (picked * batch[2][:, 1:]).sum(1)
        },
        rtol=1e-6,
    )  # fmt: skip


@exercise("completion_logps")
def test_impossible_tokens_that_do_not_count_do_no_harm(student: Student, draw: Draw):
    """The padding token has probability zero everywhere."""
    here, crossing = table_model(draw, 5, 7, blocked=(0,))
    rows = ragged_rows(draw, range(2, 5))
    want = doubles(*[logp_of(here, p, c) for p, c in rows])
    expect(student.completion_logps(crossing, *batch_of(rows, width=8))).close(
        want,
        "Zero times minus infinity is not a number: choose the counted tokens (masked_fill, "
        "where) instead of multiplying by the mask.",
    )


@exercise("completion_logps", weight=1.5)
def test_the_gradient_reaches_the_model(student: Student, draw: Draw):
    """The gradient of the mean log-probability in every logit, by value; padding impossible."""
    here, crossing = table_model(draw, 5, 7, blocked=(0,))
    rows = ragged_rows(draw, range(2, 5))
    total = 0.0
    for prompt, completion in rows:
        for place, token in enumerate(completion):
            prefix = torch.tensor([prompt + completion[:place]])
            total = total + here(prefix).logits[0, -1].log_softmax(-1)[token]
    (want,) = torch.autograd.grad(total / len(rows), here.table)
    got = student.logp_gradient(crossing, *batch_of(rows))
    text = "The result must be differentiable in the parameters: no no_grad, no detach, no .item()."
    expect(isinstance(got, dict) and got.get("table") is not None).true(True, text)
    gradient = got.get("table") if isinstance(got, dict) else None
    expect(gradient).close(want, text)


@exercise("completion_logps", weight=0.5)
def test_padding_is_what_the_mask_says(student: Student, draw: Draw):
    """Token 0 is a word, in prompts and in completions; the padding is another token."""
    here, crossing = table_model(draw, 5, 7)
    a, b = (draw.integer(2, 5) for _ in range(2))
    rows = [([0, a], [b, 0, 1]), ([a], [0, 1]), ([b, a, 0], [1])]
    ids, attention, completion = batch_of(rows, left=[1, 2, 0], width=7)
    ids = ids.masked_fill(attention == 0, draw.integer(2, 5))
    want = doubles(*[logp_of(here, p, c) for p, c in rows])
    expect(student.completion_logps(crossing, ids, attention, completion)).close(
        want, "What is padding the masks say, and not the number of the token: 0 may be a word."
    )


@exercise("completion_logps", weight=0.5)
def test_one_row_and_one_token(student: Student, draw: Draw):
    """A batch of one, and prompts of one token with completions of one."""
    here, crossing = table_model(draw, 5, 7)
    long, *short = [(draw.integers(2, 5, n).tolist(), [c]) for n, c in ((4, 1), (1, 1), (1, 3))]
    for rows in ([long], short):
        expect(student.completion_logps(crossing, *batch_of(rows))).close(
            doubles(*[logp_of(here, p, c) for p, c in rows]),
            "One row is a batch, too, and one token a completion: squeeze one dimension only.",
        )


@exercise("completion_logps", weight=0.5)
def test_an_impossible_completion_is_not_a_likely_one(student: Student, draw: Draw):
    """A token that counts has probability zero."""
    _, crossing = table_model(draw, 5, 7, blocked=(0,))
    words = draw.integers(2, 5, 2).tolist()
    got = student.completion_logps(crossing, *batch_of([([2], [words[0], 0, 1]), ([3], words)]))
    text = "ln 0 is minus infinity: only tokens that are not counted may be passed over."
    logps = expect(got).tensor((2,), DOUBLE, text)
    expect(bool(logps[0] < -1e9)).true(bool(logps[0] < -1e9), text)


@exercise("completion_logps")
def test_certain_tokens_and_empty_completions(student: Student, draw: Draw):
    """Logits hundreds apart in float32, and a row whose completion is empty."""
    here = TabularLM(4, 5)
    table = 200 * draw.normal(*here.table.shape).round()
    table[:, 1] += 500
    here.table.data = table
    crossing = model("sft2rl.models.TabularLM", {"vocab_size": 4, "context": 5},
                     {"table": table.float()})  # fmt: skip
    rows = [([2], [3, 2, 1]), ([3, 2, 2], []), ([2, 3], [1])]
    want = torch.tensor([logp_of(here, p, c) for p, c in rows]).float()
    expect(student.completion_logps(crossing, *batch_of(rows))).close(
        want,
        "Use log_softmax (not the logarithm of softmax), keep the dtype of the logits, and give 0 "
        "for an empty completion.",
    )

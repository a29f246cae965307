"""Visible checks of assignment 08: small numbers made by hand, and properties."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from sft2rl.checks import close, equal, fail, passed, raises, visible_check
from sft2rl.models import TabularLM

LN2 = math.log(2)


@visible_check
def pretrain_loss(fn: Callable) -> None:
    """The letters of the text, a padded batch, and both reductions."""
    logits, ids = _letters()
    close(
        fn(logits, ids, "token_mean"),
        _t(2 * LN2),
        "<bos> c a t with probabilities 1/2, 1/4, 1/8, token_mean",
        mistakes={
            "divide by the number of tokens, not of predictions": _t(1.5 * LN2),
            "sum over the tokens": _t(6 * LN2),
        },
    )
    two, two_ids = logits.repeat(2, 1, 1), ids.repeat(2, 1)
    right = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    for mask in (right, right.bool(), right.double()):
        close(
            fn(two, two_ids, attention_mask=mask),
            _t(3.5 * LN2),
            "two rows, the second of two tokens and padding on the right, sum_then_mean",
            mistakes={
                "count the padding": _t(6 * LN2),
                "divide by the number of terms": _t(7 / 4 * LN2),
                "forget to divide by the number of rows": _t(7 * LN2),
            },
        )
    close(
        fn(two, two_ids, "token_mean", right.flip(1)),
        _t(9 / 4 * LN2),
        "the same with the padding on the left, token_mean",
        mistakes={
            "predict the first real token from padding": _t(11 / 5 * LN2),
            "count the padding": _t(2 * LN2),
        },
    )
    raises(ValueError, fn, logits, ids, "median", what='the reduction "median"')
    _keeps_graph(lambda leaf: fn(leaf, ids), logits)
    passed("pretrain_loss")


@visible_check
def build_sft_example(fn: Callable) -> None:
    """The example of the text, then cut to several lengths."""
    want = {"input_ids": [7, 8, 5, 6, 9, 1], "labels": [-100, -100, 5, 6, 9, 1]}
    equal(
        fn([7, 8], [5, 6, 9], 1, 10),
        want,
        "prompt 7 8, response 5 6 9, EOS 1",
        mistakes={
            "shift the labels (the loss does that)": {
                "input_ids": want["input_ids"],
                "labels": [-100, 5, 6, 9, 1, -100],
            },
            "mask the EOS": {
                "input_ids": want["input_ids"],
                "labels": [-100, -100, 5, 6, 9, -100],
            },
            "make labels of the prompt": {
                "input_ids": want["input_ids"],
                "labels": want["input_ids"],
            },
        },
    )
    equal(
        fn([7, 8], [5, 6, 9], 1, 5),
        {"input_ids": [7, 8, 5, 6, 9], "labels": [-100, -100, 5, 6, 9]},
        "the same, max_len = 5",
        mistakes={
            "keep the EOS at the price of a token": {
                "input_ids": [7, 8, 5, 6, 1],
                "labels": [-100, -100, 5, 6, 1],
            },
            "cut off the beginning of the prompt": {
                "input_ids": [8, 5, 6, 9, 1],
                "labels": [-100, 5, 6, 9, 1],
            },
        },
    )
    equal(
        fn([7, 1, 8], [5], 1, 9),
        {"input_ids": [7, 1, 8, 5, 1], "labels": [-100, -100, -100, 5, 1]},
        "a prompt that contains the EOS id",
    )
    passed("build_sft_example")


@visible_check
def sft_loss(fn: Callable) -> None:
    """The two examples of the text, padded, in both reductions."""
    short, long = torch.tensor([1 / 8, 5 / 8, 1 / 4]), torch.tensor([1 / 2, 1 / 4, 1 / 4])
    logits = torch.stack([short.expand(5, 3), long.expand(5, 3)]).double().log()
    labels = torch.tensor([[-100, -100, 0, -100, -100], [-100, -100, 0, 0, 0]])
    close(
        fn(logits, labels),
        _t(3 * LN2),
        "answers of 1 and 3 tokens with NLL 3 ln 2 each, sum_then_mean",
        mistakes={
            "average over the labels of the batch": _t(1.5 * LN2),
            "average over all positions of the batch": _t(0.6 * LN2),
            "average the means of the examples": _t(2 * LN2),
            "sum over the examples": _t(6 * LN2),
        },
    )
    close(
        fn(logits, labels, "token_mean"),
        _t(1.5 * LN2),
        "the same, token_mean",
        mistakes={
            "average the means of the examples": _t(2 * LN2),
            "divide by all positions of the batch": _t(0.6 * LN2),
            "divide by the number of examples": _t(3 * LN2),
        },
    )
    steps = torch.tensor([[[0.5, 0.5], [0.25, 0.75], [0.125, 0.875]]]).double().log()
    close(
        fn(steps, torch.tensor([[-100, 0, 0]])),
        _t(3 * LN2),
        "probabilities 1/2, 1/4, 1/8 at positions 0, 1, 2; labels at 1 and 2",
        mistakes={
            "do not shift: the logits at t predict token t + 1": _t(5 * LN2),
            "lose the last label": _t(LN2),
        },
    )
    raises(ValueError, fn, logits, labels, "median", what='the reduction "median"')
    _keeps_graph(lambda leaf: fn(leaf, labels), logits)
    passed("sft_loss")


@visible_check
def sft_gradient_is_teacher_forcing(fn: Callable) -> None:
    """The probabilities of the text, once labelled and once not."""
    logits = _t(0.7, 0.2, 0.1).log().expand(2, 3, 3).clone()
    labels = torch.tensor([[-100, 1, -100], [-100, -100, -100]])
    want = torch.zeros(2, 3, 3, dtype=torch.float64)
    want[0, 0] = _t(0.35, -0.4, 0.05)
    got = fn(logits, labels)
    close(
        got,
        want,
        "probabilities (.7, .2, .1), one label (token 1 at position 1) in two rows",
        mistakes={
            "forget the 1 / B of the loss": 2 * want,
            "turn the sign (the loss goes down against its gradient)": -want,
            "put the gradient at the position of the label: the logits before it predict it":
                want.roll(1, 1),
        },
    )  # fmt: skip
    if not got.sum(-1).abs().max() < 1e-12:
        fail("At every position the gradient sums to 0 over the vocabulary; yours does not.")
    passed("sft_gradient_is_teacher_forcing")


@visible_check
def packed_loss(fn: Callable) -> None:
    """The row of the text: four predictions, and a border that costs nothing."""
    ids = torch.tensor([[4, 5, 1, 4, 6, 1, 0]])
    documents = torch.tensor([[0, 0, 0, 1, 1, 1, -1]])
    nll = _t(1.0, 2.0, 100.0, 4.0, 5.0, 1000.0)
    logits = torch.zeros(1, 7, 7, dtype=torch.float64)
    for place, value in enumerate(nll):  # token place + 1 has exactly this NLL
        rest = math.log((1 - math.exp(-value)) / 6)
        logits[0, place] = rest
        logits[0, place, ids[0, place + 1]] = -value
    close(
        fn(logits, ids, documents),
        _t(3.0),
        "NLLs 1, 2 | 4, 5 and 100 at the border",
        mistakes={
            "count the border and the padding": nll.mean(),
            "count the border": _t(112 / 5),
            "count the padding": _t(1012 / 5),
            "divide by all positions": _t(2.0),
            "divide by the number of rows": _t(12.0),
            "average over the documents' sums": _t(6.0),
        },
    )
    close(
        fn(logits, ids, torch.tensor([[7, 7, 7, 3, 3, 3, -1]])),
        _t(3.0),
        "the same with ids 7 and 3: they only tell neighbours apart",
    )
    _keeps_graph(lambda leaf: fn(leaf, ids, documents), logits)
    passed("packed_loss")


@visible_check
def mle_optimum(fn: Callable) -> None:
    """The data of the text."""
    data = [(2, 3, 1), (2, 3, 1), (2, 1), (3, 1)]
    got = fn(data, 4)
    if not isinstance(got, dict) or not all(isinstance(key, tuple) for key in got):
        fail("Return a dict whose keys are prefixes, tuples of ids.")
    equal(
        sorted(got),
        [(), (2,), (2, 3), (3,)],
        "the prefixes of ab. ab. a. b.",
        mistakes={
            "make whole sequences prefixes: nothing follows their EOS": sorted(
                [(), (2,), (2, 3), (3,), (2, 3, 1), (2, 1), (3, 1)]
            ),
            "leave out the start": [(2,), (2, 3), (3,)],
        },
    )
    close(
        got[()],
        _t(0.0, 0.0, 0.75, 0.25),
        "after the start",
        mistakes={"smooth the counts": _t(1 / 8, 1 / 8, 4 / 8, 2 / 8)},
    )
    close(
        got[(2,)],
        _t(0.0, 1 / 3, 0.0, 2 / 3),
        "after a",
        mistakes={
            "return joint probabilities: divide by the count of the prefix": _t(0, 0.25, 0, 0.5),
            "ignore the EOS": _t(0.0, 0.0, 0.0, 1.0),
        },
    )
    passed("mle_optimum")


@visible_check
def onpolicy_sft_loss(fn: Callable) -> None:
    """A model that is nearly certain to say 0, and what the gradient reaches."""
    model = TabularLM(2, 4)
    model.table.data[:, 0] = 40.0  # so y~ is 0 0 ... for all practical purposes
    for prefix_row, value in ((5, 41.0), (6, 43.0)):  # after 1 0 (own), after 1 1 (teacher's)
        model.table.data[prefix_row, 0] = value
    x, y_star = torch.tensor([[1]]), torch.tensor([[1, 1]])
    got = fn(model, x, y_star, torch.Generator().manual_seed(0))
    close(
        got,
        _t(81.0),
        "a model that always says 0; the teacher wrote 1 1",
        mistakes={
            "condition on the teacher's prefix: that is SFT": _t(83.0),
            "average over the tokens": _t(40.5),
            "score the sampled tokens instead of the teacher's": _t(0.0),
            "leave the first token out": _t(41.0),
        },
    )
    if not got.requires_grad:
        fail("The loss has no graph: only the sampling belongs under no_grad.")
    (grad,) = torch.autograd.grad(got, model.table)
    visited = grad.abs().sum(1).nonzero().flatten().tolist()
    equal(visited, [2, 5], "rows of the table that get a gradient: after 1, and after 1 0")
    ragged = torch.tensor([[1, 1], [1, -100]])
    got = fn(model, x.repeat(2, 1), ragged, torch.Generator().manual_seed(0))
    close(
        got,
        _t(60.5),
        "two rows, the second answer of one token",
        mistakes={
            "divide by the number of tokens": _t(121 / 3),
            "sum over the rows": _t(121.0),
        },
    )
    passed("onpolicy_sft_loss")


@visible_check
def exact_onpolicy_sft_loss(fn: Callable) -> None:
    """Two tokens by hand, an uninformed model, and the gradient."""
    rows = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], dtype=torch.float64)
    tables = rows.log().requires_grad_()
    data = [((), (1, 0))]
    got = fn(tables, data)
    first = -math.log(0.1)
    close(
        got,
        _t(first - 0.9 * math.log(0.2) - 0.1 * math.log(0.5)),
        "start (.9, .1), after 0 (.2, .8), after 1 (.5, .5); the teacher wrote 1 0",
        mistakes={
            "condition on the teacher's prefix: that is SFT": _t(first - math.log(0.5)),
            "follow the most probable prefix only": _t(first - math.log(0.2)),
            "weigh all prefixes the same": _t(first - 0.5 * math.log(0.2) - 0.5 * math.log(0.5)),
            "take the logarithm of the mean probability": _t(first - math.log(0.23)),
        },
    )
    if not got.requires_grad:
        fail("The value must be differentiable in the tables: detach the prefix law only.")
    (grad,) = torch.autograd.grad(got, tables)
    close(
        grad[0],
        _t(0.9, -0.9),
        "gradient at the start of the sequence",
        mistakes={
            "differentiate through the probabilities of the prefixes": _t(
                0.9 + 0.09 * (math.log(0.5) - math.log(0.2)),
                -0.9 - 0.09 * (math.log(0.5) - math.log(0.2)),
            )
        },
    )
    flat = torch.zeros(15, 2, dtype=torch.float64)
    close(
        fn(flat, [((1,), (0, 1, 1)), ((0, 1), (1,))]),
        _t(2 * LN2),
        "a fair coin, answers of 3 and 1 tokens: the mean over the pairs",
        mistakes={"sum over the pairs": _t(4 * LN2), "average over the tokens": _t(LN2)},
    )
    passed("exact_onpolicy_sft_loss")


@visible_check
def onpolicy_sft_optimum(fn: Callable) -> None:
    """AB and BA, and an answer that is always the same."""
    got = fn()
    if not isinstance(got, dict):
        fail("Return a dict: sequence -> probability.")
    quarter = {(0, 0): 0.25, (0, 1): 0.25, (1, 0): 0.25, (1, 1): 0.25}
    equal(
        {y: round(float(p), 9) for y, p in got.items()},
        quarter,
        "the data {AB, BA}",
        mistakes={"return the optimum of ordinary SFT": {(0, 1): 0.5, (1, 0): 0.5}},
    )
    got = fn([(2, 0, 1), (2, 0, 1), (2, 3, 1)])
    want = {(2, 0, 1): round(2 / 3, 9), (2, 3, 1): round(1 / 3, 9)}
    got = {y: round(float(p), 9) for y, p in got.items()}
    equal(dict(sorted(got.items())), want, "2 0 1 twice and 2 3 1 once")
    passed("onpolicy_sft_optimum")


def _letters() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [1, 4, 4] of the row <bos> c a t = 0 1 2 3, and its ids."""
    probs = torch.full((1, 4, 4), 1 / 4, dtype=torch.float64)
    for place, (token, p) in enumerate(((1, 1 / 2), (2, 1 / 4), (3, 1 / 8))):
        probs[0, place] = (1 - p) / 3
        probs[0, place, token] = p
    return probs.log(), torch.tensor([[0, 1, 2, 3]])


def _keeps_graph(loss: Callable, logits: torch.Tensor) -> None:
    """Fail if the loss is not differentiable in the logits."""
    if not loss(logits.clone().requires_grad_()).requires_grad:
        fail("The loss must be differentiable in the logits: is there a detach or an item()?")


def _t(*values: float) -> torch.Tensor:
    """A float64 vector, or a 0-d tensor for a single value."""
    return torch.tensor(values if len(values) > 1 else values[0], dtype=torch.float64)

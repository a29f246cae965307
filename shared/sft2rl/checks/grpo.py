"""Visible checks of assignment 12: small numbers made by hand, and properties."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from sft2rl.checks import close, equal, fail, passed, raises, visible_check


@visible_check
def kl_constrained_check(fn: Callable) -> None:
    """The two answers of the text, a batch of two prompts, and the graph."""
    even, sure = _t(0.5, 0.5).log()[None], _t(0.99, 0.01).log()[None]
    forward, backward = 1.614463080360851, 0.637145646205098
    kl, inside = _pair(fn(even, sure, 1.0))
    close(
        kl,
        _t(forward),
        "old (.5, .5), new (.99, .01)",
        mistakes={
            "put the new policy first": _t(backward),
            "return one value per prompt": _t(forward).reshape(1),
        },
    )
    equal(inside, False, "1.61 against delta = 1")
    kl, inside = _pair(fn(torch.cat([even, even]), torch.cat([sure, even]), 1.0))
    close(
        kl,
        _t(forward / 2),
        "two prompts, one of which has not changed",
        mistakes={
            "add up the prompts": _t(forward),
            "average over the answers, too": _t(forward / 4),
        },
    )
    equal(inside, True, "the mean .81 against delta = 1: the constraint is on the mean")
    if not _pair(fn(even, sure.clone().requires_grad_(), 1.0))[0].requires_grad:
        fail("The divergence must keep the graph of the new logits: is there a detach?")
    passed("kl_constrained_check")


@visible_check
def ppo_clip_loss(fn: Callable) -> None:
    """The cells of the table, the slopes, the first step, and padding."""
    r, A = _t(1.5, 0.5, 0.5, 1.5), _t(2.0, 1.0, -1.0, -4.0)
    zeros = torch.zeros(4, dtype=torch.float64)
    close(
        fn(r.log(), zeros, A, 0.2),
        _t(0.975),
        "r = (1.5, .5, .5, 1.5), A = (2, 1, -1, -4): minus the mean of (2.4, .5, -.8, -6)",
        mistakes={
            "maximise: this is a loss": _t(-0.975),
            "take the larger of the two": _t(0.375),
            "use the clipped ratio only": _t(0.6),
            "use no clip at all": _t(0.75),
            "sum instead of averaging": _t(3.9),
        },
    )
    logps = r.log().requires_grad_()
    (grad,) = torch.autograd.grad(fn(logps, zeros, A, 0.2), logps)
    close(
        grad * 4 / r,
        _t(0.0, -1.0, 0.0, 4.0),
        "slope of the four terms in r",
        mistakes={
            "give a bad answer that became likelier no slope": _t(0.0, -1.0, 0.0, 0.0),
            "drop the clip": -A,
        },
    )
    same = _t(-1.0, -2.0).requires_grad_()
    (grad,) = torch.autograd.grad(fn(same, same, _t(1.0, -3.0), 0.2), same)
    close(
        grad,
        _t(-0.5, 1.5),
        "first step, old_logps is logps: the plain policy gradient -A / N",
        mistakes={"let the gradient through old_logps": _t(0.0, 0.0)},
    )
    padded = torch.tensor([[0.0, 1000.0], [0.0, -5.0]], dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[1, 0], [1, 1]])
    old = torch.tensor([[0.0, 0.0], [0.0, -5.0]], dtype=torch.float64)
    A = torch.tensor([[1.0, 1.0], [-2.0, -2.0]], dtype=torch.float64)
    loss = fn(padded, old, A, 0.2, mask)
    close(
        loss,
        _t(1.0),
        "three entries that count, and a padded one with ln r = 1000",
        mistakes={
            "divide by all entries, padding included": _t(0.75),
            "average row by row": _t(0.5),
        },
    )
    (grad,) = torch.autograd.grad(loss, padded)
    if not bool(grad.isfinite().all()):
        fail("The padding makes the gradient nan: mask the log-ratio before you exponentiate.")
    passed("ppo_clip_loss")


@visible_check
def group_advantages(fn: Callable) -> None:
    """The group of the text with both deviations, two prompts, and groups that tie."""
    R = torch.tensor([[1.0, 0.0, 0.0, 1.0]], dtype=torch.float64)
    sign = torch.tensor([[1.0, -1.0, -1.0, 1.0]], dtype=torch.float64)
    for ddof, want in ((0, 1.0), (1, math.sqrt(0.75))):
        other = math.sqrt(0.75) if ddof == 0 else 1.0
        close(
            fn(R, "std", ddof, 0.0),
            want * sign,
            f"rewards (1, 0, 0, 1), ddof = {ddof}",
            mistakes={"use the other deviation": other * sign, "do not divide": sign / 2},
        )
    close(
        fn(R, "std", 0, 0.5),
        sign / 2,
        "eps = .5 is added to the deviation .5",
        mistakes={"add eps inside the root": sign * 0.5 / math.sqrt(0.75)},
    )
    two = torch.tensor([[1.0, 0.0], [5.0, 9.0]], dtype=torch.float64)
    close(
        fn(two, "none"),
        torch.tensor([[0.5, -0.5], [-2.0, 2.0]], dtype=torch.float64),
        'two prompts, scale = "none"',
        mistakes={"subtract the mean of the whole batch": two - two.mean()},
    )
    ties = torch.full((1, 3), 0.1, dtype=torch.float64)
    for eps in (1e-4, 0.0):
        got = fn(ties, "std", 1, eps)
        if not bool((got == 0).all()):
            fail(f"Three rewards of .1, eps = {eps}: expected exactly 0, received {got.tolist()}.")
    if fn(R.clone().requires_grad_()).requires_grad:
        fail("The advantages still carry a graph: they are numbers, detach them.")
    raises(ValueError, fn, two[:, :1], what="one completion is no group")
    raises(ValueError, fn, two, "variance", what="an unknown scale")
    passed("group_advantages")


@visible_check
def grpo_loss(fn: Callable) -> None:
    """The two completions of the text, the penalty, the first step, and padding."""
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    A = _t(1.0, -1.0)
    logps = torch.full((2, 4), -1.0, dtype=torch.float64, requires_grad=True)
    wants = {"grpo": (0.0, 1 / 4, 1 / 8), "bnpo": (1 / 3, 1 / 6, 1 / 6),
             "dr_grpo": (1 / 8, 1 / 16, 1 / 16)}  # fmt: skip
    for norm, (value, right, wrong) in wants.items():
        loss = fn(logps, logps.detach(), None, A, mask, 0.2, 0.0, norm, 8)
        if not isinstance(loss, torch.Tensor) or loss.ndim != 0:
            fail("Return a 0-d tensor: one scalar for the whole batch.")
        if abs(loss.item() - value) > 1e-12:
            fail(f'norm = "{norm}": expected the value {value:.4f}, received {loss.item():.4f}.')
        if not loss.requires_grad:
            fail("The loss has no graph: only old_logps, ref_logps and advantages are constants.")
        (grad,) = torch.autograd.grad(loss, logps)
        close(
            torch.stack([-grad[0, 0], grad[1, 0]]),
            _t(right, wrong),
            f'norm = "{norm}": weight of a token of the right and of the wrong answer',
        )
    ref = torch.full((2, 4), -1.0 - math.log(2.0), dtype=torch.float64)
    k3 = 0.5 - 1 + math.log(2.0)
    close(
        fn(logps.detach(), logps.detach(), ref, A, mask, 0.2, 0.5, "grpo"),
        _t(0.5 * k3),
        "beta = .5, the reference half as likely at every token",
        mistakes={
            "invert the ratio in k3": _t(0.5 * (2 - 1 - math.log(2.0))),
            "subtract the penalty": _t(-0.5 * k3),
            "use k1": _t(0.5 * math.log(2.0)),
        },
    )
    (grad,) = torch.autograd.grad(fn(logps, logps, None, A, mask, 0.2, 0.0, "bnpo"), logps)
    close(grad[0], _t(-1 / 6, -1 / 6, 0.0, 0.0), "first step, old_logps is logps")
    wild = torch.where(mask.bool(), logps.detach(), 800.0).requires_grad_()
    (grad,) = torch.autograd.grad(fn(wild, logps, -wild, A, mask, 0.2, 0.5, "grpo"), wild)
    if not bool(grad.isfinite().all()):
        fail("Padding with ln pi = 800 makes the gradient nan: mask before you exponentiate.")
    empty = torch.tensor([[0, 0, 0, 0], [1, 1, 1, 1]])
    close(
        fn(logps.detach(), logps.detach(), None, A, empty, 0.2, 0.0, "grpo"),
        _t(0.5),
        "an empty completion adds 0 and still counts in B",
    )
    raises(ValueError, fn, logps, logps, None, A, mask, 0.2, 0.0, "mean", what="an unknown norm")
    raises(ValueError, fn, logps, logps, None, A, mask, 0.2, 0.0, "dr_grpo", what="no max_len")
    passed("grpo_loss")


@visible_check
def grpo_bias(fn: Callable) -> None:
    """The numbers of the text for two samples, and right/wrong rewards."""
    p, A = _t(0.2, 0.5, 0.3), _t(3.0, 1.0, -2.0)
    ratio, cosine = _pair(fn(p, A, 2))
    close(
        ratio,
        _t(0.32, 0.2, 0.28),
        "p = (.2, .5, .3), A = (3, 1, -2), G = 2",
        mistakes={
            "claim that the estimate is unbiased": _t(1.0, 1.0, 1.0),
            "divide by the deviation with ddof = 1": _t(0.32, 0.2, 0.28) / math.sqrt(2.0),
            "forget the 1/G": _t(0.64, 0.4, 0.56),
            "leave tuples of equal rewards out of the mean": _t(0.32, 0.2, 0.28) / 0.62,
            "return the mean instead of the ratio": _t(0.16, 0.05, -0.21),
        },
    )
    close(cosine, _t(0.9946433500242821), "the cosine of the angle to the true gradient")
    ratio, cosine = _pair(fn(p, _t(1.0, 0.0, 1.0), 3))
    close(cosine, _t(1.0), "rewards 0 and 1: the mean is parallel to the gradient")
    passed("grpo_bias")


def _t(*values: float) -> torch.Tensor:
    """A float64 vector, or a 0-d tensor for a single value."""
    return torch.tensor(values if len(values) > 1 else values[0], dtype=torch.float64)


def _pair(got: object) -> tuple:
    """The two values of a returned tuple."""
    if not isinstance(got, tuple) or len(got) != 2:
        fail("Return a tuple of two values, see the docstring.")
    return got

"""Visible checks of assignment 07: small numbers made by hand, and properties."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from sft2rl.checks import close, equal, fail, passed, raises, visible_check


@visible_check
def sgd_step(fn: Callable) -> None:
    """The steps of the text, a learning rate that changes, and untouched arguments."""
    p, rates = _t(0.0, 1.0), (0.1, 0.1, 0.01)
    g, state = _t(1.0, -2.0), dict[str, torch.Tensor]()
    for lr, want_v in zip(rates, (1.0, 1.9, 2.71), strict=True):
        before, held = p.clone(), dict(state)
        new, new_state = _two(fn(p, g, state, lr, 0.9))
        if not torch.equal(p, before) or state != held:
            fail("Your step changed its arguments: return new tensors and a new dictionary.")
        _keys(new_state, {"v"})
        close(
            new_state["v"],
            want_v * g,
            f"v with momentum .9, after gradients {g.tolist()} (sum {want_v})",
            mistakes={"average with 1 - momentum": 0.1 * want_v * g},
        )
        close(
            new,
            before - lr * want_v * g,
            f"p after a step with lr = {lr}",
            mistakes={"add the step": before + lr * want_v * g,
                      "use Nesterov's look-ahead": before - lr * (g + 0.9 * want_v * g)},
        )  # fmt: skip
        p, state = new, new_state
    plain, kept = _two(fn(p, g, {}, 0.5))
    close(plain, p - 0.5 * g, "no momentum: plain gradient descent")
    _keys(kept, {"v"})
    passed("sgd_step")


@visible_check
def adam_step(fn: Callable) -> None:
    """The three steps of the text, a tiny gradient, and untouched arguments."""
    p, state = _t(0.0).reshape(1), dict[str, torch.Tensor]()
    table = ((2.0, 0.2, 0.004, 1.0), (2.0, 0.38, 0.007996, 1.0), (-1.0, 0.242, 0.008988004, None))
    for t, (g, m, v, ratio) in enumerate(table, start=1):
        gradient, held = _t(g).reshape(1), dict(state)
        new, new_state = _two(fn(p, gradient, state, 0.5))
        if state != held:
            fail("Your step changed the state it was given: return a new dictionary.")
        _keys(new_state, {"m", "v", "t"})
        equal(new_state["t"], t, f"t after step {t}")
        close(new_state["m"], _t(m).reshape(1), f"m after step {t}")
        close(
            new_state["v"],
            _t(v).reshape(1),
            f"v after step {t}",
            mistakes={"square m instead of g": _t(0.001 * m * m).reshape(1)},
        )
        if ratio is None:
            ratio = m / (1 - 0.9**t) / math.sqrt(v / (1 - 0.999**t))
        raw = m / math.sqrt(v)
        close(
            new,
            p - 0.5 * ratio,
            f"p after step {t}, lr = .5",
            mistakes={"forget the bias correction": p - 0.5 * raw, "add the step": p + 0.5 * ratio},
            rtol=1e-6,
        )
        p, state = new, new_state
    tiny, _ = _two(fn(_t(0.0).reshape(1), _t(1e-6).reshape(1), {}, 1.0))
    close(
        tiny,
        _t(-1e-6 / (1e-6 + 1e-8)).reshape(1),
        "first step for g = 1e-6, lr = 1",
        mistakes={"put epsilon under the root": _t(-1e-6 / math.sqrt(1e-12 + 1e-8)).reshape(1)},
    )
    passed("adam_step")


@visible_check
def adam_step_slide(fn: Callable) -> None:
    """A tiny gradient, where the place of epsilon is everything, and a second step."""
    g = _t(1e-6, 1.0)
    new, state = _two(fn(torch.zeros(2, dtype=torch.float64), g, {}, 1.0))
    first = -g / (g**2 + 1e-8).sqrt()
    close(
        new,
        first,
        "first step for g = 1e-6 and 1, lr = 1",
        mistakes={"put epsilon outside the root": -g / (g + 1e-8)},
    )
    _keys(state, {"m", "v", "t"})
    equal(state["t"], 1, "t after the first step")
    second, state = _two(fn(new, g, state, 1.0))
    close(second, 2 * first, "a second step with the same gradient")
    passed("adam_step_slide")


@visible_check
def newton_schulz5(fn: Callable) -> None:
    """Known singular values in a tall and a wide matrix, a matrix of zeros, a vector."""
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    sigma = _t(0.8, 0.2)
    values = sigma / sigma.norm()
    for _ in range(5):
        values = 3.4445 * values - 4.7750 * values**3 + 2.0315 * values**5
    wide = torch.cat([torch.diag(sigma), torch.zeros(2, 3, dtype=torch.float64)], 1)
    want = torch.cat([turn @ torch.diag(values), torch.zeros(2, 3, dtype=torch.float64)], 1)
    for name, G, result in (("wide", turn @ wide, want), ("tall", (turn @ wide).T, want.T)):
        _near(fn(G), result, f"a {name} matrix with singular values .8 and .2")
    start = (turn @ wide) / sigma.norm()
    _near(fn(turn @ wide, 0), start, "no round: the matrix divided by its Frobenius norm")
    _near(fn(1000 * turn @ wide), want, "the same matrix times 1000")
    zeros = fn(torch.zeros(3, 2))
    if not isinstance(zeros, torch.Tensor) or not bool((zeros == 0).all()):
        fail("A matrix of zeros gives zeros, not nan: clamp the norm from below at 1e-7.")
    raises(ValueError, fn, torch.ones(4), what="a vector is not a matrix")
    passed("newton_schulz5")


@visible_check
def muon_step(fn: Callable) -> None:
    """Two steps of a tall and a wide matrix against torch.optim.Muon, and untouched arguments."""
    for shape in ((6, 3), (3, 5)):
        luck = torch.Generator().manual_seed(0)
        W = torch.randn(shape, generator=luck)
        theirs = torch.nn.Parameter(W.clone())
        optimizer = torch.optim.Muon([theirs], lr=0.1, adjust_lr_fn="match_rms_adamw")
        mine, buf = W.clone(), None
        for step in (1, 2):
            g = torch.randn(shape, generator=luck)
            theirs.grad, held = g.clone(), mine.clone()
            optimizer.step()
            new, buf = _two(fn(mine, g, buf, 0.1))
            if not torch.equal(mine, held):
                fail("Your step changed the weight it was given: return a new tensor.")
            moved, want = new - held, theirs.detach() - held
            error = float((moved - want).norm() / want.norm())
            if not error < 0.12:
                fail(
                    f"Step {step} of a matrix {shape}: torch's step has the length "
                    f"{float(want.norm()):.3f}, yours {float(moved.norm()):.3f}, and they differ "
                    f"by {error:.0%}. Look at the scale .2 sqrt(max(A, B)), at Nesterov and "
                    "at the decay."
                )
            mine = theirs.detach().clone()
    passed("muon_step")


def _t(*values: float) -> torch.Tensor:
    """A float64 vector, or a 0-d tensor for a single value."""
    return torch.tensor(values if len(values) > 1 else values[0], dtype=torch.float64)


def _two(got: object) -> tuple:
    """The parameter and the state."""
    if not isinstance(got, tuple) or len(got) != 2:
        fail("Return a tuple of two values, the new parameter and the new state.")
    return got


def _keys(state: object, names: set[str]) -> None:
    """Fail unless the state is a dictionary with these keys."""
    if not isinstance(state, dict) or set(state) != names:
        fail(f"The new state is a dictionary with the keys {sorted(names)}, see the docstring.")


def _near(got: object, want: torch.Tensor, what: str) -> None:
    """Compare up to the precision of bfloat16."""
    if not isinstance(got, torch.Tensor) or got.shape != want.shape or got.dtype != want.dtype:
        fail(f"{what}: expected a tensor {tuple(want.shape)} of dtype {want.dtype}.")
    error = float((got - want).norm() / want.norm())
    if not error < 0.12:
        fail(f"{what}: relative difference {error:.0%}\n  expected {want}\n  received {got}")

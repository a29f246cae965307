"""What several sections share: vectors, returned pairs, and the clipped objective by cases."""

import torch

from autograder.suite import Gradient, expect

DOUBLE = torch.float64


def vector(*values: float) -> torch.Tensor:
    """A float64 vector."""
    return torch.tensor(values, dtype=DOUBLE)


def pair(got, message: str):
    """A returned tuple of two."""
    expect(got).true(isinstance(got, tuple) and len(got) == 2, message)
    return got


def constant(got: Gradient, position: int, message: str):
    """Fail if a gradient reaches the argument at `position`."""
    grad = got.grads[position]
    expect(grad).true(grad is None or not bool(grad.any()), message)


def cell(r: float, A: float, eps: float) -> tuple[float, float]:
    """Objective of one entry and its derivative in r, by cases."""
    if A > 0 and r > 1 + eps:
        return (1 + eps) * A, 0.0
    if A < 0 and r < 1 - eps:
        return (1 - eps) * A, 0.0
    return r * A, A


def cells(r: torch.Tensor, A: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Objectives and their derivatives in ln r, entry by entry."""
    pairs = [cell(float(a), float(b), eps) for a, b in zip(r.flatten(), A.flatten(), strict=True)]
    value, slope = (torch.tensor(each, dtype=DOUBLE).view(r.shape) for each in zip(*pairs))  # noqa: B905
    return value, slope * r

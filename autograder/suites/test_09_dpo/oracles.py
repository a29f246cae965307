"""What several sections share: logistic terms, tilted policies, and preferences to learn from."""

import math

import torch

from autograder.suite import Draw

F64 = torch.float64
NO_GRADIENT = "No gradient reaches one of the arguments. Look for detach, .item() or numpy."


def scalar(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=F64)


def sigma(z: torch.Tensor) -> torch.Tensor:
    """The logistic function, by the hyperbolic tangent."""
    return (1 + torch.tanh(z / 2)) / 2


def nll(gaps: torch.Tensor) -> torch.Tensor:
    """-ln sigma(gap) = ln(1 + e^-gap) for gaps of any size."""
    return torch.logaddexp(torch.zeros_like(gaps), -gaps)


def weights(ref: torch.Tensor, rewards: torch.Tensor, beta: float) -> torch.Tensor:
    """ref * e^(R / beta), one exponential at a time (moderate R / beta only)."""
    flat = zip(ref.flatten().tolist(), rewards.flatten().tolist(), strict=True)
    return torch.tensor([p * math.exp(r / beta) for p, r in flat], dtype=F64).reshape(ref.shape)


def optimum(ref: torch.Tensor, rewards: torch.Tensor, beta: float) -> torch.Tensor:
    each = weights(ref, rewards, beta)
    return each / each.sum(-1, keepdim=True)


def pairs_of_logps(draw: Draw, n: int) -> tuple[torch.Tensor, ...]:
    """Four [n] log-probabilities of long completions, whose gaps have both signs."""
    chosen, rejected = -draw.uniform(5, 60, n), -draw.uniform(5, 60, n)
    ref_chosen, ref_rejected = chosen + draw.normal(n), rejected + draw.normal(n)
    gap = draw.uniform(0.5, 4, n) * torch.tensor([1.0, -1.0] * n, dtype=F64)[:n]
    return chosen, chosen - ref_chosen - gap + ref_rejected, ref_chosen, ref_rejected


def gap_of(pairs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    chosen, rejected, ref_chosen, ref_rejected = pairs
    return (chosen - ref_chosen) - (rejected - ref_rejected)


def preferences(draw: Draw, n: int) -> torch.Tensor:
    """[n, n] label probabilities that no rewards explain; P + P.T = 1."""
    upper = draw.uniform(0.05, 0.95, n, n).triu(1)
    return upper + (1 - upper.T).tril(-1) + 0.5 * torch.eye(n, dtype=F64)

"""What several sections share: router scores, their winners and their gates."""

import torch

from autograder.suite import Draw, expect

DOUBLE = torch.float64


def near(got, want, message, mistakes=None) -> None:
    """Close up to single precision: float32 counts and weights are nobody's mistake."""
    expect(got).close(want, message, mistakes, rtol=1e-5)


def scores(draw: Draw, T: int, E: int, shift: float = 0.0) -> torch.Tensor:
    """Router scores whose ranks in a row differ by at least 0.2."""
    rows = [draw.shuffled([0.4 * e for e in range(E)]) for _ in range(T)]
    spaced = torch.tensor(rows, dtype=DOUBLE) - 0.2 * E
    return spaced + draw.uniform(-0.1, 0.1, T, E) + shift


def winners(s: torch.Tensor, k: int) -> torch.Tensor:
    """[T, E], True at the k largest of each row, by sorting plain lists."""
    mask = torch.zeros_like(s, dtype=torch.bool)
    for t, row in enumerate(s.tolist()):
        for e in sorted(range(len(row)), key=row.__getitem__)[-k:]:
            mask[t, e] = True
    return mask


def gates(s: torch.Tensor, k: int) -> torch.Tensor:
    """The softmax over all, masked and renormalised."""
    p = s.softmax(-1) * winners(s.detach(), k)
    return p / p.sum(-1, keepdim=True)

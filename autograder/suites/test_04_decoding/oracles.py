"""What several sections share: vectors of float64."""

import torch

DOUBLE = torch.float64


def doubles(*values: float) -> torch.Tensor:
    """A float64 vector."""
    return torch.tensor(values, dtype=DOUBLE)

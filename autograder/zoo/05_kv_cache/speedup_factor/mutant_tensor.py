"""Returns a tensor.

message: float or a Fraction
"""


def speedup_factor(T, kind):
    if kind == "scores_full":
        return torch.tensor((2 * T + 1) / 3)
    if kind == "scores_causal":
        return torch.tensor((T + 2) / 3)
    if kind == "projections":
        return torch.tensor((T + 1) / 2)
    raise ValueError(kind)

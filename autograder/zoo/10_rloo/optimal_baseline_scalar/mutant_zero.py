"""No baseline.

message: No baseline
"""


def optimal_baseline_scalar(probs, A, g):
    return torch.zeros((), dtype=torch.float64)

"""Weighs the coordinates' optima by their spread: right, but 0 / 0 for a still parameter.

message: nan
"""


def optimal_baseline_vector(probs, A, G):
    spread = (probs[:, None] * G**2).sum(0)
    each = (probs[:, None] * A[:, None] * G**2).sum(0) / spread
    return (spread * each).sum() / spread.sum()

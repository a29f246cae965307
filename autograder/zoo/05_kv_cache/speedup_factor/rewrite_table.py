"""Numpy floats from a table of slope and offset."""


def speedup_factor(T, kind):
    table = {"scores_full": (2, 1, 3), "scores_causal": (1, 2, 3), "projections": (1, 1, 2)}
    if kind not in table:
        raise ValueError(kind)
    slope, offset, divisor = table[kind]
    return np.float64(slope * T + offset) / divisor

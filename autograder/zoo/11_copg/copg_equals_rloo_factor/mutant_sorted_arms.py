"""Sorts the two arms first, so that the advantage has the wrong sign if y > y2.

message: sign
"""
def copg_equals_rloo_factor(theta, y, y2, R, ref, beta):
    low, high = min(y, y2), max(y, y2)
    r = R - beta * (theta.log_softmax(0) - ref)
    g = torch.zeros_like(theta)
    g[y] += r[low] - r[high]
    g[y2] -= r[low] - r[high]
    return g, g / 2, 2.0

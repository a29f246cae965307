"""The vertex through three variances."""


def optimal_baseline_scalar(probs, A, g):
    def variance(b):
        x = (A - b) * g
        return (probs * x**2).sum() - (probs * x).sum() ** 2

    left, middle, right = variance(-1.0), variance(0.0), variance(1.0)
    return (left - right) / (2 * (left - 2 * middle + right))

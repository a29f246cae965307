"""What several sections share: a bandit, its scores, and means over all tuples."""

import itertools

import torch

from autograder.suite import Draw

DOUBLE = torch.float64


def softmax_scores(probs: torch.Tensor) -> torch.Tensor:
    """Row y is the score e_y - pi of a softmax policy."""
    return torch.eye(len(probs), dtype=DOUBLE) - probs


def mean_over_tuples(probs, K, value):
    """Sum of probability times value(tuple) over all ordered K-tuples."""
    total = 0.0
    for y in itertools.product(range(len(probs)), repeat=K):
        total = total + probs[list(y)].prod() * value(y)
    return total


def bandit(draw: Draw, V: int):
    """A softmax policy, distinct rewards of both signs and a reference that is not the policy."""
    theta = torch.tensor(draw.shuffled([0.8, -0.6, 0.3, -1.1, 1.2][:V]), dtype=DOUBLE)
    R = torch.tensor(draw.shuffled([2.0, -1.5, 0.7, 3.1, -0.4][:V]), dtype=DOUBLE)
    ref = torch.tensor(draw.shuffled([0.7, 0.1, 0.4, 1.0, 0.2][:V]), dtype=DOUBLE)
    theta, R = theta + draw.uniform(-0.1, 0.1, V), R + draw.uniform(-0.1, 0.1, V)
    return theta, R, ref / ref.sum(), float(draw.uniform(0.3, 0.8))


def less_others(r: torch.Tensor) -> torch.Tensor:
    """r minus the mean of the others, by a matrix of weights."""
    K = r.shape[1]
    weights = torch.full((K, K), -1 / (K - 1), dtype=DOUBLE).fill_diagonal_(1.0)
    return r @ weights

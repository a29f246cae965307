"""Section 8 of 10_rloo. The best constant baseline, one number and one per coordinate."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, softmax_scores

# optimal_baseline_scalar


def lowest_point(variance) -> torch.Tensor:
    """Where a parabola has its minimum, from three of its values."""
    left, middle, right = variance(-1.0), variance(0.0), variance(1.0)
    return (left - right) / (2 * (left - 2 * middle + right))


def trace_variance(probs, A, G, b):
    """Trace of the covariance of (A - b) g."""
    x = (A - b)[:, None] * G
    return (probs[:, None] * x**2).sum() - ((probs[:, None] * x).sum(0) ** 2).sum()


def scalar_case(draw: Draw):
    """Outcomes whose large scores go with large rewards, so that no two recipes agree."""
    probs = torch.tensor([0.15, 0.35, 0.3, 0.2], dtype=DOUBLE)
    A = torch.tensor([4.0, 1.0, -2.0, 0.5], dtype=DOUBLE) + draw.uniform(-0.2, 0.2, 4)
    g = torch.tensor([2.0, -0.9, 0.3, 0.0], dtype=DOUBLE) + draw.uniform(-0.1, 0.1, 4)
    g[3] = -(probs[:3] @ g[:3]) / probs[3]
    order = torch.tensor(draw.shuffled(range(4)))
    return probs[order], A[order], g[order]


@exercise("optimal_baseline_scalar", weight=3)
def test_it_is_the_bottom_of_the_parabola(student: Student, draw: Draw):
    """The variance at three baselines fixes the parabola; the answer is its vertex."""
    probs, A, g = scalar_case(draw)
    want = lowest_point(lambda b: trace_variance(probs, A, g[:, None], b))
    mean, square = probs @ A, probs @ g**2
    covariance = probs @ ((A - mean) * g)
    expect(student.optimal_baseline_scalar(probs, A, g)).close(
        want,
        "Set the derivative of E[(A - b)^2 g^2] with respect to b to zero: the answer weighs "
        "each reward with p(y) g(y)^2.",
        mistakes={
            "That is the slide's formula: the covariance must be with the square of g.":
                covariance / square + mean,
            "That is E[A]: optimal only if A and g squared are uncorrelated.": mean,
            "That is E[A g] / E[g^2]: A is weighted with g squared, not with g.":
                (probs @ (A * g)) / square,
            "You weighted with the absolute value of g: square it.":
                (probs @ (A * g.abs())) / (probs @ g.abs()),
            "You forgot to divide by E[g^2].": probs @ (A * g**2),
            "You left out the probabilities: these are expectations.": (A * g**2).sum()
                / (g**2).sum(),
            "You forgot to add E[A] to the covariance term.": (probs @ (A * g**2)) / square - mean,
            "No baseline (zero) is not the best one.": torch.zeros((), dtype=DOUBLE),
        },
        scale=float(want.abs()),
    )  # fmt: skip


@exercise("optimal_baseline_scalar")
def test_an_outcome_without_score_has_no_say(student: Student, draw: Draw):
    """An outcome whose score is zero; its reward must not matter."""
    probs = torch.tensor([0.2, 0.5, 0.3], dtype=DOUBLE)
    g = torch.tensor([1.0, -0.4, 0.0], dtype=DOUBLE) * draw.uniform(0.8, 1.2)
    A = torch.tensor([2.0, -1.0, 5.0], dtype=DOUBLE) + draw.uniform(-0.3, 0.3, 3)
    want = (5 * A[0] + 2 * A[1]) / 7
    for reward in (5.0, -50.0):
        A[2] = reward
        expect(student.optimal_baseline_scalar(probs, A, g)).close(
            want, "An outcome with score 0 adds no variance: its reward must not matter."
        )


@exercise("optimal_baseline_scalar")
def test_a_constant_added_to_the_rewards_moves_it_by_that_constant(student: Student, draw: Draw):
    """Rewards that are all equal, then rewards far from zero."""
    probs, A, g = scalar_case(draw)
    level = float(draw.uniform(2, 5))
    expect(student.optimal_baseline_scalar(probs, torch.full((4,), level, dtype=DOUBLE), g)).close(
        torch.tensor(level, dtype=DOUBLE),
        "With equal rewards the baseline is that reward: nothing is left to vary.",
    )
    want = lowest_point(lambda b: trace_variance(probs, A, g[:, None], b)) - 150.0
    expect(student.optimal_baseline_scalar(probs, A - 150.0, g)).close(
        want,
        "A constant added to all rewards is added to the best baseline, whatever its sign.",
        rtol=1e-8,
    )


@exercise("optimal_baseline_scalar")
def test_the_size_of_the_scores_does_not_matter(student: Student, draw: Draw):
    """Equally likely outcomes with scores of ordinary size, then the same scores shrunk."""
    probs = torch.full((4,), 0.25, dtype=DOUBLE)
    A = torch.tensor([4.0, 1.0, -2.0, 0.5], dtype=DOUBLE) + draw.uniform(-0.2, 0.2, 4)
    g = torch.tensor([1.2, -0.4, -0.9, 0.1], dtype=DOUBLE)
    for size in (1.0, 1e-4):
        expect(student.optimal_baseline_scalar(probs, A, size * g)).close(
            (A * g**2).sum() / (g**2).sum(),
            "The weights are p(y) g(y)^2 over their sum, also for equally likely outcomes and for "
            "small scores: no epsilon and no clamp in the denominator.",
            mistakes={"That is E[A], although the outcomes are equally likely.": A.mean()},
        )


# optimal_baseline_vector


def vector_case(draw: Draw, P: int):
    """Centred scores [4, P] of very different length, the longest with the largest reward."""
    probs = torch.tensor([0.15, 0.35, 0.3, 0.2], dtype=DOUBLE)
    A = torch.tensor([4.0, 1.0, -2.0, 0.5], dtype=DOUBLE) + draw.uniform(-0.2, 0.2, 4)
    lengths = torch.tensor([[2.5], [0.5], [0.2], [0.8]], dtype=DOUBLE)
    signs = torch.tensor([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0], [1.0, 1.0, -1.0], [-1.0, 1.0, 1.0]])
    G = signs[:, :P].double() * lengths * draw.uniform(0.7, 1.3, 4, P)
    G = G * torch.tensor([1.0, 0.4, 0.1], dtype=DOUBLE)[:P]
    G = G - probs @ G
    order = torch.tensor(draw.shuffled(range(4)))
    return probs[order], A[order], G[order]


@exercise("optimal_baseline_vector", weight=2)
def test_it_minimises_the_trace_of_the_covariance(student: Student, draw: Draw):
    """Three parameters on different scales, against the vertex of the parabola."""
    probs, A, G = vector_case(draw, 3)
    want = lowest_point(lambda b: trace_variance(probs, A, G, b))
    square, length = (G**2).sum(1), G.norm(dim=1)
    each = (probs[:, None] * A[:, None] * G**2).sum(0) / (probs[:, None] * G**2).sum(0)
    total = G.sum(1) ** 2
    expect(student.optimal_baseline_vector(probs, A, G)).close(
        want,
        "One baseline for all coordinates: the rewards are weighted with p(y) times the squared "
        "length of the score.",
        mistakes={
            "You averaged the optimal baselines of the coordinates: weigh them by their spread.":
                each.mean(),
            "You returned one baseline per coordinate: a single number was asked for.": each,
            "That is E[A]: optimal only if A and the squared length are uncorrelated.": probs @ A,
            "You weighted with the length of the score: square it.":
                (probs @ (A * length)) / (probs @ length),
            "You squared the sum of the coordinates: sum their squares.":
                (probs @ (A * total)) / (probs @ total),
            "You left out the probabilities: these are expectations.": (A * square).sum()
                / square.sum(),
            "You forgot to divide by the mean squared length.": probs @ (A * square),
            "You summed the optimal baselines of the coordinates.": each.sum(),
            "You used the first coordinate only.": each[0],
        },
    )  # fmt: skip


@exercise("optimal_baseline_vector")
def test_a_parameter_that_nothing_moves_is_harmless(student: Student, draw: Draw):
    """Two parameters and one column of zeros."""
    probs, A, G = vector_case(draw, 2)
    want = lowest_point(lambda b: trace_variance(probs, A, G, b))
    padded = torch.cat([G, torch.zeros(4, 1, dtype=DOUBLE)], dim=1)
    expect(student.optimal_baseline_vector(probs, A, padded)).close(
        want, "A parameter whose score is always 0 must not change the answer, nor make it nan."
    )


@exercise("optimal_baseline_vector")
def test_as_many_parameters_as_outcomes(student: Student, draw: Draw):
    """The scores of a softmax policy, a square matrix, then the same scores magnified."""
    probs = torch.tensor(draw.shuffled([0.1, 0.4, 0.2, 0.3]), dtype=DOUBLE)
    A = torch.tensor(draw.shuffled([3.0, -1.0, 0.5, 1.5]), dtype=DOUBLE)
    G = softmax_scores(probs)
    want = lowest_point(lambda b: trace_variance(probs, A, G, b))
    columns = probs * (G**2).sum(0)
    for size in (1.0, 50.0):
        expect(student.optimal_baseline_vector(probs, A, size * G)).close(
            want,
            "The squared length of g(y) is a sum over the entries of row y, and the size of all "
            "scores together does not matter: no clamp.",
            mistakes={
                "You summed over the outcomes instead of the coordinates: row y is g(y).":
                    (columns @ A) / columns.sum(),
            },
        )  # fmt: skip


@exercise("optimal_baseline_vector")
def test_many_small_scores_and_rewards_far_from_zero(student: Student, draw: Draw):
    """Forty parameters with tiny scores; rewards around 30."""
    probs, A, G = draw.probs(5), 30 + draw.normal(5), 1e-6 * draw.normal(5, 40)
    G = G * torch.tensor([1.0, 2.0, 0.5, 1.5, 3.0], dtype=DOUBLE)[:, None]
    G = G - probs @ G
    length = G.square().sum(1)
    expect(student.optimal_baseline_vector(probs, A, G)).close(
        (probs * A * length).sum() / (probs * length).sum(),
        "All parameters count, whatever the size of scores and rewards: no epsilon, no clamp.",
        rtol=1e-8,
    )

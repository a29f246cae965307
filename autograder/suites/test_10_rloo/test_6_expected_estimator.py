"""Section 6 of 10_rloo. What an estimator gives on average, all samples listed."""

import itertools

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, mean_over_tuples, softmax_scores

# expected_estimator


@exercise("expected_estimator", weight=2)
def test_ordered_tuples_are_weighted_with_their_probability(student: Student, draw: Draw):
    """An estimator that tells first from second, over three and four outcomes."""
    for V, K in ((3, 2), (4, 3)):
        probs = torch.tensor(draw.shuffled([0.1, 0.4, 0.2, 0.3][:V]), dtype=DOUBLE)
        probs, A = probs / probs.sum(), draw.normal(V) + torch.arange(V, dtype=DOUBLE)

        def first_over_second(rewards, scores):
            return rewards[0] * rewards[1] ** 2 + rewards.sum() * 0.5

        def value(y, A=A):
            return first_over_second(A[list(y)], None)

        tuples = list(itertools.product(range(V), repeat=K))
        chances = [probs[list(y)].prod() for y in tuples]
        subsets = {kind: torch.stack([c * value(y) for c, y in zip(chances, tuples, strict=True)
                                      if rule(y)]).sum()
                   for kind, rule in (("rising", lambda y: list(y) == sorted(y)),
                                      ("different", lambda y: len(set(y)) == len(y)))}  # fmt: skip
        values = torch.stack([value(y) for y in tuples])
        expect(student.expected_estimator(probs, A, K, first_over_second)).close(
            mean_over_tuples(probs, K, value),
            "Sum over all V**K ordered tuples of the product of probabilities times the estimate, "
            "for the K that is asked for.",
            mistakes={
                "You listed combinations: (a, b) and (b, a) are two tuples.": subsets["rising"],
                "You left out tuples with repeats: samples are drawn with replacement.":
                    subsets["different"],
                "You gave every tuple the same weight: use the product of probabilities.":
                    values.mean(),
                "You left out the weights: multiply with the product of probabilities.":
                    values.sum(),
            },
        )  # fmt: skip


@exercise("expected_estimator")
def test_the_estimator_receives_rewards_and_scores(student: Student, draw: Draw):
    """The first sample's reward times its score: the mean is the exact gradient."""
    probs, A = draw.probs(4), draw.normal(4) + torch.arange(4, dtype=DOUBLE)
    shapes = []

    def first(rewards, scores):
        shapes.append((tuple(rewards.shape), tuple(scores.shape)))
        return rewards[0] * scores[0]

    got = student.expected_estimator(probs, A, 2, first)
    expect(got).true(
        bool(shapes) and all(each == ((2,), (2, 4)) for each in shapes),
        "The estimator must be called with rewards [K] and scores [K, V].",
    )
    expect(got).close(
        probs * (A - probs @ A),
        "Row i of scores is the one-hot vector of y_i minus probs; rewards[i] is A[y_i].",
        mistakes={
            "The scores lack - probs: a softmax policy's score is e_y - pi.": probs * A,
        },
    )
    A[1] = A[0]
    expect(student.expected_estimator(probs, A, 2, first)).close(
        probs * (A - probs @ A),
        "Outcomes with equal rewards are different outcomes: their scores differ.",
    )


@exercise("expected_estimator")
def test_any_shape_and_any_number_of_samples(student: Student, draw: Draw):
    """A matrix from one sample, and a number from four."""
    probs, A = draw.probs(3), draw.normal(3)
    G = softmax_scores(probs)
    got = student.expected_estimator(probs, A, 1, lambda rewards, scores: scores.T @ scores)
    expect(got).close(
        (G.T * probs) @ G, "With K = 1 the mean of an outer product is a matrix: keep its shape."
    )
    got = student.expected_estimator(probs, A, 4, lambda rewards, scores: rewards.sum() ** 2)
    mean = probs @ A
    expect(got).close(
        4 * (probs @ A**2 - mean**2) + 16 * mean**2,
        "Every K must work: the second moment of a sum of four rewards is not right.",
    )


@exercise("expected_estimator")
def test_rare_tuples_and_six_samples(student: Student, draw: Draw):
    """Two outcomes, one of them rare with a huge reward; a vector of length one."""
    rare = float(draw.uniform(1e-4, 2e-4))
    probs = torch.tensor([rare, 1 - rare], dtype=DOUBLE)
    A = torch.tensor([5.0 / rare, 1.5], dtype=DOUBLE)
    got = student.expected_estimator(probs, A, 6, lambda rewards, scores: rewards.prod()[None])
    expect(got).close(
        ((probs @ A) ** 6)[None],
        "Sum over all tuples, the improbable ones too, for every K, in the estimator's shape: here "
        "the mean of a product of six rewards, [1].",
        rtol=1e-8,
    )

"""Section 5 of 12_grpo. The bias, enumerated."""

import itertools
import math

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, pair, vector


def multisets(probs: torch.Tensor, A: torch.Tensor, G: int, ddof: int = 0) -> dict:
    """Mean of the estimate over multisets of outcomes with multinomial weights, and variants."""
    V = len(probs)
    p = [float(x) for x in probs]
    mean, kept = torch.zeros(V, dtype=DOUBLE), 0.0
    scores = torch.eye(V, dtype=DOUBLE) - probs
    for y in itertools.combinations_with_replacement(range(V), G):
        counts = [y.count(k) for k in range(V)]
        weight = math.factorial(G)
        for k in range(V):
            weight *= p[k] ** counts[k] / math.factorial(counts[k])
        rewards = A[list(y)]
        if bool((rewards == rewards[0]).all()):
            continue
        kept += weight
        advantages = (rewards - rewards.mean()) / rewards.std(correction=ddof)
        mean = mean + weight * (advantages @ scores[list(y)]) / G
    true = (probs * A) @ scores
    return {"mean": mean, "true": true, "kept": kept}


def world(draw: Draw, V: int):
    """Probabilities and distinct rewards, none of them near the mean."""
    while True:
        probs = torch.tensor(draw.shuffled([0.9, 1.6, 0.6, 2.0, 1.2][:V]), dtype=DOUBLE)
        A = torch.tensor(draw.shuffled([3.0, 1.1, -2.0, 0.2, -0.8][:V]), dtype=DOUBLE)
        probs, A = probs + draw.uniform(0, 0.2, V), A + draw.uniform(-0.2, 0.2, V)
        probs = probs / probs.sum()
        if float((A - probs @ A).abs().min()) > 0.15:
            return probs, A


def bias(student: Student, probs: torch.Tensor, A: torch.Tensor, G: int):
    """The student's (ratio, cosine)."""
    return pair(student.grpo_bias(probs, A, G), "Return the tuple (ratio, cosine).")


@exercise("grpo_bias", weight=2)
def test_ratio_of_the_mean_to_the_gradient(student: Student, draw: Draw):
    """Three outcomes, groups of two and of three, against a sum over multisets."""
    probs, A = world(draw, 3)
    for G in (2, 3):
        exact, bessel = multisets(probs, A, G), multisets(probs, A, G, ddof=1)
        want = exact["mean"] / exact["true"]
        expect(bias(student, probs, A, G)[0]).close(
            want,
            "ratio is E[g_hat] / grad J by coordinates, with ddof = 0, eps = 0, the mean over all "
            "V**G ordered tuples and 1/G in the estimate.",
            mistakes={
                "You divided by the deviation with ddof = 1.": bessel["mean"] / exact["true"],
                "You left the tuples of equal rewards out of the mean: they contribute 0, but "
                "their probability is not redistributed.": want / exact["kept"],
                "You forgot the 1/G.": want * G,
                "You claim that the estimate is unbiased.": torch.ones(3, dtype=DOUBLE),
                "The ratio is inverted.": 1 / want,
                "You returned the mean, not the ratio.": exact["mean"],
                "You returned the bias, not the ratio.": exact["mean"] - exact["true"],
                "You did not divide by the deviation.":
                    torch.full((3,), (G - 1) / G, dtype=DOUBLE),
            },
        )  # fmt: skip


@exercise("grpo_bias")
def test_cosine_of_the_angle(student: Student, draw: Draw):
    """Two to five outcomes, groups of two to seven: the cosine."""
    for V, G in ((3, 2), (4, 3), (5, 2), (2, 7)):
        probs, A = world(draw, V)
        exact = multisets(probs, A, G)
        mean, true = exact["mean"], exact["true"]
        ratio, cosine = bias(student, probs, A, G)
        expect(cosine).close(
            torch.nn.functional.cosine_similarity(mean, true, dim=0),
            "cosine is the inner product of E[g_hat] and grad J divided by both lengths, 0-d.",
        )
        expect(ratio).close(
            mean / true, "Any number of outcomes and any group: sum over all V**G tuples."
        )


@exercise("grpo_bias")
def test_right_and_wrong_only_change_the_length(student: Student, draw: Draw):
    """Rewards 0 and 1 on five outcomes, against the binomial closed form."""
    probs = draw.probs(5)
    right = torch.tensor(draw.shuffled([1.0, 1.0, 0.0, 0.0, 0.0]), dtype=DOUBLE)
    P = float(probs @ right)
    for G in (2, 3, 4):
        shares = [(math.comb(G, k) * P**k * (1 - P) ** (G - k), k / G) for k in range(G + 1)]
        factor = sum(weight * math.sqrt(q * (1 - q)) for weight, q in shares) / (P * (1 - P))
        ratio, cosine = bias(student, probs, right, G)
        expect(ratio).close(
            torch.full((5,), factor, dtype=DOUBLE),
            "For rewards 0 and 1 all coordinates have the same ratio: tuples whose rewards are "
            "equal contribute exactly 0.",
        )
        expect(cosine).close(
            torch.tensor(1.0, dtype=DOUBLE), "For rewards 0 and 1 the mean is parallel."
        )


@exercise("grpo_bias")
def test_equal_rewards_that_round_badly(student: Student, draw: Draw):
    """Rewards of .1 and .7, whose group means are rounded; groups of three."""
    probs = draw.probs(3)
    A = vector(*draw.shuffled([0.1, 0.1, 0.7]))
    exact = multisets(probs, A, 3)
    expect(bias(student, probs, A, 3)[0]).close(
        exact["mean"] / exact["true"],
        "A tuple of equal rewards contributes exactly 0, also where their mean is rounded.",
    )


@exercise("grpo_bias")
def test_level_and_scale_of_the_rewards(student: Student, draw: Draw):
    """Rewards scaled by a constant: the mean stays, the gradient grows."""
    probs, A = world(draw, 3)
    exact = multisets(probs, A, 2)
    factor, shift = float(draw.uniform(30, 60)), float(draw.uniform(1, 2))
    expect(bias(student, probs, factor * A + shift, 2)[0]).close(
        exact["mean"] / exact["true"] / factor,
        "The mean estimate does not depend on level and scale of the rewards; the gradient grows "
        "with the scale.",
    )

"""Section 1 of 09_dpo. Bradley-Terry: from votes to rewards."""

import math

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, NO_GRADIENT, sigma

# --- bt_probability -----------------------------------------------------------------------------


@exercise("bt_probability")
def test_probability_is_the_share_of_the_exponentials(student: Student, draw: Draw):
    """A batch of moderate rewards."""
    r_w, r_l = draw.uniform(0.5, 3, 6), draw.uniform(0.5, 3, 6)
    want = torch.tensor(
        [math.exp(a) / (math.exp(a) + math.exp(b)) for a, b in zip(r_w, r_l, strict=True)],
        dtype=F64,
    )
    expect(student.bt_probability(r_w, r_l)).close(
        want,
        "P(w > l) = e^r_w / (e^r_w + e^r_l) = sigma(r_w - r_l).",
        mistakes={
            "This is the probability that the other completion wins.": 1 - want,
            "This is Thurstone's law (the normal distribution), not Bradley-Terry.": (
                torch.special.ndtr(r_w - r_l)
            ),
            "Rewards are logarithms of strengths, not strengths.": r_w / (r_w + r_l),
            "This is the logarithm of the probability.": want.log(),
        },
    )


@exercise("bt_probability")
def test_rewards_in_the_thousands_are_harmless(student: Student, draw: Draw):
    """Large rewards of both signs, close together and far apart."""
    gap = draw.uniform(0.3, 2, 3)
    base = torch.tensor([1500.0, -1500.0, 4000.0], dtype=F64)
    r_w = torch.cat([base + gap, torch.tensor([0.0, 900.0], dtype=F64)])
    r_l = torch.cat([base, torch.tensor([1200.0, -900.0], dtype=F64)])
    want = torch.cat([sigma(gap), torch.tensor([0.0, 1.0], dtype=F64)])
    expect(student.bt_probability(r_w, r_l)).close(
        want,
        "Exponentials of large rewards overflow or underflow: use sigma of the difference.",
    )


@exercise("bt_probability")
def test_single_precision_stays_single(student: Student, draw: Draw):
    """Rewards in single precision."""
    r_w, r_l = draw.normal(5, dtype=torch.float32), draw.normal(5, dtype=torch.float32)
    expect(student.bt_probability(r_w, r_l)).close(
        sigma(r_w - r_l), "The result has the dtype of the rewards."
    )


@exercise("bt_probability")
def test_shapes_broadcast(student: Student, draw: Draw):
    """A column of rewards against a row gives a table."""
    column, row = draw.normal(3, 1), draw.normal(1, 4)
    expect(student.bt_probability(column, row)).close(
        sigma(column - row), "Any shapes that broadcast are allowed: return the whole table."
    )


@exercise("bt_probability")
def test_probability_is_differentiable(student: Student, draw: Draw):
    """The gradient in both rewards, compared by value."""
    r_w, r_l, cotangent = draw.normal(5), draw.normal(5), draw.normal(5)
    got = student.grad("bt_probability", r_w, r_l, wrt=(0, 1), cotangent=cotangent)
    p = sigma(r_w - r_l)
    want = cotangent * p * (1 - p)
    expect([got.grads[0], got.grads[1]]).close([want, -want], NO_GRADIENT)

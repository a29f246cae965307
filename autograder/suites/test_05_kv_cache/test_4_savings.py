"""Section 4 of 05_kv_cache. What the cache saves."""

import math
from fractions import Fraction

import numpy as np

from autograder.suite import CheckFailed, Draw, Student, exercise, expect

from .oracles import whole

# --- attention_score_count ----------------------------------------------------------------


def enumerated(T: int, use_cache: bool, causal: bool) -> int:
    """Every (step, query, key) that is computed, one by one."""
    entries = 0
    for t in range(T):
        for i in range(t + 1):
            for j in range(t + 1):
                entries += (i == t or not use_cache) and (j <= i or not causal)
    return entries


INT = "Return an exact whole number, an int: divide with //, and nothing passes through a float."


@exercise("attention_score_count")
def test_full_squares_without_a_cache(student: Student, draw: Draw):
    """No cache, full squares, short texts."""
    for T in [1, *draw.sample(range(5, 25), 3)]:
        got = whole(student.attention_score_count(T, False), INT)
        expect(got).equals(
            enumerated(T, False, False),
            "Step t computes t x t scores; add up t = 1, ..., T.",
            mistakes={
                "That is one step, the last.": T * T,
                "That is the causal half.": enumerated(T, False, True),
                "Your sum stops one step early.": enumerated(T - 1, False, False),
                "That includes the projections.": enumerated(T, False, False) + T * (T + 1) // 2,
            },
        )


@exercise("attention_score_count")
def test_causal_halves_without_a_cache(student: Student, draw: Draw):
    """No cache, only key <= query."""
    for T in [1, *draw.sample(range(5, 25), 3)]:
        full = enumerated(T, False, False)
        got = whole(student.attention_score_count(T, False, True), INT)
        expect(got).equals(
            enumerated(T, False, True),
            "With causal_only step t computes 1 + 2 + ... + t scores, the diagonal included.",
            mistakes={
                "causal_only makes no difference in your count.": full,
                "That is half of the full squares: the diagonal is in the causal half.": full // 2,
                "A query also sees its own key: the diagonal counts.": enumerated(
                    T - 1, False, True
                ),
                "That is the last step only.": T * (T + 1) // 2,
            },
        )


@exercise("attention_score_count")
def test_one_row_per_step_with_the_cache(student: Student, draw: Draw):
    """With cache, both values of causal_only."""
    for T in [1, *draw.sample(range(5, 25), 3)]:
        for causal in (False, True):
            got = whole(student.attention_score_count(T, True, causal_only=causal), INT)
            expect(got).equals(
                enumerated(T, True, causal),
                "With the cache step t computes one row of t scores (itself included), whether "
                "or not causal_only is set.",
                mistakes={
                    "You count one score per step.": T,
                    "The new token also attends to itself: t scores, not t - 1.": T * (T - 1) // 2,
                    "That is a full square.": T * T,
                },
            )


@exercise("attention_score_count")
def test_hundreds_of_thousands_of_steps_are_exact(student: Student, draw: Draw):
    """A long text: every digit counts."""
    T = 4 * draw.integer(100_000, 125_000) + 1  # odd totals above 2**53: no float holds them
    squares = T * (T + 1) * (2 * T + 1) // 6
    pairs = T * (T + 1) // 2
    got = [
        student.attention_score_count(T, False),
        student.attention_score_count(T, False, True),
        student.attention_score_count(T, True),
    ]
    got = [whole(each, INT) for each in got]
    expect(got).equals([squares, (squares + pairs) // 2, pairs], "Every digit counts. " + INT)


# --- speedup_factor -----------------------------------------------------------------------


def number(value) -> float:
    """A float or Fraction as a float."""
    kinds = int | float | Fraction | np.number
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise CheckFailed("Return a float or a Fraction.")
    return float(value)


def ratio(T: int, without, cached) -> float:
    """Sum over the steps without the cache by the sum with it."""
    steps = range(1, T + 1)
    return sum(map(without, steps)) / sum(map(cached, steps))


LAST_STEP = "That is the gain of the last step (the slide's L); earlier steps gain less."
INVERSE = "Divide the cost without the cache by the cost with it, not the other way round."
ROUNDED = "The factor is not a whole number: do not round."


def sizes(draw: Draw) -> list[int]:
    """Lengths for which none of the three factors is whole."""
    return draw.sample(range(8, 200, 6), 3)


@exercise("speedup_factor")
def test_factor_of_full_squares(student: Student, draw: Draw):
    """kind="scores_full", recounted."""
    for T in sizes(draw):
        want = ratio(T, lambda t: t * t, lambda t: t)
        expect(number(student.speedup_factor(T, "scores_full"))).close(
            want,
            "Full squares: the sum of t * t divided by the sum of t, t = 1, ..., T.",
            mistakes={
                LAST_STEP: float(T),
                INVERSE: 1 / want,
                ROUNDED: float(math.floor(want)),
                "2T/3 is only the limit for long texts.": 2 * T / 3,
                "That is the mean of the gains of the steps; divide the totals.": (T + 1) / 2,
                "That is the factor of the causal halves.": (T + 2) / 3,
            },
        )


@exercise("speedup_factor")
def test_factor_of_causal_halves(student: Student, draw: Draw):
    """kind="scores_causal", recounted."""
    for T in sizes(draw):
        want = ratio(T, lambda t: t * (t + 1) / 2, lambda t: t)
        expect(number(student.speedup_factor(T, "scores_causal"))).close(
            want,
            "Causal halves: the sum of 1 + ... + t divided by the sum of t, t = 1, ..., T.",
            mistakes={
                LAST_STEP: float(T),
                INVERSE: 1 / want,
                ROUNDED: float(math.floor(want)),
                "T/3 is only the limit for long texts.": T / 3,
                "The causal half has t(t+1)/2 entries, more than half of the square.": (2 * T + 1)
                / 6,
                "The cached row has no future in it: do not halve it.": (2 * T + 1) / 3,
            },
        )


@exercise("speedup_factor")
def test_factor_of_projections(student: Student, draw: Draw):
    """kind="projections", recounted."""
    for T in sizes(draw):
        want = ratio(T, lambda t: t, lambda t: 1)
        expect(number(student.speedup_factor(T, "projections"))).close(
            want,
            "Projections: step t sends t tokens through the layers without the cache, 1 with it.",
            mistakes={
                LAST_STEP: float(T),
                INVERSE: 1 / want,
                "T/2 is only the limit for long texts (or rounded down).": T / 2,
                "Projections are counted per token, not per score.": (2 * T + 1) / 3,
            },
        )


@exercise("speedup_factor")
def test_one_step_gains_nothing(student: Student, draw: Draw):
    """T=1, all kinds."""
    for kind in ("scores_full", "scores_causal", "projections"):
        expect(number(student.speedup_factor(1, kind))).close(
            1.0, "A single step has nothing to reuse: at T = 1 the factor is exactly 1."
        )


@exercise("speedup_factor")
def test_unknown_kinds_are_refused(student: Student, draw: Draw):
    """A kind that is not in the list."""
    for kind in ("training", "scores", "", "scores_full_causal", "projection"):
        raised = student.raised("speedup_factor", draw.integer(5, 50), kind)
        expect(raised).equals("ValueError", "An unknown kind raises ValueError.")

"""Section 5 of 09_dpo. The policy is a reward, up to a constant."""

import math

import torch

from autograder.suite import CheckFailed, Draw, Student, exercise, expect
from sft2rl import formulas

from .oracles import F64, NO_GRADIENT, optimum, scalar

# --- implicit_reward ----------------------------------------------------------------------------


@exercise("implicit_reward", weight=2)
def test_reward_is_beta_times_the_log_ratio(student: Student, draw: Draw):
    """A table of log-probabilities, beta not 1."""
    logp, ref = -draw.uniform(5, 40, 2, 3), -draw.uniform(5, 40, 2, 3)
    beta = draw.choice([0.05, 0.3, 2.0])
    h = logp - ref
    expect(student.implicit_reward(logp, ref, beta)).close(
        beta * h,
        "The implicit reward is beta * (ln pi - ln pi_ref).",
        mistakes={
            "The sign is wrong: policy minus reference.": -beta * h,
            "The factor beta is missing.": h,
            "Multiply by beta, do not divide.": h / beta,
            "beta multiplies the whole log-ratio, reference included.": beta * logp - ref,
            "The reference is missing.": beta * logp,
            "The inputs are log-probabilities already: no logarithm of their ratio.": (
                beta * (logp / ref).log()
            ),
        },
    )


@exercise("implicit_reward")
def test_long_completions_do_not_underflow(student: Student, draw: Draw):
    """Log-probabilities of completions with thousands of tokens."""
    ref = -draw.uniform(100_000, 500_000, 4)
    h = draw.uniform(60_000, 90_000, 4) * torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=F64)
    expect(student.implicit_reward(ref + h, ref, 20.0)).close(
        20.0 * h,
        "Implicit rewards of any size count in full, without a clamp. exp of such "
        "log-probabilities is 0: subtract logarithms, do not divide probabilities.",
    )


@exercise("implicit_reward")
def test_implicit_reward_is_differentiable(student: Student, draw: Draw):
    """The gradient in the policy's log-probabilities, by value."""
    logp, ref, cotangent = -draw.uniform(5, 40, 4), -draw.uniform(5, 40, 4), draw.normal(4)
    got = student.grad("implicit_reward", logp, ref, 0.3, wrt=(0,), cotangent=cotangent)
    expect(got.grads[0]).close(0.3 * cotangent, NO_GRADIENT)


# --- optimal_log_odds ---------------------------------------------------------------------------


def value_of(tree, point: dict[str, float]) -> float:
    """The value of the student's formula; no value is a failed test with a fixed text."""
    try:
        return formulas.evaluate(tree, point)
    except formulas.FormulaError:
        raise CheckFailed(
            "The formula has no value: return a nested list in the allowed heads and in the names "
            "ref_w, ref_l, reward_w, reward_l, beta (there is no Z), with at most 100 parts."
        ) from None


def random_point(draw: Draw) -> dict[str, float]:
    """References that differ, rewards that differ, beta not 1."""
    ref_l = float(draw.uniform(0.05, 0.2, 1)[0])
    reward_l = float(draw.uniform(-1, 1, 1)[0])
    return {
        "ref_w": ref_l * float(draw.uniform(1.5, 4, 1)[0]),
        "ref_l": ref_l,
        "reward_w": reward_l + float(draw.uniform(0.5, 2, 1)[0]),
        "reward_l": reward_l,
        "beta": draw.choice([0.3, 0.6, 2.5]),
    }


@exercise("optimal_log_odds")
def test_equal_rewards_leave_the_reference(student: Student, draw: Draw):
    """The formula where both rewards are equal."""
    point = random_point(draw)
    point["reward_w"] = point["reward_l"]
    ratio = point["ref_w"] / point["ref_l"]
    expect(value_of(student.optimal_log_odds(), point)).close(
        math.log(ratio),
        "With equal rewards the log-odds are those of the reference, ln(ref_w / ref_l).",
        scale=1.0,
        mistakes={
            "These are odds: take the logarithm.": ratio,
            "You swapped the two completions.": -math.log(ratio),
            "The reference is missing.": 0.0,
            "The references are probabilities: take their logarithms.": (
                point["ref_w"] - point["ref_l"]
            ),
            "beta multiplies rewards only, not the reference.": point["beta"] * math.log(ratio),
        },
    )


@exercise("optimal_log_odds")
def test_equal_references_leave_the_rewards(student: Student, draw: Draw):
    """The formula where both references are equal."""
    point = random_point(draw)
    point["ref_w"] = point["ref_l"]
    gap, beta = point["reward_w"] - point["reward_l"], point["beta"]
    expect(value_of(student.optimal_log_odds(), point)).close(
        gap / beta,
        "With equal references the log-odds are (reward_w - reward_l) / beta.",
        mistakes={
            "These are odds: take the logarithm.": math.exp(gap / beta),
            "You swapped the two completions.": -gap / beta,
            "Divide the rewards by beta, do not multiply.": gap * beta,
            "beta is missing.": gap,
        },
    )


@exercise("optimal_log_odds")
def test_log_odds_at_random_points(student: Student, draw: Draw):
    """The formula at five points where everything differs, against an enumerated policy."""
    tree = student.optimal_log_odds()
    for _ in range(5):
        point = random_point(draw)
        others = draw.uniform(-1, 1, 2)
        rest = (1 - point["ref_w"] - point["ref_l"]) / 2
        ref = torch.tensor([point["ref_w"], point["ref_l"], rest, rest], dtype=F64)
        r = torch.cat([scalar(point["reward_w"])[None], scalar(point["reward_l"])[None], others])
        policy = optimum(ref, r, point["beta"])
        expect(value_of(tree, point)).close(
            math.log(policy[0] / policy[1]),
            "The log-odds are ln(ref_w / ref_l) plus the difference of rewards over beta.",
        )

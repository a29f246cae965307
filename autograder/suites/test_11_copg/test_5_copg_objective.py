"""Section 5 of 11_copg. CoPG's objective on pairs of samples."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, four_terms, objective_mistakes, pairs, tensor

# --- copg_objective ------------------------------------------------------------------------------

OBJECTIVE = (
    "l = (R_{beta/2}(y) - R_{beta/2}(y')) h(y) + (R_{beta/2}(y') - R_{beta/2}(y)) h(y'), one "
    "number per pair."
)


@exercise("copg_objective", weight=2)
def test_the_objective_is_equation_7(student: Student, draw: Draw):
    """Five pairs, four different log-probabilities each, beta not 0.5."""
    data = pairs(draw)
    expect(student.copg_objective(*data)).close(
        four_terms(*data), OBJECTIVE, objective_mistakes(*data)
    )


@exercise("copg_objective")
def test_a_single_pair_and_a_large_beta(student: Student, draw: Draw):
    """One pair only, beta above 1, a negative and a positive reward."""
    logp, logp2, ref, ref2, _, _, _ = pairs(draw, 1)
    data = (logp, logp2, ref, ref2, tensor(-1.5), tensor(0.75), 2.5)
    expect(student.copg_objective(*data)).close(
        four_terms(*data), OBJECTIVE, objective_mistakes(*data)
    )


@exercise("copg_objective")
def test_only_the_difference_of_the_rewards_counts(student: Student, draw: Draw):
    """A constant per prompt, added to both rewards of a pair."""
    logp, logp2, ref, ref2, rewards, rewards2, beta = pairs(draw)
    shift = draw.uniform(-20.0, 20.0, 5)
    expect(
        student.copg_objective(logp, logp2, ref, ref2, rewards + shift, rewards2 + shift, beta)
    ).close(
        four_terms(logp, logp2, ref, ref2, rewards, rewards2, beta),
        "Adding a constant to both rewards of a pair must change nothing: each h is multiplied "
        "by a difference of rewards.",
        rtol=1e-8,
    )


@exercise("copg_objective")
def test_large_gaps_and_equal_rewards(student: Student, draw: Draw):
    """Log-ratios of tens of nats, rewards of tens, and a pair of equal rewards."""
    logp, logp2, ref, ref2 = (-draw.uniform(1.0, 4.0, 4) for _ in range(4))
    logp, ref2 = logp - tensor(0, 50, 0, 0), ref2 - tensor(0, 0, 50, 0)
    rewards, rewards2 = draw.normal(4) + tensor(40, 0, 0, 1), draw.normal(4)
    rewards2[3] = rewards[3]
    data = (logp, logp2, ref, ref2, rewards, rewards2, 0.35)
    expect(student.copg_objective(*data)).close(
        four_terms(*data),
        "The formula holds for every pair: clip neither rewards nor log-ratios, and keep pairs "
        "of equal rewards (the KL term remains).",
    )


@exercise("copg_objective", weight=2)
def test_the_gradient_has_beta_not_half_of_it(student: Student, draw: Draw):
    """Gradients in both log-probabilities: R_beta(y) - R_beta(y') and its opposite."""
    logp, logp2, ref, ref2, rewards, rewards2, beta = pairs(draw)
    ones = torch.ones(5, dtype=F64)
    got = student.grad(
        "copg_objective", logp, logp2, ref, ref2, rewards, rewards2, beta,
        wrt=(0, 1), cotangent=ones,
    )  # fmt: skip
    message = (
        "The gradient in ln pi(y) is R_beta(y) - R_beta(y'), and the opposite in ln pi(y'): "
        "beta/2 in the objective, beta in the gradient, because nothing is detached."
    )
    expect(got).true(got.grads[0] is not None and got.grads[1] is not None, message)
    gap, rise = rewards - rewards2, (logp - ref) - (logp2 - ref2)
    slope = gap - beta * rise
    for position, sign in ((0, 1), (1, -1)):
        expect(got.grads[position]).close(
            sign * slope,
            message,
            mistakes={
                "R_{beta/2} is detached.": sign * (gap - beta / 2 * rise),
                "The log-ratios outside are detached.": -sign * beta / 2 * rise,
                "You used R_beta in the objective.": sign * (gap - 2 * beta * rise),
                "The sign is that of a loss: the objective is maximised.": -sign * slope,
            },
        )

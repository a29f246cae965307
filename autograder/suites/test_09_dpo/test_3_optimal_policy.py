"""Sections 3 and 4 of 09_dpo. The objective, and the policy that maximises it."""

import math

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, NO_GRADIENT, optimum, scalar, weights

# --- kl_objective -------------------------------------------------------------------------------


def kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """KL(p || q) over the last dimension; p may contain zeros."""
    return torch.where(p > 0, p * (p.clamp_min(1e-300).log() - q.log()), 0.0).sum(-1)


def objective(p: torch.Tensor, ref: torch.Tensor, r: torch.Tensor, beta: float) -> torch.Tensor:
    return (p * r).sum(-1) - beta * kl(p, ref)


@exercise("kl_objective", weight=2)
def test_objective_is_reward_minus_beta_kl(student: Student, draw: Draw):
    """A table of prompts with five completions each, beta not 1."""
    p, ref, r = draw.probs(2, 3, 5), draw.probs(2, 3, 5), draw.normal(2, 3, 5)
    beta = draw.choice([0.3, 0.6, 2.5])
    gain, cost = (p * r).sum(-1), kl(p, ref)
    expect(student.kl_objective(p, ref, r, beta)).close(
        gain - beta * cost,
        "J = E_pi[R] - beta * KL(pi || pi_ref), one value per prompt.",
        mistakes={
            "You computed KL(pi_ref || pi): the expectation is under the trained policy.": (
                gain - beta * kl(ref, p)
            ),
            "The KL is a price: subtract it.": gain + beta * cost,
            "beta multiplies the KL.": gain - cost,
            "Rewards are averaged under the policy, not under the reference.": (
                (ref * r).sum(-1) - beta * cost
            ),
            "The regularised reward is averaged under the policy, not under the reference.": (
                (ref * (r - beta * (p / ref).log())).sum(-1)
            ),
            "The objective is E[R] - beta * KL; you divided by beta and turned the sign.": (
                cost - gain / beta
            ),
        },
    )


@exercise("kl_objective")
def test_impossible_completions_count_nothing(student: Student, draw: Draw):
    """A policy with zeros, for a single prompt."""
    ref, r = draw.probs(4), draw.normal(4)
    p = torch.cat([draw.probs(2), torch.zeros(2, dtype=F64)])
    expect(student.kl_objective(p, ref, r, 0.7)).close(
        objective(p, ref, r, 0.7),
        "A completion with probability 0 adds 0 to the KL: 0 ln 0 = 0, without nan and without an "
        "epsilon.",
    )


@exercise("kl_objective")
def test_objective_is_differentiable_in_the_policy(student: Student, draw: Draw):
    """The gradient in the probabilities, by value; a large beta."""
    p, ref, r = draw.probs(4), draw.probs(4), draw.normal(4)
    got = student.grad("kl_objective", p, ref, r, 12.0, wrt=(0,))
    want = r - 12.0 * ((p / ref).log() + 1)
    expect(got.grads[0]).close(
        want, f"The slope in pi(y) is R(y) - beta * (ln(pi / pi_ref) + 1). {NO_GRADIENT}"
    )


@exercise("kl_objective")
def test_tiny_references_and_a_large_beta(student: Student, draw: Draw):
    """A likely completion that the reference all but excludes; beta = 40."""
    p, r, rest = draw.probs(3), draw.normal(3), draw.probs(2)
    ref = torch.cat([torch.tensor([1e-12], dtype=F64), rest * (1 - 1e-12)])
    expect(student.kl_objective(p, ref, r, 40.0)).close(
        objective(p, ref, r, 40.0),
        "Tiny probabilities of the reference count in full, and so does beta: no clamp, no "
        "epsilon.",
    )


# --- log_partition ------------------------------------------------------------------------------


@exercise("log_partition", weight=2)
def test_partition_function_of_several_prompts(student: Student, draw: Draw):
    """A table of prompts with four completions each, beta not 1."""
    ref, r, beta = draw.probs(2, 3, 4), draw.normal(2, 3, 4), draw.choice([0.4, 0.7, 2.0])
    each = weights(ref, r, beta)
    want = each.sum(-1).log()
    expect(student.log_partition(ref, r, beta)).close(
        want,
        "Return ln Z with Z = sum of pi_ref * e^(R / beta), one per prompt.",
        mistakes={
            "This is beta ln Z: return ln Z itself.": beta * want,
            "This is Z, not its logarithm.": each.sum(-1),
            "This is log10: ln is the natural logarithm.": want / math.log(10),
            "The reference is missing from Z.": weights(torch.ones_like(ref), r, beta)
            .sum(-1)
            .log(),
            "R is divided by beta, not multiplied.": weights(ref, r, 1 / beta).sum(-1).log(),
            "You summed over the whole batch: each prompt has its own Z.": each.sum().log(),
            "The sign of R is wrong.": weights(ref, -r, beta).sum(-1).log(),
        },
    )


@exercise("log_partition")
def test_rewards_far_above_beta(student: Student, draw: Draw):
    """R / beta in the thousands, of both signs."""
    ref, gap, top = draw.probs(2, 3), draw.normal(2, 3), draw.uniform(20, 40, 2, 1)
    sign = torch.tensor([[1.0], [-1.0]], dtype=F64)
    want = (sign * top / 0.01).squeeze(-1) + weights(ref, gap, 1.0).sum(-1).log()
    expect(student.log_partition(ref, sign * top + 0.01 * gap, 0.01)).close(
        want,
        "e^(R / beta) overflows for large R / beta and is 0 for very negative ones: use logsumexp.",
    )


@exercise("log_partition")
def test_tiny_references_and_rewards_beyond_all_limits(student: Student, draw: Draw):
    """A completion of 1e-14 whose reward makes up for it; R / beta of a million, either sign."""
    ref = torch.cat([torch.tensor([1e-14], dtype=F64), draw.probs(3) * (1 - 1e-14)])
    gap = draw.normal(4)
    gap[0] += math.log(1e14)
    want = weights(ref, gap, 1.0).sum().log()
    for zero in (0.0, 1e6, -1e6):
        expect(student.log_partition(ref, (gap + zero) / 1000, 1e-3)).close(
            want + zero,
            "ln pi_ref + R / beta counts as it is: no clamp, no epsilon in the logarithm.",
        )


@exercise("log_partition")
def test_slope_of_log_partition_is_the_optimal_policy(student: Student, draw: Draw):
    """The gradient of ln Z in the rewards, by value; one completion is impossible."""
    ref = torch.cat([draw.probs(3), torch.zeros(1, dtype=F64)])
    r = torch.cat([draw.normal(3), torch.tensor([3000.0], dtype=F64)])
    possible = optimum(ref[:3], r[:3], 0.6)
    got = student.grad("log_partition", ref, r, 0.6, wrt=(1,))
    expect(got.grads[1]).close(
        torch.cat([possible, torch.zeros(1, dtype=F64)]) / 0.6,
        "The derivative of ln Z in R(y) is pi*(y) / beta; zeros of the reference are allowed "
        "and add nothing to Z, however large the reward. " + NO_GRADIENT,
    )


# --- optimal_policy -----------------------------------------------------------------------------


@exercise("optimal_policy", weight=2)
def test_policy_is_the_tilted_reference(student: Student, draw: Draw):
    """A table of prompts with four completions each, beta not 1."""
    ref, r, beta = draw.probs(2, 3, 4), draw.normal(2, 3, 4), draw.choice([0.4, 0.7, 2.0])
    each = weights(ref, r, beta)
    expect(student.optimal_policy(ref, r, beta)).close(
        each / each.sum(-1, keepdim=True),
        "pi*(y) = pi_ref(y) e^(R(y) / beta) / Z.",
        mistakes={
            "The reference is missing: this is softmax(R / beta).": torch.softmax(r / beta, -1),
            "R is divided by beta, not multiplied.": optimum(ref, r, 1 / beta),
            "You normalised over the whole batch: each prompt has its own Z.": each / each.sum(),
            "You did not divide by Z.": each,
            "The sign of R is wrong: large rewards must gain probability.": optimum(ref, -r, beta),
            "This adds probabilities: the reference multiplies e^(R / beta).": (
                (ref + torch.softmax(r / beta, -1)) / 2
            ),
        },
    )


@exercise("optimal_policy", weight=2)
def test_no_policy_of_a_cloud_does_better(student: Student, draw: Draw):
    """Ten thousand other policies, some far away and some very close, one prompt."""
    ref, r, beta = draw.probs(4), draw.normal(4), draw.choice([0.5, 0.8])
    got = student.optimal_policy(ref, r, beta)
    expect(got).tensor([4], F64, "Return [K] float64 probabilities.")
    fits = bool((got >= 0).all()) and abs(float(got.sum()) - 1) < 1e-9
    expect(got).true(fits, "The policy must be a distribution: divide by Z.")
    far = torch.from_numpy(draw.numpy.dirichlet([1.0] * 4, size=8000))
    near = torch.softmax(got.clamp_min(1e-300).log() + 0.01 * draw.normal(2000, 4), -1)
    best = objective(torch.cat([far, near]), ref, r, beta).max()
    expect(got).true(
        objective(got, ref, r, beta) >= best,
        "Another policy has a larger J = E[R] - beta KL(pi || pi_ref): yours is not the maximiser.",
    )


@exercise("optimal_policy", weight=2)
def test_small_beta_stays_finite(student: Student, draw: Draw):
    """R / beta in the thousands; each prompt's rewards have another zero point."""
    ref, gap = draw.probs(3, 4), draw.normal(3, 4)
    zero = torch.tensor([[30.0], [-30.0], [12.0]], dtype=F64)
    expect(student.optimal_policy(ref, zero + 0.01 * gap, 0.01)).close(
        optimum(ref, gap, 1.0),
        "e^(R / beta) overflows: add R / beta to ln pi_ref and take a softmax. A constant "
        "added to all rewards of a prompt changes nothing.",
    )


@exercise("optimal_policy")
def test_beta_of_any_size(student: Student, draw: Draw):
    """R / beta in the millions with close rewards, and a beta of a thousand."""
    ref, gap = draw.probs(4), draw.normal(4)
    message = "beta and R / beta count as they are, however large or small: no clamp, no floor."
    expect(student.optimal_policy(ref, 20 + 1e-5 * gap, 1e-5)).close(
        optimum(ref, gap, 1.0), message, rtol=1e-6
    )
    expect(student.optimal_policy(ref, 300 * gap, 1000.0)).close(
        optimum(ref, 0.3 * gap, 1.0), message
    )


@exercise("optimal_policy")
def test_tiny_and_zero_reference_probabilities(student: Student, draw: Draw):
    """One completion is all but impossible under the reference, one is impossible."""
    rest = draw.probs(2)
    ref = torch.cat([rest * (1 - 1e-14), torch.tensor([1e-14, 0.0], dtype=F64)])
    r = torch.tensor([0.0, 0.0, math.log(1e14), 5000.0], dtype=F64)
    want = torch.cat([rest * (1 - 1e-14), torch.tensor([1.0, 0.0], dtype=F64)]) / (2 - 1e-14)
    expect(student.optimal_policy(ref, r, 1.0)).close(
        want,
        "No epsilon in ln pi_ref: tiny probabilities count in full, and what the reference "
        "excludes stays excluded, without nan, however large its reward.",
    )


# --- objective_gap ------------------------------------------------------------------------------


@exercise("objective_gap", weight=2)
def test_gap_is_the_objective_lost(student: Student, draw: Draw):
    """A table of prompts; the objective at the optimum minus the objective at the policy."""
    p, ref, r = draw.probs(2, 3, 4), draw.probs(2, 3, 4), 2 * draw.normal(2, 3, 4)
    beta = draw.choice([0.4, 0.7, 2.0])
    best = optimum(ref, r, beta)
    want = objective(best, ref, r, beta) - objective(p, ref, r, beta)
    expect(student.objective_gap(p, ref, r, beta)).close(
        want,
        "J(pi*) - J(pi) = beta * KL(pi || pi*), one value per prompt.",
        mistakes={
            "The factor beta is missing.": want / beta,
            "You swapped the two policies: the KL is taken under pi, not under pi*.": (
                beta * kl(best, p)
            ),
            "This is the KL to the reference, not to pi*.": beta * kl(p, ref),
            "This is J(pi) - J(pi*): the regret is at least 0.": -want,
            "The reference is missing from pi*.": beta * kl(p, torch.softmax(r / beta, -1)),
            "You averaged the reward at pi and at pi* but left out the KL terms.": (
                ((best - p) * r).sum(-1)
            ),
            "This is beta ln Z, the value of J at pi*, not the gap.": (
                objective(best, ref, r, beta)
            ),
        },
    )


@exercise("objective_gap")
def test_no_regret_at_the_optimum(student: Student, draw: Draw):
    """The optimal policy itself, for a single prompt."""
    ref, r = draw.probs(5), draw.normal(5)
    expect(student.objective_gap(optimum(ref, r, 0.6), ref, r, 0.6)).close(
        scalar(0.0),
        "At pi* = pi_ref e^(R / beta) / Z nothing is lost: the regret is 0, and 0-d.",
        scale=1e-3,
    )


@exercise("objective_gap")
def test_greedy_policies_have_a_finite_regret(student: Student, draw: Draw):
    """Policies with zeros."""
    ref, r = draw.probs(2, 3), draw.normal(2, 3)
    p = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]], dtype=F64)
    want = objective(optimum(ref, r, 0.5), ref, r, 0.5) - objective(p, ref, r, 0.5)
    expect(student.objective_gap(p, ref, r, 0.5)).close(
        want, "0 ln 0 = 0: a policy that never plays a completion has a finite regret."
    )


@exercise("objective_gap")
def test_small_beta_has_a_finite_regret(student: Student, draw: Draw):
    """R / beta in the thousands: the optimum gives all but one completion no probability."""
    p, ref, beta = draw.probs(4), draw.probs(4), 1e-3
    r = torch.tensor(draw.shuffled([3.0, 1.0, -0.5, -2.0]), dtype=F64) + 0.1 * draw.normal(4)
    best = r.max() + beta * ref[r.argmax()].log()  # beta ln Z: the other terms are below e^-1000
    expect(student.objective_gap(p, ref, r, beta)).close(
        best - objective(p, ref, r, beta),
        "The optimum underflows to 0: take ln pi* = ln pi_ref + R / beta - ln Z, not the "
        "logarithm of its probabilities.",
    )


@exercise("objective_gap")
def test_one_reference_for_many_policies(student: Student, draw: Draw):
    """Policies [3, 4] against one reference and one set of rewards, [4], some in the thousands."""
    p, ref = draw.probs(3, 4), draw.probs(4)
    r = torch.tensor(draw.shuffled([5000.0, 1.0, -0.5, -4000.0]), dtype=F64)
    for rewards, beta in ((r, 0.01), (r / 1000, 2.5)):
        best = optimum(ref, (rewards - rewards.max()).clamp_min(-700 * beta), beta)
        want = objective(best, ref, rewards, beta) - objective(p, ref, rewards, beta)
        expect(student.objective_gap(p, ref, rewards, beta)).close(
            want,
            "The arguments broadcast, [..., K] against [K]; and a regret may be large: no clamp.",
        )

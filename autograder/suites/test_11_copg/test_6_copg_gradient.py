"""Section 6 of 11_copg. CoPG's loss, its exact gradient, and the factor to RLOO's."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, bandit, four_terms, objective_mistakes, pairs, tensor

# --- copg_loss -----------------------------------------------------------------------------------

LOSS = "The loss is minus the mean over the pairs of the objective."


@exercise("copg_loss")
def test_the_loss_is_minus_the_mean(student: Student, draw: Draw):
    """The value for five pairs, then for one."""
    for n in (5, 1):
        data = pairs(draw, n)
        each = four_terms(*data)
        mistakes = {
            k: -v.mean() for k, v in objective_mistakes(*data).items() if "sign is" not in k
        }
        expect(student.copg_loss(*data)).close(
            -each.mean(),
            LOSS,
            mistakes={
                "The minus sign is missing: minimising this runs away from pi_*.": each.mean(),
                "You summed over the pairs.": -each.sum(),
                "You divided by the number of completions, not of pairs.": -each.mean() / 2,
                "You returned one number per pair.": -each,
                **mistakes,
            },
        )


@exercise("copg_loss")
def test_every_pair_counts(student: Student, draw: Draw):
    """Five pairs; one of them is twice the same completion, one has a large gap."""
    logp, logp2, ref, ref2, rewards, rewards2, beta = pairs(draw)
    logp2[1], ref2[1], rewards2[1] = logp[1], ref[1], rewards[1]
    logp[3] -= 50
    data = (logp, logp2, ref, ref2, rewards, rewards2, beta)
    expect(student.copg_loss(*data)).close(
        -four_terms(*data).mean(),
        "Every pair counts in the mean, as it is: one whose objective is 0 too, and a large one "
        "without clipping.",
    )


@exercise("copg_loss", weight=2)
def test_the_gradient_of_the_loss(student: Student, draw: Draw):
    """Gradients in both log-probabilities, by value."""
    data = pairs(draw)
    logp, logp2, ref, ref2, rewards, rewards2, beta = data
    got = student.grad("copg_loss", *data, wrt=(0, 1))
    message = (
        "The gradient in ln pi(y_i) is -(R_beta(y_i) - R_beta(y_i')) / n; nothing is detached."
    )
    expect(got).true(got.grads[0] is not None and got.grads[1] is not None, message)
    gap, rise = rewards - rewards2, (logp - ref) - (logp2 - ref2)
    for position, sign in ((0, -1), (1, 1)):
        expect(got.grads[position]).close(
            sign * (gap - beta * rise) / 5,
            message,
            mistakes={
                "R_{beta/2} is detached: training then ends at pi_ref exp(2R/beta).": sign
                * (gap - beta / 2 * rise)
                / 5,
                "R_beta stands for R_{beta/2}: training then ends at pi_ref exp(R/(2 beta)).": sign
                * (gap - 2 * beta * rise)
                / 5,
                "The sign is wrong: a loss is minimised.": -sign * (gap - beta * rise) / 5,
                "You summed over the pairs.": sign * (gap - beta * rise),
            },
        )


@exercise("copg_loss")
def test_the_optimal_policy_is_stationary_for_every_pair(student: Student, draw: Draw):
    """All pairs of arms at pi_* for a non-uniform reference: no gradient anywhere."""
    _, _, ref, rewards, beta = bandit(draw)
    logp = (ref + rewards / beta).log_softmax(0)
    i, j = torch.cartesian_prod(torch.arange(4), torch.arange(4)).T
    got = student.grad(
        "copg_loss", logp[i], logp[j], ref[i], ref[j], rewards[i], rewards[j], beta, wrt=(0, 1)
    )
    message = "At pi_* every single pair has gradient zero. " + LOSS
    expect(got).true(got.grads[0] is not None and got.grads[1] is not None, message)
    for position in (0, 1):
        expect(got.grads[position]).close(torch.zeros(16, dtype=F64), message, rtol=1e-9, scale=1.0)


# --- copg_gradient_exact -------------------------------------------------------------------------


def exact_gradient(theta, rewards, ref, beta, mu1, mu2):
    """Sum over all pairs of arms of mu1 mu2 times the gradient of one pair (equation 18)."""
    log_pi = theta - torch.logsumexp(theta, 0)
    score = torch.eye(len(theta), dtype=F64) - log_pi.exp()  # row y: d ln pi(y) / d theta
    r_beta = rewards - beta * (log_pi - ref)
    total = torch.zeros_like(theta)
    for i in range(len(theta)):
        for j in range(len(theta)):
            total += mu1[i] * mu2[j] * (r_beta[i] - r_beta[j]) * (score[i] - score[j])
    return total


def gradient_mistakes(theta, rewards, ref, beta, mu1, mu2):
    """What typical mistakes return."""
    right = exact_gradient(theta, rewards, ref, beta, mu1, mu2)
    pi = theta.softmax(0)
    r_beta = rewards - beta * (theta.log_softmax(0) - ref)

    def side(mu, baseline):
        c = mu * (r_beta - baseline)
        return c - pi * c.sum()

    return {
        "Each side is centred by its own mean: it is the mean of the other sampler.": side(
            mu1, mu1 @ r_beta
        )
        + side(mu2, mu2 @ r_beta),
        "The second term (samples of mu2) is missing.": side(mu1, mu2 @ r_beta),
        "The first term (samples of mu1) is missing.": side(mu2, mu1 @ r_beta),
        "The arms are weighted by pi: the samplers are mu1 and mu2.": exact_gradient(
            theta, rewards, ref, beta, pi, pi
        ),
        "Both sides are centred by the mean under pi.": side(mu1, pi @ r_beta)
        + side(mu2, pi @ r_beta),
        "Both samplers are taken to be mu1.": exact_gradient(theta, rewards, ref, beta, mu1, mu1),
        "You used R_{beta/2}: the gradient has R_beta.": exact_gradient(
            theta, rewards, ref, beta / 2, mu1, mu2
        ),
        "You used R_beta in the objective: the gradient then has 2 beta.": exact_gradient(
            theta, rewards, ref, 2 * beta, mu1, mu2
        ),
        "The sign is that of a loss: this is the ascent direction.": -right,
        "This is half of the gradient.": right / 2,
        "The KL term is missing.": exact_gradient(theta, rewards, ref, 0.0, mu1, mu2),
        "The reference is ignored: h = ln pi - ln pi_ref.": exact_gradient(
            theta, rewards, 0 * ref, beta, mu1, mu2
        ),
        "You centred nothing: both means are missing.": side(mu1, 0.0) + side(mu2, 0.0),
    }


EXACT = (
    "grad L = E_mu1[(R_beta - mean_mu2 R_beta) grad ln pi] + E_mu2[(R_beta - mean_mu1 R_beta) "
    "grad ln pi]."
)


def exact_problem(draw, arms):
    """Logits, rewards, reference and two samplers that differ a lot."""
    theta = draw.normal(arms) + torch.linspace(-1, 1, arms, dtype=F64)
    rewards = draw.normal(arms) + torch.linspace(2, -1, arms, dtype=F64)
    ref = draw.probs(arms).log()
    slope = torch.linspace(-1.2, 1.2, arms, dtype=F64)
    mu1, mu2 = (draw.probs(arms).log() + s * slope for s in (1, -1))
    return theta, rewards, ref, 0.7, mu1.softmax(0), mu2.softmax(0)


@exercise("copg_gradient_exact", weight=2)
def test_the_gradient_at_a_generic_policy(student: Student, draw: Draw):
    """Four arms, two very different samplers, a non-uniform reference."""
    problem = exact_problem(draw, 4)
    expect(student.copg_gradient_exact(*problem)).close(
        exact_gradient(*problem), EXACT, gradient_mistakes(*problem), rtol=1e-8
    )


@exercise("copg_gradient_exact")
def test_rewards_in_thousands_and_a_nearly_deterministic_policy(student: Student, draw: Draw):
    """Rewards of some thousands, logits that lie 60 apart."""
    theta, rewards, ref, beta, mu1, mu2 = exact_problem(draw, 4)
    for problem in (
        (theta, 2000 * rewards, ref, beta, mu1, mu2),
        (theta + tensor(30.0, -30.0, 10.0, 0.0), rewards, ref, beta, mu1, mu2),
    ):
        expect(student.copg_gradient_exact(*problem)).close(
            exact_gradient(*problem),
            "Clip neither rewards nor log-ratios nor R_beta, however large, and take ln pi from "
            "the logits (log_softmax).",
            gradient_mistakes(*problem),
            rtol=1e-8,
        )


@exercise("copg_gradient_exact")
def test_the_gradient_on_policy_is_twice_that_of_j(student: Student, draw: Draw):
    """Both samplers equal the policy itself, five arms."""
    theta, rewards, ref, beta, _, _ = exact_problem(draw, 5)
    pi = theta.softmax(0)
    r_beta = rewards - beta * (theta.log_softmax(0) - ref)
    want = 2 * pi * (r_beta - pi @ r_beta)
    mistakes = gradient_mistakes(theta, rewards, ref, beta, pi, pi)
    expect(student.copg_gradient_exact(theta, rewards, ref, beta, pi, pi)).close(
        want, "On-policy, grad L = 2 grad J. " + EXACT, mistakes, rtol=1e-8
    )


@exercise("copg_gradient_exact")
def test_an_arm_that_is_never_drawn(student: Student, draw: Draw):
    """Samplers with zeros, one arm drawn by nobody: its logit does not move."""
    theta, rewards, ref, beta, mu1, mu2 = exact_problem(draw, 4)
    mu1, mu2 = mu1 * tensor(1, 0, 1, 0), mu2 * tensor(1, 1, 1, 0)
    mu1, mu2 = mu1 / mu1.sum(), mu2 / mu2.sum()
    expect(student.copg_gradient_exact(theta, rewards, ref, beta, mu1, mu2)).close(
        exact_gradient(theta, rewards, ref, beta, mu1, mu2),
        "Samplers may have zeros: no logarithm of mu, no division by it. " + EXACT,
        gradient_mistakes(theta, rewards, ref, beta, mu1, mu2),
        rtol=1e-8,
    )


@exercise("copg_gradient_exact")
def test_the_gradient_vanishes_at_the_optimum_only(student: Student, draw: Draw):
    """Logits of pi_* for a non-uniform reference, shifted by a constant."""
    _, rewards, ref, beta, mu1, mu2 = exact_problem(draw, 4)
    got = student.copg_gradient_exact(ref + rewards / beta + 3.0, rewards, ref, beta, mu1, mu2)
    expect(got).close(
        torch.zeros(4, dtype=F64),
        "At pi_*, R_beta is the same for all arms: the gradient is zero. " + EXACT,
        rtol=1e-9,
        scale=1.0,
    )


# --- copg_equals_rloo_factor ---------------------------------------------------------------------


def both_orders(draw):
    """A policy over four arms, two of them in both orders, and advantage times score."""
    theta, rewards, ref, beta, _, _ = exact_problem(draw, 4)
    arms = draw.sample(range(4), 2)
    r_beta = rewards - beta * (theta.log_softmax(0) - ref)
    for y, y2 in (arms, arms[::-1]):
        # d ln pi(y) / d theta - d ln pi(y2) / d theta: the -pi of both cancels.
        difference = torch.zeros(4, dtype=F64)
        difference[y], difference[y2] = 1.0, -1.0
        yield (theta, y, y2, rewards, ref, beta), (r_beta[y] - r_beta[y2]) * difference


def three_parts(got):
    """The three results, or a fixed text."""
    message = "Return three things: g_copg, g_rloo and the factor."
    expect(got).true(isinstance(got, tuple | list) and len(got) == 3, message)
    return got


@exercise("copg_equals_rloo_factor")
def test_the_gradient_of_one_copg_pair(student: Student, draw: Draw):
    """g_copg for a pair of four arms, then with its arms exchanged."""
    for problem, want in both_orders(draw):
        g_copg, _, _ = three_parts(student.copg_equals_rloo_factor(*problem))
        expect(g_copg).close(
            want,
            "g_copg is (R_beta(y) - R_beta(y')) (grad ln pi(y) - grad ln pi(y')), an ascent "
            "direction.",
            mistakes={
                "The sign of g_copg is that of a loss.": -want,
                "g_copg is halved: only the pair's RLOO gradient has 1/K.": want / 2,
            },
            rtol=1e-8,
        )


@exercise("copg_equals_rloo_factor")
def test_the_rloo_gradient_has_its_one_over_k(student: Student, draw: Draw):
    """g_rloo for such a pair, in both orders: K = 2, leave-one-out baseline, 1/K."""
    for problem, twice in both_orders(draw):
        _, g_rloo, _ = three_parts(student.copg_equals_rloo_factor(*problem))
        expect(g_rloo).close(
            twice / 2,
            "g_rloo = (1/K) sum_i (R_beta(y_i) - R_beta of the other) grad ln pi(y_i), K = 2.",
            mistakes={
                "The 1/K of g_rloo is missing.": twice,
                "The baseline of g_rloo is the mean of both samples: leave the own one out.": (
                    twice / 4
                ),
                "The sign of g_rloo is that of a loss.": -twice / 2,
            },
            rtol=1e-8,
        )


@exercise("copg_equals_rloo_factor")
def test_the_factor_is_two(student: Student, draw: Draw):
    """The number with g_copg = factor * g_rloo, for a pair in both orders."""
    for problem, _ in both_orders(draw):
        _, _, factor = three_parts(student.copg_equals_rloo_factor(*problem))
        expect(factor).close(
            2.0,
            "With RLOO's 1/K the factor is not the slide's 1: g_copg = 2 g_rloo for K = 2. Return "
            "a Python float.",
            mistakes={"You divided the wrong way round.": 0.5},
            rtol=1e-8,
        )

"""Sections 6 and 7 of 09_dpo. The DPO loss, its gradient, and the gradient over all pairs."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, NO_GRADIENT, gap_of, nll, pairs_of_logps, preferences, sigma

# --- dpo_loss -----------------------------------------------------------------------------------


@exercise("dpo_loss", weight=2)
def test_dpo_loss_of_a_batch(student: Student, draw: Draw):
    """Pairs of both orders, beta not 1, mean by default."""
    pairs, beta = pairs_of_logps(draw, 7), draw.choice([0.2, 0.5, 1.7])
    gap = gap_of(pairs)
    chosen, rejected, ref_chosen, ref_rejected = pairs
    expect(student.dpo_loss(*pairs, beta)).close(
        nll(beta * gap).mean(),
        "The loss is the mean of -ln sigma(beta * (h_w - h_l)), h = logp - ref_logp.",
        mistakes={
            "You summed over the pairs: the default is the mean.": nll(beta * gap).sum(),
            "The reference is missing.": nll(beta * (chosen - rejected)).mean(),
            "The reference enters with the wrong sign, or the two references are swapped.": nll(
                beta * ((chosen + ref_chosen) - (rejected + ref_rejected))
            ).mean(),
            "The factor beta is missing.": nll(gap).mean(),
            "Multiply by beta, do not divide.": nll(gap / beta).mean(),
            "You swapped chosen and rejected.": nll(-beta * gap).mean(),
            "beta multiplies the log-ratios inside sigma, not the loss.": beta * nll(gap).mean(),
        },
    )


@exercise("dpo_loss")
def test_reductions_of_dpo(student: Student, draw: Draw):
    """The three reductions, one that does not exist, and a batch of one pair."""
    pairs = pairs_of_logps(draw, 5)
    each = nll(0.4 * gap_of(pairs))
    text = 'reduction is "mean", "sum" (both 0-d) or "none" (one loss per pair).'
    expect(student.dpo_loss(*pairs, 0.4, reduction="none")).close(each, text)
    expect(student.dpo_loss(*pairs, 0.4, reduction="sum")).close(each.sum(), text)
    expect(student.dpo_loss(*pairs, 0.4, reduction="mean")).close(each.mean(), text)
    single = pairs_of_logps(draw, 1)
    expect(student.dpo_loss(*single, 0.4, reduction="none")).close(
        nll(0.4 * gap_of(single)), "A batch of one pair is still a batch: keep its dimension."
    )
    for other in ("median", "MEAN", "", None):
        expect(student.raised("dpo_loss", *pairs, 0.4, reduction=other)).equals(
            "ValueError", "Any other reduction raises a ValueError."
        )


@exercise("dpo_loss")
def test_a_settled_pair_still_costs_a_little(student: Student, draw: Draw):
    """One pair with beta = 4 and a gap of about 6: the loss is about e^-24, not 0."""
    chosen, rejected, ref_chosen, _ = pairs_of_logps(draw, 1)
    ref_rejected = rejected - chosen + ref_chosen + draw.uniform(5.8, 6.2, 1)
    pairs = (chosen, rejected, ref_chosen, ref_rejected)
    expect(student.dpo_loss(*pairs, 4.0, reduction="none")).close(
        nll(4.0 * gap_of(pairs)),
        "-ln sigma(z) never reaches 0, and beta counts as it is: softplus(-z) or -logsigmoid(z), "
        "without threshold or cap.",
        rtol=1e-6,
    )


@exercise("dpo_loss")
def test_gradients_of_dpo(student: Student, draw: Draw):
    """Gradients in the chosen and rejected log-probabilities, by value, also at huge gaps."""
    pairs = list(pairs_of_logps(draw, 6))
    pairs[0][:2] += torch.tensor([300_000.0, -300_000.0], dtype=F64)
    got = student.grad("dpo_loss", *pairs, 0.5, wrt=(0, 1))
    pull = 0.5 * sigma(-0.5 * gap_of(pairs)) / 6
    message = (
        "The gradient is -beta sigma(-beta gap) / B in the chosen and the opposite in the rejected "
        "logps, also where sigma underflows."
    )
    expect(got.value).close(nll(0.5 * gap_of(pairs)).mean(), message)
    expect([got.grads[0], got.grads[1]]).close([-pull, pull], message)


@exercise("dpo_loss")
def test_reference_of_dpo_gets_no_gradient(student: Student, draw: Draw):
    """References that ask for a gradient."""
    got = student.grad("dpo_loss", *pairs_of_logps(draw, 4), 0.5, wrt=(0, 2, 3))
    expect(got).true(got.grads[0] is not None and bool(got.grads[0].any()), NO_GRADIENT)
    leaks = any(got.grads[k] is not None and bool(got.grads[k].any()) for k in (2, 3))
    expect(got).true(not leaks, "A gradient reaches the reference, which is a constant: detach it.")


# --- dpo_loss_gradient --------------------------------------------------------------------------


@exercise("dpo_loss_gradient", weight=2)
def test_gradient_formula(student: Student, draw: Draw):
    """Both derivatives of the mean loss, against autograd."""
    pairs, beta = pairs_of_logps(draw, 7), draw.choice([0.2, 0.5, 1.7])
    chosen, rejected = (each.clone().requires_grad_() for each in pairs[:2])
    loss = nll(beta * gap_of((chosen, rejected, *pairs[2:]))).mean()
    down, up = torch.autograd.grad(loss, (chosen, rejected))
    other = beta / 7 - up
    expect(student.dpo_loss_gradient(*pairs, beta)).close(
        (down, up),
        "The derivatives are -beta sigma(-beta gap) / B and +beta sigma(-beta gap) / B.",
        mistakes={
            "The 1/B of the mean is missing.": (7 * down, 7 * up),
            "The factor beta of the chain rule is missing.": (down / beta, up / beta),
            "The weight is sigma(-beta gap), the probability of the wrong order.": (-other, other),
            "The signs are swapped: descent must raise the chosen log-probability.": (up, down),
            "Both derivatives have the same sign: the rejected one is the opposite.": (down, down),
            "beta is missing inside sigma.": tuple(
                sign * beta * sigma(-gap_of(pairs)) / 7 for sign in (-1, 1)
            ),
            "The reference is missing.": tuple(
                sign * beta * sigma(-beta * (pairs[0] - pairs[1])) / 7 for sign in (-1, 1)
            ),
        },
    )


@exercise("dpo_loss_gradient")
def test_gradient_at_huge_gaps(student: Student, draw: Draw):
    """Gaps of thousands, of both signs."""
    zero, size = torch.zeros(2, dtype=F64), draw.uniform(2000, 4000, 1)
    got = student.dpo_loss_gradient(torch.cat([size, -size]), zero, zero, zero, 0.7)
    want = torch.tensor([0.0, 0.35], dtype=F64)
    expect(got).close(
        (-want, want),
        "At huge gaps sigma is 0 or 1: an exponential of the gap overflows, use torch.sigmoid.",
    )


@exercise("dpo_loss_gradient")
def test_gradient_of_one_pair_with_a_large_beta(student: Student, draw: Draw):
    """A batch of one pair, beta = 6."""
    pairs = pairs_of_logps(draw, 1)
    pairs = (pairs[0], pairs[0] - 0.3, pairs[2], pairs[2] + draw.uniform(-0.2, 0.2, 1))
    pull = 6 * sigma(-6 * gap_of(pairs))
    expect(student.dpo_loss_gradient(*pairs, 6.0)).close(
        (-pull, pull), "A batch of one pair keeps its dimension, [1], and beta counts as it is."
    )


# --- dpo_population_gradient --------------------------------------------------------------------


def population_gradient(theta, prefs, mu, ref, beta) -> torch.Tensor:
    """Autograd on the population DPO loss, written pair by pair and outcome by outcome."""
    theta = theta.clone().requires_grad_()
    h = theta - torch.logsumexp(theta, 0) - ref.log()
    loss = torch.zeros((), dtype=F64)
    for i in range(len(theta)):
        for j in range(len(theta)):
            loss = loss + mu[i, j] * prefs[i, j] * nll(beta * (h[i] - h[j]))
            loss = loss + mu[i, j] * (1 - prefs[i, j]) * nll(beta * (h[j] - h[i]))
    return torch.autograd.grad(loss, theta)[0]


@exercise("dpo_population_gradient")
def test_optimal_policy_is_stationary_under_bradley_terry(student: Student, draw: Draw):
    """Exact Bradley-Terry labels at pi*: the gradient vanishes for every pair law."""
    ref, r, beta = draw.probs(4), draw.normal(4), draw.choice([0.4, 0.7, 2.0])
    mu = draw.probs(16).reshape(4, 4)
    theta = ref.log() + r / beta + float(draw.normal(1)[0])
    prefs = sigma(r[:, None] - r[None, :])
    expect(student.dpo_population_gradient(theta, prefs, mu, ref, beta)).close(
        torch.zeros(4, dtype=F64),
        "At pi* under Bradley-Terry labels the gradient is 0: compare sigma(beta * gap of h) with "
        "the label probability, with beta, with the reference, and count both outcomes.",
        scale=1e-3,
    )


@exercise("dpo_population_gradient", weight=2)
def test_gradient_for_arbitrary_labels(student: Student, draw: Draw):
    """Labels that no rewards explain, an asymmetric pair law with a diagonal, random logits."""
    theta, ref, prefs = draw.normal(4), draw.probs(4), preferences(draw, 4)
    mu, beta = draw.probs(16).reshape(4, 4), draw.choice([0.4, 0.7, 2.0])
    want = population_gradient(theta, prefs, mu, ref, beta)
    h = theta.log_softmax(0) - ref.log()
    opinion = sigma(beta * (h[:, None] - h[None, :]))
    wins = beta * mu * prefs * (opinion - 1)
    pull = beta * mu * (opinion - prefs)
    uniform = beta * (opinion - prefs) / 16
    expect(student.dpo_population_gradient(theta, prefs, mu, ref, beta)).close(
        want,
        "Sum mu_ij * beta * (sigma(beta gap_ij) - p_ij) over all pairs: plus at i, minus at j.",
        mistakes={
            "You counted only the votes that the first completion wins.": (
                wins.sum(1) - wins.sum(0)
            ),
            "The factor beta of the chain rule is missing.": want / beta,
            "beta is missing: sigma takes beta times the gap.": population_gradient(
                theta, prefs, mu, ref, 1.0
            ),
            "The reference is missing: h = ln pi - ln pi_ref.": population_gradient(
                theta, prefs, mu, torch.full_like(ref, 0.25), beta
            ),
            "The sign is wrong: this is the direction of ascent.": -want,
            "You left out the second completion of each pair.": pull.sum(1),
            "mu is missing: pairs are not equally frequent.": uniform.sum(1) - uniform.sum(0),
            "prefs[i, j] is the probability that i wins, not j.": population_gradient(
                theta, prefs.T, mu, ref, beta
            ),
        },
    )


@exercise("dpo_population_gradient")
def test_deterministic_labels_push_past_the_optimum(student: Student, draw: Draw):
    """Labels of 0 and 1 at the optimal policy."""
    ref, beta = draw.probs(3), draw.choice([0.4, 0.7, 2.0])
    r = torch.tensor(draw.shuffled([2.5, 2.0, 1.0]), dtype=F64)
    mu = torch.outer(draw.probs(3), draw.probs(3))
    prefs = ((r[:, None] - r[None, :]).sign() + 1) / 2
    theta = ref.log() + r / beta
    expect(student.dpo_population_gradient(theta, prefs, mu, ref, beta)).close(
        population_gradient(theta, prefs, mu, ref, beta),
        "Labels of exactly 0 and 1 are ordinary label probabilities: use them as they are. Under "
        "them the gradient does not vanish at pi*.",
    )


@exercise("dpo_population_gradient")
def test_extreme_logits_stay_finite(student: Student, draw: Draw):
    """Logits that are thousands apart, with a usual beta and with a tiny one."""
    theta = torch.tensor([1500.0, 0.0, -1500.0], dtype=F64) + draw.normal(3)
    prefs, mu, ref = preferences(draw, 3), draw.probs(9).reshape(3, 3), draw.probs(3)
    for beta in (0.8, 1e-3):
        expect(student.dpo_population_gradient(theta, prefs, mu, ref, beta)).close(
            population_gradient(theta, prefs, mu, ref, beta),
            "softmax underflows to 0 before the logarithm: use log_softmax, or the logits "
            "themselves, and clamp nothing.",
        )

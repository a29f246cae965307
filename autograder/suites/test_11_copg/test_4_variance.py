"""Section 4 of 11_copg. The price: effective sample size and variance."""

import math

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, tensor

# --- effective_sample_size -----------------------------------------------------------------------


@exercise("effective_sample_size", weight=2)
def test_kish_formula_on_uneven_weights(student: Student, draw: Draw):
    """Seven weights of very different sizes, one of them zero."""
    w = draw.uniform(0.2, 4.0, 7) ** 2
    w[3] = 0.0
    square = w.square().sum()
    variation = w.var() / w.mean() ** 2
    expect(student.effective_sample_size(w)).close(
        w.sum() ** 2 / square,
        "ESS = (sum w)^2 / sum w^2.",
        mistakes={
            "The numerator is missing.": 1 / square,
            "You returned the sum of the squares.": square,
            "You divided by N: that is the fraction ESS / N.": w.sum() ** 2 / square / 7,
            "The numerator is not squared.": w.sum() / square,
            "The variance of the weights must be the population's, without Bessel's N - 1.": (
                7 / (1 + variation)
            ),
            "You divided by the largest weight: that is another diagnosis.": w.sum() / w.max(),
            "You took N times the sum of squares over the squared sum.": 7 * square / w.sum() ** 2,
            "You left zero weights out of N.": 6 / (1 + w[w > 0].var() / w[w > 0].mean() ** 2),
        },
    )


@exercise("effective_sample_size")
def test_ess_does_not_depend_on_the_scale(student: Student, draw: Draw):
    """Weights multiplied by a constant; equal weights give N."""
    w = draw.uniform(0.2, 4.0, 5)
    want = w.sum() ** 2 / w.square().sum()
    message = "ESS does not change when all weights are scaled, and N equal weights give N."
    expect(student.effective_sample_size(50 * w)).close(want, message)
    expect(student.effective_sample_size(torch.full((6,), 0.3, dtype=F64))).close(
        tensor(6.0)[0], message
    )


# --- is_variance ---------------------------------------------------------------------------------

VARIANCE = "Var = E_mu[(w f)^2] - (E_mu[w f])^2."


def exact_variance(pi, mu, f):
    """Action by action, with Python numbers."""
    terms = [
        (m, p / m * v) for p, m, v in zip(pi.tolist(), mu.tolist(), f.tolist(), strict=True) if m
    ]
    mean = math.fsum(m * x for m, x in terms)
    return tensor(math.fsum(m * (x - mean) ** 2 for m, x in terms))[0]


@exercise("is_variance", weight=2)
def test_the_variance_of_a_generic_estimate(student: Student, draw: Draw):
    """Five actions, f of both signs, the sampler far from the policy."""
    pi, mu, f = draw.probs(5), draw.probs(5), draw.normal(5) + tensor(3, -1, 1, 2, -2)
    w, mean = pi / mu, pi @ f
    second = mu @ (w * f).square()
    expect(student.is_variance(pi, mu, f)).close(
        exact_variance(pi, mu, f),
        VARIANCE,
        mistakes={
            "You took the squares under pi: the samples come from mu.": pi @ (w * f) ** 2 - mean**2,
            "The squared mean is not subtracted.": second,
            "The weight is missing.": mu @ f**2 - (mu @ f) ** 2,
            "The weight is not squared.": mu @ (w * f**2) - mean**2,
            "This is the standard deviation.": exact_variance(pi, mu, f).sqrt(),
            "You divided by the number of actions: asked is the variance of one sample.": (
                exact_variance(pi, mu, f) / 5
            ),
            "The mean is taken without weights.": second - (mu @ f) ** 2,
            "Actions were weighted equally: weigh them by mu.": (w * f).var(correction=0),
            "Actions were weighted equally, with Bessel's correction: weigh them by mu.": (
                w * f
            ).var(),
            "The ratio is inverted: w = pi / mu.": exact_variance(mu * mu / pi, mu, f),
        },
        rtol=1e-8,
    )


@exercise("is_variance")
def test_an_uncovered_action_gives_inf(student: Student, draw: Draw):
    """One action with mu = 0 < pi, and the same one with a tiny probability under pi."""
    mu = draw.probs(4)
    mu[2] = 0.0
    mu = mu / mu.sum()
    f = draw.uniform(1.0, 2.0, 4)
    rare = tensor(0.4, 0.3, 1e-9, 0.3)
    for pi in (draw.probs(4), rare / rare.sum()):
        expect(student.is_variance(pi, mu, f)).close(
            tensor(math.inf)[0],
            "An action with mu = 0 < pi violates the support condition: return inf (not nan, "
            "not the variance of the rest).",
        )


@exercise("is_variance")
def test_an_action_that_neither_draws_contributes_nothing(student: Student, draw: Draw):
    """Two actions with mu = pi = 0 among five."""
    keep = tensor(1, 0, 1, 1, 0)
    pi, mu = draw.probs(5) * keep, draw.probs(5) * keep
    pi, mu = pi / pi.sum(), mu / mu.sum()
    f = draw.normal(5) + tensor(3, 1, -1, 1, 2)
    expect(student.is_variance(pi, mu, f)).close(
        exact_variance(pi, mu, f),
        "An action with mu = pi = 0 contributes nothing: 0 / 0 must not become nan or inf.",
        rtol=1e-8,
    )


@exercise("is_variance")
def test_rare_actions_and_actions_that_pi_avoids(student: Student, draw: Draw):
    """One action with mu = 1e-7, not zero; another one with pi = 0 < mu."""
    pi, mu, f = draw.probs(4), draw.probs(4), draw.uniform(1.0, 2.0, 4)
    pi[3] = 0.0
    mu[1] = 1e-7
    pi, mu = pi / pi.sum(), mu / mu.sum()
    expect(student.is_variance(pi, mu, f)).close(
        exact_variance(pi, mu, f),
        "Only mu = 0 < pi gives inf: a small mu gives a large number. Where pi = 0 < mu the "
        "weight is 0, and mu stays as it is.",
        rtol=1e-8,
    )

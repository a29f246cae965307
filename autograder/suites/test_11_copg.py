"""Hidden suite of 11_copg.

Strategy: importance-sampling estimates are averaged over the sampler by enumeration and compared
with J and with its gradient; every gradient is compared by value. The CoPG objective is compared
with the four-term formula of the paper, written out, and its exact gradient with a sum over all
pairs. Training is compared, step by step, with a second implementation in numpy on small data sets
whose last minibatch wraps around, for a non-uniform reference, and then with the bands that
lr 1e-2 and the paper's samplers give.
"""

import math

import numpy as np
import torch

from autograder.suite import Draw, Student, exercise, expect

DEPENDS = {
    "is_objective": ["importance_weights"],
    "is_gradient_surrogate": ["importance_weights"],
    "copg_loss": ["copg_objective"],
    "copg_equals_rloo_factor": ["copg_objective", "copg_loss"],
    "train_offline_bandit": ["copg_objective", "copg_loss"],
    "support_violation_demo": ["train_offline_bandit", "copg_objective", "copg_loss"],
}

F64 = torch.float64


def tensor(*values):
    return torch.tensor(values, dtype=F64)


# --- importance_weights --------------------------------------------------------------------------

WEIGHT = "w = exp(sum over tokens of (logp - mu_logp)), one number per completion."


def padded_logps(draw):
    """Token log-probabilities of four completions of lengths 6, 1, 3 and 2; zeros at padding.

    One real token is certain under pi, another one under mu: zeros that are not padding.
    """
    real = torch.arange(6) < torch.tensor([6, 1, 3, 2])[:, None]
    logp = -draw.uniform(0.2, 2.0, 4, 6) * real
    mu_logp = -draw.uniform(0.2, 2.0, 4, 6) * real
    logp[2, 1], mu_logp[0, 3] = 0.0, 0.0
    logp[3] = mu_logp[3] / 2  # a weight above 1
    return logp, mu_logp, real


@exercise("importance_weights", weight=2)
def test_one_weight_per_completion_of_a_ragged_batch(student: Student, draw: Draw):
    """Four completions of different lengths, padded with zeros."""
    logp, mu_logp, real = padded_logps(draw)
    difference = logp - mu_logp
    length = real.sum(1)
    want = torch.stack([(row[:n]).sum().exp() for row, n in zip(difference, length, strict=True)])
    ratios = difference.exp()
    both = (logp != 0) & (mu_logp != 0)
    expect(student.importance_weights(logp, mu_logp)).close(
        want,
        WEIGHT,
        mistakes={
            "The ratio is inverted: the target policy pi goes on top.": 1 / want,
            "You averaged the token ratios; probabilities of tokens multiply.": ratios.mean(1),
            "You averaged the token ratios over the real tokens; they multiply.": (
                (ratios * real).sum(1) / length
            ),
            "You averaged the log-ratios (a geometric mean); they add up.": (
                difference.sum(1) / length
            ).exp(),
            "You averaged the log-ratios over padding too; they add up.": difference.mean(1).exp(),
            "You added the token ratios; probabilities of tokens multiply.": ratios.sum(1),
            "A log-probability of 0 is not always padding: a token can be certain.": (
                (difference * both).sum(1).exp()
            ),
            "You clipped the weights: asked is the plain ratio.": want.clamp(max=1),
            "You normalised the weights over the batch.": want / want.sum(),
        },
    )


@exercise("importance_weights")
def test_a_long_completion_does_not_underflow(student: Student, draw: Draw):
    """Completions of 1500 tokens, whose probabilities are too small for a float."""
    mu_logp = -draw.uniform(1.0, 3.0, 2, 1500)
    logp = mu_logp + draw.uniform(-1e-3, 1e-3, 2, 1500)
    want = (logp - mu_logp).sum(1).exp()
    expect(student.importance_weights(logp, mu_logp)).close(
        want,
        "Subtract the log-probabilities before you exponentiate: the products underflow to 0 / 0.",
        rtol=1e-8,
    )


@exercise("importance_weights")
def test_one_completion_with_a_huge_or_a_tiny_weight(student: Student, draw: Draw):
    """A single completion, far more likely under pi than under mu; then far less likely."""
    likely, rare = -draw.uniform(0.1, 0.3, 1, 3), -draw.uniform(11.0, 13.0, 1, 3)
    for logp, mu_logp in ((likely, rare), (rare, likely)):
        expect(student.importance_weights(logp, mu_logp)).close(
            (logp - mu_logp).sum(1).exp(),
            "Clip nothing, and keep the batch dimension of a single completion: the result is [B].",
        )


@exercise("importance_weights")
def test_the_weight_can_be_differentiated(student: Student, draw: Draw):
    """The derivative of w with respect to each token's log-probability is w."""
    logp, mu_logp, _ = padded_logps(draw)
    got = student.grad(
        "importance_weights", logp, mu_logp, wrt=(0,), cotangent=torch.ones(4, dtype=F64)
    )
    message = "The weight depends on pi: keep the graph to logp (dw/dlogp = w)."
    expect(got.requires_grad).true(got.requires_grad and got.grads[0] is not None, message)
    want = (logp - mu_logp).sum(1).exp()[:, None].expand(4, 6)
    expect(got.grads[0]).close(want.contiguous(), message)


# --- is_objective --------------------------------------------------------------------------------


def bandit(draw, arms=4):
    """A policy, a sampler, a reference, rewards of both signs and beta, none of them special."""
    pi, mu, reference = draw.probs(arms), draw.probs(arms), draw.probs(arms)
    rewards = draw.normal(arms) + torch.linspace(-1.5, 2.0, arms, dtype=F64)
    return pi, mu, reference.log(), rewards, float(draw.uniform(0.3, 0.9))


def batch(draw, n=6):
    """A batch of n samples that belong to different prompts."""
    logp, mu_logp, ref = (-draw.uniform(0.3, 2.5, n) for _ in range(3))
    return logp, mu_logp, ref, draw.normal(n) + 0.5, float(draw.uniform(0.3, 0.9))


def is_mistakes(logp, mu_logp, ref, rewards, beta, kl):
    """What typical mistakes return for a batch."""
    w = (logp - mu_logp).exp()
    penalty = w * (logp - ref) if kl is None else kl
    right = w * rewards - beta * penalty
    plain = rewards - beta * (logp - ref) if kl is None else rewards - beta * kl
    normalised = (w * rewards).sum() / w.sum() - beta * (
        (w * (logp - ref)).sum() / w.sum() if kl is None else kl
    )
    return {
        "The log-ratio has no weight: w multiplies all of R_beta.": (
            w * rewards - beta * (logp - ref)
        ).mean(),
        "The weight is missing.": plain.mean(),
        "The weight is inverted: it is pi / mu.": (rewards / w - beta * penalty / w / w).mean()
        if kl is None
        else (rewards / w - beta * kl).mean(),
        "You divided by the sum of the weights: that estimate is biased; divide by N.": (
            normalised if normalised.ndim == 0 else normalised.mean()
        ),
        "The sign of the KL term is wrong: it is subtracted.": (
            w * rewards + beta * penalty
        ).mean(),
        "The KL term is missing.": (w * rewards).mean(),
        "You summed over the samples: take the mean.": right.sum(),
        "This is to be maximised: no minus sign.": -right.mean(),
        "The exact KL divergence is not weighted: w multiplies R only.": (
            w * (rewards - beta * penalty)
        ).mean(),
    }


@exercise("is_objective", weight=2)
def test_the_weight_multiplies_reward_and_log_ratio(student: Student, draw: Draw):
    """The estimate without kl, on a batch of samples of several prompts."""
    logp, mu_logp, ref, rewards, beta = batch(draw)
    want = ((logp - mu_logp).exp() * (rewards - beta * (logp - ref))).mean()
    mistakes = is_mistakes(logp, mu_logp, ref, rewards, beta, None)
    expect(student.is_objective(logp, mu_logp, ref, rewards, beta)).close(
        want, "The estimate is the mean of w R_beta, R_beta = R - beta (logp - ref).", mistakes
    )


@exercise("is_objective", weight=2)
def test_an_exact_kl_is_subtracted_without_weight(student: Student, draw: Draw):
    """The estimate with kl, one number for all samples, then one per sample."""
    logp, mu_logp, ref, rewards, beta = batch(draw, 5)
    w = (logp - mu_logp).exp()
    for kl in (draw.uniform(0.5, 1.5, 1)[0], draw.uniform(0.5, 1.5, 5)):
        expect(student.is_objective(logp, mu_logp, ref, rewards, beta, kl)).close(
            (w * rewards - beta * kl).mean(),
            "With kl, the estimate is the mean of w R - beta kl.",
            is_mistakes(logp, mu_logp, ref, rewards, beta, kl),
        )


@exercise("is_objective")
def test_the_estimate_of_one_sample_is_unbiased(student: Student, draw: Draw):
    """Its average over the sampler, arm by arm, is J(pi); with kl and without."""
    pi, mu, ref, rewards, beta = bandit(draw)
    logp, mu_logp = pi.log(), mu.log()
    kl = pi @ (logp - ref)
    want = pi @ rewards - beta * kl
    for given in (None, kl):
        values = []
        for i in range(len(pi)):
            arm = slice(i, i + 1)
            got = student.is_objective(logp[arm], mu_logp[arm], ref[arm], rewards[arm], beta, given)
            message = "One sample gives one number: a 0-d float64 tensor."
            values.append(expect(got).tensor((), F64, message))
        expect(mu @ torch.stack(values)).close(
            want,
            "The estimate is biased: its average over y ~ mu must be J(pi). Neither "
            "normalise the weights nor clip them.",
        )


@exercise("is_objective")
def test_an_exact_kl_of_zero_is_a_kl(student: Student, draw: Draw):
    """The policy equals its reference, so kl = 0, but the log-ratios given are not 0."""
    logp, mu_logp, ref, rewards, beta = batch(draw, 4)
    got = student.is_objective(logp, mu_logp, ref, rewards, beta, torch.tensor(0.0, dtype=F64))
    expect(got).close(
        ((logp - mu_logp).exp() * rewards).mean(),
        "kl = 0 is a number like any other: ask `kl is None`, not `if kl`.",
    )


def one_extreme_sample(draw):
    """Two batches of one sample: its weight is about exp(27), then exp(-27)."""
    likely, rare = -draw.uniform(0.1, 0.3, 1), -draw.uniform(25.0, 30.0, 1)
    ref, rewards, beta = -draw.uniform(0.3, 2.5, 1), draw.uniform(4.0, 5.0, 1), 0.6
    return [(likely, rare, ref, rewards, beta), (rare, likely, ref, rewards, beta)]


UNCLIPPED = "Weights may be huge or tiny, and the log-ratio large: clip nothing."


@exercise("is_objective")
def test_huge_and_tiny_weights_count_in_full(student: Student, draw: Draw):
    """One sample far more likely under pi than under mu, or far less; without kl and with it."""
    for logp, mu_logp, ref, rewards, beta in one_extreme_sample(draw):
        w = (logp - mu_logp).exp()
        expect(student.is_objective(logp, mu_logp, ref, rewards, beta)).close(
            (w * (rewards - beta * (logp - ref))).mean(), UNCLIPPED
        )
        expect(student.is_objective(logp, mu_logp, ref, rewards, beta, 0 * w)).close(
            (w * rewards).mean(), UNCLIPPED
        )


@exercise("is_objective", weight=2)
def test_nothing_is_detached_in_the_objective(student: Student, draw: Draw):
    """The gradient in logp, w (R_beta - beta) / N without kl, w R / N with kl."""
    logp, mu_logp, ref, rewards, beta = batch(draw, 5)
    w = (logp - mu_logp).exp()
    r_beta = rewards - beta * (logp - ref)
    got = student.grad("is_objective", logp, mu_logp, ref, rewards, beta, wrt=(0,))
    message = "Differentiate through the weight and through R_beta: detach nothing."
    expect(got).true(got.grads[0] is not None, message)
    expect(got.grads[0]).close(
        w * (r_beta - beta) / 5,
        message,
        mistakes={
            "The weight is detached: it depends on pi.": -beta * w / 5,
            "R_beta is detached: it depends on pi.": w * r_beta / 5,
        },
    )
    kl = draw.uniform(0.5, 1.5, 5)
    got = student.grad("is_objective", logp, mu_logp, ref, rewards, beta, kl, wrt=(0, 5))
    message = "With kl, both the weight and kl carry gradients: w R / N and -beta / N."
    expect(got).true(got.grads[0] is not None and got.grads[5] is not None, message)
    expect(got.grads[0]).close(w * rewards / 5, message)
    expect(got.grads[5]).close(torch.full((5,), -beta / 5, dtype=F64), message)


# --- is_gradient_surrogate -----------------------------------------------------------------------

SURROGATE = "The gradient in logp must be w (R_beta - b) / N."


def check_surrogate(student, logp, mu_logp, ref, rewards, beta, *baseline):
    """Compare the gradient in logp with w (R_beta - b) / N."""
    n = len(logp)
    args = (logp, mu_logp, ref, rewards, beta, *baseline)
    value = student.is_gradient_surrogate(*args)
    expect(value).tensor((), F64, "The surrogate is a 0-d float64 tensor: take the mean.")
    got = student.grad("is_gradient_surrogate", *args, wrt=(0,))
    expect(got).true(got.grads[0] is not None, "No gradient reaches logp. " + SURROGATE)
    w = (logp - mu_logp).exp()
    advantage = rewards - beta * (logp - ref) - (baseline[0] if baseline else 0.0)
    expect(got.grads[0]).close(
        w * advantage / n,
        SURROGATE,
        mistakes={
            "The sign is that of a loss: this is to be maximised.": -w * advantage / n,
            "The weight is missing.": advantage / n,
            "You summed over the samples: take the mean.": w * advantage,
            "The gradient counts twice: w is attached and multiplies logp.": w
            * advantage
            * (1 + logp)
            / n,
            "R_beta is attached: its derivative adds a term.": w * (advantage - beta * logp) / n,
            "R_beta is attached inside w R_beta: that is the baseline b = beta too much.": w
            * (advantage - beta)
            / n,
            "The baseline is added: it is subtracted.": w
            * (2 * (rewards - beta * (logp - ref)) - advantage)
            / n,
            "The baseline is ignored.": w * (rewards - beta * (logp - ref)) / n,
            "The KL term is missing: the reward is R_beta.": w
            * (advantage + beta * (logp - ref))
            / n,
            "You normalised the weights.": w * advantage / w.sum(),
            "The baseline is outside the weight: w multiplies R_beta - b.": (
                w * (rewards - beta * (logp - ref)) - (baseline[0] if baseline else 0.0)
            )
            / n,
        },
    )


@exercise("is_gradient_surrogate")
def test_the_gradient_without_a_baseline(student: Student, draw: Draw):
    """Six samples of several prompts, the default baseline."""
    check_surrogate(student, *batch(draw))


@exercise("is_gradient_surrogate")
def test_the_gradient_with_a_baseline(student: Student, draw: Draw):
    """A number as baseline, then one baseline per sample."""
    samples = batch(draw, 5)
    check_surrogate(student, *samples, 1.25)
    check_surrogate(student, *samples, draw.normal(5) + 2.0)


@exercise("is_gradient_surrogate")
def test_the_gradient_of_huge_and_tiny_weights(student: Student, draw: Draw):
    """One sample far more likely under pi than under mu, or far less."""
    for sample in one_extreme_sample(draw):
        check_surrogate(student, *sample)


@exercise("is_gradient_surrogate")
def test_its_expectation_is_the_gradient_of_j(student: Student, draw: Draw):
    """Averaged over the sampler and chained to the logits, for two baselines: always grad J."""
    pi, mu, ref, rewards, beta = bandit(draw)
    r_beta = rewards - beta * (pi.log() - ref)
    want = pi * (r_beta - pi @ r_beta)
    for baseline in (0.0, -1.5):
        per_arm = []
        for i in range(len(pi)):
            arm = slice(i, i + 1)
            got = student.grad(
                "is_gradient_surrogate",
                pi.log()[arm], mu.log()[arm], ref[arm], rewards[arm], beta, baseline,
                wrt=(0,),
            )  # fmt: skip
            expect(got).true(got.grads[0] is not None, "No gradient reaches logp. " + SURROGATE)
            per_arm.append(got.grads[0][0])
        coefficient = mu * torch.stack(per_arm)
        expect(coefficient - pi * coefficient.sum()).close(
            want,
            "On average over y ~ mu this is not the gradient of J. " + SURROGATE,
            rtol=1e-8,
        )


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


# --- copg_objective ------------------------------------------------------------------------------


def pairs(draw, n=5):
    """Log-probabilities, reference log-probabilities and rewards of n pairs, and beta."""
    logp, logp2, ref, ref2 = (-draw.uniform(0.5, 6.0, n) for _ in range(4))
    return logp, logp2, ref, ref2, draw.normal(n) + 1.0, draw.normal(n), 0.35


def four_terms(logp, logp2, ref, ref2, rewards, rewards2, beta, inside=0.5):
    """The paper's equation 7, term by term."""
    h, h2 = logp - ref, logp2 - ref2
    r, r2 = rewards - inside * beta * h, rewards2 - inside * beta * h2
    return (r - r2) * h + (r2 - r) * h2


def objective_mistakes(logp, logp2, ref, ref2, rewards, rewards2, beta):
    """What typical mistakes return, per pair."""
    h, h2 = logp - ref, logp2 - ref2
    right = four_terms(logp, logp2, ref, ref2, rewards, rewards2, beta)
    r, r2 = rewards - beta / 2 * h, rewards2 - beta / 2 * h2
    gap = rewards - rewards2
    return {
        "The sign is that of a loss: the objective is maximised.": -right,
        "You used R_beta: the objective has R_{beta/2}.": four_terms(
            logp, logp2, ref, ref2, rewards, rewards2, beta, inside=1.0
        ),
        "Only the first of the two terms is there.": (r - r2) * h,
        "Only the second of the two terms is there.": (r2 - r) * h2,
        "The second term has the sign of the first: the bracket is reversed.": (r - r2) * (h + h2),
        "The KL term is added to the reward: R_{beta/2} = R - (beta/2) h.": four_terms(
            logp, logp2, ref, ref2, rewards, rewards2, -beta
        ),
        "The reference is missing outside the bracket: multiply by h, not by ln pi.": (r - r2)
        * (logp - logp2),
        "The reference is missing everywhere: h = ln pi - ln pi_ref.": four_terms(
            logp, logp2, 0 * ref, 0 * ref2, rewards, rewards2, beta
        ),
        "The rewards of the two completions are swapped.": four_terms(
            logp, logp2, ref, ref2, rewards2, rewards, beta
        ),
        "The references of the two completions are swapped.": four_terms(
            logp, logp2, ref2, ref, rewards, rewards2, beta
        ),
        "The KL term is missing inside the bracket.": gap * (h - h2),
        "This is the squared form without its factor 1/(2 beta).": gap**2
        - (gap - beta * (h - h2)) ** 2,
        "This is the squared form without the constant.": -((gap - beta * (h - h2)) ** 2)
        / (2 * beta),
        "beta is fixed at 0.5 (or 1) instead of the argument.": four_terms(
            logp, logp2, ref, ref2, rewards, rewards2, 0.5
        ),
        "Each pair gives one number: no mean over the batch.": right.mean().expand(len(h)),
    }


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


# --- train_offline_bandit ------------------------------------------------------------------------


def log_softmax(x):
    return x - x.max() - np.log(np.exp(x - x.max()).sum())


def oracle(method, y, y2, R, ref, beta, steps, lr, batch_size, first_wins=None, slip=""):
    """Regrets of the training run, in numpy and by hand; `slip` names a typical mistake."""
    y, y2, R, ref = (np.asarray(x) for x in (y, y2, R, ref))
    first_wins = None if first_wins is None else np.asarray(first_wins)
    theta = np.zeros(len(R)) if slip == "start at zero" else ref.copy()
    mean, square = np.zeros(len(R)), np.zeros(len(R))
    best = log_softmax((0 if slip == "uniform optimum" else ref) + R / beta)

    def regret():
        log_pi = log_softmax(theta)
        if slip == "sign of the KL term":
            value = np.exp(log_pi) @ (R + beta * (log_pi - ref))
            return beta * np.log(np.exp(ref + R / beta).sum()) - value
        return beta * (np.exp(log_pi) @ (log_pi - best))

    curve = [regret()]
    for step in range(steps):
        rows = (step * batch_size + np.arange(batch_size)) % len(y)
        if slip == "first minibatch":
            rows = np.arange(batch_size) % len(y)
        if slip == "short last minibatch":
            start = step % -(-len(y) // batch_size) * batch_size
            rows = np.arange(start, min(start + batch_size, len(y)))
        if slip == "drops the last pairs":
            rows = step % max(len(y) // batch_size, 1) * batch_size + np.arange(batch_size)
            rows = rows % len(y)
        if slip == "all pairs":
            rows = np.arange(len(y))
        a, b = y[rows], y2[rows]
        log_pi = log_softmax(theta)
        h, pi = log_pi - ref, np.exp(log_pi)
        c, c2 = coefficients(method, a, b, R, h, beta, pi, first_wins, rows, slip, np.exp(ref))
        per_arm = np.bincount(a, c, len(R)) + np.bincount(b, c2, len(R))
        gradient = (per_arm - pi * per_arm.sum()) / len(rows)
        if slip == "gradient descent":
            theta = theta + lr * gradient
        else:
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            fresh = square / (1 - 0.999 ** (step + 1))
            theta = theta + lr * mean / (1 - 0.9 ** (step + 1)) / (np.sqrt(fresh) + 1e-8)
        curve.append(regret())
    return torch.from_numpy(np.array(curve))


def coefficients(method, a, b, R, h, beta, pi, first_wins, rows, slip, reference):
    """What multiplies grad ln pi of the first and of the second arm of each pair (ascent)."""
    r_beta = R - beta * h
    if method == "copg":
        inside = {"detached": 0.5, "R_beta inside": 2.0, "no KL": 0.0}.get(slip, 1.0) * beta
        c = R[a] - R[b] - inside * (h[a] - h[b])
        return (-c, c) if slip == "minimised" else (c, -c)
    if method in ("dpo", "ipo"):
        won = {"always the first": np.ones(len(a), bool), "by rewards": R[a] > R[b]}
        won = won.get(slip, first_wins[rows])
        if slip == "swapped":
            won = ~won
        sign = np.where(won, 1.0, -1.0)
        gap = sign * (h[a] - h[b])
        if slip == "no reference":
            gap = sign * (np.log(pi[a]) - np.log(pi[b]))
        b_ = 1.0 if slip == "no beta" else beta
        if method == "dpo":
            c = sign * b_ / (1 + np.exp(b_ * gap))
        else:
            margin = {"no beta": 0.5, "1 / beta": 1 / beta, "beta / 2": beta / 2}
            c = sign * 2 * (margin.get(slip, 0.5 / beta) - gap)
        return c, -c
    value = R if slip == "no KL" else r_beta
    baseline = {"pg": 0.0, "pg_value": pi @ R, "pg_value_beta": pi @ r_beta}[method]
    other = {
        "E[R]": pi @ R,
        "E[R_beta]": pi @ r_beta,
        "minibatch mean of R": (R[a].mean() + R[b].mean()) / 2,
        "minibatch mean of R_beta": (r_beta[a].mean() + r_beta[b].mean()) / 2,
        "reference mean": reference @ R,
        "no baseline": 0.0,
    }
    baseline = other.get(slip, baseline)
    c, c2 = value[a] - baseline, value[b] - baseline
    if slip == "R_beta attached":
        c, c2 = c - beta * np.log(pi[a]), c2 - beta * np.log(pi[b])
    if slip == "first arm only":
        c2 = 0 * c2
    return c, c2


# Sentences for the slips that a method can have; others never match by chance.
SLIPS = {
    "start at zero": "The policy must start at the reference: theta = ref.",
    "uniform optimum": "pi_* contains the reference: J(pi_*) = beta ln sum pi_ref exp(R/beta).",
    "sign of the KL term": "The regret has the wrong sign of the KL term: J subtracts it.",
    "first minibatch": "Every step used the first minibatch: go through the data.",
    "short last minibatch": "The last minibatch was cut short: indices continue modulo n.",
    "drops the last pairs": "The last pairs were dropped: indices continue modulo n.",
    "all pairs": "Every step used each pair once: use minibatches of batch_size, modulo n.",
    "gradient descent": "This is plain gradient descent: use Adam.",
    "detached": "R_{beta/2} is detached in the CoPG objective.",
    "R_beta inside": "The CoPG objective has R_{beta/2}, not R_beta.",
    "no KL": "The KL term is missing from the reward.",
    "minimised": "The CoPG objective is maximised, not minimised.",
    "R_beta attached": "R_beta must be detached in the policy-gradient rows.",
    "first arm only": "Both arms of a pair are updated.",
    "E[R]": "The baseline is E_pi[R]; this method's differs.",
    "E[R_beta]": "The baseline of this method is not E_pi[R_beta].",
    "minibatch mean of R": "The baseline is an exact expectation under pi, not a batch mean of R.",
    "minibatch mean of R_beta": "The baseline is an expectation under pi, not a batch mean.",
    "reference mean": "The baseline is an expectation under pi, not under the reference.",
    "no baseline": "The baseline is missing.",
    "always the first": "The labels were ignored: the first arm does not always win.",
    "by rewards": "The winner was decided by the rewards: the labels are data.",
    "swapped": "Winner and loser are swapped.",
    "no beta": "beta is missing: ln sigmoid(beta gap), and 1/(2 beta) for IPO.",
    "1 / beta": "IPO's margin is 1/(2 beta), not 1/beta.",
    "beta / 2": "IPO's margin is 1/(2 beta), not beta/2.",
    "no reference": "The gap is a difference of h = ln pi - ln pi_ref.",
}


def small_run(draw, batch_size=4):
    """Eleven pairs of four arms, labels that contradict the rewards at times.

    In the first minibatch no arm wins as often as it loses: its first gradient would be zero
    but for rounding, and Adam divides by that.
    """
    rewards = tensor(2.0, 0.6, -0.4, -1.6) + draw.uniform(-0.2, 0.2, 4)
    ref = (tensor(0.45, 0.25, 0.2, 0.1).log() + draw.uniform(-0.2, 0.2, 4)).log_softmax(0)
    y = np.array([0, 3, 1, 2, 3, 0, 2, 3, 3, 1, 2])
    y2 = np.array([3, 1, 2, 3, 3, 2, 0, 2, 1, 1, 3])
    wins = np.array([1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1], dtype=bool)
    balance = np.zeros(4)
    while not balance.all():
        order = np.array(draw.shuffled(range(11)))
        first = order[np.arange(batch_size) % 11]
        sign = np.where(wins[first], 1.0, -1.0)
        balance = np.bincount(y[first], sign, 4) - np.bincount(y2[first], sign, 4)
    pairs = {"y": torch.from_numpy(y[order]), "y2": torch.from_numpy(y2[order])}
    run = {"R": rewards, "ref": ref, "beta": 0.4, "steps": 24, "lr": 0.05}
    return pairs | run | {"batch_size": batch_size}, torch.from_numpy(wins[order])


def check_run(student, draw, method, slips, batch_size=4):
    """Compare 25 regrets with the oracle's; a positive factor on the objective is allowed."""
    run, wins = small_run(draw, batch_size)
    got = student.train_offline_bandit(method, first_wins=wins, **run)
    expect(got).tensor(
        (25,), F64, "Return steps + 1 regrets, float64: before the first step and after each."
    )
    common = (
        "start at zero", "uniform optimum", "sign of the KL term", "gradient descent",
        "first minibatch", "short last minibatch", "drops the last pairs", "all pairs",
    )  # fmt: skip
    expect(got).close(
        oracle(method, first_wins=wins, **run),
        "The regrets are not those of this method on these pairs. See the table for its objective, "
        "and the docstring for the minibatches, the start and the optimiser.",
        mistakes={
            SLIPS[slip]: oracle(method, first_wins=wins, slip=slip, **run)
            for slip in (*common, *slips)
        },
        rtol=1e-5,  # a factor on the objective moves Adam's steps, by its epsilon
    )


@exercise("train_offline_bandit", weight=3)
def test_copg_step_by_step(student: Student, draw: Draw):
    """24 steps of CoPG on eleven pairs, in minibatches of four."""
    check_run(student, draw, "copg", ("detached", "R_beta inside", "no KL", "minimised"))


@exercise("train_offline_bandit", weight=2)
def test_pg_without_baseline_step_by_step(student: Student, draw: Draw):
    """24 steps of policy gradient with b = 0."""
    check_run(
        student, draw, "pg", ("no KL", "R_beta attached", "first arm only", "E[R]", "E[R_beta]")
    )


BASELINES = (
    "no baseline", "minibatch mean of R", "minibatch mean of R_beta", "reference mean",
    "R_beta attached", "first arm only",
)  # fmt: skip


@exercise("train_offline_bandit", weight=2)
def test_pg_with_the_value_baseline_step_by_step(student: Student, draw: Draw):
    """24 steps of policy gradient with b = E_pi[R], R without its KL term."""
    check_run(student, draw, "pg_value", ("E[R_beta]", *BASELINES))


@exercise("train_offline_bandit", weight=2)
def test_pg_with_the_regularised_baseline_step_by_step(student: Student, draw: Draw):
    """24 steps of policy gradient with b = E_pi[R_beta]."""
    check_run(student, draw, "pg_value_beta", ("E[R]", *BASELINES))


LABELS = ("always the first", "by rewards", "swapped", "no beta", "no reference")


@exercise("train_offline_bandit", weight=2)
def test_dpo_step_by_step(student: Student, draw: Draw):
    """24 steps of DPO with labels that at times contradict the rewards."""
    check_run(student, draw, "dpo", LABELS)


@exercise("train_offline_bandit", weight=2)
def test_ipo_step_by_step(student: Student, draw: Draw):
    """24 steps of IPO in minibatches of 25, which go more than twice round the eleven pairs."""
    check_run(student, draw, "ipo", (*LABELS, "1 / beta", "beta / 2"), batch_size=25)


def offline_data(draw, n=3000):
    """Pairs of the paper's samplers, their labels both ways, and the paper's bandit."""
    mu1, mu2 = (0.1, 0.2, 0.7), (0.05, 0.05, 0.9)
    y, y2 = (torch.from_numpy(draw.numpy.choice(3, n, p=mu)) for mu in (mu1, mu2))
    rewards, ref = tensor(2.5, 2.0, 1.0), torch.full((3,), 1 / 3, dtype=F64).log()
    return {"y": y, "y2": y2, "R": rewards, "ref": ref, "beta": 0.5}


@exercise("train_offline_bandit")
def test_copg_with_the_defaults_reaches_the_optimum(student: Student, draw: Draw):
    """The paper's samplers and all defaults: 2000 steps, lr 1e-2, minibatches of 512."""
    data = offline_data(draw)
    message = "By default there are 2000 steps, thus 2001 regrets, float64."
    curve = expect(student.train_offline_bandit("copg", **data)).tensor((2001,), F64, message)
    expect(curve[:301]).close(
        oracle("copg", steps=300, lr=1e-2, batch_size=512, **data),
        "By default lr is 1e-2 and batch_size is 512; Adam's other options are torch's defaults.",
        rtol=2e-6,
    )
    expect(curve).true(
        float(curve[1000]) < 1e-6 and float(curve[-1]) < 1e-6,
        "CoPG must have reached pi_* after 1000 steps, and stay there.",
    )


@exercise("train_offline_bandit", weight=2)
def test_both_failing_baselines_end_where_they_must(student: Student, draw: Draw):
    """The paper's samplers, a larger lr: b = 0 and b = E_pi[R] after some hundred steps."""
    data = offline_data(draw)

    def last(method, steps):
        curve = student.train_offline_bandit(method, steps=steps, lr=0.1, batch_size=256, **data)
        shape = "Return steps + 1 regrets, float64: before the first step and after each."
        return float(expect(curve).tensor((steps + 1,), F64, shape)[-1])

    expect(data).true(
        last("pg", 75) > 0.5,
        "Offline, PG with b = 0 must get worse than the reference: it reinforces the data. Are "
        "the samples your own, or weighted?",
    )
    expect(data).true(
        0.008 < last("pg_value", 125) < 0.025,
        "PG with b = E_pi[R] must end on its plateau: R without the KL term, and no weights.",
    )


@exercise("train_offline_bandit")
def test_dpo_with_sure_labels_drifts_to_the_greedy_policy(student: Student, draw: Draw):
    """Deterministic labels, a larger lr: the regret falls first and rises again."""
    data = offline_data(draw)
    wins = data["R"][data["y"]] > data["R"][data["y2"]]
    curve = student.train_offline_bandit(
        "dpo", steps=250, lr=0.1, batch_size=256, first_wins=wins, **data
    )
    message = "Return steps + 1 regrets, float64: before the first step and after each."
    curve = expect(curve).tensor((251,), F64, message)
    expect(curve).true(
        float(curve[-1]) > 0.08 and float(curve.min()) < 0.05,
        "With deterministic labels DPO must pass near pi_* and then drift to the greedy policy.",
    )


@exercise("train_offline_bandit")
def test_an_unknown_method_is_refused(student: Student, draw: Draw):
    """A method that is none of the six raises ValueError."""
    run, wins = small_run(draw)
    for method in ("rloo", "PG", "", "pg_beta"):
        raised = student.raised("train_offline_bandit", method, first_wins=wins, **run)
        expect(raised).equals(
            "ValueError", "Raise ValueError for a method that is none of the six."
        )


# --- support_violation_demo ----------------------------------------------------------------------


def settled(y, y2, rewards, ref, beta):
    """Regret of the policy at which CoPG settles; dictionary of mistaken predictions."""
    seen = sorted({int(arm) for arm in torch.cat([y, y2])})
    unseen = [arm for arm in range(len(rewards)) if arm not in seen]
    best = (ref + rewards / beta).log_softmax(0)

    def regret_of(logits):
        log_pi = logits.log_softmax(0)
        return float(beta * (log_pi.exp() @ (log_pi - best)))

    logits = ref.clone()
    average = sum(float(rewards[arm]) for arm in seen) / len(seen)
    for arm in seen:
        logits[arm] += (float(rewards[arm]) - average) / beta
    want = regret_of(logits)

    frozen = ref.exp()
    share = (best[seen]).softmax(0)
    frozen[seen] = share * (1 - float(frozen[unseen].sum()))
    uncentred = ref.clone()
    uncentred[seen] += rewards[seen] / beta
    only_y = ref.clone()
    half = sorted({int(arm) for arm in y})
    only_y[half] += (rewards[half] - rewards[half].mean()) / beta
    dropped = ref.clone()
    dropped[unseen] = -60.0
    dropped[seen] += rewards[seen] / beta
    no_ref = torch.zeros_like(ref)
    no_ref[seen] = (rewards[seen] - rewards[seen].mean()) / beta
    return want, {
        "You predict convergence: nothing in the data moves an unseen arm.": 0.0,
        "You kept the probability of unseen arms: it is their logit that stays.": regret_of(
            frozen.log()
        ),
        "The constant is missing: the sum of the seen logits is conserved.": regret_of(uncentred),
        "An arm is seen if it is in y or in y2.": regret_of(only_y),
        "Unseen arms do not vanish: their logit stays at ref.": regret_of(dropped),
        "The reference is ignored in the plateau.": regret_of(no_ref),
        "You predict that nothing is learnt.": regret_of(ref),
        "You centred by the mean over all arms: only the seen logits move.": regret_of(
            _centred_over_all(ref, rewards, beta, seen)
        ),
    }


def _centred_over_all(ref, rewards, beta, seen):
    logits = ref.clone()
    logits[seen] += (rewards[seen] - rewards.mean()) / beta
    return logits


PLATEAU = (
    "The plateau is the regret of the policy whose unseen arms keep ref and whose seen arms have "
    "ref + R/beta + c, the sum of the seen logits unchanged."
)


def two_parts(got):
    message = "Return two things: the curve and the plateau."
    expect(got).true(isinstance(got, tuple | list) and len(got) == 2, message)
    return got


@exercise("support_violation_demo", weight=2)
def test_the_plateau_is_predicted_not_measured(student: Student, draw: Draw):
    """Arms missing from the data at different places, a non-uniform reference, three steps only."""
    rewards = tensor(2.0, -0.5, 1.2, 0.1) + draw.uniform(-0.2, 0.2, 4)
    ref = (tensor(0.1, 0.4, 0.3, 0.2).log() + draw.uniform(-0.2, 0.2, 4)).log_softmax(0)
    for first, second in (((1, 3, 3), (3, 1, 3)), ((0, 0, 2), (1, 2, 1)), ((2, 2, 3), (1, 1, 1))):
        y, y2 = torch.tensor(first), torch.tensor(second)
        want, mistakes = settled(y, y2, rewards, ref, 0.6)
        _, plateau = two_parts(student.support_violation_demo(y, y2, rewards, ref, 0.6, 3, 0.01, 2))
        expect(plateau).close(want, PLATEAU, mistakes, rtol=1e-8, scale=1.0)


@exercise("support_violation_demo")
def test_full_support_leaves_no_plateau(student: Student, draw: Draw):
    """All arms are in the data, some only in y, some only in y2: the plateau is zero."""
    rewards, ref = draw.normal(3) + tensor(1, 0, -1), draw.probs(3).log()
    y, y2 = torch.tensor([0, 0, 0, 1]), torch.tensor([1, 2, 1, 2])
    _, plateau = two_parts(student.support_violation_demo(y, y2, rewards, ref, 0.5, 3, 0.01, 4))
    expect(plateau).close(
        0.0, "When all arms are seen, CoPG ends at pi_*: the plateau is 0.", rtol=1e-9, scale=1.0
    )


@exercise("support_violation_demo", weight=2)
def test_the_curve_is_copg_on_the_pairs_as_they_are(student: Student, draw: Draw):
    """Twenty steps on pairs of two arms out of three; nothing is added to the data."""
    rewards, ref = tensor(2.5, 2.0, 1.0), tensor(0.2, 0.5, 0.3).log()
    y = torch.tensor(draw.shuffled([1, 2, 2, 2, 1, 2, 2]))
    y2 = torch.tensor(draw.shuffled([2, 2, 1, 2, 2, 1, 1]))
    y[0], y2[0] = 1, 2
    curve, _ = two_parts(student.support_violation_demo(y, y2, rewards, ref, 0.5, 20, 0.03, 3))
    everything = torch.cartesian_prod(torch.arange(3), torch.arange(3)).T
    smooth, smooth2 = (torch.cat([a, b]) for a, b in zip((y, y2), everything, strict=True))
    expect(curve).close(
        oracle("copg", y, y2, rewards, ref, 0.5, 20, 0.03, 3),
        "The curve is that of train_offline_bandit('copg', ...) with all the arguments given.",
        mistakes={
            "You smoothed the data: train on the pairs as they are.": oracle(
                "copg", smooth, smooth2, rewards, ref, 0.5, 20, 0.03, 3
            ),
            "The method is not CoPG.": oracle("pg", y, y2, rewards, ref, 0.5, 20, 0.03, 3),
            "lr is not passed on.": oracle("copg", y, y2, rewards, ref, 0.5, 20, 0.01, 3),
            "batch_size is not passed on.": oracle("copg", y, y2, rewards, ref, 0.5, 20, 0.03, 512),
        },
        rtol=2e-6,
    )


@exercise("support_violation_demo")
def test_minibatches_have_512_pairs_by_default(student: Student, draw: Draw):
    """1100 pairs in blocks of the same arms, thirty steps, batch_size not given."""
    rewards, ref = tensor(2.5, 2.0, 1.0, 0.3), tensor(0.2, 0.4, 0.3, 0.1).log()
    y = torch.tensor([1] * 300 + [2] * 300 + [3] * 300 + [1] * 200)
    y2 = torch.tensor([2] * 200 + [3] * 500 + [1] * 150 + [2] * 250)
    curve, _ = two_parts(student.support_violation_demo(y, y2, rewards, ref, 0.5, 30, 0.03))
    expect(curve).close(
        oracle("copg", y, y2, rewards, ref, 0.5, 30, 0.03, 512),
        "Keep the default batch_size=512 and pass it on to train_offline_bandit.",
        rtol=2e-6,
    )


@exercise("support_violation_demo")
def test_the_curve_ends_on_the_plateau(student: Student, draw: Draw):
    """Arm 0 missing, the paper's samplers otherwise, 1000 steps: the regret stays at 0.226."""
    n = 2000
    y = torch.from_numpy(draw.numpy.choice([1, 2], n, p=[2 / 9, 7 / 9]))
    y2 = torch.from_numpy(draw.numpy.choice([1, 2], n, p=[1 / 19, 18 / 19]))
    ref = torch.full((3,), 1 / 3, dtype=F64).log()
    curve, plateau = two_parts(
        student.support_violation_demo(y, y2, tensor(2.5, 2.0, 1.0), ref, 0.5, batch_size=128)
    )
    shape = "By default the curve has 1000 steps, thus 1001 regrets, float64."
    curve = expect(curve).tensor((1001,), F64, shape)
    message = "Without arm 0 the regret must stay above 0.1, and end on the predicted plateau."
    expect(float(curve[-1])).close(0.2259746551071053, message, rtol=1e-4)
    expect(plateau).close(0.2259746551071053, message, rtol=1e-8)

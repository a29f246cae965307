"""Sections 1 to 3 of 11_copg. Weights, the reweighted objective, and its gradient."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, bandit

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

"""Hidden suite of 10_rloo.

Strategy: nothing is sampled. Divergences are compared with torch.distributions, the policy gradient
with central differences of the objective, and every claim of bias or unbiasedness with a sum over
all tuples of outcomes. Optimal baselines are the vertex of the parabola through three exact
variances. Surrogates are judged by the value of their gradients only, on samples that do not come
from the policy, since on-policy a missing detach can cancel.
"""

import itertools

import torch

from autograder.suite import Draw, Student, exercise, expect

DEPENDS = {
    "sequence_kl": ["kl_divergence"],
    "policy_gradient_exact": ["regularized_reward"],
    "reinforce_surrogate": ["regularized_reward"],
    "rloo_advantages": ["loo_baseline", "regularized_reward"],
    "rloo_gradient": ["rloo_advantages", "loo_baseline", "regularized_reward"],
    "optimal_baseline_vector": ["optimal_baseline_scalar"],
    "rloo_bias_without_replacement": ["loo_baseline", "rloo_advantages", "rloo_gradient"],
}
FORBIDDEN = {
    "kl_divergence": ["torch.distributions", "torch.nn.functional.kl_div", "torch.kl_div"],
}

DOUBLE = torch.float64


def categorical_kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """KL over the last dimension, by torch.distributions."""
    first, second = (torch.distributions.Categorical(probs=each) for each in (p, q))
    return torch.distributions.kl_divergence(first, second)


def softmax_scores(probs: torch.Tensor) -> torch.Tensor:
    """Row y is the score e_y - pi of a softmax policy."""
    return torch.eye(len(probs), dtype=DOUBLE) - probs


def objective(theta: torch.Tensor, R: torch.Tensor, ref: torch.Tensor, beta: float) -> float:
    """J(theta) = E[R] - beta KL."""
    pi = theta.softmax(0)
    return float((pi * R).sum() - beta * (pi * (pi / ref).log()).sum())


def slopes(theta: torch.Tensor, R: torch.Tensor, ref: torch.Tensor, beta: float) -> torch.Tensor:
    """Gradient of J by Richardson-extrapolated central differences: error below 1e-10."""

    def central(h: float) -> torch.Tensor:
        steps = h * torch.eye(len(theta), dtype=DOUBLE)
        pairs = [(objective(theta + s, R, ref, beta), objective(theta - s, R, ref, beta))
                 for s in steps]  # fmt: skip
        return torch.tensor([(up - down) / (2 * h) for up, down in pairs], dtype=DOUBLE)

    return (4 * central(1e-3) - central(2e-3)) / 3


def mean_over_tuples(probs, K, value):
    """Sum of probability times value(tuple) over all ordered K-tuples."""
    total = 0.0
    for y in itertools.product(range(len(probs)), repeat=K):
        total = total + probs[list(y)].prod() * value(y)
    return total


def lowest_point(variance) -> torch.Tensor:
    """Where a parabola has its minimum, from three of its values."""
    left, middle, right = variance(-1.0), variance(0.0), variance(1.0)
    return (left - right) / (2 * (left - 2 * middle + right))


def trace_variance(probs, A, G, b):
    """Trace of the covariance of (A - b) g."""
    x = (A - b)[:, None] * G
    return (probs[:, None] * x**2).sum() - ((probs[:, None] * x).sum(0) ** 2).sum()


def bandit(draw: Draw, V: int):
    """A softmax policy, distinct rewards of both signs and a reference that is not the policy."""
    theta = torch.tensor(draw.shuffled([0.8, -0.6, 0.3, -1.1, 1.2][:V]), dtype=DOUBLE)
    R = torch.tensor(draw.shuffled([2.0, -1.5, 0.7, 3.1, -0.4][:V]), dtype=DOUBLE)
    ref = torch.tensor(draw.shuffled([0.7, 0.1, 0.4, 1.0, 0.2][:V]), dtype=DOUBLE)
    theta, R = theta + draw.uniform(-0.1, 0.1, V), R + draw.uniform(-0.1, 0.1, V)
    return theta, R, ref / ref.sum(), float(draw.uniform(0.3, 0.8))


# kl_divergence


@exercise("kl_divergence", weight=2)
def test_each_row_is_the_divergence_of_p_from_q(student: Student, draw: Draw):
    """A batch of strictly positive distributions, against torch.distributions."""
    p, q = draw.probs(3, 5), draw.probs(3, 5)
    want = categorical_kl(p, q)
    expect(student.kl_divergence(p, q)).close(
        want,
        "KL(p || q) is the sum over the last dimension of p ln(p / q), one value per row.",
        mistakes={
            "You computed KL(q || p): the weights are those of the first argument.":
                categorical_kl(q, p),
            "You took absolute values: single terms may be negative.":
                (p * (p / q).log()).abs().sum(-1),
            "You averaged over the outcomes instead of summing.": want / 5,
            "You summed over the batch as well.": want.sum(),
            "You averaged over the batch as well.": want.mean(),
            "You took logarithms to base 2: the answer is in nats.":
                want / torch.tensor(2.0, dtype=DOUBLE).log(),
            "You left out the weights p.": (p / q).log().sum(-1),
        },
    )  # fmt: skip


@exercise("kl_divergence")
def test_outcomes_that_p_never_produces_cost_nothing(student: Student, draw: Draw):
    """Zeros in p, with and without a zero of q at the same place."""
    p, q = draw.probs(4), draw.probs(4)
    pad = torch.zeros(1, dtype=DOUBLE)
    left = torch.stack([torch.cat([pad, p, pad]), torch.cat([p, pad, pad])])
    right = torch.stack([torch.cat([pad, q, pad]), torch.cat([q * 0.75, pad, pad + 0.25])])
    want = torch.stack([(p * (p / q).log()).sum(), (p * (p / (q * 0.75)).log()).sum()])
    expect(student.kl_divergence(left, right)).close(
        want, "0 ln 0 counts as 0, also where q is 0; in floating point 0 * log(0) is nan."
    )


@exercise("kl_divergence")
def test_outcomes_that_only_p_produces_cost_infinitely_much(student: Student, draw: Draw):
    """A zero of q where p is positive, in one row of two."""
    p, q = draw.probs(2, 4), draw.probs(2, 4)
    q[1, draw.integer(0, 4)] = 0.0
    q[1] /= q[1].sum()
    want = torch.stack([categorical_kl(p[0], q[0]), torch.tensor(torch.inf, dtype=DOUBLE)])
    expect(student.kl_divergence(p, q)).close(
        want,
        "Where p > 0 and q = 0 the divergence is +inf, not a large number: do not clip or "
        "replace it.",
    )


@exercise("kl_divergence")
def test_leading_dimensions_and_dtype_stay(student: Student, draw: Draw):
    """Two vectors, then a float32 batch with two leading dimensions."""
    p, q = draw.probs(6), draw.probs(6)
    expect(student.kl_divergence(p, q)).close(
        categorical_kl(p, q), "Two vectors give a 0-d tensor: sum over the last dimension only."
    )
    p, q = draw.probs(2, 3, 4), draw.probs(2, 3, 4)
    expect(student.kl_divergence(p.float(), q.float())).close(
        categorical_kl(p, q).float(),
        "Sum over the last dimension only: probabilities [A, B, V] in float32 give [A, B] in "
        "float32.",
        rtol=1e-5,
        scale=1.0,
    )


@exercise("kl_divergence")
def test_a_very_small_probability_is_not_zero(student: Student, draw: Draw):
    """A tiny probability of q, then one of p where q has none."""
    a = float(draw.uniform(0.3, 0.6))
    p, q = torch.tensor([a, 1 - a], dtype=DOUBLE), torch.tensor([1e-30, 1.0], dtype=DOUBLE)
    expect(student.kl_divergence(p, q)).close(
        (p * (p / q).log()).sum(),
        "A very small probability of q makes the divergence large, not infinite, and its "
        "logarithm is not to be clipped: compare with 0 exactly.",
    )
    p, q = q, torch.tensor([0.0, 1.0], dtype=DOUBLE)
    expect(student.kl_divergence(p, q)).close(
        torch.tensor(torch.inf, dtype=DOUBLE),
        "p > 0 and q = 0 gives +inf, however small p is: compare with 0 exactly.",
    )


@exercise("kl_divergence")
def test_a_large_vocabulary_and_a_huge_divergence(student: Student, draw: Draw):
    """1500 outcomes, one of which q all but excludes (1e-200)."""
    p, q = draw.probs(1500), draw.probs(1500)
    p[1400] += 1.0
    q[1400] = 1e-200
    p, q = p / p.sum(), q / q.sum()
    expect(student.kl_divergence(p, q)).close(
        (p * (p.log() - q.log())).sum(),
        "All outcomes count, and a tiny q is not zero: the divergence is large but finite.",
    )


# kl_estimators


def log_ratios(draw: Draw):
    """Log-probabilities [2, 3] with differences of both signs, well away from 0."""
    logp = -draw.uniform(0.5, 2.0, 2, 3)
    signs = torch.tensor([[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]], dtype=DOUBLE)
    delta = signs * draw.uniform(0.4, 1.2, 2, 3)
    return logp, logp - delta, delta


def estimators(student: Student, logp: torch.Tensor, ref_logp: torch.Tensor):
    """The student's three estimators."""
    got = student.kl_estimators(logp, ref_logp)
    expect(got).true(isinstance(got, tuple) and len(got) == 3, "Return the tuple (k1, k2, k3).")
    return got


@exercise("kl_estimators")
def test_k1_is_the_log_ratio(student: Student, draw: Draw):
    """Samples with log-ratios of both signs: k1."""
    logp, ref_logp, delta = log_ratios(draw)
    expect(estimators(student, logp, ref_logp)[0]).close(
        delta,
        "k1 is ln pi(y) - ln pi_ref(y), one value per sample.",
        mistakes={
            "The sign of k1 is reversed: it is negative where the reference likes y better.":
                -delta,
            "You averaged over the samples: return one value for each.": delta.mean(),
            "You took the absolute value: k1 may be negative.": delta.abs(),
        },
    )  # fmt: skip


@exercise("kl_estimators")
def test_k2_is_half_the_square(student: Student, draw: Draw):
    """Samples with log-ratios of both signs: k2."""
    logp, ref_logp, delta = log_ratios(draw)
    expect(estimators(student, logp, ref_logp)[1]).close(
        delta**2 / 2,
        "k2 is half the squared log-ratio, one value per sample.",
        mistakes={
            "You forgot the factor one half of k2.": delta**2,
            "You averaged over the samples: return one value for each.": (delta**2).mean() / 2,
        },
    )


@exercise("kl_estimators")
def test_k3_is_right_for_samples_from_pi(student: Student, draw: Draw):
    """Samples with log-ratios of both signs: k3."""
    logp, ref_logp, delta = log_ratios(draw)
    want = (-delta).exp() - 1 + delta
    expect(estimators(student, logp, ref_logp)[2]).close(
        want,
        "k3 is exp(-delta) - 1 + delta with delta = ln pi - ln pi_ref, one value per sample.",
        mistakes={
            "k3 has the ratio inverted: for samples from pi it is exp(-delta).":
                delta.exp() - 1 - delta,
            "The sign of the linear term of k3 is wrong: its mean is then not the divergence.":
                (-delta).exp() - 1 - delta,
            "You forgot the -1 of k3.": (-delta).exp() + delta,
            "You averaged over the samples: return one value for each.": want.mean(),
        },
    )  # fmt: skip


@exercise("kl_estimators")
def test_means_under_the_policy_are_the_divergence(student: Student, draw: Draw):
    """The exact mean of k1 and k3 over all outcomes of a policy, in float32 and float64."""
    pi, ref = draw.probs(5), draw.probs(5).flip(0)
    truth = categorical_kl(pi, ref)
    for dtype in (torch.float64, torch.float32):
        k1, _, k3 = estimators(student, pi.to(dtype).log(), ref.to(dtype).log())
        for k in (k1, k3):
            tensor = expect(k).tensor((5,), dtype, "Keep shape and dtype of the log-probabilities.")
            expect((pi * tensor.double()).sum()).close(
                truth,
                "The mean of k1 and of k3 over y ~ pi must be KL(pi || pi_ref).",
                rtol=1e-9 if dtype is DOUBLE else 1e-5,
                scale=1.0,
            )


@exercise("kl_estimators")
def test_gradients_reach_the_log_probabilities(student: Student, draw: Draw):
    """The derivative of each estimator with respect to both log-probabilities."""
    logp, ref_logp, delta = log_ratios(draw)
    weights = draw.uniform(0.5, 1.5, 2, 3)
    slopes_in_delta = (torch.ones_like(delta), delta, 1 - (-delta).exp())
    for item, slope in enumerate(slopes_in_delta):
        got = student.grad(
            "kl_estimators", logp, ref_logp, wrt=(0, 1), item=item, cotangent=weights
        )
        for position, sign in ((0, 1), (1, -1)):
            expect(got.grads[position]).close(
                sign * weights * slope,
                "The estimators must be differentiable in both log-probabilities, with the "
                "derivatives 1, delta and 1 - exp(-delta): keep the graph.",
            )


@exercise("kl_estimators")
def test_long_completions_and_large_log_ratios(student: Student, draw: Draw):
    """Log-probabilities of long completions [3, 1], far from the reference on either side."""
    for sign in (1.0, -1.0):
        logp = -draw.uniform(850.0, 950.0, 3, 1)
        delta = sign * draw.uniform(28.0, 32.0, 3, 1)
        got = estimators(student, logp, logp - delta)
        wants = (delta, delta**2 / 2, (-delta).exp() - 1 + delta)
        for k, want in zip(got, wants, strict=True):
            expect(k).close(
                want,
                "Keep every shape, also a dimension of size 1. Subtract the logarithms first, the "
                "probability of a long completion underflows to 0; and do not clip the ratio.",
            )


# sequence_kl


def completions(draw: Draw):
    """Logits of two policies [3, 5, 4] and a mask with prompts and padding on both sides."""
    mask = torch.tensor([[0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=DOUBLE)
    return draw.normal(3, 5, 4), draw.normal(3, 5, 4), mask[torch.tensor(draw.shuffled(range(3)))]


@exercise("sequence_kl", weight=2)
def test_exact_token_divergences_are_summed_over_the_completion(student: Student, draw: Draw):
    """A ragged batch with prompt before and padding after the completion."""
    logits, ref_logits, mask = completions(draw)
    tokens = categorical_kl(logits.softmax(-1), ref_logits.softmax(-1))
    reverse = categorical_kl(ref_logits.softmax(-1), logits.softmax(-1))
    want = (tokens * mask).sum(1)
    shifted = (tokens[:, :-1] * mask[:, 1:]).sum(1)
    expect(student.sequence_kl(logits, ref_logits, mask)).close(
        want,
        "Sum the exact KL(pi || pi_ref) of the next-token distributions over the positions whose "
        "mask is 1.",
        mistakes={
            "You averaged over the tokens: sum them, a long completion has moved further.":
                want / mask.sum(1),
            "You divided by the number of positions: sum over them.": want / 5,
            "You counted prompt and padding: apply completion_mask.": tokens.sum(1),
            "You computed the reverse divergence KL(pi_ref || pi).": (reverse * mask).sum(1),
            "You shifted the logits: position t already predicts token t.": shifted,
            "You summed over the batch as well: one value per completion.": want.sum(),
            "You averaged over the batch as well: one value per completion.": want.mean(),
            "The mask is inverted: 1 marks the completion.": (tokens * (1 - mask)).sum(1),
        },
    )  # fmt: skip


@exercise("sequence_kl")
def test_its_mean_is_the_divergence_of_sequences(student: Student, draw: Draw):
    """All sequences of a small language with an end token, weighted by the policy."""
    V, T = 3, 3
    tables = [{h: draw.normal(V) for n in range(T) for h in itertools.product(range(V), repeat=n)}
              for _ in range(2)]  # fmt: skip
    rows, masks, logps = [], [], []
    for y in itertools.product(range(V), repeat=T):
        ends = [t for t in range(T) if y[t] == 0]
        n = ends[0] + 1 if ends else T
        if any(y[n:]):
            continue  # what follows the end token is padding: keep one copy
        rows.append([torch.stack([table[y[:t]] for t in range(T)]) for table in tables])
        masks.append([1.0] * n + [0.0] * (T - n))
        logps.append([sum(table[y[:t]].log_softmax(0)[y[t]] for t in range(n))
                      for table in tables])  # fmt: skip
    logits, ref_logits = (torch.stack(each) for each in zip(*rows, strict=True))
    logp, ref_logp = (torch.stack(each) for each in zip(*logps, strict=True))
    truth = (logp.exp() * (logp - ref_logp)).sum()
    got = student.sequence_kl(logits, ref_logits, torch.tensor(masks, dtype=DOUBLE))
    value = expect(got).tensor((len(rows),), DOUBLE, "Return one float64 value per completion.")
    expect((logp.exp() * value).sum()).close(
        truth,
        "The mean over y ~ pi of the summed token divergences must be the divergence of "
        "sequences (chain rule), the end token included.",
    )


@exercise("sequence_kl")
def test_masks_of_every_dtype_mean_the_same(student: Student, draw: Draw):
    """The same mask as booleans and as integers, and a completion of length zero."""
    logits, ref_logits, mask = completions(draw)
    mask[0] = 0
    tokens = categorical_kl(logits.softmax(-1), ref_logits.softmax(-1))
    for dtype in (torch.bool, torch.int64, torch.float32):
        expect(student.sequence_kl(logits, ref_logits, mask.to(dtype))).close(
            (tokens * mask).sum(1),
            "The mask may be boolean, integer or floating; a row without completion tokens "
            "gives 0, and the result has the dtype of the logits.",
        )
    expect(student.sequence_kl(logits.float(), ref_logits.float(), mask)).close(
        (tokens * mask).sum(1).float(),
        "With float32 logits the result is float32, whatever the dtype of the mask.",
    )


@exercise("sequence_kl")
def test_extreme_logits_stay_finite(student: Student, draw: Draw):
    """Logits so far apart that a softmax underflows."""
    gap = float(draw.uniform(900, 1100))
    logits = torch.tensor([[[0.0, gap, 0.0], [gap, 0.0, 0.0]]], dtype=DOUBLE)
    ref_logits = logits.roll(1, dims=-1)
    got = student.sequence_kl(logits, ref_logits, torch.ones(1, 2, dtype=DOUBLE))
    expect(got).close(
        torch.tensor([2 * gap], dtype=DOUBLE),
        "Finite logits have a finite divergence: use log_softmax, a softmax underflows to 0.",
    )


@exercise("sequence_kl")
def test_the_gradient_with_respect_to_the_logits(student: Student, draw: Draw):
    """The derivative of the weighted sum over the batch, against its closed form."""
    logits, ref_logits, mask = completions(draw)
    weights = draw.uniform(0.5, 1.5, 3)
    got = student.grad("sequence_kl", logits, ref_logits, mask, wrt=(0,), cotangent=weights)
    p, q = logits.softmax(-1), ref_logits.softmax(-1)
    centred = (p / q).log() - categorical_kl(p, q)[..., None]
    want = p * centred * (mask * weights[:, None])[..., None]
    expect(got.grads[0]).close(
        want,
        "The result must be differentiable in the logits, through both places where the policy "
        "stands: its probabilities and its logarithm. Is there a detach?",
        mistakes={
            "You detached the probabilities: the gradient must flow through them too.":
                torch.zeros_like(logits),
        },
        scale=float(want.abs().max()),
    )  # fmt: skip


@exercise("sequence_kl")
def test_a_long_completion_counts_to_its_end(student: Student, draw: Draw):
    """One completion of 300 tokens behind a prompt of 20."""
    logits, ref_logits = draw.normal(1, 320, 3), draw.normal(1, 320, 3)
    mask = torch.arange(320)[None] >= 20
    logp, ref = logits.log_softmax(-1), ref_logits.log_softmax(-1)
    each = (logp.exp() * (logp - ref)).sum(-1)
    expect(student.sequence_kl(logits, ref_logits, mask)).close(
        each[:, 20:].sum(1), "Sum over all positions of the completion, however long: shape [B]."
    )


# regularized_reward


@exercise("regularized_reward")
def test_the_penalty_is_beta_times_the_log_ratio(student: Student, draw: Draw):
    """Completions that the policy likes more, and less, than the reference does."""
    R, logp = draw.normal(5), -draw.uniform(2, 9, 5)
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0], dtype=DOUBLE)
    ref_logp = logp - signs * draw.uniform(0.5, 2.0, 5)
    beta = float(draw.uniform(0.2, 0.7))
    gap = logp - ref_logp
    expect(student.regularized_reward(R, logp, ref_logp, beta)).close(
        R - beta * gap,
        "R_beta = R - beta (ln pi - ln pi_ref), one value per completion.",
        mistakes={
            "The penalty has the wrong sign: moving away from the reference costs.": R + beta * gap,
            "beta multiplies the penalty, not the reward.": beta * R - gap,
            "You forgot beta.": R - gap,
            "You averaged the penalty over the batch: every completion pays its own.":
                R - beta * gap.mean(),
            "You averaged over the batch: return one value per completion.":
                (R - beta * gap).mean(),
            "You divided the log-ratio by a length: log-probabilities are of whole completions.":
                R - beta * gap / 5,
            "The penalty is the log-ratio k1, which may be negative: no absolute value or square.":
                R - beta * gap.abs(),
        },
    )  # fmt: skip


@exercise("regularized_reward")
def test_its_gradient_in_logp_is_minus_beta(student: Student, draw: Draw):
    """Rewards [2, 3]; the derivative with respect to the policy's log-probabilities."""
    R, logp, ref_logp = draw.normal(2, 3), -draw.uniform(1, 4, 2, 3), -draw.uniform(1, 4, 2, 3)
    weights, beta = draw.uniform(0.5, 1.5, 2, 3), float(draw.uniform(0.2, 0.7))
    got = student.grad("regularized_reward", R, logp, ref_logp, beta, wrt=(1,), cotangent=weights)
    expect(got.grads[1]).close(
        -beta * weights,
        "Do not detach here: the derivative of R_beta with respect to logp is -beta.",
    )
    single = student.regularized_reward(R.float(), logp.float(), ref_logp.float(), beta)
    expect(single).close(
        (R - beta * (logp - ref_logp)).float(), "The result has the shape and the dtype of R."
    )


@exercise("regularized_reward")
def test_every_beta_from_zero_up(student: Student, draw: Draw):
    """beta = 0, which leaves the reward alone, a large beta, large rewards and ratios."""
    R, logp, ref_logp = draw.normal(4), -draw.uniform(1, 4, 4), -draw.uniform(5, 8, 4)
    for beta, scale in ((0.0, 1.0), (2.5, 1.0), (60.0, 1.0), (0.5, 80.0)):
        R, logp, ref_logp = scale**2 * R, scale * logp, scale * ref_logp
        expect(student.regularized_reward(R, logp, ref_logp, beta)).close(
            R - beta * (logp - ref_logp),
            "The formula holds for every beta >= 0: with beta = 0 the reward is left as it is, and "
            "a large beta is not capped, nor is a reward or a log-ratio.",
        )


# policy_gradient_exact


@exercise("policy_gradient_exact", weight=3)
def test_it_is_the_slope_of_the_objective(student: Student, draw: Draw):
    """A policy away from the reference, against differences of J."""
    theta, R, ref, beta = bandit(draw, 5)
    pi = theta.softmax(0)
    scores, h = softmax_scores(pi), (pi / ref).log()
    want = slopes(theta, R, ref, beta)
    expect(student.policy_gradient_exact(theta, R, ref, beta)).close(
        want,
        "The gradient is the sum over y of pi(y) R_beta(y) (e_y - pi).",
        rtol=1e-8,
        mistakes={
            "The sign is that of a loss: this is the gradient of J, uphill.": -want,
            "You forgot the KL penalty: the reward is R_beta.": (pi * R) @ scores,
            "The penalty has the wrong sign.": (pi * (R + beta * h)) @ scores,
            "You forgot beta.": (pi * (R - h)) @ scores,
            "You divided by the number of outcomes: the weights pi already sum to one.": want / 5,
            "You left out the weights pi(y).": (R - beta * h) @ scores,
            "You weighted with the reference: samples come from pi.":
                (ref * (R - beta * h)) @ scores,
            "The score of a softmax is e_y - pi: you left out - pi.": pi * (R - beta * h),
            "Here ref holds probabilities: take their logarithm.":
                (pi * (R - beta * (pi.log() - ref))) @ scores,
        },
    )  # fmt: skip


@exercise("policy_gradient_exact")
def test_without_penalty_and_at_the_optimum(student: Student, draw: Draw):
    """beta = 0, then the policy pi_ref exp(R / beta) / Z where the gradient vanishes."""
    theta, R, ref, beta = bandit(draw, 4)
    pi = theta.softmax(0)
    expect(student.policy_gradient_exact(theta, R, ref, 0.0)).close(
        pi * (R - pi @ R), "With beta = 0 only the reward is left: pi (R - E[R])."
    )
    best = ref.log() + R / beta + float(draw.uniform(-1, 1))
    expect(student.policy_gradient_exact(best, R, ref, beta)).close(
        torch.zeros(4, dtype=DOUBLE),
        "At pi* = pi_ref exp(R / beta) / Z the gradient is zero.",
        rtol=1e-10,
        scale=1.0,
    )


@exercise("policy_gradient_exact")
def test_a_constant_on_all_logits_changes_nothing(student: Student, draw: Draw):
    """The same policy with large logits, and a nearly certain one."""
    theta, R, ref, beta = bandit(draw, 4)
    pi = theta.softmax(0)
    reward = R - beta * (pi / ref).log()
    for shift in (1000.0, -1000.0):
        expect(student.policy_gradient_exact(theta + shift, R, ref, beta)).close(
            pi * (reward - pi @ reward),
            "A constant added to all logits leaves the policy alone; use (log_)softmax.",
        )
    sure = theta * 1000
    got = student.policy_gradient_exact(sure, R, ref, beta)
    expect(got).close(
        torch.zeros(4, dtype=DOUBLE),
        "A policy that is practically certain has a finite gradient, zero: use log_softmax, the "
        "logarithm of an underflowed probability is -inf.",
        rtol=1e-10,
        scale=1.0,
    )


@exercise("policy_gradient_exact")
def test_logits_with_a_graph_give_a_plain_number(student: Student, draw: Draw):
    """Logits that require a gradient: the result must not carry a graph."""
    theta, R, ref, beta = bandit(draw, 4)
    got = student.grad("policy_gradient_exact", theta, R, ref, beta, wrt=(0,),
                       cotangent=torch.ones(4, dtype=DOUBLE))  # fmt: skip
    expect(got.value).close(
        slopes(theta, R, ref, beta),
        "The value must be right for logits that require a gradient.",
        rtol=1e-8,
    )
    expect(got).true(
        not got.requires_grad, "The gradient of J is returned without graph: detach it."
    )


@exercise("policy_gradient_exact")
def test_large_rewards_large_beta_and_tiny_references(student: Student, draw: Draw):
    """Rewards in thousands; a beta of 40; a reference of 1e-12."""
    theta, R, ref = draw.normal(4), draw.normal(4), draw.probs(4)
    rare = torch.cat([torch.tensor([1e-12], dtype=DOUBLE), draw.probs(3) * (1 - 1e-12)])
    for rewards, reference, beta in ((3000 * R, ref, 0.5), (R, ref, 40.0), (R, rare, 0.5)):
        logp = theta.log_softmax(0)
        r_beta = rewards - beta * (logp - reference.log())
        expect(student.policy_gradient_exact(theta, rewards, reference, beta)).close(
            logp.exp() * (r_beta - logp.exp() @ r_beta),
            "Rewards, beta and reference count as they are: no clamp, no cap, no epsilon.",
        )


# reinforce_surrogate


def off_policy(draw: Draw):
    """Four samples with their log-probabilities; nothing makes them typical of the policy."""
    logps, gap = -draw.uniform(1, 6, 4), draw.uniform(0.5, 2.0, 4)
    signs = torch.tensor(draw.shuffled([1.0, -1.0, 1.0, -1.0]), dtype=DOUBLE)
    return logps, logps - signs * gap, draw.normal(4), float(draw.uniform(0.3, 0.8))


@exercise("reinforce_surrogate", weight=3)
def test_each_sample_is_weighted_with_its_regularised_reward(student: Student, draw: Draw):
    """Off-policy samples: the derivative with respect to every log-probability."""
    logps, ref_logps, R, beta = off_policy(draw)
    reward = R - beta * (logps - ref_logps)
    value = student.reinforce_surrogate(logps, ref_logps, R, beta)
    expect(value).tensor((), DOUBLE, "Return one scalar, a 0-d tensor of logps' dtype.")
    got = student.grad("reinforce_surrogate", logps, ref_logps, R, beta, wrt=(0,))
    expect(got.grads[0]).close(
        -reward / 4,
        "The derivative with respect to logps[i] must be -R_beta(y_i) / B.",
        mistakes={
            "The coefficient is not detached: R_beta contains logps, and you differentiate that "
            "copy too.": -(reward - beta * logps) / 4,
            "The coefficient is not detached: next to a ratio this adds beta, which cancels "
            "on-policy only.": -(reward - beta) / 4,
            "You added the penalty to the loss as well: it is already in the reward.":
                -(reward - 2 * beta) / 4,
            "The sign is wrong: the surrogate is minimised.": reward / 4,
            "You summed over the batch: take the mean.": -reward,
            "You forgot the KL penalty: the coefficient is R_beta.": -R / 4,
            "The penalty has the wrong sign.": -(R + beta * (logps - ref_logps)) / 4,
            "You forgot beta.": -(R - (logps - ref_logps)) / 4,
            "You subtracted a baseline: none was asked for here.":
                -(reward - reward.mean()) / 4,
            "You differentiated only the reward: the logps need a graph of their own.":
                torch.full((4,), beta / 4, dtype=DOUBLE),
        },
    )  # fmt: skip


@exercise("reinforce_surrogate")
def test_on_a_representative_batch_it_gives_the_policy_gradient(student: Student, draw: Draw):
    """Every outcome as often as the policy says, then the chain rule through the scores."""
    counts = torch.tensor(draw.shuffled([1, 2, 4]))
    pi, ref = counts.double() / 7, draw.probs(3)
    R, beta = torch.tensor(draw.shuffled([2.0, -1.0, 0.5]), dtype=DOUBLE), 0.4
    y = torch.repeat_interleave(torch.arange(3), counts)
    got = student.grad("reinforce_surrogate", pi.log()[y], ref.log()[y], R[y], beta, wrt=(0,))
    expect(got.grads[0]).tensor((7,), DOUBLE, "The gradient must reach every entry of logps.")
    expect(got.grads[0] @ softmax_scores(pi)[y]).close(
        -slopes(pi.log(), R, ref, beta),
        "On a batch that is exactly representative of the policy the gradient must be minus the "
        "gradient of J: mean over samples of -R_beta grad ln pi.",
        rtol=1e-8,
    )


@exercise("reinforce_surrogate")
def test_no_gradient_reaches_reference_or_reward(student: Student, draw: Draw):
    """Reference log-probabilities and rewards that carry a graph."""
    logps, ref_logps, R, beta = off_policy(draw)
    got = student.grad("reinforce_surrogate", logps, ref_logps, R, beta, wrt=(0, 1, 2))
    for position in (1, 2):
        grad = got.grads[position]
        still = grad is None or (isinstance(grad, torch.Tensor) and not bool(grad.any()))
        expect(grad).true(
            still, "Detach the whole coefficient: no gradient may reach ref_logps or R."
        )


@exercise("reinforce_surrogate")
def test_the_mean_counts_every_sample(student: Student, draw: Draw):
    """A batch of one, and a batch with a coefficient of zero and large rewards."""
    for size in (1, 4):
        logps, ref_logps = -draw.uniform(1, 6, size), -draw.uniform(1, 6, size)
        R = torch.tensor([60.0, 0.0, -40.0, 1.0], dtype=DOUBLE)[:size] * draw.uniform(0.9, 1.1)
        ref_logps[1:2] = logps[1:2]
        got = student.grad("reinforce_surrogate", logps, ref_logps, R, 0.5, wrt=(0,))
        expect(got.grads[0]).close(
            -(R - 0.5 * (logps - ref_logps)) / size,
            "Divide by B, the number of all samples, also when B = 1 or when a coefficient is 0; "
            "and do not clip the rewards.",
        )


@exercise("reinforce_surrogate")
def test_long_completions_in_float32(student: Student, draw: Draw):
    """Log-probabilities whose exponential underflows, in float32."""
    logps, ref_logps = -draw.uniform(300.0, 400.0, 3), -draw.uniform(300.0, 400.0, 3)
    R = draw.normal(3)
    logps, ref_logps, R = logps.float(), ref_logps.float(), R.float()
    got = student.grad("reinforce_surrogate", logps, ref_logps, R, 0.5, wrt=(0,))
    expect(got.value).tensor((), torch.float32, "The surrogate has the dtype of logps.")
    want = -(R - 0.5 * (logps - ref_logps)) / 3
    expect(got.grads[0]).close(
        want,
        "The probability of a long completion underflows to 0: stay with logarithms, or "
        "exponentiate a difference of logarithms.",
    )


@exercise("reinforce_surrogate")
def test_large_coefficients_are_not_clipped(student: Student, draw: Draw):
    """Rewards in thousands and log-ratios in hundreds."""
    logps, ref_logps = -draw.uniform(300.0, 400.0, 4), -draw.uniform(500.0, 700.0, 4)
    R = 5000 * draw.normal(4)
    got = student.grad("reinforce_surrogate", logps, ref_logps, R, 3.0, wrt=(0,))
    expect(got.grads[0]).close(
        -(R - 3.0 * (logps - ref_logps)) / 4,
        "The coefficient is R_beta as it is: clip neither rewards nor log-ratios.",
    )


# loo_baseline


@exercise("loo_baseline", weight=2)
def test_it_is_the_mean_of_the_other_samples(student: Student, draw: Draw):
    """Three prompts with five samples each, against a loop."""
    rewards = draw.normal(3, 5)
    want = torch.tensor(
        [[(sum(row) - row[i]) / 4 for i in range(5)] for row in rewards.tolist()], dtype=DOUBLE
    )
    total, mean = rewards.sum(1, keepdim=True), rewards.mean(1, keepdim=True)
    expect(student.loo_baseline(rewards)).close(
        want,
        "The baseline of sample i is the mean reward of the other K - 1 samples of its prompt.",
        mistakes={
            "You used the group mean: leave the own reward out.": mean.expand(3, 5),
            "You used the group mean and returned it once per prompt.": mean,
            "Divide by K - 1, the number of the others, not by K.": (total - rewards) / 5,
            "You mixed prompts: leave one out within each row.":
                (rewards.sum(0, keepdim=True) - rewards) / 2,
            "You used all other samples of the whole batch: stay within the prompt.":
                (rewards.sum() - rewards) / 14,
            "You returned the advantage: the baseline alone was asked for.": rewards - want,
            "You divided the full sum by K - 1: subtract the own reward first.":
                (total / 4).expand(3, 5),
        },
    )  # fmt: skip


@exercise("loo_baseline")
def test_two_samples_swap_their_rewards(student: Student, draw: Draw):
    """K = 2 with equal numbers of prompts and samples, in float32."""
    rewards = draw.normal(2, 2, dtype=torch.float32) + torch.tensor([[0.0, 3.0], [5.0, 0.0]])
    expect(student.loo_baseline(rewards)).close(
        rewards.flip(1), "With K = 2 each sample's baseline is the other one's reward, same dtype."
    )


@exercise("loo_baseline")
def test_the_own_reward_does_not_matter(student: Student, draw: Draw):
    """One reward is changed; its own baseline must not notice, the others must."""
    rewards = draw.normal(2, 4)
    i = draw.integer(0, 4)
    changed = rewards.clone()
    changed[0, i] += 6.0
    before, after = student.loo_baseline(rewards), student.loo_baseline(changed)
    want = torch.zeros(2, 4, dtype=DOUBLE)
    want[0] = 2.0
    want[0, i] = 0.0
    for each in (before, after):
        expect(each).tensor((2, 4), DOUBLE, "Return one baseline per sample, [B, K].")
    expect(after - before).close(
        want,
        "A sample's baseline may not depend on its own reward; the others of its prompt feel it "
        "with weight 1 / (K - 1), other prompts not at all.",
    )


@exercise("loo_baseline")
def test_a_single_sample_is_refused(student: Student, draw: Draw):
    """K = 1, with several prompts and with one, and K = 0."""
    for B in (3, 1):
        raised = student.raised("loo_baseline", draw.normal(B, 1))
        expect(raised).equals("ValueError", "With K = 1 nobody is left: raise ValueError.")
    raised = student.raised("loo_baseline", draw.normal(3, 0))
    expect(raised).equals("ValueError", "Raise ValueError for every K < 2, K = 0 included.")


@exercise("loo_baseline")
def test_equal_rewards_of_others_count(student: Student, draw: Draw):
    """A group of seven with ties, against a loop."""
    rewards = torch.tensor([draw.shuffled([2.0, 2.0, 2.0, 5.0, 5.0, -1.0, 0.0]) for _ in range(2)])
    rewards = rewards.double()
    want = torch.tensor(
        [[(sum(row) - row[i]) / 6 for i in range(7)] for row in rewards.tolist()], dtype=DOUBLE
    )
    expect(student.loo_baseline(rewards)).close(
        want,
        "Leave out one sample, not one value: others with the same reward stay in the mean.",
    )


@exercise("loo_baseline")
def test_one_prompt_with_many_samples(student: Student, draw: Draw):
    """One prompt with 200 samples: [1, 200]."""
    rewards = draw.normal(1, 200)
    want = torch.stack(
        [torch.cat([rewards[0, :i], rewards[0, i + 1 :]]).mean() for i in range(200)]
    )
    expect(student.loo_baseline(rewards)).close(
        want[None], "All other samples of the prompt count, and the result stays [B, K]."
    )


# rloo_advantages


def groups(draw: Draw):
    """Rewards, log-probabilities and reference [2, 4], beta, and R_beta."""
    rewards = draw.normal(2, 4) * 2
    logps, ref_logps = -draw.uniform(1, 5, 2, 4), -draw.uniform(1, 5, 2, 4)
    beta = float(draw.uniform(0.3, 0.8))
    return rewards, logps, ref_logps, beta, rewards - beta * (logps - ref_logps)


def less_others(r: torch.Tensor) -> torch.Tensor:
    """r minus the mean of the others, by a matrix of weights."""
    K = r.shape[1]
    weights = torch.full((K, K), -1 / (K - 1), dtype=DOUBLE).fill_diagonal_(1.0)
    return r @ weights


@exercise("rloo_advantages", weight=2)
def test_the_regularised_reward_less_that_of_the_others(student: Student, draw: Draw):
    """Two prompts with four samples each and a policy that has moved."""
    rewards, logps, ref_logps, beta, r = groups(draw)
    centred = r - r.mean(1, keepdim=True)
    want = less_others(r)
    expect(student.rloo_advantages(rewards, logps, ref_logps, beta)).close(
        want,
        "A_i = R_beta(y_i) minus the mean of R_beta over the other samples of the prompt.",
        mistakes={
            "You used the group mean, own reward included: the gradient shrinks by (K - 1) / K.":
                centred,
            "You divided by the standard deviation: that biases the gradient.":
                centred / r.std(1, keepdim=True),
            "You divided by the (population) standard deviation: that biases the gradient.":
                centred / r.std(1, keepdim=True, correction=0),
            "You divided leave-one-out advantages by the standard deviation: do not.":
                want / r.std(1, keepdim=True),
            "You left the KL penalty out: regularise first.": less_others(rewards),
            "The baseline must average R_beta, not the bare rewards.":
                r - (rewards - less_others(rewards)),
            "The sample's own reward must be regularised too.": rewards - (r - want),
            "The penalty has the wrong sign.": less_others(2 * rewards - r),
            "You forgot beta.": less_others(rewards - (logps - ref_logps)),
            "You mixed prompts: leave one out within each row.": less_others(r.T).T,
            "You returned the baseline: subtract it from R_beta.": r - want,
            "The sign is reversed: a better sample has a positive advantage.": -want,
        },
    )  # fmt: skip


@exercise("rloo_advantages")
def test_advantages_are_numbers_without_a_graph(student: Student, draw: Draw):
    """Each argument in turn with a graph: the result must not carry one."""
    rewards, logps, ref_logps, beta, r = groups(draw)
    for position in (1, 0, 2):
        got = student.grad(
            "rloo_advantages", rewards, logps, ref_logps, beta,
            wrt=(position,), cotangent=torch.ones(2, 4, dtype=DOUBLE),
        )  # fmt: skip
        expect(got.value).close(less_others(r), "The values must be right with a graph as well.")
        expect(got).true(
            not got.requires_grad,
            "Detach the result: an advantage is a number, not a graph, whichever of rewards, logps "
            "and ref_logps carries one.",
        )


@exercise("rloo_advantages")
def test_without_penalty_the_rewards_are_still_compared(student: Student, draw: Draw):
    """beta = 0 with four samples, and a beta above 1."""
    rewards, logps, ref_logps, _, _ = groups(draw)
    for beta in (0.0, 2.5):
        expect(student.rloo_advantages(rewards, logps, ref_logps, beta)).close(
            less_others(rewards - beta * (logps - ref_logps)),
            "The same formula holds for every beta >= 0: with beta = 0 it is the reward minus the "
            "mean reward of the others.",
        )


@exercise("rloo_advantages")
def test_pairs_ties_and_single_samples(student: Student, draw: Draw):
    """K = 2, a group whose regularised rewards are all equal, and K = 1."""
    logps, ref_logps = -draw.uniform(1, 5, 3, 2), -draw.uniform(1, 5, 3, 2)
    r = draw.normal(3, 2) + torch.tensor([[0.0, 3.0], [2.0, 2.0], [4.0, 0.0]], dtype=DOUBLE)
    r[1, 1] = r[1, 0]
    rewards = r + 0.5 * (logps - ref_logps)
    got = student.rloo_advantages(rewards.float(), logps.float(), ref_logps.float(), 0.5)
    expect(got).close(
        (r - r.flip(1)).float(),
        "With K = 2 the advantage is the difference of the two, in the rewards' dtype; ties give "
        "0, not nan.",
    )
    raised = student.raised("rloo_advantages", r[:, :1], r[:, :1], r[:, :1], 0.5)
    expect(raised).equals("ValueError", "With K = 1 nobody is left: raise ValueError.")


@exercise("rloo_advantages")
def test_large_advantages_are_not_clipped(student: Student, draw: Draw):
    """One prompt, rewards in thousands and log-ratios in hundreds."""
    rewards, logps = 5000 * draw.normal(1, 4), -draw.uniform(300.0, 400.0, 1, 4)
    ref_logps = -draw.uniform(500.0, 700.0, 1, 4)
    r = rewards - 3.0 * (logps - ref_logps)
    expect(student.rloo_advantages(rewards, logps, ref_logps, 3.0)).close(
        (r - r.mean()) * 4 / 3,
        "Advantages are R_beta minus the mean of the others as it is: clip nothing.",
    )


# rloo_gradient


@exercise("rloo_gradient", weight=2)
def test_its_mean_over_all_samples_is_the_gradient(student: Student, draw: Draw):
    """All pairs and all triples of outcomes, weighted with the policy."""
    theta, R, ref, beta = bandit(draw, 3)
    pi = theta.softmax(0)
    reward = R - beta * (pi / ref).log()
    want = pi * (reward - pi @ reward)
    bare = pi * (R - pi @ R)
    for K in (2, 3):

        def estimate(y, K=K):
            got = student.rloo_gradient(theta, torch.tensor(y), R, ref, beta)
            return expect(got).tensor((3,), DOUBLE, "Return one float64 number per logit, [V].")

        expect(mean_over_tuples(pi, K, estimate)).close(
            want,
            "The mean over all samples must be the gradient of J: the estimate is biased.",
            mistakes={
                "Biased by (K - 1) / K: your baseline contains the sample's own reward.":
                    want * (K - 1) / K,
                "K times too large: the estimate is a mean over the samples, with 1 / K.": want * K,
                "Divided by V instead of K.": want * K / 3,
                "The sign is that of a loss: this is the gradient of J, uphill.": -want,
                "The KL penalty is missing from the reward.": bare,
                "The penalty has the wrong sign.": 2 * bare - want,
            },
        )  # fmt: skip


@exercise("rloo_gradient")
def test_one_batch_with_repeated_samples(student: Student, draw: Draw):
    """Five samples from five outcomes, one of them twice, one of them never."""
    theta, R, ref, beta = bandit(draw, 5)
    y = torch.tensor(draw.shuffled([0, 1, 1, 2, 3]))
    pi = theta.softmax(0)
    r = (R - beta * (pi / ref).log())[y]
    scores, advantages = softmax_scores(pi)[y], less_others(r[None])[0]
    centred = r - r.mean()
    expect(student.rloo_gradient(theta, y, R, ref, beta)).close(
        advantages @ scores / 5,
        "The estimate is the mean over i of (R_beta(y_i) - b_i) (e_{y_i} - pi), repeats included.",
        mistakes={
            "You used the group mean as baseline.": centred @ scores / 5,
            "You divided by the standard deviation: RLOO does not.": centred / r.std() @ scores / 5,
            "You divided by the (population) standard deviation: RLOO does not.":
                centred / r.std(correction=0) @ scores / 5,
            "You used no baseline.": r @ scores / 5,
            "You weighted the samples with pi once more: they were drawn from it.":
                (pi[y] * advantages) @ scores,
            "You left out - pi in the score.":
                torch.zeros(5, dtype=DOUBLE).index_add(0, y, advantages / 5),
        },
    )  # fmt: skip


@exercise("rloo_gradient")
def test_equal_samples_say_nothing_and_large_logits_do_no_harm(student: Student, draw: Draw):
    """The same outcome four times, then all logits shifted far up."""
    theta, R, ref, beta = bandit(draw, 4)
    got = student.rloo_gradient(theta, torch.tensor([2, 2, 2, 2]), R, ref, beta)
    expect(got).close(
        torch.zeros(4, dtype=DOUBLE),
        "K equal samples have advantages 0: the estimate is 0, not nan.",
        rtol=1e-10,
        scale=1.0,
    )
    pi = theta.softmax(0)
    reward = R - beta * (pi / ref).log()
    scores = softmax_scores(pi)
    want = (reward[0] - reward[3]) * (scores[0] - scores[3]) / 2
    expect(student.rloo_gradient(theta + 1000.0, torch.tensor([0, 3]), R, ref, beta)).close(
        want, "A constant added to all logits leaves the policy alone; use (log_)softmax."
    )


@exercise("rloo_gradient")
def test_nearly_impossible_samples_and_logits_with_a_graph(student: Student, draw: Draw):
    """A sample whose probability underflows to 0, with logits that require a gradient."""
    theta, R, ref, beta = bandit(draw, 4)
    theta[1] -= 900.0
    pi, h = theta.softmax(0), theta.log_softmax(0) - ref.log()
    reward, scores = R - beta * h, softmax_scores(pi)
    got = student.grad("rloo_gradient", theta, torch.tensor([1, 2]), R, ref, beta, wrt=(0,),
                       cotangent=torch.ones(4, dtype=DOUBLE))  # fmt: skip
    expect(got.value).close(
        (reward[1] - reward[2]) * (scores[1] - scores[2]) / 2,
        "Finite logits have finite log-probabilities: use log_softmax, the logarithm of an "
        "underflowed probability is -inf.",
    )
    expect(got).true(not got.requires_grad, "The estimate is returned without graph: detach it.")


@exercise("rloo_gradient")
def test_without_penalty_only_the_rewards_count(student: Student, draw: Draw):
    """beta = 0, far from the reference; then rewards in thousands."""
    theta, R, ref = 2 * draw.normal(4), draw.normal(4), draw.probs(4)
    y = torch.tensor(draw.shuffled([0, 1, 2, 3]))
    for scale in (1.0, 3000.0):
        r = scale * R[y]
        want = ((r - r.mean()) * 4 / 3) @ softmax_scores(theta.softmax(0))[y] / 4
        expect(student.rloo_gradient(theta, y, scale * R, ref, 0.0)).close(
            want, "beta = 0 is a number like any other: no default in its place, and no clipping."
        )


# expected_estimator


@exercise("expected_estimator", weight=2)
def test_ordered_tuples_are_weighted_with_their_probability(student: Student, draw: Draw):
    """An estimator that tells first from second, over three and four outcomes."""
    for V, K in ((3, 2), (4, 3)):
        probs = torch.tensor(draw.shuffled([0.1, 0.4, 0.2, 0.3][:V]), dtype=DOUBLE)
        probs, A = probs / probs.sum(), draw.normal(V) + torch.arange(V, dtype=DOUBLE)

        def first_over_second(rewards, scores):
            return rewards[0] * rewards[1] ** 2 + rewards.sum() * 0.5

        def value(y, A=A):
            return first_over_second(A[list(y)], None)

        tuples = list(itertools.product(range(V), repeat=K))
        chances = [probs[list(y)].prod() for y in tuples]
        subsets = {kind: torch.stack([c * value(y) for c, y in zip(chances, tuples, strict=True)
                                      if rule(y)]).sum()
                   for kind, rule in (("rising", lambda y: list(y) == sorted(y)),
                                      ("different", lambda y: len(set(y)) == len(y)))}  # fmt: skip
        values = torch.stack([value(y) for y in tuples])
        expect(student.expected_estimator(probs, A, K, first_over_second)).close(
            mean_over_tuples(probs, K, value),
            "Sum over all V**K ordered tuples of the product of probabilities times the estimate, "
            "for the K that is asked for.",
            mistakes={
                "You listed combinations: (a, b) and (b, a) are two tuples.": subsets["rising"],
                "You left out tuples with repeats: samples are drawn with replacement.":
                    subsets["different"],
                "You gave every tuple the same weight: use the product of probabilities.":
                    values.mean(),
                "You left out the weights: multiply with the product of probabilities.":
                    values.sum(),
            },
        )  # fmt: skip


@exercise("expected_estimator")
def test_the_estimator_receives_rewards_and_scores(student: Student, draw: Draw):
    """The first sample's reward times its score: the mean is the exact gradient."""
    probs, A = draw.probs(4), draw.normal(4) + torch.arange(4, dtype=DOUBLE)
    shapes = []

    def first(rewards, scores):
        shapes.append((tuple(rewards.shape), tuple(scores.shape)))
        return rewards[0] * scores[0]

    got = student.expected_estimator(probs, A, 2, first)
    expect(got).true(
        bool(shapes) and all(each == ((2,), (2, 4)) for each in shapes),
        "The estimator must be called with rewards [K] and scores [K, V].",
    )
    expect(got).close(
        probs * (A - probs @ A),
        "Row i of scores is the one-hot vector of y_i minus probs; rewards[i] is A[y_i].",
        mistakes={
            "The scores lack - probs: a softmax policy's score is e_y - pi.": probs * A,
        },
    )
    A[1] = A[0]
    expect(student.expected_estimator(probs, A, 2, first)).close(
        probs * (A - probs @ A),
        "Outcomes with equal rewards are different outcomes: their scores differ.",
    )


@exercise("expected_estimator")
def test_any_shape_and_any_number_of_samples(student: Student, draw: Draw):
    """A matrix from one sample, and a number from four."""
    probs, A = draw.probs(3), draw.normal(3)
    G = softmax_scores(probs)
    got = student.expected_estimator(probs, A, 1, lambda rewards, scores: scores.T @ scores)
    expect(got).close(
        (G.T * probs) @ G, "With K = 1 the mean of an outer product is a matrix: keep its shape."
    )
    got = student.expected_estimator(probs, A, 4, lambda rewards, scores: rewards.sum() ** 2)
    mean = probs @ A
    expect(got).close(
        4 * (probs @ A**2 - mean**2) + 16 * mean**2,
        "Every K must work: the second moment of a sum of four rewards is not right.",
    )


@exercise("expected_estimator")
def test_rare_tuples_and_six_samples(student: Student, draw: Draw):
    """Two outcomes, one of them rare with a huge reward; a vector of length one."""
    rare = float(draw.uniform(1e-4, 2e-4))
    probs = torch.tensor([rare, 1 - rare], dtype=DOUBLE)
    A = torch.tensor([5.0 / rare, 1.5], dtype=DOUBLE)
    got = student.expected_estimator(probs, A, 6, lambda rewards, scores: rewards.prod()[None])
    expect(got).close(
        ((probs @ A) ** 6)[None],
        "Sum over all tuples, the improbable ones too, for every K, in the estimator's shape: here "
        "the mean of a product of six rewards, [1].",
        rtol=1e-8,
    )


# optimal_baseline_scalar


def scalar_case(draw: Draw):
    """Outcomes whose large scores go with large rewards, so that no two recipes agree."""
    probs = torch.tensor([0.15, 0.35, 0.3, 0.2], dtype=DOUBLE)
    A = torch.tensor([4.0, 1.0, -2.0, 0.5], dtype=DOUBLE) + draw.uniform(-0.2, 0.2, 4)
    g = torch.tensor([2.0, -0.9, 0.3, 0.0], dtype=DOUBLE) + draw.uniform(-0.1, 0.1, 4)
    g[3] = -(probs[:3] @ g[:3]) / probs[3]
    order = torch.tensor(draw.shuffled(range(4)))
    return probs[order], A[order], g[order]


@exercise("optimal_baseline_scalar", weight=3)
def test_it_is_the_bottom_of_the_parabola(student: Student, draw: Draw):
    """The variance at three baselines fixes the parabola; the answer is its vertex."""
    probs, A, g = scalar_case(draw)
    want = lowest_point(lambda b: trace_variance(probs, A, g[:, None], b))
    mean, square = probs @ A, probs @ g**2
    covariance = probs @ ((A - mean) * g)
    expect(student.optimal_baseline_scalar(probs, A, g)).close(
        want,
        "Set the derivative of E[(A - b)^2 g^2] with respect to b to zero: the answer weighs "
        "each reward with p(y) g(y)^2.",
        mistakes={
            "That is the slide's formula: the covariance must be with the square of g.":
                covariance / square + mean,
            "That is E[A]: optimal only if A and g squared are uncorrelated.": mean,
            "That is E[A g] / E[g^2]: A is weighted with g squared, not with g.":
                (probs @ (A * g)) / square,
            "You weighted with the absolute value of g: square it.":
                (probs @ (A * g.abs())) / (probs @ g.abs()),
            "You forgot to divide by E[g^2].": probs @ (A * g**2),
            "You left out the probabilities: these are expectations.": (A * g**2).sum()
                / (g**2).sum(),
            "You forgot to add E[A] to the covariance term.": (probs @ (A * g**2)) / square - mean,
            "No baseline (zero) is not the best one.": torch.zeros((), dtype=DOUBLE),
        },
        scale=float(want.abs()),
    )  # fmt: skip


@exercise("optimal_baseline_scalar")
def test_an_outcome_without_score_has_no_say(student: Student, draw: Draw):
    """An outcome whose score is zero; its reward must not matter."""
    probs = torch.tensor([0.2, 0.5, 0.3], dtype=DOUBLE)
    g = torch.tensor([1.0, -0.4, 0.0], dtype=DOUBLE) * draw.uniform(0.8, 1.2)
    A = torch.tensor([2.0, -1.0, 5.0], dtype=DOUBLE) + draw.uniform(-0.3, 0.3, 3)
    want = (5 * A[0] + 2 * A[1]) / 7
    for reward in (5.0, -50.0):
        A[2] = reward
        expect(student.optimal_baseline_scalar(probs, A, g)).close(
            want, "An outcome with score 0 adds no variance: its reward must not matter."
        )


@exercise("optimal_baseline_scalar")
def test_a_constant_added_to_the_rewards_moves_it_by_that_constant(student: Student, draw: Draw):
    """Rewards that are all equal, then rewards far from zero."""
    probs, A, g = scalar_case(draw)
    level = float(draw.uniform(2, 5))
    expect(student.optimal_baseline_scalar(probs, torch.full((4,), level, dtype=DOUBLE), g)).close(
        torch.tensor(level, dtype=DOUBLE),
        "With equal rewards the baseline is that reward: nothing is left to vary.",
    )
    want = lowest_point(lambda b: trace_variance(probs, A, g[:, None], b)) - 150.0
    expect(student.optimal_baseline_scalar(probs, A - 150.0, g)).close(
        want,
        "A constant added to all rewards is added to the best baseline, whatever its sign.",
        rtol=1e-8,
    )


@exercise("optimal_baseline_scalar")
def test_the_size_of_the_scores_does_not_matter(student: Student, draw: Draw):
    """Equally likely outcomes with scores of ordinary size, then the same scores shrunk."""
    probs = torch.full((4,), 0.25, dtype=DOUBLE)
    A = torch.tensor([4.0, 1.0, -2.0, 0.5], dtype=DOUBLE) + draw.uniform(-0.2, 0.2, 4)
    g = torch.tensor([1.2, -0.4, -0.9, 0.1], dtype=DOUBLE)
    for size in (1.0, 1e-4):
        expect(student.optimal_baseline_scalar(probs, A, size * g)).close(
            (A * g**2).sum() / (g**2).sum(),
            "The weights are p(y) g(y)^2 over their sum, also for equally likely outcomes and for "
            "small scores: no epsilon and no clamp in the denominator.",
            mistakes={"That is E[A], although the outcomes are equally likely.": A.mean()},
        )


# optimal_baseline_vector


def vector_case(draw: Draw, P: int):
    """Centred scores [4, P] of very different length, the longest with the largest reward."""
    probs = torch.tensor([0.15, 0.35, 0.3, 0.2], dtype=DOUBLE)
    A = torch.tensor([4.0, 1.0, -2.0, 0.5], dtype=DOUBLE) + draw.uniform(-0.2, 0.2, 4)
    lengths = torch.tensor([[2.5], [0.5], [0.2], [0.8]], dtype=DOUBLE)
    signs = torch.tensor([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0], [1.0, 1.0, -1.0], [-1.0, 1.0, 1.0]])
    G = signs[:, :P].double() * lengths * draw.uniform(0.7, 1.3, 4, P)
    G = G * torch.tensor([1.0, 0.4, 0.1], dtype=DOUBLE)[:P]
    G = G - probs @ G
    order = torch.tensor(draw.shuffled(range(4)))
    return probs[order], A[order], G[order]


@exercise("optimal_baseline_vector", weight=2)
def test_it_minimises_the_trace_of_the_covariance(student: Student, draw: Draw):
    """Three parameters on different scales, against the vertex of the parabola."""
    probs, A, G = vector_case(draw, 3)
    want = lowest_point(lambda b: trace_variance(probs, A, G, b))
    square, length = (G**2).sum(1), G.norm(dim=1)
    each = (probs[:, None] * A[:, None] * G**2).sum(0) / (probs[:, None] * G**2).sum(0)
    total = G.sum(1) ** 2
    expect(student.optimal_baseline_vector(probs, A, G)).close(
        want,
        "One baseline for all coordinates: the rewards are weighted with p(y) times the squared "
        "length of the score.",
        mistakes={
            "You averaged the optimal baselines of the coordinates: weigh them by their spread.":
                each.mean(),
            "You returned one baseline per coordinate: a single number was asked for.": each,
            "That is E[A]: optimal only if A and the squared length are uncorrelated.": probs @ A,
            "You weighted with the length of the score: square it.":
                (probs @ (A * length)) / (probs @ length),
            "You squared the sum of the coordinates: sum their squares.":
                (probs @ (A * total)) / (probs @ total),
            "You left out the probabilities: these are expectations.": (A * square).sum()
                / square.sum(),
            "You forgot to divide by the mean squared length.": probs @ (A * square),
            "You summed the optimal baselines of the coordinates.": each.sum(),
            "You used the first coordinate only.": each[0],
        },
    )  # fmt: skip


@exercise("optimal_baseline_vector")
def test_a_parameter_that_nothing_moves_is_harmless(student: Student, draw: Draw):
    """Two parameters and one column of zeros."""
    probs, A, G = vector_case(draw, 2)
    want = lowest_point(lambda b: trace_variance(probs, A, G, b))
    padded = torch.cat([G, torch.zeros(4, 1, dtype=DOUBLE)], dim=1)
    expect(student.optimal_baseline_vector(probs, A, padded)).close(
        want, "A parameter whose score is always 0 must not change the answer, nor make it nan."
    )


@exercise("optimal_baseline_vector")
def test_as_many_parameters_as_outcomes(student: Student, draw: Draw):
    """The scores of a softmax policy, a square matrix, then the same scores magnified."""
    probs = torch.tensor(draw.shuffled([0.1, 0.4, 0.2, 0.3]), dtype=DOUBLE)
    A = torch.tensor(draw.shuffled([3.0, -1.0, 0.5, 1.5]), dtype=DOUBLE)
    G = softmax_scores(probs)
    want = lowest_point(lambda b: trace_variance(probs, A, G, b))
    columns = probs * (G**2).sum(0)
    for size in (1.0, 50.0):
        expect(student.optimal_baseline_vector(probs, A, size * G)).close(
            want,
            "The squared length of g(y) is a sum over the entries of row y, and the size of all "
            "scores together does not matter: no clamp.",
            mistakes={
                "You summed over the outcomes instead of the coordinates: row y is g(y).":
                    (columns @ A) / columns.sum(),
            },
        )  # fmt: skip


@exercise("optimal_baseline_vector")
def test_many_small_scores_and_rewards_far_from_zero(student: Student, draw: Draw):
    """Forty parameters with tiny scores; rewards around 30."""
    probs, A, G = draw.probs(5), 30 + draw.normal(5), 1e-6 * draw.normal(5, 40)
    G = G * torch.tensor([1.0, 2.0, 0.5, 1.5, 3.0], dtype=DOUBLE)[:, None]
    G = G - probs @ G
    length = G.square().sum(1)
    expect(student.optimal_baseline_vector(probs, A, G)).close(
        (probs * A * length).sum() / (probs * length).sum(),
        "All parameters count, whatever the size of scores and rewards: no epsilon, no clamp.",
        rtol=1e-8,
    )


# rloo_bias_without_replacement


@exercise("rloo_bias_without_replacement", weight=2)
def test_a_policy_that_is_not_uniform(student: Student, draw: Draw):
    """Four outcomes, pairs and triples, against a walk through the tree of draws."""
    probs = torch.tensor(draw.shuffled([0.1, 0.4, 0.2, 0.3]), dtype=DOUBLE)
    A = torch.tensor(draw.shuffled([3.0, -1.0, 0.5, 1.5]), dtype=DOUBLE)
    A = A + draw.uniform(-0.2, 0.2, 4)
    G = softmax_scores(probs)
    truth = probs * (A - probs @ A)
    for K in (3, 2):  # at K = 2 unnormalised weights happen to give no bias at all
        mean, with_group_mean, unnormalised = (torch.zeros(4, dtype=DOUBLE) for _ in range(3))
        stack = [((), 1.0, 1.0, 1.0)]
        while stack:
            y, chance, product, left = stack.pop()
            if len(y) < K:
                stack += [((*y, a), chance * probs[a] / left, product * probs[a], left - probs[a])
                          for a in range(4) if a not in y]  # fmt: skip
                continue
            r, scores = A[list(y)], G[list(y)]
            estimate = less_others(r[None])[0] @ scores / K
            mean += chance * estimate
            unnormalised += product * estimate
            with_group_mean += chance * (r - r.mean()) @ scores / K
        expect(student.rloo_bias_without_replacement(probs, A, K)).close(
            mean - truth,
            "Sum over ordered tuples of different outcomes, each with the product of p(y_i) over "
            "what was left when y_i was drawn; then subtract the gradient.",
            mistakes={
                "You returned the mean of the estimate: subtract the exact gradient.": mean,
                "The sign is reversed: bias is mean minus truth.": truth - mean,
                "You did not renormalise after each draw: divide by the mass that is left.":
                    unnormalised - truth,
                "You used the group mean as baseline: leave the own reward out.":
                    with_group_mean - truth,
                "You forgot the 1 / K of the estimate.": K * mean - truth,
                "You claim there is no bias: measure it.": torch.zeros(4, dtype=DOUBLE),
                "You used the renormalised product of probabilities: the draws come one by one.":
                    unnormalised / product_mass(probs, K) - truth,
            },
            scale=float(truth.abs().max()),
        )  # fmt: skip


def product_mass(probs: torch.Tensor, K: int) -> torch.Tensor:
    """Probability that K independent samples all differ."""
    tuples = itertools.permutations(range(len(probs)), K)
    return torch.stack([probs[list(y)].prod() for y in tuples]).sum()


@exercise("rloo_bias_without_replacement")
def test_equally_likely_outcomes_exaggerate_the_gradient(student: Student, draw: Draw):
    """Uniform policies: the mean is V / (V - 1) times the gradient, for every K up to V."""
    for V, K in ((3, 2), (4, 4), (5, 3)):
        probs = torch.full((V,), 1 / V, dtype=DOUBLE)
        A = draw.normal(V) + torch.arange(V, dtype=DOUBLE)
        truth = probs * (A - A.mean())
        expect(student.rloo_bias_without_replacement(probs, A, K)).close(
            truth / (V - 1),
            "For equally likely outcomes the mean is V / (V - 1) times the gradient, so the bias "
            "is the gradient over V - 1. Exchangeable samples are not enough.",
        )


@exercise("rloo_bias_without_replacement")
def test_a_nearly_certain_outcome_and_all_are_drawn(student: Student, draw: Draw):
    """K = V: every tuple holds all outcomes, so the estimate is the same for each."""
    probs = torch.tensor(draw.shuffled([0.9998, 0.00015, 0.00005]), dtype=DOUBLE)
    A = torch.tensor(draw.shuffled([3.0, -1.0, 0.5]), dtype=DOUBLE)
    estimate = less_others(A[None])[0] @ softmax_scores(probs) / 3
    expect(student.rloo_bias_without_replacement(probs, A, 3)).close(
        estimate - probs * (A - probs @ A),
        "With K = V the estimate does not depend on the order, so the weights must sum to one: "
        "divide by the mass that is left, however little it is.",
    )


@exercise("rloo_bias_without_replacement")
def test_impossible_numbers_of_samples_are_refused(student: Student, draw: Draw):
    """More different samples than outcomes, and a single one."""
    probs, A = draw.probs(3), draw.normal(3)
    for K in (4, 1):
        raised = student.raised("rloo_bias_without_replacement", probs, A, K)
        expect(raised).equals("ValueError", "Raise ValueError unless 2 <= K <= V.")

"""Sections 1 to 3 of 10_rloo. The divergence: exact, from samples, and of sequences."""

import itertools

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE

# kl_divergence


def categorical_kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """KL over the last dimension, by torch.distributions."""
    first, second = (torch.distributions.Categorical(probs=each) for each in (p, q))
    return torch.distributions.kl_divergence(first, second)


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

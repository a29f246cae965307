"""Section 4 of 12_grpo. The GRPO loss, token by token."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, cells, constant, vector


def batch(draw: Draw):
    """Five ragged completions of up to four tokens, in all cells; padding on both sides."""
    mask = torch.tensor(
        [[1, 1, 1, 1], [0, 1, 1, 1], [1, 1, 0, 0], [0, 1, 0, 0], [1, 1, 1, 0]]
    )[draw.shuffled(range(5))]  # fmt: skip
    A = vector(*draw.shuffled([1.4, -0.9, 0.6, -1.7, 0.4])) * draw.uniform(0.9, 1.1, 5)
    zones = torch.tensor([0.5, 0.93, 1.08, 1.6], dtype=DOUBLE)
    r = torch.stack([zones[draw.shuffled(range(4))] for _ in range(5)])
    r = r * draw.uniform(0.97, 1.03, 5, 4)
    old_logps = -draw.uniform(0.5, 3, 5, 4)
    logps = old_logps + r.log()
    ref_logps = logps + torch.where(draw.normal(5, 4) > 0, 1.0, -1.0) * draw.uniform(0.3, 1.0, 5, 4)
    return logps, old_logps, ref_logps, A, mask


def token_terms(logps, old_logps, ref_logps, A, eps: float, beta: float):
    """Loss of every token and its derivative in logps, by cases."""
    r = (logps - old_logps).exp()
    value, slope = cells(r, A[:, None].expand_as(r), eps)
    value, slope = -value, -slope
    if beta > 0:
        d = ref_logps - logps
        value, slope = value + beta * (d.exp() - d - 1), slope + beta * (1 - d.exp())
    return value, slope


def token_weights(mask: torch.Tensor, norm: str, max_len: int) -> torch.Tensor:
    """[B, T] weight of every token in the loss."""
    B = len(mask)
    m = mask.to(DOUBLE)
    if norm == "grpo":
        return torch.stack([row / max(float(row.sum()), 1.0) / B for row in m])
    if norm == "bnpo":
        return m / m.sum()
    return m / (B * max_len)


NORMS = ("grpo", "bnpo", "dr_grpo")
NORM_TEXT = {
    "grpo": "For norm = grpo, average the tokens of each completion, then the completions.",
    "bnpo": "For norm = bnpo, divide the sum over all tokens that count by their number.",
    "dr_grpo": "For norm = dr_grpo, divide the sum over all tokens that count by B times max_len.",
}


def normalisers(value: torch.Tensor, mask: torch.Tensor, norm: str, max_len: int) -> dict:
    """What the mix-ups of normalisers give."""
    B, T = mask.shape
    kept = value * mask
    names = {
        "You divided by B times the width of the batch.": kept.sum() / (B * T),
        "You divided by max_len only.": kept.sum() / max_len,
        "You divided by B only.": kept.sum() / B,
        "You ignored the mask.": value.mean(),
        "You divided each completion by the width of the batch.": (kept.sum(1) / T).mean(),
        "You summed over the completions.": (kept.sum(1) / mask.sum(1).clamp(min=1)).sum(),
    }
    for other in NORMS:
        if other != norm:
            names[f"You used the normaliser of {other}."] = (
                value * token_weights(mask, other, max_len)
            ).sum()
    return names


def norm_test(student: Student, draw: Draw, norm: str):
    """Value and gradient of the clipped part for one normaliser."""
    logps, old_logps, ref_logps, A, mask = batch(draw)
    max_len = draw.integer(6, 10)
    value, slope = token_terms(logps, old_logps, ref_logps, A, 0.2, 0.0)
    weights = token_weights(mask, norm, max_len)
    arguments = (logps, old_logps, ref_logps, A, mask, 0.2, 0.0, norm, max_len)
    got = student.grad("grpo_loss", *arguments, wrt=(0,))
    r = (logps - old_logps).exp()
    rows, gap = A[:, None].expand_as(r), ((logps - old_logps) * mask).sum(1, keepdim=True)
    sequence = -cells(gap.exp().expand_as(r), rows, 0.2)[0]
    average = -cells((gap / mask.sum(1, keepdim=True)).exp().expand_as(r), rows, 0.2)[0]
    expect(got.value).close(
        (value * weights).sum(),
        NORM_TEXT[norm],
        mistakes={
            "The sign is reversed: this is a loss.": -(value * weights).sum(),
            "You used the ratio of whole completions: each token has its own.":
                (sequence * weights).sum(),
            "You used the mean ratio of a completion: each token has its own.":
                (average * weights).sum(),
            "You did not clip.": -(r * A[:, None] * weights).sum(),
            **normalisers(value, mask, norm, max_len),
        },
        scale=float((value.abs() * weights).sum()),
    )  # fmt: skip
    expect(got.grads[0]).close(
        slope * weights,
        "The gradient of a token is its weight times that of the clipped objective; it is 0 at "
        "padding and in the two clipped cells.",
    )


@exercise("grpo_loss")
def test_grpo_averages_within_each_completion_first(student: Student, draw: Draw):
    """Five ragged completions, norm = grpo: value and gradient."""
    norm_test(student, draw, "grpo")


@exercise("grpo_loss")
def test_bnpo_averages_over_all_tokens(student: Student, draw: Draw):
    """Five ragged completions, norm = bnpo: value and gradient."""
    norm_test(student, draw, "bnpo")


@exercise("grpo_loss")
def test_dr_grpo_divides_by_a_constant(student: Student, draw: Draw):
    """Five ragged completions, norm = dr_grpo: value and gradient."""
    norm_test(student, draw, "dr_grpo")


@exercise("grpo_loss", weight=2)
def test_the_penalty_is_k3_in_the_loss(student: Student, draw: Draw):
    """Advantages of 0, so that only the penalty is left: value and gradient."""
    logps, old_logps, ref_logps, A, mask = batch(draw)
    beta, norm = float(draw.uniform(0.2, 0.7)), draw.choice(NORMS)
    weights = token_weights(mask, norm, 7)
    d = ref_logps - logps
    zero = torch.zeros(5, dtype=DOUBLE)
    got = student.grad("grpo_loss", logps, old_logps, ref_logps, zero, mask, 0.2, beta, norm, 7,
                       wrt=(0,))  # fmt: skip

    def mean(k: torch.Tensor) -> torch.Tensor:
        return beta * (k * weights).sum()

    expect(got.value).close(
        mean(d.exp() - d - 1),
        "Add beta times k3 = exp(d) - d - 1, d = ref_logps - logps, to the loss of each token, and "
        "average it as the other part.",
        mistakes={
            "The ratio in k3 is inverted: d is ref_logps - logps.": mean((-d).exp() + d - 1),
            "You subtracted the penalty: this is a loss.": -mean(d.exp() - d - 1),
            "You used k1.": mean(-d),
            "You used k2.": mean(d**2 / 2),
            "You forgot beta.": (weights * (d.exp() - d - 1)).sum(),
            "You measured from the old policy, not from the reference.":
                mean((old_logps - logps).exp() - (old_logps - logps) - 1),
            "You forgot the -1 of k3.": mean(d.exp() - d),
            "You multiplied the penalty with the ratio.":
                mean((logps - old_logps).exp() * (d.exp() - d - 1)),
        },
    )  # fmt: skip
    expect(got.grads[0]).close(
        beta * (1 - d.exp()) * weights,
        "The penalty is part of the loss: its gradient beta (1 - exp(d)) reaches logps.",
        mistakes={"The penalty was detached: it must have a gradient.": torch.zeros_like(logps)},
        scale=float((beta * (1 - d.exp()) * weights).abs().max()),
    )


@exercise("grpo_loss")
def test_both_parts_together(student: Student, draw: Draw):
    """Clipped part and penalty, every norm, value and gradient; the default norm."""
    logps, old_logps, ref_logps, A, mask = batch(draw)
    eps, beta = float(draw.uniform(0.12, 0.3)), float(draw.uniform(0.5, 1.5))
    value, slope = token_terms(logps, old_logps, ref_logps, A, eps, beta)
    arguments = (logps, old_logps, ref_logps, A, mask, eps, beta)
    for norm in NORMS:
        weights = token_weights(mask, norm, 3)
        got = student.grad("grpo_loss", *arguments, norm, 3, wrt=(0,))
        message = "The loss of a token is minus the clipped objective plus beta times k3."
        scale = float((value.abs() * weights).sum())
        expect(got.value).close((value * weights).sum(), message, scale=scale)
        expect(got.grads[0]).close(slope * weights, message)
    expect(student.grpo_loss(*arguments)).close(
        (value * token_weights(mask, "grpo", 3)).sum(), 'The default norm is "grpo".', scale=scale
    )


@exercise("grpo_loss")
def test_only_logps_receives_a_gradient(student: Student, draw: Draw):
    """First step: old and new agree; everything carries a graph."""
    logps, _, ref_logps, A, mask = batch(draw)
    norm = draw.choice(NORMS)
    weights = token_weights(mask, norm, 6)
    got = student.grad("grpo_loss", logps, logps.clone(), ref_logps, A, mask, 0.2, 0.3, norm, 6,
                       wrt=(0, 1, 2, 3))  # fmt: skip
    d = ref_logps - logps
    expect(got.grads[0]).close(
        (-A[:, None] + 0.3 * (1 - d.exp())) * weights,
        "On the first step all ratios are 1, and the gradient is that of the policy gradient plus "
        "the penalty's: old_logps is a constant.",
    )
    for position in (1, 2, 3):
        constant(got, position, "old_logps, ref_logps and advantages are constants: detach them.")


@exercise("grpo_loss")
def test_without_beta_no_reference_is_needed(student: Student, draw: Draw):
    """beta = 0 and ref_logps = None, every norm."""
    logps, old_logps, ref_logps, A, mask = batch(draw)
    value, _ = token_terms(logps, old_logps, None, A, 0.2, 0.0)
    for norm in NORMS:
        weights = token_weights(mask, norm, 9)
        expect(student.grpo_loss(logps, old_logps, None, A, mask, 0.2, 0.0, norm, 9)).close(
            (value * weights).sum(),
            "ref_logps may be None when beta is 0.",
            scale=float((value.abs() * weights).sum()),
        )


@exercise("grpo_loss")
def test_padding_may_hold_any_numbers_here_too(student: Student, draw: Draw):
    """Padded places whose ratios overflow, in all three log-probabilities."""
    logps, old_logps, ref_logps, A, mask = batch(draw)
    value, slope = token_terms(logps, old_logps, ref_logps, A, 0.2, 0.4)
    hidden = mask == 0
    count = int(hidden.sum())
    logps[hidden] = torch.tensor(draw.shuffled([900.0, -900.0, 50.0] * 3)[:count], dtype=DOUBLE)
    old_logps[hidden] = torch.tensor(draw.shuffled([-800.0, 700.0, 0.0] * 3)[:count], dtype=DOUBLE)
    ref_logps[hidden] = torch.tensor(
        draw.shuffled([2000.0, -2000.0, 1.0] * 3)[:count], dtype=DOUBLE
    )
    for norm in NORMS:
        weights = token_weights(mask, norm, 6)
        arguments = (logps, old_logps, ref_logps, A, mask, 0.2, 0.4, norm, 6)
        got = student.grad("grpo_loss", *arguments, wrt=(0,))
        message = (
            "Padding may hold any finite numbers and has gradient 0: mask both log-ratios before "
            "the exponential, infinity times 0 is nan."
        )
        expect(got.value).close(
            (value * weights).sum(), message, scale=float((value.abs() * weights).sum())
        )
        expect(got.grads[0]).close(slope * weights, message)


@exercise("grpo_loss")
def test_nothing_but_the_clip_bounds_a_token(student: Student, draw: Draw):
    """A ratio, then a penalty, that is huge where no clip applies."""
    far = vector(float(draw.uniform(23, 26)))[None]
    zero, ones = torch.zeros(1, 1, dtype=DOUBLE), torch.ones(1, 1)
    A = vector(-float(draw.uniform(0.5, 2)))
    message = "The only bound is the clip of the ratio: cap neither log-ratios nor the penalty."
    for logps, ref_logps, advantage, value, slope in (
        (far, far, A, -far.exp() * A, -far.exp() * A),
        (zero, far, zero[0], far.exp() - far - 1, 1 - far.exp()),
        (zero, -far, zero[0], (-far).exp() + far - 1, 1 - (-far).exp()),
    ):
        arguments = (logps, zero, ref_logps, advantage, ones, 0.2, 1.0)
        got = student.grad("grpo_loss", *arguments, draw.choice(NORMS), 1, wrt=(0,))
        expect(got.value).close(value[0, 0], message)
        expect(got.grads[0]).close(slope, message)


@exercise("grpo_loss")
def test_an_empty_completion_counts_in_the_batch(student: Student, draw: Draw):
    """One completion was filtered out: no token of it counts."""
    logps, old_logps, ref_logps, A, mask = batch(draw)
    mask[draw.integer(0, 5)] = 0
    value, slope = token_terms(logps, old_logps, ref_logps, A, 0.2, 0.3)
    for norm in NORMS:
        weights = token_weights(mask, norm, 6)
        arguments = (logps, old_logps, ref_logps, A, mask, 0.2, 0.3, norm, 6)
        got = student.grad("grpo_loss", *arguments, wrt=(0,))
        message = "A completion without tokens adds 0 and still counts in B: 0 / 0 is nan."
        expect(got.value).close(
            (value * weights).sum(), message, scale=float((value.abs() * weights).sum())
        )
        expect(got.grads[0]).close(slope * weights, message)


@exercise("grpo_loss")
def test_masks_dtypes_and_small_batches(student: Student, draw: Draw):
    """Masks of three dtypes, float32, one completion, one token."""
    logps, old_logps, ref_logps, A, mask = batch(draw)
    message = "The mask may be boolean, integer or floating; the loss has the dtype of logps."
    value, _ = token_terms(logps, old_logps, ref_logps, A, 0.2, 0.3)
    for norm in NORMS:
        want = (value * token_weights(mask, norm, 6)).sum()
        for dtype in (torch.bool, torch.float32):
            got = student.grpo_loss(
                logps, old_logps, ref_logps, A, mask.to(dtype), 0.2, 0.3, norm, 6
            )
            expect(got).close(want, message, scale=1.0)
        single = [each.float() for each in (logps, old_logps, ref_logps, A)]
        got = student.grpo_loss(*single, mask, 0.2, 0.3, norm, 6)
        expect(got).close(want.float(), message, rtol=1e-5, scale=1.0)
        for rows, columns in (((0, 1), (0, 4)), ((0, 5), (1, 2)), ((0, 4), (0, 4))):
            part = [x[rows[0] : rows[1], columns[0] : columns[1]] for x in (logps, old_logps,
                    ref_logps, mask)]  # fmt: skip
            lp, old, ref, m = part
            few = A[rows[0] : rows[1]]
            if not bool(m.any()):
                continue
            terms, _ = token_terms(lp, old, ref, few, 0.2, 0.3)
            weights = token_weights(m, norm, 6)
            expect(student.grpo_loss(lp, old, ref, few, m, 0.2, 0.3, norm, 6)).close(
                (terms * weights).sum(),
                "Batches of any size: advantages belong to rows, not to positions.",
                scale=float((terms.abs() * weights).sum()),
            )


@exercise("grpo_loss")
def test_unknown_norms_and_a_missing_length_raise(student: Student, draw: Draw):
    """Norms that do not exist, and dr_grpo without its constant; the others do without."""
    arguments = (*batch(draw), 0.2, 0.0)
    for norm in ("mean", "GRPO", ""):
        raised = student.raised("grpo_loss", *arguments, norm, 6)
        expect(raised).equals("ValueError", "An unknown norm raises ValueError.")
    raised = student.raised("grpo_loss", *arguments, "dr_grpo")
    expect(raised).equals("ValueError", "dr_grpo without max_len raises ValueError.")
    for norm in ("grpo", "bnpo"):
        raised = student.raised("grpo_loss", *arguments, norm)
        expect(raised).equals(None, "Only dr_grpo needs max_len.")

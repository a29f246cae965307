"""Hidden suite of 12_grpo.

Strategy: clipped objectives are compared with a case distinction written number by number, in value
and in gradient, on batches that hold every cell of the (ratio, advantage) plane. Masks are ragged,
and the padding holds numbers whose exponential overflows. Biases are compared with a sum over
multisets of outcomes (multinomial weights, not ordered tuples) and, for right/wrong rewards, with a
binomial closed form.
"""

import itertools
import math

import torch

from autograder.suite import Draw, Gradient, Student, exercise, expect

DEPENDS = {"grpo_bias": ["group_advantages"], "grpo_loss": ["ppo_clip_loss"]}
FORBIDDEN = {
    "kl_constrained_check": ["torch.distributions", "torch.nn.functional.kl_div", "torch.kl_div"],
}

DOUBLE = torch.float64


def vector(*values: float) -> torch.Tensor:
    """A float64 vector."""
    return torch.tensor(values, dtype=DOUBLE)


def pair(got, message: str):
    """A returned tuple of two."""
    expect(got).true(isinstance(got, tuple) and len(got) == 2, message)
    return got


def constant(got: Gradient, position: int, message: str):
    """Fail if a gradient reaches the argument at `position`."""
    grad = got.grads[position]
    expect(grad).true(grad is None or not bool(grad.any()), message)


# kl_constrained_check


def mean_kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Mean over rows of KL, by torch.distributions."""
    first, second = (torch.distributions.Categorical(logits=each) for each in (p, q))
    return torch.distributions.kl_divergence(first, second).mean()


def divergence(student: Student, old: torch.Tensor, new: torch.Tensor, delta: float = 1.0):
    """The first value that the student's check returns, and the second."""
    got = student.kl_constrained_check(old, new, delta)
    return pair(got, "Return the tuple (kl, inside).")


@exercise("kl_constrained_check", weight=2)
def test_the_old_policy_comes_first(student: Student, draw: Draw):
    """Three prompts, five completions, against torch.distributions."""
    old, new = draw.normal(3, 5), draw.normal(3, 5)
    p, q = old.log_softmax(-1), new.log_softmax(-1)
    terms = p.exp() * (p - q)
    want = mean_kl(old, new)
    expect(divergence(student, old, new)[0]).close(
        want,
        "The constraint is the mean over prompts of the sum over completions of "
        "pi_old ln(pi_old / pi).",
        mistakes={
            "You put the new policy first: the samples, and the weights, are those of pi_old.":
                mean_kl(new, old),
            "You added up the prompts: take their mean.": 3 * want,
            "You took the largest prompt: the constraint is on the mean.": terms.sum(1).max(),
            "You averaged over the completions as well: they are summed.": want / 5,
            "You returned one value per prompt: take their mean.": terms.sum(1),
            "The sign is reversed.": -want,
            "You took the mean of k1 with equal weights: weigh with pi_old.": (p - q).mean(),
            "You averaged both directions.": (want + mean_kl(new, old)) / 2,
        },
    )  # fmt: skip


@exercise("kl_constrained_check")
def test_inside_compares_the_mean_with_delta(student: Student, draw: Draw):
    """A radius a little smaller, then larger than the mean; one prompt is far out; a tiny step."""
    old = draw.normal(4, 3)
    new = old + 0.1 * draw.normal(4, 3)
    new[draw.integer(0, 4)] += vector(3.0, -1.0, 0.0)
    kl = float(mean_kl(old, new))
    for factor, want in ((0.9, False), (1.1, True)):
        expect(divergence(student, old, new, factor * kl)[1]).equals(
            want,
            "inside is the Python bool kl <= delta, with the mean over the prompts: one prompt may "
            "be outside.",
        )
    value = expect(divergence(student, old, new)[0]).tensor((), DOUBLE, "kl is a 0-d tensor.")
    expect(divergence(student, old, new, float(value))[1]).equals(
        True, "The constraint is kl <= delta: on the border it holds."
    )
    close_by = old + 1e-4 * draw.normal(4, 3)
    kl = float(mean_kl(old, close_by))
    for factor, want in ((0.9, False), (1.1, True)):
        expect(divergence(student, old, close_by, factor * kl)[1]).equals(
            want, "The comparison with delta is exact, without any tolerance: delta may be tiny."
        )
    expect(divergence(student, old, old.clone(), 1e-6)[1]).equals(
        True, "A policy that has not moved is inside every trust region."
    )


@exercise("kl_constrained_check")
def test_logits_far_apart_have_a_finite_divergence(student: Student, draw: Draw):
    """One prompt; logits so far apart that a softmax underflows."""
    gap = float(draw.uniform(900, 1100))
    old, new = vector(gap, 0.0, 0.0)[None], vector(0.0, gap, 0.0)[None]
    expect(divergence(student, old, new)[0]).close(
        torch.tensor(gap, dtype=DOUBLE),
        "Finite logits have a finite divergence: use log_softmax, the logarithm of a probability "
        "that underflowed is -inf, and do not clip it.",
    )


@exercise("kl_constrained_check")
def test_the_gradient_reaches_the_new_logits(student: Student, draw: Draw):
    """The derivative with respect to the new logits, which is (pi - pi_old) / B; float32 too."""
    old, new = draw.normal(2, 4), draw.normal(2, 4)
    got = student.grad("kl_constrained_check", old, new, 0.5, wrt=(1,), item=0)
    expect(got.grads[1]).close(
        (new.softmax(-1) - old.softmax(-1)) / 2,
        "The divergence must be differentiable in the new logits: keep the graph.",
    )
    expect(divergence(student, old.float(), new.float())[0]).close(
        mean_kl(old, new).float(), "The divergence has the dtype of the logits.", rtol=1e-5,
        scale=1.0,
    )  # fmt: skip


# ppo_clip_loss

CELLS = [(r, A) for A in (1.0, -1.0) for r in (0.45, 0.93, 1.06, 1.7)]


def cell(r: float, A: float, eps: float) -> tuple[float, float]:
    """Objective of one entry and its derivative in r, by cases."""
    if A > 0 and r > 1 + eps:
        return (1 + eps) * A, 0.0
    if A < 0 and r < 1 - eps:
        return (1 - eps) * A, 0.0
    return r * A, A


def cells(r: torch.Tensor, A: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Objectives and their derivatives in ln r, entry by entry."""
    pairs = [cell(float(a), float(b), eps) for a, b in zip(r.flatten(), A.flatten(), strict=True)]
    value, slope = (torch.tensor(each, dtype=DOUBLE).view(r.shape) for each in zip(*pairs))  # noqa: B905
    return value, slope * r


def all_cells(draw: Draw):
    """Ratios and advantages of eight entries, one in every cell, in random order."""
    order = draw.shuffled(CELLS)
    r = vector(*(r for r, _ in order)) * draw.uniform(0.97, 1.03, 8)
    A = vector(*(A for _, A in order)) * draw.uniform(0.6, 2.4, 8)
    old_logps = -draw.uniform(1, 4, 8)
    return r, A, old_logps + r.log(), old_logps


@exercise("ppo_clip_loss", weight=2)
def test_every_cell_has_its_value(student: Student, draw: Draw):
    """Eight entries, one in every cell of the (ratio, advantage) plane: the loss."""
    r, A, logps, old_logps = all_cells(draw)
    eps = 0.2
    clip = r.clamp(1 - eps, 1 + eps)
    smaller = torch.minimum(r * A, clip * A)
    expect(student.ppo_clip_loss(logps, old_logps, A, eps)).close(
        -cells(r, A, eps)[0].mean(),
        "The loss is minus the mean of min(r A, clip(r, 1 - eps, 1 + eps) A).",
        mistakes={
            "The sign is reversed: this is a loss, to be minimised.": smaller.mean(),
            "You summed: take the mean over the entries.": -smaller.sum(),
            "You took the larger of the two.": -torch.maximum(r * A, clip * A).mean(),
            "You used the clipped term alone: a bad answer that became likelier is then not "
            "pushed back.": -(clip * A).mean(),
            "You did not clip.": -(r * A).mean(),
            "You clipped r A: clip the ratio, then multiply.":
                -torch.minimum(r * A, (r * A).clamp(1 - eps, 1 + eps)).mean(),
            "The ratio is inverted: it is pi / pi_old.":
                -torch.minimum(A / r, (1 / r).clamp(1 - eps, 1 + eps) * A).mean(),
            "You took the smaller of the two for good answers only.":
                -torch.where(A > 0, smaller, clip * A).mean(),
            "You took the smaller ratio, whatever the sign of A.":
                -(torch.minimum(r, clip) * A).mean(),
            "You clipped the log-ratio: clip the ratio.":
                -torch.minimum(r * A, r.log().clamp(-eps, eps).exp() * A).mean(),
        },
    )  # fmt: skip


@exercise("ppo_clip_loss", weight=2)
def test_only_two_cells_have_no_gradient(student: Student, draw: Draw):
    """The same eight entries: the gradient with respect to logps."""
    r, A, logps, old_logps = all_cells(draw)
    eps = float(draw.uniform(0.12, 0.3))
    got = student.grad("ppo_clip_loss", logps, old_logps, A, eps, wrt=(0,))
    clip_only = torch.where((r > 1 - eps) & (r < 1 + eps), r * A, torch.zeros(8, dtype=DOUBLE))
    expect(got.grads[0]).close(
        -cells(r, A, eps)[1] / 8,
        "The gradient vanishes only where A > 0 and r > 1 + eps, or A < 0 and r < 1 - eps; "
        "elsewhere it is -r A / N.",
        mistakes={
            "You dropped the gradient of every clipped ratio: outside the range the unclipped term "
            "may be the smaller one.": -clip_only / 8,
            "You did not clip.": -r * A / 8,
            "The factor r is missing: differentiate the ratio, not logps.":
                -cells(r, A, eps)[1] / r / 8,
        },
    )  # fmt: skip


@exercise("ppo_clip_loss")
def test_on_the_first_step_it_is_the_policy_gradient(student: Student, draw: Draw):
    """Old and new policy agree; old log-probabilities and advantages carry a graph."""
    logps, A = -draw.uniform(1, 5, 6), draw.normal(6) + 0.3
    got = student.grad("ppo_clip_loss", logps, logps.clone(), A, 0.2, wrt=(0, 1, 2))
    expect(got.value).close(
        -A.mean(), "All ratios are 1: the value is minus the mean advantage.", scale=1.0
    )
    expect(got.grads[0]).close(
        -A / 6, "All ratios are 1: the gradient is -A / N, that of the plain policy gradient."
    )
    constant(got, 1, "old_logps is a constant: detach it, or the gradients cancel.")
    constant(got, 2, "The advantages are constants: detach them.")


def masked_batch(draw: Draw):
    """[3, 4] entries in all cells, with padding on both sides."""
    mask = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 1], [1, 1, 1, 0]])[draw.shuffled(range(3))]
    flat = torch.zeros(3, 4, dtype=DOUBLE)
    r, A, _, _ = all_cells(draw)
    ratio, advantages = flat + 1.3, flat - 0.7
    ratio[mask.bool()], advantages[mask.bool()] = r, A
    old_logps = -draw.uniform(1, 4, 3, 4)
    return ratio, advantages, old_logps + ratio.log(), old_logps, mask


@exercise("ppo_clip_loss")
def test_the_mean_is_over_the_entries_that_count(student: Student, draw: Draw):
    """A ragged mask with padding on both sides, of every dtype."""
    r, A, logps, old_logps, mask = masked_batch(draw)
    value, _ = cells(r, A, 0.2)
    kept = value * mask
    for dtype in (torch.bool, torch.int64, torch.float64):
        expect(student.ppo_clip_loss(logps, old_logps, A, 0.2, mask.to(dtype))).close(
            -kept.sum() / mask.sum(),
            "With a mask, divide the sum over the entries that count by their number; the mask may "
            "be boolean, integer or floating.",
            mistakes={
                "You ignored the mask.": -value.mean(),
                "You divided by the number of all entries, padding included.": -kept.mean(),
                "You averaged row by row.": -(kept.sum(1) / mask.sum(1)).mean(),
                "You divided by the number of rows.": -kept.sum() / 3,
                "The mask is inverted.": -(value * (1 - mask)).sum() / (1 - mask).sum(),
            },
        )


@exercise("ppo_clip_loss")
def test_masks_of_every_shape(student: Student, draw: Draw):
    """A mask over completions [B], one over [2, 2, 2], one row, float32 beside a float64 mask."""
    r, A, logps, old_logps = all_cells(draw)
    mask = torch.tensor(draw.shuffled([1, 1, 1, 1, 1, 0, 0, 0]))
    want = -(cells(r, A, 0.2)[0] * mask).sum() / mask.sum()
    message = "The mask has the shape of logps, whatever that is: the mean is over what counts."
    for shape in ((8,), (2, 2, 2), (1, 8), (8, 1)):
        views = [each.view(shape) for each in (logps, old_logps, A)]
        expect(student.ppo_clip_loss(*views, 0.2, mask.view(shape))).close(want, message)
    single = [each.float() for each in (logps, old_logps, A)]
    expect(student.ppo_clip_loss(*single, 0.2, mask.double())).close(
        want.float(), "The loss has the dtype of logps, whatever the dtype of the mask.", rtol=1e-5
    )


@exercise("ppo_clip_loss")
def test_padding_may_hold_any_numbers(student: Student, draw: Draw):
    """Log-probabilities at padded places whose ratio overflows, or underflows to 0."""
    r, A, logps, old_logps, mask = masked_batch(draw)
    hidden = mask == 0
    logps[hidden] = vector(1200.0, -1500.0, 60.0, 3.0)
    A[hidden] = vector(-1.0, 1e6, 3.0, 0.0)
    value, slope = cells(r, torch.where(hidden, 1.0, A), 0.2)
    got = student.grad("ppo_clip_loss", logps, old_logps, A, 0.2, mask, wrt=(0,))
    expect(got.value).close(
        -(value * mask).sum() / mask.sum(),
        "Padding may hold any finite numbers, whose ratio may overflow: infinity times 0 is nan.",
    )
    expect(got.grads[0]).close(
        -slope * mask / mask.sum(),
        "The gradient is 0 at padding, whatever it holds: mask the log-ratio before the "
        "exponential, or the gradient becomes nan.",
    )


@exercise("ppo_clip_loss")
def test_shapes_dtypes_and_long_completions(student: Student, draw: Draw):
    """A single completion, a batch with three dimensions, float32, and ln pi near -900."""
    message = "Take the mean over all entries, of any shape, in the dtype of logps."
    for shape in ((1,), (2, 3, 4), (1, 5)):
        r = draw.uniform(0.5, 1.6, *shape)
        A, old_logps = draw.normal(*shape) + 3.0, -draw.uniform(1, 3, *shape)
        want = -cells(r, A, 0.2)[0].mean()
        expect(student.ppo_clip_loss(old_logps + r.log(), old_logps, A, 0.2)).close(want, message)
    single = [each.float() for each in (old_logps + r.log(), old_logps, A)]
    expect(student.ppo_clip_loss(*single, 0.2)).close(want.float(), message, rtol=1e-5)
    old_logps = -draw.uniform(880, 920, 4)
    r, A = vector(0.6, 1.1, 0.9, 1.5), vector(-1.0, 2.0, -1.0, -1.5)
    expect(student.ppo_clip_loss(old_logps + r.log(), old_logps, A, 0.2)).close(
        -cells(r, A, 0.2)[0].mean(),
        "Subtract the logarithms, then take the exponential: the probability of a long completion "
        "underflows to 0.",
    )


@exercise("ppo_clip_loss")
def test_the_clip_range_is_an_argument(student: Student, draw: Draw):
    """A narrow range, and one wider than 1; ratios far away; an advantage of 0."""
    r = vector(0.02, 0.7, 1.04, 1.9, 40.0, 9.0, 0.97)
    A = vector(-1.0, 1.3, 0.8, -0.6, 1.1, -2.0, 0.0) * float(draw.uniform(0.7, 1.5))
    old_logps = -draw.uniform(4, 6, 7)
    for eps in (0.02, 0.5, 1.5):
        got = student.grad("ppo_clip_loss", old_logps + r.log(), old_logps, A, eps, wrt=(0,))
        value, slope = cells(r, A, eps)
        message = (
            "Clip to [1 - eps, 1 + eps] with the eps given, whatever its size; the unclipped term "
            "has no other bound, and entries with advantage 0 count."
        )
        expect(got.value).close(-value.mean(), message)
        expect(got.grads[0]).close(-slope / 7, message)


@exercise("ppo_clip_loss")
def test_ratios_far_out_are_not_capped(student: Student, draw: Draw):
    """One entry whose ratio is huge, then one whose ratio is tiny, where no clip applies."""
    A = float(draw.uniform(0.7, 1.5))
    for log_ratio, advantage in ((26.0, -A), (-12.0, A)):
        gap = vector(log_ratio + float(draw.uniform(0, 1)))
        got = student.grad(
            "ppo_clip_loss", gap - 40, vector(-40.0), vector(advantage), 0.2, wrt=(0,)
        )
        message = "The only bound on the ratio is the clip; where it does not apply, there is none."
        expect(got.value).close(-(gap.exp() * advantage)[0], message)
        expect(got.grads[0]).close(-gap.exp() * advantage, message)


# group_advantages


def rewards_of(draw: Draw, B: int = 3, G: int = 5) -> torch.Tensor:
    """[B, G] rewards; each row has its own level and spread."""
    base = torch.linspace(-1.0, 1.3, G, dtype=DOUBLE) ** 3 + draw.uniform(-0.05, 0.05, B, G)
    level, spread = draw.uniform(-4, 4, B, 1), draw.uniform(0.5, 3.0, B, 1)
    shuffled = torch.stack([row[draw.shuffled(range(G))] for row in base])
    return level + spread * shuffled


def standardised(R: torch.Tensor, ddof: int, eps: float) -> torch.Tensor:
    """(R - mean) / (std + eps) by rows, through numpy."""
    rows = R.numpy()
    spread = rows.std(1, ddof=ddof, keepdims=True)
    return torch.from_numpy((rows - rows.mean(1, keepdims=True)) / (spread + eps))


@exercise("group_advantages", weight=2)
def test_each_group_is_centred_and_divided_by_its_deviation(student: Student, draw: Draw):
    """Three prompts, five completions, both deviations, a visible eps."""
    R, eps = rewards_of(draw), float(draw.uniform(0.2, 0.6))
    centred = R - R.mean(1, keepdim=True)
    for ddof in (0, 1):
        variance = R.var(1, keepdim=True, correction=ddof)
        expect(student.group_advantages(R, "std", ddof, eps)).close(
            standardised(R, ddof, eps),
            "The advantage is (R - mean) / (std + eps), with mean and deviation of the row; the "
            "variance divides by G - ddof.",
            mistakes={
                "You ignored ddof.": standardised(R, 1 - ddof, eps),
                "You added eps inside the root: add it to the deviation.":
                    centred / (variance + eps).sqrt(),
                "You added eps to the variance's root twice or divided by the variance.":
                    centred / (variance + eps),
                "You used mean and deviation of the whole batch.":
                    (R - R.mean()) / (R.std(correction=ddof) + eps),
                "You used the mean of the whole batch.":
                    (R - R.mean()) / (R.std(1, keepdim=True, correction=ddof) + eps),
                "You used the deviation of the whole batch.":
                    centred / (R.std(correction=ddof) + eps),
                "You normalised across prompts: a group is a row.":
                    standardised(R.T.contiguous(), ddof, eps).T,
                "You forgot eps.": standardised(R, ddof, 0.0),
                "You did not divide.": centred,
                "You did not subtract the mean.":
                    R / (R.std(1, keepdim=True, correction=ddof) + eps),
                "You left each sample out of its mean: that is RLOO.":
                    centred * 1.25 / (R.std(1, keepdim=True, correction=ddof) + eps),
            },
        )  # fmt: skip


@exercise("group_advantages")
def test_without_a_scale_the_rewards_are_centred(student: Student, draw: Draw):
    """scale = "none"; ddof and eps play no role."""
    R = rewards_of(draw, 2, 4)
    want = R - R.mean(1, keepdim=True)
    for extra in ({}, {"ddof": 0, "eps": 0.7}):
        expect(student.group_advantages(R, scale="none", **extra)).close(
            want,
            'scale="none" subtracts the mean of the group and does nothing else.',
            mistakes={
                "You divided by the deviation.": standardised(R, 1, 1e-4),
                "You divided by eps or by 1 + eps.": want / 1.7,
                "You left each sample out of its mean: that is RLOO.": want * 4 / 3,
            },
        )


@exercise("group_advantages")
def test_the_defaults_are_those_of_the_docstring(student: Student, draw: Draw):
    """Nothing but rewards, of a group whose rewards differ by little, so that eps shows."""
    R = 1.0 + rewards_of(draw, 2, 3) * 1e-3
    expect(student.group_advantages(R)).close(
        standardised(R, 1, 1e-4),
        'The defaults are scale="std", ddof=1 and eps=1e-4.',
        mistakes={
            "The default ddof is 1.": standardised(R, 0, 1e-4),
            "The default eps is 1e-4.": standardised(R, 1, 1e-8),
        },
        rtol=1e-7,
    )


@exercise("group_advantages", weight=2)
def test_equal_rewards_give_exactly_zero(student: Student, draw: Draw):
    """Groups that tie beside groups that do not; their mean is not exact in floating point."""
    R = rewards_of(draw, 6, 3)
    ties = draw.sample([0.1, 0.7, 1.0, 0.0, -0.3, 1e6 + 0.1], 3)
    for row, value in zip((1, 3, 4), ties, strict=True):
        R[row] = value
    R[5] = 0.1
    R[0, 1], R[2, 2] = R[0, 0], R[2, 1]  # two of three are equal: no tie
    for scale, ddof, eps in (("std", 1, 1e-4), ("std", 0, 0.0), ("std", 1, 0.0), ("none", 1, 1e-4)):
        got = expect(student.group_advantages(R, scale, ddof, eps)).tensor(
            (6, 3), DOUBLE, "Return [B, G] in the dtype of the rewards."
        )
        expect(got[[1, 3, 4, 5]]).true(
            bool((got[[1, 3, 4, 5]] == 0).all()),
            "A group of equal rewards has advantages exactly 0, also with eps = 0 and also where "
            "the mean of equal numbers is rounded: ask whether the rewards are equal.",
        )
        others = R[[0, 2]] - R[[0, 2]].mean(1, keepdim=True)
        want = others if scale == "none" else standardised(R[[0, 2]], ddof, eps)
        expect(got[[0, 2]]).close(want, "Groups that do not tie keep their advantages.")


@exercise("group_advantages")
def test_small_differences_are_not_ties(student: Student, draw: Draw):
    """Rewards that differ in the ninth decimal only, without and with eps."""
    R = 0.5 + 1e-9 * rewards_of(draw, 2, 4)
    for eps in (0.0, 1e-4):
        expect(student.group_advantages(R, "std", 0, eps)).close(
            standardised(R, 0, eps),
            "Small differences are differences: eps decides what they count, not a threshold.",
            rtol=1e-5,
        )


@exercise("group_advantages")
def test_level_and_scale_of_the_rewards_do_not_matter(student: Student, draw: Draw):
    """A shift and a positive factor; very many completions, and two; one prompt; float32."""
    R = rewards_of(draw, 2, 6)
    factor, shift = float(draw.uniform(3, 8)), float(draw.uniform(4e5, 6e5))
    want = standardised(R, 1, 0.0)
    expect(student.group_advantages(factor * R + shift, "std", 1, 0.0)).close(
        want,
        "With eps = 0, level and scale of the rewards of a group do not matter; subtract the mean "
        "before you square.",
    )
    many = torch.eye(150, dtype=DOUBLE)[draw.integer(0, 150)][None]
    expect(student.group_advantages(many, "std", 0, 0.0)).close(
        standardised(many, 0, 0.0),
        "One right answer among very many has a large advantage: nothing caps it.",
    )
    two = vector(float(draw.uniform(2, 3)), float(draw.uniform(0, 1)))[None]
    expect(student.group_advantages(two, "std", 0, 0.0)).close(
        vector(1.0, -1.0)[None], "Of two completions the better has 1 and the other -1 (ddof = 0)."
    )
    expect(student.group_advantages(R[:1].float(), "std", 1, 0.0)).close(
        want[:1].float(), "One prompt is a batch, too, and float32 stays float32.", rtol=1e-4
    )


@exercise("group_advantages")
def test_advantages_are_numbers_without_graph(student: Student, draw: Draw):
    """Rewards that carry a graph, with both scales."""
    R = rewards_of(draw, 2, 4)
    for scale in ("std", "none"):
        got = student.grad("group_advantages", R, scale, wrt=(0,),
                           cotangent=torch.ones(2, 4, dtype=DOUBLE))  # fmt: skip
        expect(got).true(
            not got.requires_grad, "Detach the result: an advantage is a number, not a graph."
        )


@exercise("group_advantages")
def test_a_single_completion_and_an_unknown_scale_raise(student: Student, draw: Draw):
    """Groups of one and of none, and scales that do not exist."""
    for B, G in ((3, 1), (1, 1), (2, 0)):
        for scale in ("std", "none"):
            raised = student.raised("group_advantages", draw.normal(B, G), scale)
            expect(raised).equals("ValueError", "A group of fewer than two raises ValueError.")
    for scale in ("variance", "STD", ""):
        raised = student.raised("group_advantages", rewards_of(draw), scale)
        expect(raised).equals("ValueError", 'Any scale but "std" and "none" raises ValueError.')
    R = draw.normal(1, 3)
    expect(student.group_advantages(R, "none")).close(
        R - R.mean(), "One prompt with several completions is a group: do not raise."
    )


# grpo_loss


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


# grpo_bias


def multisets(probs: torch.Tensor, A: torch.Tensor, G: int, ddof: int = 0) -> dict:
    """Mean of the estimate over multisets of outcomes with multinomial weights, and variants."""
    V = len(probs)
    p = [float(x) for x in probs]
    mean, kept = torch.zeros(V, dtype=DOUBLE), 0.0
    scores = torch.eye(V, dtype=DOUBLE) - probs
    for y in itertools.combinations_with_replacement(range(V), G):
        counts = [y.count(k) for k in range(V)]
        weight = math.factorial(G)
        for k in range(V):
            weight *= p[k] ** counts[k] / math.factorial(counts[k])
        rewards = A[list(y)]
        if bool((rewards == rewards[0]).all()):
            continue
        kept += weight
        advantages = (rewards - rewards.mean()) / rewards.std(correction=ddof)
        mean = mean + weight * (advantages @ scores[list(y)]) / G
    true = (probs * A) @ scores
    return {"mean": mean, "true": true, "kept": kept}


def world(draw: Draw, V: int):
    """Probabilities and distinct rewards, none of them near the mean."""
    while True:
        probs = torch.tensor(draw.shuffled([0.9, 1.6, 0.6, 2.0, 1.2][:V]), dtype=DOUBLE)
        A = torch.tensor(draw.shuffled([3.0, 1.1, -2.0, 0.2, -0.8][:V]), dtype=DOUBLE)
        probs, A = probs + draw.uniform(0, 0.2, V), A + draw.uniform(-0.2, 0.2, V)
        probs = probs / probs.sum()
        if float((A - probs @ A).abs().min()) > 0.15:
            return probs, A


def bias(student: Student, probs: torch.Tensor, A: torch.Tensor, G: int):
    """The student's (ratio, cosine)."""
    return pair(student.grpo_bias(probs, A, G), "Return the tuple (ratio, cosine).")


@exercise("grpo_bias", weight=2)
def test_ratio_of_the_mean_to_the_gradient(student: Student, draw: Draw):
    """Three outcomes, groups of two and of three, against a sum over multisets."""
    probs, A = world(draw, 3)
    for G in (2, 3):
        exact, bessel = multisets(probs, A, G), multisets(probs, A, G, ddof=1)
        want = exact["mean"] / exact["true"]
        expect(bias(student, probs, A, G)[0]).close(
            want,
            "ratio is E[g_hat] / grad J by coordinates, with ddof = 0, eps = 0, the mean over all "
            "V**G ordered tuples and 1/G in the estimate.",
            mistakes={
                "You divided by the deviation with ddof = 1.": bessel["mean"] / exact["true"],
                "You left the tuples of equal rewards out of the mean: they contribute 0, but "
                "their probability is not redistributed.": want / exact["kept"],
                "You forgot the 1/G.": want * G,
                "You claim that the estimate is unbiased.": torch.ones(3, dtype=DOUBLE),
                "The ratio is inverted.": 1 / want,
                "You returned the mean, not the ratio.": exact["mean"],
                "You returned the bias, not the ratio.": exact["mean"] - exact["true"],
                "You did not divide by the deviation.":
                    torch.full((3,), (G - 1) / G, dtype=DOUBLE),
            },
        )  # fmt: skip


@exercise("grpo_bias")
def test_cosine_of_the_angle(student: Student, draw: Draw):
    """Two to five outcomes, groups of two to seven: the cosine."""
    for V, G in ((3, 2), (4, 3), (5, 2), (2, 7)):
        probs, A = world(draw, V)
        exact = multisets(probs, A, G)
        mean, true = exact["mean"], exact["true"]
        ratio, cosine = bias(student, probs, A, G)
        expect(cosine).close(
            torch.nn.functional.cosine_similarity(mean, true, dim=0),
            "cosine is the inner product of E[g_hat] and grad J divided by both lengths, 0-d.",
        )
        expect(ratio).close(
            mean / true, "Any number of outcomes and any group: sum over all V**G tuples."
        )


@exercise("grpo_bias")
def test_right_and_wrong_only_change_the_length(student: Student, draw: Draw):
    """Rewards 0 and 1 on five outcomes, against the binomial closed form."""
    probs = draw.probs(5)
    right = torch.tensor(draw.shuffled([1.0, 1.0, 0.0, 0.0, 0.0]), dtype=DOUBLE)
    P = float(probs @ right)
    for G in (2, 3, 4):
        shares = [(math.comb(G, k) * P**k * (1 - P) ** (G - k), k / G) for k in range(G + 1)]
        factor = sum(weight * math.sqrt(q * (1 - q)) for weight, q in shares) / (P * (1 - P))
        ratio, cosine = bias(student, probs, right, G)
        expect(ratio).close(
            torch.full((5,), factor, dtype=DOUBLE),
            "For rewards 0 and 1 all coordinates have the same ratio: tuples whose rewards are "
            "equal contribute exactly 0.",
        )
        expect(cosine).close(
            torch.tensor(1.0, dtype=DOUBLE), "For rewards 0 and 1 the mean is parallel."
        )


@exercise("grpo_bias")
def test_equal_rewards_that_round_badly(student: Student, draw: Draw):
    """Rewards of .1 and .7, whose group means are rounded; groups of three."""
    probs = draw.probs(3)
    A = vector(*draw.shuffled([0.1, 0.1, 0.7]))
    exact = multisets(probs, A, 3)
    expect(bias(student, probs, A, 3)[0]).close(
        exact["mean"] / exact["true"],
        "A tuple of equal rewards contributes exactly 0, also where their mean is rounded.",
    )


@exercise("grpo_bias")
def test_level_and_scale_of_the_rewards(student: Student, draw: Draw):
    """Rewards scaled by a constant: the mean stays, the gradient grows."""
    probs, A = world(draw, 3)
    exact = multisets(probs, A, 2)
    factor, shift = float(draw.uniform(30, 60)), float(draw.uniform(1, 2))
    expect(bias(student, probs, factor * A + shift, 2)[0]).close(
        exact["mean"] / exact["true"] / factor,
        "The mean estimate does not depend on level and scale of the rewards; the gradient grows "
        "with the scale.",
    )

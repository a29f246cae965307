"""Section 2 of 12_grpo. PPO's clipped objective."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, cells, constant, vector

CELLS = [(r, A) for A in (1.0, -1.0) for r in (0.45, 0.93, 1.06, 1.7)]


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

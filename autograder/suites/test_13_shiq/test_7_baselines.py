"""Section 7 of 13_shiq. Multi-turn CoPG and DPO."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, tensor

# --- the two baselines ---------------------------------------------------------------------------


def pair_batch(draw, first_width, second_width):
    """Token log-probabilities of three pairs; masks with holes and numbers behind them."""
    masks = []
    for width in (first_width, second_width):
        mask = torch.ones(3, width, dtype=torch.int64)
        mask[0, 1:2], mask[1, -1:], mask[2, :1] = 0, 0, 0
        masks.append(mask)
    logps = [draw.normal(3, width) - 2 for width in (first_width, second_width)]
    refs = [draw.normal(3, width) - 1.5 for width in (first_width, second_width)]
    return logps, refs, masks


def summed(logp, ref, mask):
    """h of each trajectory, token by token."""
    return tensor(*(
        sum(float(a - b) for a, b, keep in zip(*rows, strict=True) if keep)
        for rows in zip(logp, ref, mask, strict=True)
    ))  # fmt: skip


def gaps(logps, refs, masks):
    """The right difference of log-ratios and typical wrong ones."""
    h, h2 = (summed(*parts) for parts in zip(logps, refs, masks, strict=True))
    ones = [torch.ones_like(mask) for mask in masks]
    bare, bare2 = (summed(*parts) for parts in zip(logps, refs, ones, strict=True))
    width = min(mask.shape[1] for mask in masks)
    cut = [
        summed(logp[:, :width], ref[:, :width], mask[:, :width])
        for logp, ref, mask in zip(logps, refs, masks, strict=True)
    ]
    pure = [summed(logp, 0 * logp, mask) for logp, mask in zip(logps, masks, strict=True)]
    return h - h2, {
        "Sum over the steps: this is their mean.": (h / masks[0].sum(1) - h2 / masks[1].sum(1)),
        "The masks are ignored.": bare - bare2,
        "The trajectories are cut to the shorter width.": cut[0] - cut[1],
        "The reference is missing.": pure[0] - pure[1],
        "The two log-ratios are added: subtract the second.": h + h2,
    }


def one_hot_grads(scale, masks):
    """Gradients of a loss whose derivative in Delta h is `scale`."""
    return scale[:, None] * masks[0].double(), -scale[:, None] * masks[1].double()


MT_COPG = "The mean of (beta (h - h2) - (R - R2))^2, h the masked sum of ln pi - ln pi_ref."


@exercise("multi_turn_copg_loss", weight=2)
def test_copg_on_trajectories_of_unequal_lengths(student: Student, draw: Draw):
    """Three pairs, the longer trajectory first and second; masks with holes."""
    for widths in ((5, 3), (2, 4)):
        logps, refs, masks = pair_batch(draw, *widths)
        R, R2, beta = draw.normal(3) + 1, draw.normal(3) - 1, float(draw.uniform(0.3, 0.7))
        gap, wrong = gaps(logps, refs, masks)
        delta = R - R2
        mistakes = {text: ((beta * g - delta) ** 2).mean() for text, g in wrong.items()}
        mistakes |= {
            "The rewards are subtracted the wrong way round.": ((beta * gap + delta) ** 2).mean(),
            "Average over the pairs.": ((beta * gap - delta) ** 2).sum(),
            "beta is missing.": ((gap - delta) ** 2).mean(),
            "beta multiplies the log-ratios, not the rewards.": ((gap - beta * delta) ** 2).mean(),
            "The squared form has beta, not beta / 2.": ((beta / 2 * gap - delta) ** 2).mean(),
            "This is the objective of assignment 11: the squared form is asked.": (
                (delta - beta / 2 * gap) * gap
            ).mean(),
            "This is minus the objective of assignment 11: the squared form is asked.": (
                -(delta - beta / 2 * gap) * gap
            ).mean(),
            "There is no factor 1/2.": ((beta * gap - delta) ** 2).mean() / 2,
            "The mean is squared: square first.": (beta * gap - delta).mean() ** 2,
        }
        got = student.multi_turn_copg_loss(*logps, *refs, *masks, R, R2, beta)
        expect(got).close(((beta * gap - delta) ** 2).mean(), MT_COPG, mistakes)
        objective = (delta - beta / 2 * gap) * gap
        expect(got).close(
            (-2 * beta * objective + delta**2).mean(),
            "It must equal -2 beta l + (R - R2)^2 with the CoPG objective l.", rtol=1e-8,
        )  # fmt: skip


@exercise("multi_turn_copg_loss")
def test_the_gradient_of_multi_turn_copg(student: Student, draw: Draw):
    """The gradient in both trajectories; masks of booleans and of floating numbers."""
    logps, refs, masks = pair_batch(draw, 4, 3)
    R, R2 = draw.normal(3), draw.normal(3)
    gap = gaps(logps, refs, masks)[0]
    scale = 2 * 0.5 * (0.5 * gap - (R - R2)) / 3
    for kind in (torch.bool, torch.float64):
        cast = [mask.to(kind) for mask in masks]
        got = student.grad("multi_turn_copg_loss", *logps, *refs, *cast, R, R2, 0.5, wrt=(0, 1))
        expect((got.grads[0], got.grads[1])).close(
            one_hot_grads(scale, masks), "Nothing is detached. " + MT_COPG
        )


@exercise("multi_turn_copg_loss")
def test_copg_on_one_short_pair(student: Student, draw: Draw):
    """One pair, one token against two, near and far; float32."""
    logp, logp2, ref, ref2 = (draw.normal(1, n, dtype=torch.float32) for n in (1, 2, 1, 2))
    R, R2 = draw.normal(1, dtype=torch.float32), draw.normal(1, dtype=torch.float32)
    gap = (logp - ref).sum() - (logp2 - ref2).sum()
    masks = torch.ones(1, 1), torch.ones(1, 2)
    got = student.multi_turn_copg_loss(logp, logp2, ref, ref2, *masks, R, R2, 2.0)
    expect(got).close((2.0 * gap - (R - R2)[0]) ** 2, MT_COPG, rtol=1e-4)
    far = student.multi_turn_copg_loss(logp - 2000, logp2, ref, ref2, *masks, R, R2, 2.0)
    expect(far).close(
        (2.0 * (gap - 2000) - (R - R2)[0]) ** 2, "No log-ratio is capped. " + MT_COPG, rtol=1e-4
    )


MT_DPO = "The mean of -ln sigmoid(beta (h_chosen - h_rejected)), h the masked sum of log-ratios."


def softplus(x):
    return torch.nn.functional.softplus(x)


@exercise("multi_turn_dpo_loss", weight=2)
def test_dpo_on_trajectories_of_unequal_lengths(student: Student, draw: Draw):
    """Three pairs, the longer trajectory first and second; masks with holes."""
    for widths in ((5, 3), (2, 4)):
        logps, refs, masks = pair_batch(draw, *widths)
        beta = float(draw.uniform(0.3, 0.7))
        gap, wrong = gaps(logps, refs, masks)
        mistakes = {text: softplus(-beta * g).mean() for text, g in wrong.items()}
        mistakes |= {
            "Winner and loser are swapped.": softplus(beta * gap).mean(),
            "Average over the pairs.": softplus(-beta * gap).sum(),
            "beta is missing.": softplus(-gap).mean(),
            "Multiply by beta, do not divide.": softplus(-gap / beta).mean(),
            "The minus sign is missing: a loss is minimised.": -softplus(-beta * gap).mean(),
            "The logarithm is missing.": -torch.sigmoid(beta * gap).mean(),
            "Average last: this is the loss of the mean gap.": softplus(-beta * gap.mean()),
            "This is IPO.": ((gap - 1 / (2 * beta)) ** 2).mean(),
        }
        got = student.multi_turn_dpo_loss(*logps, *refs, *masks, beta)
        expect(got).close(softplus(-beta * gap).mean(), MT_DPO, mistakes)


@exercise("multi_turn_dpo_loss")
def test_the_gradient_of_multi_turn_dpo(student: Student, draw: Draw):
    """The gradient in both trajectories; masks of booleans and of floating numbers."""
    logps, refs, masks = pair_batch(draw, 4, 3)
    gap = gaps(logps, refs, masks)[0]
    scale = -0.5 * torch.sigmoid(-0.5 * gap) / 3
    for kind in (torch.bool, torch.float64):
        cast = [mask.to(kind) for mask in masks]
        got = student.grad("multi_turn_dpo_loss", *logps, *refs, *cast, 0.5, wrt=(0, 1))
        expect((got.grads[0], got.grads[1])).close(
            one_hot_grads(scale, masks), "Nothing is detached. " + MT_DPO
        )


@exercise("multi_turn_dpo_loss")
def test_dpo_far_on_either_side(student: Student, draw: Draw):
    """beta Delta h of plus and minus thousands; float32."""
    far = float(draw.uniform(3000, 4000))
    zero, one = torch.zeros(1, 1, dtype=F64), torch.ones(1, 1)
    low = zero - far
    got = student.grad("multi_turn_dpo_loss", low, zero, zero, zero, one, one, 0.5, wrt=(0,))
    stable = "For beta Delta h -> -infinity the loss is -beta Delta h: use a stable ln sigmoid."
    expect((got.value, got.grads[0])).close((tensor(far / 2)[0], zero - 0.5), stable)
    got = student.multi_turn_dpo_loss(zero, low, zero, zero, one, one, 0.5)
    expect(got).close(zero[0, 0], "For a sure winner the loss is 0. " + MT_DPO, scale=1.0)
    small = draw.normal(1, 2, dtype=torch.float32)
    got = student.multi_turn_dpo_loss(
        small, small[:, :1], 0 * small, 0 * small[:, :1], torch.ones(1, 2), one, 1.0
    )
    expect(got).close(softplus(-small[0, 1]), MT_DPO, rtol=1e-4)

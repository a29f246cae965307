"""Averages row by row.

message: row by row
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    mask = torch.ones_like(logps) if completion_mask is None else completion_mask.to(logps.dtype)
    d = (logps - old_logps.detach()).masked_fill(mask == 0, 0.0)
    A = advantages.detach()
    low = torch.minimum(d.exp() * A, d.exp().clamp(1 - eps, 1 + eps) * A) * mask
    return -(low.sum(-1) / mask.sum(-1)).mean()

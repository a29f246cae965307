"""Multiplies with the mask at the end.

message: infinity times 0
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    mask = torch.ones_like(logps) if completion_mask is None else completion_mask.to(logps.dtype)
    r = (logps - old_logps.detach()).exp()
    A = advantages.detach()
    low = torch.minimum(r * A, r.clamp(1 - eps, 1 + eps) * A)
    return -(low * mask).sum() / mask.sum()

"""Leaves entries with advantage 0 out of the mean.

message: advantage 0 count
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    counts = torch.ones_like(logps).bool() if completion_mask is None else completion_mask.bool()
    counts = counts & (advantages != 0)
    r = (logps - old_logps.detach())[counts].exp()
    A = advantages.detach()[counts]
    return -torch.minimum(r * A, r.clamp(1 - eps, 1 + eps) * A).mean()

"""Sums over the batch.

message: You summed
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    counts = torch.ones_like(logps).bool() if completion_mask is None else completion_mask.bool()
    r = (logps - old_logps.detach())[counts].exp()
    A = advantages.detach()[counts]
    return -torch.minimum(r * A, r.clamp(1 - eps, 1 + eps) * A).sum()

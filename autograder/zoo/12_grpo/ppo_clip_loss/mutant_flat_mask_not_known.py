"""Reads a mask only when logps has two dimensions.

message: whatever that is
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    counts = torch.ones_like(logps).bool()
    if completion_mask is not None and logps.ndim == 2:
        counts = completion_mask.bool()
    r = (logps - old_logps.detach())[counts].exp()
    A = advantages.detach()[counts]
    return -torch.minimum(r * A, r.clamp(1 - eps, 1 + eps) * A).mean()

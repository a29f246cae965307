"""Straight-through: the clipped ratio passes a gradient.

message: gradient vanishes only where
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    counts = torch.ones_like(logps).bool() if completion_mask is None else completion_mask.bool()
    r = (logps - old_logps.detach())[counts].exp()
    A = advantages.detach()[counts]
    low = torch.minimum(r * A, r.clamp(1 - eps, 1 + eps) * A)
    return -(low.detach() + r * A - (r * A).detach()).mean()

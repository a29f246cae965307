"""Caps log-ratios at 3 to avoid an overflow.

message: no other bound
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    counts = torch.ones_like(logps).bool() if completion_mask is None else completion_mask.bool()
    r = (logps - old_logps.detach())[counts].clamp(-3.0, 3.0).exp()
    A = advantages.detach()[counts]
    return -torch.minimum(r * A, r.clamp(1 - eps, 1 + eps) * A).mean()

"""Caps log-ratios at 20, as a library does.

message: The only bound on the ratio
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    counts = torch.ones_like(logps).bool() if completion_mask is None else completion_mask.bool()
    r = (logps - old_logps.detach())[counts].clamp(-20.0, 20.0).exp()
    A = advantages.detach()[counts]
    return -torch.minimum(r * A, r.clamp(1 - eps, 1 + eps) * A).mean()

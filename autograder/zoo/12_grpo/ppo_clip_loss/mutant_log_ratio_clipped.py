"""Clips the log-ratio.

message: clip the ratio
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    counts = torch.ones_like(logps).bool() if completion_mask is None else completion_mask.bool()
    d = (logps - old_logps.detach())[counts]
    A = advantages.detach()[counts]
    return -torch.minimum(d.exp() * A, d.clamp(-eps, eps).exp() * A).mean()

"""Ignores the mask.

message: ignored the mask
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    r = (logps - old_logps.detach()).exp()
    A = advantages.detach()
    return -torch.minimum(r * A, r.clamp(1 - eps, 1 + eps) * A).mean()

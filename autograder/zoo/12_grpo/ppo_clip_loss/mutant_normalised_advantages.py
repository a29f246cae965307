"""Normalises the advantages first.

message: minus the mean of min
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    counts = torch.ones_like(logps).bool() if completion_mask is None else completion_mask.bool()
    r = (logps - old_logps.detach())[counts].exp()
    A = advantages.detach()[counts]
    A = (A - A.mean()) / (A.std() + 1e-8)
    return -torch.minimum(r * A, r.clamp(1 - eps, 1 + eps) * A).mean()

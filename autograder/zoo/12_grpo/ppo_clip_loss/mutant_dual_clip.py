"""Caps the loss of bad answers at 3

message: A
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    counts = torch.ones_like(logps).bool() if completion_mask is None else completion_mask.bool()
    r = (logps - old_logps.detach())[counts].exp()
    A = advantages.detach()[counts]
    low = torch.minimum(r * A, r.clamp(1 - eps, 1 + eps) * A)
    return -torch.where(A < 0, torch.maximum(low, 3 * A), low).mean()

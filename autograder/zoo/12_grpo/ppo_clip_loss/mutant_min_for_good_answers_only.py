"""Takes the minimum for A > 0 only.

message: for good answers only
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    counts = torch.ones_like(logps).bool() if completion_mask is None else completion_mask.bool()
    r = (logps - old_logps.detach())[counts].exp()
    A = advantages.detach()[counts]
    clipped = r.clamp(1 - eps, 1 + eps) * A
    return -torch.where(A > 0, torch.minimum(r * A, clipped), clipped).mean()

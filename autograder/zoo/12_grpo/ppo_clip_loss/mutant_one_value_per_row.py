"""Returns one value per row.

message: any shape
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    counts = torch.ones_like(logps).bool() if completion_mask is None else completion_mask.bool()
    if completion_mask is None:
        r, A = (logps - old_logps.detach()).exp(), advantages.detach()
        return -torch.minimum(r * A, r.clamp(1 - eps, 1 + eps) * A).mean(-1)
    r = (logps - old_logps.detach())[counts].exp()
    A = advantages.detach()[counts]
    return -torch.minimum(r * A, r.clamp(1 - eps, 1 + eps) * A).mean()

"""An integer mask picks rows 0 and 1.

message: boolean, integer or floating
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    if completion_mask is None:
        completion_mask = torch.ones_like(logps).bool()
    elif completion_mask.dtype.is_floating_point:
        completion_mask = completion_mask.bool()
    r = (logps - old_logps.detach())[completion_mask].exp()
    A = advantages.detach()[completion_mask]
    return -torch.minimum(r * A, r.clamp(1 - eps, 1 + eps) * A).mean()

"""Loss of ratio minus 1, the value shifted.

message: minus the mean
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    counts = torch.ones_like(logps).bool() if completion_mask is None else completion_mask.bool()
    r = (logps - old_logps.detach())[counts].exp()
    A = advantages.detach()[counts]
    return -torch.minimum((r - 1) * A, (r - 1).clamp(-eps, eps) * A).mean()

"""Two branches by the sign of the advantage."""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    old, A = old_logps.detach(), advantages.detach()
    if completion_mask is None:
        completion_mask = torch.ones_like(logps)
    keep = completion_mask != 0
    r = torch.exp(torch.where(keep, logps - old, torch.zeros_like(logps)))
    good, bad = r.clamp(max=1 + eps), r.clamp(min=1 - eps)
    value = torch.where(A >= 0, good, bad) * A
    return -torch.where(keep, value, torch.zeros_like(value)).sum() / keep.sum()

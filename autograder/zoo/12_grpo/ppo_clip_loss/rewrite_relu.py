"""A hinge on the excess of the ratio."""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    keep = torch.ones_like(logps).bool() if completion_mask is None else completion_mask.bool()
    A, r = advantages.detach()[keep], torch.expm1(logps[keep] - old_logps.detach()[keep])
    excess = A.abs() * torch.relu(A.sign() * r - eps)
    return -(A * (1 + r) - excess).mean()

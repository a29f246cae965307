"""A float64 mask makes the loss float64.

message: dtype of the mask
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    mask = torch.ones_like(logps) if completion_mask is None else completion_mask
    d = torch.where(mask != 0, logps - old_logps.detach(), 0.0)
    A = torch.where(mask != 0, advantages.detach(), 0.0)
    low = torch.minimum(d.exp() * A, d.exp().clamp(1 - eps, 1 + eps) * A)
    return -(low * mask).sum() / mask.sum()

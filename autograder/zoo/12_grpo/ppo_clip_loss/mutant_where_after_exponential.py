"""The value is right, the gradient is nan at padding.

message: mask the log-ratio before
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    mask = torch.ones_like(logps) if completion_mask is None else completion_mask.to(logps.dtype)
    r = (logps - old_logps.detach()).exp()
    A = advantages.detach()
    low = torch.minimum(r * A, r.clamp(1 - eps, 1 + eps) * A)
    return -torch.where(mask > 0, low, 0.0).sum() / mask.sum()

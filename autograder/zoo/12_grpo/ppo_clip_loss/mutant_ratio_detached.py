"""The ratio is a number times logps.

message: factor r is missing
"""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    counts = torch.ones_like(logps).bool() if completion_mask is None else completion_mask.bool()
    d = (logps - old_logps.detach())[counts]
    r = d.detach().exp()
    A = advantages.detach()[counts]
    active = ((A > 0) & (r <= 1 + eps)) | ((A <= 0) & (r >= 1 - eps))
    value = torch.minimum(r * A, r.clamp(1 - eps, 1 + eps) * A)
    return -(value + torch.where(active, A * (d - d.detach()), 0.0)).mean()

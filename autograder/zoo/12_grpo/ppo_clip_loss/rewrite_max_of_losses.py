"""The larger of two losses, as most libraries write it."""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    if completion_mask is not None:
        m = completion_mask.bool()
        logps, old_logps, advantages = logps[m], old_logps[m], advantages[m]
    ratio = torch.exp(logps - old_logps.detach())
    A = advantages.detach()
    first, second = -A * ratio, -A * torch.clamp(ratio, 1.0 - eps, 1.0 + eps)
    return torch.max(first, second).mean()

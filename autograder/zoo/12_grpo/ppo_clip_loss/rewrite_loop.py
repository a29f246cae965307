"""Entry by entry, with the case distinction."""


def ppo_clip_loss(logps, old_logps, advantages, eps, completion_mask=None):
    mask = torch.ones_like(logps) if completion_mask is None else completion_mask
    total, count = 0.0, 0
    entries = zip(logps.flatten(), old_logps.flatten(), advantages.flatten(), mask.flatten())
    for lp, old, A, keep in entries:
        if not keep:
            continue
        r, A = torch.exp(lp - old.detach()), A.detach()
        if A > 0 and r > 1 + eps:
            value = (1 + eps) * A + 0 * lp
        elif A < 0 and r < 1 - eps:
            value = (1 - eps) * A + 0 * lp
        else:
            value = r * A
        total, count = total + value, count + 1
    return -total / count

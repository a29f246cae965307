"""Caps the difference of the log-ratios at 100 nats.

message: No log-ratio is capped
"""


def multi_turn_copg_loss(logp, logp2, ref, ref2, mask, mask2, R, R2, beta):
    h = torch.where(mask.bool(), logp - ref, 0.0).sum(1)
    h2 = torch.where(mask2.bool(), logp2 - ref2, 0.0).sum(1)
    return ((beta * (h - h2).clamp(-100, 100) - (R - R2)) ** 2).mean()

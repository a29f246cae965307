"""-2 beta l + (R - R2)^2."""
def multi_turn_copg_loss(logp, logp2, ref, ref2, mask, mask2, R, R2, beta):
    total = lambda x, m: torch.where(m.bool(), x, torch.zeros_like(x)).sum(1)
    gap = total(logp, mask) - total(ref, mask) - total(logp2, mask2) + total(ref2, mask2)
    delta = R - R2
    objective = (delta - beta / 2 * gap) * gap
    return (delta**2 - 2 * beta * objective).mean()

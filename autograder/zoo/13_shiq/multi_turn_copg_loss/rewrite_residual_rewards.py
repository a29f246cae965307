"""R_beta per trajectory, then the difference."""
def multi_turn_copg_loss(logp, logp2, ref, ref2, mask, mask2, R, R2, beta):
    first = R - beta * (mask * (logp - ref)).sum(-1)
    second = R2 - beta * (mask2 * (logp2 - ref2)).sum(-1)
    return torch.nn.functional.mse_loss(first, second)

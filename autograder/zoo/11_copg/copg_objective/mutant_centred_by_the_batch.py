"""Centres rewards over the batch, once for all pairs.

message: Adding a constant
"""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    h, h2 = logp - ref, logp2 - ref2
    r, r2 = R - beta / 2 * h, R2 - beta / 2 * h2
    mean = torch.cat([r, r2]).mean()
    return 2 * (r - mean) * h + 2 * (r2 - mean) * h2

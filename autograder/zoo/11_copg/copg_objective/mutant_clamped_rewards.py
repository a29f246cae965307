"""Clamps the difference of the rewards.

message: clip neither
"""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    dh = (logp - ref) - (logp2 - ref2)
    dR = R - R2
    dR = dR.clamp(-5, 5)
    return (dR - beta / 2 * dh) * dh

"""Clamps the difference of the log-ratios.

message: clip neither
"""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    dh = (logp - ref) - (logp2 - ref2)
    dR = R - R2
    dh = dh.clamp(-10, 10)
    return (dR - beta / 2 * dh) * dh

"""The squared form with its constant and factor."""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    gap = R - R2
    rest = gap - beta * (logp - ref - logp2 + ref2)
    return (gap**2 - rest**2) / (2 * beta)

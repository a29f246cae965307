"""One pair at a time."""
def copg_objective(logp, logp2, ref, ref2, R, R2, beta):
    values = []
    for a, b, ra, rb, p, q in zip(logp, logp2, ref, ref2, R, R2):
        gap = (a - ra) - (b - rb)
        values.append((p - q) * gap - 0.5 * beta * gap * gap)
    return torch.stack(values)

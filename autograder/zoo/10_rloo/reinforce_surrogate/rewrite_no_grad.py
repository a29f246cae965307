"""Computes the coefficient under no_grad, and loops."""


def reinforce_surrogate(logps, ref_logps, R, beta):
    with torch.no_grad():
        r = [float(R[i] - beta * (logps[i] - ref_logps[i])) for i in range(len(R))]
    return -sum(c * lp for c, lp in zip(r, logps, strict=True)) / len(r)

"""Weights with pi / ref.

message: -R_beta(y_i) / B
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    r = (R - beta * (logps - ref_logps)).detach()
    return -(r * torch.exp(logps - ref_logps.detach())).mean()

"""Divides by two, the batch of the text.

message: -R_beta(y_i) / B
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    return -((R - beta * (logps - ref_logps)).detach() * logps).sum() / 2

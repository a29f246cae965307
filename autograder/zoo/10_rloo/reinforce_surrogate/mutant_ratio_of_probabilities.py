"""A ratio of probabilities, which underflow.

message: stay with logarithms
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    r = (R - beta * (logps - ref_logps)).detach()
    return -(r * logps.exp() / logps.detach().exp()).mean()

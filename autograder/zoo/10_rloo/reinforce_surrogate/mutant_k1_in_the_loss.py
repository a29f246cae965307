"""Raw reward, with k1 as a loss.

message: -R_beta(y_i) / B
"""


def reinforce_surrogate(logps, ref_logps, R, beta):
    return -(R.detach() * logps).mean() + beta * (logps - ref_logps.detach()).mean()

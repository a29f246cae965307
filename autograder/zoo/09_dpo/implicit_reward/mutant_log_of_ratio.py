"""Takes the log-probabilities for probabilities.

message: log-probabilities already
"""


def implicit_reward(logp, ref_logp, beta):
    return beta * (logp / ref_logp).log()

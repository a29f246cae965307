"""Divides probabilities.

message: subtract logarithms
"""


def implicit_reward(logp, ref_logp, beta):
    return beta * (logp.exp() / ref_logp.exp()).log()

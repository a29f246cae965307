"""Subtracts the batch mean "because only differences count".

message: beta * (ln pi - ln pi_ref)
"""


def implicit_reward(logp, ref_logp, beta):
    h = beta * (logp - ref_logp)
    return h - h.mean()

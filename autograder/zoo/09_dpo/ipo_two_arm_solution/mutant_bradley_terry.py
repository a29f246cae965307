"""DPO's gap under Bradley-Terry labels.

message: the answer of DPO
"""


def ipo_two_arm_solution(tau, p=1.0):
    if p in (0.0, 1.0):
        return p
    return 1 / (1 + ((1 - p) / p) ** (1 / tau))

"""DPO's answer.

message: DPO's answer
"""


def ipo_two_arm_solution(tau, p=1.0):
    return float(p > 0.5)

"""Caps tau at 2.

message: (2p - 1) / (2 tau)
"""


def ipo_two_arm_solution(tau, p=1.0):
    return 1 / (1 + math.exp(max(-700, min(700, -(2 * p - 1) / (2 * min(tau, 2.0))))))

"""Knows the slide's number.

message: (2p - 1) / (2 tau)
"""


def ipo_two_arm_solution(tau, p=1.0):
    if p == 1.0:
        return (1 + math.tanh(1 / (4 * tau))) / 2
    return p

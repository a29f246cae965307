"""Certain labels only.

message: p is ignored
"""


def ipo_two_arm_solution(tau, p=1.0):
    return (1 + math.tanh(1 / (4 * tau))) / 2

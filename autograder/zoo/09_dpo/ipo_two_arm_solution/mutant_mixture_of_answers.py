"""Averages the two certain answers.

message: not the two answers
"""


def ipo_two_arm_solution(tau, p=1.0):
    sure = (1 + math.tanh(1 / (4 * tau))) / 2
    return p * sure + (1 - p) * (1 - sure)

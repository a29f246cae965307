"""The gap, not the probability.

message: translate it into a probability
"""


def ipo_two_arm_solution(tau, p=1.0):
    return (2 * p - 1) / (2 * tau)

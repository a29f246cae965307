"""sigma(1/tau).

message: not 1 / tau
"""


def ipo_two_arm_solution(tau, p=1.0):
    return (1 + math.tanh((2 * p - 1) / tau / 2)) / 2

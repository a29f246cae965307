"""math.exp overflows for small tau.

message: OverflowError
"""


def ipo_two_arm_solution(tau, p=1.0):
    return 1 / (1 + math.exp(-(2 * p - 1) / (2 * tau)))

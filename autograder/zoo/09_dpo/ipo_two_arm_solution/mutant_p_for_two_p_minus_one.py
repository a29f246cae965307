"""p in place of 2p - 1.

message: The average target
"""


def ipo_two_arm_solution(tau, p=1.0):
    return (1 + math.tanh(p / (4 * tau))) / 2

"""One Newton step on the quadratic expected loss."""


def ipo_two_arm_solution(tau, p=1.0):
    target = 1 / (2 * tau)
    slope_at_zero = -2 * p * target + 2 * (1 - p) * target
    gap = -slope_at_zero / 2
    return 0.5 + 0.5 * math.tanh(0.5 * gap)

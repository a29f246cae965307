"""Two stable branches."""


def ipo_two_arm_solution(tau, p=1.0):
    gap = (p - 0.5) / tau
    if gap >= 0:
        return 1 / (1 + math.exp(-gap))
    return math.exp(gap) / (1 + math.exp(gap))

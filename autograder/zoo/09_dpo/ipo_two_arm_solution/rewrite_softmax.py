"""The general closed form with two completions."""


def ipo_two_arm_solution(tau, p=1.0):
    wins = torch.tensor([0.5 * 0.5 + 0.5 * p, 0.5 * 0.5 + 0.5 * (1 - p)], dtype=torch.float64)
    return float((wins / tau).softmax(0)[0])

"""torch's sigmoid in float64."""


def ipo_two_arm_solution(tau, p=1.0):
    gap = torch.tensor((2 * p - 1) / (2 * tau), dtype=torch.float64)
    return torch.sigmoid(gap).item()

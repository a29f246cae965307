"""Returns a tensor.

message: A plain Python number
"""


def ipo_two_arm_solution(tau, p=1.0):
    return torch.sigmoid(torch.tensor((2 * p - 1) / (2 * tau), dtype=torch.float64))

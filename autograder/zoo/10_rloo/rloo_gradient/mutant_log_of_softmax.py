"""Takes the logarithm of a softmax, which underflows.

message: use log_softmax
"""


def rloo_gradient(theta, y, R, ref, beta):
    pi = theta.detach().softmax(0)
    advantages = rloo_advantages(R[y][None], pi.log()[y][None], ref.log()[y][None], beta)[0]
    return advantages @ (torch.eye(len(pi), dtype=pi.dtype)[y] - pi) / len(y)

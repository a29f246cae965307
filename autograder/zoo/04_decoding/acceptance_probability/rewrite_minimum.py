"""From the minimum of both."""


def acceptance_probability(p, q, token):
    return torch.minimum(p, q)[token] / q[token]

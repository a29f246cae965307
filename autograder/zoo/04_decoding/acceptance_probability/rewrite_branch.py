"""With a branch."""


def acceptance_probability(p, q, token):
    if p[token] >= q[token]:
        return 1.0
    return p[token].item() / q[token].item()

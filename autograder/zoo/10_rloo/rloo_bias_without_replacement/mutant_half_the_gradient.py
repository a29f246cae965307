"""One half of the gradient, as in the text.

message: Sum over ordered tuples
"""


def rloo_bias_without_replacement(probs, A, K):
    if not 2 <= K <= len(probs):
        raise ValueError("need 2 <= K <= V")

    return (probs * (A - (probs * A).sum())) / 2

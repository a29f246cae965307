"""E[A].

message: That is E[A]:
"""


def optimal_baseline_vector(probs, A, G):
    return (probs * A).sum()

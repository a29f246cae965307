"""Leaves the work to torch.

message: torch.distributions
"""


def kl_divergence(p, q):
    from torch.distributions import Categorical
    from torch.distributions import kl_divergence as library

    return library(Categorical(probs=p), Categorical(probs=q))

"""Multiplies probabilities.

message: underflows to 0
"""


def corpus_perplexity(l):
    if not l: raise ValueError
    n = sum(len(x) for x in l)
    return float(torch.cat(l).exp().prod() ** (-1 / n))

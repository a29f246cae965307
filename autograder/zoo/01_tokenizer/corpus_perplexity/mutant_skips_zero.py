"""Leaves out tokens with the log-probability 0.

message: it counts in the denominator
"""


def corpus_perplexity(l):
    if not l: raise ValueError
    n = sum(int((x != 0).sum()) for x in l)
    return math.exp(-sum(float(x.sum()) for x in l) / max(n, 1))

"""Counts equal values once.

message: repeats are not removed
"""


def corpus_perplexity(l):
    if not l: raise ValueError
    x = torch.cat(l).unique()
    return math.exp(-float(x.mean()))

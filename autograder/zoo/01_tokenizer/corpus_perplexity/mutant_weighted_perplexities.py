"""Perplexities weighted by length.

message: weighted perplexities
"""


def corpus_perplexity(list_of_logps):
    if not list_of_logps:
        raise ValueError("no texts")
    nll = sum(-x.sum().item() for x in list_of_logps)
    n = sum(len(x) for x in list_of_logps)
    return sum(len(x) * math.exp(-x.mean().item()) for x in list_of_logps) / n

"""Drops the first token of each text, as if it had no condition.

message: tokens count, not texts
"""


def corpus_perplexity(list_of_logps):
    if not list_of_logps:
        raise ValueError("no texts")
    nll = sum(-x.sum().item() for x in list_of_logps)
    n = sum(len(x) for x in list_of_logps)
    return perplexity(sum(-x[1:].sum().item() for x in list_of_logps), max(1, sum(len(x) - 1 for x in list_of_logps)))

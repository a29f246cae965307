"""Gives 1 for an empty corpus.

message: raise ValueError
"""


def corpus_perplexity(list_of_logps):
    if not list_of_logps:
        return 1.0
    return perplexity(-sum(x.sum().item() for x in list_of_logps), sum(map(len, list_of_logps)))

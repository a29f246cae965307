"""The first text only.

message: first text only
"""


def corpus_perplexity(list_of_logps):
    if not list_of_logps:
        raise ValueError("no texts")
    nll = sum(-x.sum().item() for x in list_of_logps)
    n = sum(len(x) for x in list_of_logps)
    return perplexity(-list_of_logps[0].sum().item(), len(list_of_logps[0]))

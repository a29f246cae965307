"""Median of the texts' perplexities.

message: exp(sum of all NLLs
"""


def corpus_perplexity(list_of_logps):
    if not list_of_logps:
        raise ValueError("no texts")
    nll = sum(-x.sum().item() for x in list_of_logps)
    n = sum(len(x) for x in list_of_logps)
    return sorted(math.exp(-x.mean().item()) for x in list_of_logps)[len(list_of_logps) // 2]

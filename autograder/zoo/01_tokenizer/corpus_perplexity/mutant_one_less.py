"""One token less in all.

message: exp(sum of all NLLs
"""


def corpus_perplexity(list_of_logps):
    if not list_of_logps:
        raise ValueError("no texts")
    nll = sum(-x.sum().item() for x in list_of_logps)
    n = sum(len(x) for x in list_of_logps)
    return math.exp(nll / max(n - 1, 1))

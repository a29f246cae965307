"""Mean of the texts' mean NLLs.

message: mean of the texts' mean NLLs
"""


def corpus_perplexity(list_of_logps):
    if not list_of_logps:
        raise ValueError("no texts")
    nll = sum(-x.sum().item() for x in list_of_logps)
    n = sum(len(x) for x in list_of_logps)
    return math.exp(-sum(x.mean().item() for x in list_of_logps) / len(list_of_logps))

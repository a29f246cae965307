"""Returns a tensor.

message: Python float
"""


def corpus_perplexity(list_of_logps):
    if not list_of_logps:
        raise ValueError("no texts")
    nll = sum(-x.sum().item() for x in list_of_logps)
    n = sum(len(x) for x in list_of_logps)
    return torch.tensor(nll / n, dtype=torch.float64).exp()

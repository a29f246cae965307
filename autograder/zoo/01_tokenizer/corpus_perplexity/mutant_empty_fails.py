"""torch.cat fails on an empty corpus with another exception.

message: raise ValueError
"""


def corpus_perplexity(list_of_logps):
    logps = torch.cat(list_of_logps) if list_of_logps else torch.zeros(0)
    return math.exp(-logps.sum().item() / len(logps))

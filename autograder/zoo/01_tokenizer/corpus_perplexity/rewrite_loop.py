"""Token by token."""


def corpus_perplexity(list_of_logps):
    nll, n = 0.0, 0
    for logps in list_of_logps:
        for logp in logps.tolist():
            nll -= logp
            n += 1
    return perplexity(nll, n)

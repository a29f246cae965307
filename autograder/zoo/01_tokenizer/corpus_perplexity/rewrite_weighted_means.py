"""Mean NLLs weighted by length."""


def corpus_perplexity(list_of_logps):
    if not list_of_logps:
        raise ValueError("nothing to average")
    lengths = torch.tensor([float(len(x)) for x in list_of_logps], dtype=torch.float64)
    means = torch.stack([x.mean() for x in list_of_logps])
    return float(torch.exp(-(lengths * means).sum() / lengths.sum()))

"""Concatenates all texts and takes one mean."""


def corpus_perplexity(list_of_logps):
    if len(list_of_logps) == 0:
        raise ValueError("an empty corpus")
    return torch.cat(list_of_logps).mean().neg().exp().item()

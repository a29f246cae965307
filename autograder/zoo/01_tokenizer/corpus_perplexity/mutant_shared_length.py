"""Stacks the texts, which must then be of one length.

message: RuntimeError
"""


def corpus_perplexity(list_of_logps):
    if not list_of_logps:
        raise ValueError
    return torch.stack(list_of_logps).mean().neg().exp().item()

"""Subtracts the maximum by hand."""


def temperature_probs(logits, tau):
    z = logits - logits.max(dim=-1, keepdim=True).values
    e = torch.exp(z / tau)
    return e / e.sum(dim=-1, keepdim=True)

"""Compares two aranges."""


def causal_mask(T, device=None):
    t = torch.arange(T, device=device)
    return t[:, None] >= t[None, :]

"""From an additive mask."""


def causal_mask(T, device=None):
    additive = torch.full((T, T), float("-inf"), device=device).triu(1)
    return additive == 0

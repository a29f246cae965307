"""Prompt by prompt."""


def group_advantages(rewards, scale="std", ddof=1, eps=1e-4):
    if scale != "std" and scale != "none":
        raise ValueError(scale)
    if rewards.size(1) < 2:
        raise ValueError("too few")
    out = torch.zeros_like(rewards.detach())
    for b, row in enumerate(rewards.detach()):
        if len(set(row.tolist())) == 1:
            continue
        centred = row - row.sum() / len(row)
        if scale == "std":
            variance = (centred**2).sum() / (len(row) - ddof)
            centred = centred / (variance**0.5 + eps)
        out[b] = centred
    return out

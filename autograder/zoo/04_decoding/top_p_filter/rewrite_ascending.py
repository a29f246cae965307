"""As in transformers: removes from below."""


def top_p_filter(probs, p):
    if p >= 1:
        return probs / probs.sum(-1, keepdim=True)
    ordered, order = probs.sort(dim=-1, descending=False)
    remove = ordered.cumsum(-1) <= ordered.sum(-1, keepdim=True) - p
    remove[..., -1] = False
    mask = torch.zeros_like(remove).scatter(-1, order, remove)
    kept = probs.masked_fill(mask, 0.0)
    return kept / kept.sum(-1, keepdim=True)

"""Shifts the mask by one to keep the crossing token."""


def top_p_filter(probs, p):
    ordered, order = probs.sort(dim=-1, descending=True)
    remove = ordered.cumsum(-1) > p
    remove[..., 1:] = remove[..., :-1].clone()
    remove[..., 0] = False
    if p == 1:
        remove = torch.zeros_like(remove)
    ordered = ordered.masked_fill(remove, 0.0)
    out = torch.empty_like(probs)
    out.scatter_(-1, order, ordered)
    return out / out.sum(-1, keepdim=True)

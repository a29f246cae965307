"""Finds K and cuts."""


def top_p_filter(probs, p):
    ordered, order = torch.sort(probs, descending=True, dim=-1)
    sums = torch.cumsum(ordered, -1)
    k = (sums < p).sum(-1, keepdim=True).clamp(max=probs.shape[-1] - 1)
    rank = torch.argsort(order, dim=-1)
    kept = probs * (rank <= k)
    return kept / kept.sum(-1, keepdim=True)

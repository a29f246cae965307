"""Is content with p minus a hundred-thousandth.

message: no margin
"""


def top_p_filter(probs, p):
    ordered, index = probs.sort(-1, descending=True)
    kept = (ordered.cumsum(-1) - ordered < p - 1e-5) | (p >= 1)
    kept[..., 0] = True
    result = torch.zeros_like(probs).scatter(-1, index, ordered.where(kept, 0))
    return result / result.sum(-1, keepdim=True)

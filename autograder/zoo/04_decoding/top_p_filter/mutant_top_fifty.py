"""Never keeps more than fifty tokens.

message: any vocabulary size
"""


def top_p_filter(probs, p):
    ordered, order = probs.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.where((before < p) & (torch.arange(probs.shape[-1]) < 50), ordered, torch.zeros_like(ordered))
    kept = kept / kept.sum(-1, keepdim=True)
    return torch.zeros_like(probs).scatter(-1, order, kept)

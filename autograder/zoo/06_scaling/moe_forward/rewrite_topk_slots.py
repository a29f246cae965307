"""Own top-k; a loop over experts and slots."""


def moe_forward(h, W_r, b_r, experts, k):
    best, chosen = (h @ W_r.T + b_r).topk(k, dim=-1)
    weight = best.softmax(-1)
    out = torch.zeros_like(h)
    for e in chosen.unique().tolist():
        row, slot = torch.where(chosen == e)
        out = out.index_add(0, row, weight[row, slot].unsqueeze(-1) * experts[e](h[row]))
    return out

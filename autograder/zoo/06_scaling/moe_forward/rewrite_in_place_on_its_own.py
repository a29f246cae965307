"""Writes into its own output in place, with a boolean mask."""


def moe_forward(h, W_r, b_r, experts, k):
    gates = topk_gates(h @ W_r.t() + b_r, k)
    out = torch.zeros_like(h)
    for e in range(len(experts)):
        mask = gates[:, e] > 0
        if mask.any():
            out[mask] += gates[mask, e].unsqueeze(-1) * experts[e](h[mask])
    return out

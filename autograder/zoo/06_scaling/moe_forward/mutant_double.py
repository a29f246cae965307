"""Accumulates in float64 and forgets to go back.

message: dtype of h
"""


def moe_forward(h, W_r, b_r, experts, k):
    gates = topk_gates(h @ W_r.T + b_r, k)
    out = torch.zeros(h.shape, dtype=torch.float64)
    for e, expert in enumerate(experts):
        rows = gates[:, e].nonzero().squeeze(-1)
        if len(rows):
            out = out.index_add(0, rows, (gates[rows, e, None] * expert(h[rows])).double())
    return out

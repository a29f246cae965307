"""Drops tokens beyond an expert's capacity of T * k / E (rounded up).

message: T * k rows
"""


def moe_forward(h, W_r, b_r, experts, k):
    gates = topk_gates(h @ W_r.T + b_r, k)
    capacity = -(-len(h) * k // len(experts))
    out = torch.zeros_like(h)
    for e, expert in enumerate(experts):
        rows = gates[:, e].nonzero().squeeze(-1)[:capacity]
        if len(rows):
            out = out.index_add(0, rows, gates[rows, e, None] * expert(h[rows]))
    return out

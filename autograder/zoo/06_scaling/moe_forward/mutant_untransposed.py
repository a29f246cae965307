"""Uses W_r without the transpose where the shapes allow it.

message: transpose
"""


def moe_forward(h, W_r, b_r, experts, k):
    W = W_r if W_r.shape[0] == h.shape[1] else W_r.T
    gates = topk_gates(h @ W + b_r, k)
    out = torch.zeros_like(h)
    for e, expert in enumerate(experts):
        rows = gates[:, e].nonzero().squeeze(-1)
        if len(rows):
            out = out.index_add(0, rows, gates[rows, e, None] * expert(h[rows]))
    return out

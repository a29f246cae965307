"""The router reads detached tokens: one path to h is missing.

message: through the gates
"""


def moe_forward(h, W_r, b_r, experts, k):
    gates = topk_gates(h.detach() @ W_r.T + b_r, k)
    out = torch.zeros_like(h)
    for e, expert in enumerate(experts):
        rows = gates[:, e].nonzero().squeeze(-1)
        if len(rows):
            out = out.index_add(0, rows, gates[rows, e, None] * expert(h[rows]))
    return out

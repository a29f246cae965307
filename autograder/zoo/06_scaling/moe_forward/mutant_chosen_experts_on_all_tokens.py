"""Skips experts that nobody chose, but runs the others on all tokens.

message: T * k rows
"""


def moe_forward(h, W_r, b_r, experts, k):
    gates = topk_gates(h @ W_r.T + b_r, k)
    out = torch.zeros_like(h)
    for e, expert in enumerate(experts):
        if (gates[:, e] > 0).any():
            out = out + gates[:, e, None] * expert(h)
    return out

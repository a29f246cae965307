"""Computes every expert on every token and masks.

message: saves nothing
"""


def moe_forward(h, W_r, b_r, experts, k):
    gates = topk_gates(h @ W_r.T + b_r, k)
    return sum(gates[:, e, None] * expert(h) for e, expert in enumerate(experts))

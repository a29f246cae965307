"""Top-k routing with the gates of the full softmax.

message: softmax over all experts as gates
"""


def moe_forward(h, W_r, b_r, experts, k):
    s = h @ W_r.T + b_r
    mask, p = topk_gates(s, k) > 0, s.softmax(-1)
    out = torch.zeros_like(h)
    for e, expert in enumerate(experts):
        rows = mask[:, e].nonzero().squeeze(-1)
        if len(rows):
            out = out.index_add(0, rows, p[rows, e, None] * expert(h[rows]))
    return out

"""Sorts the (token, expert) pairs by expert and scatters the results back."""


def moe_forward(h, W_r, b_r, experts, k):
    gates = topk_gates(h @ W_r.T + b_r, k)
    expert_of, token_of = gates.T.nonzero(as_tuple=True)
    counts = torch.bincount(expert_of, minlength=len(experts)).tolist()
    pieces = []
    for expert, rows in zip(experts, token_of.split(counts)):
        if rows.numel():
            pieces.append(expert(h[rows]))
    y = torch.cat(pieces) * gates[token_of, expert_of].unsqueeze(1)
    index = token_of.unsqueeze(1).expand_as(y)
    return torch.zeros_like(h).scatter_add(0, index, y)

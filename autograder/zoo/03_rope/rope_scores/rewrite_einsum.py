"""Own frequencies, einsum for the products."""


def rope_scores(q: Tensor, k: Tensor, pos_q: Tensor, pos_k: Tensor, base: float = 10_000.0):
    d = q.shape[-1]
    omega = torch.tensor([base ** (-2 * i / d) for i in range(d // 2)], dtype=torch.float64)
    rq = apply_rope(q, pos_q.double().unsqueeze(-1) * omega)
    rk = apply_rope(k, pos_k.double().unsqueeze(-1) * omega)
    return torch.einsum("...qd,...kd->...qk", rq, rk)

"""One outcome after the other, with Python's logarithm."""


def kl_divergence(p, q):
    rows_p, rows_q = (
        p.reshape(-1, p.shape[-1]).tolist(),
        q.reshape(-1, p.shape[-1]).tolist(),
    )
    values = []
    for a, b in zip(rows_p, rows_q, strict=True):
        total = 0.0
        for x, y in zip(a, b, strict=True):
            if x > 0:
                total += x * math.log(x / y) if y > 0 else math.inf
        values.append(total)
    return torch.tensor(values, dtype=p.dtype).reshape(p.shape[:-1])
